//! `/auth/oidc`: coming in by an OpenID provider, with the authorization code flow and PKCE (RFC 7636, S256).
//!
//! 1. The browser comes to `/auth/oidc`. We remember a state, a nonce and a verifier, give the browser a cookie that belongs to them, and send
//!    it to the provider.
//! 2. The provider sends it back to `/auth/oidc/callback` with the state and a code. The state must be one that we remember and that belongs to
//!    this browser's cookie; it is forgotten at once.
//! 3. We show the provider the code and the verifier, and get a token that says who it is (`access::IdToken`).
//! 4. Whoever it is has an account by the identity `ISSUER#SUBJECT`, never by a name or an address, which others might take; at the first time it
//!    is made.

mod account;
mod flows;
mod provider;

use std::time::Duration;

use access::{IdToken, SecretHash, SessionKind, User, random_secret};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::settings::OidcSettings;
use super::visitor::Visitor;
use super::{cookie, layer, login, page, sessions};
use crate::Server;
use crate::error::ApiError;
use crate::parameters::Parameters;
use flows::Flow;
pub(super) use flows::Flows;
pub(super) use provider::ProviderCache;

/// The cookie that says which browser has begun a login.
const COOKIE: &str = "campanile_oidc";

/// Where the cookie is sent, below our own path.
const BELOW: &str = "auth/oidc";

/// Why nobody has come in, for a person.
struct Failure {
    status: StatusCode,
    message: String,
}

/// `GET /auth/oidc?next=`
pub(crate) async fn start(State(server): State<Server>, request: Request) -> Response {
    let (extensions, headers) = (request.extensions().clone(), request.headers().clone());
    match begin(&server, &extensions, &headers, request).await {
        Ok((target, browser)) => {
            let mut response = layer::see_other(&target);
            let keep = flows::GOOD_FOR;
            let set = cookie::set(&server, &extensions, COOKIE, &browser, keep, BELOW);
            response.headers_mut().insert(header::SET_COOKIE, set);
            response
        }
        Err(failure) => failure.page(&server, "../"),
    }
}

/// `GET /auth/oidc/callback`
pub(crate) async fn callback(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let extensions = request.extensions().clone();
    let browser = cookie::value(request.headers(), COOKIE).unwrap_or_default();
    match finish(&server, visitor, &browser, request).await {
        Ok((session, next)) => {
            let mut response = layer::see_other(&format!("../..{next}"));
            let set = [
                cookie::enter(&server, &extensions, &session),
                cookie::set(&server, &extensions, COOKIE, "", Duration::ZERO, BELOW),
            ];
            for cookie in set {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(failure) => failure.page(&server, "../../"),
    }
}

/// Where the browser goes, and what it keeps.
async fn begin(
    server: &Server,
    extensions: &Extensions,
    headers: &HeaderMap,
    request: Request,
) -> Result<(String, String), Failure> {
    let settings = settings(server)?;
    let parameters = Parameters::read(server, request).await?;
    let next = parameters.get("next").unwrap_or("/");
    let next = if layer::is_own_address(next) {
        next
    } else {
        "/"
    };
    let description = provider::description(server, &settings).await?;
    let (state, browser) = (random_secret(), random_secret());
    let flow = Flow {
        browser: SecretHash::of(&browser),
        nonce: random_secret(),
        verifier: random_secret(),
        redirect: redirect(server, extensions, headers)?,
        next: next.to_owned(),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", &flow.redirect)
        .append_pair("scope", &scopes(&settings))
        .append_pair("state", &state)
        .append_pair("nonce", &flow.nonce)
        .append_pair("code_challenge", &flow.challenge())
        .append_pair("code_challenge_method", "S256");
    let endpoint = &description.authorization_endpoint;
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    let target = format!("{endpoint}{separator}{}", query.finish());
    let now = server.clock().monotonic();
    server.access().flows.put(&state, flow, now);
    Ok((target, browser))
}

/// The session of whom the provider has sent back, and where they wanted to go.
async fn finish(
    server: &Server,
    visitor: Visitor,
    browser: &str,
    request: Request,
) -> Result<(String, String), Failure> {
    let settings = settings(server)?;
    let parameters = Parameters::read(server, request).await?;
    let now = server.clock().monotonic();
    let state = parameters.get("state").unwrap_or("");
    let flow = server.access().flows.take(state, now);
    let flow = flow.filter(|flow| flow.browser.is_of(browser));
    let flow = flow.ok_or_else(|| {
        Failure::refused(
            "This login was not begun here, was finished before, or took longer than ten minutes: begin again.",
        )
    })?;
    let foreign = parameters
        .get("iss")
        .is_some_and(|iss| iss != settings.issuer);
    if foreign {
        return Err(Failure::refused(
            "Another provider has answered than the one that was asked.",
        ));
    }
    if let Some(error) = parameters.get("error") {
        let shown: String = error.chars().take(100).collect();
        tracing::info!(error = %shown.escape_debug(), "the OpenID provider refused a login");
        return Err(Failure::refused(&format!(
            "{} does not let you in: {shown}.",
            settings.name
        )));
    }
    let code = parameters.get("code");
    let code = code.ok_or_else(|| Failure::refused("The provider has answered without a code."))?;
    let token = provider::exchange(server, &settings, &flow, code).await?;
    let user = admit(server, &settings, &token, visitor.clone()).await?;
    let session = sessions::begin(server, &user, SessionKind::Cookie).await?;
    login::logged_in(server, &user, visitor.address, "oidc").await;
    Ok((session.text(), flow.next))
}

/// The account of whom the provider has spoken.
async fn admit(
    server: &Server,
    settings: &OidcSettings,
    token: &IdToken,
    visitor: Visitor,
) -> Result<User, Failure> {
    let now = server.clock().now();
    let admitted = server.change_access(&visitor, |known| {
        account::admit(&known.directory, settings, token, now)
    });
    let user = admitted.await?;
    if user.is_disabled {
        tracing::warn!(user = %user.name, "a disabled user came from the OpenID provider");
        return Err(Failure::refused(
            "Your account is disabled. Ask whoever administers this server.",
        ));
    }
    Ok(user)
}

fn settings(server: &Server) -> Result<OidcSettings, Failure> {
    let settings = server.access().settings();
    settings.oidc.clone().ok_or_else(|| Failure {
        status: StatusCode::NOT_FOUND,
        message: "This server knows no OpenID provider.".to_owned(),
    })
}

/// What is asked for, `openid` first.
fn scopes(settings: &OidcSettings) -> String {
    let mut scopes = vec!["openid"];
    let others = settings.scopes.iter().map(String::as_str);
    scopes.extend(others.filter(|scope| *scope != "openid"));
    scopes.join(" ")
}

/// Where the provider sends the browser back to; it takes only what it knows.
fn redirect(
    server: &Server,
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<String, Failure> {
    let external = server.external_url();
    let origin = match external.origin() {
        Some(origin) => origin.to_owned(),
        None => {
            let host = headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok());
            let host = host.ok_or_else(|| Failure::refused("The request names no host."))?;
            let scheme = if cookie::is_https(extensions) {
                "https"
            } else {
                "http"
            };
            format!("{scheme}://{host}")
        }
    };
    Ok(format!("{origin}{}{BELOW}/callback", external.path()))
}

impl Failure {
    fn refused(message: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            message: message.to_owned(),
        }
    }

    /// The provider is to blame, or the way to it; the log knows more.
    fn provider(reason: &str) -> Self {
        tracing::warn!(reason, "a login by the OpenID provider failed");
        Self {
            status: StatusCode::BAD_GATEWAY,
            message: "The OpenID provider cannot be used now; the log of this server says why."
                .to_owned(),
        }
    }

    fn page(&self, server: &Server, root: &str) -> Response {
        let mut response = page::failed(self.status, &self.message, root);
        if server.access().settings().oidc.is_none() {
            return response;
        }
        let seconds = HeaderValue::from_static("5");
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self {
            status: error.status(),
            message: error.message().to_owned(),
        }
    }
}
