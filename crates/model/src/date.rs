//! Days, dates and moments of the Gregorian calendar, without time zones.
//!
//! A date becomes a day number by counting from March, so that the leap day comes last in its year (Howard Hinnant,
//! "chrono-Compatible Low-Level Date Algorithms").

use std::fmt;

use crate::Timestamp;

const DAY_MILLIS: i64 = 86_400_000;

/// How many days a month (1 to 12) of a year has.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: year, month (1 to 12), day (1 to 31).
pub fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // An era of 400 years has 146 097 days; 719 468 lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day counted from 1970-01-01.
pub fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// Shows a time as RFC 3339 in UTC, with milliseconds if there are any: `2026-11-21T07:11:26.5Z` as `….500Z`.
///
/// Years beyond 9999 and before 0 are shown too, but RFC 3339 has no form for them.
pub fn format_rfc3339(timestamp: Timestamp) -> impl fmt::Display {
    fmt::from_fn(move |formatter| {
        let millis = timestamp.as_millis();
        let (year, month, day) = date_from_days(millis.div_euclid(DAY_MILLIS));
        let rest = millis.rem_euclid(DAY_MILLIS);
        let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match rest % 1000 {
            0 => formatter.write_str("Z"),
            fraction => write!(formatter, ".{fraction:03}Z"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_follows_the_one_before() {
        let mut previous = date_from_days(-800_000);
        for days in -799_999..800_000 {
            let date @ (year, month, day) = date_from_days(days);
            let (last_year, last_month, last_day) = previous;
            let expected = if last_day < days_in_month(last_year, last_month) {
                (last_year, last_month, last_day + 1)
            } else if last_month < 12 {
                (last_year, last_month + 1, 1)
            } else {
                (last_year + 1, 1, 1)
            };
            assert_eq!(date, expected);
            assert_eq!(days_from_date(year, month, day), days);
            previous = date;
        }
    }
}
