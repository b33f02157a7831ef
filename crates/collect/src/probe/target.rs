//! Where a request goes: scheme, host and port of a URL. Its path and query may hold secrets and are never shown.

use std::fmt;
use std::net::Ipv6Addr;

use http::Uri;
use http::header::HeaderValue;

/// The machine and the port of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether the scheme is https.
    pub(crate) is_tls: bool,
    /// In lower case, an address of IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// None if the URL is not absolute, or neither http nor https.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let is_tls = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host()?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bare
            .unwrap_or(host)
            .trim_end_matches('.')
            .to_ascii_lowercase();
        let port = url.port_u16().unwrap_or(default_port(is_tls));
        (!host.is_empty()).then_some(Self { is_tls, host, port })
    }

    /// What stands in the header `Host`: the port only if it is not the scheme's own.
    pub(crate) fn host_header(&self) -> Option<HeaderValue> {
        let host = Host(&self.host);
        let text = if self.port == default_port(self.is_tls) {
            host.to_string()
        } else {
            format!("{host}:{}", self.port)
        };
        HeaderValue::try_from(text).ok()
    }

    /// Whether what is meant for `other` may be told here too: the same host and port, or the same host from http to https
    /// on their own ports.
    pub(crate) fn may_share_secrets_of(&self, other: &Self) -> bool {
        let is_upgrade = self.is_tls && !other.is_tls && (self.port, other.port) == (443, 80);
        let is_same = self.is_tls == other.is_tls && self.port == other.port;
        self.host == other.host && (is_same || is_upgrade)
    }
}

/// `host:port`.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", Host(&self.host), self.port)
    }
}

/// A host as it stands in URLs: an address of IPv6 in brackets.
struct Host<'a>(&'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.parse::<Ipv6Addr>().is_ok() {
            write!(formatter, "[{}]", self.0)
        } else {
            formatter.write_str(self.0)
        }
    }
}

fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}
