//! `/api/v1/notifications`: who was told what and whether it arrived, the newest first, page by page.
//!
//! The journal is asked for a few entries at a time, so that only what is shown is in memory. An answer that grows too
//! long ends early; like any other page it names the entry behind which the next one begins.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use model::{DeliveryState, NotificationQuery, NotificationRecord};

use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::prometheus::{SUCCESS, finish};
use crate::query_gate::timed_out;
use crate::{Notifications, Server, answer, json};

/// How many entries an answer has if the request names no number.
const LIMIT: u32 = 100;

/// More entries than a person reads at once; a program can turn the page.
const LIMIT_MAX: u32 = 1000;

/// Entries that the journal is asked for at once. Each may tell of a group of many alerts.
const CHUNK: u32 = 100;

/// Bytes from which on an answer takes no further entry.
const BYTES_MAX: usize = 8 << 20;

/// `GET /api/v1/notifications`
pub(crate) async fn list(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let query = read_query(&parameters)?;
    let timeout = server.limits().query_timeout;
    let answer = async {
        // The journal costs memory and time as a query does, so it shares their places.
        let _slot = server.queries().slot().await?;
        page(&server.ports().notifications, query, BYTES_MAX).await
    };
    let body = tokio::time::timeout(timeout, answer).await;
    let body = body.map_err(|_| timed_out(timeout))??;
    Ok(answer::json(StatusCode::OK, body))
}

fn read_query(parameters: &Parameters) -> Result<NotificationQuery, ApiError> {
    let before = parameters.get("before").map(|text| {
        text.parse().map_err(|_| {
            let reason = format_args!("{text:?} is no id of a notification");
            ApiError::parameter("before", reason)
        })
    });
    let state = parameters.get("state").map(|text| {
        let mut states = DeliveryState::ALL.into_iter();
        states.find(|state| state.as_str() == text).ok_or_else(|| {
            let reason = format_args!("{text:?} is none: write pending, delivered or failed");
            ApiError::parameter("state", reason)
        })
    });
    let limit = parameters.get("limit").map(|text| {
        let limit = text.parse().ok();
        limit
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| {
                let reason = format_args!("{text:?} is no whole number from 1 to {LIMIT_MAX}");
                ApiError::parameter("limit", reason)
            })
    });
    Ok(NotificationQuery {
        before: before.transpose()?,
        receiver: parameters.get("receiver").map(str::to_owned),
        state: state.transpose()?,
        limit: limit.transpose()?.unwrap_or(LIMIT),
    })
}

async fn page(
    journal: &Notifications,
    query: NotificationQuery,
    bytes_max: usize,
) -> Result<String, ApiError> {
    let mut body = String::from(SUCCESS);
    body.push_str(r#"{"notifications":["#);
    let mut shown = 0;
    let mut last = query.before;
    let next = 'page: loop {
        // One more than is wanted, to see whether there is a next page.
        let asked = CHUNK.min(query.limit + 1 - shown);
        let chunk = NotificationQuery {
            before: last,
            limit: asked,
            ..query.clone()
        };
        let records = journal(chunk).await.map_err(|reason| {
            ApiError::internal(format!(
                "cannot read the journal of notifications: {reason}"
            ))
        })?;
        for record in &records {
            if shown == query.limit || shown > 0 && body.len() > bytes_max {
                break 'page last;
            }
            json::separate(&mut body, usize::from(shown > 0));
            push_record(&mut body, record);
            shown += 1;
            last = Some(record.id);
        }
        if records.len() < asked as usize {
            break None;
        }
    };
    body.push_str(r#"],"next":"#);
    match next {
        Some(id) => json::push_display(&mut body, id),
        None => body.push_str("null"),
    }
    body.push('}');
    finish(&mut body, &[""; 0], &[""; 0]);
    Ok(body)
}

fn push_record(body: &mut String, record: &NotificationRecord) {
    body.push_str(r#"{"id":"#);
    json::push_display(body, record.id);
    for (field, text) in [
        ("receiver", &record.receiver),
        ("integration", &record.integration),
        ("target", &record.target),
        ("groupKey", &record.group_key),
    ] {
        push_field(body, field);
        json::push_string(body, text);
    }
    push_field(body, "groupLabels");
    json::push_labels(body, &record.group_labels);
    push_field(body, "reason");
    json::push_string(body, &record.reason);
    push_field(body, "status");
    json::push_string(
        body,
        if record.is_firing() {
            "firing"
        } else {
            "resolved"
        },
    );
    push_field(body, "alerts");
    body.push('[');
    for (index, alert) in record.alerts.iter().enumerate() {
        json::separate(body, index);
        body.push_str(r#"{"labels":"#);
        json::push_labels(body, &alert.labels);
        push_field(body, "annotations");
        json::push_texts(body, &alert.annotations);
        push_field(body, "startsAt");
        json::push_moment(body, alert.starts_at);
        push_field(body, "endsAt");
        json::push_moment_or_null(body, alert.ended_at);
        body.push('}');
    }
    body.push(']');
    push_field(body, "decidedAt");
    json::push_moment(body, record.decided_at);
    push_field(body, "state");
    json::push_string(body, record.state.as_str());
    push_field(body, "attempts");
    json::push_display(body, record.attempts);
    push_field(body, "error");
    if record.error.is_empty() {
        body.push_str("null");
    } else {
        json::push_string(body, &record.error);
    }
    push_field(body, "finishedAt");
    json::push_moment_or_null(body, record.finished_at);
    body.push('}');
}

fn push_field(body: &mut String, name: &str) {
    body.push_str(",\"");
    body.push_str(name);
    body.push_str("\":");
}
