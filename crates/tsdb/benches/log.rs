//! What the log costs: CPU time of encoding, committing and replaying, and bytes on disk.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints figures, and ends when something is wrong"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{Disk, Metadata, Timestamp};
use testkit::SimulatedClock;
use tsdb::OsDisk;

/// The store's own parts are private: they are built once more, as they are.
#[path = "../src/coding.rs"]
#[allow(dead_code, unused_imports, reason = "not all of it is measured")]
mod coding;

#[path = "../src/log"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "not all of it is measured"
)]
mod log {
    mod commit;
    mod dictionary;
    mod encoder;
    mod failure;
    mod file;
    mod reader;
    mod record;
    mod replay;
    mod report;
    mod run;
    mod window;

    pub(crate) use commit::{Acknowledge, Commits};
    pub(crate) use encoder::LogEncoder;
    pub(crate) use file::file_name;
    pub(crate) use reader::{LogContents, Pairs, Run};
    pub(crate) use replay::replay;
}

/// What the tests of those parts ask for.
#[cfg(test)]
mod tests {
    #[allow(dead_code, reason = "none of them runs here")]
    pub(crate) fn bits() -> std::ops::Range<u64> {
        0..u64::MAX
    }
}

use log::{Acknowledge, Commits, LogContents, LogEncoder, Pairs, Run, file_name, replay};

/// CPU time of this thread in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Series of a host, and so of a run.
const RUN: usize = 155;

/// Samples of a request.
const BATCH: usize = 32 * RUN;

/// Values as exporters give them: `changing` of ten change in each step.
fn value(index: usize, step: u64, changing: usize) -> f64 {
    let mixed = (index as u64 * 0x9e37_79b9 + step).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
    let step = if index * 7 % 10 < changing { step } else { 0 };
    match index % 3 {
        0 => (index as u64 * 1_000 + step * (10 + index as u64 % 90)) as f64,
        1 if step > 0 => (mixed % 10_000) as f64 / 100.0,
        1 => 0.5,
        _ => (index as u64 * 4096 + step * 4096 * 25) as f64,
    }
}

/// Keeps nothing, but looks at everything.
#[derive(Default)]
struct Counted {
    definitions: u64,
    bytes: u64,
    samples: u64,
    bits: u64,
}

impl LogContents for Counted {
    fn define(&mut self, _: u32, labels: Pairs<'_>) {
        self.definitions += 1;
        for (name, value) in labels {
            self.bytes += (name.len() + value.len()) as u64;
        }
    }
    fn samples(&mut self, run: Run<'_>) {
        self.samples += run.bits.len() as u64;
        self.bits ^= run.bits.iter().fold(0, |all, bits| all ^ bits);
    }
    fn attachment(&mut self, _: u32, _: u8, _: i64, _: &[u8]) {}
    fn describe(&mut self, _: &str, _: Metadata) {}
}

fn main() {
    println!("series of {RUN}, each run with a timestamp of its own");
    for (series, steps) in [(15_500, 600), (992_000, 8)] {
        for changing in [3, 8] {
            samples(series, steps, changing, false);
        }
    }
    println!("random order, so runs of one sample");
    samples(15_500, 100, 8, true);
    definitions(1_000_000);
}

fn samples(series: usize, steps: u64, changing: usize, scattered: bool) {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(0)));
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let commits = Commits::new(
        Arc::clone(&disk),
        directory.path().to_owned(),
        clock,
        Acknowledge::Synced,
    );
    commits.prepare(2).unwrap();
    let mut encoder = LogEncoder::new(1);
    define(&mut encoder, series);
    encoder.finish().clear();
    let mut before = commits.statistics();
    let mut last = vec![(0, 0); series];
    let (mut encoding, mut committing) = (0, 0);
    let mut values = vec![(0, 0, 0); BATCH];
    // Without and then with commits, which leave nothing in the caches.
    let mut alone = 0;
    for step in 0..2 * steps {
        if step == steps {
            encoder.rotate(2);
            define(&mut encoder, series);
            commits.publish(2, encoder.finish());
            commits.sync().unwrap();
            before = commits.statistics();
        }
        for start in (0..series).step_by(BATCH) {
            let count = BATCH.min(series - start);
            for (offset, row) in values[..count].iter_mut().enumerate() {
                // A prime that does not divide the size of a batch.
                let index = start
                    + if scattered {
                        offset * 4099 % count
                    } else {
                        offset
                    };
                let timestamp = step as i64 * 15_000 + (index / RUN) as i64 * 7;
                *row = (index, timestamp, value(index, step, changing).to_bits());
            }
            let time = cpu_time();
            let epoch = encoder.epoch();
            for (index, timestamp, bits) in &values[..count] {
                let (known, value) = last[*index];
                let previous = if known == epoch { value } else { 0 };
                last[*index] = (epoch, *bits);
                encoder.sample(*index as u32, *timestamp, *bits, previous);
            }
            let bytes = encoder.finish();
            if step < steps {
                bytes.clear();
                alone += cpu_time() - time;
                continue;
            }
            encoding += cpu_time() - time;
            let time = cpu_time();
            let ticket = commits.publish(2, bytes);
            commits.wait(ticket).unwrap();
            committing += cpu_time() - time;
        }
    }
    let count = series as u64 * steps;
    let per_sample = |total: u64| total as f64 / count as f64;
    let after = commits.statistics();
    commits.close().unwrap();
    println!(
        "{series} series, {changing} of 10 values change: encode {:.1} ns alone, {:.1} between commits, commit {:.1} ns CPU, {:.2} B a sample",
        per_sample(alone),
        per_sample(encoding),
        per_sample(committing),
        per_sample(after.bytes - before.bytes)
    );
    let (elapsed, counted) = replayed(&*disk, directory.path(), 2);
    assert_eq!(counted.samples, count);
    println!("  replay {:.0} M samples/s", count as f64 * 1e3 / elapsed);
}

fn define(encoder: &mut LogEncoder, series: usize) {
    for index in 0..series {
        let index = index.to_string();
        encoder.define([("series", &*index)].into_iter()).unwrap();
    }
}

fn replayed(disk: &dyn Disk, directory: &Path, number: u64) -> (f64, Counted) {
    let mut counted = Counted::default();
    let time = cpu_time();
    let report = replay(
        disk,
        &directory.join(file_name(number)),
        number,
        &mut counted,
    )
    .unwrap();
    let elapsed = cpu_time() - time;
    assert_eq!((report.broken.count, report.torn_bytes), (0, 0));
    black_box(counted.bits);
    (elapsed as f64, counted)
}

/// New series as containers bring them: eight labels, one of which nobody else has.
fn definitions(count: usize) {
    let labels = |index: usize| {
        let group = index / 20;
        let unique = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [
            ("__name__", format!("container_metric_{}", index % 20)),
            ("cluster", ["east", "west"][group % 2].to_owned()),
            ("container", format!("app-{}", group % 500)),
            (
                "image",
                format!("registry.example.org/app-{}:v1.0", group % 500),
            ),
            ("instance", format!("node-{}:10250", group % 200)),
            ("job", "kubelet".to_owned()),
            ("namespace", format!("team-{}", group % 50)),
            (
                "pod",
                format!(
                    "app-{}-{:08x}-{:05x}",
                    group % 500,
                    unique >> 32,
                    unique & 0xfffff
                ),
            ),
        ]
    };
    let all: Vec<_> = (0..count).map(labels).collect();
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(0)));
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let policy = Acknowledge::Synced;
    let commits = Commits::new(
        Arc::clone(&disk),
        directory.path().to_owned(),
        clock,
        policy,
    );
    let mut encoder = LogEncoder::new(1);
    let time = cpu_time();
    for part in all.chunks(5_000) {
        for labels in part {
            let pairs = labels.iter().map(|(name, value)| (*name, &**value));
            encoder.define(pairs).unwrap();
        }
        commits.publish(1, encoder.finish());
        commits.wait_for_room().unwrap();
    }
    let elapsed = cpu_time() - time;
    commits.close().unwrap();
    let length = fs::metadata(directory.path().join(file_name(1)))
        .unwrap()
        .len();
    println!(
        "{count} definitions: {} ns, {:.1} B each, {} KiB of memory in the end",
        elapsed / count as u64,
        length as f64 / count as f64,
        encoder.memory() / 1024
    );
    let (elapsed, counted) = replayed(&*disk, directory.path(), 1);
    assert_eq!(counted.definitions, count as u64);
    println!("  replay {:?}", Duration::from_nanos(elapsed as u64));
}
