//! Whether this machine has a way to an address at all: a cable that is pulled out is not the target's fault.
//!
//! The kernel keeps routes through an interface whose cable is out, so what is sent there meets silence, as if the target
//! were dead. The way of the question:
//! 1. The longest routes of /proc/net/route and /proc/net/ipv6_route that lead to the address tell the interfaces.
//! 2. /sys/class/net/…/carrier tells whether there is a cable in one of them.
//! 3. Without such a route, as with tables of one's own, any interface but loopback will do.
//!
//! Where the kernel does not tell, there is a way: better an alarm too many than one too few.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Some thousand routes. A machine with more is a router, and to read them would cost more than the answer is worth.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// For so long after the cable is in again a switch may let nothing through (twice the forward delay of IEEE 802.1D).
const SETTLING: Duration = Duration::from_secs(30);

/// Addresses that are remembered, one for each monitor; when there are more, all are forgotten, which may cost an alarm.
const ADDRESSES_MAX: usize = 10_000;

/// When there was no way from this machine to an address, on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct CutOff(Mutex<HashMap<IpAddr, Duration>>);

impl CutOff {
    /// There is none at `now`.
    pub(crate) fn note(&self, address: IpAddr, now: Duration) {
        let mut seen = self.lock();
        if seen.len() >= ADDRESSES_MAX {
            seen.clear();
        }
        seen.insert(address, now);
    }

    /// Whether that explains why a check that began at `begin` has met silence.
    pub(crate) fn explains(&self, address: IpAddr, begin: Duration) -> bool {
        let seen = self.lock().get(&address).copied();
        seen.is_some_and(|seen| begin < seen + SETTLING)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Duration>> {
        self.0
            .lock()
            .expect("invariant: no one panics while holding addresses")
    }
}

/// The kernel's two files of routes, and whether a cable is in an interface.
pub(crate) struct Network<'a> {
    v4: &'a str,
    v6: &'a str,
    has_carrier: &'a dyn Fn(&str) -> bool,
}

/// Part of the addresses, and the interface through which they are reached.
struct Route<'a> {
    destination: u128,
    bits: u32,
    interface: &'a str,
}

/// Whether there may be a way from here to an address, as the kernel says now.
pub(crate) fn leads_to(address: IpAddr) -> bool {
    ask(|network| network.leads_to(address))
}

/// Whether there may be a way from here to the rest of the world.
pub(crate) fn leads_out() -> bool {
    ask(|network| network.leads_out())
}

fn ask(question: impl FnOnce(&Network<'_>) -> bool) -> bool {
    let (Some(v4), Some(v6)) = (read("route"), read("ipv6_route")) else {
        return true;
    };
    if v4.is_empty() && v6.is_empty() {
        // There is always a headline: /proc is not there at all.
        return true;
    }
    question(&Network {
        v4: &v4,
        v6: &v6,
        has_carrier: &has_carrier,
    })
}

/// A file of the kernel, empty if there is none, as without IPv6; none if it tells nothing or too much.
fn read(name: &str) -> Option<String> {
    let path = Path::new("/proc/net").join(name);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(String::new()),
        Err(_) => return None,
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    ((read as u64) < FILE_BYTES_MAX).then_some(text)
}

/// A file that cannot be read says nothing; of an interface that is switched off there are no routes.
fn has_carrier(interface: &str) -> bool {
    let path = Path::new("/sys/class/net").join(interface).join("carrier");
    std::fs::read_to_string(path).map_or(true, |carrier| carrier.trim() != "0")
}

impl Network<'_> {
    fn leads_to(&self, address: IpAddr) -> bool {
        self.way_to(address).unwrap_or_else(|| self.has_any())
    }

    fn leads_out(&self) -> bool {
        // No part of the addresses but all of them has the first one in it.
        let ways = [
            self.way_to(Ipv4Addr::UNSPECIFIED.into()),
            self.way_to(Ipv6Addr::UNSPECIFIED.into()),
        ];
        match ways {
            [None, None] => self.has_any(),
            ways => ways.contains(&Some(true)),
        }
    }

    /// Whether the way that the routes tell can be gone; none if they tell none.
    fn way_to(&self, address: IpAddr) -> Option<bool> {
        let (routes, wanted, width) = match address {
            address if address.is_loopback() => return Some(true),
            IpAddr::V4(address) => (routes_v4(self.v4), u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (routes_v6(self.v6), u128::from(address), 128),
        };
        let leading = |route: &&Route<'_>| {
            let rest = width - route.bits.min(width);
            let cut = |address: u128| address.checked_shr(rest).unwrap_or(0);
            cut(wanted) == cut(route.destination)
        };
        let longest = routes
            .iter()
            .filter(leading)
            .map(|route| route.bits)
            .max()?;
        let mut best = routes
            .iter()
            .filter(leading)
            .filter(|route| route.bits == longest);
        Some(best.any(|route| (self.has_carrier)(route.interface)))
    }

    /// Whether any interface but loopback has addresses and a cable. Every address has a route to its own network.
    fn has_any(&self) -> bool {
        let (v4, v6) = (routes_v4(self.v4), routes_v6(self.v6));
        v4.iter()
            .chain(&v6)
            .any(|route| (self.has_carrier)(route.interface))
    }
}

/// Interface, destination and, as the eighth field, mask; addresses are hexadecimal in the order of this machine.
fn routes_v4(text: &str) -> Vec<Route<'_>> {
    let parse = |line| {
        let fields: Vec<&str> = str::split_whitespace(line).collect();
        let (interface, destination, mask) = (*fields.first()?, fields.get(1)?, fields.get(7)?);
        let address = |text| Some(u32::from_be(u32::from_str_radix(text, 16).ok()?));
        Some(Route {
            destination: address(destination)?.into(),
            bits: address(mask)?.count_ones(),
            interface,
        })
    };
    let routes = text.lines().skip(1).filter_map(parse);
    routes.filter(|route| route.interface != "lo").collect()
}

/// Destination and its length in bits, hexadecimal, and, at the end, the interface. That of addresses of one link only
/// leads nowhere else.
fn routes_v6(text: &str) -> Vec<Route<'_>> {
    let parse = |line| {
        let fields: Vec<&str> = str::split_whitespace(line).collect();
        let (destination, bits, interface) = (fields.first()?, fields.get(1)?, *fields.get(9)?);
        Some(Route {
            destination: u128::from_str_radix(destination, 16).ok()?,
            bits: u32::from_str_radix(bits, 16).ok()?,
            interface,
        })
    };
    let is_wide = |route: &Route<'_>| {
        let first = (route.destination >> 112) as u16;
        route.interface != "lo" && first & 0xffc0 != 0xfe80 && first >> 8 != 0xff
    };
    text.lines().filter_map(parse).filter(is_wide).collect()
}

#[cfg(test)]
mod tests;
