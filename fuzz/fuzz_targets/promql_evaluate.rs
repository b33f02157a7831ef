//! PromQL: any text that is an expression is planned and evaluated over a few series, as an instant query and as a
//! range query, within tight limits. It gives an answer or an error, never a panic, and never takes long.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use model::{BucketSpan, CounterReset, Labels, Timestamp, stale_marker};
use promql::{
    Buckets, FloatHistogram, Interrupt, Limits, Window, evaluate_instant, evaluate_range, parse,
};
use testkit::MemoryStore;

/// Beyond it an expression is only a longer one.
const TEXT_MAX: usize = 400;

const MINUTE: i64 = 60_000;

static STORE: LazyLock<MemoryStore> = LazyLock::new(store);

fuzz_target!(|text: &str| {
    if text.len() > TEXT_MAX {
        return;
    }
    let Ok(expr) = parse(text) else {
        return;
    };
    // Few samples, so that no expression takes longer than the fuzzer waits for.
    let limits = Limits {
        samples_max: 20_000,
        series_max: 1_000,
        bytes_max: 4 << 20,
        threads: 2,
        experimental: true,
        ..Limits::default()
    };
    let interrupt = Interrupt::new();
    let store = &*STORE;
    let at = Timestamp::from_millis(10 * MINUTE);
    let _ = evaluate_instant(store, &expr, at, &limits, &interrupt);
    let window = Window {
        start: Timestamp::from_millis(MINUTE),
        end: Timestamp::from_millis(12 * MINUTE),
        step: Duration::from_secs(90),
    };
    let _ = evaluate_range(store, &expr, &window, &limits, &interrupt);
});

/// Counters with a reset, gauges with odd values, gaps, classic and native histograms, and series of info.
fn store() -> MemoryStore {
    let store = MemoryStore::with_samples([]);
    let labels = |pairs: &[(&str, &str)]| {
        Labels::from_pairs(pairs.iter().copied()).expect("invariant: these are labels")
    };
    let odd = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e308,
        -3.5,
        stale_marker(),
    ];
    for step in 0..20i64 {
        let at = step * 30_000;
        let number = step as f64;
        for (x, y) in [("1", "a"), ("2", "a"), ("2", "b")] {
            let counter = labels(&[("__name__", "a"), ("x", x), ("y", y)]);
            store.insert(&counter, at, (number * 3.0) % 31.0);
            store.insert_start(&counter, at, at - 45_000);
            let gauge = labels(&[("__name__", "b"), ("x", x), ("y", y)]);
            if step % 5 != 2 {
                store.insert(&gauge, at, odd[(step as usize + x.len()) % odd.len()]);
            }
        }
        for (le, share) in [("0.5", 1.0), ("1", 2.0), ("+Inf", 3.0)] {
            let bucket = labels(&[("__name__", "c_bucket"), ("le", le)]);
            store.insert(&bucket, at, number * share);
        }
        let info = labels(&[
            ("__name__", "target_info"),
            ("job", "j"),
            ("instance", "i"),
            ("v", "1"),
        ]);
        store.insert(&info, at, 1.0);
        let described = labels(&[("__name__", "d"), ("job", "j"), ("instance", "i")]);
        store.insert(&described, at, number);
        for (name, schema, hint) in [
            ("h", 1, CounterReset::Unknown),
            ("g", -1, CounterReset::Gauge),
            ("n", model::CUSTOM_BUCKETS, CounterReset::Unknown),
        ] {
            let series = labels(&[("__name__", name)]);
            let histogram = histogram(schema, hint, (step % 9) as f64);
            store.insert_histogram(&series, at, histogram.to_model());
        }
        // Numbers and histograms in turn.
        let mixed = labels(&[("__name__", "m")]);
        if step % 2 == 0 {
            store.insert(&mixed, at, number);
        } else {
            let histogram = histogram(0, CounterReset::Unknown, number);
            store.insert_histogram(&mixed, at, histogram.to_model());
        }
    }
    store
}

fn histogram(schema: i32, reset: CounterReset, number: f64) -> FloatHistogram {
    let mut histogram = FloatHistogram::empty(schema);
    histogram.reset = reset;
    histogram.positive = Buckets {
        spans: vec![BucketSpan {
            offset: 0,
            length: 3,
        }],
        counts: vec![number, 1.0, number * 2.0],
    };
    histogram.count = number * 3.0 + 1.0;
    if schema == model::CUSTOM_BUCKETS {
        histogram.custom_bounds = vec![1.0, 2.5].into();
    } else {
        histogram.negative = Buckets {
            spans: vec![BucketSpan {
                offset: 2,
                length: 1,
            }],
            counts: vec![2.0],
        };
        histogram.zero_threshold = 0.001;
        histogram.zero_count = 1.0;
        histogram.count += 3.0;
    }
    histogram.sum = number * 4.0;
    histogram
}
