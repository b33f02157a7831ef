//! Functions of the samples in a range.

use std::sync::Arc;

use model::{CUSTOM_BUCKETS, CounterReset};
use promql::{FloatHistogram, KahanHistogram, SampleValue};

use super::numbers::{self, Sum};
use super::{Fault, Range, RangeItem, unknown};

/// What a function of a range gives for one series; none if it gives nothing.
///
/// `parameter` is the quantile of `quantile_over_time` and the seconds of `predict_linear`, `now` its moment.
pub(super) fn over(
    function: &str,
    item: &RangeItem,
    range: Range,
    parameter: f64,
    now: i64,
) -> Result<Option<SampleValue>, Fault> {
    let samples = &item.samples;
    let mut floats: Vec<(i64, f64)> = Vec::new();
    let mut histograms: Vec<(i64, &FloatHistogram)> = Vec::new();
    for (time, value) in samples {
        match value {
            SampleValue::Float(value) => floats.push((*time, *value)),
            SampleValue::Histogram(histogram) => histograms.push((*time, histogram)),
        }
    }
    let values: Vec<f64> = floats.iter().map(|(_, value)| *value).collect();
    let mixed = !floats.is_empty() && !histograms.is_empty();
    let pairs = samples.windows(2);
    let value = match function {
        "count_over_time" => samples.len() as f64,
        "present_over_time" => 1.0,
        "last_over_time" => return Ok(samples.last().map(|(_, value)| value.clone())),
        "first_over_time" => return Ok(samples.first().map(|(_, value)| value.clone())),
        "ts_of_first_over_time" => seconds(samples[0].0),
        "ts_of_last_over_time" => seconds(samples[samples.len() - 1].0),
        "rate" | "increase" | "delta" => {
            return Ok(extrapolated(function, range, &floats, &histograms));
        }
        "changes" if histograms.is_empty() => {
            let changed = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
            values
                .windows(2)
                .filter(|pair| changed(pair[0], pair[1]))
                .count() as f64
        }
        "changes" => return unknown("changes of histograms"),
        "resets" => {
            let mut resets = 0.0;
            for pair in pairs {
                let is_reset = match (&pair[0].1, &pair[1].1) {
                    (SampleValue::Float(before), SampleValue::Float(after)) => after < before,
                    (SampleValue::Histogram(before), SampleValue::Histogram(after)) => {
                        after.detect_reset(before)
                    }
                    _ => true,
                };
                resets += f64::from(u8::from(is_reset));
            }
            resets
        }
        "sum_over_time" | "avg_over_time" if mixed => return Ok(None),
        "sum_over_time" | "avg_over_time" if floats.is_empty() => {
            return Ok(sum_of_histograms(function, &histograms));
        }
        "irate" | "idelta" if !histograms.is_empty() => return unknown("irate of histograms"),
        _ if floats.is_empty() => return Ok(None),
        "sum_over_time" => {
            let sum = Sum::of(&values);
            if sum.sum.is_infinite() {
                sum.sum
            } else {
                sum.sum + sum.rest
            }
        }
        "avg_over_time" => numbers::mean(&values),
        "min_over_time" => values.iter().fold(values[0], |least, value| {
            if *value < least || least.is_nan() {
                *value
            } else {
                least
            }
        }),
        "max_over_time" => values.iter().fold(values[0], |most, value| {
            if *value > most || most.is_nan() {
                *value
            } else {
                most
            }
        }),
        "stdvar_over_time" => numbers::variance(&values),
        "stddev_over_time" => numbers::variance(&values).sqrt(),
        "quantile_over_time" => numbers::quantile(parameter, &values),
        "mad_over_time" => {
            let median = numbers::quantile(0.5, &values);
            let distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
            numbers::quantile(0.5, &distances)
        }
        "irate" | "idelta" | "deriv" | "predict_linear" if floats.len() < 2 => return Ok(None),
        "irate" | "idelta" => {
            let [(before, first), (after, last)] =
                [floats[floats.len() - 2], floats[floats.len() - 1]];
            let is_rate = function == "irate";
            let rise = if is_rate && last < first {
                last
            } else {
                last - first
            };
            if is_rate {
                rise / seconds(after - before)
            } else {
                rise
            }
        }
        "deriv" => numbers::regression(&floats, floats[0].0).0,
        "predict_linear" => {
            let (slope, intercept) = numbers::regression(&floats, now);
            slope * parameter + intercept
        }
        _ => return unknown(function),
    };
    Ok(Some(value.into()))
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

fn sum_of_histograms(function: &str, histograms: &[(i64, &FloatHistogram)]) -> Option<SampleValue> {
    let (first, rest) = histograms.split_first()?;
    let mut sum = KahanHistogram::new(first.1.clone());
    for (_, histogram) in rest {
        sum.add(histogram).ok()?;
    }
    if function == "avg_over_time" {
        sum.div(histograms.len() as f64);
    }
    Some(SampleValue::Histogram(Arc::new(sum.total())))
}

/// The rise between the first and the last sample, stretched to the range as far as samples may lie beyond them.
fn extrapolated(
    function: &str,
    range: Range,
    floats: &[(i64, f64)],
    histograms: &[(i64, &FloatHistogram)],
) -> Option<SampleValue> {
    let is_counter = function != "delta";
    if !floats.is_empty() && !histograms.is_empty() {
        return None;
    }
    let times: Vec<i64> = match floats.is_empty() {
        false => floats.iter().map(|(time, _)| *time).collect(),
        true => histograms.iter().map(|(time, _)| *time).collect(),
    };
    if times.len() < 2 {
        return None;
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let histogram = match histograms.is_empty() {
        true => None,
        false => Some(rise_of_histograms(is_counter, histograms)?),
    };
    let mut rise = 0.0;
    if let (Some((_, first)), Some((_, last))) = (floats.first(), floats.last()) {
        rise = last - first;
        for pair in floats.windows(2) {
            if is_counter && pair[1].1 < pair[0].1 {
                rise += pair[0].1;
            }
        }
    }
    let mut to_start = seconds(first - range.start);
    let mut to_end = seconds(range.end - last);
    let sampled = seconds(last - first);
    let average = sampled / (times.len() - 1) as f64;
    let threshold = average * 1.1;
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    if is_counter {
        let mut to_zero = to_start;
        if let Some(histogram) = &histogram {
            let first = histograms[0].1.count;
            if histogram.count > 0.0 && first >= 0.0 {
                to_zero = sampled * (first / histogram.count);
            }
        } else if rise > 0.0 && floats[0].1 >= 0.0 {
            to_zero = sampled * (floats[0].1 / rise);
        }
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if function == "rate" {
        factor /= seconds(range.end - range.start);
    }
    Some(match histogram {
        Some(mut histogram) => {
            histogram.mul(factor);
            SampleValue::Histogram(Arc::new(histogram))
        }
        None => (rise * factor).into(),
    })
}

fn rise_of_histograms(
    is_counter: bool,
    histograms: &[(i64, &FloatHistogram)],
) -> Option<FloatHistogram> {
    let last = histograms[histograms.len() - 1].1;
    let mut before = histograms[0].1.clone();
    let second = histograms[1].1;
    if is_counter && second.detect_reset(&before) {
        // Nothing of what came before the reset counts, whatever its buckets are.
        before = FloatHistogram::empty(second.schema);
        before.custom_bounds = second.custom_bounds.clone();
    }
    let custom = |histogram: &FloatHistogram| histogram.schema == CUSTOM_BUCKETS;
    if custom(last) != custom(&before) {
        return None;
    }
    let mut schema = before.schema.min(last.schema);
    for (_, histogram) in &histograms[1..] {
        if !is_counter {
            continue;
        }
        if custom(histogram) != custom(&before) {
            return None;
        }
        schema = schema.min(histogram.schema);
    }
    let mut rise = last.clone();
    if schema != CUSTOM_BUCKETS {
        rise.reduce(schema);
    }
    rise.sub(&before).ok()?;
    if is_counter {
        for (_, histogram) in &histograms[1..] {
            if histogram.detect_reset(&before) {
                rise.add(&before).ok()?;
            }
            before = FloatHistogram::clone(histogram);
        }
    }
    rise.reset = CounterReset::Gauge;
    rise.compact(0);
    Some(rise)
}
