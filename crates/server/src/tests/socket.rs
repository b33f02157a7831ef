//! Over a real socket: what a slow, greedy or vanishing client can do, and shutdown.
//!
//! Time stands still and jumps to the next timer whenever nothing else is left to do.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::Config;

/// A bench that listens.
pub(super) struct Listening {
    pub(super) bench: Bench,
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: JoinSet<std::io::Result<()>>,
}

impl Listening {
    pub(super) async fn new(config: Config) -> Self {
        let bench = Bench::with(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(bench.server.clone().run(listener, shutdown.clone()));
        Self {
            bench,
            address,
            shutdown,
            tasks,
        }
    }

    /// Sends bytes on a new connection.
    pub(super) async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Lets the server work until its own metrics show a line.
    pub(super) async fn until_shown(&self, line: &str) {
        until(|| {
            let families = self.bench.server.metrics();
            let text = wire::exposition::encode(&families, wire::exposition::Format::Text);
            text.lines().any(|shown| shown == line)
        })
        .await;
    }
}

/// Lets the server work until something is so; gives up after more turns than it can need.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..200_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came to be so");
}

#[tokio::test(start_paused = true)]
async fn silent_connections_make_room_for_one_that_asks() {
    let config = Config {
        connections_max: 3,
        header_timeout: Duration::from_secs(3600),
        ..Config::default()
    };
    let listening = Listening::new(config).await;
    let start = tokio::time::Instant::now();
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(listening.send(b"").await);
    }
    silent.push(
        listening
            .send(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            .await,
    );
    for _ in 0..3 {
        let request = b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let answer = read_all(listening.send(request).await).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(start.elapsed() < Duration::from_secs(1));
}

/// All that the server sends until it closes the connection.
async fn read_all(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is as good as an orderly end.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

fn small() -> Config {
    Config {
        request_body_max: 1000,
        ..Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_one_after_the_other_on_a_connection() {
    let listening = Listening::new(small()).await;
    let request = "GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n";
    let last = "GET /-/ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let stream = listening.send(format!("{request}{last}").as_bytes()).await;
    let answer = read_all(stream).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_costs_the_connection() {
    let listening = Listening::new(small()).await;
    for beginning in ["", "GET / HT"] {
        let started = tokio::time::Instant::now();
        let stream = listening.send(beginning.as_bytes()).await;
        assert!(!read_all(stream).await.contains("200"));
        assert_eq!(started.elapsed().as_secs(), 30, "{beginning:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_not_lie_idle_for_ever() {
    let listening = Listening::new(small()).await;
    let stream = listening
        .send(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let answer = read_all(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_refused() {
    let listening = Listening::new(small()).await;
    let stream = listening
        .send(b"POST /api/v1/write HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n0123")
        .await;
    let answer = read_all(stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.ends_with("the request's body did not arrive within 1m\"}"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_announced_too_large_is_refused_unread() {
    let listening = Listening::new(small()).await;
    let stream = listening
        .send(b"POST /api/v1/write HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n")
        .await;
    let answer = read_all(stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.ends_with("larger than 1000 bytes: send it in smaller parts\"}"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_grows_too_large_is_refused() {
    let listening = Listening::new(small()).await;
    let head = "POST /api/v1/write HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let stream = listening
        .send(format!("{head}{chunk}{chunk}").as_bytes())
        .await;
    let answer = read_all(stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn bodies_share_one_budget() {
    let config = Config {
        request_bodies_total_max: 64 << 10,
        ..Config::default()
    };
    let listening = Listening::new(config).await;
    let head = "POST /api/v1/write HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n";
    let first = listening.send(format!("{head}x").as_bytes()).await;
    // The budget is gone when the first byte of a body has been read.
    until(|| listening.bench.server.body_budget().available_permits() == 0).await;
    let mut second = listening.send(format!("{head}xxxxx").as_bytes()).await;
    let mut answer = [0; 12];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    drop(first);
    until(|| listening.bench.server.body_budget().available_permits() > 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_is_refused() {
    let listening = Listening::new(small()).await;
    let long = "x".repeat(70 << 10);
    let stream = listening
        .send(format!("GET / HTTP/1.1\r\nhost: a\r\nlong: {long}").as_bytes())
        .await;
    let answer = read_all(stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_query() {
    let listening = Listening::new(Config::default()).await;
    listening.bench.store.hold();
    let stream = listening
        .send(b"GET /api/v1/query?query=up HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    until(|| listening.bench.store.holds()).await;
    drop(stream);
    listening
        .until_shown(r#"campanile_query_requests_total{kind="instant",result="canceled"} 1"#)
        .await;
    let counted =
        r#"campanile_http_requests_total{method="GET",route="/api/v1/query",status="499"} 1"#;
    listening.until_shown(counted).await;
    // Its slot is free only when the evaluation has really ended.
    listening.until_shown("campanile_queries_in_flight 1").await;
    listening.bench.store.release();
    listening.until_shown("campanile_queries_in_flight 0").await;
}

#[tokio::test]
async fn shutdown_waits_for_what_runs() {
    let mut listening = Listening::new(Config::default()).await;
    listening.bench.store.hold();
    let stream = listening
        .send(b"GET /api/v1/query?query=up HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    until(|| listening.bench.store.holds()).await;
    listening.shutdown.cancel();
    until(|| listening.bench.server.is_draining()).await;
    assert!(listening.tasks.try_join_next().is_none());
    listening.bench.store.release();
    let answer = read_all(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    listening.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let config = Config {
        drain_timeout: Duration::ZERO,
        ..Config::default()
    };
    let mut listening = Listening::new(config).await;
    listening.bench.store.hold();
    let stream = listening
        .send(b"GET /api/v1/query?query=up HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    until(|| listening.bench.store.holds()).await;
    listening.shutdown.cancel();
    listening.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(read_all(stream).await, "");
    listening.bench.store.release();
}
