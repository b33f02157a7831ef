//! What happens when memory is scarce: who is refused, and what is said about it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    HealthState, KeyEncoding, Labels, Matcher, RejectReason, SampleBatch, SampleColumns,
    SampleSink, Scope, Selection, SeriesSource, SourceError, StartRow, Timestamp,
};
use testkit::{SimulatedClock, SimulatedDisk};

use super::{DIRECTORY, NOW, config, contents, labels};
use crate::{Config, Store};

const MEMORY_MAX: u64 = 1_500_000;

fn open(config: Config) -> (Store, Arc<SimulatedClock>) {
    let clock = Arc::new(SimulatedClock::new(NOW));
    let disk = Arc::new(SimulatedDisk::new(1));
    let opened = Store::open(disk, Path::new(DIRECTORY), clock.clone(), config);
    (opened.unwrap().0, clock)
}

/// The sum of a metric's points.
fn metric(store: &Store, name: &str) -> f64 {
    let name = format!("campanile_tsdb_{name}");
    let metrics = store.metrics();
    let found = metrics.iter().find(|family| family.name == name).unwrap();
    found.points.iter().map(|point| point.value).sum()
}

fn many(count: usize) -> Vec<Labels> {
    (0..count).map(|i| labels(&format!("series_{i}"))).collect()
}

fn append(store: &Store, series: &[Labels], at: Timestamp, value: f64) -> usize {
    let rows = series.iter().map(|labels| (labels, at, value));
    store.append(&SampleBatch::packed(rows)).unwrap().accepted
}

fn everything() -> Selection {
    Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    }
}

#[test]
fn new_series_are_refused_before_samples_of_those_that_there_are() {
    let (store, clock) = open(Config {
        memory_max: MEMORY_MAX,
        ..config()
    });
    let series = many(40_000);
    let mut known = 0;
    for part in series.chunks(1_000) {
        known += append(&store, part, NOW, 1.0);
    }
    assert!((800..6_000).contains(&known), "{known} series");
    let batch = SampleBatch::packed([(&series[39_999], NOW, 1.0)]);
    let refused = store.append(&batch).unwrap().rejected;
    let reason = RejectReason::MemoryLimit { limit: MEMORY_MAX };
    assert_eq!(refused[0].reason, reason);
    assert_eq!(
        metric(&store, "samples_rejected_total"),
        (40_001 - known) as f64
    );
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(health.reason.contains("limits.memory"), "{}", health.reason);

    let taken: Vec<Labels> = contents(&store).into_keys().collect();
    assert_eq!(taken.len(), known);
    for step in 1..=60 {
        while store.compact().unwrap() {}
        clock.advance(Duration::from_secs(15));
        let now = model::Clock::now(&*clock);
        let accepted = append(&store, &taken, now, f64::from(step) * 0.37);
        assert_eq!(accepted, known, "in step {step}");
        let memory = metric(&store, "memory_bytes");
        // The pieces in which memory is taken are large beside so small a limit.
        assert!(
            memory <= 1.2 * MEMORY_MAX as f64,
            "{memory} bytes in step {step}"
        );
    }
    assert!(
        metric(&store, "flushes_total") > 1.0,
        "samples became blocks early"
    );
    assert_eq!(contents(&store).len(), known);
    assert_eq!(store.health().state, HealthState::Healthy);
}

#[test]
fn series_that_there_were_before_a_restart_go_on_without_room_for_new_ones() {
    let disk = SimulatedDisk::new(1);
    let config = |memory_max| Config {
        memory_max,
        ..config()
    };
    let (store, _) = super::open(&disk, config(0)).unwrap();
    let known = many(3_000);
    assert_eq!(append(&store, &known, NOW, 1.0), known.len());
    drop(store);
    // Restored series have no limit, so that there is no room for others.
    let (store, _) = super::open(&disk, config(600_000)).unwrap();
    let second = Duration::from_secs(1);
    let opaque = KeyEncoding::opaque(9, Labels::from_packed);
    for (step, encoding) in (1..).zip([KeyEncoding::PACKED, opaque]) {
        let at = NOW + step * second;
        for part in known.chunks(200) {
            let mut batch = SampleBatch::packed(part.iter().map(|labels| (labels, at, 2.0)));
            batch.encoding = encoding;
            batch.starts = part
                .iter()
                .map(|labels| StartRow {
                    key: labels.as_packed().as_bytes(),
                    timestamp: at,
                    start: NOW,
                })
                .collect();
            let appended = store.append(&batch).unwrap();
            assert_eq!(appended.rejected, []);
            assert_eq!((appended.accepted, appended.starts), (200, 200));
            while store.compact().unwrap() {}
        }
    }
    let new = labels("new");
    let batch = SampleBatch::packed([(&new, NOW + 3 * second, 1.0)]);
    let refused = store.append(&batch).unwrap().rejected;
    let reason = RejectReason::MemoryLimit { limit: 600_000 };
    assert_eq!(refused[0].reason, reason);
}

#[test]
fn samples_that_only_a_reader_holds_take_memory_until_it_ends() {
    let (store, _) = open(config());
    append(&store, &many(5_000), NOW, 1.0);
    let held = store.select(&everything()).unwrap();
    let samples = metric(&store, "memtable_bytes");
    store.flush().unwrap();
    assert_eq!(metric(&store, "memtable_bytes"), 0.0);
    let with_reader = metric(&store, "memory_bytes");
    drop(held);
    assert_eq!(with_reader - metric(&store, "memory_bytes"), samples);
}

#[test]
fn one_large_batch_of_new_series_gets_no_more_memory_than_many_small_ones() {
    let (store, _) = open(Config {
        memory_max: MEMORY_MAX,
        ..config()
    });
    let known = append(&store, &many(100_000), NOW, 1.0);
    assert!((800..6_000).contains(&known), "{known} series");
    assert!(metric(&store, "memory_bytes") <= MEMORY_MAX as f64);
}

#[test]
fn a_selection_for_which_there_is_no_memory_is_refused_and_counted() {
    let (store, _) = open(Config {
        questions_max: 1_000_000,
        ..config()
    });
    let series = many(20_000);
    append(&store, &series, NOW, 1.0);
    for _ in 0..2 {
        // From memory, and then from a block.
        let error = store.select(&everything()).err().unwrap();
        assert!(
            matches!(&error, SourceError::Limit(text) if text.contains("limits.memory")),
            "{error}"
        );
        assert!(matches!(
            store.series(&Scope::default()),
            Err(SourceError::Limit(_))
        ));
        let values = store.label_values("__name__", &Scope::default());
        assert!(matches!(values, Err(SourceError::Limit(_))));
        assert_eq!(store.label_values("job", &Scope::default()).unwrap(), ["a"]);
        store.flush().unwrap();
    }
    assert_eq!(metric(&store, "questions_refused_total"), 6.0);
    assert_eq!(
        metric(&store, "question_bytes"),
        0.0,
        "nothing stays reserved"
    );
}

#[test]
fn what_is_selected_takes_memory_from_other_questions_as_long_as_it_is_held() {
    let (store, _) = open(Config {
        questions_max: 3_000_000,
        ..config()
    });
    append(&store, &many(5_000), NOW, 1.0);
    let mut held = Vec::new();
    let refused = loop {
        match store.select(&everything()) {
            Ok(selected) => held.push(selected),
            Err(error) => break error,
        }
        assert!(held.len() < 10, "it takes no memory");
    };
    assert!(matches!(refused, SourceError::Busy(_)), "{refused}");
    assert!(held.len() > 1);
    let small = Selection {
        matchers: vec![Matcher::equal("__name__", "series_7")],
        ..everything()
    };
    let selected = store.select(&small).expect("small questions find room");
    let mut columns = SampleColumns::default();
    selected.read(0, &mut columns).unwrap();
    assert_eq!(columns.values, [1.0]);
    held.pop();
    assert!(store.select(&everything()).is_ok());
}

#[test]
fn rules_find_room_while_others_have_taken_theirs() {
    let (store, _) = open(Config {
        questions_max: 3_000_000,
        ..config()
    });
    let store = Arc::new(store);
    append(&store, &many(1_000), NOW, 1.0);
    let mut held = Vec::new();
    while let Ok(selected) = store.select(&everything()) {
        held.push(selected);
    }
    let rules = store.for_rules();
    let selected = rules.select(&everything()).expect("rules have their part");
    assert_eq!(selected.len(), 1_000);
    assert!(selected.bytes() > 100_000);
    assert!(store.select(&everything()).is_err());
    let taken = rules.budget().reserved();
    drop((held, selected));
    assert!(taken > 0 && store.budget().reserved() == 0);
}
