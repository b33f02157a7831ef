//! Keys in the order of senders, in no order, and again in order.

use super::*;

const COUNT: u32 = 3_000;

fn keys() -> Vec<Vec<u8>> {
    let key = |number: u32| {
        let labels = Labels::from_pairs([(NAME, "m"), ("number", &number.to_string())]).unwrap();
        labels.as_packed().as_bytes().to_vec()
    };
    (0..COUNT).map(key).collect()
}

fn resolve(index: &SeriesIndex, identity: &mut Identity, keys: &[&Vec<u8>]) -> Vec<u32> {
    let row = |key| Row {
        key,
        timestamp: NOW,
        value: 0.0,
    };
    let rows: Vec<Row<'_>> = keys.iter().map(|key| row(key.as_slice())).collect();
    let mut ids = Vec::new();
    identity.resolve(index, &KeyEncoding::PACKED, &rows, &mut ids);
    ids
}

fn learned() -> (SeriesIndex, Identity, Vec<Vec<u8>>) {
    let (index, mut identity, keys) = (SeriesIndex::default(), Identity::default(), keys());
    for key in &keys {
        let created = identity.create(&index, &KeyEncoding::PACKED, key, NOW, None);
        assert!(created.unwrap().is_new);
    }
    (index, identity, keys)
}

#[test]
fn without_order_it_is_not_tried_and_with_order_it_is_again() {
    let (index, mut identity, keys) = learned();
    let in_order: Vec<&Vec<u8>> = keys.iter().collect();
    let expected: Vec<u32> = (0..COUNT).collect();
    assert_eq!(resolve(&index, &mut identity, &in_order), expected);
    assert_eq!(identity.foreseen(), u64::from(COUNT) - 1);
    let mut state = 7u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for _ in 0..10 {
        let order: Vec<u32> = (0..COUNT).map(|_| random() % COUNT).collect();
        let mixed: Vec<&Vec<u8>> = order.iter().map(|number| &keys[*number as usize]).collect();
        assert_eq!(resolve(&index, &mut identity, &mixed), order);
    }
    let before = identity.foreseen();
    for _ in 0..10 {
        assert_eq!(resolve(&index, &mut identity, &in_order), expected);
    }
    assert!(identity.foreseen() - before > u64::from(COUNT) * 3);
}

#[test]
fn a_number_that_is_used_again_is_not_taken_for_the_series_before() {
    let (index, mut identity, keys) = learned();
    identity.evict(&index, &(0..COUNT / 2).collect::<Vec<u32>>());
    assert_eq!(index.reclaim(), COUNT as usize / 2);
    for number in 0..COUNT / 2 {
        let labels = Labels::from_pairs([(NAME, "other"), ("number", &number.to_string())]);
        let created = index.create(&labels.unwrap(), NOW, None).unwrap();
        assert!(created.is_new && created.id < COUNT / 2);
    }
    let ids = resolve(&index, &mut identity, &keys.iter().collect::<Vec<_>>());
    let expected = |number| if number < COUNT / 2 { UNKNOWN } else { number };
    assert_eq!(ids, (0..COUNT).map(expected).collect::<Vec<_>>());
}
