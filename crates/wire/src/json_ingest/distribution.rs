//! Histograms and summaries: from an object of bounds or quantiles to the series of the classic form.

use super::fields::{self, Fields};
use super::json::Json;
use crate::float;

/// One series of a metric.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// What follows the metric's name.
    pub(super) suffix: &'static str,
    /// `le` or `quantile`.
    pub(super) label: Option<(&'static str, String)>,
    pub(super) value: f64,
}

impl Part {
    /// The only series of a gauge or counter.
    pub(super) fn plain(value: f64) -> Self {
        Self::with_suffix("", value)
    }

    fn with_suffix(suffix: &'static str, value: f64) -> Self {
        Self {
            suffix,
            label: None,
            value,
        }
    }
}

/// `_bucket` by rising bound, `_sum`, `_count`. A bucket `+Inf` that is absent is added, as it holds all.
pub(super) fn histogram(fields: &mut Fields, problems: &mut Vec<String>) -> Option<Vec<Part>> {
    let buckets = points(fields, "buckets", problems);
    let sum = fields.take_number("sum", problems);
    let count = count(fields, problems);
    let (mut buckets, sum, count) = (buckets?, sum?, count?);
    match buckets.last_mut() {
        Some(last) if last.key == f64::INFINITY => {
            if last.value != count {
                problems.push(format!(
                    "buckets: \"+Inf\" is {}, it must equal count, which is {count}",
                    last.value
                ));
            }
            last.name = "+Inf".to_owned();
        }
        _ => buckets.push(Point {
            name: "+Inf".to_owned(),
            key: f64::INFINITY,
            value: count,
        }),
    }
    let mut below = 0.0;
    for Point { name, value, .. } in &buckets {
        if value.is_nan() || *value < 0.0 {
            problems.push(format!("buckets: {name:?} is {value}, it must be a count"));
        } else if *value < below {
            problems.push(format!(
                "buckets: {name:?} is {value}, less than the bucket before it, which is {below}: a bucket holds the smaller ones too"
            ));
        }
        below = value.max(below);
    }
    Some(parts("_bucket", "le", buckets, sum, count))
}

/// The metric's own name by rising quantile, `_sum`, `_count`.
pub(super) fn summary(fields: &mut Fields, problems: &mut Vec<String>) -> Option<Vec<Part>> {
    let quantiles = points(fields, "quantiles", problems);
    let sum = fields.take_number("sum", problems);
    let count = count(fields, problems);
    let (quantiles, sum, count) = (quantiles?, sum?, count?);
    for quantile in &quantiles {
        if !(0.0..=1.0).contains(&quantile.key) {
            problems.push(format!(
                "quantiles: {:?} is no quantile, it must be from 0 to 1",
                quantile.name
            ));
        }
    }
    Some(parts("", "quantile", quantiles, sum, count))
}

/// An entry of `buckets` or `quantiles`.
struct Point {
    /// The bound or quantile as it was written.
    name: String,
    key: f64,
    value: f64,
}

fn parts(
    suffix: &'static str,
    label: &'static str,
    points: Vec<Point>,
    sum: f64,
    count: f64,
) -> Vec<Part> {
    let mut parts = Vec::with_capacity(points.len() + 2);
    for point in points {
        parts.push(Part {
            suffix,
            label: Some((label, point.name)),
            value: point.value,
        });
    }
    parts.push(Part::with_suffix("_sum", sum));
    parts.push(Part::with_suffix("_count", count));
    parts
}

/// The entries of an object whose names are numbers, by rising number.
fn points(fields: &mut Fields, field: &str, problems: &mut Vec<String>) -> Option<Vec<Point>> {
    let entries = match fields.take(field) {
        Some(Json::Object(entries)) => entries,
        found => {
            let found = found.map_or("missing", |value| value.kind());
            problems.push(format!(
                "{field} is {found}, it must be an object of numbers"
            ));
            return None;
        }
    };
    let mut points = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        let key = float::parse(&name).filter(|key| !key.is_nan());
        if key.is_none() {
            problems.push(format!("{field}: {name:?} is no number"));
        }
        let value = fields::number(&format!("{field}: {name:?}"), &value, problems);
        if let (Some(key), Some(value)) = (key, value) {
            points.push(Point { name, key, value });
        }
    }
    points.sort_by(|left, right| left.key.total_cmp(&right.key));
    for pair in points.windows(2) {
        if pair[0].key == pair[1].key {
            let (first, second) = (&pair[0].name, &pair[1].name);
            problems.push(format!(
                "{field}: {first:?} and {second:?} are the same number"
            ));
        }
    }
    Some(points)
}

fn count(fields: &mut Fields, problems: &mut Vec<String>) -> Option<f64> {
    let count = fields.take_number("count", problems)?;
    if count >= 0.0 && count.is_finite() {
        return Some(count);
    }
    problems.push(format!(
        "count is {count}, it must not be negative or infinite"
    ));
    None
}
