//! Chunks are read back by a decoder that is written here from the description of the format.

mod reader;

use model::{
    BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Histogram, stale_marker,
};
use proptest::prelude::*;

use super::*;
use reader::{read_floats, read_histograms};

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_bytes_of_a_chunk_are_those_of_the_format() {
    let chunk = float_chunk(&[1000], &[1.0]);
    // Two samples in number, the timestamp with its sign at the end, the value.
    assert_eq!(chunk.data, [0, 1, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    // A distance of 1000, the same value, then no change of both.
    let chunk = float_chunk(&[1000, 2000, 3000], &[1.0; 3]);
    assert_eq!(chunk.data[12..], [0xe8, 0x07, 0b0000_0000]);
    // 1.0 and 2.0 differ in 11 bits behind one zero: 1, 1, 00001, 001011, 11 ones.
    let chunk = float_chunk(&[0, 1], &[1.0, 2.0]);
    assert_eq!(chunk.data[11..], [1, 0b1100_0010, 0b0101_1111, 0b1111_1111]);
    assert_eq!((chunk.first, chunk.last), (0, 1));
}

fn any_floats() -> impl Strategy<Value = (Vec<i64>, Vec<f64>)> {
    let distance = prop_oneof![
        5 => Just(15_000i64),
        2 => 14_990i64..15_010,
        1 => 1i64..100_000_000,
        1 => Just(8192),
        1 => Just(1 << 40),
    ];
    let value = prop_oneof![
        2 => any::<f64>(),
        2 => (0u32..1000).prop_map(f64::from),
        1 => Just(stale_marker()),
        1 => Just(-0.0),
        1 => Just(0.0),
    ];
    let first = prop_oneof![Just(1_760_000_000_000i64), -1_000_000i64..1_000_000];
    let samples = prop::collection::vec((distance, value), 1..=CHUNK_SAMPLES_MAX);
    (first, samples).prop_map(|(mut at, samples)| {
        let samples = samples.into_iter().map(|(distance, value)| {
            at += distance;
            (at, value)
        });
        samples.unzip()
    })
}

fn any_spans() -> impl Strategy<Value = Vec<BucketSpan>> {
    let span = (0i32..5, 1u32..4).prop_map(|(offset, length)| BucketSpan { offset, length });
    (prop::collection::vec(span, 0..4), -20i32..20).prop_map(|(mut spans, first)| {
        if let Some(span) = spans.first_mut() {
            span.offset = first;
        }
        spans
    })
}

/// Counters that rise and gauges that do not, of one layout.
fn any_run() -> impl Strategy<Value = Vec<Histogram>> {
    let custom = prop::collection::vec(
        prop_oneof![
            (0u32..1000).prop_map(|bound| f64::from(bound) / 1000.0),
            -1e6..1e9f64
        ],
        6,
    );
    let layout = (
        prop_oneof![-4i32..=8, Just(CUSTOM_BUCKETS)],
        prop_oneof![
            Just(0.0),
            Just(0.5),
            Just(2.938_735_877_055_719e-39),
            0.0..1.0f64
        ],
        any_spans(),
        any_spans(),
        custom,
    );
    let steps = prop::collection::vec((0u64..1000, any::<f64>(), 0..10), 1..30);
    (layout, steps, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
        |((schema, threshold, positive, negative, bounds), steps, is_float, is_gauge, start)| {
            let is_custom = schema == CUSTOM_BUCKETS;
            let negative = if is_custom { Vec::new() } else { negative };
            let length = |spans: &[BucketSpan]| spans.iter().map(|span| span.length as usize).sum();
            let (positives, negatives): (usize, usize) = (length(&positive), length(&negative));
            let mut total = start >> 20;
            let run = steps.into_iter().map(|(step, sum, kind)| {
                total = match is_gauge && kind > 5 {
                    true => total.saturating_sub(step),
                    false => total + step,
                };
                let side = |count: usize, factor: u64| -> Vec<u64> {
                    (0..count as u64)
                        .map(|index| total / (index + factor))
                        .collect()
                };
                let (positive_counts, negative_counts) = (side(positives, 2), side(negatives, 7));
                let floats = |counts: &[u64]| counts.iter().map(|one| *one as f64 / 3.0).collect();
                let counts = match is_float {
                    true => BucketCounts::Float(Counts {
                        total: total as f64 / 3.0,
                        zero: total as f64 / 7.0,
                        positive: floats(&positive_counts),
                        negative: floats(&negative_counts),
                    }),
                    false => BucketCounts::Integer(Counts {
                        total,
                        zero: total / 9,
                        positive: positive_counts,
                        negative: negative_counts,
                    }),
                };
                Histogram {
                    schema,
                    zero_threshold: if is_custom { 0.0 } else { threshold },
                    sum,
                    reset: if is_gauge {
                        CounterReset::Gauge
                    } else {
                        CounterReset::Unknown
                    },
                    positive_spans: positive.clone(),
                    negative_spans: negative.clone(),
                    custom_bounds: if is_custom {
                        bounds.clone()
                    } else {
                        Vec::new()
                    },
                    counts,
                }
            });
            run.collect()
        },
    )
}

/// Runs of any layouts behind each other, with stale markers here and there.
fn any_histograms() -> impl Strategy<Value = Vec<(i64, Histogram)>> {
    let stale = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    (prop::collection::vec(any_run(), 1..4), stale).prop_map(|(runs, stale)| {
        let mut all: Vec<Histogram> = runs.concat();
        for index in stale {
            let place = index.index(all.len());
            all[place] = Histogram::stale();
        }
        let timestamps = (1i64..).map(|index| 1_760_000_000_000 + index * 15_000 + index % 3);
        timestamps.zip(all).collect()
    })
}

/// What of a histogram a chunk keeps: the hint only of the first, and of a marker nothing but the sum.
fn kept(histogram: &Histogram) -> Histogram {
    match histogram.is_stale() {
        true => Histogram::stale(),
        false => Histogram {
            reset: CounterReset::Unknown,
            ..histogram.clone()
        },
    }
}

proptest! {
    #[test]
    fn any_floats_are_read_back((timestamps, values) in any_floats()) {
        let chunk = float_chunk(&timestamps, &values);
        prop_assert_eq!((chunk.first, chunk.last), (timestamps[0], timestamps[timestamps.len() - 1]));
        let (read_timestamps, read_values) = read_floats(&chunk.data);
        prop_assert_eq!(read_timestamps, timestamps);
        prop_assert_eq!(bits(&read_values), bits(&values));
    }

    #[test]
    fn any_histograms_are_read_back(histograms in any_histograms()) {
        let mut rest = &histograms[..];
        while !rest.is_empty() {
            let (chunk, count) = histogram_chunk(rest);
            prop_assert!(count <= CHUNK_SAMPLES_MAX);
            let read = read_histograms(&chunk);
            prop_assert_eq!(read.len(), count);
            for ((timestamp, histogram), (read_at, read)) in rest.iter().zip(&read) {
                prop_assert_eq!(timestamp, read_at);
                prop_assert_eq!(&kept(histogram), &kept(read));
            }
            rest = &rest[count..];
        }
    }
}

#[test]
fn a_chunk_ends_where_a_counter_falls_and_where_buckets_change() {
    let histogram = |total: u64, reset| Histogram {
        reset,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 1,
        }],
        counts: BucketCounts::Integer(Counts {
            total,
            positive: vec![total],
            ..Counts::default()
        }),
        sum: 1.0,
        ..Histogram::stale()
    };
    let of = |histograms: &[Histogram]| {
        let histograms: Vec<_> = (0..).zip(histograms.iter().cloned()).collect();
        let (chunk, count) = histogram_chunk(&histograms);
        (count, chunk.data[2])
    };
    use CounterReset::{Gauge, No, Unknown, Yes};
    assert_eq!(of(&[histogram(5, Unknown), histogram(6, No)]), (2, 0));
    assert_eq!(of(&[histogram(5, Yes), histogram(4, Unknown)]), (1, 0x80));
    assert_eq!(of(&[histogram(5, No), histogram(6, Yes)]), (1, 0x40));
    assert_eq!(of(&[histogram(5, Gauge), histogram(4, Gauge)]), (2, 0xc0));
    assert_eq!(of(&[histogram(5, Gauge), histogram(5, No)]).0, 1);
    let mut wider = histogram(6, No);
    wider.zero_threshold = 1.0;
    assert_eq!(of(&[histogram(5, No), wider]).0, 1);
    let stale = Histogram::stale();
    assert_eq!(
        of(&[histogram(5, No), stale.clone(), histogram(6, No)]).0,
        2
    );
    assert_eq!(of(&[stale.clone(), stale]).0, 1);
    let long: Vec<_> = (0..500).map(|total| histogram(total, No)).collect();
    assert_eq!(of(&long).0, CHUNK_SAMPLES_MAX);
}
