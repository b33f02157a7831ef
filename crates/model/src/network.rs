//! A range of addresses, as `10.0.0.0/8` or `2001:db8::/32`; a single address is a range of its own.
//!
//! An address of IPv4 that is written as one of IPv6 (`::ffff:10.0.0.1`) is the one of IPv4: sockets that listen on both
//! families hand them out like that, and nobody writes their ranges so.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address, whose bits behind the prefix are zero.
    first: IpAddr,
    /// Bits that all addresses have in common.
    bits: u32,
}

/// What is written is no range of addresses.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{text:?} is no range of addresses ({reason}); write for example 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"
)]
pub struct InvalidNetwork {
    text: String,
    reason: &'static str,
}

impl Network {
    /// The range of all addresses that begin with the same `bits` as this one; more bits than it has are all of them.
    pub fn new(address: IpAddr, bits: u32) -> Self {
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) => (canonical, bits.saturating_sub(96)),
            (_, canonical) => (canonical, bits),
        };
        let bits = bits.min(width(address));
        let (number, _) = number(address);
        let first = match address {
            IpAddr::V4(_) => IpAddr::V4(((number & mask(bits, 32)) as u32).into()),
            IpAddr::V6(_) => IpAddr::V6((number & mask(bits, 128)).into()),
        };
        Self { first, bits }
    }

    /// Whether an address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, width) = number(self.first);
        let (other, others) = number(address.to_canonical());
        width == others && (own ^ other) & mask(self.bits, width) == 0
    }
}

/// An address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

fn width(address: IpAddr) -> u32 {
    number(address).1
}

/// So many ones at the beginning of so many bits.
fn mask(bits: u32, width: u32) -> u128 {
    let all = u128::MAX >> (128 - width);
    all & !all.checked_shr(bits).unwrap_or(0)
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = |reason| InvalidNetwork {
            text: text.to_owned(),
            reason,
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| invalid("that is no address of IPv4 or IPv6"))?;
        let most = width(address);
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|number| *number <= most && !bits.starts_with('+'))
                .ok_or_else(|| invalid("behind the slash stands how many bits are the same"))?,
        };
        let network = Self::new(address, bits);
        // Whoever writes 10.0.0.1/8 has mistaken one number or the other.
        if address.to_canonical() != network.first {
            return Err(invalid("the address has bits behind the prefix"));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_what_begins_as_it_does() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::192.0.2.7"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            let range = network(range);
            assert!(range.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(
                !range.contains(outside.parse().unwrap()),
                "{range} {outside}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "10/8",
            "::/129",
            "localhost",
            "10.0.0.0/8/8",
            "010.0.0.0/8",
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains("write for example"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_agrees_with_its_text_bit_by_bit(address: u32, other: u32, bits in 0_u32..=32) {
            let range = Network::new(IpAddr::V4(address.into()), bits);
            prop_assert_eq!(network(&range.to_string()), range);
            let same = (0..bits).all(|bit| (address ^ other) >> (31 - bit) & 1 == 0);
            prop_assert_eq!(range.contains(IpAddr::V4(other.into())), same);
        }
    }
}
