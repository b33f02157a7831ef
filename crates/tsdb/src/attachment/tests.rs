//! What goes in comes out bit for bit; whatever else comes in comes to nothing.

use model::{
    BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Exemplar, Histogram, Labels,
    Timestamp,
};
use proptest::prelude::*;

use super::*;
use crate::tests::bits;

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

/// A counter of durations: about 300 requests in each interval, in 20 buckets.
fn rising(count: usize, mut random: impl FnMut(u64) -> u64) -> Vec<(i64, Histogram)> {
    let mut buckets = vec![0u64; 20];
    let mut sum = 0.0;
    let mut run = Vec::new();
    for step in 0..count {
        for (index, bucket) in buckets.iter_mut().enumerate() {
            // As many as the middle of a bell has, give or take a quarter.
            let usual = 30u64.saturating_sub(2 * (index as u64).abs_diff(10));
            let observed = usual - usual / 4 + random(usual / 2 + 1);
            *bucket += observed;
            for _ in 0..observed {
                sum += 0.001 * f64::from(1 << index) * (1.0 + random(1000) as f64 / 1000.0);
            }
        }
        let counts = Counts {
            total: buckets.iter().sum(),
            zero: 0,
            positive: buckets.clone(),
            negative: vec![],
        };
        let histogram = Histogram {
            schema: 0,
            zero_threshold: 1e-128,
            sum,
            reset: CounterReset::Unknown,
            positive_spans: vec![span(-9, 20)],
            negative_spans: vec![],
            custom_bounds: vec![],
            counts: BucketCounts::Integer(counts),
        };
        run.push((1_700_000_000_000 + 15_000 * step as i64, histogram));
    }
    run
}

/// Numbers that look random and are the same each time.
fn noise() -> impl FnMut(u64) -> u64 {
    let mut state = 1u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    }
}

/// Bytes of a histogram whose every number takes its usual width.
fn plain_size(histogram: &Histogram) -> usize {
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let numbers = 5 + spans + histogram.custom_bounds.len() + histogram.bucket_count();
    numbers * 8 + 4 + 1
}

#[test]
fn a_steadily_rising_histogram_takes_a_tenth_of_its_plain_form() {
    let run = rising(120, noise());
    let payload = encode_histograms(&run);
    let plain: usize = run.iter().map(|(_, it)| plain_size(it)).sum();
    let (size, plain) = (payload.len() / 120, plain / 120);
    assert!(payload.len() * 10 <= plain * 120, "{size} bytes of {plain}");
    assert_eq!(decode_histograms(&payload), Some(run));

    // Without any noise there is next to nothing to say.
    let run = rising(120, |below| below / 2);
    let size = encode_histograms(&run).len();
    assert!(size <= 120 * 8, "{size} bytes, nearly all of them the sums");
}

#[test]
fn a_single_histogram_is_small() {
    let run = rising(1, noise());
    let record = encode_histogram(run[0].0, &run[0].1);
    assert_eq!(record, encode_histograms(&run));
    assert!(record.len() <= 60, "{} bytes", record.len());
    assert_eq!(decode_histograms(&record), Some(run));
}

#[test]
fn the_layout_may_change_within_a_run() {
    let mut run = rising(300, noise());
    for (index, (_, histogram)) in run.iter_mut().enumerate() {
        match index {
            100..150 => histogram.schema = 1,
            150 => *histogram = Histogram::stale(),
            151..200 => {
                histogram.schema = CUSTOM_BUCKETS;
                histogram.zero_threshold = 0.0;
                histogram.custom_bounds = (1..20).map(|bound| f64::from(bound) / 10.0).collect();
                histogram.positive_spans = vec![span(0, 20)];
            }
            _ => {}
        }
    }
    assert_eq!(decode_histograms(&encode_histograms(&run)), Some(run));
}

#[test]
fn long_runs_are_cut_into_sections() {
    for count in [0, 1, 119, 120, 121, 240, 500] {
        let run = rising(count, noise());
        assert_eq!(decode_histograms(&encode_histograms(&run)), Some(run));
        let changes: Vec<_> = (0..count as i64)
            .map(|at| (at * 60_000, at * 59_999))
            .collect();
        assert_eq!(decode_starts(&encode_starts(&changes)), Some(changes));
        let exemplars: Vec<_> = (0..count as i64).map(|at| exemplar(at, "00ff")).collect();
        assert_eq!(
            decode_exemplars(&encode_exemplars(&exemplars)),
            Some(exemplars)
        );
    }
}

fn exemplar(at: i64, trace: &str) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", trace)]).unwrap(),
        value: at as f64 / 3.0,
        timestamp: Timestamp::from_millis(at),
    }
}

#[test]
fn the_id_of_a_trace_takes_half_its_digits() {
    let mut random = noise();
    let exemplars: Vec<_> = (0..100)
        .map(|at| {
            let digits: String = (0..32).map(|_| format!("{:x}", random(16))).collect();
            exemplar(at * 1000, &digits)
        })
        .collect();
    let payload = encode_exemplars(&exemplars);
    assert!(
        payload.len() <= 100 * (16 + 2 + 9),
        "{} bytes",
        payload.len()
    );
    assert_eq!(decode_exemplars(&payload), Some(exemplars));
}

#[test]
fn kinds_are_told_apart() {
    assert_eq!(
        count_attachment(HISTOGRAM, &encode_histograms(&rising(7, noise()))),
        Some(7)
    );
    assert_eq!(
        count_attachment(EXEMPLAR, &encode_exemplar(&exemplar(1, "ab"))),
        Some(1)
    );
    assert_eq!(count_attachment(START, &encode_start(5, 3)), Some(1));
    assert_eq!(count_attachment(9, &encode_start(5, 3)), None);
}

#[test]
fn a_few_bytes_do_not_become_megabytes() {
    // A section of 120 histograms of 4000 buckets that never change, ten times over.
    let counts = Counts {
        positive: vec![7u64; 4000],
        ..Counts::default()
    };
    let histogram = Histogram {
        positive_spans: vec![span(0, 4000)],
        counts: BucketCounts::Integer(counts),
        ..Histogram::stale()
    };
    let run: Vec<_> = (0..120).map(|at| (at, histogram.clone())).collect();
    let payload = encode_histograms(&run);
    assert_eq!(decode_histograms(&payload).map(|run| run.len()), Some(120));
    assert_eq!(decode_histograms(&payload.repeat(10)), None);
    // Lengths that nothing follows.
    let endless = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for start in [&[][..], &[1], &[1, 0, 0, 0], &[120, 0, 0, 0, 0, 0], &[1, 0]] {
        let bytes = [start, &endless].concat();
        assert_eq!(decode_histograms(&bytes), None);
        assert_eq!(decode_exemplars(&bytes), None);
    }
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![0..100u64, any::<u64>()]
}

fn any_float() -> impl Strategy<Value = f64> {
    bits().prop_map(f64::from_bits)
}

fn any_counts() -> impl Strategy<Value = BucketCounts> {
    let lists = |of: BoxedStrategy<u64>| {
        (
            of.clone(),
            of.clone(),
            prop::collection::vec(of.clone(), 0..5),
            prop::collection::vec(of, 0..3),
        )
    };
    prop_oneof![
        lists(any_count().boxed()).prop_map(|(total, zero, positive, negative)| {
            BucketCounts::Integer(Counts {
                total,
                zero,
                positive,
                negative,
            })
        }),
        lists(bits().boxed()).prop_map(|(total, zero, positive, negative)| {
            let floats = |list: Vec<u64>| list.into_iter().map(f64::from_bits).collect();
            BucketCounts::Float(Counts {
                total: f64::from_bits(total),
                zero: f64::from_bits(zero),
                positive: floats(positive),
                negative: floats(negative),
            })
        }),
    ]
}

/// Any histogram at all: what is stored need not be valid to come back.
fn any_histogram() -> impl Strategy<Value = Histogram> {
    let spans = || {
        let span = (any::<i32>(), any::<u32>()).prop_map(|(offset, length)| span(offset, length));
        prop::collection::vec(span, 0..3)
    };
    let rest = (
        prop_oneof![-4..=8i32, any::<i32>()],
        any_float(),
        any_float(),
        prop::sample::select(&CounterReset::ALL[..]),
        prop::collection::vec(any_float(), 0..3),
    );
    (rest, spans(), spans(), any_counts()).prop_map(
        |((schema, zero_threshold, sum, reset, custom_bounds), positive, negative, counts)| {
            Histogram {
                schema,
                zero_threshold,
                sum,
                reset,
                positive_spans: positive,
                negative_spans: negative,
                custom_bounds,
                counts,
            }
        },
    )
}

/// Runs whose neighbours often differ in their numbers only.
fn any_run() -> impl Strategy<Value = Vec<(i64, Histogram)>> {
    let changed = (any::<i64>(), any_histogram(), 0..4u8, any_count(), bits());
    prop::collection::vec(changed, 0..12).prop_map(|all| {
        let mut run: Vec<(i64, Histogram)> = Vec::new();
        for (at, other, kept, count, bits) in all {
            let mut histogram = match run.last() {
                Some((_, last)) if kept > 0 => last.clone(),
                _ => other,
            };
            histogram.sum = f64::from_bits(bits);
            match &mut histogram.counts {
                BucketCounts::Integer(counts) => {
                    counts.total = counts.total.wrapping_add(count);
                    for bucket in &mut counts.positive {
                        *bucket = bucket.wrapping_add(count % 7);
                    }
                }
                BucketCounts::Float(counts) => {
                    counts.zero = f64::from_bits(bits);
                    for bucket in &mut counts.negative {
                        *bucket += count as f64;
                    }
                }
            }
            run.push((at, histogram));
        }
        run
    })
}

fn any_exemplar() -> impl Strategy<Value = Exemplar> {
    let name = prop_oneof![
        Just("trace_id".to_owned()),
        Just("span_id".to_owned()),
        "\\PC{1,80}"
    ];
    let value = prop_oneof!["[0-9a-f]{32}", "[0-9A-F]{1,4}", "\\PC{0,20}"];
    let labels = prop::collection::btree_map(name, value, 0..3);
    (labels, any::<i64>(), any_float()).prop_map(|(labels, at, value)| Exemplar {
        labels: Labels::from_pairs(labels).unwrap(),
        value,
        timestamp: Timestamp::from_millis(at),
    })
}

proptest! {
    #[test]
    fn integers_come_back(
        values in prop::collection::vec(any_count(), 1..130),
        smooth in prop::collection::vec(0..50u64, 1..130),
    ) {
        let rising: Vec<u64> = smooth.iter().scan(u64::MAX - 100, |sum, step| {
            *sum = sum.wrapping_add(*step);
            Some(*sum)
        }).collect();
        for values in [values, smooth, rising] {
            let mut out = Vec::new();
            column::encode_integers(&values, &mut out);
            out.push(77);
            let mut cursor = crate::coding::Cursor::new(&out);
            let read = column::decode_integers(&mut cursor, values.len());
            prop_assert_eq!(read, Some(values));
            prop_assert_eq!(cursor.rest(), [77]);
        }
    }

    #[test]
    fn floats_come_back(values in prop::collection::vec(bits(), 1..130)) {
        let floats: Vec<f64> = values.iter().copied().map(f64::from_bits).collect();
        let mut out = Vec::new();
        column::encode_floats(&floats, &mut out);
        out.push(77);
        let mut cursor = crate::coding::Cursor::new(&out);
        let read = column::decode_floats(&mut cursor, values.len()).unwrap();
        let read: Vec<u64> = read.into_iter().map(f64::to_bits).collect();
        prop_assert_eq!(read, values);
        prop_assert_eq!(cursor.rest(), [77]);
    }

    #[test]
    fn any_histograms_come_back(run in any_run()) {
        prop_assert_eq!(decode_histograms(&encode_histograms(&run)), Some(run));
    }

    #[test]
    fn any_exemplars_come_back(run in prop::collection::vec(any_exemplar(), 0..30)) {
        prop_assert_eq!(decode_exemplars(&encode_exemplars(&run)), Some(run));
    }

    #[test]
    fn any_starts_come_back(changes: Vec<(i64, i64)>) {
        prop_assert_eq!(decode_starts(&encode_starts(&changes)), Some(changes));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for kind in [HISTOGRAM, EXEMPLAR, START] {
            let _ = count_attachment(kind, &bytes);
        }
    }

    #[test]
    fn damaged_payloads_are_read_without_panic(
        run in any_run(),
        exemplars in prop::collection::vec(any_exemplar(), 0..5),
        changes: Vec<(i64, i64)>,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut: prop::sample::Index,
    ) {
        let payloads = [
            (HISTOGRAM, encode_histograms(&run)),
            (EXEMPLAR, encode_exemplars(&exemplars)),
            (START, encode_starts(&changes)),
        ];
        for (kind, mut payload) in payloads {
            if payload.is_empty() {
                continue;
            }
            for (index, byte) in &damage {
                let at = index.index(payload.len());
                payload[at] = *byte;
            }
            let _ = count_attachment(kind, &payload);
            let _ = count_attachment(kind, &payload[..cut.index(payload.len())]);
        }
    }
}
