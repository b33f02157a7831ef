//! What the store costs: CPU time of the one thread that writes, reads and replays, memory, and bytes on disk.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints figures, and ends when something is wrong"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    KeyEncoding, Labels, Row, SampleBatch, SampleColumns, SampleSink, Selection, SeriesSource,
    Timestamp,
};
use testkit::SimulatedClock;

use tsdb::{Config, OsDisk, Store};

/// When the first sample is written.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A sender's encoding that must be decoded, unlike packed labels.
const ENCODING: KeyEncoding = KeyEncoding {
    id: 9,
    ..KeyEncoding::PACKED
};

/// CPU time of this thread in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn series(count: usize) -> Vec<Labels> {
    let labels = |index: usize| {
        let (host, metric) = (index / 155, index % 155);
        Labels::from_pairs([
            ("__name__", format!("node_measurement_{metric}_bytes_total")),
            ("instance", format!("host-{host:05}.example.org:9100")),
            ("job", "node-exporter".to_owned()),
            ("device", format!("device-{}", metric % 12)),
            ("datacenter", format!("region-{}", host % 5)),
            ("team", "platform-engineering".to_owned()),
        ])
        .unwrap()
    };
    (0..count).map(labels).collect()
}

/// Values as exporters give them: constants, counters, gauges with few digits, any float.
fn value(index: usize, step: u64) -> f64 {
    let mixed = (index as u64 * 0x9e37_79b9 + step).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
    match index % 10 {
        0..=3 => (index % 7) as f64,
        4..=6 => (index as u64 * 1_000 + step * (10 + index as u64 % 90) + mixed % 10) as f64,
        7..=8 => (mixed % 10_000) as f64 / 100.0,
        _ => mixed as f64 / 4_294_967_296.0,
    }
}

fn open(directory: &Path, clock: &Arc<SimulatedClock>) -> Store {
    let config = Config {
        memory_max: 0,
        threads: false,
        ..Config::default()
    };
    Store::open(Arc::new(OsDisk), directory, clock.clone(), config)
        .unwrap()
        .0
}

fn disk_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory.join("wal")).unwrap();
    entries
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

fn main() {
    measure(15_500, 500);
    measure(1_000_000, 4);
}

fn measure(series_count: usize, steps: u64) {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(NOW));
    let series = series(series_count);
    let resident = resident_bytes();
    let store = open(directory.path(), &clock);
    let mut first = 0;
    let mut spent = 0;
    for step in 0..steps {
        // 15 s, with some milliseconds of jitter for each host.
        let at = |index: usize| {
            let jitter = (index as u64 / 155 * 31 + step * 17) % 9;
            NOW + Duration::from_millis(15_000 * step + jitter)
        };
        for (part, labels) in series.chunks(5_000).enumerate() {
            let row = |(offset, labels): (usize, &'_ Labels)| {
                let index = part * 5_000 + offset;
                (index, at(index), value(index, step), labels.clone())
            };
            let rows: Vec<_> = labels.iter().enumerate().map(row).collect();
            let rows = rows.iter().map(|(_, timestamp, value, labels)| Row {
                key: labels.as_packed().as_bytes(),
                timestamp: *timestamp,
                value: *value,
            });
            let batch = SampleBatch {
                rows: rows.collect(),
                ..SampleBatch::new(ENCODING)
            };
            let start = cpu_time();
            let appended = store.append(&batch).unwrap();
            let elapsed = cpu_time() - start;
            assert_eq!(appended.rejected, []);
            if step == 0 {
                first += elapsed
            } else {
                spent += elapsed
            }
        }
        clock.advance(Duration::from_secs(15));
    }
    let samples = series_count as u64 * steps;
    let per_sample = |total: u64| total as f64 / (samples - series_count as u64) as f64;
    let keys: usize = series.iter().map(|labels| labels.as_packed().len()).sum();
    println!(
        "{series_count} series, {samples} samples, keys of {} bytes",
        keys / series_count
    );
    println!("  new series: {} ns", first / series_count as u64);
    println!("  append: {:.1} ns a sample", per_sample(spent));
    println!(
        "  log: {:.2} B a sample",
        disk_bytes(directory.path()) as f64 / samples as f64
    );
    let grown = resident_bytes().saturating_sub(resident);
    println!(
        "  memory: {:.2} B a sample by VmRSS, {} B a series",
        grown as f64 / samples as f64,
        grown / series_count
    );
    let memory = store
        .metrics()
        .into_iter()
        .find(|family| family.name.ends_with("tsdb_memory_bytes"));
    println!(
        "  memory: {} B a series by the store's own account",
        memory.unwrap().points[0].value as usize / series_count
    );
    measure_reading(&store);
    drop(store);
    let start = cpu_time();
    let store = open(directory.path(), &clock);
    let elapsed = cpu_time() - start;
    println!(
        "  replay: {:.2} s, {:.1} M samples/s",
        elapsed as f64 / 1e9,
        samples as f64 * 1e3 / elapsed as f64
    );
    drop(store);
}

fn measure_reading(store: &Store) {
    let start = cpu_time();
    let selection = Selection {
        matchers: Vec::new(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };
    let selected = store.select(&selection).unwrap();
    let middle = cpu_time();
    let mut columns = SampleColumns::default();
    let mut samples = 0;
    for index in 0..selected.len() {
        columns.clear();
        selected.read(index, &mut columns).unwrap();
        samples += columns.len() as u64;
    }
    let end = cpu_time();
    println!(
        "  select: {} ns a series",
        (middle - start) / selected.len() as u64
    );
    println!(
        "  read: {:.1} ns a sample",
        (end - middle) as f64 / samples as f64
    );
}
