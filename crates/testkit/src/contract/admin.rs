//! What every store must do for whoever runs it.

use std::sync::Arc;

use model::{
    Matcher, NamedCount, SampleSink, SeriesSource, StorageAdmin, StorageStatistics, Timestamp,
};

use super::{NOW, append, at, labels, select_all};
use crate::SimulatedClock;

/// Checks how a store deletes and what it tells of itself. `make` is as for [`super::check_store`].
///
/// What a snapshot holds only the store's own tests can see.
pub fn check_admin<S: SampleSink + SeriesSource + StorageAdmin>(
    make: impl Fn(Arc<SimulatedClock>) -> S,
) {
    let make = || make(Arc::new(SimulatedClock::new(NOW)));
    deletions_concern_matching_series_and_both_ends(&make());
    what_comes_after_a_deletion_stays(&make());
    a_deletion_of_nothing_changes_nothing(&make());
    statistics_count_what_is_there(&make());
}

/// The seconds of the samples of each series, by the value of `job`.
fn left(store: &impl SeriesSource) -> Vec<(String, Vec<u64>)> {
    let second = |timestamp: i64| Timestamp::from_millis(timestamp).since(at(0)).as_secs();
    let series = select_all(store).into_iter().map(|(labels, samples)| {
        let seconds = samples.into_iter().map(|(timestamp, _)| second(timestamp));
        (
            labels.get("job").unwrap_or("").to_owned(),
            seconds.collect(),
        )
    });
    series
        .filter(|(_, seconds): &(_, Vec<_>)| !seconds.is_empty())
        .collect()
}

/// Series `up` of three jobs with samples at seconds 0 to 4.
fn fill(store: &impl SampleSink) {
    for second in 0..5 {
        let series = ["a", "b", "c"].map(|job| labels(&[("__name__", "up"), ("job", job)]));
        let samples = series.iter().map(|labels| (labels, at(second), 1.0));
        append(store, &samples.collect::<Vec<_>>());
    }
}

fn delete(store: &impl StorageAdmin, jobs: &[&str], start: Timestamp, end: Timestamp) {
    let selectors: Vec<_> = jobs
        .iter()
        .map(|job| {
            vec![
                Matcher::equal("__name__", "up"),
                Matcher::equal("job", *job),
            ]
        })
        .collect();
    store
        .delete(&selectors, start, end)
        .expect("the deletion is taken");
}

fn deletions_concern_matching_series_and_both_ends(
    store: &(impl SampleSink + SeriesSource + StorageAdmin),
) {
    fill(store);
    let whole = vec![0, 1, 2, 3, 4];
    let job = |job: &str, seconds: &[u64]| (job.to_owned(), seconds.to_vec());
    delete(store, &["a", "b"], at(1), at(3));
    let expected = [job("a", &[0, 4]), job("b", &[0, 4]), job("c", &whole)];
    assert_eq!(left(store), expected);
    delete(store, &["a"], at(3), Timestamp::MAX);
    delete(store, &["b"], Timestamp::MIN, Timestamp::MAX);
    let expected = [job("a", &[0]), job("c", &whole)];
    assert_eq!(left(store), expected);
    store.clean_tombstones().expect("tombstones are cleaned");
    assert_eq!(left(store), expected);
}

fn what_comes_after_a_deletion_stays(store: &(impl SampleSink + SeriesSource + StorageAdmin)) {
    fill(store);
    delete(store, &["a", "b", "c"], Timestamp::MIN, Timestamp::MAX);
    assert_eq!(left(store), []);
    let again = labels(&[("__name__", "up"), ("job", "a")]);
    append(store, &[(&again, at(5), 2.0)]);
    let expected = [("a".to_owned(), vec![5])];
    assert_eq!(left(store), expected);
    store.clean_tombstones().expect("tombstones are cleaned");
    assert_eq!(left(store), expected);
}

fn a_deletion_of_nothing_changes_nothing(store: &(impl SampleSink + SeriesSource + StorageAdmin)) {
    fill(store);
    let before = left(store);
    delete(store, &[], Timestamp::MIN, Timestamp::MAX);
    delete(store, &["d"], Timestamp::MIN, Timestamp::MAX);
    delete(store, &["a"], at(5), Timestamp::MAX);
    delete(store, &["a"], at(3), at(2));
    assert_eq!(left(store), before);
}

fn statistics_count_what_is_there(store: &(impl SampleSink + StorageAdmin)) {
    assert_eq!(store.statistics(10).head.range, None);
    fill(store);
    let load = labels(&[("__name__", "load"), ("job", "a")]);
    append(store, &[(&load, at(9), 0.5)]);
    let StorageStatistics {
        head,
        series_by_metric,
        values_by_label,
        series_by_pair,
        ..
    } = store.statistics(2);
    assert_eq!((head.series, head.label_pairs, head.samples), (4, 5, 16));
    assert_eq!(head.range, Some((at(0), at(9))));
    let shown = |counts: &[NamedCount]| -> Vec<String> {
        let shown = counts.iter().map(|of| format!("{} {}", of.name, of.count));
        shown.collect()
    };
    assert_eq!(shown(&series_by_metric), ["up 3", "load 1"]);
    assert_eq!(shown(&values_by_label), ["job 3", "__name__ 2"]);
    assert_eq!(shown(&series_by_pair), ["__name__=up 3", "job=a 2"]);
}
