//! Parts of a date in UTC, from seconds since 1970.

use model::date::{date_from_days, days_from_date, days_in_month};

use super::math::Pointwise;

const SECONDS_PER_DAY: i64 = 86_400;

/// The function that gives a part of a date.
pub(super) fn part(name: &str) -> Option<Pointwise> {
    Some(match name {
        "minute" => |time, _| (seconds(time).rem_euclid(3_600) / 60) as f64,
        "hour" => |time, _| (seconds(time).rem_euclid(SECONDS_PER_DAY) / 3_600) as f64,
        // The first of January 1970 was a Thursday.
        "day_of_week" => |time, _| (days(time) + 4).rem_euclid(7) as f64,
        "day_of_month" => |time, _| date_from_days(days(time)).2 as f64,
        "day_of_year" => |time, _| {
            let today = days(time);
            let (year, _, _) = date_from_days(today);
            (today - days_from_date(year, 1, 1) + 1) as f64
        },
        "days_in_month" => |time, _| {
            let (year, month, _) = date_from_days(days(time));
            days_in_month(year, month) as f64
        },
        "month" => |time, _| date_from_days(days(time)).1 as f64,
        "year" => |time, _| date_from_days(days(time)).0 as f64,
        _ => return None,
    })
}

fn seconds(time: f64) -> i64 {
    time as i64
}

fn days(time: f64) -> i64 {
    seconds(time).div_euclid(SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_times_before_1970_are_right() {
        let get = |name: &str, time: f64| part(name).unwrap()(time, &[]);
        // 2000-02-29 23:59:59
        for (name, value) in [
            ("year", 2000.0),
            ("month", 2.0),
            ("day_of_month", 29.0),
            ("days_in_month", 29.0),
            ("day_of_year", 60.0),
            ("day_of_week", 2.0),
            ("hour", 23.0),
            ("minute", 59.0),
        ] {
            assert_eq!(get(name, 951_868_799.0), value, "{name}");
        }
        // 1969-12-31 23:59:59
        assert_eq!(get("year", -1.0), 1969.0);
        assert_eq!(get("day_of_year", -1.0), 365.0);
        assert_eq!(get("hour", -1.0), 23.0);
        // No time is too large.
        assert!(get("year", f64::MAX).is_finite() && get("year", f64::NAN) == 1970.0);
    }
}
