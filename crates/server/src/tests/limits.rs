//! How often, how much and how long: what a stranger cannot exceed.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;

use super::{Answer, Bench};
use crate::origin::Peer;
use crate::{Config, RateLimits, TrustedProxies};

fn limits(login: &str, ingest: &str, query: &str) -> RateLimits {
    let rate = |text: &str| crate::Rate::parse(text).unwrap();
    RateLimits {
        login: rate(login),
        ingest: rate(ingest),
        query: rate(query),
    }
}

fn from(address: &str, method: &str, uri: &str) -> Request<Body> {
    let peer = Peer {
        address: address.parse::<IpAddr>().ok(),
        is_tls: false,
    };
    let request = Request::builder().method(method).uri(uri).extension(peer);
    request.body(Body::empty()).unwrap()
}

async fn query(bench: &Bench, address: &str) -> Answer {
    bench
        .send(from(address, "GET", "/api/v1/query?query=1"))
        .await
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let bench = Bench::new();
    bench.server.set_rate_limits(limits("0", "0", "2/m"));
    let first = query(&bench, "192.0.2.1").await;
    assert_eq!(first.status, 200);
    for (name, value) in [
        ("ratelimit-limit", "2"),
        ("ratelimit-remaining", "1"),
        ("ratelimit-reset", "30"),
        ("x-ratelimit-remaining", "1"),
    ] {
        assert_eq!(first.header(name), value, "{name}");
    }
    assert_eq!(query(&bench, "192.0.2.1").await.status, 200);
    let refused = query(&bench, "192.0.2.1").await;
    expect![[r#"429 {"status":"error","errorType":"too_many_requests","error":"more than 2/m of class query: try again in 30 s"}"#]]
        .assert_eq(&refused.shown());
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    // Somebody else, and another class, are not concerned.
    assert_eq!(query(&bench, "192.0.2.2").await.status, 200);
    let health = bench.send(from("192.0.2.1", "GET", "/health")).await;
    assert_eq!(
        (health.status.as_u16(), health.header("ratelimit-limit")),
        (200, "")
    );
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(query(&bench, "192.0.2.1").await.status, 200);
    let metrics = bench.get("/metrics").await;
    let counted = r#"campanile_http_rate_limited_total{class="query"} 1"#;
    assert!(metrics.text().contains(counted));
}

#[tokio::test]
async fn a_flood_of_logins_is_slowed_by_its_address_whatever_it_forges() {
    let bench = Bench::new();
    bench.server.set_rate_limits(RateLimits::default());
    let proxy = "10.0.0.1".parse().unwrap();
    bench.server.set_trusted_proxies(TrustedProxies {
        networks: vec![proxy],
        forwarded: false,
    });
    let login = async |peer: &str, forwarded: String| {
        let mut request = from(peer, "POST", "/auth/login");
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        bench.send(request).await.status.as_u16()
    };
    let mut refused = 0;
    for attempt in 0..20 {
        let status = login("192.0.2.1", format!("198.51.100.{attempt}")).await;
        refused += usize::from(status == 429);
    }
    assert_eq!(refused, 10);
    // Behind the proxy each client counts for itself.
    for attempt in 0..10 {
        assert_ne!(
            login("10.0.0.1", "198.51.100.1".to_owned()).await,
            429,
            "{attempt}"
        );
    }
    assert_eq!(
        login("10.0.0.1", "1.2.3.4, 198.51.100.1".to_owned()).await,
        429
    );
    assert_ne!(login("10.0.0.1", "198.51.100.2".to_owned()).await, 429);
}

#[tokio::test]
async fn by_default_only_logins_are_limited() {
    let bench = Bench::new();
    bench.server.set_rate_limits(RateLimits::default());
    for _ in 0..200 {
        let answer = query(&bench, "192.0.2.1").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("ratelimit-limit")),
            (200, "")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers_is_given_up() {
    let bench = Bench::with(Config {
        request_timeout: Duration::from_secs(1),
        ..Config::default()
    });
    bench.behind.lock().unwrap().journal = None;
    let answer = bench.get("/api/v1/notifications").await;
    expect![[r#"503 {"status":"error","errorType":"timeout","error":"the request was not answered within 1s"}"#]]
        .assert_eq(&answer.shown());
}

#[tokio::test]
async fn a_path_or_a_parameter_that_is_too_long_is_refused() {
    let bench = Bench::new();
    let answer = bench.get(&format!("/{}", "x".repeat(9000))).await;
    assert_eq!(answer.status, 414);
    let body = format!("query={}", "x".repeat(3 << 20));
    let answer = bench.form("/api/v1/query", &body).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("a parameter is longer than"),
        "{}",
        answer.text()
    );
}
