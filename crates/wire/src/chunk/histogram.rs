//! Chunks of native histograms.
//!
//! All histograms of a chunk have the buckets of the first, so its spans and bounds are written once. In a chunk of
//! counters nothing falls: readers take it from there that no counter began anew inside. So a chunk ends where the buckets
//! change, where a count falls, and after a stale marker.

use model::{BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Histogram};

use super::bits::BitWriter;
use super::xor::Xor;
use super::{CHUNK_SAMPLES_MAX, Chunk, ChunkEncoding};

/// Compresses the first of some histograms of rising timestamps, at least one and as many as one chunk can hold, and tells
/// how many these are.
///
/// # Panics
/// If there are none.
pub fn histogram_chunk(histograms: &[(i64, Histogram)]) -> (Chunk, usize) {
    let (first, first_histogram) = &histograms[0];
    let mut count = 1;
    while count < histograms.len().min(CHUNK_SAMPLES_MAX)
        && continues(&histograms[count - 1].1, &histograms[count].1)
    {
        count += 1;
    }
    let histograms = &histograms[..count];
    let mut start = (count as u16).to_be_bytes().to_vec();
    start.push(match first_histogram.reset {
        CounterReset::Unknown => 0,
        CounterReset::No => 0b0100_0000,
        CounterReset::Yes => 0b1000_0000,
        CounterReset::Gauge => 0b1100_0000,
    });
    let mut out = BitWriter::behind(start);
    push_layout(&mut out, first_histogram);
    let encoding = match first_histogram.counts {
        BucketCounts::Integer(_) => {
            push_integers(&mut out, histograms);
            ChunkEncoding::Histogram
        }
        BucketCounts::Float(_) => {
            push_floats(&mut out, histograms);
            ChunkEncoding::FloatHistogram
        }
    };
    let chunk = Chunk {
        first: *first,
        last: histograms[count - 1].0,
        encoding,
        data: out.into_bytes(),
    };
    (chunk, count)
}

/// Whether a histogram may stand behind another in one chunk.
fn continues(before: &Histogram, next: &Histogram) -> bool {
    let is_gauge = before.reset == CounterReset::Gauge;
    if before.is_stale() || is_gauge != (next.reset == CounterReset::Gauge) {
        return false;
    }
    let same_buckets = || {
        before.schema == next.schema
            && before.zero_threshold.to_bits() == next.zero_threshold.to_bits()
            && before.positive_spans == next.positive_spans
            && before.negative_spans == next.negative_spans
            && before.custom_bounds == next.custom_bounds
    };
    let rises = match (&before.counts, &next.counts) {
        (BucketCounts::Integer(before), BucketCounts::Integer(next)) => rise(before, next),
        (BucketCounts::Float(before), BucketCounts::Float(next)) => rise(before, next),
        // A marker may be of either kind, but a chunk may not.
        _ => return false,
    };
    // Of a marker only the sum is written.
    next.is_stale() || next.reset != CounterReset::Yes && same_buckets() && (is_gauge || rises)
}

/// Whether no count falls.
fn rise<T: PartialOrd>(before: &Counts<T>, next: &Counts<T>) -> bool {
    let pairs = |before: &[T], next: &[T]| before.iter().zip(next).all(|(one, other)| one <= other);
    before.total <= next.total
        && before.zero <= next.zero
        && pairs(&before.positive, &next.positive)
        && pairs(&before.negative, &next.negative)
}

fn push_layout(out: &mut BitWriter, histogram: &Histogram) {
    push_zero_threshold(out, histogram.zero_threshold);
    out.signed(histogram.schema.into());
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        push_spans(out, spans);
    }
    if histogram.schema == CUSTOM_BUCKETS {
        out.unsigned(histogram.custom_bounds.len() as u64);
        for bound in &histogram.custom_bounds {
            push_bound(out, *bound);
        }
    }
}

/// One byte for 0 and for the powers of two from 2^-243 to 2^10, nine for others.
fn push_zero_threshold(out: &mut BitWriter, threshold: f64) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = threshold.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    if threshold == 0.0 {
        out.bits(0, 8);
    } else if bits & MANTISSA == 0 && (-243..=10).contains(&exponent) {
        out.bits((exponent + 244) as u64, 8);
    } else {
        out.bits(255, 8);
        out.bits(bits, 64);
    }
}

fn push_spans(out: &mut BitWriter, spans: &[BucketSpan]) {
    out.unsigned(spans.len() as u64);
    for span in spans {
        out.unsigned(span.length.into());
        out.signed(span.offset.into());
    }
}

/// Thousandths are short: they are written as whole numbers from 1 up, which begin with a one.
fn push_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    let whole = thousandths.round();
    if (0.0..=33_554_430.0).contains(&thousandths) && whole / 1000.0 == bound {
        out.unsigned(whole as u64 + 1);
    } else {
        out.bit(false);
        out.bits(bound.to_bits(), 64);
    }
}

/// A timestamp or count: written as it is, then as difference, then as change of the difference.
#[derive(Clone, Debug, Default)]
struct Steps {
    value: i64,
    difference: i64,
}

impl Steps {
    fn push(&mut self, out: &mut BitWriter, value: i64) {
        let difference = value.wrapping_sub(self.value);
        out.signed(difference.wrapping_sub(self.difference));
        *self = Self { value, difference };
    }

    /// Goes on as before, whatever the value would be.
    fn push_same(&mut self, out: &mut BitWriter) {
        out.signed(0);
    }

    fn first(value: i64) -> Self {
        Self {
            value,
            difference: 0,
        }
    }
}

fn push_integers(out: &mut BitWriter, histograms: &[(i64, Histogram)]) {
    let mut states: Option<(Steps, [Steps; 2], Xor, Vec<Steps>)> = None;
    for (timestamp, histogram) in histograms {
        let BucketCounts::Integer(counts) = &histogram.counts else {
            continue;
        };
        let totals = [counts.total as i64, counts.zero as i64];
        match &mut states {
            None => {
                out.signed(*timestamp);
                out.unsigned(counts.total);
                out.unsigned(counts.zero);
                out.bits(histogram.sum.to_bits(), 64);
                let buckets = differences(counts).map(|count| {
                    out.signed(count);
                    Steps::first(count)
                });
                let buckets = buckets.collect();
                let totals = totals.map(Steps::first);
                let sum = Xor::new(histogram.sum);
                states = Some((Steps::first(*timestamp), totals, sum, buckets));
            }
            Some((time, states, sum, buckets)) => {
                time.push(out, *timestamp);
                for (state, total) in states.iter_mut().zip(totals) {
                    match histogram.is_stale() {
                        true => state.push_same(out),
                        false => state.push(out, total),
                    }
                }
                sum.push(out, histogram.sum);
                if !histogram.is_stale() {
                    for (state, count) in buckets.iter_mut().zip(differences(counts)) {
                        state.push(out, count);
                    }
                }
            }
        }
    }
}

/// Each bucket's count less that of the one before, the positive buckets first.
fn differences(counts: &Counts<u64>) -> impl Iterator<Item = i64> {
    let sides = [&counts.positive, &counts.negative];
    sides.into_iter().flat_map(|side| {
        let before = [0].into_iter().chain(side.iter().copied());
        let pairs = side.iter().zip(before);
        pairs.map(|(count, before)| count.wrapping_sub(before) as i64)
    })
}

fn push_floats(out: &mut BitWriter, histograms: &[(i64, Histogram)]) {
    let mut states: Option<(Steps, [Xor; 3], Vec<Xor>)> = None;
    for (timestamp, histogram) in histograms {
        let BucketCounts::Float(counts) = &histogram.counts else {
            continue;
        };
        let totals = [counts.total, counts.zero, histogram.sum];
        let buckets = counts.positive.iter().chain(&counts.negative);
        match &mut states {
            None => {
                out.signed(*timestamp);
                let mut first = |value: f64| {
                    out.bits(value.to_bits(), 64);
                    Xor::new(value)
                };
                let totals = totals.map(&mut first);
                let buckets = buckets.map(|count| first(*count)).collect();
                states = Some((Steps::first(*timestamp), totals, buckets));
            }
            Some((time, states, bucket_states)) => {
                time.push(out, *timestamp);
                for (state, total) in states.iter_mut().zip(totals) {
                    state.push(out, total);
                }
                if !histogram.is_stale() {
                    for (state, count) in bucket_states.iter_mut().zip(buckets) {
                        state.push(out, *count);
                    }
                }
            }
        }
    }
}
