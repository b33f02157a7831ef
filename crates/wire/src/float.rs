//! Numbers as Prometheus writes and reads them: the fewest digits that read back as the same f64.
//!
//! Prometheus has two forms, which differ in when they turn to an exponent: the JSON API writes `1000000`, an
//! exposition `1e+06`. Exponents have a sign and at least two digits.

use std::fmt::Write as _;

/// Appends a value as Prometheus' JSON API writes it (without quotes): an exponent only below 1e-6 and from 1e21.
pub fn push_json(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if !value.is_finite() {
        out.push_str(not_finite(value));
    } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        push_exponential(out, value);
    } else {
        push_plain(out, value);
    }
}

/// Appends a value as an exposition shows it: an exponent below 1e-4 and from 1e6, unless plain is as short.
pub fn push_exposition(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if !value.is_finite() {
        out.push_str(not_finite(value));
    } else if magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        push_exponential(out, value);
    } else {
        push_plain(out, value);
    }
}

/// Appends a value always with an exponent, as Prometheus' API shows that of an alert: `1e+00`.
pub fn push_scientific(out: &mut String, value: f64) {
    if value.is_finite() {
        push_exponential(out, value);
    } else {
        out.push_str(not_finite(value));
    }
}

/// Reads a number: decimal, hexadecimal (`0x1.8p3`), `Inf` and `NaN` in any case, with or without a sign.
pub fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let hexadecimal = unsigned
        .strip_prefix("0x")
        .or_else(|| unsigned.strip_prefix("0X"));
    match hexadecimal {
        None => text.parse().ok(),
        Some(digits) => {
            let value = parse_hexadecimal(digits)?;
            Some(if text.starts_with('-') { -value } else { value })
        }
    }
}

fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

fn push_plain(out: &mut String, value: f64) {
    // Most values are counts, and whole numbers are written much faster than fractions.
    let whole = value as i64;
    let result = if whole as f64 == value && whole.unsigned_abs() < 1 << 53 && whole != 0 {
        write!(out, "{whole}")
    } else {
        write!(out, "{value}")
    };
    result.expect("invariant: a string takes everything");
}

fn push_exponential(out: &mut String, value: f64) {
    let start = out.len();
    write!(out, "{value:e}").expect("invariant: a string takes everything");
    let mark = out[start..]
        .find('e')
        .expect("invariant: this form has an exponent");
    let exponent = out.split_off(start + mark + 1);
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent.as_str()),
    };
    out.push(sign);
    if digits.len() < 2 {
        out.push('0');
    }
    out.push_str(digits);
}

/// Digits beyond what 64 bits hold are cut; no program writes so many.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits: u64 = 0;
    let mut shift: i32 = 0;
    let digits = whole.chars().map(|digit| (digit, 0));
    for (digit, places) in digits.chain(fraction.chars().map(|digit| (digit, 4))) {
        let digit = u64::from(digit.to_digit(16)?);
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            shift = shift.saturating_sub(places);
        } else {
            shift = shift.saturating_add(4 - places);
        }
    }
    // In two steps, since a power of two below the smallest normal number would lose what the product has.
    let exponent = exponent.saturating_add(shift).clamp(-2200, 2200);
    let half = exponent / 2;
    Some(bits as f64 * 2f64.powi(half) * 2f64.powi(exponent - half))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(push: fn(&mut String, f64), value: f64) -> String {
        let mut out = String::from("=");
        push(&mut out, value);
        out.split_off(1)
    }

    #[test]
    fn values_look_as_prometheus_writes_them() {
        for (value, json, exposition) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.0, "1", "1"),
            (0.1, "0.1", "0.1"),
            (-2.5, "-2.5", "-2.5"),
            (999_999.0, "999999", "999999"),
            (1e6, "1000000", "1e+06"),
            (1_234_567.5, "1234567.5", "1.2345675e+06"),
            (8_360_022_016.0, "8360022016", "8.360022016e+09"),
            (1e20, "100000000000000000000", "1e+20"),
            (1e21, "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001"),
            (0.00012, "0.00012", "0.00012"),
            (0.00001, "0.00001", "1e-05"),
            (1e-6, "0.000001", "1e-06"),
            (1.5e-7, "1.5e-07", "1.5e-07"),
            (1e-300, "1e-300", "1e-300"),
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ] {
            assert_eq!(written(push_json, value), json);
            assert_eq!(written(push_exposition, value), exposition);
        }
    }

    #[test]
    fn the_value_of_an_alert_has_always_an_exponent() {
        for (value, text) in [
            (0.0, "0e+00"),
            (-0.0, "-0e+00"),
            (1.0, "1e+00"),
            (97.25, "9.725e+01"),
            (15_000_000.0, "1.5e+07"),
            (-0.5, "-5e-01"),
            (1e-300, "1e-300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(written(push_scientific, value), text);
        }
    }

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        for (text, value) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("-.5", -0.5),
            ("1.", 1.0),
            ("1E3", 1000.0),
            ("+Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("0x10", 16.0),
            ("-0x1.8p3", -12.0),
            ("0X.8p-1", 0.25),
            ("0x1p-1074", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x10000000000000000000p-76", 1.0),
            ("0x1p99999", f64::INFINITY),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        assert!(parse("nan").unwrap().is_nan());
        for text in [
            "", "+", "--1", "1_000", "0x", "0x.", "0xg", "0x1p", "0x-1", "1 ", "abc", "1e",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            for push in [push_json, push_exposition, push_scientific] {
                let read = parse(&written(push, value)).unwrap();
                prop_assert!(read.to_bits() == bits || value.is_nan() && read.is_nan());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[+-]?0?x?[0-9a-fA-FpPeEinN.+-]{0,24}") {
            let _ = parse(&text);
        }
    }
}
