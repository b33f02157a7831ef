//! JSON written straight into a string, since an answer may have millions of values and each needs no tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{Labels, Timestamp};
use wire::time::format_rfc3339;

/// Appends a text in quotes.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // All that needs an escape is ASCII, so that the text may be cut around it.
    while let Some(index) = rest
        .bytes()
        .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.push_str(&rest[..index]);
        match rest.as_bytes()[index] {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte @ (b'"' | b'\\') => {
                out.push('\\');
                out.push(char::from(byte));
            }
            byte => push_display(out, format_args!("\\u{byte:04x}")),
        }
        rest = &rest[index + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends an object of label names and values.
pub(crate) fn push_labels(out: &mut String, labels: &Labels) {
    push_pairs(out, labels.iter());
}

/// Appends an object of texts.
pub(crate) fn push_pairs<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (index, (name, value)) in pairs.enumerate() {
        separate(out, index);
        push_string(out, name);
        out.push(':');
        push_string(out, value);
    }
    out.push('}');
}

/// Appends an object of texts by name.
pub(crate) fn push_texts(out: &mut String, texts: &BTreeMap<String, String>) {
    let pairs = texts.iter();
    push_pairs(
        out,
        pairs.map(|(name, text)| (name.as_str(), text.as_str())),
    );
}

/// Appends an array of texts.
pub(crate) fn push_strings(out: &mut String, texts: &[impl AsRef<str>]) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        separate(out, index);
        push_string(out, text.as_ref());
    }
    out.push(']');
}

/// Appends a time in seconds as Prometheus writes it: without a fraction, or with three digits of it.
pub(crate) fn push_timestamp(out: &mut String, timestamp: Timestamp) {
    let millis = timestamp.as_millis();
    let (whole, fraction) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    if millis < 0 {
        out.push('-');
    }
    wire::float::push_whole(out, whole, 1);
    if fraction != 0 {
        out.push('.');
        wire::float::push_whole(out, fraction, 3);
    }
}

/// Appends a moment in quotes as RFC 3339 without needless digits, as Go writes it: `"2026-11-21T07:11:26.5Z"`.
pub(crate) fn push_moment(out: &mut String, moment: Timestamp) {
    out.push('"');
    push_display(out, format_rfc3339(moment));
    if moment.as_millis() % 1000 != 0 {
        let digits = out.trim_end_matches('Z').trim_end_matches('0').len();
        out.truncate(digits);
        out.push('Z');
    }
    out.push('"');
}

/// Appends a moment, or null if there is none.
pub(crate) fn push_moment_or_null(out: &mut String, moment: Option<Timestamp>) {
    match moment {
        Some(moment) => push_moment(out, moment),
        None => out.push_str("null"),
    }
}

/// Appends `[seconds,"value"]`, Prometheus' form of a sample.
pub(crate) fn push_sample(out: &mut String, timestamp: Timestamp, value: f64) {
    out.push('[');
    push_timestamp(out, timestamp);
    out.push(',');
    push_value(out, value);
    out.push(']');
}

/// Appends a sample's value as a text, since JSON has no NaN and no infinity.
pub(crate) fn push_value(out: &mut String, value: f64) {
    out.push('"');
    wire::float::push_json(out, value);
    out.push('"');
}

/// Appends a number; JSON has none that is infinite or NaN, they become null.
pub(crate) fn push_number(out: &mut String, value: f64) {
    if value.is_finite() {
        wire::float::push_json(out, value);
    } else {
        out.push_str("null");
    }
}

/// Appends whatever can be displayed, as it is.
pub(crate) fn push_display(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("invariant: a string takes everything");
}

/// Appends a comma before all but the first of a list.
pub(crate) fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn texts_are_escaped() {
        let text = "a\"b\\c\nd\te\r\u{1}\u{1f}ü\u{2028}</script>";
        let out = written(|out| push_string(out, text));
        assert_eq!(
            out,
            "\"a\\\"b\\\\c\\nd\\te\\r\\u0001\\u001fü\u{2028}</script>\""
        );
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text: String) {
            let out = written(|out| push_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_time_is_read_back(millis in -1 << 50..1_i64 << 50) {
            let out = written(|out| push_timestamp(out, Timestamp::from_millis(millis)));
            let read = wire::time::parse_time(&out).unwrap();
            prop_assert_eq!(read, Timestamp::from_millis(millis));
        }
    }

    #[test]
    fn times_have_three_digits_of_a_fraction_or_none() {
        for (millis, text) in [
            (0, "0"),
            (1_435_781_451_781, "1435781451.781"),
            (1_435_781_451_000, "1435781451"),
            (1_500, "1.500"),
            (1_005, "1.005"),
            (-1, "-0.001"),
            (-1_500, "-1.500"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            let out = written(|out| push_timestamp(out, Timestamp::from_millis(millis)));
            assert_eq!(out, text);
        }
    }

    #[test]
    fn moments_have_no_needless_digits() {
        for (millis, text) in [
            (0, "\"1970-01-01T00:00:00Z\""),
            (1_795_250_800_000, "\"2026-11-21T08:46:40Z\""),
            (1_795_250_800_500, "\"2026-11-21T08:46:40.5Z\""),
            (1_795_250_800_050, "\"2026-11-21T08:46:40.05Z\""),
            (-1, "\"1969-12-31T23:59:59.999Z\""),
        ] {
            let out = written(|out| push_moment(out, Timestamp::from_millis(millis)));
            assert_eq!(out, text);
        }
    }

    #[test]
    fn a_number_that_json_cannot_write_is_null() {
        assert_eq!(written(|out| push_number(out, f64::NAN)), "null");
        assert_eq!(written(|out| push_number(out, 42.5)), "42.5");
    }
}
