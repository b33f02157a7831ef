//! The marks of a chart's axes: round numbers in the unit of the values, and moments in UTC.

use std::time::Duration;

use model::Timestamp;

/// What values are measured in, as far as the name of their metric says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Plain,
    Bytes,
    Seconds,
    /// Shares of one.
    Ratio,
}

/// The axis of values: its ends, and labels by row from above.
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) labels: Vec<(usize, String)>,
}

/// Rows between two labels, at least.
const ROWS_BETWEEN: usize = 4;

impl Unit {
    /// The unit that all metrics have.
    pub(super) fn of<'n>(metrics: impl Iterator<Item = &'n str>) -> Self {
        let mut units = metrics.map(|name| match name {
            name if name.ends_with("_bytes") => Self::Bytes,
            name if name.ends_with("_seconds") => Self::Seconds,
            name if name.ends_with("_ratio") => Self::Ratio,
            _ => Self::Plain,
        });
        let first = units.next().unwrap_or(Self::Plain);
        match units.all(|unit| unit == first) {
            true => first,
            false => Self::Plain,
        }
    }

    /// A value as one would say it.
    pub(super) fn show(self, value: f64) -> String {
        self.show_among(value, value.abs(), value.abs() / 1000.0)
    }

    /// A value among others up to `greatest`, with as many digits as it takes to tell it from one that differs by `step`.
    fn show_among(self, value: f64, greatest: f64, step: f64) -> String {
        if !value.is_finite() {
            return match value {
                v if v.is_nan() => "NaN".to_owned(),
                v if v > 0.0 => "+Inf".to_owned(),
                _ => "-Inf".to_owned(),
            };
        }
        const SI: [(f64, &str); 10] = [
            (1e15, "P"),
            (1e12, "T"),
            (1e9, "G"),
            (1e6, "M"),
            (1e3, "k"),
            (1.0, ""),
            (1e-3, "m"),
            (1e-6, "µ"),
            (1e-9, "n"),
            (1e-12, "p"),
        ];
        const BINARY: [(f64, &str); 6] = [
            (1_125_899_906_842_624.0, " PiB"),
            (1_099_511_627_776.0, " TiB"),
            (1_073_741_824.0, " GiB"),
            (1_048_576.0, " MiB"),
            (1024.0, " KiB"),
            (1.0, " B"),
        ];
        const TIME: [(f64, &str); 7] = [
            (86_400.0, " d"),
            (3_600.0, " h"),
            (60.0, " min"),
            (1.0, " s"),
            (1e-3, " ms"),
            (1e-6, " µs"),
            (1e-9, " ns"),
        ];
        const PERCENT: [(f64, &str); 1] = [(0.01, " %")];
        let sizes: &[(f64, &str)] = match self {
            Self::Plain => &SI,
            Self::Bytes => &BINARY,
            Self::Seconds => &TIME,
            Self::Ratio => &PERCENT,
        };
        if value == 0.0 {
            return "0".to_owned();
        }
        if !(1e-12..1e18).contains(&greatest) {
            return format!("{value:.3e}");
        }
        let found = sizes.iter().find(|(size, _)| greatest >= *size);
        let (size, name) = found.or(sizes.last()).copied().unwrap_or((1.0, ""));
        let digits = (size / step.abs().max(f64::MIN_POSITIVE)).log10().ceil();
        let digits = digits.clamp(0.0, 9.0) as usize;
        let mut shown = format!("{:.digits$}", value / size);
        if shown.contains('.') {
            let kept = shown.trim_end_matches('0').trim_end_matches('.').len();
            shown.truncate(kept);
        }
        if shown == "-0" {
            shown.remove(0);
        }
        shown + name
    }
}

/// An axis that has all values between its ends.
pub(super) fn value_marks(low: f64, high: f64, height: usize, unit: Unit) -> ValueAxis {
    // One value alone lies in the middle.
    let (low, high) = match low == high {
        true => {
            let room = if low == 0.0 { 1.0 } else { low.abs() / 10.0 };
            (low - room, high + room)
        }
        false => (low, high),
    };
    let rows = height - 1;
    let count = (rows / ROWS_BETWEEN).max(1);
    let step = high / count as f64 - low / count as f64;
    let greatest = low.abs().max(high.abs());
    let labels = (0..=count).map(|mark| {
        let row = mark * rows / count;
        let part = row as f64 / rows as f64;
        (
            row,
            unit.show_among(high * (1.0 - part) + low * part, greatest, step),
        )
    });
    ValueAxis {
        low,
        high,
        labels: labels.collect(),
    }
}

/// The line of an axis of times with its ticks, and the labels below.
pub(super) fn time_marks(start: f64, end: f64, width: usize) -> (String, String) {
    let length = end - start;
    let shown = |seconds: f64| {
        let moment = Timestamp::from_seconds(seconds.floor());
        let text = wire::time::format_rfc3339(moment).to_string();
        let part = match length {
            short if short <= 300.0 => text.get(11..19),
            day if day <= 86_400.0 => text.get(11..16),
            weeks if weeks <= 30.0 * 86_400.0 => text.get(5..16),
            _ => text.get(..10),
        };
        part.unwrap_or(&text).replace('T', " ")
    };
    let label_width = shown(start).chars().count();
    let marks = (width / (label_width + 4)).clamp(1, 8);
    let mut ticks: Vec<char> = vec!['─'; width];
    let mut labels = String::new();
    for mark in 0..=marks {
        let at = mark * (width - 1) / marks;
        ticks[at] = '┬';
        // The last one ends where the chart does.
        let place = at.saturating_sub(match mark {
            0 => 0,
            last if last == marks => label_width.saturating_sub(1),
            _ => label_width / 2,
        });
        let before = labels.chars().count();
        if mark > 0 && place <= before {
            continue;
        }
        labels.extend(std::iter::repeat_n(' ', place - before));
        labels.push_str(&shown(start + length * at as f64 / (width - 1) as f64));
    }
    let day = wire::time::format_rfc3339(Timestamp::from_seconds(end.floor())).to_string();
    let length = Duration::try_from_secs_f64(length.round()).unwrap_or_default();
    let length = model::duration::format(length);
    let day = day.get(..10).unwrap_or_default();
    (
        ticks.into_iter().collect(),
        format!("{labels}\n{:>width$}", format!("{length} to {day}, UTC")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_their_unit() {
        for (unit, value, shown) in [
            (Unit::Plain, 0.0, "0"),
            (Unit::Plain, 1234.5, "1.234k"),
            (Unit::Plain, -0.002, "-2m"),
            (Unit::Plain, 42.0, "42"),
            (Unit::Plain, 1e300, "1.000e300"),
            (Unit::Plain, f64::NAN, "NaN"),
            (Unit::Plain, f64::NEG_INFINITY, "-Inf"),
            (Unit::Bytes, 1536.0, "1.5 KiB"),
            (Unit::Bytes, 3.0, "3 B"),
            (Unit::Seconds, 90.0, "1.5 min"),
            (Unit::Seconds, 0.25, "250 ms"),
            (Unit::Ratio, 0.255, "25.5 %"),
        ] {
            assert_eq!(unit.show(value), shown);
        }
    }

    #[test]
    fn a_unit_is_that_of_all_series() {
        let of = |names: &[&str]| Unit::of(names.iter().copied());
        assert_eq!(of(&["a_bytes", "b_bytes"]), Unit::Bytes);
        assert_eq!(of(&["a_bytes", "b_seconds"]), Unit::Plain);
        assert_eq!(of(&[]), Unit::Plain);
    }

    #[test]
    fn labels_differ_however_close_the_values_are() {
        let axis = value_marks(1000.0, 1000.001, 16, Unit::Plain);
        let mut labels: Vec<&String> = axis.labels.iter().map(|(_, label)| label).collect();
        assert_eq!(labels.len(), 4);
        labels.dedup();
        assert_eq!(labels.len(), 4, "{labels:?}");
    }
}
