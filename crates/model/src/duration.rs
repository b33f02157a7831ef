//! Durations as Prometheus writes them: `1h30m`, `500ms`, `1d`, units from large to small.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Units from large to small, in milliseconds; a day has 24 hours, a year 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no duration: {reason}")]
pub struct InvalidDuration {
    /// The text.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub reason: &'static str,
}

/// Reads `5m`, `1h30m`, `0`; each unit at most once, from large to small.
///
/// Errors: an empty text, a number without unit (except 0), an unknown or misplaced unit, more than 292 years.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let refuse = |reason| InvalidDuration {
        text: text.to_owned(),
        reason,
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(refuse("it is empty, write for example 30s or 1h30m"));
    }
    let mut rest = text;
    let mut units_left = &UNITS[..];
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if digits == 0 {
            return Err(refuse(
                "a whole number and a unit are needed, for example 30s or 1h30m",
            ));
        }
        let letters = after
            .bytes()
            .take_while(|byte| !byte.is_ascii_digit())
            .count();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(refuse("a unit is missing: ms, s, m, h, d, w or y"));
        }
        let Some(position) = units_left.iter().position(|(name, _)| *name == unit) else {
            return Err(refuse(if UNITS.iter().any(|(name, _)| *name == unit) {
                "each unit may stand once, from large to small, as in 1h30m"
            } else {
                "its unit is unknown, the units are ms, s, m, h, d, w and y"
            }));
        };
        let too_long = || refuse("it is longer than 292 years");
        let number: u64 = number.parse().map_err(|_| too_long())?;
        millis = number
            .checked_mul(units_left[position].1)
            .and_then(|part| millis.checked_add(part))
            .filter(|millis| *millis <= i64::MAX as u64 / 1_000_000)
            .ok_or_else(too_long)?;
        units_left = &units_left[position + 1..];
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// Shows a duration as [`parse`] reads it, in whole milliseconds: `1h30m`, `0s`.
pub fn format(duration: Duration) -> impl fmt::Display {
    fmt::from_fn(move |formatter| {
        let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return formatter.write_str("0s");
        }
        for (unit, size) in UNITS {
            // Weeks and years only if they say it all, as Prometheus does: 10d, not 1w3d.
            let whole = matches!(unit, "y" | "w");
            if millis < size || whole && !millis.is_multiple_of(size) {
                continue;
            }
            write!(formatter, "{}{unit}", millis / size)?;
            millis %= size;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prometheus_durations_are_read_and_shown() {
        for (text, millis, shown) in [
            ("0", 0, "0s"),
            ("324ms", 324, "324ms"),
            ("3s", 3_000, "3s"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("4d", 345_600_000, "4d"),
            ("10d", 864_000_000, "10d"),
            ("3w", 1_814_400_000, "3w"),
            ("10y", 315_360_000_000, "10y"),
            ("1w1d", 691_200_000, "8d"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration.as_millis(), millis, "{text}");
            assert_eq!(format(duration).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("1", "unit is missing"),
            ("5 m", "unknown"),
            ("1.5h", "unknown"),
            ("-1h", "whole number"),
            ("1m1h", "from large to small"),
            ("1s1s", "from large to small"),
            ("1h3", "unit is missing"),
            ("300y", "292 years"),
            ("99999999999999999999s", "292 years"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in 0..i64::MAX as u64 / 1_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration).to_string()), Ok(duration));
        }
    }
}
