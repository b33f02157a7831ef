//! A page for a person whose login has failed on its way: what is wrong, and where to go.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::{answer, docs};

/// A page that says `message`, with a link to the login; `root` is the way up to our root, such as `../../`.
pub(crate) fn failed(status: StatusCode, message: &str, root: &str) -> Response {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Campanile</title>\n<h1>You are not logged in</h1>\n<p>",
    );
    docs::push_escaped(&mut page, message);
    page.push_str("\n<p><a href=\"");
    page.push_str(root);
    page.push_str("login\">To the login</a>\n</html>\n");
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = answer::typed(status, kind, page);
    let headers = response.headers_mut();
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
