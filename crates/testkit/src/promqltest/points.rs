//! The notation of points: `1 2 3`, `1+2x3`, `5x3`, `_`, `stale`, `{{sum:5 count:4}}+{{sum:1 count:1}}x2`.

use model::stale_marker;
use promql::FloatHistogram;

use super::literal;

/// What stands at one step.
#[derive(Debug, Clone)]
pub(super) enum Point {
    /// No sample.
    Missing,
    /// A number, or a stale marker.
    Float(f64),
    /// A native histogram.
    Histogram {
        /// The histogram, whose hint about resets counts only …
        histogram: FloatHistogram,
        /// … if it was written down.
        names_reset: bool,
    },
}

/// Points that are repeated at most so often: more would be a slip of the pen that fills the memory.
const TIMES_MAX: usize = 100_000;

/// Reads points up to the end of the text.
pub(super) fn read(text: &str) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        rest = if rest.starts_with("{{") {
            read_histograms(rest, &mut points)?
        } else {
            let (token, after) = token(rest);
            read_floats(token, &mut points)?;
            after
        };
    }
    Ok(points)
}

/// A line that is nothing but a number, in any form that the language has.
pub(super) fn scalar(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(value) = number(unsigned) {
        return Some(sign * value);
    }
    let digits = unsigned.replace('_', "");
    let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"))?;
    let value = u64::from_str_radix(hex, 16).ok()?;
    Some(sign * value as f64)
}

/// A duration in milliseconds, with an optional sign; a bare number counts seconds.
pub(super) fn duration_ms(text: &str) -> Result<i64, String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Ok(seconds) = unsigned.parse::<f64>() {
        return Ok(sign * (seconds * 1000.0).round() as i64);
    }
    let duration = model::duration::parse(unsigned).map_err(|error| error.to_string())?;
    let millis = i64::try_from(duration.as_millis()).map_err(|error| error.to_string())?;
    Ok(sign * millis)
}

/// The points of an `@st` line: how far the start of each sample lies from it, in milliseconds.
pub(super) fn starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts = Vec::new();
    for token in text.split_whitespace() {
        let (pattern, times) = repeated(token)?;
        if pattern == "_" {
            starts.extend(vec![None; times.unwrap_or(1)]);
            continue;
        }
        let (first, step) = match sign_inside(pattern, &[]) {
            Some(at) => (&pattern[..at], duration_ms(&pattern[at..])?),
            None => (pattern, 0),
        };
        let mut start = duration_ms(first)?;
        for _ in 0..=times.unwrap_or(0) {
            starts.push(Some(start));
            start += step;
        }
    }
    Ok(starts)
}

fn token(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3` or `{{…}}-{{…}}x3`, and what follows.
fn read_histograms<'a>(text: &'a str, points: &mut Vec<Point>) -> Result<&'a str, String> {
    let (first, rest) = literal::read(text)?;
    let mut change = None;
    let mut behind = rest;
    if let Some(sign @ ('+' | '-')) = rest.chars().next() {
        let (second, rest) = literal::read(&rest[1..])?;
        change = Some((sign, second.histogram));
        behind = rest;
    }
    let (token, after) = token(behind);
    let (wrong, times) = repeated(token)?;
    if !wrong.is_empty() {
        return Err(format!("cannot read {wrong:?} behind a histogram"));
    }
    let mut histogram = first.histogram;
    for index in 0..=times.unwrap_or(0) {
        if let (Some((sign, change)), true) = (&change, index > 0) {
            let combined = match sign {
                '+' => histogram.add(change),
                _ => histogram.sub(change),
            };
            combined.map_err(|error| format!("the histograms do not fit: {error}"))?;
        }
        points.push(Point::Histogram {
            histogram: histogram.clone(),
            names_reset: first.names_reset,
        });
    }
    Ok(after)
}

/// Adds the points that a word stands for.
fn read_floats(token: &str, points: &mut Vec<Point>) -> Result<(), String> {
    let (pattern, times) = repeated(token)?;
    // A pattern stands for itself and is then repeated; a gap is as long as it says.
    let count = times.map_or(1, |times| times + 1);
    if pattern == "_" {
        points.extend(vec![Point::Missing; times.unwrap_or(1)]);
        return Ok(());
    }
    if pattern == "stale" {
        points.extend(vec![Point::Float(stale_marker()); count]);
        return Ok(());
    }
    if let Some(value) = number(pattern) {
        points.extend(vec![Point::Float(value); count]);
        return Ok(());
    }
    let wrong = || format!("cannot read the points {token:?}");
    let split = sign_inside(pattern, &['e', 'E']).ok_or_else(wrong)?;
    let mut value = number(&pattern[..split]).ok_or_else(wrong)?;
    let step = number(&pattern[split..]).ok_or_else(wrong)?;
    for _ in 0..count {
        points.push(Point::Float(value));
        value += step;
    }
    Ok(())
}

/// A word without its `x3`, and that number.
fn repeated(token: &str) -> Result<(&str, Option<usize>), String> {
    let Some((pattern, times)) = token.rsplit_once('x') else {
        return Ok((token, None));
    };
    match times.parse::<usize>() {
        Ok(times) if times <= TIMES_MAX => Ok((pattern, Some(times))),
        _ => Err(format!(
            "cannot read {token:?}: behind x stands a number up to {TIMES_MAX}"
        )),
    }
}

/// Where a sign separates the first value from the step; those behind certain letters belong to an exponent.
fn sign_inside(pattern: &str, exponents: &[char]) -> Option<usize> {
    let mut before = ' ';
    for (index, letter) in pattern.char_indices() {
        let is_sign = matches!(letter, '+' | '-');
        if index > 0 && is_sign && !exponents.contains(&before) && !matches!(before, '+' | '-') {
            return Some(index);
        }
        before = letter;
    }
    None
}

pub(super) fn number(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let starts = unsigned.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
    let named = ["inf", "nan"]
        .iter()
        .any(|name| unsigned.eq_ignore_ascii_case(name));
    if starts || named {
        text.parse().ok()
    } else {
        None
    }
}
