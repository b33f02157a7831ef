//! Whether an answer is the expected one.

use std::collections::BTreeMap;

use model::{Labels, SampleColumns};

/// The relative error within which two floats agree.
const EPSILON: f64 = 1e-6;

/// Whether two values agree; NaN agrees with NaN.
pub(super) fn agree(expected: f64, got: f64) -> bool {
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
pub(super) fn series(
    expected: &[(Labels, SampleColumns)],
    got: &[(Labels, SampleColumns)],
) -> Result<(), String> {
    let mut left: BTreeMap<&Labels, &SampleColumns> = BTreeMap::new();
    for (labels, samples) in got {
        if left.insert(labels, samples).is_some() {
            return Err(format!("{labels} comes twice"));
        }
    }
    for (labels, samples) in expected {
        let Some(found) = left.remove(labels) else {
            let others: Vec<String> = got.iter().map(|(labels, _)| labels.to_string()).collect();
            return Err(format!(
                "{labels} is missing, there are: {}",
                others.join(" ")
            ));
        };
        let same_values = samples.values.len() == found.values.len()
            && samples
                .values
                .iter()
                .zip(&found.values)
                .all(|(a, b)| agree(*a, *b));
        if samples.timestamps != found.timestamps || !same_values {
            return Err(format!(
                "{labels}: expected {}, got {}",
                shown(samples),
                shown(found)
            ));
        }
    }
    match left.first_key_value() {
        Some((labels, samples)) => Err(format!("{labels} {} was not expected", shown(samples))),
        None => Ok(()),
    }
}

fn shown(samples: &SampleColumns) -> String {
    let points = samples.timestamps.iter().zip(&samples.values);
    let shown: Vec<String> = points
        .map(|(time, value)| format!("{value}@{time}"))
        .collect();
    format!("[{}]", shown.join(" "))
}
