//! What every implementation of a port must do, as suites that its own tests run.

mod admin;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{
    InvalidLabels, KeyEncoding, Labels, MatchKind, Matcher, Metadata, MetricKind, RejectReason,
    Row, SampleBatch, SampleColumns, SampleSink, Scope, Selection, SeriesSource, Timestamp,
    stale_marker,
};

mod attachments;

pub use attachments::check_attachments;

use crate::SimulatedClock;

pub use admin::check_admin;

/// The time that the suite's clock shows.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Checks a store: what goes in through one port comes out through the other. What is no number is left to
/// [`check_attachments`].
///
/// `make` gives an empty store that takes the time from the clock, keeps 30 days, takes samples out of order up to an
/// hour, and has no other limit.
pub fn check_store<S: SampleSink + SeriesSource>(make: impl Fn(Arc<SimulatedClock>) -> S) {
    let make = || make(Arc::new(SimulatedClock::new(NOW)));
    samples_come_back_bit_for_bit(&make());
    matchers_choose_series_and_answers_are_sorted(&make());
    a_range_includes_both_ends(&make());
    late_samples_are_sorted_in_and_refusals_have_reasons(&make());
    keys_of_any_encoding_mean_their_labels(&make());
    questions_about_labels_keep_to_their_scope(&make());
    what_is_appended_later_does_not_change_the_list(&make());
    descriptions_replace_earlier_ones(&make());
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).expect("labels of the suite are valid")
}

fn at(seconds: u64) -> Timestamp {
    NOW - Duration::from_secs(600) + Duration::from_secs(seconds)
}

fn append(store: &impl SampleSink, samples: &[(&Labels, Timestamp, f64)]) {
    let batch = SampleBatch::packed(samples.iter().copied());
    let appended = store.append(&batch).expect("the batch is taken");
    assert_eq!(appended.rejected, []);
    assert_eq!(appended.accepted, samples.len());
}

/// Labels, and samples as timestamps and bits.
type Read = Vec<(Labels, Vec<(i64, u64)>)>;

fn select(store: &impl SeriesSource, matchers: &[Matcher], from: Timestamp, to: Timestamp) -> Read {
    let selection = Selection {
        matchers: matchers.to_vec(),
        start: from,
        end: to,
    };
    let selected = store.select(&selection).expect("the selection is answered");
    let mut columns = SampleColumns::default();
    let mut read = Read::new();
    for index in 0..selected.len() {
        columns.clear();
        selected
            .read(index, &mut columns)
            .expect("the series is read");
        let bits = columns.values.iter().map(|value| value.to_bits());
        let samples = columns.timestamps.iter().copied().zip(bits).collect();
        read.push((selected.labels(index).clone(), samples));
    }
    read
}

fn select_all(store: &impl SeriesSource) -> Read {
    select(store, &[], Timestamp::MIN, Timestamp::MAX)
}

fn samples_come_back_bit_for_bit(store: &(impl SampleSink + SeriesSource)) {
    let up = labels(&[("__name__", "up")]);
    let values = [
        0.0,
        -0.0,
        0.1,
        f64::NAN,
        stale_marker(),
        f64::from_bits(0x7ff8_0000_dead_beef),
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        f64::MAX,
        9_007_199_254_740_993.0,
    ];
    let mut expected = Vec::new();
    // Enough samples that a store which packs them has done so.
    for (step, value) in (0..600).zip(values.iter().cycle()) {
        append(store, &[(&up, at(step), *value)]);
        expected.push((at(step).as_millis(), value.to_bits()));
    }
    assert_eq!(select_all(store), [(up, expected)]);
}

fn matchers_choose_series_and_answers_are_sorted(store: &(impl SampleSink + SeriesSource)) {
    let series = [
        labels(&[("__name__", "up"), ("job", "b")]),
        labels(&[("__name__", "up"), ("job", "a"), ("zone", "1")]),
        labels(&[("__name__", "up"), ("job", "a")]),
        labels(&[("__name__", "down"), ("job", "ab")]),
    ];
    for series in &series {
        append(store, &[(series, at(0), 1.0)]);
    }
    let names = ["__name__", "job", "zone", "absent"];
    let values = ["", "up", "a", "a|b", "a.*", ".*", ".+", "1|"];
    let kinds = [
        MatchKind::Equal,
        MatchKind::NotEqual,
        MatchKind::Regex,
        MatchKind::NotRegex,
    ];
    for (name, value, kind) in names
        .into_iter()
        .flat_map(|name| values.map(|value| (name, value)))
        .flat_map(|(name, value)| kinds.map(|kind| (name, value, kind)))
    {
        let matcher = Matcher::new(kind, name, value).expect("matchers of the suite are valid");
        let two = [matcher.clone(), Matcher::equal("__name__", "up")];
        for matchers in [&two[..1], &two[..]] {
            let chosen = series.iter().filter(|series| {
                matchers
                    .iter()
                    .all(|matcher| matcher.matches_labels(series))
            });
            let mut expected: Vec<_> = chosen.cloned().collect();
            expected.sort();
            let read = select(store, matchers, at(0), at(0));
            let read: Vec<_> = read.into_iter().map(|(labels, _)| labels).collect();
            assert_eq!(read, expected, "{matchers:?}");
        }
    }
}

fn a_range_includes_both_ends(store: &(impl SampleSink + SeriesSource)) {
    let up = labels(&[("__name__", "up")]);
    for step in 0..500 {
        append(store, &[(&up, at(step), 1.0)]);
    }
    for (from, to) in [(0, 0), (0, 499), (119, 121), (250, 400), (499, 499)] {
        let read = select(store, &[], at(from), at(to));
        let timestamps: Vec<_> = read[0].1.iter().map(|(timestamp, _)| *timestamp).collect();
        let expected: Vec<_> = (from..=to).map(|step| at(step).as_millis()).collect();
        assert_eq!(timestamps, expected);
    }
    let outside = select(store, &[], at(500), at(600));
    assert!(outside.iter().all(|(_, samples)| samples.is_empty()));
}

fn late_samples_are_sorted_in_and_refusals_have_reasons(store: &(impl SampleSink + SeriesSource)) {
    let up = labels(&[("__name__", "up")]);
    let nameless = labels(&[("job", "a")]);
    let millisecond = Duration::from_millis(1);
    let late = NOW - Duration::from_secs(3600);
    let ancient = NOW - Duration::from_secs(30 * 24 * 3600) - millisecond;
    let rows = [
        (&up, NOW, 1.0),
        (&up, late, 2.0),
        (&up, NOW, 1.0),
        (&up, late, 2.0),
        (&up, NOW, 3.0),
        (&up, late, 3.0),
        (&up, late - millisecond, 4.0),
        (&up, ancient, 5.0),
        (&nameless, NOW, 6.0),
    ];
    let appended = store
        .append(&SampleBatch::packed(rows))
        .expect("the batch is taken");
    assert_eq!(appended.accepted, 4);
    let rejected: Vec<_> = appended
        .rejected
        .iter()
        .map(|rejected| rejected.row)
        .collect();
    assert_eq!(rejected, [4, 5, 6, 7, 8]);
    let reason = |index: usize| &appended.rejected[index].reason;
    assert_eq!(*reason(0), RejectReason::Duplicate { timestamp: NOW });
    assert_eq!(*reason(1), RejectReason::Duplicate { timestamp: late });
    let (timestamp, newest) = (late - millisecond, NOW);
    assert_eq!(*reason(2), RejectReason::OutOfOrder { timestamp, newest });
    assert!(matches!(reason(3), RejectReason::BeyondRetention { .. }));
    assert!(matches!(reason(4), RejectReason::InvalidLabels(_)));
    let expected = [(late, 2.0f64), (NOW, 1.0)];
    let expected = expected.map(|(timestamp, value)| (timestamp.as_millis(), value.to_bits()));
    assert_eq!(select_all(store), [(up, expected.to_vec())]);
}

fn keys_of_any_encoding_mean_their_labels(store: &(impl SampleSink + SeriesSource)) {
    fn decode(key: &[u8]) -> Result<Labels, InvalidLabels> {
        let text = std::str::from_utf8(key);
        let text = text.map_err(|_| InvalidLabels::Malformed("no UTF-8".to_owned()))?;
        Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
    }
    let encoding = KeyEncoding::opaque(200, decode);
    let row = |key: &'static str, seconds| Row {
        key: key.as_bytes(),
        timestamp: at(seconds),
        value: 1.0,
    };
    let one = labels(&[("__name__", "up"), ("job", "a")]);
    append(store, &[(&one, at(0), 1.0)]);
    let rows = vec![
        row("__name__=up,job=a", 1),
        row("job=a,__name__=up", 2),
        row("__name__=up,job=a", 3),
        row("__name__=up,job=b", 3),
        row("job=b", 4),
    ];
    let appended = store
        .append(&SampleBatch {
            rows,
            ..SampleBatch::new(encoding)
        })
        .expect("the batch is taken");
    assert_eq!((appended.accepted, appended.rejected.len()), (4, 1));
    let read = select_all(store);
    assert_eq!(read.len(), 2);
    assert_eq!((&read[0].0, read[0].1.len()), (&one, 4));
}

fn questions_about_labels_keep_to_their_scope(store: &(impl SampleSink + SeriesSource)) {
    let old = labels(&[("__name__", "old"), ("job", "a"), ("disk", "sda")]);
    let new = labels(&[("__name__", "new"), ("job", "b"), ("zone", "1")]);
    append(store, &[(&old, at(0), 1.0), (&new, at(100), 1.0)]);
    let ask = |scope: &Scope| {
        let series = store.series(scope).expect("series are answered");
        let names = store.label_names(scope).expect("names are answered");
        let values = store
            .label_values("job", scope)
            .expect("values are answered");
        (series, names, values)
    };
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let of_old = (
        vec![old.clone()],
        strings(&["__name__", "disk", "job"]),
        strings(&["a"]),
    );
    let of_both = (
        vec![new.clone(), old.clone()],
        strings(&["__name__", "disk", "job", "zone"]),
        strings(&["a", "b"]),
    );
    assert_eq!(ask(&Scope::default()), of_both);
    let one = vec![Matcher::equal("job", "a")];
    let other = vec![Matcher::equal("job", "b")];
    let mut scope = Scope {
        selectors: vec![one, other],
        ..Scope::default()
    };
    assert_eq!(ask(&scope), of_both);
    scope.selectors.pop();
    assert_eq!(ask(&scope), of_old);
    let early = Scope {
        end: at(99),
        ..Scope::default()
    };
    // What may have samples is offered: a store may only know the range of what it keeps together.
    let answer = ask(&early);
    assert!(answer == of_old || answer == of_both, "{answer:?}");
    let limited = Scope {
        limit: 1,
        ..Scope::default()
    };
    let first = (vec![new], strings(&["__name__"]), strings(&["a"]));
    assert_eq!(ask(&limited), first);
}

fn what_is_appended_later_does_not_change_the_list(store: &(impl SampleSink + SeriesSource)) {
    let up = labels(&[("__name__", "up")]);
    append(store, &[(&up, at(0), 1.0)]);
    let selection = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&selection).expect("the selection is answered");
    let other = labels(&[("__name__", "other")]);
    append(store, &[(&other, at(1), 1.0)]);
    assert_eq!((selected.len(), selected.labels(0)), (1, &up));
}

fn descriptions_replace_earlier_ones(store: &(impl SampleSink + SeriesSource)) {
    let described = |kind, help: &str| Metadata {
        kind,
        help: help.to_owned(),
        unit: String::new(),
    };
    let first = described(MetricKind::Gauge, "Whether it is up.");
    let second = described(MetricKind::Counter, "Ups.");
    for metadata in [&first, &second] {
        store
            .describe(&[("up".to_owned(), metadata.clone())])
            .expect("the description is taken");
        let expected = BTreeMap::from([("up".to_owned(), metadata.clone())]);
        assert_eq!(store.metadata().expect("metadata are answered"), expected);
    }
}
