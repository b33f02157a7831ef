//! The web pages: one document for all of them, and the files that it needs, built from `web/` and embedded.
//!
//! The page paths have one level, so that the document's relative addresses hold for all of them, also behind a path of a
//! proxy. Files in `assets/` bear a hash of their content in their names and may be kept for ever; the document is asked
//! for anew each time, which its tag makes cheap. Beside a file lie its compressed forms, made once when it was built.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::compression::accepts;
use crate::error::{ApiError, ErrorType};
use crate::parameters::{Parameters, path_name};
use crate::{Server, answer};

/// Where the document answers those who may see something; `/login` is for the others.
pub(crate) const PATHS: [&str; 11] = [
    "/",
    "/monitors",
    "/monitor",
    "/alerts",
    "/notifications",
    "/explore",
    "/password",
    "/users",
    "/teams",
    "/tokens",
    "/audit",
];

const DOCUMENT: &str = "index.html";

/// Only our own files, no script or style within the document, no frame around it.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// What the build of `web/` made; a debug build reads it from the disk at each request.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Files;

/// How long a browser may keep a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Its name changes with its content.
    ForEver,
    /// It asks each time whether it has changed.
    UntilChanged,
}

/// The document, for each page.
pub(crate) async fn page(request: Request) -> Result<Response, ApiError> {
    document(request.headers())
}

/// `GET /assets/{name}`
pub(crate) async fn asset(
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = path_name(name)?;
    let path = format!("assets/{name}");
    // An escaped slash would lead out of the folder.
    let file = (!name.contains('/')).then(|| send(&path, &headers, Keep::ForEver));
    file.flatten().ok_or_else(|| {
        let message = format!("no file {path:?}: the page is of another version, load it again");
        ApiError::new(ErrorType::NotFound, message)
    })
}

/// Whether a path is that of a file that lies beside the document, and shows nothing but what everybody has who has the program.
pub(crate) fn is_beside_the_page(path: &str) -> bool {
    let name = path.strip_prefix('/').unwrap_or("");
    let is_file = !name.contains('/') && content_type(name).is_some();
    is_file && name != DOCUMENT && Files::get(name).is_some()
}

/// What fits no route but lies beside the document, such as its icon; and the document itself, which says that there is no
/// such page, for a person who has mistyped a path of one level.
pub(crate) fn beside_the_page(request: &Request) -> Option<Response> {
    let name = request.uri().path().strip_prefix('/')?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || name.contains('/') {
        return None;
    }
    if name == DOCUMENT {
        return document(request.headers()).ok();
    }
    if let Some(file) = send(name, request.headers(), Keep::UntilChanged) {
        return Some(file);
    }
    let accepted = request.headers().get(header::ACCEPT)?.to_str().ok()?;
    if !accepted.contains("text/html") {
        return None;
    }
    // What a browser has of another path says nothing of this one: it gets all of it, and no tag to ask with again.
    let mut headers = request.headers().clone();
    headers.remove(header::IF_NONE_MATCH);
    let mut document = document(&headers).ok()?;
    *document.status_mut() = StatusCode::NOT_FOUND;
    document.headers_mut().remove(header::ETAG);
    Some(document)
}

/// `GET /graph?g0.expr=…`: where Prometheus has its page for an expression, and where links of alerts therefore lead.
pub(crate) async fn graph(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("query", parameters.required("g0.expr")?);
    if let Some(range) = parameters.get("g0.range_input") {
        query.append_pair("range", range);
    }
    if parameters.get("g0.tab") == Some("1") {
        query.append_pair("tab", "table");
    }
    // Relative, so that it holds below a path of a proxy too.
    let target = HeaderValue::try_from(format!("explore?{}", query.finish()))
        .map_err(|error| ApiError::parameter("g0.expr", error))?;
    let mut response = answer::text(StatusCode::FOUND, "");
    response.headers_mut().insert(header::LOCATION, target);
    Ok(response)
}

fn document(headers: &HeaderMap) -> Result<Response, ApiError> {
    let mut response = send(DOCUMENT, headers, Keep::UntilChanged)
        .ok_or_else(|| ApiError::internal("this program was built without its web pages"))?;
    let set = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in set {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// A file in the smallest form that the client takes; none if there is no such file.
fn send(path: &str, headers: &HeaderMap, keep: Keep) -> Option<Response> {
    let kind = content_type(path)?;
    let plain = Files::get(path)?;
    let (encoding, file) = packed(path, headers).unwrap_or(("", plain));
    let tag = tag(&file);
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let mut response = match is_known {
        true => answer::typed(StatusCode::NOT_MODIFIED, kind, Body::empty()),
        false => {
            let body = match file.data {
                Cow::Borrowed(bytes) => Body::from(bytes),
                Cow::Owned(bytes) => Body::from(bytes),
            };
            answer::typed(StatusCode::OK, kind, body)
        }
    };
    let set = response.headers_mut();
    if !encoding.is_empty() {
        set.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let keep = match keep {
        Keep::ForEver => "public, max-age=31536000, immutable",
        Keep::UntilChanged => "no-cache",
    };
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    let tag = HeaderValue::try_from(tag).expect("invariant: a tag is of hexadecimal digits");
    set.insert(header::ETAG, tag);
    Some(response)
}

/// A compressed form that the client takes, and its name in the header.
fn packed(path: &str, headers: &HeaderMap) -> Option<(&'static str, EmbeddedFile)> {
    let forms = [("br", "br"), ("gzip", "gz")];
    let mut accepted = forms
        .into_iter()
        .filter(|(coding, _)| accepts(headers, coding));
    accepted.find_map(|(coding, ending)| Some((coding, Files::get(&format!("{path}.{ending}"))?)))
}

fn tag(file: &EmbeddedFile) -> String {
    let mut tag = String::from("\"");
    for byte in &file.metadata.sha256_hash()[..8] {
        write!(tag, "{byte:02x}").expect("invariant: a string takes everything");
    }
    tag.push('"');
    tag
}

/// The type that an ending means; none for what is not to be sent by that name.
fn content_type(path: &str) -> Option<HeaderValue> {
    let kind = match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    };
    Some(HeaderValue::from_static(kind))
}
