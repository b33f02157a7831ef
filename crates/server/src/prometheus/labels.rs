//! `/api/v1/series`, `/labels` and `/label/{name}/values`: what there is, by `match[]`, time and `limit`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use model::{Matcher, Scope, SeriesSource, SourceError, Timestamp};

use super::JSON;
use super::list::ListWriter;
use super::unescape::unescape;
use crate::error::ApiError;
use crate::parameters::{Parameters, path_name};
use crate::query_gate::Caller;
use crate::stream::Begun;
use crate::{Server, json};

/// What a value or a set of labels takes, about, until it is written.
const ITEM_BYTES: usize = 128;

/// `/api/v1/series`
pub(crate) async fn series(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    if parameters.all("match[]").next().is_none() {
        return Err(ApiError::parameter("match[]", "at least one is needed"));
    }
    list(&server, &parameters, json::push_labels, |source, scope| {
        source.series(scope)
    })
    .await
}

/// `/api/v1/labels`
pub(crate) async fn names(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    list(
        &server,
        &parameters,
        |body, text: &String| json::push_string(body, text),
        |source, scope| source.label_names(scope),
    )
    .await
}

/// `/api/v1/label/{name}/values`
pub(crate) async fn values(
    State(server): State<Server>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = unescape(&path_name(path)?);
    if name.is_empty() {
        return Err(ApiError::bad_data("the label's name in the path is empty"));
    }
    let parameters = Parameters::read(&server, request).await?;
    list(
        &server,
        &parameters,
        |body, text: &String| json::push_string(body, text),
        move |source, scope| source.label_values(&name, scope),
    )
    .await
}

async fn list<T: Send + 'static>(
    server: &Server,
    parameters: &Parameters,
    push: fn(&mut String, &T),
    ask: impl FnOnce(&dyn SeriesSource, &Scope) -> Result<Vec<T>, SourceError> + Send + 'static,
) -> Result<Response, ApiError> {
    let limit = parameters.limit("limit")?;
    let mut scope = read_scope(parameters, limit)?;
    let selectors: Vec<String> = parameters.all("match[]").map(str::to_owned).collect();
    let source = server.ports().source.clone();
    let timeout = server.limits().query_timeout;
    let work = move |caller: &Caller| {
        scope.selectors = read_selectors(&selectors, caller)?;
        let all = ask(&*source, &scope)?;
        let mut memory = source.budget().reservation();
        memory.grow(all.len() * ITEM_BYTES)?;
        Begun::new(ListWriter::new(all, limit, push, memory))
    };
    let begun = server.queries().run(server, timeout, work).await?;
    Ok(begun.into_response(JSON, parameters.coding()))
}

/// The scope but for its selectors. One more than is wanted is asked for, to see whether something was cut.
pub(super) fn read_scope(parameters: &Parameters, limit: Option<usize>) -> Result<Scope, ApiError> {
    let start = parameters.time("start")?.unwrap_or(Timestamp::MIN);
    let end = parameters.time("end")?.unwrap_or(Timestamp::MAX);
    if end < start {
        return Err(ApiError::parameter("end", "it is before start"));
    }
    Ok(Scope {
        selectors: Vec::new(),
        start,
        end,
        limit: limit.map_or(0, |limit| limit.saturating_add(1)),
    })
}

/// Compiles regular expressions, which takes its time.
pub(super) fn read_selectors(
    texts: &[String],
    caller: &Caller,
) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let mut selectors = Vec::with_capacity(texts.len());
    for text in texts {
        caller.require()?;
        let matchers =
            promql::parse_selector(text).map_err(|error| ApiError::parameter("match[]", error))?;
        selectors.push(matchers);
    }
    Ok(selectors)
}
