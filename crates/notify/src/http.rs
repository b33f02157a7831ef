//! Posts JSON to an address: `http_config`, one attempt with a time limit, a bounded answer, no surprises with redirects.

mod settings;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use document::Value;
use jiff::fmt::rfc2822;
use outbound::{Allowed, Client, Trust};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};

use crate::endpoint::{self, Endpoint};
use crate::error::{Class, SendError};
use crate::secret::Secret;
use settings::Settings;

/// How long an attempt may take if the configuration does not say; nobody answers a page more slowly.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer is read; those that are understood have a few hundred bytes.
const ANSWER_MAX: usize = 64 << 10;

/// How much of an answer people see in an error, in characters.
const SHOWN_MAX: usize = 200;

/// How often one attempt follows a redirect.
const REDIRECTS_MAX: usize = 3;

/// The longest wait that another server may ask for; whoever retries has limits of its own.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The settings of `http_config`.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    settings: Settings,
    trust: Trust,
    client: OnceLock<Client>,
}

/// What is posted.
pub(crate) struct Request<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) body: &'a [u8],
    /// Beside those of `http_config`.
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) timeout: Duration,
    /// What must not be repeated from an answer, beside the address.
    pub(crate) secrets: Vec<Secret>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// The first bytes, as text.
    pub(crate) body: String,
}

impl PartialEq for Http {
    fn eq(&self, other: &Self) -> bool {
        (&self.settings, self.trust) == (&other.settings, other.trust)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new(Settings::default(), Trust::Configuration)
    }
}

impl Http {
    fn new(settings: Settings, trust: Trust) -> Self {
        let client = OnceLock::new();
        Self {
            settings,
            trust,
            client,
        }
    }

    /// Reads an `http_config` of the configuration file, which may lead anywhere; notes what is wrong.
    pub(crate) fn read(value: Value<'_>, directory: &Path) -> Option<Self> {
        let settings = Settings::read(value, directory)?;
        Some(Self::new(settings, Trust::Configuration))
    }

    /// Whether requests carry credentials of `http_config`.
    pub(crate) fn has_authorization(&self) -> bool {
        self.settings.authorization.is_some()
    }

    /// Makes one attempt; any status that is no redirect is an answer.
    ///
    /// Errors: no connection, no answer in time, a redirect that cannot be followed.
    pub(crate) async fn post(&self, request: &Request<'_>) -> Result<Answer, SendError> {
        let host = request.endpoint.shown();
        match tokio::time::timeout(request.timeout, self.follow(request)).await {
            Ok(answered) => answered.map_err(|error| SendError {
                message: self.hide(request, &error.message),
                class: error.class,
            }),
            Err(_) => {
                let limit = model::duration::format(request.timeout);
                let message = format!("no answer of {host} within {limit}");
                Err(SendError::temporary(message))
            }
        }
    }

    async fn follow(&self, request: &Request<'_>) -> Result<Answer, SendError> {
        let client = self.client(request.endpoint.url())?;
        let mut url = request.endpoint.url().clone();
        for _ in 0..=REDIRECTS_MAX {
            let post = client
                .request(Method::POST, &url)
                .map_err(|error| self.unsent(&url, error))?;
            let mut post = post.body(request.body.to_vec());
            post = post.header(CONTENT_TYPE, "application/json");
            for (name, value) in &request.headers {
                post = post.header(*name, *value);
            }
            post = post.headers(self.settings.headers());
            let response = post.send().await;
            let response = response.map_err(|error| self.unsent(&url, error.into()))?;
            if !response.status().is_redirection() {
                return answer(response).await;
            }
            url = self.redirected(&url, &response)?;
        }
        let host = request.endpoint.shown();
        let message = format!("{host} redirects more than {REDIRECTS_MAX} times");
        Err(SendError::permanent(message))
    }

    /// Where a redirect leads: only 307 and 308 keep the message, and only the same origin may see it.
    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, SendError> {
        let (host, status) = (endpoint::shown(from), response.status().as_u16());
        let location = response.headers().get(LOCATION);
        let target = location
            .and_then(|location| location.to_str().ok())
            .and_then(|location| from.join(location).ok());
        let Some(target) = target else {
            let message = format!("{host} answers {status} without saying where to go");
            return Err(SendError::permanent(message));
        };
        let shown = endpoint::shown(&target);
        if !self.settings.follow_redirects {
            let message =
                format!("{host} redirects to {shown}, which follow_redirects: false forbids");
            return Err(SendError::permanent(message));
        }
        if !matches!(status, 307 | 308) {
            let message = format!(
                "{host} redirects to {shown} with {status}, which drops the message; write the final address"
            );
            return Err(SendError::permanent(message));
        }
        if target.origin() != from.origin() {
            let message = format!(
                "{host} redirects to another host, {shown}, which must not see the message; write the final address"
            );
            return Err(SendError::permanent(message));
        }
        Ok(target)
    }

    /// The client of this configuration, made when it is needed first.
    fn client(&self, url: &Url) -> Result<&Client, SendError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let tls = match self.settings.tls.client() {
            // A machine without roots of trust can still speak plain HTTP.
            Err(error) if url.scheme() == "https" => Err(error),
            other => Ok(other.ok()),
        };
        let tls = match tls {
            Ok(Some(tls)) => tls,
            Ok(None) => without_roots()?,
            Err(error) => {
                let message = format!("no TLS is possible: {error}");
                return Err(SendError::temporary(message));
            }
        };
        let client = Client::new(self.trust, Allowed::default(), tls)
            .map_err(|error| SendError::temporary(format!("cannot set up HTTP: {error}")))?;
        // Two at a time may make one; both are as good.
        Ok(self.client.get_or_init(|| client))
    }

    /// What people are told of a message that did not go out.
    fn unsent(&self, url: &Url, error: outbound::Error) -> SendError {
        let host = endpoint::shown(url);
        match error {
            // Nothing changes that but whoever wrote the address.
            outbound::Error::Refused(refused) => {
                SendError::permanent(format!("{host} is not asked: {refused}"))
            }
            error => SendError::temporary(format!(
                "cannot reach {host}: {}",
                excerpt(&error.to_string())
            )),
        }
    }

    fn hide(&self, request: &Request<'_>, text: &str) -> String {
        let mut secrets = self.settings.secrets();
        secrets.extend(request.endpoint.secrets());
        secrets.extend(request.secrets.iter().cloned());
        secrets
            .iter()
            .fold(text.to_owned(), |text, secret| secret.hide_in(&text))
    }

    /// What people are told of an answer that is no success; the class follows the status.
    pub(crate) fn refusal(&self, request: &Request<'_>, answer: &Answer) -> SendError {
        let status = answer.status;
        let host = request.endpoint.shown();
        let body = self.hide(request, &excerpt(&answer.body));
        let message = match &*body {
            "" => format!("{host} answers {status}"),
            body => format!("{host} answers {status}: {body}"),
        };
        let class = class_of(status, answer.retry_after);
        SendError { message, class }
    }

    /// What people are told of an answer whose meaning is known.
    pub(crate) fn failure(&self, request: &Request<'_>, message: &str, class: Class) -> SendError {
        let host = request.endpoint.shown();
        let message = self.hide(request, &excerpt(message));
        SendError {
            message: format!("{host}: {message}"),
            class,
        }
    }
}

/// A wait that another server asks for, in seconds.
pub(crate) fn wait(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(RETRY_AFTER_MAX)
}

/// A status that stands in the body of an answer.
pub(crate) fn status(code: u64) -> Option<StatusCode> {
    StatusCode::from_u16(u16::try_from(code).ok()?).ok()
}

/// Whether a status may be another one later.
pub(crate) fn class_of(status: StatusCode, retry_after: Option<Duration>) -> Class {
    match status.as_u16() {
        // Too early and too many requests pass; so does what the server itself did wrong.
        408 | 425 | 429 | 500.. => Class::Temporary { retry_after },
        400..500 => Class::Permanent,
        // No status of a proper answer; whoever sent it may be something in between.
        _ => Class::Temporary { retry_after },
    }
}

async fn answer(mut response: Response) -> Result<Answer, SendError> {
    let headers = response.headers();
    let mut answer = Answer {
        status: response.status(),
        retry_after: retry_after(headers),
        body: String::new(),
    };
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            // The status is known already, and so is what became of the message.
            Err(_) => break,
        }
    }
    bytes.truncate(ANSWER_MAX);
    answer.body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(answer)
}

/// Seconds, or a date, which counts from the server's own `Date`: so its clock may be as wrong as it likes.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(wait(seconds));
    }
    let moment = |text: &str| Some(rfc2822::parse(text).ok()?.timestamp());
    let until = moment(text)?;
    let now = moment(headers.get(DATE)?.to_str().ok()?)?;
    let seconds = u64::try_from(until.as_second() - now.as_second());
    Some(wait(seconds.unwrap_or(0)))
}

/// One line of a text, cut.
pub(crate) fn excerpt(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
    if line.chars().count() <= SHOWN_MAX {
        return line;
    }
    let begin: String = line.chars().take(SHOWN_MAX).collect();
    format!("{begin}…")
}

fn without_roots() -> Result<rustls::ClientConfig, SendError> {
    let provider = rustls::crypto::ring::default_provider();
    let builder = rustls::ClientConfig::builder_with_provider(provider.into());
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| SendError::temporary(format!("no TLS is possible: {error}")))?;
    Ok(builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

/// With padding, as RFC 4648 has it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            if position > chunk.len() {
                text.push('=');
                continue;
            }
            let index = (number >> (18 - 6 * position)) & 63;
            text.push(char::from(LETTERS[index as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::tests::run;
    use crate::tests::server::Server;

    #[test]
    fn a_message_on_behalf_of_a_person_does_not_reach_this_machine() {
        for host in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"] {
            let server = Server::start(&[(200, "", "")]);
            let port = server.url.rsplit(':').next().unwrap();
            let post = |trust, url: &str| {
                let http = Http::new(Settings::default(), trust);
                let endpoint = Endpoint::parse(url).unwrap();
                let request = Request {
                    endpoint: &endpoint,
                    body: b"{}",
                    headers: Vec::new(),
                    timeout: TIMEOUT,
                    secrets: Vec::new(),
                };
                run(http.post(&request)).map(|answer| answer.status)
            };
            let url = format!("http://{host}:{port}/hook");
            let refused = post(Trust::Person, &url).unwrap_err();
            assert_eq!(refused.class, Class::Permanent, "{}", refused.message);
            let told = "an address of this machine, which may not be asked";
            assert!(refused.message.contains(told), "{}", refused.message);
            // Nothing has come: the first answer is still there.
            let url = &server.url;
            assert_eq!(post(Trust::Configuration, url).unwrap(), StatusCode::OK);
            assert_eq!(server.finish().len(), 1);
        }
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("user:w\u{f6}rd", "dXNlcjp3w7ZyZA=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_server_may_ask_to_wait_in_seconds_or_until_a_date() {
        let wait = |after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(after).unwrap());
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_str(date).unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let date = "Sat, 21 Nov 2026 12:00:00 GMT";
        assert_eq!(wait("7", None), Some(7));
        assert_eq!(wait("9999999999", None), Some(86400));
        assert_eq!(wait("Sat, 21 Nov 2026 12:02:05 GMT", Some(date)), Some(125));
        assert_eq!(wait("Sat, 21 Nov 2026 11:00:00 GMT", Some(date)), Some(0));
        assert_eq!(wait("Sat, 21 Nov 2026 12:02:05 GMT", None), None);
        assert_eq!(wait("soon", Some(date)), None);
    }

    #[test]
    fn only_what_may_pass_is_temporary() {
        for (status, is_temporary) in [
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (410, false),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let class = class_of(StatusCode::from_u16(status).unwrap(), None);
            assert_eq!(
                matches!(class, Class::Temporary { .. }),
                is_temporary,
                "{status}"
            );
        }
    }
}
