//! Numbers and durations for people, in the forms that Prometheus gives them.

use std::fmt::Write as _;

/// `12.35k`: with a prefix of the International System, four significant digits.
pub fn humanize(mut value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return significant(value);
    }
    let mut prefix = "";
    if value.abs() >= 1.0 {
        for next in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
            if value.abs() < 1000.0 {
                break;
            }
            prefix = next;
            value /= 1000.0;
        }
    } else {
        (value, prefix) = small(value);
    }
    significant(value) + prefix
}

/// `1.5Gi`: with a binary prefix.
pub fn humanize1024(mut value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return significant(value);
    }
    let mut prefix = "";
    for next in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        if value.abs() < 1024.0 {
            break;
        }
        prefix = next;
        value /= 1024.0;
    }
    significant(value) + prefix
}

/// Seconds as `1d 2h 3m 4s`, `4.25s`, `3ms`.
pub fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return significant(value);
    }
    if value == 0.0 {
        return significant(value) + "s";
    }
    if value.abs() < 1.0 {
        let (value, prefix) = small(value);
        return format!("{}{prefix}s", significant(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let value = value.abs();
    let whole = value as i64;
    let (days, hours) = (whole / 86400, whole / 3600 % 24);
    let (minutes, seconds) = (whole / 60 % 60, whole % 60);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", significant(value))
    }
}

/// A share of one as `12.35%`.
pub fn humanize_percentage(value: f64) -> String {
    significant(value * 100.0) + "%"
}

/// A number as Go's `%v` shows it.
pub fn shortest(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return special(value);
    }
    let scientific = format!("{value:e}");
    match exponent(&scientific) {
        // Beyond this Go changes to an exponent.
        -4..=5 => value.to_string(),
        _ => with_exponent(&scientific),
    }
}

/// A number as Go's `%.4g` shows it.
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return special(value);
    }
    let scientific = format!("{value:.3e}");
    match exponent(&scientific) {
        exponent @ -4..=3 => {
            let decimals = usize::try_from(3 - exponent).unwrap_or(0);
            without_zeros(&format!("{value:.decimals$}")).to_owned()
        }
        _ => with_exponent(&scientific),
    }
}

/// Makes a number below one larger, and names by how much.
fn small(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

fn special(value: f64) -> String {
    let text = if value.is_nan() {
        "NaN"
    } else if value == f64::INFINITY {
        "+Inf"
    } else if value == f64::NEG_INFINITY {
        "-Inf"
    } else if value.is_sign_negative() {
        "-0"
    } else {
        "0"
    };
    text.to_owned()
}

/// The exponent of a number that Rust wrote as `1.5e-7`.
fn exponent(scientific: &str) -> i32 {
    let exponent = scientific.split_once('e').map(|(_, exponent)| exponent);
    exponent
        .and_then(|exponent| exponent.parse().ok())
        .unwrap_or(0)
}

/// `1.500e-7` as `1.5e-07`.
fn with_exponent(scientific: &str) -> String {
    let mantissa = scientific.split('e').next().unwrap_or(scientific);
    let exponent = exponent(scientific);
    let sign = if exponent < 0 { '-' } else { '+' };
    let mut text = without_zeros(mantissa).to_owned();
    let _ = write!(text, "e{sign}{:02}", exponent.abs());
    text
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}
