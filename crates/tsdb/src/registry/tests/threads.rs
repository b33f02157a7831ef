//! Readers select while a writer creates and evicts, and another thread reclaims.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

#[test]
fn what_readers_find_is_what_they_asked_for_while_series_come_and_go() {
    let index = SeriesIndex::default();
    let is_done = AtomicBool::new(false);
    let checked = AtomicU64::new(0);
    thread::scope(|scope| {
        for reader in 0..3u8 {
            let (index, is_done, checked) = (&index, &is_done, &checked);
            scope.spawn(move || {
                let mut round = reader;
                while !is_done.load(Ordering::Acquire) {
                    round = round.wrapping_add(1);
                    checked.fetch_add(check(index, round), Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                index.reclaim();
                thread::yield_now();
            }
        });
        write(&index, || checked.load(Ordering::Relaxed) > 20_000);
        is_done.store(true, Ordering::Release);
    });
    index.reclaim();
    assert_eq!(index.len(), index.all().len() as usize);
}

/// Series of which the last thousands are there, until readers have seen enough.
fn write(index: &SeriesIndex, is_enough: impl Fn() -> bool) {
    let mut identity = Identity::default();
    let mut there = std::collections::VecDeque::new();
    let mut number = 0u32;
    while number < 20_000 || !is_enough() {
        number += 1;
        let labels = Labels::from_pairs([
            (NAME, format!("metric_{}", number % 5)),
            ("group", format!("{}", number / 50)),
            ("number", format!("{number}")),
        ]);
        let labels = labels.unwrap();
        let key = labels.as_packed().as_bytes();
        let created = identity
            .create(index, &KeyEncoding::PACKED, key, NOW, None)
            .unwrap();
        assert!(created.is_new);
        there.push_back(created.id);
        if there.len() == 3_000 {
            let gone: Vec<u32> = there.drain(..500).collect();
            identity.evict(index, &gone);
        }
    }
}

/// How many series were found and looked at.
fn check(index: &SeriesIndex, round: u8) -> u64 {
    let metric = format!("metric_{}", round % 5);
    let second = match round % 3 {
        0 => Matcher::new(MatchKind::Regex, "number", ".*[13579]"),
        1 => Matcher::new(MatchKind::NotRegex, "group", "1.*"),
        _ => Matcher::new(MatchKind::NotEqual, "group", "7"),
    };
    let second = second.unwrap();
    let pin = index.pin();
    let selected = index.select(&[Matcher::equal(NAME, &metric), second.clone()]);
    let mut sorted: Vec<u32> = selected.iter().collect();
    index.sort(&mut sorted);
    let mut previous: Option<Labels> = None;
    for id in &sorted {
        let labels = index.labels(*id);
        assert_eq!(labels.metric_name(), metric);
        assert!(second.matches_labels(&labels), "{labels}");
        assert!(previous.is_none_or(|previous| previous < labels));
        previous = Some(labels);
    }
    for name in index.label_names(Some(&selected)) {
        assert!([NAME, "group", "number"].contains(&&*name));
    }
    drop(pin);
    sorted.len() as u64
}
