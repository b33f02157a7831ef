//! What is in a chunk, without reading it: how many values, the least, the greatest, their sum.
//!
//! Written next to nothing for constant chunks; where least and greatest are decimals, as integers near those of the
//! chunk before; otherwise as they are. Chunks of few samples have none: they are read instead.

use crate::codec::Aggregates;
use crate::coding::{Cursor, put_signed, put_varint};

/// A chunk of fewer samples is read rather than summed up on disk.
const SUMMARY_SAMPLES_MIN: usize = 32;

/// Decimals have at most so many digits behind the point.
const EXPONENT_MAX: u8 = 9;

/// Powers of ten that a float holds exactly.
const POWERS: [f64; EXPONENT_MAX as usize + 1] = [1., 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Integers up to here are floats, each its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What is in a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChunkSummary {
    /// The oldest timestamp in milliseconds.
    pub(crate) first: i64,
    /// The newest.
    pub(crate) last: i64,
    /// How many samples there are.
    pub(crate) samples: u32,
    /// How many of them are no NaN.
    pub(crate) count: u32,
    /// The least of those that are no NaN; NaN if there are none.
    pub(crate) min: f64,
    /// The greatest.
    pub(crate) max: f64,
    /// Their sum, as exact as a float is: where all values are decimals, rounded to their last digit.
    pub(crate) sum: f64,
}

/// A summary as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum StoredSummary {
    /// The chunk is to be read.
    Absent,
    /// There are only NaNs.
    Empty,
    Values {
        nans: u32,
        min: f64,
        max: f64,
        sum: Sum,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sum {
    /// The number of values times the value.
    Constant,
    /// What an integer is more than number times the mean of least and greatest, and the power of ten.
    Decimal {
        residual: i64,
        exponent: u8,
    },
    Plain(f64),
}

/// The kinds as they are coded.
const ABSENT: u8 = 0;
const EMPTY: u8 = 1;
const CONSTANT: u8 = 2;
const DECIMAL: u8 = 3;
const PLAIN: u8 = 4;

/// What the summary of the chunk before tells about the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SummaryState {
    exponent: u8,
    max: i64,
}

impl ChunkSummary {
    pub(super) fn new(first: i64, last: i64, samples: u32, of: &Aggregates) -> Self {
        let some = of.count > 0;
        Self {
            first,
            last,
            samples,
            count: of.count,
            min: if some { of.min } else { f64::NAN },
            max: if some { of.max } else { f64::NAN },
            sum: of.sum,
        }
    }
}

impl StoredSummary {
    /// Whether a chunk of so many samples has one.
    pub(super) fn is_stored(samples: usize) -> bool {
        samples >= SUMMARY_SAMPLES_MIN
    }

    pub(super) fn new(samples: usize, of: &Aggregates) -> Self {
        if of.count == 0 {
            return Self::Empty;
        }
        let sum = if of.min.to_bits() == of.max.to_bits() && of.min.is_finite() {
            Sum::Constant
        } else {
            decimal_sum(of).unwrap_or(Sum::Plain(of.sum))
        };
        Self::Values {
            nans: samples as u32 - of.count,
            min: of.min,
            max: of.max,
            sum,
        }
    }

    /// The code of its kind, below 8.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Absent => ABSENT,
            Self::Empty => EMPTY,
            Self::Values { sum, .. } => match sum {
                Sum::Constant => CONSTANT,
                Sum::Decimal { .. } => DECIMAL,
                Sum::Plain(_) => PLAIN,
            },
        }
    }

    pub(super) fn nans(&self) -> u32 {
        match self {
            Self::Values { nans, .. } => *nans,
            Self::Absent | Self::Empty => 0,
        }
    }

    /// Appends all but the kind and the number of NaNs.
    pub(super) fn encode(&self, state: &mut SummaryState, out: &mut Vec<u8>) {
        let Self::Values { min, max, sum, .. } = self else {
            return;
        };
        match sum {
            Sum::Constant => put_constant(*min, state, out),
            Sum::Decimal { residual, exponent } => {
                let [min, max] = [min, max].map(|value| mantissa(*value, *exponent).unwrap_or(0));
                out.push(*exponent);
                put_signed(out, min.wrapping_sub(state.base(*exponent)));
                put_varint(out, max.wrapping_sub(min) as u64);
                put_signed(out, *residual);
                *state = SummaryState {
                    exponent: *exponent,
                    max,
                };
            }
            Sum::Plain(sum) => {
                for value in [min, max, sum] {
                    out.extend_from_slice(&value.to_bits().to_le_bytes());
                }
            }
        }
    }

    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        kind: u8,
        nans: u32,
        state: &mut SummaryState,
    ) -> Option<Self> {
        let mut float = || Some(f64::from_bits(cursor.integer(8)?));
        let (min, max, sum) = match kind {
            ABSENT => return Some(Self::Absent),
            EMPTY => return Some(Self::Empty),
            CONSTANT => {
                let value = parse_constant(cursor, state)?;
                (value, value, Sum::Constant)
            }
            DECIMAL => {
                let exponent = cursor.byte().filter(|exponent| *exponent <= EXPONENT_MAX)?;
                let min = cursor.signed()?.wrapping_add(state.base(exponent));
                let max = min.wrapping_add(cursor.varint()? as i64);
                let residual = cursor.signed()?;
                *state = SummaryState { exponent, max };
                let value = |mantissa: i64| mantissa as f64 / POWERS[usize::from(exponent)];
                (value(min), value(max), Sum::Decimal { residual, exponent })
            }
            PLAIN => (float()?, float()?, Sum::Plain(float()?)),
            _ => return None,
        };
        Some(Self::Values {
            nans,
            min,
            max,
            sum,
        })
    }

    /// The summary of a chunk of so many samples; none if the chunk must be read for it, an error if it makes no sense.
    pub(super) fn resolve(&self, first: i64, last: i64, samples: u32) -> Option<ChunkSummary> {
        let (nans, min, max, sum) = match *self {
            Self::Absent => return None,
            Self::Empty => (samples, f64::NAN, f64::NAN, 0.0),
            Self::Values {
                nans,
                min,
                max,
                sum,
            } => {
                let count = samples.saturating_sub(nans);
                let sum = match sum {
                    Sum::Constant => f64::from(count) * min,
                    Sum::Decimal { residual, exponent } => {
                        let mantissa = |value| mantissa(value, exponent).unwrap_or(0);
                        let middle = middle(count, mantissa(min), mantissa(max));
                        middle.wrapping_add(residual) as f64 / POWERS[usize::from(exponent)]
                    }
                    Sum::Plain(sum) => sum,
                };
                (nans, min, max, sum)
            }
        };
        Some(ChunkSummary {
            first,
            last,
            samples,
            count: samples.saturating_sub(nans),
            min,
            max,
            sum,
        })
    }
}

impl SummaryState {
    /// What the least value is written against.
    fn base(&self, exponent: u8) -> i64 {
        if self.exponent == exponent {
            self.max
        } else {
            0
        }
    }
}

/// The value of a constant chunk: its exponent and integer, or all its bits.
fn put_constant(value: f64, state: &mut SummaryState, out: &mut Vec<u8>) {
    let exponents = std::iter::once(state.exponent).chain(0..=EXPONENT_MAX);
    for exponent in exponents {
        if let Some(integer) = mantissa(value, exponent) {
            out.push(exponent);
            put_signed(out, integer.wrapping_sub(state.base(exponent)));
            *state = SummaryState {
                exponent,
                max: integer,
            };
            return;
        }
    }
    out.push(EXPONENT_MAX + 1);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn parse_constant(cursor: &mut Cursor<'_>, state: &mut SummaryState) -> Option<f64> {
    let exponent = cursor.byte()?;
    if exponent > EXPONENT_MAX {
        return Some(f64::from_bits(cursor.integer(8)?));
    }
    let max = cursor.signed()?.wrapping_add(state.base(exponent));
    *state = SummaryState { exponent, max };
    Some(max as f64 / POWERS[usize::from(exponent)])
}

/// The integer that the value is, times a power of ten; none if it would not come back bit for bit.
fn mantissa(value: f64, exponent: u8) -> Option<i64> {
    let power = POWERS[usize::from(exponent)];
    let scaled = (value * power).round();
    let exact = scaled.abs() < EXACT && (scaled as i64 as f64 / power).to_bits() == value.to_bits();
    exact.then_some(scaled as i64)
}

fn decimal_sum(of: &Aggregates) -> Option<Sum> {
    let both = |exponent: &u8| {
        let min = mantissa(of.min, *exponent)?;
        Some((*exponent, min, mantissa(of.max, *exponent)?))
    };
    let (exponent, min, max) = (0..=EXPONENT_MAX).find_map(|exponent| both(&exponent))?;
    let power = POWERS[usize::from(exponent)];
    let scaled = (of.sum * power).round();
    // Values between may have more digits than least and greatest.
    let near = (scaled / power - of.sum).abs() <= of.sum.abs() * 1e-13;
    if !near || scaled.abs() >= EXACT {
        return None;
    }
    let residual = (scaled as i64).wrapping_sub(middle(of.count, min, max));
    Some(Sum::Decimal { residual, exponent })
}

/// What the sum would be if the values lay evenly between least and greatest.
fn middle(count: u32, min: i64, max: i64) -> i64 {
    let double = i128::from(count) * (i128::from(min) + i128::from(max));
    (double / 2) as i64
}
