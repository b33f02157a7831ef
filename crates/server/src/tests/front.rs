//! What every request passes and every answer gets: where it comes from, the path of the external URL, pages of other
//! sites, and the headers that keep browsers in bounds.

use axum::body::Body;
use axum::http::{Method, Request};

use super::{Answer, Bench};
use crate::origin::Peer;
use crate::{Config, TrustedProxies};

/// Asks as a proxy or a client at an address does.
async fn ask(bench: &Bench, peer: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer = Peer {
        address: peer.parse().ok(),
        is_tls: false,
    };
    let request = request.extension(peer).body(Body::empty()).unwrap();
    bench.send(request).await
}

fn behind(proxy: &str) -> TrustedProxies {
    TrustedProxies {
        networks: vec![proxy.parse().unwrap()],
        forwarded: false,
    }
}

#[tokio::test]
async fn a_running_query_shows_the_client_and_not_what_it_forges() {
    for (peer, shown) in [("10.0.0.1", "198.51.100.7"), ("192.0.2.9", "192.0.2.9")] {
        let bench = Bench::new();
        bench.server.set_trusted_proxies(behind("10.0.0.0/8"));
        bench.store.hold();
        let headers = [("x-forwarded-for", "1.1.1.1, 198.51.100.7")];
        let query = ask(&bench, peer, "/api/v1/query?query=up", &headers);
        let look = async {
            super::socket::until(|| bench.store.holds()).await;
            let list = bench.get("/api/v1/status/active_queries").await;
            bench.store.release();
            list.text().to_owned()
        };
        let (_, list) = tokio::join!(query, look);
        assert!(list.contains(&format!("\"{shown}\"")), "{peer} {list}");
    }
}

#[tokio::test]
async fn the_host_is_the_clients_only_if_a_trusted_proxy_says_so() {
    let bench = Bench::with(Config {
        hosts: vec!["watch.example.org".to_owned()],
        ..Config::default()
    });
    bench.server.set_trusted_proxies(behind("10.0.0.1"));
    let headers = [
        ("host", "127.0.0.1:9595"),
        ("x-forwarded-host", "watch.example.org"),
    ];
    assert_eq!(
        ask(&bench, "10.0.0.1", "/metrics", &headers).await.status,
        200
    );
    assert_eq!(
        ask(&bench, "10.0.0.2", "/metrics", &headers).await.status,
        421
    );
}

#[tokio::test]
async fn all_routes_answer_below_the_path_of_the_external_url_and_at_the_root() {
    let bench = Bench::new();
    bench
        .server
        .set_external_url("https://watch.example.org/campanile/");
    for path in [
        "/",
        "/monitors",
        "/docs",
        "/metrics",
        "/api/v1/labels?match[]=up",
        "/health",
    ] {
        let below = bench.get(&format!("/campanile{path}")).await;
        let root = bench.get(path).await;
        assert_eq!(below.status, 200, "{path}");
        assert_eq!(below.header("content-type"), root.header("content-type"));
    }
    for probe in ["/-/healthy", "/-/ready", "/health/live", "/health/ready"] {
        assert_eq!(bench.get(probe).await.status, 200, "{probe}");
    }
    let bare = bench.get("/campanile?x=1").await;
    assert_eq!(bare.status, 308);
    assert_eq!(bare.header("location"), "/campanile/?x=1");
    for path in [
        "/campanilex/metrics",
        "/campanile//metrics",
        "/campanile/campanile/metrics",
    ] {
        assert_eq!(bench.get(path).await.status, 404, "{path}");
    }
    let counted = r#"campanile_http_requests_total{method="GET",route="/monitors",status="200"} 2"#;
    assert!(bench.get("/metrics").await.text().contains(counted));
    bench.server.set_external_url("https://watch.example.org/");
    assert_eq!(bench.get("/campanile/metrics").await.status, 404);
}

#[tokio::test]
async fn every_answer_has_the_headers_of_security() {
    // Whoever is not let in gets them too.
    for bench in [Bench::new(), Bench::asking(Config::default())] {
        bench.server.load_access().await.unwrap();
        let routes = crate::router::routes().into_iter().flat_map(|route| {
            let verbs = route.verbs.iter();
            verbs.map(move |verb| (verb.method().to_string(), route.path))
        });
        let others = [
            ("GET", "/nothing"),
            ("TRACE", "/metrics"),
            ("DELETE", "/api/v1/query"),
            ("GET", "/favicon.svg"),
            ("GET", "/assets/nothing.js"),
            ("HEAD", "/"),
        ];
        let others = others.map(|(method, path)| (method.to_owned(), path));
        for (method, path) in routes.chain(others) {
            let path = path.replace("{name}", "up").replace("{id}", "1");
            let path = path.replace("{secret}", "x");
            let request = Request::builder().method(&*method).uri(&path);
            let answer = bench.send(request.body(Body::empty()).unwrap()).await;
            check_headers(&format!("{method} {path}"), &path, &answer);
        }
    }
}

fn check_headers(asked: &str, path: &str, answer: &Answer) {
    for (name, part) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'none'"),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("permissions-policy", "camera=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        let value = answer.header(name);
        assert!(value.contains(part), "{asked} {name}: {value}");
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{asked}");
    }
    // The secret of a first link is told to nobody, not even to us.
    let referrer = answer.header("referrer-policy");
    assert!(
        ["same-origin", "no-referrer"].contains(&referrer),
        "{asked}: {referrer}"
    );
    let policy = answer.header("content-security-policy");
    let is_strict = !policy.contains("unsafe") && !policy.contains('*');
    assert!(is_strict, "{asked}: {policy}");
    let is_data = ["/api/", "/auth/", "/health", "/metrics"];
    if is_data.iter().any(|prefix| path.starts_with(prefix)) {
        assert_eq!(answer.header("cache-control"), "no-store", "{asked}");
    }
    assert_eq!(answer.header("strict-transport-security"), "", "{asked}");
    assert_eq!(answer.header("access-control-allow-origin"), "", "{asked}");
}

#[tokio::test]
async fn https_is_kept_only_where_it_is_spoken() {
    let bench = Bench::new();
    bench.server.set_trusted_proxies(behind("10.0.0.1"));
    let headers = [("x-forwarded-proto", "https")];
    let told = ask(&bench, "10.0.0.1", "/", &headers).await;
    let kept = told.header("strict-transport-security");
    assert_eq!(kept, "max-age=31536000");
    let forged = ask(&bench, "10.0.0.2", "/", &headers).await;
    assert_eq!(forged.header("strict-transport-security"), "");
}

async fn preflight(bench: &Bench, origin: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/query")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    bench.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_page_of_a_named_site_may_read_and_no_other() {
    let bench = Bench::new();
    let named = "https://grafana.example.org";
    bench.server.set_cors_origins(vec![named.parse().unwrap()]);
    let answer = preflight(&bench, named).await;
    assert!(answer.status.is_success());
    assert_eq!(answer.header("access-control-allow-origin"), named);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("POST")
    );
    let allowed = answer.header("access-control-allow-headers");
    assert!(
        allowed.to_lowercase().contains("authorization"),
        "{allowed}"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for foreign in [
        "https://evil.example",
        "http://grafana.example.org",
        "null",
        "https://grafana.example.org.evil.example",
    ] {
        let answer = preflight(&bench, foreign).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "",
            "{foreign}"
        );
    }
    for (origin, allowed) in [(named, named), ("https://evil.example", "")] {
        let answer = ask(&bench, "192.0.2.1", "/api/v1/labels", &[("origin", origin)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        let vary = answer.headers.get_all("vary");
        let varies = vary
            .iter()
            .any(|vary| vary.to_str().unwrap().contains("origin"));
        assert!(varies, "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_a_named_site_may_write_where_foreign_ones_may_not() {
    let bench = Bench::new();
    let named = "https://grafana.example.org";
    bench.server.set_cors_origins(vec![named.parse().unwrap()]);
    for (origin, status) in [(named, 200), ("https://evil.example", 403)] {
        let request = Request::post("/-/reload")
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site");
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{origin}");
        let request = Request::get("/ws/metrics").header("origin", origin);
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        // It is no upgrade, which is found out later.
        let status = if status == 200 { 400 } else { 403 };
        assert_eq!(answer.status, status, "{origin}");
    }
}
