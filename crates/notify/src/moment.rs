//! Moments and spans of time as people and other programs read them.

use std::time::Duration;

use model::Timestamp;

/// Go's zero time, which other programs take for "not yet".
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

/// `2026-11-21 03:14:07 UTC`.
pub(crate) fn shown(at: Timestamp) -> String {
    moment(at).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// RFC 3339 in UTC, with as many digits of the second as it has, as Go writes it.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let moment = moment(at);
    let seconds = moment.strftime("%Y-%m-%dT%H:%M:%S");
    match moment.subsec_nanosecond() {
        0 => format!("{seconds}Z"),
        fraction => {
            let fraction = format!("{fraction:09}");
            format!("{seconds}.{}Z", fraction.trim_end_matches('0'))
        }
    }
}

/// `12m 5s`, `3h 4m`, `2d 1h`: the two largest units, since nobody asks for the seconds of a day.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [
        (seconds / 86400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0);
    let Some(first) = first else {
        return "0s".to_owned();
    };
    let shown: Vec<String> = units[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    shown.join(" ")
}

/// A moment of the calendar; what lies beyond it is its end.
pub(crate) fn moment(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(match at.as_millis() {
        ..0 => jiff::Timestamp::MIN,
        _ => jiff::Timestamp::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_universal_time() {
        let at = Timestamp::from_millis(1_795_250_865_331);
        assert_eq!(shown(at), "2026-11-21 08:47:45 UTC");
        assert_eq!(rfc3339(at), "2026-11-21T08:47:45.331Z");
        assert_eq!(rfc3339(Timestamp::from_millis(0)), "1970-01-01T00:00:00Z");
        assert!(shown(Timestamp::MAX).starts_with("9999-"));
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, shown) in [
            (0, "0s"),
            (5, "5s"),
            (60, "1m"),
            (725, "12m 5s"),
            (11_105, "3h 5m"),
            (86_401, "1d"),
            (180_000, "2d 2h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), shown);
        }
    }
}
