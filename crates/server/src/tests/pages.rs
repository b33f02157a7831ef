//! The web pages as a browser gets them.

use std::io::Read as _;

use axum::body::Body;
use axum::http::Request;

use super::{Answer, Bench};

async fn get(bench: &Bench, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.send(request.body(Body::empty()).unwrap()).await
}

/// The addresses of files that the document names.
fn files(document: &str) -> Vec<String> {
    let is_file = |part: &&str| part.starts_with("./") && part[2..].contains('.');
    let addresses = document.split('"').filter(is_file);
    addresses.map(|address| address[1..].to_owned()).collect()
}

#[tokio::test]
async fn each_page_is_the_same_document_which_runs_nothing_foreign() {
    let bench = Bench::new();
    let home = get(&bench, "/", &[]).await;
    assert_eq!(home.status, 200);
    assert_eq!(home.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(home.header("cache-control"), "no-cache");
    let policy = home.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
    ] {
        assert!(policy.contains(&format!("{part};")), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let by_its_name = ["/index.html"];
    for path in crate::pages::PATHS.into_iter().chain(by_its_name) {
        let answer = get(&bench, path, &[]).await;
        assert_eq!(answer.body, home.body, "{path}");
        for name in ["content-security-policy", "referrer-policy"] {
            assert_eq!(answer.header(name), home.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn every_file_that_the_document_names_is_there_and_kept_for_ever() {
    let bench = Bench::new();
    let home = get(&bench, "/", &[]).await;
    let files = files(home.text());
    assert!(files.iter().any(|file| file.ends_with(".js")), "{files:?}");
    for path in files {
        let answer = get(&bench, &path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        let kind = match path.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "webmanifest" => "application/json",
            other => panic!("{other}"),
        };
        assert_eq!(answer.header("content-type"), kind, "{path}");
        let for_ever = answer.header("cache-control").contains("immutable");
        assert_eq!(for_ever, path.starts_with("/assets/"), "{path}");
    }
}

#[tokio::test]
async fn a_file_comes_in_the_form_that_the_browser_takes() {
    let bench = Bench::new();
    let home = get(&bench, "/", &[]).await;
    // Tiny files come as they are.
    let sheet = files(home.text())
        .into_iter()
        .find(|file| file.starts_with("/assets/") && file.ends_with(".css"))
        .unwrap();
    let plain = get(&bench, &sheet, &[]).await;
    assert_eq!(plain.header("content-encoding"), "");
    let small = get(&bench, &sheet, &[("accept-encoding", "gzip, deflate, br")]).await;
    assert_eq!(small.header("content-encoding"), "br");
    assert!(small.body.len() < plain.body.len());
    let packed = get(&bench, &sheet, &[("accept-encoding", "gzip, br;q=0")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("vary"), "accept-encoding");
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(packed.body.as_slice());
    decoder.read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    assert_ne!(packed.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let bench = Bench::new();
    let first = get(&bench, "/", &[]).await;
    let tag = first.header("etag").to_owned();
    let again = get(&bench, "/", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.text()), (304, ""));
    assert_eq!(again.header("etag"), tag);
    let other = get(&bench, "/", &[("if-none-match", "\"0\"")]).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_person_on_a_wrong_path_gets_a_page_and_a_program_an_error() {
    let bench = Bench::new();
    let page = get(&bench, "/montiors", &[("accept", "text/html,*/*")]).await;
    assert_eq!(page.status, 404);
    assert!(page.text().contains("<html"));
    assert_eq!(page.header("etag"), "");
    let tag = get(&bench, "/", &[]).await.header("etag").to_owned();
    let headers = [("accept", "text/html"), ("if-none-match", &*tag)];
    let again = get(&bench, "/montiors", &headers).await;
    assert_eq!((again.status, &again.body), (page.status, &page.body));
    for path in [
        "/montiors",
        "/assets/nothing.js",
        "/assets/..%2findex.html",
        "/..%2fpackage.json",
    ] {
        let answer = get(&bench, path, &[("accept", "*/*")]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("not_found"), "{path}");
    }
    let nested = get(&bench, "/a/b", &[("accept", "text/html")]).await;
    assert!(nested.text().contains("not_found"));
}

#[tokio::test]
async fn the_link_of_an_alert_leads_to_the_page_of_its_expression() {
    let bench = Bench::new();
    for (asked, target) in [
        (
            "/graph?g0.expr=vector%281%29+%3E+0&g0.tab=1",
            "explore?query=vector%281%29+%3E+0&tab=table",
        ),
        (
            "/graph?g0.expr=up&g0.tab=0&g0.range_input=2h",
            "explore?query=up&range=2h",
        ),
    ] {
        let answer = bench.get(asked).await;
        assert_eq!(answer.status, 302);
        assert_eq!(answer.header("location"), target);
        assert_eq!(bench.get(&format!("/{target}")).await.status, 200);
    }
    assert_eq!(bench.get("/graph").await.status, 400);
}
