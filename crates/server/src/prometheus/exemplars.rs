//! `/api/v1/query_exemplars`: the exemplars of the series that an expression selects.

use axum::extract::{Request, State};
use axum::response::Response;
use model::{Exemplar, Labels, Scope, Timestamp};

use super::{SUCCESS, finish, ok};
use crate::answer::{LIST_BYTES_MAX, check_length};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{Server, json};

/// Of the expression only its selectors matter; what it computes, and offsets, do not.
pub(crate) async fn exemplars(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let start = parameters.time("start")?.unwrap_or(Timestamp::MIN);
    let end = parameters.time("end")?.unwrap_or(Timestamp::MAX);
    if end < start {
        return Err(ApiError::parameter("end", "it is before start"));
    }
    let text = parameters.required("query")?.to_owned();
    let source = server.ports().source.clone();
    let timeout = server.limits().query_timeout;
    let work = move |caller: &Caller| {
        let expression =
            promql::parse(&text).map_err(|error| ApiError::parameter("query", error))?;
        let selectors = expression.selectors().into_iter();
        let scope = Scope {
            selectors: selectors.map(|one| one.matchers.clone()).collect(),
            start,
            end,
            limit: 0,
        };
        // A scope without selectors would be every series.
        let found = match scope.selectors.is_empty() {
            true => Vec::new(),
            false => source.exemplars(&scope)?,
        };
        show(&found, caller, LIST_BYTES_MAX)
    };
    Ok(ok(server.queries().run(&server, timeout, work).await?))
}

fn show(
    found: &[(Labels, Vec<Exemplar>)],
    caller: &Caller,
    bytes_max: usize,
) -> Result<String, ApiError> {
    let mut body = String::from(SUCCESS);
    body.push('[');
    for (index, (labels, exemplars)) in found.iter().enumerate() {
        caller.require()?;
        json::separate(&mut body, index);
        body.push_str(r#"{"seriesLabels":"#);
        json::push_labels(&mut body, labels);
        body.push_str(r#","exemplars":["#);
        for (index, exemplar) in exemplars.iter().enumerate() {
            json::separate(&mut body, index);
            push_exemplar(&mut body, exemplar);
            check_length(body.len(), bytes_max, "query, start or end")?;
        }
        body.push_str("]}");
    }
    body.push(']');
    finish(&mut body, &[""; 0], &[""; 0]);
    Ok(body)
}

fn push_exemplar(body: &mut String, exemplar: &Exemplar) {
    body.push_str(r#"{"labels":"#);
    json::push_labels(body, &exemplar.labels);
    body.push_str(r#","value":""#);
    wire::float::push_json(body, exemplar.value);
    body.push_str(r#"","timestamp":"#);
    json::push_timestamp(body, exemplar.timestamp);
    body.push('}');
}
