//! What is refused before any handler.

use axum::body::Body;
use axum::http::Request;
use expect_test::expect;

use super::Bench;
use crate::Config;

fn request(host: &str, uri: &str) -> Request<Body> {
    Request::get(uri)
        .header("host", host)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_foreign_host_is_refused_where_hosts_are_named() {
    let bench = Bench::with(Config {
        hosts: Config::loopback_hosts("127.0.0.1".parse().unwrap()),
        ..Config::default()
    });
    for host in [
        "localhost:9595",
        "127.0.0.1:9595",
        "[::1]:9595",
        "LOCALHOST",
    ] {
        assert_eq!(
            bench.send(request(host, "/health")).await.status,
            200,
            "{host}"
        );
    }
    expect![[r#"421 {"status":"error","errorType":"bad_data","error":"this server is not known as \"evil.example\": ask it by one of the names localhost, 127.0.0.1, [::1]"}"#]].assert_eq(&bench.send(request("evil.example:9595", "/health")).await.shown());
    assert_eq!(bench.get("/health").await.status, 421);
    assert_eq!(
        Bench::new()
            .send(request("evil.example", "/health"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_listener_is_known_by_its_own_address() {
    for (address, host) in [
        ("127.0.0.2", "127.0.0.2:9595"),
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]:9595"),
        ("::1", "[::1]:9595"),
    ] {
        let bench = Bench::with(Config {
            hosts: Config::loopback_hosts(address.parse().unwrap()),
            ..Config::default()
        });
        for (host, status) in [(host, 200), ("localhost", 200), ("127.0.0.3", 421)] {
            let answer = bench.send(request(host, "/health")).await;
            assert_eq!(answer.status, status, "{host}");
        }
    }
}

#[tokio::test]
async fn a_web_page_of_another_site_cannot_write() {
    let bench = Bench::new();
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
        ("none", 200),
    ] {
        let request = Request::post("/-/reload").header("sec-fetch-site", site);
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{site}");
    }
    let request = Request::get("/health").header("sec-fetch-site", "cross-site");
    assert_eq!(
        bench
            .send(request.body(Body::empty()).unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_host_of_the_external_url_is_an_own_name() {
    let hosts = vec!["127.0.0.1".to_owned()];
    let bench = Bench::with(Config {
        hosts,
        ..Config::default()
    });
    let ask = async |host: &str| {
        let request = Request::get("/health").header("host", host);
        bench
            .send(request.body(Body::empty()).unwrap())
            .await
            .status
    };
    assert_eq!(ask("watch.example.org").await, 421);
    bench
        .server
        .set_external_url("https://watch.example.org:8443/campanile/");
    assert_eq!(ask("watch.example.org:8443").await, 200);
    assert_eq!(ask("127.0.0.1:9595").await, 200);
    assert_eq!(ask("evil.example").await, 421);
    bench.server.set_external_url("");
    assert_eq!(ask("watch.example.org").await, 421);
    assert_eq!(ask("").await, 421);
}

#[tokio::test]
async fn a_page_of_another_port_is_of_another_site() {
    let bench = Bench::new();
    for (external, host, origin, is_welcome) in [
        ("", "watch.example", "http://watch.example", true),
        ("", "watch.example", "https://Watch.example", true),
        ("", "watch.example:443", "https://watch.example", true),
        ("", "watch.example:9595", "http://watch.example:9595", true),
        ("", "[::1]:9595", "http://[::1]:9595", true),
        ("", "[::1]", "http://[::1]", true),
        ("", "watch.example", "http://watch.example:3000", false),
        ("", "watch.example", "http://watch.example:443", false),
        ("", "watch.example:9595", "http://watch.example", false),
        ("", "watch.example:9595", "http://watch.example:3000", false),
        ("", "[::1]", "http://[::1]:3000", false),
        ("", "", "http://", false),
        (
            "https://a.example:8443/x",
            "a.example",
            "https://a.example:8443",
            true,
        ),
        (
            "https://a.example:443/",
            "127.0.0.1:9595",
            "https://a.example",
            true,
        ),
        (
            "http://a.example:80",
            "127.0.0.1:9595",
            "http://a.example",
            true,
        ),
        (
            "http://a.example:443",
            "127.0.0.1:9595",
            "http://a.example",
            false,
        ),
    ] {
        bench.server.set_external_url(external);
        let request = Request::get("/ws/metrics")
            .header("host", host)
            .header("origin", origin)
            .body(Body::empty())
            .unwrap();
        // It is no upgrade, which is found out later.
        let expected = if is_welcome { 400 } else { 403 };
        let answer = bench.send(request).await;
        assert_eq!(answer.status, expected, "{external} {host} {origin}");
    }
}

#[tokio::test]
async fn too_many_requests_at_once_are_refused() {
    let bench = Bench::with(Config {
        concurrent_requests: 1,
        ..Config::default()
    });
    let held = bench.server.request_slots().try_acquire_owned().unwrap();
    let answer = bench.get("/metrics").await;
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"1 requests, as many as are allowed at once, are being answered: try again later"}"#]].assert_eq(&answer.shown());
    assert_eq!(answer.header("retry-after"), "5");
    for probe in ["/health", "/health/live", "/-/healthy", "/-/ready"] {
        assert_eq!(bench.get(probe).await.status, 200, "{probe}");
    }
    drop(held);
    assert_eq!(bench.get("/metrics").await.status, 200);
}
