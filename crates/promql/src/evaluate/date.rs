//! Parts of a date in UTC, from seconds since 1970.

use super::math::Pointwise;

const SECONDS_PER_DAY: i64 = 86_400;

/// The function that gives a part of a date.
pub(super) fn part(name: &str) -> Option<Pointwise> {
    Some(match name {
        "minute" => |time, _| (seconds(time).rem_euclid(3_600) / 60) as f64,
        "hour" => |time, _| (seconds(time).rem_euclid(SECONDS_PER_DAY) / 3_600) as f64,
        // The first of January 1970 was a Thursday.
        "day_of_week" => |time, _| (days(time) + 4).rem_euclid(7) as f64,
        "day_of_month" => |time, _| f64::from(Date::new(days(time)).day),
        "day_of_year" => |time, _| {
            let today = days(time);
            (today - first_of(Date::new(today).year, 1) + 1) as f64
        },
        "days_in_month" => |time, _| {
            let Date { year, month, .. } = Date::new(days(time));
            let (next_year, next_month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
            (first_of(next_year, next_month) - first_of(year, month)) as f64
        },
        "month" => |time, _| f64::from(Date::new(days(time)).month),
        "year" => |time, _| Date::new(days(time)).year as f64,
        _ => return None,
    })
}

fn seconds(time: f64) -> i64 {
    time as i64
}

fn days(time: f64) -> i64 {
    seconds(time).div_euclid(SECONDS_PER_DAY)
}

struct Date {
    year: i64,
    month: u8,
    day: u8,
}

impl Date {
    /// The date so many days after 1970-01-01 in the Gregorian calendar.
    ///
    /// Years are counted from March, so that the leap day is the last of its year; 400 of them have 146,097 days.
    fn new(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: u8::try_from(month).unwrap_or(0),
            day: u8::try_from(day).unwrap_or(0),
        }
    }
}

/// Days from 1970-01-01 to the first of a month.
fn first_of(year: i64, month: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (i64::from(month) + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
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
