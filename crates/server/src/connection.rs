//! Connections: accepted while there is room, cut off when they are slow, drained at shutdown.

mod handshake;
mod patience;
mod share;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Server;
use crate::feed::{self, upgrade::Handover};
use crate::origin::Peer;
use crate::tls;
use patience::Patience;
use share::Shares;

/// Bytes of a request's head; a longer one gets 431.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Pause after a failed accept, which mostly means that the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until shutdown or until the live feed's hub ends, then drains.
///
/// Errors: the hub ended although nobody asked it to.
pub(crate) async fn run(
    server: Server,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    // A terminal lets people open it.
    let scheme = match server.tls().current() {
        Some(_) => "https",
        None => "http",
    };
    tracing::info!(%address, page = %format_args!("{scheme}://{address}/"), "listening");
    // Before the first request, which would know nobody; whoever waits longer is told to come back.
    if let Err(error) = server.load_access().await {
        tracing::warn!(%error, "cannot read users and tokens yet");
    }
    let router = server.router();
    let slots = Arc::new(Semaphore::new(server.config().connections_max));
    let crowded = Arc::new(Notify::new());
    let mut connections = JoinSet::new();
    let shares = Shares::default();
    // Connections end also when the hub does, although nobody asked for that, and not at once when somebody does.
    let ending = CancellationToken::new();
    let mut hub = JoinSet::new();
    hub.spawn(feed::run(server.clone(), ending.clone()));
    let mut watch = JoinSet::new();
    watch.spawn(tls::watch(server.clone(), ending.clone()));
    let mut following = JoinSet::new();
    following.spawn(server.clone().follow_access(ending.clone()));
    let mut outcome = Ok(());
    let mut can_accept = true;
    let mut leaving = pin!(leave(&server, &shutdown));
    loop {
        tokio::select! {
            () = leaving.as_mut() => break,
            Some(ended) = hub.join_next() => {
                outcome = hub_ended(ended, &shutdown);
                break;
            }
            Some(ended) = connections.join_next() => report_panic(ended),
            accepted = accept(&listener, &slots, &crowded) => match accepted {
                Ok((stream, address, slot)) => {
                    can_accept = true;
                    let Some(share) = share_of(&server, &shares, address) else {
                        continue;
                    };
                    let stop = Stop { shutdown: ending.clone(), crowded: crowded.clone() };
                    let served = serve(server.clone(), router.clone(), stream, stop);
                    connections.spawn(async move {
                        served.await;
                        drop((slot, share));
                    });
                }
                Err(error) => {
                    // Once is enough: it lasts, and a client that waits would fill the log.
                    if std::mem::take(&mut can_accept) {
                        tracing::warn!(%error, "cannot accept connections, so clients wait");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    ending.cancel();
    server.start_draining();
    drop(listener);
    drain(&server, connections).await;
    while let Some(ended) = following.join_next().await {
        report_panic(ended);
    }
    while let Some(ended) = hub.join_next().await {
        outcome = outcome.and(hub_ended(ended, &shutdown));
    }
    outcome
}

/// Waits until nobody sends requests here any more: shutdown was asked for, and those who send them had time to notice.
async fn leave(server: &Server, shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    server.start_draining();
    let delay = server.config().shutdown_delay;
    if !delay.is_zero() {
        let delay_ms = delay.as_millis() as u64;
        tracing::info!(delay_ms, "not ready any more, but requests are still taken");
        tokio::time::sleep(delay).await;
    }
}

/// The share of a peer in all connections: none if it has more than it may, and no limit for a proxy of ours.
fn share_of(server: &Server, shares: &Shares, address: SocketAddr) -> Option<Option<share::Share>> {
    let address = address.ip().to_canonical();
    if server.trusted_proxies().trusts(address) {
        return Some(None);
    }
    let share = shares.take(address, server.config().connections_per_address_max);
    if share.is_none() {
        server.own().connections_refused.inc();
        tracing::debug!(%address, "connection closed: its address has too many");
    }
    share.map(Some)
}

/// What it means that the hub has ended: without it, clients of the live feed would wait for ever, and nobody would know.
fn hub_ended(ended: Result<(), JoinError>, shutdown: &CancellationToken) -> io::Result<()> {
    match ended {
        Ok(()) if shutdown.is_cancelled() => Ok(()),
        Ok(()) => Err(io::Error::other("the live feed ended by itself")),
        Err(error) => Err(io::Error::other(format!("the live feed ended: {error}"))),
    }
}

/// Accepts a connection when there is room. When there is none, those that lie idle have to go: otherwise whoever
/// opens many and says nothing would keep everyone else out, health probes too.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    crowded: &Notify,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    if slots.available_permits() == 0 {
        crowded.notify_waiters();
    }
    // The slot comes before the connection, since a connection in hand would be lost if the caller looked elsewhere.
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .expect("invariant: the semaphore is never closed");
    let (stream, address) = listener.accept().await?;
    Ok((stream, address, slot))
}

/// Why a connection may have to end before its client wants it to.
struct Stop {
    shutdown: CancellationToken,
    crowded: Arc<Notify>,
}

/// Serves requests, and then what a request has made of the connection, until the end.
async fn serve(server: Server, router: Router, stream: TcpStream, stop: Stop) {
    let shutdown = stop.shutdown.clone();
    let (handover, mut upgraded) = mpsc::channel(1);
    answer(server, router, stream, stop, Handover(handover)).await;
    // Whoever could hand something over is gone by now, or about to do so.
    if let Some(conversation) = upgraded.recv().await {
        conversation.run(shutdown).await;
    }
}

async fn answer(server: Server, router: Router, stream: TcpStream, stop: Stop, handover: Handover) {
    // Answers are written whole; waiting to fill a packet would only delay their last piece.
    let _ = stream.set_nodelay(true);
    let address = stream.peer_addr().ok();
    let address = address.map(|address| address.ip().to_canonical());
    let stream = Patience::new(stream, server.config().write_timeout);
    let Some(config) = server.tls().current() else {
        let is_tls = false;
        let peer = Peer { address, is_tls };
        return speak(server, router, stream, stop, handover, peer).await;
    };
    let within = server.config().header_timeout;
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(within, handshake::shake(stream, config)) => shaken,
        // Whoever has not asked for anything loses nothing.
        () = stop.shutdown.cancelled() => return,
        () = stop.crowded.notified() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let is_tls = true;
            let peer = Peer { address, is_tls };
            speak(server, router, stream, stop, handover, peer).await;
        }
        Ok(Err(error)) => {
            server.own().tls_failures.inc();
            tracing::debug!(%error, "no handshake");
        }
        Err(_) => {
            server.own().tls_failures.inc();
            tracing::debug!("no handshake in time");
        }
    }
}

/// Speaks HTTP on a stream that stands.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    server: Server,
    router: Router,
    stream: S,
    stop: Stop,
    handover: Handover,
    peer: Peer,
) {
    let has_asked = AtomicBool::new(false);
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(handover.clone());
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.config().header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = stop.crowded.notified() => {
            if !has_asked.load(Ordering::Relaxed) {
                return;
            }
            // One that has asked before goes now if it is idle, and after its answer if it is not.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended early");
    }
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended in a panic");
    }
}

/// Waits for connections to end, then for appends, which nothing may cut off.
async fn drain(server: &Server, mut connections: JoinSet<()>) {
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
    };
    let within = server.config().drain_timeout;
    if tokio::time::timeout(within, all_ended).await.is_err() {
        let open = connections.len();
        tracing::warn!(open, "cutting off connections that still run");
        connections.shutdown().await;
    }
    let appends = u32::try_from(server.config().concurrent_appends).unwrap_or(u32::MAX);
    // The slots come back when the last append has ended.
    let _ = server.append_slots().acquire_many_owned(appends).await;
}
