//! What is accepted, what is refused, and what is read back.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Labels, Matcher, RejectReason, SampleBatch, SampleColumns, SampleSink, Selection, SeriesSource,
    Timestamp,
};
use testkit::SimulatedClock;

use crate::{Config, OsDisk, Store};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn config() -> Config {
    Config {
        threads: false,
        ..Config::default()
    }
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("job", "a")]).unwrap()
}

fn read_all(store: &Store) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let selection = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&selection).unwrap();
    let read = |index| {
        let mut columns = SampleColumns::default();
        selected.read(index, &mut columns).unwrap();
        let samples = columns.timestamps.into_iter().zip(columns.values);
        (selected.labels(index).clone(), samples.collect())
    };
    (0..selected.len()).map(read).collect()
}

#[test]
fn samples_are_there_after_opening_anew() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let open = || Store::open(Arc::new(OsDisk), directory.path(), clock.clone(), config()).unwrap();
    let (store, recovery) = open();
    assert_eq!((recovery.segments, recovery.samples), (0, 0));
    let (up, down) = (labels("up"), labels("down"));
    let at = |seconds| NOW + Duration::from_secs(seconds);
    let batch = SampleBatch::packed([(&up, at(0), 1.0), (&down, at(0), 0.5), (&up, at(5), -0.0)]);
    assert_eq!(store.append(&batch).unwrap().accepted, 3);
    let before = read_all(&store);
    assert_eq!(before.len(), 2);
    drop(store);
    let (store, recovery) = open();
    assert_eq!(
        (recovery.segments, recovery.samples, recovery.series),
        (1, 3, 2)
    );
    assert_eq!(read_all(&store), before);
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
