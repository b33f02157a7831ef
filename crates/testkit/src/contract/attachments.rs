//! The suite for what is stored besides numbers: native histograms, exemplars, starts of counters.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Appended, BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Exemplar,
    ExemplarRow, Histogram, HistogramRow, Labels, Matcher, RejectReason, Row, RowKind, SampleBatch,
    SampleSink, Scope, SelectedSeries, Selection, SeriesSource, StartRow, Timestamp, stale_marker,
};

use super::{NOW, append, at, labels};
use crate::SimulatedClock;

/// Checks a store that keeps rows of every kind; `make` is that of [`super::check_store`].
pub fn check_attachments<S: SampleSink + SeriesSource>(make: impl Fn(Arc<SimulatedClock>) -> S) {
    let make = || make(Arc::new(SimulatedClock::new(NOW)));
    histograms_come_back_bit_for_bit(&make());
    of_two_histograms_at_one_time_the_first_stays(&make());
    a_series_may_have_numbers_and_histograms(&make());
    late_histograms_are_sorted_in(&make());
    exemplars_are_told_by_scope(&make());
    starts_hold_until_the_next(&make());
    a_batch_tells_what_became_of_each_kind(&make());
}

/// A histogram as a counter yields them, with some of everything that can be unusual.
fn histogram(step: u64) -> Histogram {
    let spans = vec![
        BucketSpan {
            offset: -3,
            length: 2,
        },
        BucketSpan {
            offset: 4,
            length: 1,
        },
    ];
    let mut histogram = Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum: step as f64 / 3.0,
        reset: CounterReset::Unknown,
        positive_spans: spans,
        negative_spans: Vec::new(),
        custom_bounds: Vec::new(),
        counts: BucketCounts::Integer(Counts {
            total: 4 * step + 6,
            zero: step,
            positive: vec![step + 1, step + 2, step + 3],
            negative: Vec::new(),
        }),
    };
    match step % 10 {
        3 => histogram.sum = f64::from_bits(0x7ff8_0000_dead_beef),
        4 => histogram = Histogram::stale(),
        5 => histogram.reset = CounterReset::Yes,
        6 => {
            histogram.negative_spans = vec![BucketSpan {
                offset: 0,
                length: 1,
            }];
            histogram.reset = CounterReset::Gauge;
            histogram.counts = BucketCounts::Float(Counts {
                total: step as f64 / 7.0,
                zero: -0.0,
                positive: vec![0.25, 1e300, f64::INFINITY],
                negative: vec![5e-324],
            });
        }
        7 => {
            histogram.schema = CUSTOM_BUCKETS;
            histogram.zero_threshold = 0.0;
            histogram.reset = CounterReset::No;
            histogram.positive_spans = vec![BucketSpan {
                offset: 0,
                length: 3,
            }];
            histogram.custom_bounds = vec![0.1, 1.0];
            histogram.counts = BucketCounts::Integer(Counts {
                total: 6,
                zero: 0,
                positive: vec![1, 2, 3],
                negative: Vec::new(),
            });
        }
        _ => {}
    }
    histogram
        .validate()
        .expect("histograms of the suite are valid");
    histogram
}

fn histogram_batch<'a>(
    labels: &'a Labels,
    histograms: &[(Timestamp, Histogram)],
) -> SampleBatch<'a> {
    let mut batch = SampleBatch::packed([]);
    for (timestamp, histogram) in histograms {
        batch.histograms.push(HistogramRow {
            key: labels.as_packed().as_bytes(),
            timestamp: *timestamp,
            histogram: histogram.clone(),
        });
    }
    batch
}

fn append_all(store: &impl SampleSink, batch: &SampleBatch<'_>) {
    let appended = store.append(batch).expect("the batch is taken");
    let expected = Appended {
        accepted: batch.rows.len(),
        histograms: batch.histograms.len(),
        exemplars: batch.exemplars.len(),
        starts: batch.starts.len(),
        rejected: Vec::new(),
    };
    assert_eq!(appended, expected);
}

fn select(store: &impl SeriesSource, from: Timestamp, to: Timestamp) -> Box<dyn SelectedSeries> {
    let selection = Selection {
        matchers: vec![Matcher::equal("__name__", "latency")],
        start: from,
        end: to,
    };
    store.select(&selection).expect("the selection is answered")
}

fn read(store: &impl SeriesSource, from: Timestamp, to: Timestamp) -> Vec<(i64, Histogram)> {
    let selected = select(store, from, to);
    let mut histograms = Vec::new();
    for index in 0..selected.len() {
        selected
            .read_histograms(index, &mut histograms)
            .expect("the series is read");
    }
    histograms
}

fn histograms_come_back_bit_for_bit(store: &(impl SampleSink + SeriesSource)) {
    let latency = labels(&[("__name__", "latency")]);
    let mut expected = Vec::new();
    // Enough that a store which packs them has done so.
    for step in 0..400 {
        append_all(
            store,
            &histogram_batch(&latency, &[(at(step), histogram(step))]),
        );
        expected.push((at(step).as_millis(), histogram(step)));
    }
    assert_eq!(read(store, Timestamp::MIN, Timestamp::MAX), expected);
    for (from, to) in [(0, 0), (119, 121), (250, 300), (399, 399)] {
        let part = &expected[from..=to];
        assert_eq!(read(store, at(from as u64), at(to as u64)), part);
    }
    assert_eq!(read(store, at(400), Timestamp::MAX), []);
    let series = store
        .series(&Scope::default())
        .expect("series are answered");
    assert_eq!(series, [latency]);
}

fn of_two_histograms_at_one_time_the_first_stays(store: &(impl SampleSink + SeriesSource)) {
    let latency = labels(&[("__name__", "latency")]);
    let batch = [
        (at(5), histogram(1)),
        (at(5), histogram(1)),
        (at(5), histogram(2)),
    ];
    let appended = store
        .append(&histogram_batch(&latency, &batch))
        .expect("the batch is taken");
    assert_eq!(appended.histograms, 2);
    let timestamp = at(5);
    assert_eq!(appended.rejected.len(), 1);
    assert_eq!(appended.rejected[0].row, 2);
    assert_eq!(appended.rejected[0].kind, RowKind::Histogram);
    let reason = &appended.rejected[0].reason;
    assert_eq!(*reason, RejectReason::Duplicate { timestamp });
    // A marker is no other histogram either, however alike it looks.
    append_all(
        store,
        &histogram_batch(&latency, &[(at(6), Histogram::stale())]),
    );
    append_all(
        store,
        &histogram_batch(&latency, &[(at(6), Histogram::stale())]),
    );
    let expected = [
        (timestamp.as_millis(), histogram(1)),
        (at(6).as_millis(), Histogram::stale()),
    ];
    assert_eq!(read(store, Timestamp::MIN, Timestamp::MAX), expected);
}

fn a_series_may_have_numbers_and_histograms(store: &(impl SampleSink + SeriesSource)) {
    let latency = labels(&[("__name__", "latency")]);
    append(
        store,
        &[(&latency, at(1), 1.0), (&latency, at(9), stale_marker())],
    );
    append_all(
        store,
        &histogram_batch(&latency, &[(at(2), histogram(1)), (at(4), histogram(2))]),
    );
    let selected = select(store, at(1), at(3));
    let mut columns = model::SampleColumns::default();
    selected.read(0, &mut columns).expect("the series is read");
    assert_eq!(columns.timestamps, [at(1).as_millis()]);
    let expected = [(at(2).as_millis(), histogram(1))];
    assert_eq!(read(store, at(1), at(3)), expected);
}

fn late_histograms_are_sorted_in(store: &(impl SampleSink + SeriesSource)) {
    let latency = labels(&[("__name__", "latency")]);
    let late = NOW - Duration::from_secs(3600);
    let too_late = late - Duration::from_millis(1);
    let rows = [
        (NOW, histogram(1)),
        (late, histogram(2)),
        (too_late, histogram(3)),
    ];
    let appended = store
        .append(&histogram_batch(&latency, &rows))
        .expect("the batch is taken");
    assert_eq!(appended.histograms, 2);
    let reasons: Vec<_> = appended
        .rejected_of(RowKind::Histogram)
        .map(|rejected| (rejected.row, rejected.reason.label()))
        .collect();
    assert_eq!(reasons, [(2, "out_of_order")]);
    let expected = [
        (late.as_millis(), histogram(2)),
        (NOW.as_millis(), histogram(1)),
    ];
    assert_eq!(read(store, Timestamp::MIN, Timestamp::MAX), expected);
}

fn exemplars_are_told_by_scope(store: &(impl SampleSink + SeriesSource)) {
    let series = ["b", "a"].map(|job| labels(&[("__name__", "requests"), ("job", job)]));
    let exemplar = |trace: &str, seconds, value| Exemplar {
        labels: labels(&[("trace_id", trace)]),
        value,
        timestamp: at(seconds),
    };
    let first = exemplar("one", 1, 0.1);
    let nameless = Exemplar {
        labels: Labels::empty(),
        ..exemplar("", 5, f64::NAN)
    };
    let later = exemplar("two", 9, -0.0);
    let mut batch = SampleBatch::packed(series.iter().map(|labels| (labels, at(9), 1.0)));
    let rows = [
        (&series[0], &first),
        (&series[0], &later),
        (&series[0], &nameless),
        (&series[0], &first),
        (&series[1], &later),
    ];
    for (labels, exemplar) in rows {
        batch.exemplars.push(ExemplarRow {
            key: labels.as_packed().as_bytes(),
            exemplar: exemplar.clone(),
        });
    }
    append_all(store, &batch);

    let ask = |scope: &Scope| store.exemplars(scope).expect("exemplars are answered");
    let of_b = vec![first.clone(), nameless.clone(), later.clone()];
    let of_a = (series[1].clone(), vec![later]);
    let all = [of_a.clone(), (series[0].clone(), of_b)];
    assert_eq!(ask(&Scope::default()), all);
    let scope = Scope {
        selectors: vec![vec![Matcher::equal("job", "a")]],
        ..Scope::default()
    };
    assert_eq!(ask(&scope), [of_a]);
    let scope = Scope {
        start: at(1),
        end: at(8),
        ..Scope::default()
    };
    let early = vec![first, nameless];
    assert_eq!(ask(&scope), [(series[0].clone(), early)]);
    let scope = Scope {
        start: at(10),
        ..Scope::default()
    };
    assert_eq!(ask(&scope), []);
}

fn starts_hold_until_the_next(store: &(impl SampleSink + SeriesSource)) {
    let latency = labels(&[("__name__", "latency")]);
    let start_at = |step: u64| match step {
        0..100 => at(0) - Duration::from_secs(86_400),
        100..250 => at(95),
        _ => at(249),
    };
    for step in 0..300 {
        let mut batch = SampleBatch::packed([(&latency, at(step), 1.0)]);
        batch.starts.push(StartRow {
            key: latency.as_packed().as_bytes(),
            timestamp: at(step),
            start: start_at(step),
        });
        append_all(store, &batch);
    }
    let selected = select(store, at(0), at(280));
    let mut starts = Vec::new();
    selected
        .read_starts(0, &mut starts)
        .expect("the series is read");
    assert!(starts.windows(2).all(|pair| pair[0].0 < pair[1].0));
    for step in 0..=280 {
        let before = starts
            .iter()
            .rev()
            .find(|(timestamp, _)| *timestamp <= at(step).as_millis());
        let start = before.map(|(_, start)| *start);
        assert_eq!(start, Some(start_at(step).as_millis()), "sample {step}");
    }
    assert!(
        starts
            .iter()
            .all(|(at_time, _)| *at_time <= at(280).as_millis())
    );
}

fn a_batch_tells_what_became_of_each_kind(store: &(impl SampleSink + SeriesSource)) {
    let latency = labels(&[("__name__", "latency")]);
    let mut batch = SampleBatch::packed([(&latency, at(0), 1.0)]);
    let unreadable = &b"\xff"[..];
    batch.rows.push(Row {
        key: unreadable,
        ..batch.rows[0]
    });
    for key in [unreadable, latency.as_packed().as_bytes()] {
        batch.histograms.push(HistogramRow {
            key,
            timestamp: NOW,
            histogram: histogram(1),
        });
        batch.exemplars.push(ExemplarRow {
            key,
            exemplar: Exemplar {
                labels: Labels::empty(),
                value: 1.0,
                timestamp: NOW,
            },
        });
        batch.starts.push(StartRow {
            key,
            timestamp: NOW,
            start: at(0),
        });
    }
    let appended = store.append(&batch).expect("the batch is taken");
    let accepted = (appended.accepted, appended.histograms);
    assert_eq!(accepted, (1, 1));
    assert_eq!((appended.exemplars, appended.starts), (1, 1));
    let rejected: Vec<_> = appended
        .rejected
        .iter()
        .map(|rejected| (rejected.kind, rejected.row))
        .collect();
    let expected = [
        (RowKind::Sample, 1),
        (RowKind::Histogram, 0),
        (RowKind::Exemplar, 0),
        (RowKind::Start, 0),
    ];
    assert_eq!(rejected, expected);
}
