//! An address to which messages are posted. Its path may be a secret, so people see only its host.

use std::fmt;

use document::Value;
use reqwest::Url;

use crate::secret::{Secret, Written};

/// An HTTP address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

impl Endpoint {
    /// Reads an address that was written; notes a problem if it is none.
    pub(crate) fn read(written: &Written<'_>) -> Option<Self> {
        let noted = Self::parse(written.secret.expose());
        noted.map_err(|reason| written.value.refuse(reason)).ok()
    }

    /// Reads the value of an address that is no secret.
    pub(crate) fn read_value(value: &Value<'_>) -> Option<Self> {
        let parsed = Self::parse(value.clone().text()?);
        parsed.map_err(|reason| value.refuse(reason)).ok()
    }

    /// Errors: what is wrong; the address itself is not repeated.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains("{{") {
            return Err("templates in addresses are not supported yet".to_owned());
        }
        let url = Url::parse(text).map_err(|error| {
            format!("this is no address ({error}); write for example https://host.example.org/path")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(format!(
                "an address begins with http:// or https://, not with {scheme}:"
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("the address names no host".to_owned());
        }
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The same address with something behind its path, which has no slash at its end then.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        Self(url)
    }

    /// `https://host/…`: what people may see.
    pub(crate) fn shown(&self) -> String {
        shown(&self.0)
    }

    /// The parts of the address that must not be repeated in messages.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let url = &self.0;
        let parts = [
            Some(url.as_str()),
            Some(url.path()),
            url.query(),
            url.password(),
        ];
        let kept = parts.into_iter().flatten().filter(|part| *part != "/");
        kept.map(Secret::new).collect()
    }
}

/// `https://host/…`; a bare host has nothing to cut.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let rest = if url.path() == "/" && url.query().is_none() {
        "/"
    } else {
        "/…"
    };
    format!(
        "{}://{host}{}{rest}",
        url.scheme(),
        port.unwrap_or_default()
    )
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_is_shown() {
        for (url, shown) in [
            (
                "https://hooks.slack.com/services/T0/B0/x",
                "https://hooks.slack.com/…",
            ),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/"),
            (
                "http://user:word@host.example.org",
                "http://host.example.org/",
            ),
            (
                "https://host.example.org/?token=1",
                "https://host.example.org/…",
            ),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.shown(), shown);
            assert_eq!(format!("{endpoint:?}"), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for text in [
            "hook",
            "ftp://host/secret",
            "http://",
            "https://{{ .x }}/secret",
        ] {
            let reason = Endpoint::parse(text).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
