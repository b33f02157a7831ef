//! One metric of a body: its fields, checked, and the series that it becomes.

use model::{Labels, LabelsBuilder, Metadata, MetricKind, NAME, Timestamp};

use super::distribution::{self, Part};
use super::fields::Fields;
use super::json::Json;
use super::{IngestError, IngestedMetric};
use crate::time;

const FIELDS: [&str; 11] = [
    "name",
    "type",
    "value",
    "labels",
    "timestamp",
    "help_text",
    "unit",
    "buckets",
    "quantiles",
    "sum",
    "count",
];

/// Who reads a list of problems reads its beginning.
pub(super) const PROBLEMS_MAX: usize = 20;

/// The last second of the year 9999; a larger number is milliseconds taken for seconds.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// Bytes of the labels of all series of one body. Each bucket repeats the labels of its histogram, so that a long
/// label and many buckets would become any multiple of what was sent.
pub(super) const LABEL_BYTES_MAX: usize = 64 << 20;

/// Reads a metric, whose labels take from `label_bytes_left`.
///
/// Errors: all that is wrong with it.
pub(super) fn read(
    value: Json,
    label_bytes_left: &mut usize,
) -> Result<IngestedMetric, IngestError> {
    let mut problems = Vec::new();
    let metric = Fields::of(value, &FIELDS, &mut problems)
        .and_then(|fields| read_fields(fields, label_bytes_left, &mut problems));
    match metric {
        Some(metric) if problems.is_empty() => Ok(metric),
        _ => Err(invalid(problems)),
    }
}

/// The first problems, and how many more there are: a hostile body may have a million.
fn invalid(mut problems: Vec<String>) -> IngestError {
    let left_out = problems.len().saturating_sub(PROBLEMS_MAX);
    if left_out > 0 {
        problems.truncate(PROBLEMS_MAX);
        problems.push(format!("and {left_out} more problems"));
    }
    IngestError::Invalid(problems)
}

fn read_fields(
    mut fields: Fields,
    label_bytes_left: &mut usize,
    problems: &mut Vec<String>,
) -> Option<IngestedMetric> {
    let name = read_name(&mut fields, problems);
    let kind = read_kind(&mut fields, problems);
    let labels = read_labels(fields.take("labels"), kind, problems);
    let timestamp = fields
        .take("timestamp")
        .and_then(|value| read_timestamp(&value, problems));
    let metadata = Metadata {
        kind: kind.unwrap_or_default(),
        help: fields
            .take_string("help_text", problems)
            .unwrap_or_default(),
        unit: fields.take_string("unit", problems).unwrap_or_default(),
    };
    let parts = match kind? {
        MetricKind::Histogram => distribution::histogram(&mut fields, problems),
        MetricKind::Summary => distribution::summary(&mut fields, problems),
        _ => {
            let value = fields.take_number("value", problems);
            value.map(|value| vec![Part::plain(value)])
        }
    };
    refuse_foreign_fields(fields, metadata.kind, problems);
    let (name, labels, parts) = (name?, labels?, parts?);
    if !problems.is_empty() {
        return None;
    }
    let pairs = labels.iter().map(|(name, value)| name.len() + value.len());
    let label_bytes = (name.len() + pairs.sum::<usize>()).saturating_mul(parts.len());
    let Some(left) = label_bytes_left.checked_sub(label_bytes) else {
        let count = parts.len();
        problems.push(format!(
            "labels: repeated in {count} series they make this request longer than {LABEL_BYTES_MAX} bytes: \
             send smaller requests"
        ));
        return None;
    };
    *label_bytes_left = left;
    let mut samples = Vec::with_capacity(parts.len());
    for part in parts {
        match series(&name, &labels, &part) {
            Ok(series) => samples.push((series, part.value)),
            Err(error) => {
                problems.push(format!("labels: {error}"));
                return None;
            }
        }
    }
    Some(IngestedMetric {
        name,
        metadata,
        samples,
        timestamp,
    })
}

fn series(
    name: &str,
    labels: &[(String, String)],
    part: &Part,
) -> Result<Labels, model::InvalidLabels> {
    let mut builder = LabelsBuilder::with_name(&format!("{name}{}", part.suffix));
    for (name, value) in labels {
        builder.push(name, value);
    }
    if let Some((name, value)) = &part.label {
        builder.push(name, value);
    }
    builder.build()
}

fn read_name(fields: &mut Fields, problems: &mut Vec<String>) -> Option<String> {
    let problems_before = problems.len();
    let name = fields.take_string("name", problems);
    if name.as_ref().is_some_and(|name| !name.is_empty()) {
        return name;
    }
    if problems.len() == problems_before {
        problems.push("name is missing or empty: write the metric's name".to_owned());
    }
    None
}

fn read_kind(fields: &mut Fields, problems: &mut Vec<String>) -> Option<MetricKind> {
    let found = match fields.take("type") {
        None => "is missing".to_owned(),
        Some(Json::String(text)) => match text.as_str() {
            "gauge" => return Some(MetricKind::Gauge),
            "counter" => return Some(MetricKind::Counter),
            "histogram" => return Some(MetricKind::Histogram),
            "summary" => return Some(MetricKind::Summary),
            other => format!("is {other:?}"),
        },
        Some(other) => format!("is {}", other.kind()),
    };
    problems.push(format!(
        "type {found}, it must be gauge, counter, histogram or summary"
    ));
    None
}

fn read_labels(
    value: Option<Json>,
    kind: Option<MetricKind>,
    problems: &mut Vec<String>,
) -> Option<Vec<(String, String)>> {
    let entries = match value {
        None => return Some(Vec::new()),
        Some(Json::Object(entries)) => entries,
        Some(other) => {
            let found = other.kind();
            problems.push(format!(
                "labels is {found}, it must be an object of strings"
            ));
            return None;
        }
    };
    let reserved = match kind {
        Some(MetricKind::Histogram) => Some("le"),
        Some(MetricKind::Summary) => Some("quantile"),
        _ => None,
    };
    let mut labels = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        if name.is_empty() {
            problems.push("labels: a name is empty".to_owned());
        } else if name == NAME {
            problems.push(format!("labels: {NAME} is given by the field name"));
        } else if name.starts_with("__") {
            problems.push(format!(
                "labels: {name:?} starts with __, which is reserved"
            ));
        } else if reserved == Some(name.as_str()) {
            problems.push(format!(
                "labels: {name:?} is given by the buckets or quantiles"
            ));
        }
        match value {
            Json::String(value) => labels.push((name, value)),
            other => problems.push(format!(
                "labels: {name:?} is {}, it must be a string",
                other.kind()
            )),
        }
    }
    Some(labels)
}

fn read_timestamp(value: &Json, problems: &mut Vec<String>) -> Option<Timestamp> {
    let problem = match value {
        Json::Number(seconds) if *seconds < 0.0 => "timestamp is before 1970".to_owned(),
        Json::Number(seconds) if *seconds > SECONDS_MAX => {
            "timestamp is after the year 9999: it must be in seconds, not milliseconds".to_owned()
        }
        Json::Number(seconds) => return Some(Timestamp::from_seconds(*seconds)),
        Json::String(text) => match time::parse_rfc3339(text) {
            Ok(timestamp) if timestamp.as_millis() < 0 => "timestamp is before 1970".to_owned(),
            Ok(timestamp) => return Some(timestamp),
            Err(error) => format!("timestamp: {error}, or seconds since 1970 as a number"),
        },
        other => format!(
            "timestamp is {}, it must be RFC 3339 or seconds since 1970",
            other.kind()
        ),
    };
    problems.push(problem);
    None
}

/// Fields that belong to another type than the metric's.
fn refuse_foreign_fields(mut fields: Fields, kind: MetricKind, problems: &mut Vec<String>) {
    let own = match kind {
        MetricKind::Histogram => "buckets, sum and count",
        MetricKind::Summary => "quantiles, sum and count",
        _ => "value",
    };
    for name in ["value", "buckets", "quantiles", "sum", "count"] {
        if fields.take(name).is_some() {
            problems.push(format!("{name} does not belong to a {kind}: it has {own}"));
        }
    }
}
