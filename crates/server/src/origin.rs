//! Where a request comes from: the client's address, and the scheme and the host under which it has asked.
//!
//! Behind a proxy the connection is the proxy's. What the client was, the proxy says in headers, which anybody may send; so
//! they count only from the proxies that `trusted_proxies` names. The way of the question, for `X-Forwarded-For`:
//! 1. The client is whoever has connected, unless that is a trusted proxy.
//! 2. Then the client is whom the proxy saw: the last address of the list. If that is a trusted proxy too, the one before it.
//! 3. What cannot be read ends the search: the last address that was known stays.
//!
//! Scheme and host are those that the nearest proxy tells, the last of each header.

mod forwarded;

use std::net::IpAddr;

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use model::Network;

use forwarded::Element;

/// Proxies between a client and us; what lies behind more is not looked for.
const HOPS_MAX: usize = 16;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Which peers are proxies of ours, and how they say for whom they speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// The addresses of the proxies; none if there is no proxy.
    pub networks: Vec<Network>,
    /// Whether they write `Forwarded` (RFC 7239) instead of `X-Forwarded-For`, `-Proto` and `-Host`. Only one of both is
    /// read: a proxy passes on what a client has written into the other.
    pub forwarded: bool,
}

/// The other side of a connection; each request on it has it among its extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// None where connections have none, as over a Unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Whether the connection is encrypted.
    pub(crate) is_tls: bool,
}

/// Where a request comes from. Every request has it among its extensions, set before everything else; it is what logs,
/// limits and cookies go by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestOrigin {
    /// The client's address; none where connections have none.
    pub(crate) address: Option<IpAddr>,
    /// Whether the client has asked by https.
    pub(crate) is_https: bool,
    /// The host that the client has asked, with port, if a trusted proxy says so.
    forwarded_host: Option<String>,
}

impl RequestOrigin {
    /// What is known of a request.
    pub(crate) fn of(
        extensions: &Extensions,
        headers: &HeaderMap,
        proxies: &TrustedProxies,
    ) -> Self {
        let peer = extensions.get::<Peer>().copied().unwrap_or_default();
        let direct = Self {
            address: peer.address,
            is_https: peer.is_tls,
            forwarded_host: None,
        };
        match peer.address {
            Some(address) if proxies.trusts(address) => match proxies.forwarded {
                true => direct.by_forwarded(address, headers, proxies),
                false => direct.by_usual_headers(address, headers, proxies),
            },
            _ => direct,
        }
    }

    /// Of a request that has passed the outermost layer.
    pub(crate) fn from_extensions(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Sets the `Host` header to what the client has asked the proxy for, so that nothing behind need know of proxies.
    pub(crate) fn restore_host(&self, headers: &mut HeaderMap) {
        let host = self.forwarded_host.as_deref();
        if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
            headers.insert(header::HOST, host);
        }
    }

    fn by_usual_headers(
        mut self,
        peer: IpAddr,
        headers: &HeaderMap,
        proxies: &TrustedProxies,
    ) -> Self {
        let seen = from_last(headers, &FORWARDED_FOR).map(forwarded::address);
        self.address = Some(proxies.client(peer, seen));
        if let Some(scheme) = from_last(headers, &FORWARDED_PROTO).next() {
            self.is_https = scheme.eq_ignore_ascii_case("https");
        }
        let host = from_last(headers, &FORWARDED_HOST).next();
        self.forwarded_host = host.and_then(forwarded::host);
        self
    }

    fn by_forwarded(mut self, peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let elements: Vec<Element> = from_last(headers, &header::FORWARDED)
            .take(HOPS_MAX)
            .map(Element::parse)
            .collect();
        let seen = elements.iter().map(|element| element.address);
        self.address = Some(proxies.client(peer, seen));
        if let Some(nearest) = elements.into_iter().next() {
            if let Some(is_https) = nearest.is_https {
                self.is_https = is_https;
            }
            self.forwarded_host = nearest.host;
        }
        self
    }
}

impl TrustedProxies {
    /// Whether a peer is a proxy of ours.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    /// The client behind a proxy, by what was seen from the nearest on.
    fn client(&self, peer: IpAddr, seen: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for address in seen.take(HOPS_MAX) {
            let Some(address) = address else {
                return client;
            };
            client = address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }
}

/// The part of an address that tells one owner from another: of IPv6 the first half, since the other is given away whole.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let own = u128::from(address) >> 64 << 64;
            IpAddr::V6(own.into())
        }
        address => address,
    }
}

/// The members of a list that may stand in several headers of one name, the last first. What is no text ends it.
fn from_last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().rev();
    let lines = lines.map_while(|line| line.to_str().ok());
    lines.flat_map(|line| line.rsplit(',').map(str::trim))
}

#[cfg(test)]
mod tests;
