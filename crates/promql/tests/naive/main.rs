//! The engine, which evaluates all steps at once, against the naive evaluator, which takes one moment after the
//! other: random expressions over random data give the same to the last bit.
//!
//! `PROMQL_CASES=100000 cargo test -p promql --test naive` runs more of them.

mod expressions;
mod threads;

use std::collections::BTreeMap;
use std::time::Duration;

use model::{BucketSpan, Labels, Timestamp, stale_marker};
use promql::{
    Buckets, EvalError, FloatHistogram, Interrupt, Limits, SampleValue, Value, Window,
    evaluate_instant, evaluate_range, parse,
};
use proptest::prelude::*;
use testkit::MemoryStore;
use testkit::naive::{Fault, Matrix, Naive, Steps};

/// So many cases are run unless `PROMQL_CASES` says otherwise: a few seconds.
const CASES: u32 = 500;

/// Samples lie on multiples of this, in milliseconds.
const GRID: i64 = 15_000;

/// What may stand at a moment of a series.
#[derive(Debug, Clone)]
enum Point {
    Gap,
    Float(f64),
    Histogram(FloatHistogram),
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-8..40i32).prop_map(|quarters| f64::from(quarters) / 4.0),
        3 => (0..1000i32).prop_map(|tenths| f64::from(tenths) / 10.0),
        1 => prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            1e100,
            -1e100,
            f64::MAX,
            f64::MIN_POSITIVE,
            stale_marker(),
        ]),
    ]
}

/// No gauges: of them, where only their counts are asked for, Prometheus compares nothing but these to find resets.
fn histogram() -> impl Strategy<Value = FloatHistogram> {
    // Whether an empty bucket is there or left out shows only once it is multiplied by NaN.
    let counts = prop::collection::vec(1..6u8, 1..4);
    (0..3i32, -2..3i32, counts, 0..3u8).prop_map(|(schema, offset, counts, zero)| {
        let counts: Vec<f64> = counts.into_iter().map(f64::from).collect();
        let length = u32::try_from(counts.len()).expect("invariant: there are three at most");
        let mut histogram = FloatHistogram::empty(schema);
        histogram.zero_threshold = 0.25;
        histogram.zero_count = f64::from(zero);
        histogram.count = counts.iter().sum::<f64>() + f64::from(zero);
        histogram.sum = histogram.count * 1.5;
        histogram.positive = Buckets {
            spans: vec![BucketSpan { offset, length }],
            counts,
        };
        histogram
    })
}

/// A series: a counter with resets, any numbers, histograms, or a mix.
fn points() -> impl Strategy<Value = Vec<Point>> {
    let gap = || Just(Point::Gap);
    let numbers = prop_oneof![1 => gap(), 4 => float().prop_map(Point::Float)];
    let counter =
        (0..40u32, prop::collection::vec((0..9u32, 0..12u8), 1..60)).prop_map(|(start, rises)| {
            let mut value = f64::from(start);
            let mut points = Vec::new();
            for (rise, chance) in rises {
                match chance {
                    0 => value = f64::from(rise),
                    1 => {
                        points.push(Point::Gap);
                        continue;
                    }
                    2 => {
                        points.push(Point::Float(stale_marker()));
                        continue;
                    }
                    _ => value += f64::from(rise),
                }
                points.push(Point::Float(value));
            }
            points
        });
    let distributions = prop_oneof![1 => gap(), 3 => histogram().prop_map(Point::Histogram)];
    let mixed = prop_oneof![
        1 => gap(),
        2 => float().prop_map(Point::Float),
        1 => histogram().prop_map(Point::Histogram),
    ];
    prop_oneof![
        4 => counter,
        4 => prop::collection::vec(numbers, 1..60),
        u32::from(std::env::var("NOHIST").is_err()) => prop::collection::vec(distributions, 1..30),
        u32::from(std::env::var("NOHIST").is_err()) => prop::collection::vec(mixed, 1..30),
    ]
}

/// Up to two names with labels of few values, so that series meet.
fn data() -> impl Strategy<Value = Naive> {
    let labels = (
        prop::sample::select(vec!["a", "b"]),
        prop::sample::select(vec!["", "1", "2"]),
        prop::sample::select(vec!["", "1", "2"]),
    );
    let labels = labels.prop_map(|(name, x, y)| {
        Labels::from_pairs([("__name__", name), ("x", x), ("y", y)])
            .expect("invariant: these are labels")
    });
    let series = (labels, 0..20i64, points());
    prop::collection::vec(series, 0..7).prop_map(|all| {
        let mut data = Naive::default();
        for (labels, first, points) in all {
            let mut samples = Vec::new();
            for (index, point) in (first..).zip(points) {
                let value = match point {
                    Point::Gap => continue,
                    Point::Float(value) => SampleValue::Float(value),
                    Point::Histogram(histogram) => SampleValue::Histogram(histogram.into()),
                };
                samples.push((index * GRID, value));
            }
            data.series.insert(labels, samples);
        }
        data
    })
}

fn store(data: &Naive) -> MemoryStore {
    let store = MemoryStore::with_samples([]);
    for (labels, samples) in &data.series {
        for (time, value) in samples {
            match value {
                SampleValue::Float(value) => store.insert(labels, *time, *value),
                SampleValue::Histogram(it) => store.insert_histogram(labels, *time, it.to_model()),
            }
        }
    }
    store
}

/// The engine's answer; an instant query is a range of one step.
fn engine(
    store: &MemoryStore,
    text: &str,
    steps: Steps,
    instant: bool,
) -> Result<Matrix, EvalError> {
    let expr = parse(text).expect("invariant: only expressions are made");
    let limits = Limits {
        experimental: true,
        ..Limits::default()
    };
    let interrupt = Interrupt::new();
    let start = Timestamp::from_millis(steps.start);
    let answer = if instant {
        evaluate_instant(store, &expr, start, &limits, &interrupt)?
    } else {
        let window = Window {
            start,
            end: Timestamp::from_millis(steps.end),
            step: Duration::from_millis(steps.step.unsigned_abs()),
        };
        evaluate_range(store, &expr, &window, &limits, &interrupt)?
    };
    let mut matrix = Matrix::new();
    let mut put = |labels: &Labels, time: i64, value: SampleValue| {
        let points: &mut BTreeMap<_, _> = matrix.entry(labels.clone()).or_default();
        assert!(
            points.insert(time, value).is_none(),
            "{labels} twice at {time}"
        );
    };
    match answer.value {
        Value::Scalar(sample) => put(&Labels::empty(), steps.start, sample.value.into()),
        Value::Vector(samples) => {
            for sample in samples {
                put(&sample.labels, sample.timestamp.as_millis(), sample.value);
            }
        }
        Value::Matrix(all) => {
            for series in all {
                for (time, value) in series.floats.timestamps.iter().zip(&series.floats.values) {
                    put(&series.labels, *time, (*value).into());
                }
                for (time, histogram) in series.histograms {
                    put(&series.labels, time, SampleValue::Histogram(histogram));
                }
            }
        }
        Value::String { .. } => panic!("no string was asked for"),
    }
    Ok(matrix)
}

/// The same text for the same bits; any NaN is the same.
fn shown(matrix: &Matrix) -> String {
    let bits = |value: f64| match value.is_nan() {
        true => "NaN".to_owned(),
        false => format!("{value:?}"),
    };
    let mut lines = String::new();
    for (labels, points) in matrix {
        lines += &format!("{labels}:");
        for (time, value) in points {
            let value = match value {
                SampleValue::Float(value) => bits(*value),
                SampleValue::Histogram(histogram) => {
                    let mut histogram = histogram.as_ref().clone();
                    histogram.compact(0);
                    format!("{histogram:?}")
                }
            };
            lines += &format!(" {value}@{}", time / 1000);
        }
        lines += "\n";
    }
    lines
}

fn cases() -> u32 {
    let asked = std::env::var("PROMQL_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        // The expressions are texts, which shrink by their parts only.
        max_shrink_iters: 2000,
        max_global_rejects: 1_000_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_gives_what_the_naive_evaluator_gives(
        data in data(),
        text in expressions::vector(),
        (start, count, step) in (0..60i64, 1..12i64, 1..9i64),
        instant in any::<bool>(),
    ) {
        let step = step * 7_000;
        let start = start * 10_000;
        let count = if instant { 1 } else { count };
        let steps = Steps { start, end: start + (count - 1) * step, step };
        let expected = data.evaluate(&parse(&text).unwrap(), steps);
        if let Err(Fault::Unknown(_)) = expected {
            return Err(TestCaseError::reject("the naive evaluator does not know it"));
        }
        let got = engine(&store(&data), &text, steps, instant);
        match (expected, got) {
            (Ok(expected), Ok(got)) => {
                prop_assert_eq!(shown(&got), shown(&expected), "{} at {:?}", text, steps);
            }
            (Err(Fault::Execution(_)), Err(EvalError::Execution { .. })) => {}
            // A subquery is evaluated at all its steps from the first to the last of the query, as Prometheus does it,
            // also at those that are in no range.
            (Ok(_), Err(EvalError::Execution { .. })) if !instant && text.contains(':') => {
                return Err(TestCaseError::reject("a step outside of all ranges fails"));
            }
            (_, Err(EvalError::Unsupported { .. })) => {
                return Err(TestCaseError::reject("the engine does not know it"));
            }
            (expected, got) => {
                prop_assert!(false, "{}: expected {:?}, got {:?}", text, expected, got);
            }
        }
    }
}
