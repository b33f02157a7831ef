//! Index and identity against a naive model, under threads, and their limits.

use std::collections::{BTreeMap, BTreeSet};

use model::{InvalidLabels, KeyEncoding, Labels, MatchKind, Matcher, NAME, Row, Timestamp};
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::pins::Pin;
use super::{Identity, Limits, SeriesIndex, UNKNOWN};

mod bounds;
mod orders;
mod threads;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Packed labels in any order.
const UNORDERED: KeyEncoding = KeyEncoding {
    id: 7,
    decode: decode_unordered,
    next: KeyEncoding::PACKED.next,
};

const OPAQUE: KeyEncoding = KeyEncoding::opaque(8, Labels::from_packed);

fn decode_unordered(key: &[u8]) -> Result<Labels, InvalidLabels> {
    let mut rest = key;
    let mut pairs = Vec::new();
    while let Some((name, value)) = (KeyEncoding::PACKED.next)(&mut rest) {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        pairs.push((text(name), text(value)));
    }
    Labels::from_pairs(pairs)
}

/// The labels of the series with a number: few labels, few values, some labels absent, one unique.
fn labels(number: u16) -> Labels {
    let digit = |place: u32| number / 4u16.pow(place) % 4;
    let some = |name: &str, value: u16, text: String| match value {
        0 => (name.to_owned(), String::new()),
        _ => (name.to_owned(), text),
    };
    Labels::from_pairs([
        (NAME.to_owned(), format!("metric_{}", digit(0))),
        some("a", digit(1), format!("v{}", digit(1))),
        some("b", digit(2), "long value ".repeat(digit(2).into())),
        some("c", digit(3), format!("v{}", digit(1))),
        some("unique", digit(0).max(1), format!("{}", number / 4)),
    ])
    .unwrap()
}

fn key(number: u16, encoding: u8) -> (KeyEncoding, Vec<u8>) {
    let labels = labels(number);
    let packed = labels.as_packed().as_bytes().to_vec();
    match encoding % 4 {
        0 => (KeyEncoding::PACKED, packed),
        1 => (OPAQUE, packed),
        2 => (UNORDERED, packed),
        _ => {
            let mut turned = String::new();
            let pairs: Vec<_> = labels.iter().collect();
            for (name, value) in pairs.iter().rev() {
                Labels::pack_next(&mut turned, name, value);
            }
            (UNORDERED, turned.into_bytes())
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Series from a number on, as many, so far apart, in an encoding.
    Resolve(u16, u16, u16, u8),
    /// Every so manieth series, beginning with one of them.
    Evict(u16, u16),
    Pin,
    Unpin,
    Reclaim,
    Select(Vec<(u8, u8, u8)>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u16..1024, 1u16..300, 1u16..700, any::<u8>())
            .prop_map(|(from, count, apart, encoding)| Step::Resolve(from, count, apart, encoding)),
        2 => (1u16..9, 0u16..9).prop_map(|(every, first)| Step::Evict(every, first)),
        1 => Just(Step::Pin),
        1 => Just(Step::Unpin),
        2 => Just(Step::Reclaim),
        4 => prop::collection::vec((0u8..6, 0u8..4, 0u8..10), 0..4).prop_map(Step::Select),
    ]
}

fn matcher((name, kind, value): (u8, u8, u8)) -> Matcher {
    let names = [NAME, "a", "b", "c", "unique", "absent"];
    let kinds = [
        MatchKind::Equal,
        MatchKind::NotEqual,
        MatchKind::Regex,
        MatchKind::NotRegex,
    ];
    let values = [
        "",
        "v1",
        "metric_1",
        "17",
        ".*",
        ".+",
        "v1|v2|",
        "v.|metric_[12]",
        ".*7.*",
        "v1|x",
    ];
    let name = names[usize::from(name)];
    let kind = kinds[usize::from(kind)];
    Matcher::new(kind, name, values[usize::from(value)]).unwrap()
}

#[derive(Default)]
struct Both {
    index: SeriesIndex,
    identity: Identity,
    naive: BTreeMap<Labels, u32>,
    pins: Vec<(Pin, BTreeMap<u32, Labels>)>,
}

impl Both {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Resolve(from, count, apart, encoding) => {
                self.resolve(*from, *count, *apart, *encoding);
            }
            Step::Evict(every, first) => {
                let mut gone = Vec::new();
                let mut at = 0;
                self.naive.retain(|_, id| {
                    at += 1;
                    let keep = at % every != first % every;
                    if !keep {
                        gone.push(*id);
                    }
                    keep
                });
                self.identity.evict(&self.index, &gone);
                // Sometimes only later, or never.
                let mut next = (every % 2 == 0).then_some(0);
                while let Some(part) = next {
                    next = self.identity.sweep(&self.index, part);
                }
            }
            Step::Pin => {
                let known = self.naive.iter().map(|(labels, id)| (*id, labels.clone()));
                self.pins.push((self.index.pin(), known.collect()));
            }
            Step::Unpin => {
                if !self.pins.is_empty() {
                    self.pins.remove(self.pins.len() / 2);
                }
            }
            Step::Reclaim => _ = self.index.reclaim(),
            Step::Select(matchers) => self.select(matchers.iter().copied().map(matcher).collect()),
        }
        assert_eq!(self.index.len(), self.naive.len());
        for (_, known) in &self.pins {
            for (id, labels) in known.iter().step_by(7) {
                assert_eq!(self.index.labels(*id), *labels);
            }
        }
    }

    fn resolve(&mut self, from: u16, count: u16, apart: u16, encoding: u8) {
        let numbers: Vec<u16> = (0..count)
            .map(|n| from.wrapping_add(n.wrapping_mul(apart)) % 1024)
            .collect();
        let keys: Vec<_> = numbers
            .iter()
            .map(|number| key(*number, encoding))
            .collect();
        let row = |key| Row {
            key,
            timestamp: NOW,
            value: 0.0,
        };
        let rows: Vec<Row<'_>> = keys.iter().map(|(_, key)| row(key)).collect();
        let encoding = keys[0].0;
        for round in 0..3 {
            let mut ids = Vec::new();
            self.identity
                .resolve(&self.index, &encoding, &rows, &mut ids);
            assert_eq!(ids.len(), rows.len());
            for ((number, (_, key)), id) in numbers.iter().zip(&keys).zip(ids) {
                let labels = labels(*number);
                if id != UNKNOWN {
                    assert_eq!(self.naive.get(&labels), Some(&id), "{labels}");
                    continue;
                }
                assert_eq!(round, 0, "{labels} is known by now");
                let created = self
                    .identity
                    .create(&self.index, &encoding, key, NOW, None)
                    .unwrap();
                match self.naive.insert(labels, created.id) {
                    Some(before) => assert_eq!((before, false), (created.id, created.is_new)),
                    None => assert!(created.is_new),
                }
            }
        }
    }

    fn select(&self, matchers: Vec<Matcher>) {
        let fits = |labels: &Labels| {
            matchers
                .iter()
                .all(|matcher| matcher.matches_labels(labels))
        };
        let expected: BTreeMap<&Labels, u32> = self
            .naive
            .iter()
            .filter(|(labels, _)| fits(labels))
            .map(|(labels, id)| (labels, *id))
            .collect();
        let selected = self.index.select(&matchers);
        let by_id: RoaringBitmap = expected.values().copied().collect();
        assert_eq!(selected, by_id, "{matchers:?}");
        let mut sorted: Vec<u32> = selected.iter().collect();
        self.index.sort(&mut sorted);
        assert_eq!(sorted, expected.values().copied().collect::<Vec<_>>());
        for (labels, id) in expected.iter().take(3) {
            assert_eq!(
                (self.index.find(labels), self.index.labels(*id)),
                (Some(*id), (*labels).clone())
            );
        }
        let names = |all: &mut dyn Iterator<Item = &Labels>| -> Vec<String> {
            let names: BTreeSet<String> = all
                .flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned()))
                .collect();
            names.into_iter().collect()
        };
        assert_eq!(
            self.index.label_names(Some(&selected)),
            names(&mut expected.keys().copied())
        );
        assert_eq!(self.index.label_names(None), names(&mut self.naive.keys()));
        for name in ["a", "unique", "absent"] {
            let values = |all: &mut dyn Iterator<Item = &Labels>| -> Vec<String> {
                let values: BTreeSet<String> = all
                    .filter_map(|labels| labels.get(name).map(str::to_owned))
                    .collect();
                values.into_iter().take(5).collect()
            };
            assert_eq!(
                self.index.label_values(name, Some(&selected), 5),
                values(&mut expected.keys().copied())
            );
            assert_eq!(
                self.index.label_values(name, None, 5),
                values(&mut self.naive.keys())
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn index_and_identity_agree_with_a_naive_model(steps in prop::collection::vec(step(), 1..40)) {
        let mut both = Both::default();
        for step in &steps {
            both.apply(step);
        }
        both.select(Vec::new());
    }
}

#[test]
fn without_series_nothing_is_left() {
    let mut both = Both::default();
    both.resolve(0, 1024, 1, 0);
    both.apply(&Step::Evict(1, 0));
    assert_eq!(both.index.reclaim(), 1024);
    assert_eq!(both.index.label_names(None), Vec::<String>::new());
    let statistics = both.index.statistics(10);
    assert_eq!((statistics.series, statistics.label_pairs), (0, 0));
}

#[test]
fn statistics_name_the_largest_first() {
    let index = SeriesIndex::default();
    for number in 0..30 {
        let metric = if number < 20 { "many" } else { "few" };
        let labels = Labels::from_pairs([(NAME, metric), ("pod", &number.to_string())]).unwrap();
        index.create(&labels, NOW, None).unwrap();
    }
    let statistics = index.statistics(2);
    let counts = |counts: &[super::Count]| -> Vec<(String, u64)> {
        counts
            .iter()
            .map(|count| (count.name.clone(), count.count))
            .collect()
    };
    assert_eq!((statistics.series, statistics.label_pairs), (30, 32));
    let by_metric = [("many".to_owned(), 20), ("few".to_owned(), 10)];
    assert_eq!(counts(&statistics.series_by_metric_name), by_metric);
    let values = [("pod".to_owned(), 30), (NAME.to_owned(), 2)];
    assert_eq!(counts(&statistics.values_by_label_name), values);
    assert_eq!(statistics.memory_by_label_name[0].name, "pod");
    assert_eq!(statistics.series_by_label_pair[0].name, "__name__=many");
}
