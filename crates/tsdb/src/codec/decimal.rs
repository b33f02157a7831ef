//! Floats as integers over a power of ten, where that is exact.
//!
//! What exporters print has few digits: 0.3 is 3 / 10. An integer `m` stands for a float if `m as f64 / 10^e` has
//! the very same bits; the division is rounded correctly, so the shortest decimal form always does as long as `m` is
//! below 2^53. Floats that have no such form (NaN, -0, infinities, full mantissas) are exceptions, kept as bits.

/// The largest power of ten that is used; more digits than this are a full mantissa.
pub(crate) const EXPONENT_MAX: u8 = 14;

/// Exact as floats.
pub(crate) const POWERS: [f64; EXPONENT_MAX as usize + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
];

/// The largest whole number below which every whole number is a float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A value that is not one of the integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exception {
    pub(crate) position: usize,
    pub(crate) bits: u64,
}

/// Turns floats into integers over a common power of ten, which it returns, or none with too many exceptions.
///
/// An exception takes the integer before it, so that it costs nothing among the integers.
pub(crate) fn to_integers(
    bits: &[u64],
    integers: &mut Vec<i64>,
    exceptions: &mut Vec<Exception>,
) -> Option<u8> {
    let allowed = exceptions_allowed(bits.len());
    let mut exponent = 0;
    'scaled: loop {
        integers.clear();
        exceptions.clear();
        integers.reserve(bits.len());
        let mut last = 0;
        let mut no_scale = 0;
        for (position, bits) in bits.iter().enumerate() {
            let value = f64::from_bits(*bits);
            match exact(value, exponent) {
                Some(integer) => last = integer,
                None => {
                    if let Some(larger) = smallest_exponent(value, exponent + 1) {
                        exponent = larger;
                        continue 'scaled;
                    }
                    no_scale += 1;
                    if no_scale > allowed {
                        return None;
                    }
                    exceptions.push(Exception {
                        position,
                        bits: *bits,
                    });
                }
            }
            integers.push(last);
        }
        fill_front(integers, exceptions);
        return Some(exponent);
    }
}

/// With more exceptions their bits take too much.
fn exceptions_allowed(count: usize) -> usize {
    count / 8 + 1
}

/// Exceptions in front take the first integer there is.
fn fill_front(integers: &mut [i64], exceptions: &[Exception]) {
    let front = exceptions
        .iter()
        .enumerate()
        .take_while(|(index, exception)| *index == exception.position)
        .count();
    if let Some(first) = integers.get(front).copied() {
        integers[..front].fill(first);
    }
}

/// The integer that stands for a value at an exponent.
#[inline]
fn exact(value: f64, exponent: u8) -> Option<i64> {
    if exponent == 0 {
        let integer = value as i64;
        return ((integer as f64).to_bits() == value.to_bits()).then_some(integer);
    }
    let power = POWERS[usize::from(exponent)];
    let scaled = value * power;
    if scaled.abs() > WHOLE_MAX {
        return None;
    }
    let integer = nearest(scaled);
    ((integer as f64 / power).to_bits() == value.to_bits()).then_some(integer)
}

/// The nearest integer; of a zero the sign is lost, so that -0 is not exact.
#[inline]
fn nearest(scaled: f64) -> i64 {
    // Rounding as a function of its own is a call where the processor may be an old one.
    (scaled + 0.5_f64.copysign(scaled)) as i64
}

#[cold]
fn smallest_exponent(value: f64, from: u8) -> Option<u8> {
    if !value.is_finite() || value == 0.0 {
        return None;
    }
    (from..=EXPONENT_MAX).find(|exponent| exact(value, *exponent).is_some())
}

/// Turns floats that are nearly decimal into integers over a power of ten, which it returns, and corrections.
///
/// Sums of decimals, and decimals by multiplication with 0.001, are some last digits beside the decimal. None if that
/// is not shorter than the bits of the floats, or if too many are no numbers or too large; these are exceptions.
pub(crate) fn to_near_integers(
    bits: &[u64],
    integers: &mut Vec<i64>,
    exceptions: &mut Vec<Exception>,
    corrections: &mut Vec<i64>,
) -> Option<u8> {
    let tried = &bits[..bits.len().min(NEAR_TRIED.min(bits.len() / 4).max(8))];
    let mut best = (f64::INFINITY, None);
    for exponent in NEAR_EXPONENTS {
        if scale(tried, exponent, integers, exceptions, corrections).is_none() {
            break;
        }
        let steps = integers.windows(2).map(|w| (w[1] - w[0]).unsigned_abs());
        let cost = mean_width(steps) + mean_width(corrections.iter().map(|c| c.unsigned_abs()));
        if cost < best.0 {
            best = (cost, Some(exponent));
        }
    }
    let steps = tried
        .windows(2)
        .map(|w| ordered(w[0]).abs_diff(ordered(w[1])));
    let exponent = best.1.filter(|_| best.0 + NEAR_SAVES < mean_width(steps))?;
    scale(bits, exponent, integers, exceptions, corrections)?;
    Some(exponent)
}

/// Seconds of clocks that count milliseconds, microseconds or nanoseconds, and sums of these, with a little beside.
const NEAR_EXPONENTS: std::ops::RangeInclusive<u8> = 1..=12;

/// No more values, and no more than a quarter, are asked which power of ten is best: each power takes time.
const NEAR_TRIED: usize = 48;

/// Bits that a value must become shorter for a second column to be worth it.
const NEAR_SAVES: f64 = 4.0;

/// The integers at an exponent, and how many floats the values lie behind them.
fn scale(
    bits: &[u64],
    exponent: u8,
    integers: &mut Vec<i64>,
    exceptions: &mut Vec<Exception>,
    corrections: &mut Vec<i64>,
) -> Option<()> {
    integers.clear();
    exceptions.clear();
    corrections.clear();
    let power = POWERS[usize::from(exponent)];
    let allowed = exceptions_allowed(bits.len());
    for (position, bits) in bits.iter().enumerate() {
        let scaled = f64::from_bits(*bits) * power;
        if scaled.is_nan() || scaled.abs() > WHOLE_MAX {
            if exceptions.len() == allowed {
                return None;
            }
            exceptions.push(Exception {
                position,
                bits: *bits,
            });
            integers.push(integers.last().copied().unwrap_or(0));
            corrections.push(0);
            continue;
        }
        let integer = nearest(scaled);
        let float = integer as f64 / power;
        integers.push(integer);
        corrections.push(ordered(*bits).wrapping_sub(ordered(float.to_bits())));
    }
    fill_front(integers, exceptions);
    Some(())
}

fn mean_width(distances: impl Iterator<Item = u64>) -> f64 {
    let (mut sum, mut count) = (0, 0);
    for distance in distances {
        sum += 64 - distance.leading_zeros();
        count += 1;
    }
    f64::from(sum) / f64::from(count.max(1))
}

/// Adds corrections to floats.
pub(crate) fn correct(floats: &mut [f64], corrections: &[i64]) {
    for (float, correction) in floats.iter_mut().zip(corrections) {
        let corrected = ordered(float.to_bits()).wrapping_add(*correction);
        *float = f64::from_bits(unordered(corrected));
    }
}

/// The bits of a float as an integer: the order of the floats is the order of the integers.
pub(crate) fn ordered(bits: u64) -> i64 {
    let bits = bits as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

pub(crate) fn unordered(integer: i64) -> u64 {
    (integer ^ ((integer >> 63) as u64 >> 1) as i64) as u64
}

/// Appends the floats that integers stand for.
pub(crate) fn to_floats(integers: &[i64], exponent: u8, out: &mut Vec<f64>) -> Option<()> {
    let power = *POWERS.get(usize::from(exponent))?;
    if exponent == 0 {
        out.extend(integers.iter().map(|integer| *integer as f64));
    } else {
        out.extend(integers.iter().map(|integer| *integer as f64 / power));
    }
    Some(())
}
