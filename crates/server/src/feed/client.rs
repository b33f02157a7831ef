//! One client: its requests on the way to the hub, and the messages that wait for it on the way to its socket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::groups::{self, Client};
use super::hub::{Command, Leave};
use super::message;
use super::request::{Refusal, Request};
use super::topic::Topic;
use crate::Server;
use crate::auth::visitor::Visitor;
use crate::error::ApiError;
use crate::metrics::{Direction, InFlight};
use crate::query_gate::Caller;

/// How often a client is asked whether it is still there; routers forget a silent connection after some minutes.
const PING: Duration = Duration::from_secs(30);

/// Pings without an answer after which a client is taken to be gone.
const UNANSWERED_MAX: u32 = 2;

/// Messages that are no requests of ours, after which a client is told to go.
const NOT_OURS_MAX: u32 = 10;

/// How often it is looked whether a client's login has run out; that it was ended is known at once.
const RECHECK: Duration = Duration::from_mins(1);

/// Time for a client to answer a farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// A client whose connection speaks WebSocket by now.
pub(crate) struct Conversation {
    pub(super) server: Server,
    pub(super) socket: WebSocket,
    pub(super) client: Arc<Client>,
    /// Who it is; they may follow only as long as that holds.
    pub(super) visitor: Visitor,
    pub(super) place: OwnedSemaphorePermit,
}

/// Why a conversation is over.
enum End {
    /// The client has left, or the connection broke.
    Gone,
    Shutdown,
    /// The client does not answer.
    Silent,
    /// The client sends what is not ours.
    Abuse,
    /// The client's login or token has ended, or what it may do.
    Unwelcome,
}

/// What a message of the client has come to.
enum Heard {
    GoOn,
    NotOurs,
}

impl Conversation {
    /// Talks until the client leaves or `shutdown`, which it is told.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let _open = InFlight::enter(&self.server.own().feed.connections);
        let leaving = Leaving {
            server: &self.server,
            client: &self.client,
            place: Some(self.place),
        };
        let end = tokio::select! {
            biased;
            () = shutdown.cancelled() => End::Shutdown,
            () = until_unwelcome(&self.server, &self.visitor) => End::Unwelcome,
            end = talk(&self.server, &mut self.socket, &self.client) => end,
        };
        drop(leaving);
        let (code, reason) = match end {
            End::Gone => return,
            End::Silent => {
                tracing::debug!("a client of the live feed does not answer any more");
                return;
            }
            End::Shutdown => (close_code::AWAY, "the server stops"),
            End::Unwelcome => (close_code::POLICY, "your login or token has ended"),
            End::Abuse => (
                close_code::POLICY,
                "too many messages that are no requests of the live feed",
            ),
        };
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let farewell = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

/// Waits until what a client has shown does not hold any more.
async fn until_unwelcome(server: &Server, visitor: &Visitor) {
    let mut changes = server.access().changes();
    let mut turns = interval_at(Instant::now(), RECHECK);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            Ok(()) = changes.changed() => {}
        }
        if !visitor.still_holds(server).await {
            return;
        }
    }
}

/// Lets the hub forget a client, however its conversation ends.
struct Leaving<'a> {
    server: &'a Server,
    client: &'a Client,
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.client.outbox.close();
        if let Some(_place) = self.place.take() {
            let client = self.client.number;
            // There is room for as many as there are places, so this fails only if the hub is gone.
            let leave = Leave { client, _place };
            let _ = self.server.feed().shared.leaves.try_send(leave);
        }
    }
}

async fn talk(server: &Server, socket: &mut WebSocket, client: &Arc<Client>) -> End {
    let metrics = &server.own().feed;
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    let mut not_ours = 0;
    loop {
        let next = client.outbox.take();
        let has_next = next.is_some();
        if let Some(text) = next {
            if socket.send(Message::Text(text)).await.is_err() {
                return End::Gone;
            }
            metrics.count(Direction::Sent);
        }
        // A client for which there is always something more is listened to all the same, but not before it has the answer to
        // its last request: else it could let answers gather without bound.
        let received = tokio::select! {
            received = socket.recv(), if !client.outbox.has_answer() => received,
            () = client.outbox.filled() => continue,
            () = std::future::ready(()), if has_next => continue,
            _ = pings.tick() => {
                if unanswered == UNANSWERED_MAX {
                    return End::Silent;
                }
                unanswered += 1;
                match socket.send(Message::Ping(Default::default())).await {
                    Ok(()) => continue,
                    Err(_) => return End::Gone,
                }
            }
        };
        unanswered = 0;
        let heard = match received {
            None | Some(Err(_)) => return End::Gone,
            // The answer to them goes by itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => continue,
            Some(Ok(Message::Text(text))) => {
                metrics.count(Direction::Received);
                hear(server, client, &text).await
            }
            Some(Ok(Message::Binary(_))) => {
                metrics.count(Direction::Received);
                let error = ApiError::bad_data("a message is a text, not bytes");
                groups::refuse(client, None, &error);
                Heard::NotOurs
            }
        };
        if let Heard::NotOurs = heard {
            not_ours += 1;
            if not_ours == NOT_OURS_MAX {
                return End::Abuse;
            }
        }
    }
}

/// Does what a message asks, and waits until the answer to it stands in the outbox.
async fn hear(server: &Server, client: &Arc<Client>, text: &Utf8Bytes) -> Heard {
    let request = match Request::parse(text, server.config().feed.request_bytes) {
        Ok(request) => request,
        Err(Refusal { id, error, is_ours }) => {
            groups::refuse(client, id.as_deref(), &error);
            return match is_ours {
                true => Heard::GoOn,
                false => Heard::NotOurs,
            };
        }
    };
    let (done, answered) = oneshot::channel();
    let client = client.clone();
    let command = match request {
        Request::Ping => {
            groups::answer(&client, message::pong());
            return Heard::GoOn;
        }
        Request::Unsubscribe { id } => Command::Unsubscribe { client, id, done },
        Request::Subscribe { id, topic } => {
            let expression = match parse_query(server, &topic).await {
                Ok(expression) => expression,
                Err(error) => {
                    groups::refuse(&client, id.as_deref(), &error);
                    return Heard::GoOn;
                }
            };
            Command::Subscribe {
                client,
                id,
                topic,
                expression,
                done,
            }
        }
    };
    // Both fail only at shutdown, which the caller notices.
    if server.feed().shared.commands.send(command).await.is_ok() {
        let _ = answered.await;
    }
    Heard::GoOn
}

/// Parsing compiles regular expressions, which takes long enough to keep others of the same thread waiting, and so much
/// that a thousand clients must pass the gate for it as whoever asks over HTTP does.
async fn parse_query(
    server: &Server,
    topic: &Topic,
) -> Result<Option<Arc<promql::Expr>>, ApiError> {
    let Topic::Query { text, .. } = topic else {
        return Ok(None);
    };
    let text = text.clone();
    let work =
        move |_: &Caller| promql::parse(&text).map_err(|error| ApiError::parameter("query", error));
    let timeout = server.limits().query_timeout;
    let parsed = server.queries().run(server, timeout, work).await?;
    Ok(Some(Arc::new(parsed)))
}
