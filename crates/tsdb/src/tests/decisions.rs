//! What is decided about each row of random batches is exactly what a naive model decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Clock, KeyEncoding, Labels, MatchKind, Matcher, SampleBatch, SampleColumns, SampleSink,
    Selection, SeriesSource, Timestamp,
};
use proptest::prelude::*;
use testkit::{SimulatedClock, SimulatedDisk};

use super::{Contents, DIRECTORY, NOW, config, contents, labels};
use crate::{Config, Store};

const WINDOW: Duration = Duration::from_secs(300);
const RETENTION: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
enum Step {
    /// Rows: series, seconds before now, value's bits.
    Append(Vec<(u8, u16, u64)>),
    /// Rows of one series at consecutive seconds up to now.
    Backfill(u8, u16),
    Advance(u16),
    Maintain,
    Kill,
    Select {
        pattern: &'static str,
        back: u16,
        length: u16,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let row = (
        0u8..12,
        prop_oneof![3 => 0u16..5, 1 => 0u16..400, 1 => 0u16..4_000],
    );
    let row = (row, prop_oneof![Just(0), super::bits()]).prop_map(|((s, b), v)| (s, b, v));
    let pattern = prop::sample::select(vec![".*", "series_1.?", "series_[0-4]", "none|series_7"]);
    prop_oneof![
        8 => prop::collection::vec(row, 0..40).prop_map(Step::Append),
        2 => (0u8..12, 0u16..400).prop_map(|(series, count)| Step::Backfill(series, count)),
        6 => prop_oneof![0u16..20, 0u16..900].prop_map(Step::Advance),
        1 => Just(Step::Maintain),
        1 => Just(Step::Kill),
        2 => (pattern, 0u16..4_000, 0u16..4_000)
            .prop_map(|(pattern, back, length)| Step::Select { pattern, back, length }),
    ]
}

/// What the store should hold.
struct Naive {
    contents: Contents,
    /// Where a value was accepted that nobody sees.
    shadowed: BTreeSet<(Labels, i64)>,
    floor: i64,
}

impl Naive {
    fn accept(&mut self, labels: &Labels, timestamp: i64, bits: u64, now: Timestamp) -> bool {
        if timestamp < self.floor.max((now - RETENTION).as_millis()) {
            return false;
        }
        let samples = self.contents.get(labels);
        let newest = samples.and_then(|samples| samples.keys().next_back());
        if newest.is_some_and(|newest| timestamp < newest - WINDOW.as_millis() as i64) {
            return false;
        }
        let samples = self.contents.entry(labels.clone()).or_default();
        *samples.entry(timestamp).or_insert(bits) == bits
    }

    fn maintain(&mut self, now: Timestamp) {
        self.floor = self.floor.max((now - RETENTION).as_millis());
        for samples in self.contents.values_mut() {
            *samples = samples.split_off(&self.floor);
        }
        self.contents.retain(|_, samples| !samples.is_empty());
    }

    fn select(&self, pattern: &Matcher, start: i64, end: i64) -> BTreeMap<Labels, Vec<(i64, u64)>> {
        let mut selected = BTreeMap::new();
        for (labels, samples) in &self.contents {
            let samples: Vec<_> = samples.range(start..=end).map(|(t, v)| (*t, *v)).collect();
            if pattern.matches_labels(labels) && !samples.is_empty() {
                selected.insert(labels.clone(), samples);
            }
        }
        selected
    }
}

fn select(
    store: &Store,
    matcher: &Matcher,
    start: i64,
    end: i64,
) -> BTreeMap<Labels, Vec<(i64, u64)>> {
    let at = Timestamp::from_millis;
    let matchers = vec![matcher.clone()];
    let selected = store
        .select(&Selection {
            matchers,
            start: at(start),
            end: at(end),
        })
        .unwrap();
    let mut read = BTreeMap::new();
    for index in 0..selected.len() {
        let mut columns = SampleColumns::default();
        selected.read(index, &mut columns).unwrap();
        let bits = columns.values.iter().map(|value| value.to_bits());
        let samples: Vec<_> = columns.timestamps.iter().copied().zip(bits).collect();
        // A series may be offered for its range and have no sample in it.
        if !samples.is_empty() {
            read.insert(selected.labels(index).clone(), samples);
        }
    }
    read
}

fn run(steps: Vec<Step>) {
    let disk = SimulatedDisk::new(1);
    let clock = Arc::new(SimulatedClock::new(NOW));
    let config = Config {
        retention: RETENTION,
        out_of_order_window: WINDOW,
        ..config()
    };
    let open = || {
        let disk = Arc::new(disk.clone());
        Store::open(disk, Path::new(DIRECTORY), clock.clone(), config.clone())
            .unwrap()
            .0
    };
    let mut store = open();
    let mut naive = Naive {
        contents: Contents::new(),
        shadowed: BTreeSet::new(),
        floor: i64::MIN,
    };
    naive.maintain(clock.now());
    let names: Vec<_> = (0..12).map(|i| labels(&format!("series_{i}"))).collect();
    for step in steps {
        let now = clock.now();
        let seconds = |count: u16| Duration::from_secs(count.into());
        match step {
            Step::Append(rows) => append(&store, &mut naive, &names, rows, now),
            Step::Backfill(series, count) => {
                let rows = (0..count).rev().map(|back| (series, back, u64::from(back)));
                append(&store, &mut naive, &names, rows.collect(), now);
            }
            Step::Advance(count) => clock.advance(seconds(count)),
            Step::Maintain => {
                store.maintain(now);
                naive.maintain(now);
            }
            Step::Kill => {
                disk.restart();
                drop(store);
                store = open();
                naive.maintain(now);
            }
            Step::Select {
                pattern,
                back,
                length,
            } => {
                let matcher = Matcher::new(MatchKind::Regex, "__name__", pattern).unwrap();
                let start = now - seconds(back);
                let end = (start + seconds(length)).as_millis();
                // What is past the retention goes some time after, with whatever touches it.
                let start = start.max(now - RETENTION).as_millis();
                let end = end.max(start);
                assert_eq!(
                    select(&store, &matcher, start, end),
                    naive.select(&matcher, start, end)
                );
            }
        }
    }
    let oldest = (clock.now() - RETENTION).as_millis();
    let recent = |mut contents: Contents| {
        for samples in contents.values_mut() {
            samples.retain(|timestamp, _| *timestamp >= oldest);
        }
        contents.retain(|_, samples| !samples.is_empty());
        contents
    };
    assert_eq!(recent(contents(&store)), recent(naive.contents));
}

fn append(
    store: &Store,
    naive: &mut Naive,
    names: &[Labels],
    rows: Vec<(u8, u16, u64)>,
    now: Timestamp,
) {
    let row = |(series, back, bits): &(u8, u16, u64)| {
        let timestamp = now - Duration::from_secs((*back).into());
        (
            &names[usize::from(*series)],
            timestamp,
            f64::from_bits(*bits),
        )
    };
    let mut batch = SampleBatch::packed(rows.iter().map(row));
    // Half of the batches come from a sender whose keys are not looked up as labels.
    if rows.len() % 2 == 1 {
        batch.encoding = KeyEncoding {
            id: 9,
            ..KeyEncoding::PACKED
        };
    }
    let appended = store.append(&batch).unwrap();
    let has_blocks = !store.shared.view().blocks.is_empty();
    let rejected: Vec<_> = appended
        .rejected
        .iter()
        .map(|rejected| rejected.row)
        .collect();
    let mut refused = Vec::new();
    for (index, row_of_batch) in rows.iter().enumerate() {
        let (labels, timestamp, value) = row(row_of_batch);
        let at = timestamp.as_millis();
        let is_there = naive
            .contents
            .get(labels)
            .is_some_and(|samples| samples.contains_key(&at));
        let accepts = naive.accept(labels, at, value.to_bits(), now);
        let accepted = !rejected.contains(&index);
        let place = (labels.clone(), at);
        // Another value that stands in a block is not looked for: it is accepted, and the first one stays. From then on
        // both are known at this place.
        if has_blocks && is_there && accepted && !accepts {
            naive.shadowed.insert(place);
            continue;
        }
        // Of a series that memory has forgotten the newest on disk is asked for once; what comes then may come later.
        let is_kept = at >= naive.floor.max((now - RETENTION).as_millis());
        if has_blocks && is_kept && !is_there && accepted && !accepts {
            let samples = naive.contents.entry(place.0).or_default();
            samples.insert(at, value.to_bits());
            continue;
        }
        if accepts && !accepted && naive.shadowed.contains(&place) {
            refused.push(index);
            continue;
        }
        if !accepts {
            refused.push(index);
        }
    }
    assert_eq!(rejected, refused);
    assert_eq!(appended.accepted, rows.len() - refused.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_row_is_taken_or_refused_as_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        run(steps);
    }
}
