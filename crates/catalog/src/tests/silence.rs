//! A server that vanishes without a word, as one does whose network is cut: nobody waits for it for ever.
//!
//! Between the catalog and the server is a wire that is cut once it has carried certain words. From then on time flies, so
//! no test waits for a limit.

use std::pin::pin;

use model::HealthState;
use testkit::Postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::fixture::{clock, state};
use crate::{Catalog, Error};

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_anything_is_given_up() {
    // The system makes the connection in its name.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://campanile:s3cret@{address}/x");
    let opened = Catalog::connect(&url, clock()).await;
    let read = Catalog::connect_read_only(&url, clock()).await;
    assert_given_up(opened, "15 s");
    assert_given_up(read, "15 s");
}

#[tokio::test]
async fn a_server_that_falls_silent_while_a_catalog_is_opened_is_given_up() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    for (words, limit) in [
        ("SCRAM-SHA-256", "15 s"),
        ("lock_timeout = '5s'", "15 s"),
        ("BEGIN", "60 s"),
        ("pg_advisory_xact_lock", "900 s"),
        ("CREATE TABLE", "900 s"),
        ("COMMIT\0", "900 s"),
    ] {
        let wire = Wire::to(server).await;
        let opened = wire.cut_at(words, Catalog::connect(&wire.url, clock()));
        assert_given_up(opened.await, limit);
    }
    let wire = Wire::to(server).await;
    let read = Catalog::connect_read_only(&wire.url, clock());
    assert_given_up(wire.cut_at("schema_version", read).await, "60 s");
}

#[tokio::test]
async fn a_server_that_falls_silent_later_is_given_up_and_found_again() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let wire = Wire::to(server).await;
    let catalog = Catalog::connect(&wire.url, clock()).await.unwrap();
    // Each is said on a new connection, which knows no statement yet.
    for words in ["BEGIN", "COMMIT\0", "INSERT INTO states"] {
        let commit = catalog.commit(state("a", "b", b"1"));
        assert_given_up(wire.cut_at(words, commit).await, "60 s");
        assert_eq!(catalog.health().state, HealthState::Degraded);
    }
    // Not what was cut: the server may still hold on to it.
    catalog.commit(state("b", "c", b"1")).await.unwrap();
    assert_eq!(catalog.health().state, HealthState::Healthy);
    // More often than there are connections for reading.
    for _ in 0..5 {
        let read = wire.cut_at("FROM states", catalog.state("b", "c"));
        assert_given_up(read.await, "60 s");
    }
    assert!(catalog.state("b", "c").await.unwrap().is_some());
    catalog.close().await.unwrap();
}

fn assert_given_up<T>(result: Result<T, Error>, limit: &str) {
    let error = result.err().expect("an error");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("not answered within"), "{message}");
    assert!(message.contains(limit), "{message} after {limit}");
}

/// A wire to a server.
struct Wire {
    url: String,
    /// The words with which it is cut; whole until they are set.
    words: watch::Sender<Option<&'static str>>,
    /// How often it was cut.
    cuts: watch::Sender<usize>,
    _carrying: JoinSet<()>,
}

impl Wire {
    /// To a database of its own.
    async fn to(server: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = listener.local_addr().unwrap().to_string();
        let far = server.url("").replace("postgres://campanile:s3cret@", "");
        let far = far.trim_end_matches('/').to_owned();
        let url = server.database().replace(&far, &near);
        let (words, cuts) = (watch::Sender::new(None), watch::Sender::new(0));
        let mut carrying = JoinSet::new();
        let here = (words.clone(), cuts.clone());
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&far).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let ((words, cuts), whole) = (here.clone(), watch::Sender::new(true));
                let back = carry(from_server, to_client, whole.subscribe(), |_| false);
                let is_whole = whole.subscribe();
                let there = carry(from_client, to_server, is_whole, move |bytes| {
                    let cut = words.borrow().is_some_and(|words| contains(bytes, words));
                    if cut {
                        whole.send_replace(false);
                        cuts.send_modify(|cuts| *cuts += 1);
                    }
                    cut
                });
                connections.spawn(back);
                connections.spawn(there);
            }
        });
        Self {
            url,
            words,
            cuts,
            _carrying: carrying,
        }
    }

    /// Does something during which the connection that it uses is cut, before that carries certain words.
    async fn cut_at<T>(&self, words: &'static str, work: impl Future<Output = T>) -> T {
        let mut cuts = self.cuts.subscribe();
        self.words.send_replace(Some(words));
        let mut work = pin!(work);
        tokio::select! {
            _ = &mut work => panic!("it ended without {words:?}"),
            cut = cuts.changed() => assert!(cut.is_ok()),
        }
        self.words.send_replace(None);
        tokio::time::pause();
        let result = work.await;
        tokio::time::resume();
        result
    }
}

/// Carries until one side closes, or it is cut, of which neither side is told.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut is_whole: watch::Receiver<bool>,
    cuts: impl Fn(&[u8]) -> bool,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            _ = is_whole.wait_for(|whole| !whole) => break,
            read = from.read(&mut bytes) => read.unwrap_or(0),
        };
        if cuts(&bytes[..read]) {
            break;
        }
        if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

fn contains(bytes: &[u8], words: &str) -> bool {
    let mut windows = bytes.windows(words.len());
    windows.any(|some| some == words.as_bytes())
}
