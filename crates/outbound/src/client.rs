//! An HTTP client with a [`Trust`]. It keeps no connection, so that each request resolves its name and is judged anew; it
//! knows no proxy, which would connect in its place; and it follows redirects only where it is asked to, hop by hop.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION, PROXY_AUTHORIZATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use rustls::ClientConfig;

use crate::names::Guarded;
use crate::{Allowed, Error, Names, SystemNames, Trust};

/// What carries credentials, and never goes along to another host.
const SECRET: [reqwest::header::HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// A client for requests of one trust; a clone is another handle on the same one.
#[derive(Clone)]
pub struct Client {
    trust: Trust,
    allowed: Allowed,
    own: reqwest::Client,
    /// For what a public host redirects to.
    person: reqwest::Client,
}

/// How long an answer may take and how much of it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first lookup to the last byte, redirects included.
    pub within: Duration,
    /// Bytes of the body.
    pub bytes: usize,
    /// Redirects that are followed.
    pub redirects: usize,
}

/// An answer that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status; any is an answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Vec<u8>,
}

impl Default for Limits {
    /// For a document of some kilobytes of a server that works.
    fn default() -> Self {
        Self {
            within: Duration::from_secs(10),
            bytes: 1 << 20,
            redirects: 3,
        }
    }
}

impl Client {
    /// A client that looks names up as the machine does.
    ///
    /// Errors: HTTP cannot be set up.
    pub fn new(trust: Trust, allowed: Allowed, tls: ClientConfig) -> Result<Self, Error> {
        Self::with_names(trust, allowed, tls, Arc::new(SystemNames))
    }

    /// A client with names of its own.
    ///
    /// Errors: HTTP cannot be set up.
    pub fn with_names(
        trust: Trust,
        allowed: Allowed,
        tls: ClientConfig,
        names: Arc<dyn Names>,
    ) -> Result<Self, Error> {
        let make = |trust| {
            let resolver = Guarded {
                names: Arc::clone(&names),
                trust,
                allowed: allowed.clone(),
            };
            reqwest::Client::builder()
                .user_agent(concat!("campanile/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                // A connection that waits for the next request would not be judged again, and is mostly dead by then.
                .pool_max_idle_per_host(0)
                .retry(reqwest::retry::never())
                .dns_resolver(Arc::new(resolver))
                .tls_backend_preconfigured(tls.clone())
                .build()
        };
        Ok(Self {
            trust,
            own: make(trust)?,
            person: make(Trust::Person)?,
            allowed,
        })
    }

    /// A request to a URL, which is sent without following redirects.
    ///
    /// Errors: the URL is none of http or https, or names an address to which it must not go.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Error> {
        self.build(self.trust, method, url)
    }

    /// Gets a document and follows redirects. Credentials among the headers go along only within the same scheme, host
    /// and port.
    ///
    /// Errors: as [`Client::request`], for each redirect too; no answer within the limits.
    pub async fn get(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        limits: &Limits,
    ) -> Result<Answer, Error> {
        let follow = async {
            let mut url = url.clone();
            let mut trust = self.trust;
            for _ in 0..=limits.redirects {
                let request = self.build(trust, Method::GET, &url)?;
                let response = request.headers(headers.clone()).send().await?;
                let Some(next) = redirection(&url, &response) else {
                    return read(response, limits.bytes).await;
                };
                if next.origin() != url.origin() {
                    for name in SECRET {
                        headers.remove(name);
                    }
                }
                if next.host_str() != url.host_str() {
                    // Who does not say where he is, is outside.
                    let from = response.remote_addr().map(|address| address.ip());
                    trust = from.map_or(Trust::Person, |from| trust.after_redirect_from(from));
                }
                url = next;
            }
            Err(Error::Redirects(limits.redirects))
        };
        within(limits, follow).await
    }

    /// Sends a request that [`Client::request`] has made, and reads the answer, redirect or not.
    ///
    /// Errors: no answer within the limits.
    pub async fn send(&self, request: RequestBuilder, limits: &Limits) -> Result<Answer, Error> {
        within(limits, async {
            read(request.send().await?, limits.bytes).await
        })
        .await
    }

    fn build(&self, trust: Trust, method: Method, url: &Url) -> Result<RequestBuilder, Error> {
        let host = url.host_str().unwrap_or("");
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(Error::NotHttp(url.scheme().to_owned()));
        }
        // No name is looked up for an address. Its spelling is the usual one by now, as the URL was parsed.
        if let Some(address) = literal(host) {
            trust.check(address, &self.allowed)?;
        }
        let client = if trust == self.trust {
            &self.own
        } else {
            &self.person
        };
        Ok(client.request(method, url.clone()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

/// TLS that trusts whom the machine trusts.
///
/// Errors: the machine has no roots of trust.
pub fn default_tls() -> Result<ClientConfig, Error> {
    let failed = |error: rustls::Error| Error::Failed(format!("no TLS is possible: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(failed)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// The address that a host is; none if it is a name.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Where an answer leads; none if it leads nowhere.
fn redirection(from: &Url, response: &Response) -> Option<Url> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    from.join(location.to_str().ok()?).ok()
}

async fn within<T>(
    limits: &Limits,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let ended = tokio::time::timeout(limits.within, work).await;
    ended.unwrap_or_else(|_| {
        let within = model::duration::format(limits.within);
        Err(Error::Failed(format!("no answer within {within}")))
    })
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Answer, Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Error::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}
