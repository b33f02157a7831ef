//! Whether an answer is the expected one.

use std::collections::BTreeMap;

use model::{CounterReset, Labels};
use promql::FloatHistogram;

use super::engine::{Found, Series, ShownHistogram};
use super::points::Point;

/// The relative error within which two floats agree.
const EPSILON: f64 = 1e-6;

/// A series with what is expected of it at some moments.
pub(super) type Expected = (Labels, Vec<(i64, Point)>);

/// Whether two values agree; NaN agrees with NaN, but for the stale one.
pub(super) fn agree(expected: f64, got: f64) -> bool {
    if model::is_stale(expected) != model::is_stale(got) {
        return false;
    }
    if expected == got || expected.is_nan() && got.is_nan() {
        return true;
    }
    let difference = (expected - got).abs();
    let sum = expected.abs() + got.abs();
    if expected == 0.0 || got == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

/// Compares series with their points, in any order.
pub(super) fn series(expected: &[Expected], got: &[Series]) -> Result<(), String> {
    let mut left: BTreeMap<&Labels, &Series> = BTreeMap::new();
    for series in got {
        if left.insert(&series.labels, series).is_some() {
            return Err(format!("{} comes twice", series.labels));
        }
    }
    for (labels, points) in expected {
        let Some(found) = left.remove(labels) else {
            let others: Vec<String> = got.iter().map(|it| it.labels.to_string()).collect();
            return Err(format!(
                "{labels} is missing, there are: {}",
                others.join(" ")
            ));
        };
        let found = &found.points;
        let wanted = points
            .iter()
            .filter(|(_, point)| !matches!(point, Point::Missing));
        let same = |((time, point), (at, value)): ((&i64, &Point), &(i64, Found))| {
            time == at && point_agrees(point, value)
        };
        let wanted: Vec<_> = wanted.map(|(time, point)| (time, point)).collect();
        if wanted.len() != found.len() || !wanted.into_iter().zip(found).all(same) {
            return Err(format!(
                "{labels}: expected {}, got {}",
                show_expected(points),
                show(found)
            ));
        }
    }
    match left.first_key_value() {
        Some((labels, series)) => {
            let shown = show(&series.points);
            Err(format!("{labels} {shown} was not expected"))
        }
        None => Ok(()),
    }
}

fn point_agrees(point: &Point, value: &Found) -> bool {
    match (point, value) {
        (Point::Float(expected), Found::Float(got)) => agree(*expected, *got),
        (
            Point::Histogram {
                histogram,
                names_reset,
            },
            Found::Histogram(got),
        ) => {
            let same_reset = !names_reset || histogram.reset == got.reset;
            same_reset && histograms_agree(histogram, got)
        }
        (Point::Histogram { histogram, .. }, Found::Shown(got)) => {
            shown_agree(&ShownHistogram::from(histogram), got)
        }
        _ => false,
    }
}

/// Compares two histograms without buckets that hold nothing.
fn histograms_agree(expected: &FloatHistogram, got: &FloatHistogram) -> bool {
    let (mut expected, mut got) = (expected.clone(), got.clone());
    expected.compact(0);
    got.compact(0);
    let all_agree = |one: &[f64], other: &[f64]| {
        one.len() == other.len() && one.iter().zip(other).all(|(a, b)| agree(*a, *b))
    };
    expected.schema == got.schema
        && agree(expected.count, got.count)
        && agree(expected.sum, got.sum)
        && expected.custom_bounds == got.custom_bounds
        && expected.zero_threshold == got.zero_threshold
        && agree(expected.zero_count, got.zero_count)
        && expected.positive.spans == got.positive.spans
        && expected.negative.spans == got.negative.spans
        && all_agree(&expected.positive.counts, &got.positive.counts)
        && all_agree(&expected.negative.counts, &got.negative.counts)
}

/// Compares what can be seen of two histograms.
fn shown_agree(expected: &ShownHistogram, got: &ShownHistogram) -> bool {
    let mut buckets = expected.buckets.iter().zip(&got.buckets);
    agree(expected.count, got.count)
        && agree(expected.sum, got.sum)
        && expected.buckets.len() == got.buckets.len()
        && buckets.all(|(expected, got)| {
            expected.rule == got.rule
                && agree(expected.lower, got.lower)
                && agree(expected.upper, got.upper)
                && agree(expected.count, got.count)
        })
}

fn show_expected(points: &[(i64, Point)]) -> String {
    let shown = points.iter().filter_map(|(time, point)| match point {
        Point::Missing => None,
        Point::Float(value) => Some(format!("{value}@{time}")),
        Point::Histogram {
            histogram,
            names_reset,
        } => {
            let mut histogram = histogram.clone();
            if !names_reset {
                histogram.reset = CounterReset::Unknown;
            }
            Some(format!("{}@{time}", histogram.test_expression()))
        }
    });
    format!("[{}]", shown.collect::<Vec<_>>().join(" "))
}

fn show(points: &[(i64, Found)]) -> String {
    let shown = points.iter().map(|(time, found)| match found {
        Found::Float(value) => format!("{value}@{time}"),
        Found::Histogram(it) => format!("{}@{time}", it.test_expression()),
        Found::Shown(it) => format!("{it:?}@{time}"),
    });
    format!("[{}]", shown.collect::<Vec<_>>().join(" "))
}
