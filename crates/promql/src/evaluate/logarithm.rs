//! Logarithms as Go computes them, so that answers agree with Prometheus' to the last digit.
//!
//! The algorithm is that of Sun's fdlibm (`e_log.c`):
//! 1. x = 2^k · (1 + f) with √½ ≤ 1 + f < √2.
//! 2. With s = f / (2 + f), ln(1 + f) = ln(1 + s) − ln(1 − s) = 2s + s·R(s²), R a polynomial of degree 14 in s.
//! 3. ln(x) = k · ln 2 + ln(1 + f), where ln 2 is split in two so that k · ln 2 loses nothing.

use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E, LOG10_E};

const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Coefficients of R, for s², s⁴, …
const R: [f64; 7] = [
    0.666_666_666_666_673_5,
    0.399_999_999_994_094_2,
    0.285_714_287_436_623_9,
    0.222_221_984_321_497_84,
    0.181_835_721_616_180_5,
    0.153_138_376_992_093_73,
    0.147_981_986_051_165_86,
];

/// The natural logarithm.
pub(super) fn ln(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    let (mut fraction, mut exponent) = split(x);
    if fraction < FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = f64::from(exponent);
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (R[0] + s4 * (R[2] + s4 * (R[4] + s4 * R[6])));
    let even = s4 * (R[1] + s4 * (R[3] + s4 * R[5]));
    let half_square = 0.5 * f * f;
    k * LN_2_HIGH - ((half_square - (s * (half_square + (odd + even)) + k * LN_2_LOW)) - f)
}

/// The logarithm to base 2; exact for powers of 2.
pub(super) fn log2(x: f64) -> f64 {
    if !x.is_finite() || x <= 0.0 {
        return ln(x);
    }
    let (fraction, exponent) = split(x);
    if fraction == 0.5 {
        return f64::from(exponent - 1);
    }
    ln(fraction) * LOG2_E + f64::from(exponent)
}

/// The logarithm to base 10.
pub(super) fn log10(x: f64) -> f64 {
    ln(x) * LOG10_E
}

/// A positive finite number as fraction · 2^exponent with ½ ≤ fraction < 1.
fn split(x: f64) -> (f64, i32) {
    const EXPONENT_BITS: u64 = 0x7ff << 52;
    // Subnormal numbers are brought into the range of the others first.
    let (x, shift) = if x < f64::MIN_POSITIVE {
        (x * (1_u64 << 52) as f64, 52)
    } else {
        (x, 0)
    };
    let bits = x.to_bits();
    let exponent = i32::try_from((bits & EXPONENT_BITS) >> 52).unwrap_or(0) - 1022 - shift;
    let fraction = f64::from_bits(bits & !EXPONENT_BITS | 1022 << 52);
    (fraction, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_as_go_computes_them() {
        // Each differs in its last digit from what the C library gives.
        for (got, expected) in [
            (log10(3.0), 0.477_121_254_719_662_4),
            (log2(1.5), 0.584_962_500_721_156_3),
            (log2(3.0), 1.584_962_500_721_156_3),
            (ln(3.0), 1.098_612_288_668_109_6),
        ] {
            assert_eq!(got, expected);
        }
        assert_eq!((log2(1024.0), log2(0.125), ln(1.0)), (10.0, -3.0, 0.0));
    }

    #[test]
    fn special_values_are_right() {
        for log in [ln, log2, log10] {
            assert_eq!(log(0.0), f64::NEG_INFINITY);
            assert_eq!(log(f64::INFINITY), f64::INFINITY);
            assert!(
                log(-1.0).is_nan() && log(f64::NAN).is_nan() && log(f64::NEG_INFINITY).is_nan()
            );
        }
        let smallest = f64::from_bits(1);
        assert_eq!(log2(smallest), -1074.0);
        assert!((ln(smallest) - smallest.ln()).abs() < 1e-12);
    }
}
