//! What is no number: what is accepted beside numbers, and how much.

use std::time::Duration;

use model::{
    Appended, BucketCounts, BucketSpan, CounterReset, Counts, Exemplar, ExemplarRow, Histogram,
    HistogramRow, Labels, RejectReason, RowKind, SampleBatch, SampleColumns, SampleSink, Scope,
    Selection, SeriesSource, Timestamp,
};
use testkit::SimulatedDisk;

use super::{NOW, config, labels, open};
use crate::{Config, Store};

/// A histogram of so many buckets, whose counts have nothing in common.
fn histogram(buckets: usize) -> Histogram {
    let counts = (1..=buckets).map(|bucket| (bucket as f64).sqrt().sin().abs());
    let positive: Vec<f64> = counts.collect();
    Histogram {
        schema: 3,
        zero_threshold: 1e-9,
        sum: 1.5,
        reset: CounterReset::Unknown,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: buckets as u32,
        }],
        negative_spans: Vec::new(),
        custom_bounds: Vec::new(),
        counts: BucketCounts::Float(Counts {
            total: positive.iter().sum(),
            zero: 0.0,
            positive,
            negative: Vec::new(),
        }),
    }
}

fn append_number(store: &Store, series: &Labels, at: Timestamp) -> Appended {
    store
        .append(&SampleBatch::packed([(series, at, 1.0)]))
        .unwrap()
}

fn append_histogram(store: &Store, series: &Labels, at: Timestamp, buckets: usize) -> Appended {
    let mut batch = SampleBatch::packed([]);
    batch.histograms.push(HistogramRow {
        key: series.as_packed().as_bytes(),
        timestamp: at,
        histogram: histogram(buckets),
    });
    store.append(&batch).unwrap()
}

fn append_exemplars(
    store: &Store,
    series: &Labels,
    exemplars: impl Iterator<Item = (Timestamp, f64)>,
) -> Appended {
    let mut batch = SampleBatch::packed([]);
    let rows = exemplars.map(|(timestamp, value)| ExemplarRow {
        key: series.as_packed().as_bytes(),
        exemplar: Exemplar {
            labels: Labels::from_pairs([("trace_id", "ab12")]).unwrap(),
            value,
            timestamp,
        },
    });
    batch.exemplars = rows.collect();
    store.append(&batch).unwrap()
}

/// The timestamps of numbers and of histograms of each series.
fn timestamps(store: &Store) -> Vec<(Vec<i64>, Vec<i64>)> {
    let everything = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&everything).unwrap();
    let read = |index| {
        let (mut columns, mut histograms) = (SampleColumns::default(), Vec::new());
        selected.read(index, &mut columns).unwrap();
        selected.read_histograms(index, &mut histograms).unwrap();
        let histograms = histograms.into_iter().map(|(at, _)| at).collect();
        (columns.timestamps, histograms)
    };
    (0..selected.len()).map(read).collect()
}

fn count_exemplars(store: &Store) -> usize {
    let scope = Scope {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        ..Scope::default()
    };
    let all = store.exemplars(&scope).unwrap();
    all.iter().map(|(_, exemplars)| exemplars.len()).sum()
}

#[test]
fn a_series_may_have_a_number_and_a_histogram_at_one_time_in_either_order() {
    for out_of_order_window in [Duration::ZERO, Duration::from_secs(3600)] {
        for between in ["nothing", "a flush", "a restart", "a flush and a restart"] {
            let disk = SimulatedDisk::new(1);
            let config = Config {
                out_of_order_window,
                ..config()
            };
            let (mut store, _) = open(&disk, config.clone()).unwrap();
            let (first, second) = (labels("first"), labels("second"));
            assert_eq!(append_number(&store, &first, NOW).accepted, 1);
            assert_eq!(append_histogram(&store, &second, NOW, 3).histograms, 1);
            if between.contains("flush") {
                store.flush().unwrap();
            }
            if between.contains("restart") {
                drop(store);
                store = open(&disk, config.clone()).unwrap().0;
            }
            let appended = append_histogram(&store, &first, NOW, 3);
            assert_eq!(appended.histograms, 1, "{between}");
            let appended = append_number(&store, &second, NOW);
            assert_eq!(appended.accepted, 1, "{between}");
            let now = NOW.as_millis();
            let both = vec![(vec![now], vec![now]); 2];
            assert_eq!(timestamps(&store), both, "after {between}");
            drop(store);
            let (store, _) = open(&disk, config).unwrap();
            assert_eq!(timestamps(&store), both, "after {between}, opened anew");
            store.flush().unwrap();
            while store.compact().unwrap() {}
            assert_eq!(timestamps(&store), both, "after {between}, in one block");
        }
    }
}

#[test]
fn a_series_has_so_many_exemplars_in_memory_and_no_more() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk, config()).unwrap();
    let up = labels("up");
    let many = |from: u64| {
        (from..from + 2_000).map(|second| (NOW - Duration::from_secs(second), second as f64))
    };
    let appended = append_exemplars(&store, &up, many(0));
    assert_eq!(appended.exemplars, 1024);
    let limited = |appended: &Appended, limit| {
        let reason = &appended.rejected[0].reason;
        assert!(
            matches!(reason, RejectReason::ExemplarLimit { limit: at, .. } if *at == limit),
            "{reason}"
        );
    };
    limited(&appended, 1024);
    let again = append_exemplars(&store, &up, many(0));
    assert_eq!(again.exemplars, 1024, "repetitions are accepted");
    assert_eq!(count_exemplars(&store), 1024);
    drop(store);
    let (store, _) = open(&disk, config()).unwrap();
    assert_eq!(count_exemplars(&store), 1024);
    store.flush().unwrap();
    assert_eq!(append_exemplars(&store, &up, many(2_000)).exemplars, 1024);
    assert_eq!(count_exemplars(&store), 2048);

    let other = labels("other");
    let simultaneous = (0..200_000).map(|value| (NOW, f64::from(value)));
    let appended = append_exemplars(&store, &other, simultaneous);
    assert_eq!(appended.exemplars, 64);
    limited(&appended, 64);
}

#[test]
fn a_histogram_that_is_too_large_is_refused_and_many_large_ones_become_blocks() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk, config()).unwrap();
    let up = labels("up");
    let appended = append_histogram(&store, &up, NOW, 10_000);
    let reason = &appended.rejected[0].reason;
    assert!(
        reason.to_string().starts_with("histogram takes 100"),
        "{reason}"
    );
    assert!(matches!(
        reason,
        RejectReason::TooLarge { limit: 65_536, .. }
    ));
    let later = |step| NOW + Duration::from_secs(step);
    for step in 0..50 {
        // Their layouts differ, so that a run of them is as long as all of them.
        let buckets = 5_000 + 10 * step as usize;
        let appended = append_histogram(&store, &up, later(step), buckets);
        assert_eq!(appended.histograms, 1);
    }
    let before = timestamps(&store);
    assert_eq!(before[0].1.len(), 50);
    store.flush().unwrap();
    assert_eq!(timestamps(&store), before);
}

#[test]
fn nothing_is_taken_from_before_1970_however_long_samples_are_kept() {
    let disk = SimulatedDisk::new(1);
    let config = Config {
        retention: Duration::ZERO,
        ..config()
    };
    let (store, _) = open(&disk, config).unwrap();
    let (oldest, older) = (Timestamp::from_millis(0), Timestamp::from_millis(-1));
    let (a, b) = (labels("a"), labels("b"));
    let rows = [(&a, oldest, 1.0), (&b, older, 1.0)];
    let appended = store.append(&SampleBatch::packed(rows)).unwrap();
    assert_eq!(appended.accepted, 1);
    let timestamp = older;
    let reason = RejectReason::BeyondRetention { timestamp, oldest };
    assert_eq!(appended.rejected[0].reason, reason);
    store.flush().unwrap();
    assert_eq!(timestamps(&store), [(vec![0], vec![])]);
}

#[test]
fn numbers_of_a_batch_do_not_make_its_histograms_late() {
    let (store, _) = open(&SimulatedDisk::new(1), config()).unwrap();
    let series = labels("mixed");
    let window = config().out_of_order_window;
    let begin = NOW - 20 * window;
    let later = begin + 2 * window;
    let send = |numbers: &[Timestamp], histograms: &[Timestamp]| {
        let rows = numbers.iter().map(|at| (&series, *at, 1.0));
        let mut batch = SampleBatch::packed(rows);
        for at in histograms {
            batch.histograms.push(HistogramRow {
                key: series.as_packed().as_bytes(),
                timestamp: *at,
                histogram: histogram(2),
            });
        }
        let appended = store.append(&batch).unwrap();
        let rejected = appended.rejected.iter();
        rejected.map(|it| (it.kind, it.row)).collect::<Vec<_>>()
    };
    let second = Duration::from_secs(1);
    // In the order of time they would all have been taken.
    assert_eq!(send(&[begin, later], &[begin + second, later - second]), []);
    // What was there before does, and so does another histogram of the batch.
    assert_eq!(
        send(&[later + second], &[begin + second, begin + 2 * second]),
        [(RowKind::Histogram, 1)]
    );
    let late = [later + 4 * window, later + second];
    assert_eq!(
        send(&[later + 2 * second], &late),
        [(RowKind::Histogram, 1)]
    );
}
