//! What is accepted, what is refused, and what is read back.

use std::sync::Arc;
use std::time::Duration;

use model::{
    HealthState, KeyEncoding, Labels, Matcher, RejectReason, SampleBatch, SampleColumns,
    SampleSink, Scope, Selection, SeriesSource, StorageAdmin, Timestamp,
};
use testkit::{SimulatedClock, SimulatedDisk};

use super::{NOW, config, contents, labels, open};
use crate::{Config, Error, OsDisk, Store};

#[test]
fn samples_are_there_after_opening_anew() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let open = || Store::open(Arc::new(OsDisk), directory.path(), clock.clone(), config()).unwrap();
    let (store, recovery) = open();
    assert_eq!((recovery.logs.len(), recovery.samples()), (0, 0));
    let (up, down) = (labels("up"), labels("down"));
    let at = |seconds| NOW + Duration::from_secs(seconds);
    let batch = SampleBatch::packed([(&up, at(0), 1.0), (&down, at(0), 0.5), (&up, at(5), -0.0)]);
    assert_eq!(store.append(&batch).unwrap().accepted, 3);
    let before = contents(&store);
    assert_eq!(before.len(), 2);
    drop(store);
    let (store, recovery) = open();
    assert_eq!(
        (recovery.logs.len(), recovery.samples(), recovery.series),
        (1, 3, 2)
    );
    assert_eq!(contents(&store), before);
    let matchers = vec![Matcher::equal("__name__", "up")];
    let selection = Selection {
        matchers,
        start: at(1),
        end: at(5),
    };
    let selected = store.select(&selection).unwrap();
    let mut columns = SampleColumns::default();
    selected.read(0, &mut columns).unwrap();
    assert_eq!(
        (selected.len(), columns.timestamps),
        (1, vec![at(5).as_millis()])
    );
}

#[test]
fn each_refusal_has_its_reason_and_keeps_nothing_else_out() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let config = Config {
        active_series: 2,
        ..config()
    };
    let (store, _) = Store::open(Arc::new(OsDisk), directory.path(), clock, config).unwrap();
    let (a, b, c) = (labels("a"), labels("b"), labels("c"));
    let nameless = Labels::from_pairs([("job", "a")]).unwrap();
    let window = Duration::from_secs(3600);
    let retention = Duration::from_secs(30 * 24 * 3600);
    let late = Duration::from_millis(1);
    let batch = SampleBatch::packed([
        (&a, NOW, 1.0),
        (&nameless, NOW, 1.0),
        (&a, NOW, 1.0),
        (&a, NOW, 2.0),
        (&a, NOW - window, 3.0),
        (&a, NOW - window, 3.0),
        (&a, NOW - window, 4.0),
        (&a, NOW - window - late, 3.0),
        (&b, NOW - retention, 3.0),
        (&b, NOW - retention - late, 3.0),
        (&c, NOW, 1.0),
    ]);
    let appended = store.append(&batch).unwrap();
    assert_eq!(appended.accepted, 5);
    let row = |index: usize| {
        appended
            .rejected
            .iter()
            .find(|rejected| rejected.row == index)
    };
    let reason = |index| row(index).unwrap().reason.clone();
    assert!(
        reason(1).to_string().contains("no metric name"),
        "{}",
        reason(1)
    );
    assert_eq!(reason(3), RejectReason::Duplicate { timestamp: NOW });
    assert_eq!(
        reason(6),
        RejectReason::Duplicate {
            timestamp: NOW - window
        }
    );
    let timestamp = NOW - window - late;
    assert_eq!(
        reason(7),
        RejectReason::OutOfOrder {
            timestamp,
            newest: NOW
        }
    );
    let (timestamp, oldest) = (NOW - retention - late, NOW - retention);
    assert_eq!(
        reason(9),
        RejectReason::BeyondRetention { timestamp, oldest }
    );
    assert_eq!(reason(10), RejectReason::SeriesLimit { limit: 2 });
    assert_eq!(appended.rejected.len(), 6);
}

#[test]
fn a_second_server_is_kept_out_until_the_first_closes() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let open = || Store::open(Arc::new(OsDisk), directory.path(), clock.clone(), config());
    let (first, _) = open().unwrap();
    let refused = open().err().unwrap();
    assert!(
        matches!(&refused, Error::Locked { path } if path.ends_with("lock")),
        "{refused}"
    );
    first.close().unwrap();
    let (_second, _) = open().unwrap();
    let up = labels("up");
    let error = first
        .append(&SampleBatch::packed([(&up, NOW, 1.0)]))
        .unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    assert!(contents(&first).is_empty());
    assert_eq!(first.health().state, HealthState::Unhealthy);
}

#[test]
fn the_threads_of_a_store_end_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let config = Config {
        threads: true,
        ..config()
    };
    let (store, _) = Store::open(Arc::new(OsDisk), directory.path(), clock, config).unwrap();
    let up = labels("up");
    store
        .append(&SampleBatch::packed([(&up, NOW, 1.0)]))
        .unwrap();
    store.close().unwrap();
    let synced = |family: &&model::MetricFamily| family.name == "campanile_tsdb_wal_syncs_total";
    let metrics = store.metrics();
    assert!(metrics.iter().find(synced).unwrap().points[0].value >= 1.0);
}

#[test]
fn a_torn_end_is_left_out_on_a_real_disk_too() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let open = || Store::open(Arc::new(OsDisk), directory.path(), clock.clone(), config()).unwrap();
    let (store, _) = open();
    let up = labels("up");
    store
        .append(&SampleBatch::packed([(&up, NOW, 1.0)]))
        .unwrap();
    let before = contents(&store);
    drop(store);
    let path = directory.path().join("wal/00000001.wal");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], b"\xca\x4d torn"].concat()).unwrap();
    let (store, recovery) = open();
    assert_eq!(
        (recovery.torn_bytes(), contents(&store)),
        (7, before.clone())
    );
    store.flush().unwrap();
    assert!(!path.exists(), "all that the log held is in a block");
    drop(store);
    let (store, recovery) = open();
    assert_eq!((recovery.torn_bytes(), contents(&store)), (0, before));
}

#[test]
fn after_a_panic_in_a_decoder_the_store_takes_nothing_and_answers_everything() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let (store, _) = Store::open(Arc::new(OsDisk), directory.path(), clock, config()).unwrap();
    let up = labels("up");
    let batch = SampleBatch::packed([(&up, NOW, 1.0)]);
    store.append(&batch).unwrap();
    let mut panicking = batch.clone();
    panicking.encoding = KeyEncoding::opaque(9, |_| panic!("a decoder's fault"));
    let append = std::panic::AssertUnwindSafe(|| store.append(&panicking));
    assert!(std::panic::catch_unwind(append).is_err());
    let error = store.append(&batch).unwrap_err();
    assert!(error.to_string().contains("panic"), "{error}");
    assert_eq!(store.health().state, HealthState::Unhealthy);
    store.maintain(NOW);
    assert_eq!(contents(&store).len(), 1);
    assert!(store.close().is_err());
}

#[test]
fn a_sample_far_ahead_of_the_clock_is_refused() {
    let (store, _) = open(&SimulatedDisk::new(1), config()).unwrap();
    let series = labels("up");
    let limit = NOW + Duration::from_secs(3600);
    let timestamp = limit + Duration::from_millis(1);
    let batch = SampleBatch::packed([(&series, limit, 1.0), (&series, timestamp, 1.0)]);
    let appended = store.append(&batch).unwrap();
    assert_eq!(appended.accepted, 1);
    let reason = RejectReason::InFuture { timestamp, limit };
    assert_eq!(appended.rejected[0].reason, reason);
}

#[test]
fn without_selectors_the_values_of_a_label_are_those_of_visible_series() {
    let (store, _) = open(&SimulatedDisk::new(1), config()).unwrap();
    let second = Duration::from_secs(1);
    let (old, new, newer) = (labels("old"), labels("new"), labels("newer"));
    let rows = [
        (&old, NOW - second, 1.0),
        (&new, NOW, 1.0),
        (&newer, NOW + second, 1.0),
    ];
    store.append(&SampleBatch::packed(rows)).unwrap();
    let values = |name, start, limit| {
        let scope = Scope {
            selectors: Vec::new(),
            start,
            end: NOW + second,
            limit,
        };
        store.label_values(name, &scope).unwrap()
    };
    let all = NOW - second;
    assert_eq!(values("__name__", all, 0), ["new", "newer", "old"]);
    assert_eq!(values("__name__", all, 2), ["new", "newer"]);
    assert_eq!(values("__name__", NOW, 0), ["new", "newer"]);
    assert_eq!(values("job", NOW, 0), ["a"]);
    assert!(values("absent", NOW, 0).is_empty());
}

#[test]
fn a_description_that_is_known_is_waited_for_while_it_is_on_its_way_to_the_disk() {
    let (store, _) = open(&SimulatedDisk::new(1), config()).unwrap();
    let description = ("up".to_owned(), model::Metadata::default());
    let (name, metadata) = &description;
    let shared = &store.shared;
    shared.descriptions_mut().set(name, metadata);
    let mut writer = shared.writer().unwrap();
    writer.encoder().describe(name, metadata).unwrap();
    shared.publish(&mut writer);
    drop(writer);
    assert!(shared.commits.statistics().pending_bytes > 0);
    store.describe(&[description]).unwrap();
    assert_eq!(shared.commits.statistics().pending_bytes, 0);
}

#[test]
fn what_blocks_have_of_a_series_decides_about_its_first_sample_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    let config = Config {
        out_of_order_window: Duration::ZERO,
        ..config()
    };
    let (store, _) = open(&disk, config.clone()).unwrap();
    let old: Vec<Labels> = (0..300).map(|i| labels(&format!("old_{i}"))).collect();
    let rows = old.iter().map(|labels| (labels, NOW, 1.0));
    store.append(&SampleBatch::packed(rows)).unwrap();
    store.flush().unwrap();
    drop(store);
    let (store, recovery) = open(&disk, config).unwrap();
    assert_eq!(recovery.series, 0);
    let (new, newer) = (labels("new"), labels("newer"));
    let before = NOW - Duration::from_secs(60);
    let rows = old.iter().map(|labels| (labels, before, 2.0));
    let mut batch = SampleBatch::packed(rows.chain([(&new, before, 2.0), (&new, NOW, 2.0)]));
    batch.starts = [&old[0], &newer]
        .map(|labels| model::StartRow {
            key: labels.as_packed().as_bytes(),
            timestamp: before,
            start: before,
        })
        .to_vec();
    // The new series' first sample is late in its turn when it comes again.
    for accepted in [2, 1] {
        let appended = store.append(&batch).unwrap();
        assert_eq!((appended.accepted, appended.starts), (accepted, 2));
        let (newest, timestamp) = (NOW, before);
        let reason = RejectReason::OutOfOrder { timestamp, newest };
        let late = |rejected: &model::Rejected| rejected.reason == reason;
        assert!(appended.rejected.iter().all(late), "{appended:?}");
    }
    // What is on disk is known, and no other value.
    let rows = [(&old[7], NOW, 1.0), (&old[8], NOW, 3.0)];
    let appended = store.append(&SampleBatch::packed(rows)).unwrap();
    assert_eq!((appended.accepted, appended.rejected.len()), (1, 1));
}

#[test]
fn what_was_deleted_makes_no_other_late() {
    let disk = SimulatedDisk::new(1);
    let (mut store, _) = open(&disk, config()).unwrap();
    let window = config().out_of_order_window;
    let all = vec![vec![Matcher::equal("__name__", "a")]];
    let (early, late) = (NOW - 9 * window, NOW - 5 * window);
    let append = |store: &Store, at| {
        let (a, b) = (labels("a"), labels("b"));
        let batch = SampleBatch::packed([(&a, at, 1.0), (&b, at, 1.0)]);
        let rejected = store.append(&batch).unwrap().rejected;
        rejected.iter().map(|it| it.row).collect::<Vec<_>>()
    };
    assert_eq!(append(&store, NOW), [0; 0]);
    assert_eq!(append(&store, early), [0, 1]);
    // Only what was deleted is forgotten, of the series that was meant, before and after a restart.
    StorageAdmin::delete(&store, &all, late, Timestamp::MAX).unwrap();
    for restarts in 0..2 {
        assert_eq!(append(&store, late - window * restarts), [1]);
        StorageAdmin::delete(&store, &all, Timestamp::MIN, Timestamp::MAX).unwrap();
        store.close().unwrap();
        store = open(&disk, config()).unwrap().0;
    }
    assert_eq!(append(&store, early), [1]);
    assert_eq!(contents(&store)[&labels("a")].len(), 1);
    // One that came after the deletion counts.
    assert_eq!(append(&store, NOW), [0; 0]);
    assert_eq!(append(&store, early), [0, 1]);
}
