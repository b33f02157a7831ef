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

/// Appends a whole number of at least so many digits, at most 20, zeros before it where it has fewer. Each sample of an
/// answer has some, and the formatting machinery of the standard library takes several times as long.
pub fn push_whole(out: &mut String, mut number: u64, digits_min: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number >= 100 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[number as usize]);
    } else if number > 0 {
        start -= 1;
        digits[start] = b'0' + number as u8;
    }
    start = start.min(digits.len() - digits_min.min(digits.len()));
    let text = std::str::from_utf8(&digits[start..]);
    out.push_str(text.expect("invariant: digits are ASCII"));
}

/// The numbers below 100 in two digits.
static PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
}

fn push_plain(out: &mut String, value: f64) {
    // Most values are counts, and whole numbers are written much faster than fractions.
    let whole = value as i64;
    if whole as f64 == value && whole.unsigned_abs() < 1 << 53 && whole != 0 {
        if whole < 0 {
            out.push('-');
        }
        return push_whole(out, whole.unsigned_abs(), 1);
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    match text.split_once('e') {
        None => out.push_str(text.strip_suffix(".0").unwrap_or(text)),
        Some((mantissa, exponent)) => push_expanded(out, mantissa, exponent),
    }
}

/// Appends a number without its exponent: the digits of the mantissa around a point that stands elsewhere.
fn push_expanded(out: &mut String, mantissa: &str, exponent: &str) {
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    if digits.len() < mantissa.len() {
        out.push('-');
    }
    let (first, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let rest = rest
        .strip_suffix('0')
        .filter(|rest| rest.is_empty())
        .unwrap_or(rest);
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let zeros = |out: &mut String, count: i32| out.extend((0..count).map(|_| '0'));
    if exponent < 0 {
        out.push_str("0.");
        zeros(out, -exponent - 1);
        out.push_str(first);
        out.push_str(rest);
        return;
    }
    let whole = rest.len().min(exponent as usize);
    out.push_str(first);
    out.push_str(&rest[..whole]);
    zeros(out, exponent - whole as i32);
    if whole < rest.len() {
        out.push('.');
        out.push_str(&rest[whole..]);
    }
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

    #[test]
    fn whole_numbers_have_as_many_digits_as_asked() {
        let written = |number, digits| {
            let mut out = String::new();
            push_whole(&mut out, number, digits);
            out
        };
        assert_eq!(written(0, 1), "0");
        assert_eq!(written(0, 3), "000");
        assert_eq!(written(7, 3), "007");
        assert_eq!(written(99, 1), "99");
        assert_eq!(written(100, 1), "100");
        assert_eq!(written(u64::MAX, 25), u64::MAX.to_string());
    }

    #[test]
    fn of_two_forms_that_are_equally_near_the_even_one_is_written() {
        assert_eq!(
            written(push_json, 6_257_238_682_322_461.0 / 4.0),
            "1564309670580615.2"
        );
        assert_eq!(
            written(push_json, 6_257_238_682_322_463.0 / 4.0),
            "1564309670580615.8"
        );
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_does(bits: u64, number: u64, exponent in -7i32..22) {
            let scaled = (bits >> 20) as f64 / 1e7 * 10f64.powi(exponent - 6);
            for value in [scaled, -scaled, scaled.trunc(), f64::from_bits(bits)] {
                if (1e-6..1e21).contains(&value.abs()) {
                    let (ours, theirs) = (written(push_json, value), format!("{value}"));
                    // Of two shortest forms that are equally near, Prometheus' is the even one, and so is ours.
                    let is_tie = ours.len() == theirs.len() && ours.parse() == Ok(value);
                    prop_assert!(ours == theirs || is_tie, "{} is no {}", ours, theirs);
                }
            }
            let mut out = String::new();
            push_whole(&mut out, number, 1);
            prop_assert_eq!(out, number.to_string());
        }

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
