//! Results of queries, written as Prometheus writes them: values are texts, since JSON has no NaN and no infinity.

use model::{Labels, Reservation, SampleColumns, SourceError, Timestamp};
use promql::Value;

use crate::json;

/// Appends `{"resultType":…,"result":…}` with at most `series_max` series; whether some were left out.
///
/// Errors: `memory` has no room for the text.
pub(super) fn push(
    body: &mut String,
    value: &Value,
    series_max: usize,
    memory: &mut Reservation,
) -> Result<bool, SourceError> {
    Ok(match value {
        Value::Scalar(sample) => {
            body.push_str(r#"{"resultType":"scalar","result":"#);
            json::push_sample(body, sample.timestamp, sample.value);
            body.push('}');
            false
        }
        Value::String { timestamp, value } => {
            body.push_str(r#"{"resultType":"string","result":["#);
            json::push_timestamp(body, *timestamp);
            body.push(',');
            json::push_string(body, value);
            body.push_str("]}");
            false
        }
        Value::Vector(series) => {
            body.push_str(r#"{"resultType":"vector","result":["#);
            for (index, (labels, sample)) in series.iter().take(series_max).enumerate() {
                json::separate(body, index);
                push_metric(body, labels);
                body.push_str(r#","value":"#);
                json::push_sample(body, sample.timestamp, sample.value);
                body.push('}');
                memory.grow_to(body.capacity())?;
            }
            body.push_str("]}");
            series.len() > series_max
        }
        Value::Matrix(series) => {
            body.push_str(r#"{"resultType":"matrix","result":["#);
            for (index, (labels, columns)) in series.iter().take(series_max).enumerate() {
                json::separate(body, index);
                push_metric(body, labels);
                push_values(body, columns);
                memory.grow_to(body.capacity())?;
            }
            body.push_str("]}");
            series.len() > series_max
        }
    })
}

fn push_metric(body: &mut String, labels: &Labels) {
    body.push_str(r#"{"metric":"#);
    json::push_labels(body, labels);
}

fn push_values(body: &mut String, columns: &SampleColumns) {
    body.push_str(r#","values":["#);
    let samples = columns.timestamps.iter().zip(&columns.values);
    for (index, (millis, value)) in samples.enumerate() {
        json::separate(body, index);
        json::push_sample(body, Timestamp::from_millis(*millis), *value);
    }
    body.push_str("]}");
}
