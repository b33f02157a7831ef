//! What is dropped, when, and what is said about it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{Disk, HealthState, RejectReason, SampleBatch, SampleSink, Timestamp};
use testkit::{Operation, SimulatedClock, SimulatedDisk};

use super::{DIRECTORY, NOW, config, contents, labels, segment_path};
use crate::{Config, Store};

struct Setting {
    disk: SimulatedDisk,
    clock: Arc<SimulatedClock>,
    config: Config,
}

impl Setting {
    fn new(config: Config) -> Self {
        let clock = Arc::new(SimulatedClock::new(NOW));
        Self {
            disk: SimulatedDisk::new(1),
            clock,
            config,
        }
    }

    fn open(&self) -> Store {
        let disk = Arc::new(self.disk.clone());
        let config = self.config.clone();
        let opened = Store::open(disk, Path::new(DIRECTORY), self.clock.clone(), config);
        opened.unwrap().0
    }

    fn segments(&self) -> Vec<String> {
        self.disk.list(segment_path(1).parent().unwrap()).unwrap()
    }
}

fn metric(store: &Store, name: &str) -> f64 {
    let metrics = store.metrics();
    let found = metrics
        .iter()
        .find(|family| family.name == format!("campanile_tsdb_{name}"));
    found.unwrap().points[0].value
}

#[test]
fn old_samples_series_and_segments_go_and_the_others_stay_readable() {
    let retention = Duration::from_secs(3600);
    let setting = Setting::new(Config {
        retention,
        segment_bytes: 1024,
        ..config()
    });
    let store = setting.open();
    let (steady, brief) = (labels("steady"), labels("brief"));
    store
        .append(&SampleBatch::packed([(&brief, NOW, 1.0)]))
        .unwrap();
    for _ in 0..1_000 {
        setting.clock.advance(Duration::from_secs(10));
        let now = model::Clock::now(&*setting.clock);
        store
            .append(&SampleBatch::packed([(&steady, now, 2.0)]))
            .unwrap();
    }
    let before = setting.segments().len();
    let now = model::Clock::now(&*setting.clock);
    store.maintain(now);
    let after = setting.segments().len();
    assert!(
        after >= 2 && after < before / 2,
        "{before} segments became {after}"
    );
    let kept = contents(&store);
    assert_eq!(kept.keys().collect::<Vec<_>>(), [&steady]);
    assert_eq!(kept[&steady].len(), 361);
    assert_eq!(metric(&store, "head_series"), 1.0);
    assert_eq!(metric(&store, "wal_segments"), after as f64);
    assert_eq!(
        metric(&store, "oldest_timestamp_seconds"),
        (now - retention).as_seconds()
    );
    drop(store);
    let store = setting.open();
    assert_eq!(contents(&store), kept);
    // A series that vanished may come again.
    store
        .append(&SampleBatch::packed([(&brief, now - retention, 1.0)]))
        .unwrap();
    assert_eq!(contents(&store).len(), 2);
}

#[test]
fn without_retention_samples_of_1970_are_kept() {
    let setting = Setting::new(Config {
        retention: Duration::ZERO,
        ..config()
    });
    let store = setting.open();
    let (old, new) = (labels("old"), labels("new"));
    let start = Timestamp::from_millis(1);
    let batch = SampleBatch::packed([(&old, start, 1.0), (&new, NOW, 1.0)]);
    assert_eq!(store.append(&batch).unwrap().accepted, 2);
    store.maintain(NOW);
    assert_eq!(contents(&store).len(), 2);
}

#[test]
fn beyond_the_memory_limit_the_oldest_samples_go_and_health_says_so() {
    let memory_max = 400_000;
    let setting = Setting::new(Config {
        memory_max,
        segment_bytes: 4096,
        out_of_order_window: Duration::from_secs(60),
        ..config()
    });
    let store = setting.open();
    let series: Vec<_> = (0..100).map(|i| labels(&format!("series_{i}"))).collect();
    let mut random = 1u64;
    for step in 0..2_000 {
        let now = NOW + Duration::from_secs(step);
        setting.clock.set(now);
        let rows = series.iter().map(|labels| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (labels, now, f64::from_bits(random))
        });
        let rows: Vec<_> = rows.collect();
        assert_eq!(
            store.append(&SampleBatch::packed(rows)).unwrap().accepted,
            100
        );
        assert!(metric(&store, "memory_bytes") <= memory_max as f64);
    }
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(health.reason.contains("limits.memory"), "{}", health.reason);
    let kept = contents(&store);
    assert_eq!(kept.len(), 100, "no series that is written to goes");
    assert!(
        kept.values()
            .all(|samples| (50..500).contains(&samples.len()))
    );
    let oldest = metric(&store, "oldest_timestamp_seconds");
    assert!(oldest > NOW.as_seconds() + 1_000.0);
    let bytes = metric(&store, "wal_bytes");
    assert!(
        bytes < 1_000_000.0,
        "the log shrinks with what is kept, it has {bytes} bytes"
    );
    let late = Timestamp::from_seconds(oldest) - Duration::from_secs(1);
    let appended = store
        .append(&SampleBatch::packed([(&series[0], late, 1.0)]))
        .unwrap();
    assert!(matches!(
        appended.rejected[0].reason,
        RejectReason::BeyondRetention { .. }
    ));
    setting.clock.set(late + config().retention);
    store.maintain(model::Clock::now(&*setting.clock));
    assert_eq!(
        store.health().state,
        HealthState::Degraded,
        "it is still short of what was dropped"
    );
    setting.clock.advance(Duration::from_secs(1));
    store.maintain(model::Clock::now(&*setting.clock));
    assert_eq!(
        store.health().state,
        HealthState::Healthy,
        "the retention has caught up"
    );
    drop(store);
    let store = setting.open();
    assert!(metric(&store, "memory_bytes") <= memory_max as f64);
}

#[test]
fn series_alone_cannot_take_all_memory() {
    let setting = Setting::new(Config {
        memory_max: 1_000_000,
        ..config()
    });
    let store = setting.open();
    let series: Vec<_> = (0..5_000).map(|i| labels(&format!("series_{i}"))).collect();
    let batch = SampleBatch::packed(series.iter().map(|labels| (labels, NOW, 1.0)));
    let appended = store.append(&batch).unwrap();
    assert!(
        (1_000..4_000).contains(&appended.accepted),
        "{}",
        appended.accepted
    );
    let refused = RejectReason::MemoryLimit { limit: 1_000_000 };
    assert!(
        appended
            .rejected
            .iter()
            .all(|rejected| rejected.reason == refused)
    );
    let known = appended.accepted;
    let mut accepted = Vec::new();
    for step in 1..=130 {
        let later = NOW + Duration::from_secs(step);
        let batch = SampleBatch::packed(series[..known].iter().map(|labels| (labels, later, 1.0)));
        accepted.push(store.append(&batch).unwrap().accepted);
        let memory = metric(&store, "memory_bytes");
        assert!(memory <= 1_100_000.0, "{memory} bytes after {step} samples");
    }
    assert_eq!(accepted[0], known, "known series go on");
    assert!(accepted[129] < known, "until the memory is full");
    assert_eq!(contents(&store).len(), known, "and none is dropped");
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(health.reason.contains("refused"), "{}", health.reason);
}

#[test]
fn a_timestamp_ahead_of_the_clock_does_not_take_the_floor_with_it() {
    let setting = Setting::new(Config {
        memory_max: 60_000,
        ..config()
    });
    let store = setting.open();
    let (ahead, steady) = (labels("ahead"), labels("steady"));
    let mut random = 1u64;
    for step in 0..10_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let future = NOW + Duration::from_millis(1_000_000 + step);
        let batch = SampleBatch::packed([(&ahead, future, f64::from_bits(random))]);
        store.append(&batch).unwrap();
    }
    let batch = SampleBatch::packed([(&ahead, NOW + Duration::from_secs(2_000), 1.0)]);
    let refused = store.append(&batch).unwrap().rejected;
    let reason = RejectReason::MemoryLimit { limit: 60_000 };
    assert_eq!(refused[0].reason, reason);
    assert!(contents(&store).contains_key(&ahead));
    setting.clock.advance(Duration::from_secs(6_000));
    let now = model::Clock::now(&*setting.clock);
    let appended = store.append(&SampleBatch::packed([(&steady, now, 1.0)]));
    assert_eq!(
        appended.unwrap().accepted,
        1,
        "room once the window is past"
    );
}

#[test]
fn the_key_of_a_vanished_series_does_not_mean_the_one_that_took_its_place() {
    let setting = Setting::new(config());
    let store = setting.open();
    let append = |name| {
        let now = model::Clock::now(&*setting.clock);
        let labels = labels(name);
        let mut batch = SampleBatch::packed([(&labels, now, 1.0)]);
        batch.encoding.id = 9;
        assert_eq!(store.append(&batch).unwrap().accepted, 1);
    };
    append("first");
    append("second");
    setting.clock.advance(2 * config().retention);
    append("second");
    store.maintain(model::Clock::now(&*setting.clock));
    append("third");
    append("first");
    let names: Vec<_> = contents(&store).into_keys().collect();
    assert_eq!(names, [labels("first"), labels("second"), labels("third")]);
}

#[test]
fn the_log_stays_bounded_where_each_sample_has_a_series_of_its_own() {
    let setting = Setting::new(Config {
        retention: Duration::from_secs(3600),
        segment_bytes: 1024,
        ..config()
    });
    let store = setting.open();
    for step in 0..1_000 {
        setting.clock.advance(Duration::from_secs(60));
        let now = model::Clock::now(&*setting.clock);
        let series = labels(&format!("series_{step}"));
        store
            .append(&SampleBatch::packed([(&series, now, 1.0)]))
            .unwrap();
        store.maintain(now);
    }
    let bytes = metric(&store, "wal_bytes");
    assert!(bytes < 20_000.0, "the log has {bytes} bytes");
    assert_eq!(metric(&store, "head_series"), 61.0);
}

#[test]
fn a_segment_that_cannot_be_removed_holds_up_no_other() {
    let setting = Setting::new(Config {
        segment_bytes: 64,
        ..config()
    });
    let store = setting.open();
    let series = labels("up");
    for step in 0..1_000 {
        let now = NOW + Duration::from_secs(step);
        setting.clock.set(now);
        store
            .append(&SampleBatch::packed([(&series, now, 1.0)]))
            .unwrap();
    }
    assert!(setting.segments().len() > 5);
    setting.disk.remove(&segment_path(1)).unwrap();
    let refusal = io::ErrorKind::PermissionDenied;
    setting.disk.fail_after(Operation::Change, 1, refusal);
    setting.clock.advance(2 * config().retention);
    store.maintain(model::Clock::now(&*setting.clock));
    // The one that is written, and the one that failed.
    assert_eq!(setting.segments().len(), 2);
    assert_eq!(metric(&store, "wal_segments"), 2.0);
    store.maintain(model::Clock::now(&*setting.clock));
    assert_eq!(setting.segments().len(), 1);
}

#[test]
fn of_removed_series_nothing_is_left_in_memory() {
    let setting = Setting::new(config());
    let store = setting.open();
    let series = labels("up");
    // As many as make a chunk, so that the tail is just sealed.
    for step in 0..120 {
        let now = NOW + Duration::from_secs(step);
        let batch = SampleBatch::packed([(&series, now, 1.0)]);
        store.append(&batch).unwrap();
    }
    setting.clock.advance(2 * config().retention);
    store.maintain(model::Clock::now(&*setting.clock));
    assert_eq!(metric(&store, "head_series"), 0.0);
    assert_eq!(metric(&store, "memory_bytes"), 0.0);
}
