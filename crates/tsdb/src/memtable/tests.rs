//! What is read from a memtable is what was written into it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// One run of samples: the series with numbers from `first` on, at one timestamp.
#[derive(Clone, Debug)]
struct Run {
    first: u32,
    count: u32,
    step: i64,
    bits: u64,
    varies: bool,
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let run = (
        0u32..1100,
        1u32..40,
        0i64..4,
        crate::tests::bits(),
        any::<bool>(),
    );
    let run = run.prop_map(|(first, count, step, bits, varies)| Run {
        first,
        count,
        step,
        bits,
        varies,
    });
    // Most runs are of few targets, over and over.
    let usual = (0u32..3, 1i64..3, crate::tests::bits(), any::<bool>()).prop_map(
        |(target, step, bits, varies)| Run {
            first: 500 * target,
            count: 30,
            step,
            bits,
            varies,
        },
    );
    prop::collection::vec(prop_oneof![3 => usual, 1 => run], 1..300)
}

proptest! {
    #[test]
    fn a_memtable_reads_as_a_map_of_sorted_maps(
        runs in runs(),
        start in 0i64..400,
        length in 0i64..400,
    ) {
        let memtable = Memtable::new(1, Duration::ZERO, &Arc::default());
        let mut model: BTreeMap<u32, BTreeMap<i64, u64>> = BTreeMap::new();
        let mut now = 0;
        for run in &runs {
            now += run.step;
            for (offset, id) in (0u64..).zip(run.first..run.first + run.count) {
                let bits = if run.varies { run.bits.wrapping_add(offset) } else { run.bits };
                let samples = model.entry(id).or_default();
                let mut shard = memtable.shard(id);
                let mut column = u32::MAX;
                match samples.last_key_value().map(|(newest, _)| *newest) {
                    Some(newest) if newest >= now => {
                        // Every other one comes late.
                        let late = now - i64::from(id % 7);
                        prop_assert_eq!(shard.value_at(local(id), late), samples.get(&late).copied());
                        if !samples.contains_key(&late) && late < newest {
                            samples.insert(late, bits);
                            shard.insert_late(local(id), late, bits);
                        }
                    }
                    _ => {
                        samples.insert(now, bits);
                        shard.append(local(id), now, bits, &mut column);
                    }
                }
                memtable.settle(&mut shard);
            }
        }
        prop_assert_eq!(memtable.series(), model.keys().copied().collect::<Vec<_>>());
        let total: usize = model.values().map(BTreeMap::len).sum();
        prop_assert_eq!(memtable.samples(), total as u64);
        let first = model.values().filter_map(|samples| samples.keys().next()).min();
        let last = model.values().filter_map(|samples| samples.keys().next_back()).max();
        prop_assert_eq!(memtable.range(), first.copied().zip(last.copied()));
        let ids: Vec<_> = (0..1200).collect();
        let mut overlapping = Vec::new();
        memtable.overlapping(&ids, start, start + length, &mut |id| overlapping.push(id));
        for id in ids {
            let empty = BTreeMap::new();
            let samples = model.get(&id).unwrap_or(&empty);
            let expected: Vec<_> = samples.range(start..=start + length).map(|(t, v)| (*t, *v)).collect();
            let mut columns = SampleColumns::default();
            memtable.read(id, start, start + length, &mut columns);
            let read: Vec<_> = columns.timestamps.into_iter()
                .zip(columns.values.into_iter().map(f64::to_bits)).collect();
            prop_assert!(expected.is_empty() || overlapping.binary_search(&id).is_ok());
            prop_assert_eq!(read, expected);
        }
    }
}

#[test]
fn values_that_only_repeat_take_no_room() {
    let memory = |value: fn(u64) -> u64| {
        let memtable = Memtable::new(1, Duration::ZERO, &Arc::default());
        for row in 0..1_000i64 {
            let mut column = u32::MAX;
            for id in 0..500 {
                let mut shard = memtable.shard(id);
                shard.append(local(id), row, value(row as u64), &mut column);
                memtable.settle(&mut shard);
            }
        }
        memtable.memory()
    };
    let same = memory(|_| 7);
    assert!(same < 200_000, "{same}");
    let different = memory(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    assert!(different > 500 * 1_000 * 7, "{different}");
}
