//! What answers mean, and what is told of those that are none.

use super::server::{Reaction, Server};
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";

fn url(server: &Server) -> String {
    format!("url: 'http://{}/path?key=secret'", server.address)
}

#[tokio::test]
async fn a_good_answer_is_a_success_with_all_its_series() {
    let server = Server::answering(OK).await;
    let monitor = monitor(&format!("{}, keyword: 'lo wor'", url(&server)));
    let probe = prober().check(&monitor).await;
    assert_eq!(probe.outcome, Outcome::Success);
    let samples = samples(&probe);
    for (series, expected) in [
        ("probe_success", 1.0),
        ("probe_http_status_code", 200.0),
        ("probe_http_content_length", 11.0),
        ("probe_http_uncompressed_body_length", 11.0),
        ("probe_http_version", 1.1),
        ("probe_http_ssl", 0.0),
        ("probe_http_redirects", 0.0),
        ("probe_ip_protocol", 4.0),
        ("probe_failed_due_to_regex", 0.0),
        ("probe_http_duration_seconds{phase=\"tls\"}", 0.0),
    ] {
        assert_eq!(value(&samples, series), Some(expected), "{series}");
    }
    let request = &server.asked()[0];
    let expected = format!(
        "GET /path?key=secret HTTP/1.1\r\nhost: {}\r\nuser-agent: campanile/{}\r\naccept: */*\r\naccept-encoding: identity\r\nconnection: close\r\n\r\n",
        server.address,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(request, &expected);
}

#[tokio::test]
async fn silence_is_a_failure_that_says_where_and_how_long() {
    let server = Server::start(|_| Reaction::Hang(Vec::new())).await;
    let monitor = monitor(&format!("{}, timeout: 200ms", url(&server)));
    let probe = prober().check(&monitor).await;
    let expected = format!(
        "{} at 127.0.0.1 takes the request, but does not answer within 200ms",
        server.address
    );
    assert!(
        failure(&probe).starts_with(&expected),
        "{}",
        failure(&probe)
    );
    assert!(!failure(&probe).contains("secret"));
}
