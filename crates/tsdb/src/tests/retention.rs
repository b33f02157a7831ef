//! What goes, when, and what is said about it; what comes back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock as _, Disk as _, HealthState, Labels, Matcher, RejectReason, SampleBatch, SampleSink,
    StorageAdmin,
};
use testkit::{SimulatedClock, SimulatedDisk};

use super::{DIRECTORY, NOW, config, contents, labels};
use crate::{Config, Store};

const HOUR: Duration = Duration::from_secs(3600);

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
        self.open_at(Path::new(DIRECTORY))
    }

    fn open_at(&self, path: &Path) -> Store {
        let disk = Arc::new(self.disk.clone());
        let opened = Store::open(disk, path, self.clock.clone(), self.config.clone());
        opened.unwrap().0
    }

    /// One sample of each series now, in a block of its own; an hour goes by.
    fn write_hour(&self, store: &Store, series: &[Labels]) {
        let now = self.clock.now();
        let rows = series.iter().map(|labels| (labels, now, now.as_seconds()));
        let appended = store.append(&SampleBatch::packed(rows)).unwrap();
        assert_eq!(appended.rejected, []);
        store.flush().unwrap();
        self.clock.advance(HOUR);
    }

    fn blocks(&self) -> usize {
        let blocks = Path::new(DIRECTORY).join("blocks");
        let names = self.disk.list(&blocks).unwrap();
        names.iter().filter(|name| name.ends_with(".block")).count()
    }
}

fn metric(store: &Store, name: &str) -> f64 {
    let metrics = store.metrics();
    let name = format!("campanile_tsdb_{name}");
    let found = metrics.iter().find(|family| family.name == name);
    found.unwrap().points[0].value
}

#[test]
fn what_is_too_old_is_not_shown_and_its_blocks_go() {
    let setting = Setting::new(Config {
        retention: 10 * HOUR,
        ..config()
    });
    let store = setting.open();
    let series = [labels("a"), labels("b")];
    for _ in 0..20 {
        setting.write_hour(&store, &series);
    }
    store.maintain(setting.clock.now());
    let kept = contents(&store);
    assert_eq!(kept[&series[0]].len(), 10);
    assert_eq!(setting.blocks(), 10);
    drop(store);
    let store = setting.open();
    assert_eq!(contents(&store), kept);
    while store.compact().unwrap() {}
    assert_eq!(contents(&store), kept);
}

#[test]
fn the_oldest_blocks_go_when_all_take_more_than_so_many_bytes() {
    let retention_bytes = 10_000;
    let setting = Setting::new(Config {
        retention_bytes,
        ..config()
    });
    let store = setting.open();
    for _ in 0..60 {
        setting.write_hour(&store, &[labels("a")]);
        store.maintain(setting.clock.now());
        assert!(metric(&store, "blocks_bytes") <= retention_bytes as f64);
    }
    let kept = &contents(&store)[&labels("a")];
    assert!((5..60).contains(&kept.len()), "{}", kept.len());
    let newest = (setting.clock.now() - HOUR).as_millis();
    assert_eq!(kept.keys().next_back(), Some(&newest));
    assert!(metric(&store, "blocks_dropped_total") > 0.0);
}

#[test]
fn the_oldest_blocks_go_when_the_disk_is_fuller_than_its_share() {
    let setting = Setting::new(Config {
        retention_share: Some(0.5),
        ..config()
    });
    let store = setting.open();
    for _ in 0..20 {
        setting.write_hour(&store, &[labels("a")]);
    }
    store.maintain(setting.clock.now());
    assert_eq!(setting.blocks(), 20);
    setting.disk.set_capacity(Some(setting.disk.used() * 3 / 2));
    store.maintain(setting.clock.now());
    assert!((1..20).contains(&setting.blocks()), "{}", setting.blocks());
    assert_eq!(contents(&store)[&labels("a")].len(), setting.blocks());
}

#[test]
fn series_of_a_selector_go_earlier_than_others() {
    let setting = Setting::new(Config {
        selector_retention: vec![(vec![Matcher::equal("__name__", "brief")], 5 * HOUR)],
        ..config()
    });
    let store = setting.open();
    let (brief, steady) = (labels("brief"), labels("steady"));
    let series = [brief.clone(), steady.clone()];
    for _ in 0..20 {
        setting.write_hour(&store, &series);
    }
    let shown = contents(&store);
    assert_eq!((shown[&brief].len(), shown[&steady].len()), (5, 20));
    while store.compact().unwrap() {}
    assert_eq!(contents(&store), shown);
    setting.clock.advance(48 * HOUR);
    while store.compact().unwrap() {}
    let left = contents(&store);
    assert_eq!(left[&steady].len(), 20);
    assert!(left.get(&brief).is_none_or(|samples| samples.is_empty()));
}

#[test]
fn without_retention_samples_of_1970_are_kept() {
    let setting = Setting::new(Config {
        retention: Duration::ZERO,
        ..config()
    });
    let store = setting.open();
    let (old, new) = (labels("old"), labels("new"));
    let start = model::Timestamp::from_millis(1);
    let batch = SampleBatch::packed([(&old, start, 1.0), (&new, NOW, 1.0)]);
    assert_eq!(store.append(&batch).unwrap().accepted, 2);
    store.maintain(NOW);
    store.flush().unwrap();
    assert_eq!(setting.blocks(), 2, "far apart, in windows of their own");
    assert_eq!(contents(&store).len(), 2);
}

#[test]
fn idle_series_leave_memory_and_their_keys_mean_nobody_else() {
    let setting = Setting::new(config());
    let store = setting.open();
    let append = |name: &str, at| {
        let labels = labels(name);
        let mut batch = SampleBatch::packed([(&labels, at, 1.0)]);
        batch.encoding.id = 9;
        store.append(&batch).unwrap()
    };
    let now = || setting.clock.now();
    append("first", now());
    append("second", now());
    for _ in 0..5 {
        store.flush().unwrap();
        store.maintain(now());
        setting.clock.advance(HOUR);
        append("second", now());
    }
    store.flush().unwrap();
    store.maintain(now());
    assert_eq!(metric(&store, "head_series"), 1.0);
    append("third", now());
    append("first", now());
    let names: Vec<_> = contents(&store).into_keys().collect();
    assert_eq!(names, [labels("first"), labels("second"), labels("third")]);
    assert_eq!(contents(&store)[&labels("first")].len(), 2);
    // What is on disk counts for the one that returned too.
    setting.clock.advance(3 * HOUR);
    for _ in 0..5 {
        store.flush().unwrap();
        store.maintain(now());
        append("second", now());
        setting.clock.advance(HOUR);
    }
    let late = append("third", NOW);
    assert!(matches!(
        late.rejected[0].reason,
        RejectReason::OutOfOrder { .. }
    ));
}

#[test]
fn beyond_the_memory_limit_samples_are_refused_and_health_says_so() {
    let limit = 1_000_000;
    let setting = Setting::new(Config {
        memory_max: limit,
        ..config()
    });
    let store = setting.open();
    let series: Vec<_> = (0..20_000)
        .map(|i| labels(&format!("series_{i}")))
        .collect();
    let batch = SampleBatch::packed(series.iter().map(|labels| (labels, NOW, 1.0)));
    let _ = store.append(&batch).unwrap();
    let refused = store.append(&batch).unwrap().rejected;
    let reason = RejectReason::MemoryLimit { limit };
    assert!(refused.iter().any(|refused| refused.reason == reason));
    let health = store.health();
    assert_eq!(health.state, HealthState::Degraded);
    assert!(health.reason.contains("limits.memory"), "{}", health.reason);
}

#[test]
fn a_snapshot_is_a_store_of_its_own() {
    let setting = Setting::new(config());
    let store = setting.open();
    for _ in 0..5 {
        setting.write_hour(&store, &[labels("a"), labels("b")]);
    }
    let matchers = vec![Matcher::equal("__name__", "b")];
    StorageAdmin::delete(&store, &[matchers], NOW, NOW + HOUR).unwrap();
    let before = contents(&store);
    let name = StorageAdmin::snapshot(&store, false).unwrap();
    setting.write_hour(&store, &[labels("a")]);
    StorageAdmin::clean_tombstones(&store).unwrap();
    while store.compact().unwrap() {}
    let path = Path::new(DIRECTORY).join("snapshots").join(name);
    let copy = setting.open_at(&path);
    assert_eq!(contents(&copy), before);
    setting.write_hour(&copy, &[labels("b")]);
    assert_eq!(contents(&copy)[&labels("b")].len(), 4);
    assert_eq!(contents(&store)[&labels("b")].len(), 3);
}

#[test]
fn the_same_is_read_from_memory_from_blocks_and_after_a_restart() {
    let setting = Setting::new(config());
    let series: Vec<_> = (0..30).map(|i| labels(&format!("series_{i}"))).collect();
    let store = setting.open();
    let mut random = super::random::Random::new(1);
    for step in 0..200 {
        let now = NOW + Duration::from_secs(step * 15);
        setting.clock.set(now);
        let late = now - Duration::from_secs(random.below(3_000));
        let value = f64::from_bits(random.next() >> random.below(64));
        let rows = series.iter().enumerate().map(|(i, labels)| match i % 10 {
            7 => (labels, late, value),
            3 => (labels, now, 1.0),
            _ => (labels, now, value),
        });
        let rows: Vec<_> = rows.collect();
        let _ = store.append(&SampleBatch::packed(rows)).unwrap();
        if step % 40 == 39 {
            let active = contents(&store);
            store.flush().unwrap();
            assert_eq!(contents(&store), active, "from blocks");
        }
    }
    let before = contents(&store);
    assert!(store.compact().unwrap());
    assert_eq!(contents(&store), before, "from merged blocks");
    drop(store);
    let store = setting.open();
    assert_eq!(contents(&store), before, "after a restart");
    store.flush().unwrap();
    while store.compact().unwrap() {}
    assert_eq!(contents(&store), before);
}
