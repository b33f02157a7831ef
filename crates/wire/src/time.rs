//! Times as people and Prometheus' API write them: RFC 3339, and seconds with a fraction.
//!
//! No time zones are needed, so no calendar library is: days and dates are those of `model::date`.

use std::time::Duration;

pub use model::date::format_rfc3339;
use model::date::{days_from_date, days_in_month};
use model::{Timestamp, duration};
use thiserror::Error;

const DAY_MILLIS: i64 = 86_400_000;

/// The first and last moments that Prometheus' clients send when they mean "no limit".
const OPEN_START: &str = "-292273086-05-16T16:47:06Z";
const OPEN_END: &str = "292277025-08-18T07:12:54.999999999Z";

/// A text that is no time or no duration; it says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidTime(String);

/// Reads `2026-11-21T07:11:26.5+01:00`; digits after the milliseconds are cut.
///
/// Errors: any other form, a day that the month does not have, a leap second.
pub fn parse_rfc3339(text: &str) -> Result<Timestamp, InvalidTime> {
    let refuse = |reason: &str| {
        InvalidTime(format!(
            "{text:?} is no time: {reason}, write for example 2026-01-31T13:45:00Z"
        ))
    };
    let shape = || refuse("its form is not RFC 3339's");
    let bytes = text.as_bytes();
    let separator = |index: usize, expected: &[u8]| {
        bytes.get(index).is_some_and(|byte| expected.contains(byte))
    };
    let well_formed = separator(4, b"-")
        && separator(7, b"-")
        && separator(10, b"Tt")
        && separator(13, b":")
        && separator(16, b":");
    if !well_formed {
        return Err(shape());
    }
    let field = |start: usize, end: usize| digits(bytes.get(start..end)?);
    let year = field(0, 4).ok_or_else(shape)?;
    let month = field(5, 7).ok_or_else(shape)?;
    let day = field(8, 10).ok_or_else(shape)?;
    let hour = field(11, 13).ok_or_else(shape)?;
    let minute = field(14, 16).ok_or_else(shape)?;
    let second = field(17, 19).ok_or_else(shape)?;
    if !(1..=12).contains(&month) {
        return Err(refuse("months go from 01 to 12"));
    }
    if !(1..=days_in_month(year, month)).contains(&day) {
        return Err(refuse("the month has no such day"));
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(refuse("hours go to 23, minutes and seconds to 59"));
    }
    let (fraction_millis, zone) = split_fraction(&bytes[19..]).ok_or_else(shape)?;
    let offset_minutes = zone_offset(zone)
        .ok_or_else(|| refuse("at its end stands Z or an offset such as +01:00"))?;
    let seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
    Ok(Timestamp::from_millis(
        days_from_date(year, month, day) * DAY_MILLIS + seconds * 1000 + fraction_millis,
    ))
}

/// Reads a time parameter of Prometheus' API: seconds since 1970 with a fraction, or RFC 3339.
///
/// Errors: any other text.
pub fn parse_time(text: &str) -> Result<Timestamp, InvalidTime> {
    if let Some(seconds) = text.parse::<f64>().ok().filter(|value| value.is_finite()) {
        return Ok(Timestamp::from_seconds(seconds));
    }
    match text.strip_prefix('+').unwrap_or(text) {
        OPEN_START => Ok(Timestamp::MIN),
        OPEN_END => Ok(Timestamp::MAX),
        _ => parse_rfc3339(text)
            .map_err(|InvalidTime(reason)| InvalidTime(format!("{reason} or seconds since 1970"))),
    }
}

/// Reads a duration parameter of Prometheus' API, such as `step`: seconds with a fraction, or `1h30m`.
///
/// Errors: any other text, a negative number, more than 292 years.
pub fn parse_step(text: &str) -> Result<Duration, InvalidTime> {
    let Ok(seconds) = text.parse::<f64>() else {
        return duration::parse(text).map_err(|error| InvalidTime(error.to_string()));
    };
    let refuse = |reason| InvalidTime(format!("{text:?} is no duration: {reason}"));
    if seconds.is_nan() || seconds < 0.0 {
        return Err(refuse("it is negative or no number"));
    }
    // As Prometheus, which counts durations in nanoseconds of 63 bits.
    if seconds > i64::MAX as f64 / 1e9 {
        return Err(refuse("it is longer than 292 years"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let mut number = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

/// Milliseconds of a fraction such as `.123`, if there is one, and what follows it.
fn split_fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = bytes.split_first() else {
        return Some((0, bytes));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let mut millis = [b'0'; 3];
    let kept = length.min(3);
    millis[..kept].copy_from_slice(&rest[..kept]);
    Some((digits(&millis)?, &rest[length..]))
}

/// Minutes east of Greenwich of `Z`, `+01:00`, `-09:30`.
fn zone_offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = digits(&[*h1, *h2]).filter(|hours| *hours < 24)?;
            let minutes = digits(&[*m1, *m2]).filter(|minutes| *minutes < 60)?;
            let offset = hours * 60 + minutes;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc3339_is_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2026-11-21T07:11:26Z", 1_795_245_086_000),
            ("2026-11-21T07:11:26.5z", 1_795_245_086_500),
            ("2026-11-21t08:11:26.123999+01:00", 1_795_245_086_123),
            ("2026-11-20T21:41:26-09:30", 1_795_245_086_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(
                parse_rfc3339(text),
                Ok(Timestamp::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "form"),
            ("yesterday", "form"),
            ("2026-11-21", "form"),
            ("2026-11-21 07:11:26Z", "form"),
            ("2026-11-21T07:11:26", "at its end"),
            ("2026-11-21T07:11:26.Z", "form"),
            ("2026-11-21T07:11:26+0100", "at its end"),
            ("2026-11-21T07:11:26+24:00", "at its end"),
            ("2026-11-21T07:11:26Zürich", "at its end"),
            ("2026-1ä-21T07:11:26Z", "form"),
            ("2026-13-01T00:00:00Z", "months"),
            ("2026-02-29T00:00:00Z", "no such day"),
            ("2100-02-29T00:00:00Z", "no such day"),
            ("2026-04-31T00:00:00Z", "no such day"),
            ("2026-04-00T00:00:00Z", "no such day"),
            ("2026-04-01T24:00:00Z", "hours"),
            ("2016-12-31T23:59:60Z", "seconds"),
        ] {
            let error = parse_rfc3339(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn times_are_shown_with_milliseconds_only_if_there_are_any() {
        let shown = |millis| format_rfc3339(Timestamp::from_millis(millis)).to_string();
        assert_eq!(shown(1_795_245_086_000), "2026-11-21T07:11:26Z");
        assert_eq!(shown(1_795_245_086_050), "2026-11-21T07:11:26.050Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999Z");
        assert!(shown(i64::MIN).ends_with('Z'));
        assert!(shown(i64::MAX).ends_with('Z'));
    }

    #[test]
    fn time_parameters_are_seconds_or_rfc3339() {
        for (text, millis) in [
            ("0", 0),
            ("1795245086.781", 1_795_245_086_781),
            ("1.795245086e9", 1_795_245_086_000),
            ("-1.5", -1500),
            ("2026-11-21T07:11:26Z", 1_795_245_086_000),
            (OPEN_START, i64::MIN),
            ("+292277025-08-18T07:12:54.999999999Z", i64::MAX),
        ] {
            assert_eq!(
                parse_time(text),
                Ok(Timestamp::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "NaN", "inf", "now", "5m"] {
            let error = parse_time(text).unwrap_err().to_string();
            assert!(error.ends_with("or seconds since 1970"), "{error}");
        }
    }

    #[test]
    fn steps_are_seconds_or_durations() {
        for (text, millis) in [("15", 15_000), ("0.25", 250), ("1m30s", 90_000), ("0", 0)] {
            assert_eq!(
                parse_step(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for (text, reason) in [
            ("", "empty"),
            ("-1", "negative"),
            ("NaN", "negative or no number"),
            ("inf", "292 years"),
            ("1e10", "292 years"),
            ("5x", "unknown"),
        ] {
            let error = parse_step(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in -62_167_219_200_000..=253_402_300_799_999_i64) {
            let timestamp = Timestamp::from_millis(millis);
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(timestamp).to_string()), Ok(timestamp));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = parse_time(&text);
            let _ = parse_step(&text);
        }

        #[test]
        fn almost_a_time_is_read_or_refused(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9].{0,8}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
