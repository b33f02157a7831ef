//! What a block costs: CPU time and memory to write it, bytes on disk, and the time to open it and to ask it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints figures, and ends when something is wrong"
)]
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "it measures a part that the crate does not show, so it takes that part's files"
)]

#[path = "../src"]
mod source {
    pub(crate) mod block;
    pub(crate) mod codec;
    pub(crate) mod coding;
}

/// What the tests in those files ask of the crate; they are compiled and not run.
mod tests {
    pub(crate) fn bits() -> proptest::num::u64::Any {
        proptest::num::u64::ANY
    }

    pub(crate) fn timestamps() -> proptest::num::i64::Any {
        proptest::num::i64::ANY
    }
}

use std::fs;
use std::path::Path;
use std::sync::Arc;

use model::{Disk, Labels, MatchKind, Matcher, SampleColumns};
use source::block::{Block, BlockHeader, BlockWriter, PageCache, SeriesData};
use source::codec::Effort;
use source::{block, codec, coding};
use tsdb::OsDisk;

fn main() {
    measure(
        "short-lived containers",
        &containers(1_000_000),
        Effort::Fast,
    );
    measure("hosts", &hosts(100), Effort::Fast);
    measure("hosts, thorough", &hosts(100), Effort::Thorough);
}

/// Series in order, and what they hold.
struct Content {
    labels: Vec<Labels>,
    samples: usize,
    /// The timestamps of a series, and its values.
    timestamps: fn(&Labels, usize, &mut Vec<i64>),
    values: fn(&Labels, usize, &mut Vec<f64>),
}

/// A million pods' worth of series: each has a pod of its own, twenty have their scrape in common.
fn containers(series: u64) -> Content {
    let labels = |index: u64| {
        let (group, name) = (index / 20, index % 20);
        let id = mixed(index);
        let app = group % 500;
        Labels::from_pairs([
            ("__name__", format!("container_metric_{name}")),
            ("cluster", ["east", "west"][(group % 2) as usize].to_owned()),
            ("container", format!("app-{app}")),
            ("instance", format!("node-{}:10250", group % 200)),
            ("job", "kubelet".to_owned()),
            ("namespace", format!("team-{}", group % 50)),
            (
                "pod",
                format!("app-{app}-{:08x}-{:05x}", id >> 32, id & 0xf_ffff),
            ),
            ("image", format!("registry.example/app-{app}:v1.0")),
            ("group", String::new()),
        ])
        .unwrap()
    };
    let mut labels: Vec<_> = (0..series).map(labels).collect();
    labels.sort();
    Content {
        labels,
        samples: 2,
        timestamps: |labels, samples, out| {
            // The app tells the group but for its upper part, which the pod's name replaces.
            let number = labels.get("container").unwrap()[4..]
                .parse::<i64>()
                .unwrap();
            let upper = 500 * (mixed(hash(labels.get("instance").unwrap())) % 2) as i64;
            out.extend(
                (0..samples as i64).map(|step| 1_700_000_000_000 + step * 15_000 + number + upper),
            );
        },
        values: |labels, samples, out| {
            let seed = hash(labels.as_packed());
            out.extend(
                (0..samples as u64).map(|step| (mixed(seed ^ step) % 10_000) as f64 / 100.0),
            );
        },
    }
}

/// Hosts with 155 series each over six hours, with jitter.
fn hosts(count: usize) -> Content {
    let labels = |index: usize| {
        let (host, metric) = (index / 155, index % 155);
        Labels::from_pairs([
            (
                "__name__",
                format!("node_measurement_{}_bytes_total", metric / 4),
            ),
            ("device", format!("device-{}", metric % 4)),
            ("instance", format!("host-{host:04}:9100")),
            ("job", "node".to_owned()),
            ("region", format!("region-{}", host % 4)),
        ])
        .unwrap()
    };
    let mut labels: Vec<_> = (0..155 * count).map(labels).collect();
    labels.sort();
    Content {
        labels,
        samples: 1440,
        timestamps: |labels, samples, out| {
            let host = hash(labels.get("instance").unwrap());
            let at = |step: u64| {
                let jitter = mixed(host ^ step) % 5 + host % 15_000;
                1_700_000_000_000 + (step * 15_000 + jitter) as i64
            };
            out.extend((0..samples as u64).map(at));
        },
        values: |labels, samples, out| {
            let seed = hash(labels.as_packed());
            let mut value = seed % 100_000;
            for step in 0..samples as u64 {
                let random = mixed(seed.wrapping_add(step)) >> 32;
                out.push(match seed % 10 {
                    0..=4 => (seed % 7) as f64,
                    5..=7 => {
                        value += random % 100;
                        value as f64
                    }
                    _ => (random % 10_000) as f64 / 100.0,
                });
            }
        },
    }
}

fn measure(title: &str, content: &Content, effort: Effort) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.block");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let series = content.labels.len() as u64;
    let samples = series * content.samples as u64;
    println!("{title}: {series} series, {samples} samples");

    let before = start_peak();
    let mut spent = 0;
    let mut writer = BlockWriter::create(&disk, &path, BlockHeader::default(), effort).unwrap();
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    for labels in &content.labels {
        timestamps.clear();
        values.clear();
        (content.timestamps)(labels, content.samples, &mut timestamps);
        (content.values)(labels, content.samples, &mut values);
        let data = SeriesData {
            timestamps: &timestamps,
            values: &values,
            attachments: &[],
        };
        let start = cpu_time();
        writer.series(labels.as_packed(), &data).unwrap();
        spent += cpu_time() - start;
    }
    let start = cpu_time();
    let meta = writer.finish().unwrap();
    let finished = cpu_time() - start;
    println!(
        "  write: {} ns a series, {:.2} ns a sample; {} ns a series more to finish",
        spent / series,
        spent as f64 / samples as f64,
        finished / series
    );
    println!(
        "  memory while writing: {} KiB",
        peak().saturating_sub(before) / 1024
    );
    println!(
        "  disk: {:.2} B a series, {:.4} B a sample",
        meta.bytes as f64 / series as f64,
        meta.bytes as f64 / samples as f64
    );

    let start = cpu_time();
    let cache = Arc::new(PageCache::new(64 << 20));
    let block = Block::open(&*disk, &path, cache).unwrap();
    let opened = cpu_time() - start;
    println!(
        "  open: {} us, {} KiB of memory",
        opened / 1000,
        block.memory() / 1024
    );
    for (section, bytes) in block.section_bytes() {
        println!(
            "    {section}: {:.2} B a series, {:.4} B a sample",
            bytes as f64 / series as f64,
            bytes as f64 / samples as f64
        );
    }
    measure_selects(&block, content);
    measure_reads(&block, samples);
}

fn measure_selects(block: &Block, content: &Content) {
    let some = &content.labels[content.labels.len() / 3];
    let names = ["job", "instance", "namespace", "pod"];
    let mut questions: Vec<Vec<Matcher>> = Vec::new();
    let equal = |name: &str| Matcher::equal(name, some.get(name).unwrap_or_default());
    for name in names.iter().filter(|name| some.get(name).is_some()) {
        questions.push(vec![equal(name)]);
        questions.push(vec![equal("__name__"), equal(name)]);
    }
    let regex = |name: &str, value: &str| Matcher::new(MatchKind::Regex, name, value).unwrap();
    if some.get("pod").is_some() {
        questions.push(vec![regex("pod", "app-17-.*")]);
        questions.push(vec![regex("pod", ".*-0abc.*")]);
        questions.push(vec![
            equal("__name__"),
            equal("namespace"),
            regex("pod", ".*-0abc.*"),
        ]);
        questions.push(vec![
            equal("__name__"),
            equal("instance"),
            equal("namespace"),
        ]);
    }
    for matchers in questions {
        let ask = || {
            let start = cpu_time();
            let found = block.select(&matchers).unwrap().len();
            (found, (cpu_time() - start) / 1000)
        };
        let (found, cold) = ask();
        let warm = (0..5).map(|_| ask().1).min().unwrap();
        println!("  select {matchers:?}: {found} series, {cold} us, then {warm} us");
    }
    let start = cpu_time();
    let mut bytes = 0;
    let all = block.select(&[]).unwrap();
    block
        .labels(&all, &mut |_, packed| bytes += packed.len())
        .unwrap();
    println!(
        "  labels: {} ns a series",
        (cpu_time() - start) / content.labels.len() as u64
    );
    assert!(bytes > 0);
}

fn measure_reads(block: &Block, samples: u64) {
    let mut columns = SampleColumns::default();
    let start = cpu_time();
    for ordinal in 0..block.meta().series as u32 {
        columns.clear();
        block
            .read(ordinal, i64::MIN, i64::MAX, &mut columns)
            .unwrap();
    }
    println!(
        "  read: {:.2} ns a sample",
        (cpu_time() - start) as f64 / samples as f64
    );
    let start = cpu_time();
    let mut chunks = 0;
    for ordinal in 0..block.meta().series as u32 {
        block
            .reader()
            .chunks(ordinal, i64::MIN, i64::MAX, &mut |_| chunks += 1)
            .unwrap();
    }
    println!("  summaries: {} ns a chunk", (cpu_time() - start) / chunks);
    let start = cpu_time();
    let mut scan = block.scan();
    let mut seen = 0;
    while let Some(series) = scan.next().unwrap() {
        seen += series.timestamps.len() as u64;
    }
    assert_eq!(seen, samples);
    println!(
        "  scan: {:.2} ns a sample",
        (cpu_time() - start) as f64 / samples as f64
    );
}

/// CPU time of this thread in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Forgets the greatest memory so far; what is taken now, in bytes.
fn start_peak() -> usize {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

/// The greatest memory since then.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0, |hash, byte| mixed(hash ^ u64::from(byte)))
}
