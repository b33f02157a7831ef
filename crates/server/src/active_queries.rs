//! `/api/v1/status/active_queries` and `top_queries`: what runs and who asked for it, what was asked most; and how to end
//! a query.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;

use crate::auth::Audit;
use crate::auth::visitor::Visitor;
use crate::error::{ApiError, ErrorType};
use crate::parameters::{Parameters, path_name};
use crate::prometheus::{SUCCESS, ok};
use crate::running::{ActiveQuery, Order, QueryKind, Totals};
use crate::{Server, json};

/// Expressions in each list of `top_queries`, unless the request says otherwise, and at most.
const TOP_DEFAULT: usize = 20;
const TOP_MAX: usize = 1000;

/// `GET /api/v1/status/active_queries`: the oldest first.
pub(crate) async fn list(State(server): State<Server>) -> Response {
    let mut body = String::from(SUCCESS);
    body.push('[');
    for (index, query) in server.running().list().iter().enumerate() {
        json::separate(&mut body, index);
        push_active(&mut body, query);
    }
    body.push_str("]}");
    ok(body)
}

/// `DELETE /api/v1/status/active_queries/{id}`: the query ends, and whoever waits for it gets `canceled`.
pub(crate) async fn cancel(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let text = path_name(id)?;
    let id: u64 = text
        .parse()
        .map_err(|_| ApiError::bad_data(format!("{text:?} is no number of a query, such as 17")))?;
    if !server.running().cancel(id) {
        let message = format!("no query {id} runs: it has ended, or there never was one");
        return Err(ApiError::new(ErrorType::NotFound, message));
    }
    let audit = Audit::of("query.cancel", format!("query:{id}"));
    server.audit(&visitor, audit).await;
    tracing::info!(id, "a query was canceled by a request");
    Ok(ok(format!(r#"{SUCCESS}{{"id":"{id}"}}}}"#)))
}

/// `GET /api/v1/status/top_queries`: by count, by total and by average time.
pub(crate) async fn top(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let count = parameters.limit("limit")?.unwrap_or(TOP_DEFAULT);
    let mut body = String::from(SUCCESS);
    for (index, (name, order)) in [
        ("by_count", Order::Count),
        ("by_total_duration", Order::Total),
        ("by_average_duration", Order::Average),
    ]
    .into_iter()
    .enumerate()
    {
        body.push(if index == 0 { '{' } else { ',' });
        json::push_string(&mut body, name);
        body.push_str(":[");
        let top = server.running().top(order, count.min(TOP_MAX));
        for (index, (kind, expression, totals)) in top.iter().enumerate() {
            json::separate(&mut body, index);
            push_top(&mut body, *kind, expression, totals);
        }
        body.push(']');
    }
    body.push_str("}}");
    Ok(ok(body))
}

fn push_active(body: &mut String, query: &ActiveQuery) {
    // A string, since numbers in JSON are floats to many.
    body.push_str(r#"{"id":""#);
    json::push_display(body, query.id);
    body.push_str(r#"","query":"#);
    json::push_string(body, &query.expression);
    body.push_str(r#","kind":""#);
    body.push_str(query.kind.as_str());
    body.push_str(r#"","state":""#);
    body.push_str(if query.is_waiting {
        "waiting"
    } else {
        "running"
    });
    body.push_str(r#"","client":"#);
    json::push_string(body, &query.asker.address);
    body.push_str(r#","user_agent":"#);
    json::push_string(body, &query.asker.user_agent);
    body.push_str(r#","started":"#);
    json::push_timestamp(body, query.started);
    body.push_str(r#","duration_seconds":"#);
    json::push_number(body, query.duration.as_secs_f64());
    body.push_str(r#","samples":"#);
    json::push_display(body, query.progress.samples_read);
    body.push_str(r#","series":"#);
    json::push_display(body, query.progress.series);
    body.push_str(r#","bytes_peak":"#);
    json::push_display(body, query.progress.bytes_peak);
    body.push('}');
}

fn push_top(body: &mut String, kind: QueryKind, expression: &str, totals: &Totals) {
    body.push_str(r#"{"query":"#);
    json::push_string(body, expression);
    body.push_str(r#","kind":""#);
    body.push_str(kind.as_str());
    body.push_str(r#"","count":"#);
    json::push_display(body, totals.count);
    for (name, duration) in [
        ("total_seconds", totals.total),
        ("average_seconds", totals.average()),
        ("longest_seconds", totals.longest),
    ] {
        body.push_str(",\"");
        body.push_str(name);
        body.push_str("\":");
        json::push_number(body, duration.as_secs_f64());
    }
    body.push('}');
}
