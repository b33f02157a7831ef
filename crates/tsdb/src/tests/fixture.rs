//! Stores that earlier versions wrote are read for ever. A new version of a format adds a directory of its own.
//!
//! Beside the files lies `contents.txt`, which says what they hold, each value with its bits. Whoever changes a format on
//! purpose before it is released writes the present directory anew:
//! `cargo test -p tsdb write_the_fixture -- --ignored`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::{
    BucketCounts, BucketSpan, CounterReset, Counts, Disk, Exemplar, ExemplarRow, Histogram,
    HistogramRow, KeyEncoding, Labels, Matcher, Metadata, MetricKind, Row, SampleBatch,
    SampleColumns, SampleSink, Scope, SelectedSeries, Selection, SeriesSource, StartRow,
    StorageAdmin, Timestamp, stale_marker,
};
use testkit::SimulatedDisk;

use super::{DIRECTORY, NOW, config, open};
use crate::examine::{Depth, FileKind, examine};
use crate::{OsDisk, Store};

/// Where the fixtures lie, beside this crate's sources.
const FIXTURE: &str = "testdata/v1";

/// What says what is in them.
const LISTING: &str = "contents.txt";

/// A closed store with something of everything: a merged block, one as it came from memory, deletions, and a log.
pub(crate) fn written() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk, config()).unwrap();
    for round in 0..4 {
        append_numbers(&store, round);
        store.flush().unwrap();
    }
    while store.compact().unwrap() {}
    append_numbers(&store, 4);
    append_others(&store, 4);
    store.flush().unwrap();
    let matchers = vec![Matcher::equal("__name__", "temperature_celsius")];
    let until = at(0, 10);
    store.delete(&[matchers], Timestamp::MIN, until).unwrap();
    append_numbers(&store, 5);
    append_others(&store, 5);
    append_late(&store);
    store.describe(&[description()]).unwrap();
    store.close().unwrap();
    disk
}

/// A moment of a round.
fn at(round: u64, step: u64) -> Timestamp {
    NOW - Duration::from_secs(6 * 600) + Duration::from_secs(600 * round + 15 * step)
}

fn series(name: &str, host: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("host", host)]).unwrap()
}

fn append(store: &Store, batch: &SampleBatch<'_>) {
    let appended = store.append(batch).unwrap();
    assert_eq!(appended.rejected, Vec::new());
}

/// Numbers of each kind that the codecs tell apart.
fn append_numbers(store: &Store, round: u64) {
    let odd = [
        0.0,
        -0.0,
        f64::NAN,
        stale_marker(),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE / 2.0,
        1e300,
        f64::from_bits(0x7ff8_0000_dead_beef),
    ];
    for step in 0..20 {
        let count = (round * 20 + step) as f64;
        let rows = [
            (series("up", "a"), 1.0),
            (series("up", &"é".repeat(200)), (step % 2) as f64),
            (series("requests_total", "a"), 1e6 + 17.0 * count),
            (
                series("temperature_celsius", "a"),
                20.0 + (count * 7.0 % 13.0) / 10.0,
            ),
            (series("noise", "b"), (count * 1.1).sin()),
            (
                series("odd", ""),
                odd[(step as usize + round as usize) % odd.len()],
            ),
        ];
        let rows = rows
            .iter()
            .map(|(labels, value)| (labels, at(round, step), *value));
        append(store, &SampleBatch::packed(rows));
    }
}

/// Histograms, exemplars and starts.
fn append_others(store: &Store, round: u64) {
    let (seconds, requests) = (series("seconds", "a"), series("requests_total", "a"));
    let (seconds, requests) = (seconds.as_packed(), requests.as_packed());
    for step in 0..3 {
        let mut batch = SampleBatch::new(KeyEncoding::PACKED);
        batch.histograms.push(HistogramRow {
            key: seconds.as_bytes(),
            timestamp: at(round, step),
            histogram: histogram(round + step),
        });
        batch.exemplars.push(ExemplarRow {
            key: requests.as_bytes(),
            exemplar: Exemplar {
                labels: Labels::from_pairs([("trace_id", format!("{round:08x}{step:08x}"))])
                    .unwrap(),
                value: 0.25 * step as f64,
                timestamp: at(round, step),
            },
        });
        batch.starts.push(StartRow {
            key: requests.as_bytes(),
            timestamp: at(round, step),
            start: at(round, 0) - Duration::from_millis(7),
        });
        append(store, &batch);
    }
}

fn histogram(number: u64) -> Histogram {
    Histogram {
        schema: 3,
        zero_threshold: 1e-9,
        sum: 1.5 * number as f64,
        reset: CounterReset::Unknown,
        positive_spans: vec![
            BucketSpan {
                offset: -2,
                length: 2,
            },
            BucketSpan {
                offset: 5,
                length: 1,
            },
        ],
        negative_spans: Vec::new(),
        custom_bounds: Vec::new(),
        counts: BucketCounts::Integer(Counts {
            total: 6 + 3 * number,
            zero: number,
            positive: vec![1 + number, 2 + number, 3],
            negative: Vec::new(),
        }),
    }
}

/// Samples that are older than the newest of their series, in memory and in a block.
fn append_late(store: &Store) {
    let up = series("up", "a");
    let shifted = |moment: Timestamp| moment + Duration::from_millis(1);
    let late = [shifted(at(5, 3)), shifted(at(4, 3)), shifted(at(5, 1))];
    for moment in late {
        let row = Row {
            key: up.as_packed().as_bytes(),
            timestamp: moment,
            value: 0.5,
        };
        let batch = SampleBatch {
            rows: vec![row],
            ..SampleBatch::new(KeyEncoding::PACKED)
        };
        append(store, &batch);
    }
}

fn description() -> (String, Metadata) {
    let metadata = Metadata {
        kind: MetricKind::Counter,
        help: "Requests that were answered.\nAll of them.".to_owned(),
        unit: "requests".to_owned(),
    };
    ("requests_total".to_owned(), metadata)
}

/// All that a store holds, as text.
fn listing(store: &Store) -> String {
    let everything = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&everything).unwrap();
    let mut text = String::new();
    for (name, metadata) in store.metadata().unwrap() {
        writeln!(text, "metric {name}: {metadata:?}").unwrap();
    }
    for index in 0..selected.len() {
        writeln!(text, "{}", selected.labels(index)).unwrap();
        list_series(&*selected, index, &mut text);
    }
    let scope = Scope {
        selectors: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        limit: 0,
    };
    for (labels, exemplars) in store.exemplars(&scope).unwrap() {
        for exemplar in exemplars {
            let (at, value) = (exemplar.timestamp.as_millis(), exemplar.value);
            writeln!(
                text,
                "exemplar of {labels} at {at}: {} {value}",
                exemplar.labels
            )
            .unwrap();
        }
    }
    text
}

fn list_series(selected: &dyn SelectedSeries, index: usize, text: &mut String) {
    let mut columns = SampleColumns::default();
    selected.read(index, &mut columns).unwrap();
    for (at, value) in columns.timestamps.iter().zip(&columns.values) {
        writeln!(text, "  {at} {:016x} {value}", value.to_bits()).unwrap();
    }
    let mut histograms = Vec::new();
    selected.read_histograms(index, &mut histograms).unwrap();
    for (at, histogram) in histograms {
        writeln!(text, "  {at} {histogram:?}").unwrap();
    }
    let mut starts = Vec::new();
    selected.read_starts(index, &mut starts).unwrap();
    for (at, start) in starts {
        writeln!(text, "  from {at} on it has counted since {start}").unwrap();
    }
}

/// A disk on which the fixture's files lie.
fn fixture() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    for name in ["wal", "blocks"] {
        let from = Path::new(FIXTURE).join(name);
        let to = Path::new(DIRECTORY).join(name);
        disk.create_directory(&to).unwrap();
        for file in OsDisk.list(&from).unwrap() {
            let bytes = OsDisk.read(&from.join(&file)).unwrap();
            disk.open_append(&to.join(&file))
                .unwrap()
                .append(&bytes)
                .unwrap();
        }
    }
    disk
}

#[test]
fn a_store_of_version_1_is_read_to_the_last_bit() {
    let expected = std::fs::read_to_string(Path::new(FIXTURE).join(LISTING)).unwrap();
    let (store, recovery) = open(&fixture(), config()).unwrap();
    assert_eq!((recovery.blocks, recovery.blocks_broken), (2, 0));
    assert_eq!((recovery.broken_stretches(), recovery.torn_bytes()), (0, 0));
    assert_eq!(listing(&store), expected);
    // The same, once the log has become a block too and all blocks one.
    store.flush().unwrap();
    store.clean_tombstones().unwrap();
    while store.compact().unwrap() {}
    assert_eq!(listing(&store), expected);
}

#[test]
fn the_fixture_is_what_a_store_of_today_holds() {
    let (before, _) = open(&written(), config()).unwrap();
    let (store, _) = open(&fixture(), config()).unwrap();
    assert_eq!(listing(&store), listing(&before));
}

#[test]
fn the_fixture_has_every_kind_of_file_and_all_are_sound() {
    let disk: Arc<dyn Disk> = Arc::new(fixture());
    let reports = examine(&disk, Path::new(DIRECTORY), Depth::Full, &mut |_| {}).unwrap();
    for kind in [FileKind::Log, FileKind::Block, FileKind::Tombstones] {
        assert!(reports.iter().any(|report| report.kind == kind), "{kind:?}");
    }
    for report in &reports {
        assert_eq!(
            report.problems,
            Vec::<String>::new(),
            "{}",
            report.path.display()
        );
    }
}

/// Writes the fixture anew. Only when a format is changed on purpose.
#[test]
#[ignore = "writes the fixture of a new version"]
fn write_the_fixture() {
    let disk = written();
    for name in ["wal", "blocks"] {
        let to = PathBuf::from(FIXTURE).join(name);
        // What is not there need not go.
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir_all(&to).unwrap();
        let from = Path::new(DIRECTORY).join(name);
        for file in disk.list(&from).unwrap() {
            std::fs::write(to.join(&file), disk.read(&from.join(&file)).unwrap()).unwrap();
        }
    }
    let (store, _) = open(&disk, config()).unwrap();
    let listing = listing(&store);
    assert!(listing.contains("exemplar of"));
    std::fs::write(Path::new(FIXTURE).join(LISTING), listing).unwrap();
}
