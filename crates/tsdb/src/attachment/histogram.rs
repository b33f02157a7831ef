//! Runs of native histograms of one series.
//!
//! ```text
//! section  count, layout, then columns: timestamps, reset hints, total, zero, positive and negative buckets, sum
//! layout   schema (signed), is it float, zero threshold, positive spans, negative spans, custom bounds,
//!          number of positive and of negative buckets
//! ```
//!
//! A histogram with another layout begins another section. Of whole counts the total is written as what it exceeds the
//! sum of the buckets by, which is nothing unless a NaN was observed.

use model::{BucketCounts, BucketSpan, CounterReset, Counts, Histogram};

use super::column::{
    decode_floats, decode_integers, encode_floats, encode_integers, put_float, put_length,
    take_float, take_length,
};
use super::{SECTION_MAX, section_length};
use crate::coding::{Cursor, put_signed, put_varint};

/// Words of eight bytes that a payload may become: twice what a run of the longest histograms takes that are taken in.
const WORDS_MAX: usize = 1 << 20;

/// Words of a histogram besides its lists, on the high side.
const HISTOGRAM_WORDS: usize = 40;

/// Writes one histogram for the log; [`decode_histograms`] reads it.
pub(crate) fn encode_histogram(timestamp: i64, histogram: &Histogram) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 2 * histogram.bucket_count());
    encode_section(&[(timestamp, histogram)], &mut out);
    out
}

/// Writes a run of up to 120 histograms of one series, the older first. More are written too, but a payload that
/// would become more than 8 MiB is not read back.
pub(crate) fn encode_histograms(run: &[(i64, Histogram)]) -> Vec<u8> {
    let mut out = Vec::new();
    for same in run.chunk_by(|(_, one), (_, other)| has_layout_of(one, other)) {
        for part in same.chunks(SECTION_MAX) {
            let section: Vec<_> = part
                .iter()
                .map(|(at, histogram)| (*at, histogram))
                .collect();
            encode_section(&section, &mut out);
        }
    }
    out
}

/// Reads what [`encode_histograms`] or [`encode_histogram`] wrote; none if the bytes make no sense.
pub(crate) fn decode_histograms(payload: &[u8]) -> Option<Vec<(i64, Histogram)>> {
    let mut cursor = Cursor::new(payload);
    let mut run = Vec::new();
    let mut words = WORDS_MAX;
    while !cursor.is_empty() {
        decode_section(&mut cursor, &mut words, &mut run)?;
    }
    Some(run)
}

fn has_layout_of(one: &Histogram, other: &Histogram) -> bool {
    let lengths = |histogram: &Histogram| match &histogram.counts {
        BucketCounts::Integer(counts) => (false, counts.positive.len(), counts.negative.len()),
        BucketCounts::Float(counts) => (true, counts.positive.len(), counts.negative.len()),
    };
    let bounds = |histogram: &Histogram| -> Vec<u64> {
        let bounds = histogram.custom_bounds.iter();
        bounds.map(|bound| bound.to_bits()).collect()
    };
    one.schema == other.schema
        && one.zero_threshold.to_bits() == other.zero_threshold.to_bits()
        && lengths(one) == lengths(other)
        && one.positive_spans == other.positive_spans
        && one.negative_spans == other.negative_spans
        && bounds(one) == bounds(other)
}

/// Writes histograms that have one layout.
fn encode_section(section: &[(i64, &Histogram)], out: &mut Vec<u8>) {
    let Some((_, first)) = section.first() else {
        return;
    };
    put_length(out, section.len());
    put_layout(out, first);
    let integers = |of: &dyn Fn(i64, &Histogram) -> u64| -> Vec<u64> {
        section
            .iter()
            .map(|(at, histogram)| of(*at, histogram))
            .collect()
    };
    encode_integers(&integers(&|at, _| at as u64), out);
    encode_integers(
        &integers(&|_, histogram| reset_number(histogram.reset)),
        out,
    );
    match &first.counts {
        BucketCounts::Integer(counts) => {
            let column = |of: &dyn Fn(&Counts<u64>) -> u64| -> Vec<u64> {
                integers(&|_, histogram| match &histogram.counts {
                    BucketCounts::Integer(counts) => of(counts),
                    BucketCounts::Float(_) => 0,
                })
            };
            encode_integers(
                &column(&|counts| counts.total.wrapping_sub(in_buckets(counts))),
                out,
            );
            encode_integers(&column(&|counts| counts.zero), out);
            for bucket in 0..counts.positive.len() {
                encode_integers(&column(&|counts| counts.positive[bucket]), out);
            }
            for bucket in 0..counts.negative.len() {
                encode_integers(&column(&|counts| counts.negative[bucket]), out);
            }
        }
        BucketCounts::Float(counts) => {
            let column = |of: &dyn Fn(&Counts<f64>) -> f64| -> Vec<f64> {
                let values = section
                    .iter()
                    .map(|(_, histogram)| match &histogram.counts {
                        BucketCounts::Float(counts) => of(counts),
                        BucketCounts::Integer(_) => 0.0,
                    });
                values.collect()
            };
            encode_floats(&column(&|counts| counts.total), out);
            encode_floats(&column(&|counts| counts.zero), out);
            for bucket in 0..counts.positive.len() {
                encode_floats(&column(&|counts| counts.positive[bucket]), out);
            }
            for bucket in 0..counts.negative.len() {
                encode_floats(&column(&|counts| counts.negative[bucket]), out);
            }
        }
    }
    let sums: Vec<f64> = section.iter().map(|(_, histogram)| histogram.sum).collect();
    encode_floats(&sums, out);
}

fn put_layout(out: &mut Vec<u8>, histogram: &Histogram) {
    let (is_float, positive, negative) = match &histogram.counts {
        BucketCounts::Integer(counts) => (0, counts.positive.len(), counts.negative.len()),
        BucketCounts::Float(counts) => (1, counts.positive.len(), counts.negative.len()),
    };
    put_signed(out, histogram.schema.into());
    out.push(is_float);
    put_float(out, histogram.zero_threshold);
    put_spans(out, &histogram.positive_spans);
    put_spans(out, &histogram.negative_spans);
    put_length(out, histogram.custom_bounds.len());
    for bound in &histogram.custom_bounds {
        put_float(out, *bound);
    }
    put_length(out, positive);
    put_length(out, negative);
}

fn put_spans(out: &mut Vec<u8>, spans: &[BucketSpan]) {
    put_length(out, spans.len());
    for span in spans {
        put_signed(out, span.offset.into());
        put_varint(out, span.length.into());
    }
}

fn decode_section(
    cursor: &mut Cursor<'_>,
    words: &mut usize,
    run: &mut Vec<(i64, Histogram)>,
) -> Option<()> {
    let count = section_length(cursor)?;
    let schema = i32::try_from(cursor.signed()?).ok()?;
    let is_float = match cursor.byte()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let zero_threshold = take_float(cursor)?;
    let positive_spans = take_spans(cursor)?;
    let negative_spans = take_spans(cursor)?;
    let bounds = take_length(cursor)?;
    let custom_bounds: Vec<f64> = (0..bounds)
        .map(|_| take_float(cursor))
        .collect::<Option<_>>()?;
    let (positive, negative) = (take_length(cursor)?, take_length(cursor)?);
    let lists = positive_spans.len() + negative_spans.len() + bounds + positive + negative;
    *words = words.checked_sub(count * (lists + HISTOGRAM_WORDS))?;

    let timestamps = decode_integers(cursor, count)?;
    let resets = decode_integers(cursor, count)?;
    let counts: Vec<BucketCounts> = match is_float {
        false => {
            let mut all = take_counts(cursor, count, positive, negative, decode_integers)?;
            for counts in &mut all {
                counts.total = counts.total.wrapping_add(in_buckets(counts));
            }
            all.into_iter().map(BucketCounts::Integer).collect()
        }
        true => {
            let all = take_counts(cursor, count, positive, negative, decode_floats)?;
            all.into_iter().map(BucketCounts::Float).collect()
        }
    };
    let sums = decode_floats(cursor, count)?;
    for (((timestamp, reset), counts), sum) in
        timestamps.into_iter().zip(resets).zip(counts).zip(sums)
    {
        let histogram = Histogram {
            schema,
            zero_threshold,
            sum,
            reset: *CounterReset::ALL.get(usize::try_from(reset).ok()?)?,
            positive_spans: positive_spans.clone(),
            negative_spans: negative_spans.clone(),
            custom_bounds: custom_bounds.clone(),
            counts,
        };
        run.push((timestamp as i64, histogram));
    }
    Some(())
}

/// Reads the columns of all counts and turns them into rows.
fn take_counts<T: Copy + Default>(
    cursor: &mut Cursor<'_>,
    count: usize,
    positive: usize,
    negative: usize,
    column: fn(&mut Cursor<'_>, usize) -> Option<Vec<T>>,
) -> Option<Vec<Counts<T>>> {
    let row = |(total, zero): (T, T)| Counts {
        total,
        zero,
        positive: Vec::with_capacity(positive),
        negative: Vec::with_capacity(negative),
    };
    let totals = column(cursor, count)?;
    let zeros = column(cursor, count)?;
    let mut rows: Vec<_> = totals.into_iter().zip(zeros).map(row).collect();
    for _ in 0..positive {
        for (row, value) in rows.iter_mut().zip(column(cursor, count)?) {
            row.positive.push(value);
        }
    }
    for _ in 0..negative {
        for (row, value) in rows.iter_mut().zip(column(cursor, count)?) {
            row.negative.push(value);
        }
    }
    Some(rows)
}

fn take_spans(cursor: &mut Cursor<'_>) -> Option<Vec<BucketSpan>> {
    let count = take_length(cursor)?;
    let span = |_| {
        Some(BucketSpan {
            offset: i32::try_from(cursor.signed()?).ok()?,
            length: u32::try_from(cursor.varint()?).ok()?,
        })
    };
    (0..count).map(span).collect()
}

fn in_buckets(counts: &Counts<u64>) -> u64 {
    let buckets = counts.positive.iter().chain(&counts.negative);
    buckets.fold(counts.zero, |sum, count| sum.wrapping_add(*count))
}

fn reset_number(reset: CounterReset) -> u64 {
    let all = CounterReset::ALL.iter();
    all.zip(0..)
        .find(|(one, _)| **one == reset)
        .map_or(0, |(_, number)| number)
}
