//! `GET /ws/metrics`: from a request to a conversation.
//!
//! The handler only says yes. The connection's own task takes the socket over afterwards, so that the slot of the
//! connection, its owner and its end at shutdown are those of every connection, while the slot of the request is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::mpsc;

use super::client::Conversation;
use super::groups::Client;
use super::outbox::Outbox;
use crate::auth::visitor::Visitor;
use crate::error::ApiError;
use crate::{Server, guard};

/// Bytes that are read from a client at once; what it says is short, and there may be a thousand of them.
const READ_BYTES: usize = 4 << 10;

/// Tells clients apart.
static LAST_CLIENT: AtomicU64 = AtomicU64::new(0);

/// The way from a handler to the task of its connection.
#[derive(Clone)]
pub(crate) struct Handover(pub(crate) mpsc::Sender<Conversation>);

pub(crate) async fn upgrade(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    handover: Option<Extension<Handover>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    guard::require_same_origin(&server, &headers, "follow the live feed")?;
    let upgrade = upgrade.map_err(|rejection| {
        let reason = rejection.body_text();
        ApiError::bad_data(format!("this address speaks WebSocket: {reason}"))
            .with_status(rejection.status())
    })?;
    let Some(Extension(Handover(handover))) = handover else {
        return Err(ApiError::internal("this listener cannot upgrade")
            .with_status(StatusCode::NOT_IMPLEMENTED));
    };
    let metrics = &server.own().feed;
    if server.is_draining() {
        return Err(ApiError::unavailable("the server stops"));
    }
    let places = server.feed().shared.clients.clone();
    let Ok(place) = places.try_acquire_owned() else {
        metrics.refused.inc();
        let limit = server.config().feed.clients;
        return Err(ApiError::unavailable(format!(
            "{limit} clients, as many as are allowed at once, follow the live feed: try again later"
        )));
    };
    let limits = server.config().feed.clone();
    let client = Arc::new(Client {
        number: LAST_CLIENT.fetch_add(1, Ordering::Relaxed),
        outbox: Outbox::new(limits.queue_messages, limits.queue_bytes),
    });
    let upgrade = upgrade
        .max_message_size(limits.request_bytes)
        .max_frame_size(limits.request_bytes)
        .read_buffer_size(READ_BYTES)
        // Each message is written out at once.
        .write_buffer_size(0);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let conversation = Conversation {
            server,
            socket,
            client,
            visitor,
            place,
        };
        // It fails only if the connection's task is gone.
        let _ = handover.send(conversation).await;
    }))
}
