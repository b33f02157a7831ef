//! What stands in the headers of proxies: addresses with and without port, and the elements of `Forwarded` (RFC 7239).

use std::net::{IpAddr, SocketAddr};

/// Bytes of a host: a name of DNS has at most 253, and a port.
const HOST_BYTES_MAX: usize = 260;

/// What one proxy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) address: Option<IpAddr>,
    pub(super) is_https: Option<bool>,
    pub(super) host: Option<String>,
}

impl Element {
    /// Reads `for=192.0.2.60;proto=https;host=watch.example.org`; what cannot be read is none.
    ///
    /// A comma within quotes has been taken for the end of an element before: no address and no host has one.
    pub(super) fn parse(text: &str) -> Self {
        let mut element = Self::default();
        for pair in text.split(';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = unquoted(value.trim());
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => element.address = address(value),
                name if name.eq_ignore_ascii_case("proto") => {
                    element.is_https = Some(value.eq_ignore_ascii_case("https"));
                }
                name if name.eq_ignore_ascii_case("host") => element.host = host(value),
                _ => {}
            }
        }
        element
    }
}

/// `192.0.2.60`, `192.0.2.60:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`; none for `unknown` and all else.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = unquoted(text);
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    Some(address.or_else(with_port)?.to_canonical())
}

/// A host with or without port; none for what no host has, which might end up in a redirect.
pub(super) fn host(text: &str) -> Option<String> {
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let is_host = !text.is_empty() && text.len() <= HOST_BYTES_MAX && text.bytes().all(is_of_host);
    is_host.then(|| text.to_owned())
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}
