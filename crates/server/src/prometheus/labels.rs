//! `/api/v1/series`, `/labels` and `/label/{name}/values`: what there is, by `match[]`, time and `limit`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use model::{Matcher, Reservation, Scope, SeriesSource, SourceError, Timestamp};

use super::unescape::unescape;
use super::{SUCCESS, TRUNCATED, finish};
use crate::answer::{Held, LIST_BYTES_MAX, check_length};
use crate::error::ApiError;
use crate::parameters::{Parameters, path_name};
use crate::query_gate::Caller;
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

async fn list<T: 'static>(
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
        let body = show(&all, limit, push, caller, LIST_BYTES_MAX, &mut memory)?;
        memory.shrink(all.len() * ITEM_BYTES);
        Ok(Held { body, memory })
    };
    let held = server.queries().run(server, timeout, work).await?;
    Ok(held.into_response())
}

fn show<T>(
    all: &[T],
    limit: Option<usize>,
    push: fn(&mut String, &T),
    caller: &Caller,
    bytes_max: usize,
    memory: &mut Reservation,
) -> Result<String, ApiError> {
    let shown = limit.unwrap_or(usize::MAX).min(all.len());
    let base = memory.bytes();
    let mut body = String::from(SUCCESS);
    body.push('[');
    for (index, item) in all[..shown].iter().enumerate() {
        caller.require()?;
        json::separate(&mut body, index);
        push(&mut body, item);
        check_length(body.len(), bytes_max, "match[] or limit")?;
        memory.grow_to(base + body.capacity())?;
    }
    body.push(']');
    let warnings: &[&str] = if shown < all.len() { &[TRUNCATED] } else { &[] };
    finish(&mut body, warnings, &[""; 0]);
    Ok(body)
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

#[cfg(test)]
mod tests {
    use promql::Stop;

    use super::*;
    use crate::error::ErrorType;

    fn shown(caller: &Caller, bytes_max: usize) -> Result<String, ApiError> {
        let push = |body: &mut String, text: &&str| json::push_string(body, text);
        let mut memory = Reservation::default();
        show(&["a", "b"], None, push, caller, bytes_max, &mut memory)
    }

    #[test]
    fn a_list_that_nobody_waits_for_is_not_written() {
        let caller = Caller::default();
        assert!(shown(&caller, 1000).is_ok());
        caller.leave(Stop::TimedOut);
        assert_eq!(shown(&caller, 1000).unwrap_err().type_name(), "canceled");
    }

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        let error = shown(&Caller::default(), SUCCESS.len() + 4).unwrap_err();
        let expected = format!(
            "the answer is longer than {} bytes: ask for less with match[] or limit",
            SUCCESS.len() + 4
        );
        assert_eq!(error, ApiError::new(ErrorType::Execution, expected));
    }
}
