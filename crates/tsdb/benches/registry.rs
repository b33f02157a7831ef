//! What the series cost: CPU time of one thread for each way from keys and labels to numbers, and bytes of memory as
//! the allocator counts them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    unsafe_code,
    reason = "a benchmark prints figures, counts what is allocated, and ends when something is wrong"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{InvalidLabels, KeyEncoding, Labels, MatchKind, Matcher, NAME, Row, Timestamp};

use registry::{Identity, Limits, SeriesIndex, UNKNOWN};

/// The store's own parts are private: they are built once more, as they are.
#[path = "../src/registry"]
#[expect(dead_code, unused_imports, reason = "not all of it is measured")]
mod registry {
    mod arena;
    mod content;
    mod identity;
    mod index;
    mod limits;
    mod order;
    mod paged;
    mod pairs;
    mod pins;
    mod postings;
    mod select;
    mod sort;
    mod statistics;
    mod table;
    mod values;

    pub(crate) use identity::{Identity, UNKNOWN};
    pub(crate) use index::{Created, SeriesIndex};
    pub(crate) use limits::Limits;
    pub(crate) use pins::Pin;
    pub(crate) use statistics::{Count, Statistics};
}

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Labels as remote write has them: what senders repeat.
const ENCODING: KeyEncoding = KeyEncoding {
    id: 1,
    decode,
    next,
};

/// Rows of a request.
const REQUEST: usize = 5_000;

/// Counts the bytes that are allocated, now and at most.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

/// CPU time of this thread in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) ^ number >> 31
}

/// As short-lived containers have them: eight labels, one of them with a value for each series.
fn labels(number: usize) -> Labels {
    let (group, name) = (number / 20, number % 20);
    let id = mixed(number as u64 + 1);
    Labels::from_pairs([
        (NAME, format!("container_metric_{name}")),
        ("cluster", ["east", "west"][group % 2].to_owned()),
        ("container", format!("app-{}", group % 500)),
        (
            "image",
            format!("registry.example/app-{}:v1.0", group % 500),
        ),
        ("instance", format!("node-{}:10250", group % 200)),
        ("job", "kubelet".to_owned()),
        ("namespace", format!("team-{}", group % 50)),
        (
            "pod",
            format!("app-{}-{:08x}-{:05x}", group % 500, id >> 32, id & 0xfffff),
        ),
    ])
    .unwrap()
}

/// A series' key in remote write.
fn key(labels: &Labels) -> Vec<u8> {
    let mut key = Vec::new();
    for (name, value) in labels.iter() {
        key.extend([
            0x0a,
            (name.len() + value.len() + 4) as u8,
            0x0a,
            name.len() as u8,
        ]);
        key.extend(name.as_bytes());
        key.extend([0x12, value.len() as u8]);
        key.extend(value.as_bytes());
    }
    key
}

fn decode(mut key: &[u8]) -> Result<Labels, InvalidLabels> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    let labels = std::iter::from_fn(|| next(&mut key));
    Labels::from_pairs(labels.map(|(name, value)| (text(name), text(value))))
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (label, after) = field(rest, 0x0a)?;
    let (name, value) = field(label, 0x0a)?;
    let (value, end) = field(value, 0x12)?;
    if !end.is_empty() || value.is_empty() {
        return None;
    }
    *rest = after;
    Some((name, value))
}

fn field(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match bytes {
        [found, length @ 0..0x80, rest @ ..] if *found == tag => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}

fn main() {
    for count in [15_500, 1_000_000] {
        measure(count);
    }
}

fn measure(count: usize) {
    let encoding = ENCODING;
    let series: Vec<Labels> = (0..count).map(labels).collect();
    let keys: Vec<Vec<u8>> = series.iter().map(key).collect();
    let bytes: usize = keys.iter().map(Vec::len).sum();
    println!("{count} series, keys of {} bytes", bytes / count);
    let before = allocated();
    PEAK.store(before, Ordering::Relaxed);
    let index = SeriesIndex::new(Limits::default());
    let start = cpu_time();
    for labels in &series {
        assert!(index.create(labels, NOW, None).unwrap().is_new);
    }
    let elapsed = cpu_time() - start;
    println!("  creating: {} ns", elapsed / count as u64);
    println!(
        "  index: {} B a series, at most {}, by its own account {}",
        (allocated() - before) / count,
        (PEAK.load(Ordering::Relaxed) - before) / count,
        index.memory() / count
    );
    let before = allocated();
    PEAK.store(before, Ordering::Relaxed);
    let mut identity = Identity::default();
    let start = cpu_time();
    for key in &keys {
        assert!(
            !identity
                .create(&index, &encoding, key, NOW, None)
                .unwrap()
                .is_new
        );
    }
    let elapsed = cpu_time() - start;
    println!(
        "  learning keys of known series: {} ns",
        elapsed / count as u64
    );
    println!(
        "  identity: {} B a series, at most {}, by its own account {}",
        (allocated() - before) / count,
        (PEAK.load(Ordering::Relaxed) - before) / count,
        identity.memory() / count
    );
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|number| mixed(*number as u64));
    let (in_order, in_random_order) = (
        request(&keys, 0..count),
        request(&keys, order.iter().copied()),
    );
    let (same, random) = (rows(&in_order), rows(&in_random_order));
    let resolve = |identity: &mut Identity, what: &str, rows: &[Row<'_>]| {
        let rounds = (4_000_000 / rows.len()).max(2);
        let mut ids = Vec::with_capacity(REQUEST);
        let mut best = u64::MAX;
        for _ in 0..rounds {
            let start = cpu_time();
            for rows in rows.chunks(REQUEST) {
                ids.clear();
                identity.resolve(&index, &encoding, rows, &mut ids);
                assert!(!ids.contains(&UNKNOWN));
            }
            best = best.min(cpu_time() - start);
        }
        println!(
            "  resolving {what}: {:.1} ns",
            best as f64 / rows.len() as f64
        );
    };
    resolve(&mut identity, "in order", &same);
    resolve(&mut identity, "in random order", &random);
    resolve(&mut identity, "in order again", &same);
    identity.use_order(false);
    resolve(&mut identity, "in order, by hash only", &same);
    resolve(&mut identity, "in random order, by hash only", &random);
    identity.use_order(true);
    ask(&index, &series);
    let mut ids: Vec<u32> = index.all().iter().collect();
    let start = cpu_time();
    index.sort(&mut ids);
    let elapsed = cpu_time() - start;
    println!("  sorting: {} ns an id", elapsed / count as u64);
    let start = cpu_time();
    identity.evict(&index, &ids[..count / 2]);
    let middle = cpu_time();
    index.reclaim();
    let end = cpu_time();
    println!(
        "  evicting half: {} ns, reclaiming: {} ns",
        (middle - start) / (count as u64 / 2),
        (end - middle) / (count as u64 / 2)
    );
}

/// Keys behind each other as in requests, with where they end.
fn request(keys: &[Vec<u8>], order: impl Iterator<Item = usize>) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for number in order {
        bytes.extend(&keys[number]);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn rows((bytes, ends): &(Vec<u8>, Vec<usize>)) -> Vec<Row<'_>> {
    let mut start = 0;
    let row = |end: &usize| {
        let key = &bytes[start..*end];
        start = *end;
        Row {
            key,
            timestamp: NOW,
            value: 0.0,
        }
    };
    ends.iter().map(row).collect()
}

fn ask(index: &SeriesIndex, series: &[Labels]) {
    let matcher = |kind, name: &str, value: &str| Matcher::new(kind, name, value).unwrap();
    let pod = series[series.len() / 20 * 10 + 7].get("pod").unwrap();
    let metric = Matcher::equal(NAME, "container_metric_7");
    let cases = [
        (
            "one series",
            vec![metric.clone(), Matcher::equal("pod", pod)],
        ),
        (
            "name and instance",
            vec![metric.clone(), Matcher::equal("instance", "node-7:10250")],
        ),
        (
            "name and container=~\"app-1.*\"",
            vec![
                metric.clone(),
                matcher(MatchKind::Regex, "container", "app-1.*"),
            ],
        ),
        (
            "name, instance and pod=~\".*a.*\"",
            vec![
                metric.clone(),
                Matcher::equal("instance", "node-7:10250"),
                matcher(MatchKind::Regex, "pod", ".*a.*"),
            ],
        ),
        (
            "pod=~\".*aa.*\"",
            vec![matcher(MatchKind::Regex, "pod", ".*aa.*")],
        ),
        ("all", Vec::new()),
    ];
    for (what, matchers) in cases {
        let (nanoseconds, found) = best(|| index.select(&matchers).len());
        println!(
            "  selecting {what}: {:.1} us for {found}",
            nanoseconds as f64 / 1e3
        );
    }
    let all = index.all();
    let (nanoseconds, _) = best(|| index.label_names(None).len() as u64);
    println!("  label names: {:.1} us", nanoseconds as f64 / 1e3);
    let (nanoseconds, _) = best(|| index.label_names(Some(&all)).len() as u64);
    println!("  label names of all: {:.1} us", nanoseconds as f64 / 1e3);
    let (nanoseconds, _) = best(|| index.label_values("instance", Some(&all), 1_000).len() as u64);
    println!(
        "  values of instance of all: {:.1} us",
        nanoseconds as f64 / 1e3
    );
    let (nanoseconds, _) = best(|| index.label_values("pod", None, 1_000).len() as u64);
    println!("  first values of pod: {:.1} us", nanoseconds as f64 / 1e3);
    let (nanoseconds, _) = best(|| index.statistics(10).label_pairs);
    println!("  statistics: {:.1} us", nanoseconds as f64 / 1e3);
    let mut packed = 0;
    let ids: Vec<u32> = all.iter().collect();
    let start = cpu_time();
    index.pack_each(&ids, |_, labels| packed += labels.len());
    println!(
        "  packed labels: {} ns a series",
        (cpu_time() - start) / ids.len() as u64
    );
    let start = cpu_time();
    for id in &ids {
        packed += index.labels(*id).as_packed().len();
    }
    println!(
        "  labels: {} ns a series",
        (cpu_time() - start) / ids.len() as u64
    );
    assert!(packed > 0);
}

/// The shortest of several runs.
fn best(mut run: impl FnMut() -> u64) -> (u64, u64) {
    let mut shortest = u64::MAX;
    let mut result = 0;
    for _ in 0..5 {
        let start = cpu_time();
        result = run();
        shortest = shortest.min(cpu_time() - start);
    }
    (shortest, result)
}
