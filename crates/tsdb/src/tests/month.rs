//! A month in the life of a store: scrapes every five minutes, series that come and go, questions all the while.
//!
//! The store must answer each of them rightly, take no more memory in the last week than in the first, keep its files few
//! and let go of what is too old or too much. `CAMPANILE_TEST_DAYS=30 cargo test --release -p tsdb month` is the whole
//! month; `CAMPANILE_TEST_SEED` repeats one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock, Disk as _, Labels, Matcher, SampleBatch, SampleColumns, SampleSink, Selection,
    SeriesSource, Timestamp,
};
use testkit::{SimulatedClock, SimulatedDisk};

use super::model_based::seam::{self, Subject};
use super::random::{Random, setting};
use super::{DIRECTORY, NOW};
use crate::{Config, Store};

/// As much as a debug build does in some seconds.
const DAYS_DEFAULT: f64 = 8.0;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How often each target is scraped.
const INTERVAL: i64 = 5 * MINUTE;

const TARGETS: u64 = 4;

/// Series of a target.
const SLOTS: u64 = 50;

/// Of these, so many are others each day.
const SLOTS_DAILY: u64 = 5;

/// How many times the run changes between retention by time and retention by bytes.
const TURNS: i64 = 4;

/// What all blocks together may take in a turn of retention by bytes: some days, but no week.
const BYTES_MAX: u64 = 300_000;

/// What retention by bytes must leave, however it cuts.
const BYTES_KEEP: i64 = 6 * HOUR;

/// More files than this are not few.
const FILES_MAX: usize = 100;

/// Steps of compaction that a month needs at least.
const COMPACTIONS_MIN: f64 = 50.0;

#[test]
fn a_month_goes_by_without_a_wrong_answer_and_without_growth() {
    let seed = setting("CAMPANILE_TEST_SEED").unwrap_or(1);
    let days: f64 = setting("CAMPANILE_TEST_DAYS").unwrap_or(DAYS_DEFAULT);
    eprintln!("CAMPANILE_TEST_SEED={seed} CAMPANILE_TEST_DAYS={days}");
    let mut month = Month::new(seed, (days * DAY as f64) as i64);
    month.run();
    let (first, last) = month.memory_at_both_ends();
    let compactions = month.compactions + month.metric("compactions_total").unwrap_or(0.0);
    eprintln!(
        "{} samples, {} questions, memory {first} bytes at first and {last} at last, {compactions} compactions, \
         at most {} files",
        month.samples, month.questions, month.files_max
    );
    assert!(first > 0.0 && month.questions > 0 && month.samples > 0);
    assert!(last <= first * 1.25, "memory grew from {first} to {last}");
    if month.metric("compactions_total").is_some() && days >= 30.0 {
        assert!(compactions >= COMPACTIONS_MIN, "{compactions}");
    }
}

struct Month {
    random: Random,
    disk: SimulatedDisk,
    clock: Arc<SimulatedClock>,
    store: Store,
    end: i64,
    retention: i64,
    is_by_bytes: bool,
    /// From here on everything that was written must be there.
    kept_from: i64,
    /// Timestamp and bytes.
    memory: Vec<(i64, f64)>,
    /// Of the stores that were closed.
    compactions: f64,
    samples: u64,
    questions: u64,
    files_max: usize,
}

/// A series by its place: target, slot, and the day that it is there, of those that come and go.
type Place = (u64, u64, Option<i64>);

impl Month {
    fn new(seed: u64, length: i64) -> Self {
        let disk = SimulatedDisk::new(seed);
        let clock = Arc::new(SimulatedClock::new(NOW));
        let retention = (length / 6).max(HOUR);
        let store = open(&disk, &clock, retention, false).expect("it can keep by time");
        Self {
            random: Random::new(seed),
            disk,
            clock,
            store,
            end: NOW.as_millis() + length,
            retention,
            is_by_bytes: false,
            kept_from: NOW.as_millis(),
            memory: Vec::new(),
            compactions: 0.0,
            samples: 0,
            questions: 0,
            files_max: 0,
        }
    }

    fn run(&mut self) {
        let start = NOW.as_millis();
        let turn = (self.end - start) / TURNS;
        let (mut scrape, mut maintain, mut look, mut change) = (start, start, start, start + turn);
        while self.now() < self.end {
            let next = scrape.min(maintain).min(look).min(change);
            // The age of what is in memory counts by the monotonic clock, which only moves on with the other in this way.
            let passed = u64::try_from(next - self.now()).expect("time goes forward");
            self.clock.advance(Duration::from_millis(passed));
            if !self.is_by_bytes {
                self.kept_from = self.kept_from.max(next - self.retention);
            } else {
                self.kept_from = self.kept_from.max(next - BYTES_KEEP);
            }
            if next == scrape {
                self.scrape(next);
                scrape += INTERVAL;
            } else if next == maintain {
                self.store.maintain(self.clock.now());
                self.store.sync().expect("the log is synced");
                while self.store.compact().expect("blocks are merged") {}
                self.count_files();
                maintain += self.random.within(30..300) as i64 * SECOND;
            } else if next == look {
                self.ask();
                self.memory
                    .push((next, self.metric("memory_bytes").expect("it is measured")));
                look += self.random.within(1..20) as i64 * MINUTE;
            } else {
                self.check(&[], i64::MIN, i64::MAX);
                self.change();
                self.check(&[], i64::MIN, i64::MAX);
                change += turn;
            }
        }
        self.check(&[], i64::MIN, i64::MAX);
    }

    fn scrape(&mut self, round: i64) {
        for target in 0..TARGETS {
            let at = scraped_at(round, target);
            let rows: Vec<_> = places(target, at)
                .map(|place| (labels(place), value(place, at)))
                .collect();
            let rows = rows
                .iter()
                .map(|(labels, value)| (labels, Timestamp::from_millis(at), *value));
            let batch = SampleBatch::packed(rows);
            let appended = self.store.append(&batch).expect("the batch is taken");
            assert_eq!(appended.rejected, []);
            self.samples += appended.accepted as u64;
        }
    }

    fn ask(&mut self) {
        let matchers = match self.random.below(4) {
            0 => vec![Matcher::equal("target", "2")],
            1 => vec![Matcher::equal("__name__", "metric_7")],
            2 => {
                let slot = SLOTS - 1 - self.random.below(SLOTS_DAILY);
                vec![Matcher::equal("__name__", format!("metric_{slot}"))]
            }
            _ => Vec::new(),
        };
        let reach = *self.random.choose(&[HOUR, DAY, 30 * DAY]);
        let start = self.now() - self.random.below(reach as u64) as i64;
        let length = self.random.below(6 * HOUR as u64) as i64;
        self.check(&matchers, start, start + length);
    }

    /// Every sample that is shown is one that was written, and none is missing.
    fn check(&mut self, matchers: &[Matcher], start: i64, end: i64) {
        self.questions += 1;
        let selection = Selection {
            matchers: matchers.to_vec(),
            start: Timestamp::from_millis(start),
            end: Timestamp::from_millis(end),
        };
        let selected = self.store.select(&selection).expect("it is answered");
        let mut seen = BTreeSet::new();
        let from = start.max(self.kept_from);
        let oldest = self.now() - 2 * self.retention;
        for index in 0..selected.len() {
            let mut columns = SampleColumns::default();
            let labels = selected.labels(index);
            selected.read(index, &mut columns).expect("it is read");
            let place = place(labels);
            for (at, found) in columns.timestamps.iter().zip(&columns.values) {
                let expected = value(place, *at);
                assert_eq!(found.to_bits(), expected.to_bits(), "{labels} at {at}");
                let is_whole = (at - NOW.as_millis() - place.0 as i64 * 7 * SECOND) % INTERVAL == 0;
                assert!(is_whole && is_there(place, *at), "{labels} at {at}");
                assert!((start..=end).contains(at), "{at} was not asked for");
                let is_young = *at >= oldest || self.is_by_bytes;
                assert!(is_young, "{labels} at {at} should be gone");
            }
            let found = columns.timestamps.iter().filter(|at| **at >= from).count();
            let expected = self.rounds(place, from, end).count();
            assert_eq!(found, expected, "{labels} from {from} to {end}");
            seen.insert(place);
        }
        for place in self.places_between(from, end) {
            let is_asked = matchers
                .iter()
                .all(|matcher| matcher.matches_labels(&labels(place)));
            let is_due = is_asked && self.rounds(place, from, end).next().is_some();
            assert!(!is_due || seen.contains(&place), "{place:?} is missing");
        }
    }

    /// The times at which a series was scraped.
    fn rounds(&self, place: Place, from: i64, end: i64) -> impl Iterator<Item = i64> + use<> {
        let begin = NOW.as_millis();
        let from = from.max(begin);
        let end = end.min(self.now() + TARGETS as i64 * 7 * SECOND);
        let first = begin + (from - begin) / INTERVAL * INTERVAL - INTERVAL;
        let last = self.now();
        (0..)
            .map(move |round| first + round * INTERVAL)
            .take_while(move |round| *round <= end.min(last))
            .filter(move |round| *round >= begin)
            .map(move |round| scraped_at(round, place.0))
            .filter(move |at| (from..=end).contains(at) && is_there(place, *at))
    }

    fn places_between(&self, from: i64, end: i64) -> BTreeSet<Place> {
        let mut all = BTreeSet::new();
        let mut at = from.max(NOW.as_millis());
        let end = end.min(self.now());
        while at <= end {
            all.extend((0..TARGETS).flat_map(|target| places(target, at)));
            at += DAY;
        }
        all.extend((0..TARGETS).flat_map(|target| places(target, end)));
        all
    }

    /// Closes the store and opens it with the other retention.
    fn change(&mut self) {
        self.store.close().expect("it is closed");
        self.compactions += self.metric("compactions_total").unwrap_or(0.0);
        let by_bytes = !self.is_by_bytes;
        let other = open(&self.disk, &self.clock, self.retention, by_bytes);
        self.is_by_bytes = other.is_some() && by_bytes;
        self.store = other.unwrap_or_else(|| {
            let same = open(&self.disk, &self.clock, self.retention, false);
            same.expect("it can keep by time")
        });
    }

    fn count_files(&mut self) {
        let (mut files, mut bytes) = (0, 0);
        for directory in ["wal", "blocks"] {
            let directory = Path::new(DIRECTORY).join(directory);
            for name in self.disk.list(&directory).unwrap_or_default() {
                files += 1;
                if name.ends_with(".block") {
                    bytes += self.disk.length(&directory.join(name)).unwrap_or(0);
                }
            }
        }
        assert!(files <= FILES_MAX, "{files} files");
        if self.is_by_bytes {
            assert!(bytes <= BYTES_MAX * 3 / 2, "{bytes} bytes of blocks");
        }
        self.files_max = self.files_max.max(files);
    }

    /// The most that was taken in the first and in the last quarter, which of a month is a week.
    fn memory_at_both_ends(&self) -> (f64, f64) {
        let start = NOW.as_millis();
        let quarter = (self.end - start) / 4;
        let most = |from: i64, to: i64| {
            let within = self.memory.iter().filter(|(at, _)| (from..to).contains(at));
            within.map(|(_, bytes)| *bytes).fold(0.0, f64::max)
        };
        (
            most(start, start + quarter),
            most(self.end - quarter, self.end),
        )
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let name = format!("campanile_tsdb_{name}");
        let families = self.store.metrics();
        let family = families.iter().find(|family| family.name == name)?;
        Some(family.points.iter().map(|point| point.value).sum())
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }
}

/// A store that keeps by time or by bytes, if it can do that.
fn open(
    disk: &SimulatedDisk,
    clock: &Arc<SimulatedClock>,
    retention: i64,
    by_bytes: bool,
) -> Option<Store> {
    let config = Config {
        retention: Duration::from_millis(retention as u64),
        ..super::config()
    };
    let config = match by_bytes {
        true => seam::kept_by_bytes(config, BYTES_MAX)?,
        false => config,
    };
    let opened = <Store as Subject>::open(disk, Path::new(DIRECTORY), clock, &config);
    Some(opened.expect("it opens"))
}

/// The series of a target at a time.
fn places(target: u64, at: i64) -> impl Iterator<Item = Place> {
    let day = at.div_euclid(DAY);
    (0..SLOTS).map(move |slot| {
        let is_daily = slot >= SLOTS - SLOTS_DAILY;
        (target, slot, is_daily.then_some(day))
    })
}

fn is_there((_, _, day): Place, at: i64) -> bool {
    day.is_none_or(|day| day == at.div_euclid(DAY))
}

fn scraped_at(round: i64, target: u64) -> i64 {
    round + target as i64 * 7 * SECOND
}

fn labels((target, slot, day): Place) -> Labels {
    let (name, target) = (format!("metric_{slot}"), target.to_string());
    let day = day.map(|day| day.to_string()).unwrap_or_default();
    let pairs = [("__name__", &name), ("target", &target), ("day", &day)];
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Labels::from_pairs(pairs).unwrap()
}

fn place(labels: &Labels) -> Place {
    let slot = labels.metric_name().trim_start_matches("metric_");
    let day = labels.get("day").map(|day| day.parse().unwrap());
    let target = labels.get("target").unwrap();
    (target.parse().unwrap(), slot.parse().unwrap(), day)
}

/// What a series measures at a time: constants, counters, gauges, and some that no codec can make small.
fn value((target, slot, _): Place, at: i64) -> f64 {
    let round = (at - NOW.as_millis()) / INTERVAL;
    let seed = target << 32 | slot << 48 | (round as u64 & 0xffff_ffff);
    let random = Random::new(seed).next();
    match slot % 8 {
        0 => 1.0,
        1 => (round * 300) as f64,
        2 => (round as u64 * 1_000 + random % 1_000) as f64,
        3 => (random % 10_000) as f64 / 100.0,
        4 => (round / 100) as f64,
        5 => round as f64 * 0.1,
        6 if random.is_multiple_of(50) => model::stale_marker(),
        6 => (random % 3) as f64,
        _ => f64::from_bits(random >> 12 | 0x3ff0_0000_0000_0000),
    }
}
