//! Blocks against a naive model, and against damage.

use std::collections::BTreeMap;

use model::{Labels, MatchKind, Matcher, SampleColumns, packed_pairs};
use proptest::prelude::*;
use roaring::RoaringBitmap;
use testkit::SimulatedDisk;

use super::*;
use crate::codec::Effort;

fn values_of(block: &Block, name: &str) -> Result<Vec<String>, BlockError> {
    let mut values = Vec::new();
    block.label_values(name, &mut |value| {
        values.push(value.to_owned());
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(values)
}

/// A series as the naive model has it.
#[derive(Clone, Debug, Default)]
struct Plain {
    timestamps: Vec<i64>,
    bits: Vec<u64>,
    attachments: Vec<(u8, i64, i64, u32, Vec<u8>)>,
}

type Content = BTreeMap<Labels, Plain>;

const PATH: &str = "/blocks/1.block";

fn write(disk: &Arc<dyn Disk>, content: &Content) -> BlockMeta {
    let mut writer = begin(disk);
    for (labels, plain) in content {
        add(&mut writer, labels, plain);
    }
    writer.finish().unwrap()
}

fn begin(disk: &Arc<dyn Disk>) -> BlockWriter {
    disk.create_directory(Path::new("/blocks")).unwrap();
    let mut writer = BlockWriter::create(disk, Path::new(PATH), header(), Effort::Fast).unwrap();
    // With some hundred series labels are put off.
    writer.index_budget = 6_000;
    writer
}

fn header() -> BlockHeader {
    BlockHeader {
        number: 7,
        first_generation: 3,
        last_generation: 3,
        level: 2,
        created: -5,
        replaces: vec![1, 6],
    }
}

fn add(writer: &mut BlockWriter, labels: &Labels, plain: &Plain) {
    let values: Vec<f64> = plain
        .bits
        .iter()
        .map(|bits| f64::from_bits(*bits))
        .collect();
    let attachments: Vec<_> = plain
        .attachments
        .iter()
        .map(|(kind, first, last, count, payload)| Attachment {
            kind: *kind,
            first: *first,
            last: *last,
            count: *count,
            payload,
        })
        .collect();
    let data = SeriesData {
        timestamps: &plain.timestamps,
        values: &values,
        attachments: &attachments,
    };
    writer.series(labels.as_packed(), &data).unwrap();
}

fn open(disk: &dyn Disk) -> Result<Block, BlockError> {
    Block::open(disk, Path::new(PATH), Arc::new(PageCache::new(1 << 20)))
}

fn disk() -> (SimulatedDisk, Arc<dyn Disk>) {
    let disk = SimulatedDisk::new(1);
    (disk.clone(), Arc::new(disk))
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn problems(block: &Block) -> Vec<String> {
    let mut problems = Vec::new();
    block.verify(&mut |problem| problems.push(problem));
    problems
}

/// What a block holds, by a scan.
fn scanned(block: &Block) -> Result<Vec<(String, Plain)>, BlockError> {
    let mut scan = block.scan();
    let mut all = Vec::new();
    while let Some(series) = scan.next()? {
        let attachments = series.attachments.iter().map(|attachment| {
            let payload = attachment.payload.to_vec();
            (
                attachment.kind,
                attachment.first,
                attachment.last,
                attachment.count,
                payload,
            )
        });
        let plain = Plain {
            timestamps: series.timestamps.to_vec(),
            bits: bits(series.values),
            attachments: attachments.collect(),
        };
        all.push((series.labels.to_owned(), plain));
    }
    Ok(all)
}

fn assert_same(block: &Block, content: &Content) {
    let all = scanned(block).unwrap();
    assert_eq!(all.len(), content.len());
    for ((labels, found), (expected_labels, expected)) in all.iter().zip(content) {
        assert_eq!(labels, expected_labels.as_packed());
        assert_eq!(found.timestamps, expected.timestamps);
        assert_eq!(found.bits, expected.bits);
        assert_eq!(found.attachments, expected.attachments);
    }
}

fn labels() -> impl Strategy<Value = Labels> {
    let value = prop::sample::select(vec!["", "a", "b", "ab", "c"]);
    let host = (0u32..400).prop_map(|host| format!("host-{host}"));
    let name = prop::sample::select(vec!["up", "upper", "u"]);
    (value.clone(), value, host, name).prop_map(|(job, zone, host, name)| {
        Labels::from_pairs([
            ("__name__", name),
            ("job", job),
            ("zone", zone),
            ("host", &host),
        ])
        .unwrap()
    })
}

/// Timestamps of a target: a grid with jitter, of which a series has a part.
fn timestamps() -> impl Strategy<Value = Vec<i64>> {
    let length = prop_oneof![0usize..5, 0usize..40, 470usize..500, 900usize..1500];
    (0i64..4, length, 0usize..600, prop::option::of(0usize..900)).prop_map(
        |(target, length, skipped, hole)| {
            let at = |step: usize| {
                let step = step as i64;
                step * 15_000 + target * 1_000 + (step * 7 + target) % 5
            };
            let mut all: Vec<_> = (skipped..skipped + length).map(at).collect();
            if let Some(hole) = hole.filter(|hole| *hole < all.len()) {
                all.remove(hole);
            }
            all
        },
    )
}

fn plain() -> impl Strategy<Value = Plain> {
    let attachment = (
        0u8..3,
        -1000i64..1000,
        0i64..500,
        any::<u32>(),
        prop::collection::vec(any::<u8>(), 0..200),
    )
        .prop_map(|(kind, first, length, count, payload)| {
            (kind, first, first + length, count, payload)
        });
    let attachments = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec(attachment, 0..4),
    ];
    (timestamps(), 0u8..6, any::<u64>(), attachments).prop_map(
        |(timestamps, kind, seed, attachments)| {
            let value = |step: usize| {
                let mixed = (seed ^ step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let value = match kind {
                    0 => (seed % 100) as f64,
                    1 => step as f64 * 3.0 + (seed % 1000) as f64,
                    2 => (mixed % 1000) as f64 / 100.0,
                    3 => return mixed,
                    4 if mixed.is_multiple_of(5) => return 0x7ff0_0000_0000_0002,
                    4 => (mixed % 7) as f64,
                    _ => f64::NAN,
                };
                value.to_bits()
            };
            Plain {
                bits: (0..timestamps.len()).map(value).collect(),
                timestamps,
                attachments,
            }
        },
    )
}

fn content(most: usize) -> impl Strategy<Value = Content> {
    prop::collection::btree_map(labels(), plain(), 0..most)
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let kinds = [
        MatchKind::Equal,
        MatchKind::NotEqual,
        MatchKind::Regex,
        MatchKind::NotRegex,
    ];
    let names = vec!["job", "zone", "host", "absent", "__name__"];
    let values = vec![
        "",
        "a",
        "b",
        "a|b",
        "a.*",
        ".+",
        ".*",
        "a|",
        "host-1.",
        "host-1.*",
        "up",
        "up.*",
        "(up|u)",
        "host-7|host-8|b",
        ".*1",
        "()",
    ];
    let parts = (
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(names),
        prop::sample::select(values),
    );
    parts.prop_map(|(kind, name, value)| Matcher::new(kind, name, value).unwrap())
}

fn in_range(plain: &Plain, start: i64, end: i64) -> (Vec<i64>, Vec<u64>) {
    let pairs = plain.timestamps.iter().zip(&plain.bits);
    let within = pairs.filter(|(timestamp, _)| (start..=end).contains(*timestamp));
    within.map(|(timestamp, bits)| (*timestamp, *bits)).unzip()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn everything_that_was_written_comes_back(
        content in content(60),
        ranges in prop::collection::vec((0i64..30_000_000, 0i64..10_000_000), 4),
    ) {
        let (_, disk) = disk();
        let meta = write(&disk, &content);
        let block = open(&*disk).unwrap();
        prop_assert_eq!(block.meta(), &meta);
        prop_assert_eq!(&meta.header, &header());
        prop_assert_eq!(meta.bytes, disk.length(Path::new(PATH)).unwrap());
        let samples: usize = content.values().map(|plain| plain.timestamps.len()).sum();
        prop_assert_eq!(meta.samples, samples as u64);
        assert_same(&block, &content);
        prop_assert_eq!(problems(&block), Vec::<String>::new());
        for (ordinal, plain) in content.values().enumerate() {
            let ordinal = ordinal as u32;
            for (start, length) in &ranges {
                let (start, end) = (*start, start + length);
                let mut columns = SampleColumns::default();
                columns.push(-1, 1.0);
                block.read(ordinal, start, end, &mut columns).unwrap();
                let (timestamps, expected) = in_range(plain, start, end);
                prop_assert_eq!(&columns.timestamps[1..], &timestamps[..]);
                prop_assert_eq!(bits(&columns.values[1..]), expected);
            }
            for kind in 0..3 {
                let mut found = Vec::new();
                block.attachments(ordinal, kind, -100, 100, &mut |one| {
                    found.push((kind, one.first, one.last, one.count, one.payload.to_vec()));
                }).unwrap();
                let mut expected = plain.attachments.clone();
                expected.retain(|(of, first, last, ..)| *of == kind && *first <= 100 && *last >= -100);
                prop_assert_eq!(found, expected);
            }
            let mut covered = 0;
            block.reader().chunks(ordinal, i64::MIN, i64::MAX, &mut |chunk| {
                let range = covered..covered + chunk.samples as usize;
                assert_summary(chunk, &plain.timestamps[range.clone()], &plain.bits[range]);
                covered += chunk.samples as usize;
            }).unwrap();
            prop_assert_eq!(covered, plain.timestamps.len());
        }
    }

    #[test]
    fn it_selects_like_a_comparison_one_by_one(
        present in prop::collection::btree_set(labels(), 0..700),
        selectors in prop::collection::vec(prop::collection::vec(matcher(), 0..4), 8),
    ) {
        let (_, disk) = disk();
        let present: Vec<_> = present.into_iter().collect();
        write(&disk, &present.iter().map(|labels| (labels.clone(), Plain::default())).collect());
        let block = open(&*disk).unwrap();
        for matchers in &selectors {
            let fulfils = |labels: &Labels| matchers.iter().all(|matcher| matcher.matches_labels(labels));
            let expected: RoaringBitmap = (0..present.len() as u32)
                .filter(|ordinal| fulfils(&present[*ordinal as usize]))
                .collect();
            let selected = block.select(matchers).unwrap();
            prop_assert_eq!(&selected, &expected, "{:?}", matchers);
            let mut found = Vec::new();
            block.labels(&selected, &mut |ordinal, packed| {
                assert_eq!(packed, present[ordinal as usize].as_packed());
                found.push(ordinal);
            }).unwrap();
            prop_assert_eq!(found, expected.iter().collect::<Vec<_>>());
        }
        let mut pairs: BTreeMap<&str, std::collections::BTreeSet<&str>> = BTreeMap::new();
        for labels in &present {
            for (name, value) in labels.iter() {
                pairs.entry(name).or_default().insert(value);
            }
        }
        prop_assert_eq!(block.label_names().unwrap(), pairs.keys().copied().collect::<Vec<_>>());
        for (name, values) in pairs {
            prop_assert_eq!(values_of(&block, name).unwrap(), values.into_iter().collect::<Vec<_>>());
        }
        prop_assert_eq!(values_of(&block, "absent").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let (_, disk) = disk();
        disk.create_directory(Path::new("/blocks")).unwrap();
        disk.open_append(Path::new(PATH)).unwrap().append(&bytes).unwrap();
        prop_assert!(open(&*disk).is_err());
    }
}

fn assert_summary(chunk: &ChunkSummary, timestamps: &[i64], bits: &[u64]) {
    assert_eq!(
        (chunk.first, chunk.last),
        (timestamps[0], timestamps[timestamps.len() - 1])
    );
    let values: Vec<f64> = bits.iter().map(|bits| f64::from_bits(*bits)).collect();
    let numbers: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    assert_eq!(chunk.count as usize, numbers.len());
    if numbers.is_empty() {
        assert!(chunk.min.is_nan() && chunk.max.is_nan());
        return;
    }
    assert_eq!(
        chunk.min,
        numbers.iter().copied().fold(f64::INFINITY, f64::min)
    );
    assert_eq!(
        chunk.max,
        numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    );
    let sum: f64 = numbers.iter().sum();
    let size: f64 = numbers.iter().map(|value| value.abs()).sum();
    let same = chunk.sum == sum || chunk.sum.is_nan() && sum.is_nan();
    assert!(
        same || (chunk.sum - sum).abs() <= size * 1e-12,
        "{} {sum}",
        chunk.sum
    );
}

/// Some series on few pages, with everything that a block can have.
fn small() -> Content {
    let mut content = Content::new();
    for number in 0..40u32 {
        let labels = Labels::from_pairs([
            ("__name__", format!("metric_{}", number % 3)),
            ("pod", format!("pod-{number:x}")),
        ]);
        let samples = if number % 7 == 0 { 500 } else { 3 };
        let at = |step: i64| step * 15_000 + i64::from(number % 2);
        let value = |step: i64| (f64::from(number) * 0.25 * (step % 9) as f64).to_bits();
        let plain = Plain {
            timestamps: (0..samples).map(at).collect(),
            bits: (0..samples).map(value).collect(),
            attachments: match number % 5 {
                0 => vec![(1, 0, 9, 2, vec![number as u8; 30])],
                _ => Vec::new(),
            },
        };
        content.insert(labels.unwrap(), plain);
    }
    content
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let (simulated, disk) = disk();
    let meta = write(&disk, &small());
    for length in (0..meta.bytes).rev().step_by(7) {
        simulated.truncate(Path::new(PATH), length).unwrap();
        assert!(open(&*disk).is_err(), "{length} of {} bytes", meta.bytes);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed_and_never_gives_wrong_data() {
    let (simulated, disk) = disk();
    let content = small();
    let meta = write(&disk, &content);
    let matchers = [Matcher::new(MatchKind::Regex, "pod", "pod-1.*").unwrap()];
    let expected = open(&*disk).unwrap().select(&matchers).unwrap();
    for byte in 0..meta.bytes as usize {
        let bit = byte * 8 + byte % 8;
        simulated.flip_bit(Path::new(PATH), bit);
        if let Ok(block) = open(&*disk) {
            assert_ne!(problems(&block), Vec::<String>::new(), "bit {bit}");
            if scanned(&block).is_ok() {
                assert_same(&block, &content);
            }
            if let Ok(selected) = block.select(&matchers) {
                assert_eq!(selected, expected);
            }
        }
        simulated.flip_bit(Path::new(PATH), bit);
    }
}

#[test]
fn a_broken_page_costs_what_is_in_it_and_nothing_else() {
    let (simulated, disk) = disk();
    let mut content = Content::new();
    for number in 0..600u64 {
        let labels = Labels::from_pairs([("host", format!("{number:04}"))]).unwrap();
        let noise = |step: u64| (number * 1000 + step).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let plain = Plain {
            timestamps: (0..100).collect(),
            bits: (0..100).map(noise).collect(),
            attachments: Vec::new(),
        };
        content.insert(labels, plain);
    }
    write(&disk, &content);
    let block = open(&*disk).unwrap();
    let pages = &block.table(Section::Data).locations;
    assert!(pages.len() >= 4, "{} pages", pages.len());
    let broken = pages[1];
    simulated.flip_bit(Path::new(PATH), (broken.offset as usize + 100) * 8);

    let block = open(&*disk).unwrap();
    let mut lost = 0;
    for (ordinal, plain) in content.values().enumerate() {
        let mut columns = SampleColumns::default();
        let read = block.read(ordinal as u32, i64::MIN, i64::MAX, &mut columns);
        match read {
            Ok(()) => assert_eq!(bits(&columns.values), plain.bits),
            Err(error) => {
                lost += 1;
                assert!(columns.is_empty());
                let text = error.to_string();
                let expected = format!("{PATH}: data, page 1, at byte {}: damaged", broken.offset);
                assert!(text.starts_with(&expected), "{text}");
            }
        }
    }
    assert!((1..content.len() / 2).contains(&lost), "{lost} series");

    let mut scan = block.scan();
    let (mut whole, mut empty, mut errors) = (0, 0, 0);
    loop {
        match scan.next() {
            Ok(Some(series)) if series.timestamps.is_empty() => empty += 1,
            Ok(Some(_)) => whole += 1,
            Ok(None) => break,
            Err(_) => errors += 1,
        }
    }
    assert_eq!((whole, empty, errors), (content.len() - lost, lost, lost));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let (_, disk) = disk();
    let writer = begin(&disk);
    assert_eq!(disk.list(Path::new("/blocks")).unwrap(), ["1.block.tmp"]);
    drop(writer);
    assert_eq!(
        disk.list(Path::new("/blocks")).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn what_a_dead_process_left_is_written_anew() {
    let (_, disk) = disk();
    std::mem::forget(begin(&disk));
    write(&disk, &small());
    assert_same(&open(&*disk).unwrap(), &small());
    assert_eq!(disk.list(Path::new("/blocks")).unwrap(), ["1.block"]);
}

#[test]
fn series_out_of_order_and_unequal_columns_are_refused() {
    let (_, disk) = disk();
    let labels = |value| Labels::from_pairs([("a", value)]).unwrap();
    let unequal = SeriesData {
        timestamps: &[1, 2],
        values: &[1.0],
        attachments: &[],
    };
    let falling = SeriesData {
        timestamps: &[2, 2],
        values: &[1.0, 2.0],
        attachments: &[],
    };
    for (value, data) in [("a", SeriesData::default()), ("c", unequal), ("c", falling)] {
        let mut writer = begin(&disk);
        add(&mut writer, &labels("b"), &Plain::default());
        let refused = writer.series(labels(value).as_packed(), &data).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        assert!(writer.finish().is_err());
    }
    assert!(open(&*disk).is_err());
}

#[test]
fn a_process_that_dies_while_writing_leaves_a_whole_block_or_none() {
    let mut whole = 0;
    for others in 0.. {
        let (simulated, disk) = disk();
        disk.create_directory(Path::new("/blocks")).unwrap();
        simulated.die_after(others);
        let written = BlockWriter::create(&disk, Path::new(PATH), header(), Effort::Fast).and_then(
            |mut writer| {
                for (labels, plain) in small() {
                    let values: Vec<f64> = plain.bits.iter().copied().map(f64::from_bits).collect();
                    let data = SeriesData {
                        timestamps: &plain.timestamps,
                        values: &values,
                        attachments: &[],
                    };
                    writer.series(labels.as_packed(), &data)?;
                }
                writer.finish()
            },
        );
        simulated.lose_power();
        if let Ok(block) = open(&*disk) {
            assert_eq!(problems(&block), Vec::<String>::new());
            whole += 1;
        } else {
            assert!(written.is_err(), "what was finished is there");
        }
        if written.is_ok() {
            break;
        }
    }
    assert!(whole > 0);
}

#[test]
fn series_that_share_timestamps_share_columns() {
    let (_, disk) = disk();
    let mut content = Content::new();
    for number in 0..300 {
        let labels = Labels::from_pairs([("host", format!("{number:04}"))]).unwrap();
        // Some began late, some missed one.
        let mut timestamps: Vec<i64> = (0..1440).map(|step| step * 15_000 + step % 7).collect();
        if number % 3 == 1 {
            timestamps.drain(..number as usize);
        } else if number % 3 == 2 {
            timestamps.remove(3 * number as usize);
        }
        let bits = vec![0; timestamps.len()];
        content.insert(
            labels,
            Plain {
                timestamps,
                bits,
                attachments: Vec::new(),
            },
        );
    }
    write(&disk, &content);
    let block = open(&*disk).unwrap();
    assert_same(&block, &content);
    let columns = block.table(Section::Columns);
    let bytes: u32 = columns
        .locations
        .iter()
        .map(|location| location.length)
        .sum();
    assert!(
        bytes < 20_000,
        "{bytes} bytes for {} columns",
        columns.items
    );
}

/// The block once more, with the bytes of one page changed and all checksums right.
fn rewrite(disk: &Arc<dyn Disk>, section: usize, page: usize, change: impl FnOnce(&mut Vec<u8>)) {
    let block = open(&**disk).unwrap();
    let path = Path::new("/blocks/changed.block");
    let _ = disk.remove(path);
    let mut sink = file::PageSink::new(disk.open_append(path).unwrap());
    sink.bytes(&footer::encode_header(&header())).unwrap();
    let mut tables: [PageTable; SECTIONS] = Default::default();
    let mut change = Some(change);
    for of in Section::ALL {
        let old = block.table(of);
        let table = &mut tables[of as usize];
        table.firsts.clone_from(&old.firsts);
        table.items = old.items;
        let changed = page % old.locations.len().max(1);
        for (number, location) in old.locations.iter().enumerate() {
            let mut raw = block.file.load(of, Some(number), *location).unwrap();
            if of as usize == section && number == changed {
                change.take().unwrap()(&mut raw);
            }
            table.locations.push(sink.page(of, &raw).unwrap());
        }
    }
    Footer::write(&mut sink, &block.meta, &tables, &block.value_keys).unwrap();
    sink.sync().unwrap();
    drop(sink);
    disk.rename(path, Path::new(PATH)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn pages_that_make_no_sense_are_read_without_panic(
        section in 0..SECTIONS,
        page: usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (_, disk) = disk();
        write(&disk, &small());
        rewrite(&disk, section, page, |raw| {
            for (at, byte) in &changes {
                if !raw.is_empty() {
                    let at = at.index(raw.len());
                    raw[at] = *byte;
                }
            }
            if let Some(cut) = cut {
                raw.truncate(cut.index(raw.len() + 1));
            }
        });
        let block = open(&*disk).unwrap();
        problems(&block);
        let mut scan = block.scan();
        let mut calls = 0;
        while !matches!(scan.next(), Ok(None)) {
            calls += 1;
            prop_assert!(calls < 1000);
        }
        let mut columns = SampleColumns::default();
        for ordinal in 0..42 {
            let _ = block.read(ordinal, 20_000, 4_000_000, &mut columns);
            let _ = block.attachments(ordinal, 1, 0, 100, &mut |_| {});
            let _ = block.reader().chunks(ordinal, 0, i64::MAX, &mut |_| {});
        }
        prop_assert_eq!(columns.timestamps.len(), columns.values.len());
        let _ = block.label_names();
        let _ = values_of(&block, "pod");
        for expression in ["pod-1.*", ".*1.*", ""] {
            let selected = block.select(&[Matcher::new(MatchKind::Regex, "pod", expression).unwrap()]);
            if let Ok(selected) = selected {
                prop_assert!(selected.max().is_none_or(|ordinal| ordinal < 40));
                let _ = block.labels(&selected, &mut |_, packed| _ = packed_pairs(packed).count());
            }
        }
    }
}
