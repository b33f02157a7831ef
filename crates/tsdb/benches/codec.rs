//! What columns cost: bytes and CPU time a sample, by kind of column, for each effort and length of chunk.
//!
//! The columns are generated. If `CODEC_RECORDING` names a recording, it is measured as well; its format, under zstd:
//! `"RMET1\n"`, number of targets; for each its name and number of series; for each series its name, number n of
//! samples, n timestamps and n values of eight bytes. Numbers have four bytes, the lowest first; names follow their
//! length.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints figures, and ends when something is wrong"
)]

use std::fs::File;
use std::io::Read;

use source::codec::{self, Effort};
use source::coding;

/// The store shows none of this to other crates.
#[path = "../src"]
mod source {
    #[expect(
        dead_code,
        unused_imports,
        unreachable_pub,
        reason = "timestamps and aggregates are not measured, and nothing leaves a benchmark"
    )]
    pub(crate) mod codec;
    #[expect(
        dead_code,
        unused_imports,
        reason = "the log needs more of it than columns do"
    )]
    pub(crate) mod coding;
}

/// Raw bytes of a page, as blocks have them.
const PAGE_BYTES: usize = 64 << 10;

struct Series {
    kind: String,
    values: Vec<u64>,
}

/// CPU time of this thread in nanoseconds.
fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A generator of numbers that are the same in each run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A kind of column: its name, and the next value from the ticks so far, which it moves on.
type Kind = (&'static str, fn(&mut u64, &mut Random) -> f64);

const KINDS: [Kind; 8] = [
    ("constant", |_, _| 42.0),
    ("counter", |ticks, random| {
        *ticks += 300 + random.below(200);
        *ticks as f64
    }),
    ("seconds of a CPU", |ticks, random| {
        *ticks += random.below(40);
        *ticks as f64 / 100.0
    }),
    ("gauge of pages", |ticks, random| {
        *ticks = (*ticks + random.below(2_000) + random.below(2_000)).saturating_sub(2_000);
        (*ticks * 4_096) as f64
    }),
    ("gauge that rests", |ticks, random| {
        if random.below(8) == 0 {
            *ticks = (*ticks + random.below(100)).saturating_sub(50);
        }
        *ticks as f64
    }),
    ("duration", |_, random| {
        (15_000 + random.below(6_000)) as f64 / 1e6
    }),
    ("sum of durations", |ticks, random| {
        let sum = f64::from_bits(*ticks).max(1.0) + random.below(90_000_000) as f64 / 1e9;
        *ticks = sum.to_bits();
        sum
    }),
    ("any float", |_, random| {
        random.next() as f64 / u64::MAX as f64
    }),
];

fn generated() -> Vec<Series> {
    let mut random = Random(7);
    let series = KINDS.iter().flat_map(|kind| std::iter::repeat_n(kind, 60));
    series
        .map(|(kind, next)| {
            let mut ticks = 1_000_000 + random.below(1_000_000);
            Series {
                kind: (*kind).to_owned(),
                values: (0..1_440)
                    .map(|_| next(&mut ticks, &mut random).to_bits())
                    .collect(),
            }
        })
        .collect()
}

/// All series of a recording, sorted by name.
fn recorded(path: &str) -> Vec<Series> {
    let mut decoder = zstd::Decoder::new(File::open(path).unwrap()).unwrap();
    decoder.window_log_max(27).unwrap();
    let mut bytes = Vec::new();
    decoder.read_to_end(&mut bytes).unwrap();
    let mut rest = bytes.strip_prefix(b"RMET1\n").unwrap();
    let mut take = |count: usize| rest.split_off(..count).unwrap();
    let mut series = Vec::new();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    for _ in 0..number(take(4)) {
        let length = number(take(4));
        take(length);
        for _ in 0..number(take(4)) {
            let length = number(take(4));
            let kind = String::from_utf8(take(length).to_vec()).unwrap();
            let samples = number(take(4));
            take(8 * samples);
            let (values, _) = take(8 * samples).as_chunks();
            let values = values.iter().map(|value| u64::from_le_bytes(*value));
            series.push(Series {
                kind,
                values: values.collect(),
            });
        }
    }
    series.sort_by(|a, b| a.kind.cmp(&b.kind));
    series
}

fn measure(title: &str, series: &[&Series], effort: Effort, chunk_samples: usize) {
    let (mut samples, mut raw, mut packed) = (0, 0, 0);
    let (mut encoding, mut compressing, mut decoding) = (0, 0, 0);
    let (mut page, mut compressed, mut restored) = (Vec::new(), Vec::new(), Vec::new());
    let mut chunks: Vec<&[u64]> = Vec::new();
    let mut values: Vec<f64> = Vec::new();
    for (index, one) in series.iter().enumerate() {
        let start = cpu_time();
        for chunk in one.values.chunks(chunk_samples) {
            codec::encode_values(chunk, effort, &mut page);
            chunks.push(chunk);
        }
        encoding += cpu_time() - start;
        samples += one.values.len();
        if page.len() < PAGE_BYTES && index + 1 < series.len() {
            continue;
        }
        let start = cpu_time();
        codec::compress_page(&page, &mut compressed);
        compressing += cpu_time() - start;
        let start = cpu_time();
        codec::decompress_page(&compressed, page.len(), &mut restored).unwrap();
        let mut rest = &restored[..];
        for chunk in &chunks {
            values.clear();
            codec::decode_values(&mut rest, chunk.len(), &mut values).unwrap();
        }
        decoding += cpu_time() - start;
        let last = chunks[chunks.len() - 1];
        assert!(
            values
                .iter()
                .map(|value| value.to_bits())
                .eq(last.iter().copied())
        );
        raw += page.len();
        packed += compressed.len();
        page.clear();
        compressed.clear();
        restored.clear();
        chunks.clear();
    }
    let each = |sum: u64| sum as f64 / samples as f64;
    println!(
        "{title:<20} {effort:<8} {chunk_samples:>5} {:>8.3} {:>8.3} {:>8.1} {:>8.1} {:>8.1}",
        each(raw as u64),
        each(packed as u64),
        each(encoding),
        each(compressing),
        each(decoding),
        effort = format!("{effort:?}"),
    );
}

fn main() {
    println!("                                     bytes a sample    ns a sample");
    println!("columns              effort   chunk  encoded     page   encode compress   decode");
    let generated = generated();
    for (kind, _) in KINDS {
        let of_kind: Vec<_> = generated.iter().filter(|one| one.kind == kind).collect();
        for effort in [Effort::Fast, Effort::Thorough] {
            measure(kind, &of_kind, effort, codec::CHUNK_SAMPLES);
        }
    }
    let recorded = std::env::var("CODEC_RECORDING").map(|path| recorded(&path));
    for (title, series) in [
        ("generated", Some(&generated)),
        ("recorded", recorded.as_ref().ok()),
    ] {
        let series: Vec<_> = series.into_iter().flatten().collect();
        if series.is_empty() {
            continue;
        }
        for chunk_samples in [32, 120, codec::CHUNK_SAMPLES, 2 * codec::CHUNK_SAMPLES] {
            for effort in [Effort::Fast, Effort::Thorough] {
                measure(title, &series, effort, chunk_samples);
            }
        }
    }
}
