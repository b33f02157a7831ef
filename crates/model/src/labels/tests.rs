//! Labels against a naive model of them: a sorted map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

#[test]
fn pairs_are_sorted_and_empty_values_are_absent() {
    let labels = labels(&[("b", "2"), ("a", "1"), ("c", "")]);
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    assert_eq!(labels.get("c"), None);
}

#[test]
fn a_name_given_twice_is_refused() {
    let error = Labels::from_pairs([("a", "1"), ("a", "2")]).unwrap_err();
    assert_eq!(error.to_string(), "label \"a\" is given twice");
}

#[test]
fn a_value_that_is_too_long_is_refused() {
    let error = Labels::from_pairs([("a", "x".repeat(LENGTH_MAX + 1))]).unwrap_err();
    assert!(matches!(
        error,
        InvalidLabels::TooLong {
            length: 1_000_001,
            ..
        }
    ));
}

#[test]
fn lengths_around_the_surrogates_survive() {
    for length in [0xD7FF, 0xD800, 0xDFFF, 0xE000, LENGTH_MAX] {
        let value = "x".repeat(length);
        assert_eq!(labels(&[("a", &value)]).get("a"), Some(value.as_str()));
    }
}

#[test]
fn a_series_is_shown_as_promql_writes_it() {
    let shown = |pairs: &[(&str, &str)]| labels(pairs).to_string();
    assert_eq!(shown(&[]), "{}");
    assert_eq!(shown(&[(NAME, "up")]), "up");
    assert_eq!(
        shown(&[(NAME, "up"), ("job", "a\"b\\")]),
        r#"up{job="a\"b\\"}"#
    );
    assert_eq!(
        shown(&[(NAME, "my.metric"), ("k.v", "ü\n")]),
        r#"{"my.metric","k.v"="ü\n"}"#
    );
}

#[test]
fn order_is_by_the_first_label_that_differs() {
    let mut sorted = [
        labels(&[("a", "2")]),
        labels(&[("a", "1"), ("b", "1")]),
        labels(&[("a", "1")]),
        labels(&[("b", "0")]),
        labels(&[]),
    ];
    sorted.sort();
    let shown: Vec<String> = sorted.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "{}",
            "{a=\"1\"}",
            "{a=\"1\",b=\"1\"}",
            "{a=\"2\"}",
            "{b=\"0\"}"
        ]
    );
}

type Pair<'a> = (&'a [u8], &'a [u8]);

/// What [`crate::KeyEncoding::next`] gives, and what it leaves.
fn taken(mut key: &[u8]) -> (Vec<Pair<'_>>, &[u8]) {
    let labels = std::iter::from_fn(|| next_packed_label(&mut key)).collect();
    (labels, key)
}

#[test]
fn labels_of_all_lengths_can_be_taken_one_by_one() {
    for length in [
        1, 127, 128, 2047, 2048, 55_295, 55_296, 65_535, 65_536, 300_000,
    ] {
        let value = "x".repeat(length);
        let labels = labels(&[("a", &value), ("b", "2")]);
        let expected: [(&[u8], &[u8]); 2] = [(b"a", value.as_bytes()), (b"b", b"2")];
        let (found, rest) = taken(labels.as_packed().as_bytes());
        assert!(found == expected && rest.is_empty(), "{length}");
    }
}

#[test]
fn a_key_that_is_cut_or_has_an_empty_value_is_not_taken_to_its_end() {
    let packed = labels(&[("a", "1"), ("b", "2")]);
    let packed = packed.as_packed().as_bytes();
    for length in [1, 2, 3, 5, 6, 7] {
        assert!(!taken(&packed[..length]).1.is_empty());
    }
    assert_eq!(taken(b"\x01a\x00").1, b"\x01a\x00");
}

proptest! {
    #[test]
    fn taking_labels_off_any_bytes_ends(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let (found, rest) = taken(&bytes);
        prop_assert!(found.len() * 3 + rest.len() <= bytes.len());
    }

    #[test]
    fn labels_behave_as_a_sorted_map(map in prop::collection::btree_map(".{0,8}", ".{0,300}", 0..8)) {
        let labels = Labels::from_pairs(&map).unwrap();
        let expected: BTreeMap<_, _> = map.iter().filter(|(_, value)| !value.is_empty()).collect();
        prop_assert!(labels.iter().eq(expected.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
        prop_assert_eq!(Labels::from_packed(labels.as_packed().as_bytes()).unwrap(), labels.clone());
        for (name, value) in &expected {
            prop_assert_eq!(labels.get(name), Some(value.as_str()));
        }
    }

    #[test]
    fn any_bytes_unpack_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(labels) = Labels::from_packed(&bytes) {
            prop_assert_eq!(labels.as_packed().as_bytes(), &bytes[..]);
            prop_assert_eq!(Labels::from_pairs(labels.iter()).unwrap(), labels);
        }
    }
}
