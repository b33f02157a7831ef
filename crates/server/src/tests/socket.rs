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
        Self::over(Bench::with(config)).await
    }

    pub(super) async fn over(bench: Bench) -> Self {
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

#[tokio::test(start_paused = true)]
async fn too_many_headers_are_refused() {
    let listening = Listening::new(small()).await;
    let headers = "a: b\r\n".repeat(200);
    let request = format!("GET /-/healthy HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
    let answer = read_all(listening.send(request.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_header_cannot_smuggle_another_one_in() {
    let listening = Listening::new(small()).await;
    for (path, odd) in [
        ("/", "x: a\rset-cookie: b=c"),
        ("/", "x: a\n set-cookie: b=c"),
        ("/graph?g0.expr=a%0d%0aset-cookie:%20b=c", "x: a"),
        ("/%0d%0aset-cookie:%20b=c", "x: a"),
        ("/", "x : a"),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{odd}\r\n\r\n");
        let answer = read_all(listening.send(request.as_bytes()).await).await;
        let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(!head.contains("\nset-cookie"), "{path} {odd:?}: {head}");
    }
}

#[tokio::test]
async fn one_address_holds_no_more_than_its_share_of_connections() {
    let config = Config {
        connections_per_address_max: 2,
        ..Config::default()
    };
    let listening = Listening::new(config).await;
    let request = b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = listening.send(request).await;
        stream.read_u8().await.unwrap();
        held.push(stream);
    }
    let more = TcpStream::connect(listening.address).await.unwrap();
    assert_eq!(read_all(more).await, "");
    let refused = "campanile_http_connections_refused_total 1";
    listening.until_shown(refused).await;
    // A trusted proxy speaks for many.
    listening
        .bench
        .server
        .set_trusted_proxies(crate::TrustedProxies {
            networks: vec!["127.0.0.1".parse().unwrap()],
            forwarded: false,
        });
    let mut stream = listening.send(request).await;
    assert_eq!(stream.read_u8().await.unwrap(), b'H');
}

#[tokio::test(start_paused = true)]
async fn before_it_leaves_it_is_not_ready_but_answers() {
    let config = Config {
        shutdown_delay: Duration::from_secs(5),
        ..Config::default()
    };
    let mut listening = Listening::new(config).await;
    let ask = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = read_all(listening.send(request.as_bytes()).await).await;
        answer[9..12].to_owned()
    };
    assert_eq!(ask("/-/ready").await, "200");
    let started = tokio::time::Instant::now();
    listening.shutdown.cancel();
    until(|| listening.bench.server.is_draining()).await;
    for _ in 0..3 {
        assert_eq!(ask("/-/ready").await, "503");
        assert_eq!(ask("/-/healthy").await, "200");
        assert_eq!(ask("/api/v1/query?query=1").await, "200");
    }
    let left = Duration::from_secs(4).saturating_sub(started.elapsed());
    tokio::time::sleep(left).await;
    assert_eq!(ask("/-/healthy").await, "200");
    listening.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_end_can_be_read_in_two_ways_hides_no_request() {
    let listening = Listening::new(small()).await;
    let hidden = "GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n";
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
    ] {
        let request =
            format!("POST /-/reload HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n0\r\n\r\n{hidden}");
        let answer = read_all(listening.send(request.as_bytes()).await).await;
        let is_refused = answer.starts_with("HTTP/1.1 400 ");
        // What is taken ends where chunks end, and the connection with it: the rest is no request.
        let is_closed = answer.matches("HTTP/1.1 ").count() <= 1;
        assert!(is_refused || is_closed, "{lengths}: {answer}");
    }
}
