//! Random histograms against a naive model: a map from the number of each bucket to its count.
//!
//! Counts are whole, so that all orders of addition give the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::histogram::bounds::exponential;

/// What the buckets of one side hold, besides empty ones.
type Side = BTreeMap<i32, f64>;

fn side(buckets: &Buckets) -> Side {
    let mut side = Side::new();
    let mut number = 0;
    let mut counts = buckets.counts.iter();
    for span in &buckets.spans {
        number += span.offset;
        for _ in 0..span.length {
            *side.entry(number).or_default() += counts.next().unwrap();
            number += 1;
        }
    }
    side.retain(|_, count| *count != 0.0);
    side
}

fn reduced(side: &Side, from: i32, to: i32) -> Side {
    let mut reduced = Side::new();
    for (number, count) in side {
        let width = 1 << (from - to);
        *reduced
            .entry((number - 1).div_euclid(width) + 1)
            .or_default() += count;
    }
    reduced
}

fn added(one: &Side, other: &Side, sign: f64) -> Side {
    let mut sum = one.clone();
    for (number, count) in other {
        *sum.entry(*number).or_default() += sign * count;
    }
    sum.retain(|_, count| *count != 0.0);
    sum
}

/// Buckets as they may be stored: with empty ones, empty spans, and spans without a gap.
fn buckets() -> impl Strategy<Value = Buckets> {
    let span = (0..6i32, 0..4u32);
    let spans = proptest::collection::vec(span, 0..6);
    let counts = proptest::collection::vec(0..4u8, 24);
    (-12..12i32, spans, counts).prop_map(|(first, spans, counts)| {
        let mut spans: Vec<_> = spans
            .into_iter()
            .map(|(offset, length)| BucketSpan { offset, length })
            .collect();
        if let Some(span) = spans.first_mut() {
            span.offset = first;
        }
        let length: u32 = spans.iter().map(|span| span.length).sum();
        let counts = counts.into_iter().map(f64::from).take(length as usize);
        let counts = counts.collect();
        Buckets { spans, counts }
    })
}

fn exponential_histogram() -> impl Strategy<Value = FloatHistogram> {
    let parts = (-2..=3i32, buckets(), buckets(), 0..4u8, 0..4u8);
    parts.prop_map(|(schema, positive, negative, zero, sum)| {
        let mut histogram = FloatHistogram::empty(schema);
        histogram.zero_count = zero.into();
        histogram.zero_threshold = 1e-30;
        histogram.sum = sum.into();
        let counts = positive.counts.iter().chain(&negative.counts);
        histogram.count = counts.sum::<f64>() + histogram.zero_count;
        histogram.positive = positive;
        histogram.negative = negative;
        histogram
    })
}

/// Anything at all, valid or not.
fn hostile() -> impl Strategy<Value = FloatHistogram> {
    let number = prop_oneof![
        Just(0.0),
        Just(-1.5),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(1e308),
        0.0..9.0
    ];
    let offset = prop_oneof![-9..9i32, Just(i32::MAX), Just(i32::MIN)];
    let length = prop_oneof![0..4u32, Just(u32::MAX)];
    let span = (offset, length).prop_map(|(offset, length)| BucketSpan { offset, length });
    let side = (
        proptest::collection::vec(span, 0..5),
        proptest::collection::vec(number.clone(), 0..8),
    );
    let side = side.prop_map(|(spans, counts)| Buckets { spans, counts });
    let schema = prop_oneof![
        -4..=8i32,
        Just(CUSTOM_BUCKETS),
        Just(i32::MIN),
        Just(i32::MAX)
    ];
    let numbers = proptest::array::uniform4(number.clone());
    let bounds = proptest::collection::vec(number, 0..4);
    let hint = proptest::sample::select(CounterReset::ALL.to_vec());
    (schema, numbers, side.clone(), side, bounds, hint).prop_map(
        |(schema, [threshold, zero, count, sum], positive, negative, bounds, reset)| {
            FloatHistogram {
                schema,
                zero_threshold: threshold,
                zero_count: zero,
                count,
                sum,
                reset,
                positive,
                negative,
                custom_bounds: bounds.into(),
            }
        },
    )
}

proptest! {
    #[test]
    fn sums_are_those_of_the_model(
        one in exponential_histogram(),
        other in exponential_histogram(),
        sign in proptest::sample::select(vec![1.0, -1.0]),
    ) {
        let mut sum = one.clone();
        let mut kahan = KahanHistogram::new(one.clone());
        if sign > 0.0 {
            sum.add(&other).unwrap();
            kahan.add(&other).unwrap();
            let mut total = kahan.total();
            total.compact(0);
            let mut plain = sum.clone();
            plain.compact(0);
            prop_assert!(total.equals(&plain));
        } else {
            sum.sub(&other).unwrap();
        }
        let schema = one.schema.min(other.schema);
        prop_assert_eq!(sum.schema, schema);
        prop_assert_eq!(sum.count, one.count + sign * other.count);
        prop_assert_eq!(sum.zero_count, one.zero_count + sign * other.zero_count);
        for (found, one_side, other_side) in [
            (&sum.positive, &one.positive, &other.positive),
            (&sum.negative, &one.negative, &other.negative),
        ] {
            let mine = reduced(&side(one_side), one.schema, schema);
            let theirs = reduced(&side(other_side), other.schema, schema);
            prop_assert_eq!(side(found), added(&mine, &theirs, sign));
        }
        if sign > 0.0 {
            prop_assert_eq!(sum.validate(), Ok(()));
        }
    }

    #[test]
    fn what_compacts_stays_the_same(histogram in exponential_histogram(), empty_max in 0..4usize) {
        let mut compact = histogram.clone();
        compact.compact(empty_max);
        prop_assert_eq!(side(&compact.positive), side(&histogram.positive));
        prop_assert_eq!(side(&compact.negative), side(&histogram.negative));
        prop_assert_eq!(compact.validate(), Ok(()));
        for buckets in [&compact.positive, &compact.negative] {
            let far = |span: &BucketSpan| span.offset as usize > empty_max && span.length > 0;
            prop_assert!(buckets.spans.iter().skip(1).all(far));
            let mut empty = 0;
            for count in &buckets.counts {
                empty = if *count == 0.0 { empty + 1 } else { 0 };
                prop_assert!(empty <= empty_max);
            }
            prop_assert_eq!(empty, 0);
        }
        let again = compact.clone();
        compact.compact(empty_max);
        prop_assert!(compact.equals(&again));
        let read = parse(&histogram.test_expression());
        prop_assert_eq!(side(&read.positive), side(&histogram.positive));
    }

    #[test]
    fn what_only_grows_was_not_reset(
        before in exponential_histogram(),
        more in exponential_histogram(),
        threshold in -14..14i32,
    ) {
        let mut after = before.clone();
        after.add(&more).unwrap();
        prop_assert!(!after.detect_reset(&before));
        // Widening the zero bucket to the end of a bucket takes up whole ones.
        let mut wide = FloatHistogram::empty(after.schema);
        wide.zero_threshold = exponential(threshold, after.schema.min(0)).max(1e-30);
        after.add(&wide).unwrap();
        prop_assert!(!after.detect_reset(&before));
    }

    #[test]
    fn a_bucket_that_falls_is_found(
        before in exponential_histogram(),
        after in exponential_histogram(),
    ) {
        let fell = |current: &Side, previous: &Side| {
            previous.iter().any(|(number, count)| current.get(number).unwrap_or(&0.0) < count)
        };
        let joined = |buckets: &Buckets| match after.schema <= before.schema {
            true => reduced(&side(buckets), before.schema, after.schema),
            false => Side::new(),
        };
        let expected = after.schema > before.schema
            || after.count < before.count
            || after.zero_count < before.zero_count
            || fell(&side(&after.positive), &joined(&before.positive))
            || fell(&side(&after.negative), &joined(&before.negative));
        prop_assert_eq!(after.detect_reset(&before), expected);
    }

    #[test]
    fn walking_back_is_walking_reversed(histogram in exponential_histogram()) {
        let mut backward: Vec<Bucket> = histogram.buckets().rev().collect();
        backward.reverse();
        let forward: Vec<Bucket> = histogram.buckets().collect();
        prop_assert_eq!(&backward, &forward);
        prop_assert!(forward.windows(2).all(|pair| pair[0].upper <= pair[1].lower));
        let counted: f64 = forward.iter().map(|bucket| bucket.count).sum();
        prop_assert_eq!(counted, histogram.count);
    }

    #[test]
    fn nothing_panics_whatever_a_histogram_claims(one in hostile(), other in hostile()) {
        let limit = one.sum;
        for change in [
            |one: &mut FloatHistogram, other: &FloatHistogram| _ = one.add(other),
            |one: &mut FloatHistogram, other: &FloatHistogram| _ = one.sub(other),
            |one: &mut FloatHistogram, other: &FloatHistogram| one.reduce(other.schema),
            |one: &mut FloatHistogram, other: &FloatHistogram| one.trim_upper(other.sum),
            |one: &mut FloatHistogram, other: &FloatHistogram| one.trim_lower(other.sum),
            |one: &mut FloatHistogram, _: &FloatHistogram| one.compact(0),
            |one: &mut FloatHistogram, _: &FloatHistogram| one.compact(usize::MAX),
            |one: &mut FloatHistogram, _: &FloatHistogram| one.div(0.0),
        ] {
            let mut changed = one.clone();
            change(&mut changed, &other);
            // Gaps that are filled have a limit, and there are fewer of them than counts.
            prop_assert!(changed.bucket_count() <= 16 << 16);
            let walked = changed.buckets().count();
            prop_assert_eq!(changed.buckets().rev().count(), walked);
            prop_assert!(walked <= changed.bucket_count() + 1);
        }
        let mut sum = KahanHistogram::new(one.clone());
        _ = sum.add(&other);
        _ = sum.add(&one);
        _ = sum.total();
        _ = one.detect_reset(&other);
        _ = one.validate();
        prop_assert!(one.equals(&one.clone()) || one.zero_threshold.is_nan() || one.has_custom_buckets());
        _ = (one.quantile(0.3), one.quantile(0.7), one.fraction(-1.0, limit));
        _ = (one.stddev(), one.avg(), one.to_string(), one.test_expression());
    }
}
