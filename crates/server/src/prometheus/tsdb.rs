//! `/api/v1/status/tsdb`: what the store holds, and what there is most of.
//!
//! Prometheus' shape, and besides it what Prometheus does not tell: the samples of the head and the sum of all blocks.

use axum::extract::{Request, State};
use axum::response::Response;
use model::{NamedCount, StorageStatistics, Timestamp};

use super::{SUCCESS, finish, ok};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{Server, json};

/// Names in each list when no other limit is given, and at most; both as in Prometheus.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 10_000;

/// `GET /api/v1/status/tsdb`
pub(crate) async fn status(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(&server, request).await?;
    let limit = read_limit(&parameters)?;
    let storage = server.ports().storage.clone();
    let timeout = server.limits().query_timeout;
    let work = move |_: &Caller| Ok(show(&storage.statistics(limit)));
    Ok(ok(server.queries().run(&server, timeout, work).await?))
}

fn read_limit(parameters: &Parameters) -> Result<usize, ApiError> {
    let Some(text) = parameters.get("limit") else {
        return Ok(LIMIT_DEFAULT);
    };
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| {
            let reason = format_args!("{text:?} is no whole number from 1 to {LIMIT_MAX}");
            ApiError::parameter("limit", reason)
        })
}

fn show(statistics: &StorageStatistics) -> String {
    let mut body = String::from(SUCCESS);
    let head = &statistics.head;
    body.push_str(r#"{"headStats":"#);
    let (first, last) = bounds(head.range);
    push_numbers(
        &mut body,
        [
            ("numSeries", head.series),
            ("numLabelPairs", head.label_pairs),
            ("chunkCount", head.chunks),
            ("sampleCount", head.samples),
        ],
        first,
        last,
    );
    let blocks = &statistics.blocks;
    body.push_str(r#","blockStats":"#);
    let (first, last) = bounds(blocks.range);
    let numbers = [("count", blocks.count), ("bytes", blocks.bytes)];
    push_numbers(&mut body, numbers, first, last);
    for (name, counts) in [
        ("seriesCountByMetricName", &statistics.series_by_metric),
        ("labelValueCountByLabelName", &statistics.values_by_label),
        ("memoryInBytesByLabelName", &statistics.bytes_by_label),
        ("seriesCountByLabelValuePair", &statistics.series_by_pair),
    ] {
        body.push(',');
        json::push_string(&mut body, name);
        body.push(':');
        push_counts(&mut body, counts);
    }
    body.push('}');
    finish(&mut body, &[""; 0], &[""; 0]);
    body
}

/// Without samples the first moment is after the last, as Prometheus has it.
fn bounds(range: Option<(Timestamp, Timestamp)>) -> (i64, i64) {
    range.map_or((i64::MAX, i64::MIN), |(first, last)| {
        (first.as_millis(), last.as_millis())
    })
}

fn push_numbers<const N: usize>(
    body: &mut String,
    numbers: [(&str, u64); N],
    first: i64,
    last: i64,
) {
    body.push('{');
    for (name, number) in numbers {
        json::push_string(body, name);
        body.push(':');
        json::push_display(body, number);
        body.push(',');
    }
    body.push_str(r#""minTime":"#);
    json::push_display(body, first);
    body.push_str(r#","maxTime":"#);
    json::push_display(body, last);
    body.push('}');
}

fn push_counts(body: &mut String, counts: &[NamedCount]) {
    body.push('[');
    for (index, NamedCount { name, count }) in counts.iter().enumerate() {
        json::separate(body, index);
        body.push_str(r#"{"name":"#);
        json::push_string(body, name);
        body.push_str(r#","value":"#);
        json::push_display(body, count);
        body.push('}');
    }
    body.push(']');
}
