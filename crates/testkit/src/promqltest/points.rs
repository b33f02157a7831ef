//! The notation of points: `1 2 3`, `1+2x3`, `5x3`, `_`, `stale`.

use model::stale_marker;

/// Points at successive steps.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// A value, or none where a sample is missing.
    pub(super) values: Vec<Option<f64>>,
    /// Whether native histograms were among them, which are taken for missing.
    pub(super) native_histograms: bool,
}

/// Reads points up to the end of the text.
pub(super) fn read(text: &str) -> Result<Points, String> {
    let mut points = Points::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with("{{") {
            points.native_histograms = true;
            histogram_end(rest)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end);
        points.values.extend(expand(token)?);
        rest = after.trim_start();
    }
    Ok(points)
}

/// A line that is nothing but a number.
pub(super) fn scalar(text: &str) -> Option<f64> {
    number(text.trim())
}

/// A duration in milliseconds, with an optional sign; a bare number counts seconds.
pub(super) fn duration_ms(text: &str) -> Result<i64, String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if let Ok(seconds) = unsigned.parse::<f64>() {
        return Ok(sign * (seconds * 1000.0).round() as i64);
    }
    let duration = model::duration::parse(unsigned).map_err(|error| error.to_string())?;
    let millis = i64::try_from(duration.as_millis()).map_err(|error| error.to_string())?;
    Ok(sign * millis)
}

/// Where a run of `{{…}}`, with its `+{{…}}x3`, ends.
fn histogram_end(text: &str) -> usize {
    let mut end = 0;
    let mut depth = 0;
    for (index, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            letter if depth == 0 && letter.is_whitespace() => return index,
            _ => {}
        }
        end = index + letter.len_utf8();
    }
    end
}

/// The points that a token stands for.
fn expand(token: &str) -> Result<Vec<Option<f64>>, String> {
    let wrong = || format!("cannot read the points {token:?}");
    let (pattern, times) = match token.rsplit_once('x') {
        Some((pattern, times)) => (pattern, times.parse::<usize>().map_err(|_| wrong())?),
        None => (token, 0),
    };
    if pattern.starts_with("{{") {
        let count = if times == 0 { 1 } else { times + 1 };
        return Ok(vec![None; count]);
    }
    if pattern == "_" {
        return Ok(vec![None; times.max(1)]);
    }
    if pattern == "stale" {
        return Ok(vec![Some(stale_marker()); times + 1]);
    }
    if let Some(value) = number(pattern) {
        return Ok(vec![Some(value); times + 1]);
    }
    // A sign separates start and step unless it belongs to an exponent.
    let split = pattern
        .char_indices()
        .skip(1)
        .find(|(index, letter)| {
            matches!(letter, '+' | '-') && !pattern[..*index].ends_with(['e', 'E', '+', '-'])
        })
        .map(|(index, _)| index)
        .ok_or_else(wrong)?;
    let start = number(&pattern[..split]).ok_or_else(wrong)?;
    let step = number(&pattern[split..]).ok_or_else(wrong)?;
    let mut value = start;
    let mut values = vec![Some(value)];
    for _ in 0..times {
        value += step;
        values.push(Some(value));
    }
    Ok(values)
}

fn number(text: &str) -> Option<f64> {
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
