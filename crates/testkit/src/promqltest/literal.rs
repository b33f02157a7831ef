//! A native histogram as text: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`. What is not named is 0 or empty.

use model::{BucketSpan, CounterReset};
use promql::{Buckets, FloatHistogram};

use super::points::number;

/// A histogram, and whether its text says something about resets.
#[derive(Debug)]
pub(super) struct Literal {
    pub(super) histogram: FloatHistogram,
    pub(super) names_reset: bool,
}

/// Reads the literal at the start of the text; gives what follows it, too.
pub(super) fn read(text: &str) -> Result<(Literal, &str), String> {
    let inside = text
        .strip_prefix("{{")
        .ok_or_else(|| format!("expected a histogram at {text:?}"))?;
    let end = inside
        .find("}}")
        .ok_or_else(|| format!("the histogram has no end: {text:?}"))?;
    let literal = read_fields(&inside[..end])?;
    Ok((literal, &inside[end + 2..]))
}

fn read_fields(text: &str) -> Result<Literal, String> {
    let mut histogram = FloatHistogram::empty(0);
    let mut names_reset = false;
    let (mut offset, mut negative_offset) = (0, 0);
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once(':')
            .ok_or_else(|| format!("a field of a histogram is `name:value`, not {rest:?}"))?;
        let key = key.trim();
        let (value, after) = split_value(after.trim_start())?;
        rest = after.trim_start();
        let one = || number(value).ok_or_else(|| format!("{key} is no number: {value:?}"));
        let whole = || {
            let number = value.parse::<i32>();
            number.map_err(|_| format!("{key} is no whole number: {value:?}"))
        };
        match key {
            "schema" => histogram.schema = whole()?,
            "sum" => histogram.sum = one()?,
            "count" => histogram.count = one()?,
            "z_bucket" => histogram.zero_count = one()?,
            "z_bucket_w" => histogram.zero_threshold = one()?,
            "custom_values" => histogram.custom_bounds = numbers(key, value)?.into(),
            "buckets" => histogram.positive.counts = numbers(key, value)?,
            "n_buckets" => histogram.negative.counts = numbers(key, value)?,
            "offset" => offset = whole()?,
            "n_offset" => negative_offset = whole()?,
            "counter_reset_hint" => {
                names_reset = true;
                histogram.reset = match value {
                    "unknown" => CounterReset::Unknown,
                    "reset" => CounterReset::Yes,
                    "not_reset" => CounterReset::No,
                    "gauge" => CounterReset::Gauge,
                    _ => return Err(format!("unknown counter_reset_hint {value:?}")),
                };
            }
            _ => return Err(format!("a histogram has no field {key:?}")),
        }
    }
    cover(&mut histogram.positive, offset);
    cover(&mut histogram.negative, negative_offset);
    Ok(Literal {
        histogram,
        names_reset,
    })
}

/// One span for all buckets.
fn cover(buckets: &mut Buckets, offset: i32) {
    let length = u32::try_from(buckets.counts.len()).unwrap_or(u32::MAX);
    if length > 0 {
        buckets.spans = vec![BucketSpan { offset, length }];
    }
}

/// A word or a list in brackets, and what follows.
fn split_value(text: &str) -> Result<(&str, &str), String> {
    if text.starts_with('[') {
        let end = text
            .find(']')
            .ok_or_else(|| format!("the list has no end: {text:?}"))?;
        return Ok((&text[..=end], &text[end + 1..]));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Ok((&text[..end], &text[end..]))
}

fn numbers(key: &str, text: &str) -> Result<Vec<f64>, String> {
    let inside = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let inside = inside.ok_or_else(|| format!("{key} is no list in brackets: {text:?}"))?;
    let mut values = Vec::new();
    for word in inside.split_whitespace() {
        values.push(number(word).ok_or_else(|| format!("{key} holds no number: {word:?}"))?);
    }
    Ok(values)
}
