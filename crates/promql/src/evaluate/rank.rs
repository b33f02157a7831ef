//! Order among values: quantiles, and the comparison in which NaN is always last.

use std::cmp::Ordering;

/// The quantile of values, by interpolation between its neighbours; NaN counts as the smallest value.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| nan_first(*a, *b));
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = (rank.floor().max(0.0) as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Ascending, NaN before everything else.
fn nan_first(a: f64, b: f64) -> Ordering {
    b.is_nan()
        .cmp(&a.is_nan())
        .then(a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// Ascending, NaN after everything else.
pub(super) fn ascending(a: f64, b: f64) -> Ordering {
    a.is_nan()
        .cmp(&b.is_nan())
        .then(a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// Descending, NaN after everything else.
pub(super) fn descending(a: f64, b: f64) -> Ordering {
    a.is_nan()
        .cmp(&b.is_nan())
        .then(b.partial_cmp(&a).unwrap_or(Ordering::Equal))
}

/// What is to be said of a quantile outside 0 to 1, if anything.
pub(super) fn quantile_warning(q: f64) -> Option<String> {
    if (0.0..=1.0).contains(&q) {
        return None;
    }
    Some(format!(
        "quantile value should be between 0 and 1, got {}",
        shown(q)
    ))
}

/// A number as annotations show it: with an exponent if that is below -4 or from 21 on.
pub(super) fn shown(value: f64) -> String {
    let exponent = value.abs().log10().floor();
    if !value.is_finite() || value == 0.0 || (-4.0..21.0).contains(&exponent) {
        return crate::printer::format_float(value);
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, number) = match exponent.strip_prefix('-') {
                Some(number) => ('-', number),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{number:0>2}")
        }
        None => text,
    }
}
