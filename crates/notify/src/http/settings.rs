//! `http_config` as a configuration has it: credentials, headers, whom to trust.

use std::path::Path;

use document::{Section, Value};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::base64;
use crate::secret::{self, Secret};
use crate::tls::Tls;

/// Of Prometheus' `http_config`, what this version cannot do.
const UNSUPPORTED: [&str; 6] = [
    "enable_http2",
    "no_proxy",
    "oauth2",
    "proxy_connect_header",
    "proxy_from_environment",
    "proxy_url",
];

/// Headers that belong to the request itself.
const RESERVED: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "user-agent",
];

/// What an `http_config` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) authorization: Option<Authorization>,
    /// By names that headers may have, with values that they may have.
    headers: Vec<(String, Secret)>,
    pub(super) tls: Tls,
    pub(super) follow_redirects: bool,
}

/// Credentials of `http_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authorization {
    /// The whole value of the header.
    header: Secret,
    /// The part of it that a server might repeat.
    secret: Secret,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            authorization: None,
            headers: Vec::new(),
            tls: Tls::default(),
            follow_redirects: true,
        }
    }
}

impl Settings {
    /// Reads the section; notes what is wrong.
    pub(super) fn read(value: Value<'_>, directory: &Path) -> Option<Self> {
        let mut section = value.section()?;
        section.unsupported(UNSUPPORTED);
        let follow = section.value("follow_redirects").and_then(Value::boolean);
        let settings = Self {
            authorization: authorization(&mut section, directory),
            headers: headers(&mut section, directory),
            tls: Tls::read(section.section("tls_config"), directory),
            follow_redirects: follow != Some(false),
        };
        section.finish();
        Some(settings)
    }

    /// The headers of each request, marked so that nothing shows them.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let secret = |secret: &Secret| {
            let mut value = HeaderValue::from_str(secret.expose()).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        for (name, value) in &self.headers {
            if let (Ok(name), Some(value)) = (HeaderName::try_from(name), secret(value)) {
                headers.append(name, value);
            }
        }
        let authorization = self.authorization.as_ref();
        if let Some(value) = authorization.and_then(|own| secret(&own.header)) {
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }

    /// What must not be repeated from an answer.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let own = self.headers.iter().map(|(_, secret)| secret);
        let mut secrets: Vec<Secret> = own.cloned().collect();
        if let Some(authorization) = &self.authorization {
            secrets.extend([&authorization.header, &authorization.secret].map(Secret::clone));
        }
        secrets
    }
}

/// `basic_auth` or `authorization`.
fn authorization(section: &mut Section<'_>, directory: &Path) -> Option<Authorization> {
    let basic = section.value("basic_auth");
    let other = section.value("authorization");
    match (basic, other) {
        (Some(_), Some(value)) => {
            value.refuse("either basic_auth or authorization is needed, not both");
            None
        }
        (Some(value), None) => {
            let mut basic = value.section()?;
            let user = secret::read(&mut basic, "username", "username_file", directory);
            let password = secret::read(&mut basic, "password", "password_file", directory);
            basic.finish();
            let part = |written: &Option<secret::Written<'_>>| {
                written
                    .as_ref()
                    .map_or(String::new(), |written| written.secret.expose().to_owned())
            };
            let pair = format!("{}:{}", part(&user), part(&password));
            Some(Authorization {
                header: Secret::new(&format!("Basic {}", base64(pair.as_bytes()))),
                secret: Secret::new(&part(&password)),
            })
        }
        (None, Some(value)) => {
            let mut other = value.clone().section()?;
            let kind = other.value("type");
            let name = match &kind {
                Some(kind) => kind.clone().text()?.trim().to_owned(),
                None => "Bearer".to_owned(),
            };
            if name.eq_ignore_ascii_case("basic") {
                value.refuse("write basic_auth for the type Basic");
            }
            let credentials =
                secret::read(&mut other, "credentials", "credentials_file", directory);
            other.finish();
            let Some(credentials) = credentials else {
                value.refuse("authorization needs credentials or credentials_file");
                return None;
            };
            let header = format!("{name} {}", credentials.secret.expose());
            if HeaderValue::from_str(&header).is_err() {
                credentials.value.refuse("this cannot stand in a header");
                return None;
            }
            Some(Authorization {
                header: Secret::new(&header),
                secret: credentials.secret,
            })
        }
        (None, None) => None,
    }
}

/// `http_headers`: each name with its values.
fn headers(section: &mut Section<'_>, directory: &Path) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    for (name, value) in section.section("http_headers").pairs() {
        let reserved = RESERVED
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        if reserved || HeaderName::try_from(name).is_err() {
            value.refuse(format!("the header {name:?} cannot be set here"));
            continue;
        }
        let Some(mut values) = value.section() else {
            continue;
        };
        for (key, is_file) in [("values", false), ("secrets", false), ("files", true)] {
            let items = values.value(key).and_then(Value::items);
            for item in items.unwrap_or_default() {
                let text = match is_file {
                    false => item.clone().text().map(str::to_owned),
                    true => item.clone().file_path(directory).and_then(|path| {
                        secret::read_file(&path)
                            .map(|text| text.trim().to_owned())
                            .map_err(|reason| {
                                item.refuse(format!("cannot read {}: {reason}", path.display()));
                            })
                            .ok()
                    }),
                };
                let Some(text) = text else { continue };
                if HeaderValue::from_str(&text).is_err() {
                    item.refuse("this cannot stand in a header");
                    continue;
                }
                headers.push((name.to_owned(), Secret::new(&text)));
            }
        }
        values.finish();
    }
    headers
}
