//! `/api/v1/metadata`: type, help and unit of metrics.

use axum::extract::{Request, State};
use axum::response::Response;

use super::{SUCCESS, finish, ok};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{Server, json};

/// There is one description for each metric, so `limit_per_metric` never cuts; it is still read and checked.
pub(crate) async fn metadata(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let limit = parameters.limit("limit")?.unwrap_or(usize::MAX);
    parameters.limit("limit_per_metric")?;
    let metric = parameters.get("metric").map(str::to_owned);
    let source = server.ports().source.clone();
    let timeout = server.limits().query_timeout;
    let work = move |_: &Caller| {
        let mut all = source.metadata()?;
        if let Some(metric) = metric {
            all.retain(|name, _| *name == metric);
        }
        let mut body = String::from(SUCCESS);
        body.push('{');
        for (index, (name, metadata)) in all.iter().take(limit).enumerate() {
            json::separate(&mut body, index);
            json::push_string(&mut body, name);
            body.push_str(":[");
            let fields = [
                ("type", metadata.kind.as_str()),
                ("help", &metadata.help),
                ("unit", &metadata.unit),
            ];
            json::push_pairs(&mut body, fields.into_iter());
            body.push(']');
        }
        body.push('}');
        finish(&mut body, &[""; 0], &[""; 0]);
        Ok(body)
    };
    Ok(ok(server.queries().run(&server, timeout, work).await?))
}
