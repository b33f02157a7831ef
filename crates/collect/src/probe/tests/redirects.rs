//! Where redirects lead, and what comes along.

use super::server::{Reaction, Server};
use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SECRETS: &str =
    "headers: {Authorization: Bearer secret, Cookie: secret, X-Key: secret, User-Agent: mine}";

fn to(status: u16, location: &str) -> Reaction {
    let head =
        format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    Reaction::Answer(head.into_bytes())
}

/// Answers `/start` with a redirect, and all else with 200.
async fn redirecting(status: u16, location: String) -> Server {
    Server::start(move |request| {
        if request.contains(" /start ") {
            to(status, &location)
        } else {
            Reaction::Answer(OK.to_vec())
        }
    })
    .await
}

#[tokio::test]
async fn a_redirect_on_the_same_host_takes_everything_along() {
    let server = redirecting(301, "../end?a=b#part".to_owned()).await;
    let settings = format!("url: 'http://{}/start', {SECRETS}", server.address);
    let probe = prober().check(&monitor(&settings)).await;
    assert_eq!(probe.outcome, Outcome::Success);
    let asked = server.asked();
    assert!(
        asked[1].starts_with("GET /end?a=b HTTP/1.1\r\n"),
        "{}",
        asked[1]
    );
    assert_eq!(asked[1].matches("secret").count(), 3);
    assert_eq!(value(&samples(&probe), "probe_http_redirects"), Some(1.0));
}

#[tokio::test]
async fn no_secret_goes_to_another_host_nor_back_again() {
    let home = Arc::new(std::sync::OnceLock::new());
    let back = Arc::clone(&home);
    let other =
        Server::start(move |_| to(302, &format!("http://{}/again", back.get().unwrap()))).await;
    let elsewhere = format!("http://{}/", other.address);
    let server = Server::start(move |request| match request.split(' ').nth(1) {
        Some("/start") => to(302, &elsewhere),
        Some("/again") => to(302, "/end"),
        _ => Reaction::Answer(OK.to_vec()),
    })
    .await;
    home.set(server.address).unwrap();
    let settings = format!("url: 'http://{}/start', {SECRETS}", server.address);
    let probe = prober().check(&monitor(&settings)).await;
    assert_eq!(probe.outcome, Outcome::Success);
    let (there, back) = (&other.asked()[0], server.asked());
    assert_eq!(back.len(), 3);
    for request in [there, &back[1], &back[2]] {
        assert!(!request.contains("secret"), "{request}");
        assert!(request.contains("user-agent: mine"), "{request}");
    }
    assert!(there.contains(&format!("host: {}\r\n", other.address)));
}

#[tokio::test]
async fn a_post_becomes_a_get_where_browsers_do_that() {
    for (status, expected) in [
        (301, "GET /end HTTP/1.1"),
        (302, "GET /end HTTP/1.1"),
        (303, "GET /end HTTP/1.1"),
        (307, "POST /end HTTP/1.1"),
        (308, "POST /end HTTP/1.1"),
    ] {
        let server = redirecting(status, "/end".to_owned()).await;
        let settings = format!(
            "url: 'http://{}/start', method: POST, body: a=b",
            server.address
        );
        let probe = prober().check(&monitor(&settings)).await;
        assert_eq!(probe.outcome, Outcome::Success);
        let request = &server.asked()[1];
        assert!(request.starts_with(expected), "{status}: {request}");
        assert_eq!(
            request.ends_with("a=b"),
            expected.starts_with("POST"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_body_is_not_told_to_another_host() {
    let other = Server::start(|_| Reaction::Answer(OK.to_vec())).await;
    let server = redirecting(307, format!("http://{}/", other.address)).await;
    let settings = format!(
        "url: 'http://{}/start', method: POST, body: secret",
        server.address
    );
    let probe = prober().check(&monitor(&settings)).await;
    let expected = format!(
        "{} redirects a request with a body to {}",
        server.address, other.address
    );
    assert!(
        failure(&probe).starts_with(&expected),
        "{}",
        failure(&probe)
    );
    assert_eq!(other.asked(), [""; 0]);
}

#[tokio::test]
async fn a_loop_ends_after_ten_redirects() {
    let server = Server::start(|_| to(302, "/start")).await;
    let probe = prober()
        .check(&monitor(&format!("url: 'http://{}/start'", server.address)))
        .await;
    let expected = format!("more than 10 redirects, the last by {}", server.address);
    assert_eq!(failure(&probe), expected);
    assert_eq!(server.asked().len(), 11);
    assert_eq!(
        value(&samples(&probe), "probe_http_status_code"),
        Some(302.0)
    );
}

#[tokio::test]
async fn a_redirect_that_is_not_to_be_followed_is_judged_itself() {
    let server = Server::start(|_| to(302, "http://nowhere.invalid/")).await;
    let settings = format!(
        "url: 'http://{}/', follow_redirects: false, accepted_statuses: [302]",
        server.address
    );
    let probe = prober().check(&monitor(&settings)).await;
    assert_eq!(probe.outcome, Outcome::Success);
}

#[tokio::test]
async fn what_cannot_be_followed_is_a_failure() {
    for (location, expected) in [
        (
            "ftp://example.org/",
            "redirects to a URL that is neither http nor https",
        ),
        ("http://", "redirects to something that is no URL"),
    ] {
        let server = Server::start(move |_| to(302, location)).await;
        let probe = prober()
            .check(&monitor(&format!("url: 'http://{}/'", server.address)))
            .await;
        assert!(
            failure(&probe).ends_with(expected),
            "{location}: {}",
            failure(&probe)
        );
    }
}

#[tokio::test]
async fn a_redirect_leads_a_person_no_further_than_the_first_request() {
    let inside = Server::start(|_| Reaction::Answer(OK.to_vec())).await;
    let allowed = ["127.0.0.2".parse().unwrap()];
    let options = Options {
        allowed: outbound::Allowed::new(allowed),
        ..Options::default()
    };
    let server = redirecting(302, format!("http://{}/", inside.address)).await;
    let settings = format!("url: 'http://{}/start'", server.address);
    let probe = prober_with(options.clone())
        .check_for(&monitor(&settings), outbound::Trust::Person)
        .await;
    assert!(failure(&probe).contains("an address of this machine"));
    assert!(server.asked().is_empty() && inside.asked().is_empty());
    // Now the first may be asked, and the second may not.
    let port = server.address.port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.2", 0)).await;
    let listener = listener.unwrap();
    let outside = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    });
    let settings = format!("url: 'http://{outside}/start'");
    let probe = prober_with(options)
        .check_for(&monitor(&settings), outbound::Trust::Person)
        .await;
    assert!(failure(&probe).contains("an address of this machine"));
    assert_eq!((server.asked().len(), inside.asked().len()), (1, 0));
}
