//! Random expressions over so many series and steps that threads share them: with any number of threads the answer, its
//! annotations and errors are the same, bit for bit.

use std::time::Duration;

use model::{Labels, Timestamp};
use promql::{
    Answer, Interrupt, Limits, SampleValue, Series, Value, Window, evaluate_range, parse,
};
use proptest::prelude::*;
use testkit::MemoryStore;
use testkit::naive::Naive;

use super::{GRID, Point, cases, expressions, points, store};

/// For each of two names a handful of batches of a pipeline, the last one not full.
const SERIES: usize = 420;

/// With so many series enough work that other threads are started.
const STEPS: i64 = 1_900;

/// So many of the cases of the other test are run here, each of which takes much longer.
const SHARE: u32 = 20;

/// Series that follow one of a few patterns, each on a scale of its own, so that the order of a sum shows.
fn data() -> impl Strategy<Value = MemoryStore> {
    prop::collection::vec((0..10i64, points()), 5).prop_map(|patterns| {
        let mut data = Naive::default();
        for index in 0..SERIES {
            let (first, points) = &patterns[index % patterns.len()];
            let labels = [
                ("__name__", ["a", "b"][index % 2]),
                ("x", ["", "1", "2"][index % 3]),
                ("y", ["", "1", "2"][index / 7 % 3]),
                ("i", &*index.to_string()),
            ];
            let labels = Labels::from_pairs(labels).expect("invariant: these are labels");
            let scale = 1.0 + index as f64 / 7.0;
            let mut samples = Vec::new();
            for (slot, point) in (*first..).zip(points) {
                let value = match point {
                    Point::Gap => continue,
                    Point::Float(value) if model::is_stale(*value) => (*value).into(),
                    Point::Float(value) => (value * scale).into(),
                    Point::Histogram(it) => SampleValue::Histogram(it.clone().into()),
                };
                samples.push((slot * GRID, value));
            }
            data.series.insert(labels, samples);
        }
        store(&data)
    })
}

/// Any expression in which each selector takes so much that threads share it, mostly in an aggregation that tells in
/// which order series come.
fn wide() -> impl Strategy<Value = String> {
    let outer = prop::sample::select(vec![
        "□",
        "sum(□)",
        "avg by (x) (□)",
        "stddev by (y) (□)",
        "sum without (i) (□)",
        "topk(3, □)",
        "limitk(5, □)",
    ]);
    (outer, expressions::vector()).prop_map(|(outer, text)| {
        // Anything but a pin and a filter, with which little is left to do.
        let narrow = [
            " @ 300",
            " @ 400",
            " @ start()",
            " @ end()",
            "{x=\"1\"}",
            "{x!=\"2\"}",
            "{y=~\"1|2\",x=\"\"}",
        ];
        let text = narrow
            .iter()
            .fold(text, |text, part| text.replace(part, ""));
        outer.replace('□', &text.replace("none", "b"))
    })
}

/// All that an evaluation tells, with the bits of its numbers.
fn told(store: &MemoryStore, text: &str, threads: usize) -> String {
    let expr = parse(text).expect("invariant: only expressions are made");
    let limits = Limits {
        experimental: true,
        threads,
        ..Limits::default()
    };
    let step = 300;
    let window = Window {
        start: Timestamp::from_millis(0),
        end: Timestamp::from_millis((STEPS - 1) * step),
        step: Duration::from_millis(step.unsigned_abs()),
    };
    match evaluate_range(store, &expr, &window, &limits, &Interrupt::new()) {
        Ok(answer) => shown(answer),
        Err(error) => format!("{error:?}"),
    }
}

fn shown(answer: Answer) -> String {
    let Value::Matrix(all) = answer.value else {
        panic!("a range query gives a matrix");
    };
    let mut told = format!(
        "{:?} {:?} {} samples\n",
        answer.warnings, answer.infos, answer.samples_read
    );
    for Series {
        labels,
        floats,
        histograms,
    } in all
    {
        let bits: Vec<u64> = floats.values.iter().map(|value| value.to_bits()).collect();
        told += &format!(
            "{labels} {:?} {bits:x?} {histograms:?}\n",
            floats.timestamps
        );
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases().div_ceil(SHARE),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_number_of_threads_tells_the_same(store in data(), text in wide()) {
        let one = told(&store, &text, 1);
        for threads in [2, 5] {
            let several = told(&store, &text, threads);
            // Shown only in part: an answer may be very long.
            prop_assert!(
                several == one,
                "{text} with {threads} threads: {several:.2000}\nwith one: {one:.2000}"
            );
        }
    }
}
