//! What a request shows to say who it is from: `Authorization`, or the cookie of a session.

use access::{ApiToken, SessionToken};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cookie;

/// Bytes of a user's name and password together beyond which they are not looked at; the longest password has four bytes for each of 1000
/// characters.
const BASIC_BYTES_MAX: usize = 8 << 10;

/// What a request shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// The text of a token for machines.
    Token(String),
    /// What should be an access token.
    Bearer(String),
    /// A user's name and password.
    Password { username: String, password: String },
    /// The cookie of a session.
    Session(SessionToken),
}

impl Credentials {
    /// Reads the headers; `Authorization` counts before a cookie. A cookie that has not the form of ours counts as none.
    ///
    /// Errors: an `Authorization` that cannot be read; the message says nothing of its content.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, &'static str> {
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        let Some(first) = shown.next() else {
            let token = cookie::session(headers).and_then(|text| SessionToken::parse(&text));
            return Ok(token.map(Self::Session));
        };
        if shown.next().is_some() {
            return Err("there are two Authorization headers: send one");
        }
        let text = first
            .to_str()
            .map_err(|_| "the Authorization header is not ASCII")?;
        let (scheme, value) = text.split_once(' ').unwrap_or((text, ""));
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Some(match value.starts_with(ApiToken::PREFIX) {
                true => Self::Token(value.to_owned()),
                false => Self::Bearer(value.to_owned()),
            }));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(value).map(Some);
        }
        Err("the Authorization header is neither Basic nor Bearer")
    }
}

fn basic(value: &str) -> Result<Credentials, &'static str> {
    if value.len() > BASIC_BYTES_MAX {
        return Err("the user name and password are too long");
    }
    let broken = "the Basic credentials are not USER:PASSWORD in base64 and UTF-8";
    let bytes = STANDARD.decode(value).map_err(|_| broken)?;
    let text = String::from_utf8(bytes).map_err(|_| broken)?;
    let (username, password) = text.split_once(':').ok_or(broken)?;
    // For programs that can send a user name and a password only.
    Ok(match password.starts_with(ApiToken::PREFIX) {
        true => Credentials::Token(password.to_owned()),
        false => Credentials::Password {
            username: username.to_owned(),
            password: password.to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<Credentials>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Credentials::read(&headers)
    }

    fn encoded(text: &str) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn each_way_in_is_told_from_the_others() {
        let is = |value: &str, expected: Credentials| {
            assert!(read(value) == Ok(Some(expected)), "{value}")
        };
        is("Bearer a.b.c", Credentials::Bearer("a.b.c".to_owned()));
        is("bearer  cmp_x", Credentials::Token("cmp_x".to_owned()));
        let ann = Credentials::Password {
            username: "ann".to_owned(),
            password: "a:b ü".to_owned(),
        };
        is(&format!("Basic {}", encoded("ann:a:b ü")), ann);
        let token = Credentials::Token("cmp_x".to_owned());
        is(&format!("BASIC {}", encoded("prometheus:cmp_x")), token);
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_shown() {
        for value in [
            "Digest username=ann".to_owned(),
            "secret".to_owned(),
            "Basic".to_owned(),
            "Basic %%%".to_owned(),
            format!("Basic {}", encoded("no colon")),
            format!("Basic {}", STANDARD.encode(b"ann:\xff")),
            format!("Basic {}", encoded(&format!("ann:{}", "x".repeat(9000)))),
        ] {
            let reason = read(&value).err().unwrap();
            assert!(!reason.contains("secret"), "{reason}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::AUTHORIZATION, "Bearer a".parse().unwrap());
        twice.append(header::AUTHORIZATION, "Bearer b".parse().unwrap());
        assert!(Credentials::read(&twice).is_err());
        assert!(Credentials::read(&HeaderMap::new()) == Ok(None));
    }
}
