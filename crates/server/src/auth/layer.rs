//! The layer that every request passes: it learns who sends it, and lets it go on if they may.
//!
//! What the route asks for is looked up in the table of routes. What is in no row of it, an unknown path or a wrong method, needs credentials
//! too, so that nothing is learnt of what there is. A browser that wants a page is sent to the login instead of being refused.

use access::{AccessToken, Permission, Scope, Subject};
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::credentials::Credentials;
use super::settings::{AccessMode, AccessSettings};
use super::visitor::{EVERYTHING, Proof, Visitor, address};
use super::{cookie, passwords, sessions};
use crate::error::{ApiError, ErrorType};
use crate::router::{Needs, Requirements};
use crate::{Server, answer, guard, pages};

/// Bytes of the address to which a browser comes back after its login.
const NEXT_BYTES_MAX: usize = 2000;

/// What our own pages say of their requests; a page of another site cannot without being allowed to.
const OWN_PAGE: &str = "campanile";

/// Asks a person for a name and a password, and tells a program that it may send them.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static(r#"Basic realm="Campanile", charset="UTF-8""#);

/// Who it is, and what the answer has to tell their browser.
struct Known {
    visitor: Visitor,
    set_cookie: Option<HeaderValue>,
}

/// Why a request does not go on.
enum Refusal {
    /// Nobody knows who it is from.
    Unknown(ApiError),
    /// Anything else.
    Other(ApiError),
}

pub(crate) async fn authenticate(
    State((server, requirements)): State<(Server, Requirements)>,
    request: Request,
    next: Next,
) -> Response {
    let settings = server.access().settings();
    let (mut head, body) = request.into_parts();
    let needs = needs(&requirements, &settings, &head);
    let known = match (settings.mode, needs) {
        (AccessMode::Off, _) => Ok(Known::anybody(Visitor::anybody(
            Subject::Anybody,
            EVERYTHING,
            &head.extensions,
        ))),
        (AccessMode::On, Needs::Nothing) => {
            Ok(Known::anybody(Visitor::unknown(address(&head.extensions))))
        }
        (AccessMode::On, needs) => admit(&server, &settings, needs, &head).await,
    };
    match known {
        Ok(known) => {
            head.extensions.insert(known.visitor);
            let request = Request::from_parts(head, body);
            let mut response = next.run(request).await;
            // A handler that sets it itself knows better.
            let headers = response.headers_mut();
            if let Some(cookie) = known.set_cookie
                && !headers.contains_key(header::SET_COOKIE)
            {
                headers.insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(Refusal::Unknown(error)) => unknown(&head, error),
        Err(Refusal::Other(error)) => error.into_response(),
    }
}

/// What the route of a request asks for.
fn needs(requirements: &Requirements, settings: &AccessSettings, request: &Parts) -> Needs {
    let Some(path) = request.extensions.get::<MatchedPath>() else {
        // The icon of the login page, and its like.
        let is_file = pages::is_beside_the_page(request.uri.path());
        return if is_file {
            Needs::Nothing
        } else {
            Needs::Anyone
        };
    };
    if path.as_str() == "/metrics" && settings.metrics_open {
        return Needs::Nothing;
    }
    requirements.of(path.as_str(), &request.method)
}

/// Who sends a request, if they may.
async fn admit(
    server: &Server,
    settings: &AccessSettings,
    needs: Needs,
    request: &Parts,
) -> Result<Known, Refusal> {
    let known = who(server, settings, request).await?;
    let principal = &known.visitor.principal;
    if let Needs::Permission(permission) = needs
        && !principal.may(permission)
    {
        return Err(Refusal::Other(forbidden(permission, &known.visitor)));
    }
    if matches!(known.visitor.proof, Proof::Session { .. }) {
        require_own_page(server, request).map_err(Refusal::Other)?;
    }
    Ok(known)
}

async fn who(
    server: &Server,
    settings: &AccessSettings,
    request: &Parts,
) -> Result<Known, Refusal> {
    let address = address(&request.extensions);
    let unauthorized =
        |message: &str| Refusal::Unknown(ApiError::new(ErrorType::Unauthorized, message));
    let credentials = Credentials::read(&request.headers).map_err(unauthorized)?;
    let access = server.access();
    let known = access.known();
    // Nobody is known yet, which is not their fault.
    if credentials.is_some() && !known.is_read {
        let message = "users and tokens cannot be read yet: try again later";
        return Err(Refusal::Other(ApiError::unavailable(message)));
    }
    let now = server.clock().now();
    let of_user = |user: &access::User, proof: Proof| Visitor {
        principal: known.principal(user),
        address,
        proof,
    };
    let mut set_cookie = None;
    match credentials {
        Some(Credentials::Token(text)) => {
            let token = known.directory.token_of(&text, now);
            let token = token.ok_or_else(|| {
                unauthorized("the token is worth nothing: it has expired, or it was revoked")
            })?;
            let subject = Subject::Token {
                id: token.id.clone(),
                name: token.name.clone(),
            };
            let proof = Proof::Token {
                id: token.id.clone(),
            };
            return Ok(Known::anybody(Visitor {
                principal: access::Principal {
                    subject,
                    scope: token.scope,
                },
                address,
                proof,
            }));
        }
        Some(Credentials::Bearer(text)) => {
            let policy = settings.token_policy();
            let token = AccessToken::verify(&text, &known.directory, now, policy);
            let token = token.map_err(|error| unauthorized(&error.to_string()))?;
            let user = known.directory.user_of_epoch(&token.user, token.epoch);
            let user = user.ok_or_else(|| {
                unauthorized("the access token is worth nothing any more: log in again")
            })?;
            let proof = Proof::User {
                name: user.name.clone(),
                epoch: user.epoch,
                until: Some(token.expires),
            };
            return Ok(Known::anybody(of_user(user, proof)));
        }
        Some(Credentials::Password { username, password }) => {
            let user = passwords::verify(server, &username, &password, address, true).await;
            let user = user.map_err(|error| match error.is(ErrorType::Unauthorized) {
                true => Refusal::Unknown(error),
                false => Refusal::Other(error),
            })?;
            let proof = Proof::User {
                name: user.name.clone(),
                epoch: user.epoch,
                until: None,
            };
            return Ok(Known::anybody(of_user(&user, proof)));
        }
        Some(Credentials::Session(shown)) => {
            let extensions = &request.extensions;
            if let Some((user, is_extended)) = sessions::of_cookie(server, &shown).await {
                let set = || cookie::enter(server, extensions, &shown.text());
                let proof = Proof::Session {
                    name: user.name.clone(),
                    epoch: user.epoch,
                    id: shown.id.clone(),
                };
                return Ok(Known {
                    visitor: of_user(&user, proof),
                    set_cookie: is_extended.then(set),
                });
            }
            // A browser keeps its cookie although the session is over: that is as if it had none.
            set_cookie = Some(cookie::leave(server, extensions));
        }
        None => {}
    }
    let role = settings.anonymous.ok_or_else(|| {
        unauthorized("credentials are needed: a user's name and password, a token, or a login")
    })?;
    let (subject, scope) = (Subject::Anonymous, Scope::Role(role));
    Ok(Known {
        visitor: Visitor::anybody(subject, scope, &request.extensions),
        set_cookie,
    })
}

/// A browser sends its cookie whoever makes it send: what writes, or follows the live feed, must come from our own page.
fn require_own_page(server: &Server, request: &Parts) -> Result<(), ApiError> {
    let headers = &request.headers;
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    let upgrades = headers.contains_key(header::UPGRADE);
    if reads && !upgrades {
        return Ok(());
    }
    guard::require_same_origin(server, headers, "use the login")?;
    // A WebSocket's handshake cannot have a header of ours, and always has its origin.
    let is_own = headers.contains_key(header::ORIGIN) || (!upgrades && is_of_own_page(headers));
    if is_own {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorType::Forbidden,
        "a request with the cookie of a login needs an Origin header of this site, or X-Requested-With: campanile",
    ))
}

fn is_of_own_page(headers: &HeaderMap) -> bool {
    let with = headers.get("x-requested-with");
    with.is_some_and(|with| with == OWN_PAGE)
}

fn forbidden(permission: Permission, visitor: &Visitor) -> ApiError {
    let what = match visitor.principal.subject {
        Subject::Token { .. } => "token",
        Subject::User(_) => "role",
        Subject::Anonymous | Subject::Anybody | Subject::CommandLine => "visitor without a login",
    };
    let (permission, scope) = (permission.name(), visitor.principal.scope);
    let message = format!(
        "this needs the permission {permission:?}, which a {what} of {:?} has not",
        scope.name()
    );
    ApiError::new(ErrorType::Forbidden, message)
}

/// The answer to whom nobody knows: a browser goes to the login, a program is told what it may send.
fn unknown(request: &Parts, error: ApiError) -> Response {
    let headers = &request.headers;
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    if reads && wants_page(headers) && !headers.contains_key(header::AUTHORIZATION) {
        return to_login(request);
    }
    let mut response = error.into_response();
    // A browser would ask for a password in a window of its own, over our page.
    if !is_of_own_page(headers) {
        let set = response.headers_mut();
        set.insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn to_login(request: &Parts) -> Response {
    let uri = &request.uri;
    let mut target = up(uri.path());
    target.push_str("login");
    let next = uri.path_and_query().map_or("", |next| next.as_str());
    if next != "/" && is_own_address(next) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("next", next);
        target.push('?');
        target.push_str(&query.finish());
    }
    see_other(&target)
}

/// The way from a path up to the root, relative, so that it holds below a path of a proxy too.
pub(crate) fn up(path: &str) -> String {
    let levels = path.matches('/').count().saturating_sub(1);
    match levels {
        0 => "./".to_owned(),
        levels => "../".repeat(levels),
    }
}

/// Whether a text is an address of ours to which a browser may be sent: a path, and nothing that a browser takes for a host.
pub(crate) fn is_own_address(text: &str) -> bool {
    let second = text.as_bytes().get(1);
    text.starts_with('/')
        && !matches!(second, Some(b'/' | b'\\'))
        && text.len() <= NEXT_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// Sends a browser elsewhere, with a GET.
pub(crate) fn see_other(target: &str) -> Response {
    let mut response = answer::text(StatusCode::SEE_OTHER, "");
    let headers = response.headers_mut();
    // What cannot stand in a header was checked before; the root is a way out of any mistake.
    let target = HeaderValue::try_from(target).unwrap_or(HeaderValue::from_static("/"));
    headers.insert(header::LOCATION, target);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Known {
    fn anybody(visitor: Visitor) -> Self {
        Self {
            visitor,
            set_cookie: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_paths_are_addresses_to_come_back_to() {
        for (text, is_own) in [
            ("/", true),
            ("/monitors?x=%0d%0a&y=//evil.example", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("/a\\b", false),
            ("https://evil.example/", false),
            ("javascript:alert(1)", false),
            ("monitors", false),
            ("", false),
            ("/a\r\nset-cookie: x=1", false),
            ("/a b", false),
            ("/ü", false),
        ] {
            assert_eq!(is_own_address(text), is_own, "{text:?}");
        }
        assert!(!is_own_address(&format!("/{}", "a".repeat(2000))));
    }

    #[test]
    fn the_way_up_fits_each_depth() {
        for (path, way) in [
            ("/", "./"),
            ("/a", "./"),
            ("/a/", "../"),
            ("/a/b/c", "../../"),
        ] {
            assert_eq!(up(path), way, "{path}");
        }
    }
}
