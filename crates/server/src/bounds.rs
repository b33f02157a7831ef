//! The innermost layer: how often somebody may ask, and how long an answer may take to begin.
//!
//! It stands behind whatever finds out who asks. A body that is sent piece by piece, and a conversation over a WebSocket,
//! begin within the time too; how long they last is bounded by those who send them.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::Server;
use crate::error::{ApiError, ErrorType};
use crate::rate::Class;

/// Bytes of a path; the longest of ours names a metric or a label.
const PATH_BYTES_MAX: usize = 8 << 10;

/// What a query may take beyond its own limit and that of its body, so that these tell the reason.
const SLACK: Duration = Duration::from_secs(10);

/// Work on the whole store: to rewrite blocks takes as long as there are blocks.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(3600);

pub(crate) async fn bound(State(server): State<Server>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.len() > PATH_BYTES_MAX {
        return ApiError::bad_data(format!("the path is longer than {PATH_BYTES_MAX} bytes"))
            .with_status(StatusCode::URI_TOO_LONG)
            .into_response();
    }
    let class = Class::of(request.method(), path);
    let within = time_for(&server, class, path);
    let verdict = class.and_then(|class| {
        let verdict = server
            .rates()
            .judge(class, &request, server.clock().monotonic())?;
        Some((class, verdict))
    });
    if let Some((class, verdict)) = &verdict
        && verdict.retry_after.is_some()
    {
        server.own().count_rate_limited(*class);
        return verdict.refusal(*class);
    }
    let Ok(mut response) = tokio::time::timeout(within, next.run(request)).await else {
        let within = model::duration::format(within);
        let message = format!("the request was not answered within {within}");
        return ApiError::new(ErrorType::Timeout, message).into_response();
    };
    if let Some((_, verdict)) = verdict {
        verdict.describe(&mut response);
    }
    response
}

fn time_for(server: &Server, class: Option<Class>, path: &str) -> Duration {
    let config = server.config();
    match class {
        Some(_) => {
            let query = server.limits().query_timeout;
            let needed = config.body_timeout.saturating_add(query);
            config.request_timeout.max(needed.saturating_add(SLACK))
        }
        None if path.starts_with("/api/v1/admin/") => config.request_timeout.max(ADMIN_TIMEOUT),
        None => config.request_timeout,
    }
}
