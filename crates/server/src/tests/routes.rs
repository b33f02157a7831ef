//! What every answer has in common, and what fits no route.

use axum::body::Body;
use axum::http::{Method, Request};
use expect_test::expect;

use super::Bench;

#[tokio::test]
async fn an_unknown_route_is_an_error_in_the_usual_form() {
    let answer = Bench::new().get("/api/v1/nothing?secret=1").await;
    expect![[r#"404 {"status":"error","errorType":"not_found","error":"no route \"/api/v1/nothing\": /docs lists the routes"}"#]].assert_eq(&answer.shown());
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let bench = Bench::new();
    for (method, path, allow) in [
        (Method::DELETE, "/api/v1/query", "GET,HEAD,POST"),
        (Method::GET, "/api/v1/write", "POST"),
        (Method::GET, "/-/reload", "POST,PUT"),
        (Method::POST, "/health", "GET,HEAD"),
        (Method::OPTIONS, "/metrics", "GET,HEAD"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), allow, "{path}");
        assert!(
            answer.shown().contains(r#""errorType":"bad_data""#),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_links_of_the_page_lead_to_what_they_name() {
    let page = Bench::new().get("/docs").await;
    let mut links = page.text().split("<a href=\"").skip(1);
    let mut paths = Vec::new();
    while let Some((target, rest)) = links.next().and_then(|link| link.split_once("\">")) {
        let text = rest.split('<').next().unwrap();
        if text.starts_with('/') {
            // The page has one level, as the browser reads it.
            assert_eq!(target, format!(".{text}"));
            paths.push(text);
        }
    }
    for path in ["/", "/docs", "/metrics", "/api/v1/alerts"] {
        assert!(paths.contains(&path), "{path}");
    }
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let request = Request::head("/health").body(Body::empty()).unwrap();
    let answer = Bench::new().send(request).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_takes_it() {
    let bench = Bench::new();
    let plain = bench.get("/api/v1/features").await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.header("vary"), "accept-encoding");
    let request = Request::get("/api/v1/features").header("accept-encoding", "gzip");
    let packed = bench.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(
        packed.header("content-length"),
        packed.body.len().to_string()
    );
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(packed.body.as_slice());
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let request = Request::get("/health").header("accept-encoding", "gzip");
    let short = bench.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(short.header("content-encoding"), "");
}

#[tokio::test]
async fn a_reload_answers_with_the_reason_of_a_refusal() {
    let bench = Bench::new();
    for method in [Method::POST, Method::PUT] {
        let request = Request::builder().method(method).uri("/-/reload");
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.shown(), "200 Configuration reloaded.\n");
    }
    bench.behind.lock().unwrap().reload = Err("line 3, column 1: unknown key \"foo\"".to_owned());
    let request = Request::post("/-/reload").body(Body::empty()).unwrap();
    expect![[r#"500 {"status":"error","errorType":"internal","error":"configuration not changed: line 3, column 1: unknown key \"foo\""}"#]].assert_eq(&bench.send(request).await.shown());
}
