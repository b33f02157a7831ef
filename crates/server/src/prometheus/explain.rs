//! `/api/v1/explain_query`: the plan of a query, with the series and samples that each part of it saw.

use axum::extract::{Request, State};
use axum::response::Response;
use promql::{ExplainedNode, Window};

use super::query::{Question, read_window, refusal};
use super::{SUCCESS, ok};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{QueryKind, RunningQuery, Server, answer, json};

/// Explains an instant query, or a range query if it has a `start`, an `end` or a `step`. The query is evaluated for that.
pub(crate) async fn explain(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let of_range = ["start", "end", "step"];
    let window = match of_range.iter().find_map(|name| parameters.get(name)) {
        Some(_) => read_window(&parameters)?,
        None => {
            let time = parameters.time("time")?;
            let time = time.unwrap_or_else(|| server.clock().now());
            Window {
                start: time,
                end: time,
                step: std::time::Duration::ZERO,
            }
        }
    };
    let question = Question::read(&server, &parameters)?;
    let source = server.ports().source.clone();
    let running = server.running();
    let running = running.start(QueryKind::Explain, &question.text, question.asker);
    let timeout = question.timeout;
    let work = move |caller: &Caller, running: &RunningQuery| {
        let expression =
            promql::parse(&question.text).map_err(|error| ApiError::parameter("query", error))?;
        let (limits, interrupt) = (&question.evaluation, caller.interrupt());
        let explained = promql::explain(&*source, &expression, &window, limits, interrupt)
            .inspect_err(|error| running.fail(error))
            .map_err(|error| refusal(error, timeout))?;
        let mut body = String::from(SUCCESS);
        body.push_str(r#"{"nodes":["#);
        for (index, node) in explained.nodes.iter().enumerate() {
            json::separate(&mut body, index);
            push_node(&mut body, node);
            // The text of a part stands in all that it is a part of.
            answer::check_length(body.len(), answer::LIST_BYTES_MAX, "a shorter query")?;
        }
        body.push_str("]}}");
        Ok(body)
    };
    let gate = server.queries();
    Ok(ok(gate.run_query(&server, timeout, running, work).await?))
}

fn push_node(body: &mut String, node: &ExplainedNode) {
    body.push_str(r#"{"depth":"#);
    json::push_display(body, node.depth);
    body.push_str(r#","query":"#);
    json::push_string(body, &node.text);
    body.push_str(r#","steps":"#);
    json::push_display(body, node.steps);
    if let Some((selection, series)) = node.selection {
        body.push_str(r#","selection":"#);
        json::push_display(body, selection + 1);
        body.push_str(r#","selected_series":"#);
        json::push_display(body, series);
    }
    body.push_str(r#","series":"#);
    json::push_display(body, node.series);
    body.push_str(r#","samples":"#);
    json::push_display(body, node.samples);
    body.push('}');
}
