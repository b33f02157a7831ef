//! To which addresses a request may go, by who caused it.
//!
//! What stands in the configuration file was written by whoever runs the machine, and may lead anywhere: most of what is
//! watched is private. What a person caused who may not change that file must not reach what only this machine reaches:
//! itself, its neighbours, the metadata service of its cloud. So for these only addresses are good that are public, in
//! whatever clothes they come: an address of IPv6 that carries one of IPv4 is as good as the one that it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use model::Network;
use thiserror::Error;

/// Who caused a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The configuration file: any address.
    Configuration,
    /// Somebody who may not write that file: public addresses, and those that the file allows beside them.
    #[default]
    Person,
}

/// Addresses that are not public, and may be asked all the same: the `allow` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Arc<[Network]>);

/// An address to which a request must not go. The message names the address: whoever caused the request has named it,
/// or a name that anybody can look up.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{address} is {kind}, which may not be asked on behalf of a person or of a public host; outbound.allow in the configuration allows addresses"
)]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What it is, such as "a private address".
    pub kind: &'static str,
}

impl Allowed {
    /// These ranges.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().collect())
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Trust {
    /// Whether a request may go to an address.
    ///
    /// Errors: why not.
    pub fn check(self, address: IpAddr, allowed: &Allowed) -> Result<(), Refused> {
        match (self, unpublic(address)) {
            (Self::Configuration, _) | (Self::Person, None) => Ok(()),
            (Self::Person, Some(_)) if allowed.contains(address) => Ok(()),
            (Self::Person, Some(kind)) => Err(Refused { address, kind }),
        }
    }

    /// How far a redirect to another host is trusted that came from an address.
    ///
    /// The configuration has named the host that answered, not the one that it names in turn. A host inside may lead
    /// further inside, as to a sign-in of the same house; one outside must not see what is inside through our eyes.
    #[must_use]
    pub fn after_redirect_from(self, address: IpAddr) -> Self {
        match unpublic(address) {
            None => Self::Person,
            Some(_) => self,
        }
    }
}

/// Whether everybody can reach an address.
pub fn is_public(address: IpAddr) -> bool {
    unpublic(address).is_none()
}

/// What an address is that is not public; none for one that is.
fn unpublic(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => unpublic_v4(address),
        IpAddr::V6(address) => unpublic_v6(address),
    }
}

/// The registry of special addresses of IPv4 (RFC 6890), and what clouds have made of others.
fn unpublic_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "an address of this network",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (100, 64..=127, _) => "an address behind a carrier's translation",
        (127, ..) => "an address of this machine",
        (169, 254, _) => "a link-local address",
        (192, 0, 0) => "an address of protocols",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "an address of documentation",
        (192, 88, 99) => "an address of relays",
        (198, 18..=19, _) => "an address of benchmarks",
        (224..=239, ..) => "a multicast address",
        (240..=255, ..) => "a reserved address",
        // Azure answers its virtual machines here, with what only they may know.
        _ if address == Ipv4Addr::new(168, 63, 129, 16) => "the metadata service of a cloud",
        _ => return None,
    })
}

/// Of IPv6 only 2000::/3 is public, without what is set apart in it; and what carries a public address of IPv4.
fn unpublic_v6(address: Ipv6Addr) -> Option<&'static str> {
    let parts = address.segments();
    let carried = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        unpublic_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an address of this network"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("an address of this machine"),
        // ::ffff:a.b.c.d, and a translator's 64:ff9b::a.b.c.d (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            carried(high, low)
        }
        // 6to4: 2002:aabb:ccdd::/48.
        [0x2002, high, low, ..] => carried(high, low),
        // Protocols, among them Teredo, and benchmarks.
        [0x2001, 0..=0x1ff, ..] => Some("an address of protocols"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("an address of documentation"),
        [0x2000..=0x3fff, ..] => None,
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests;
