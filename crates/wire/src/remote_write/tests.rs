//! Messages are written by hand here, so that encoder and decoder cannot be wrong together.

use model::{InvalidLabels, Labels, MetricKind, Sample, Timestamp};
use proptest::prelude::*;

use super::*;

mod others;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

fn sample(millis: i64, value: f64) -> Sample {
    Sample {
        timestamp: Timestamp::from_millis(millis),
        value,
    }
}

/// A field of length-delimited content, written without the encoder under test.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128);
    let mut out = vec![number << 3 | 2, content.len() as u8];
    out.extend_from_slice(content);
    out
}

fn label_field(name: &str, value: &str) -> Vec<u8> {
    field(
        1,
        &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat(),
    )
}

fn up() -> Vec<u8> {
    label_field("__name__", "up")
}

/// A sample with timestamp 5 and value 1.
fn one_at_five() -> Vec<u8> {
    let mut content = vec![0x09];
    content.extend_from_slice(&1f64.to_le_bytes());
    content.extend_from_slice(&[0x10, 5]);
    field(2, &content)
}

fn reason(message: &[u8]) -> String {
    decode(message).unwrap_err().to_string()
}

fn key_reason(key: &[u8]) -> String {
    (KEYS.decode)(key).unwrap_err().to_string()
}

#[test]
fn a_request_is_read_without_copying_labels() {
    let key = [up(), label_field("job", "node")].concat();
    let message = field(1, &[key.clone(), one_at_five(), one_at_five()].concat());
    let request = decode(&message).unwrap();
    assert_eq!(request.batch.rows.len(), 2);
    for row in &request.batch.rows {
        assert_eq!(row.key, key);
        assert!(message.as_ptr_range().contains(&row.key.as_ptr()));
        assert_eq!((row.timestamp.as_millis(), row.value), (5, 1.0));
    }
    let decoded = (request.batch.encoding.decode)(request.batch.rows[0].key).unwrap();
    assert_eq!(decoded, labels(&[("__name__", "up"), ("job", "node")]));
}

#[test]
fn fields_that_are_zero_may_be_absent() {
    let message = field(1, &[up(), field(2, &[]), field(2, &[0x10, 7])].concat());
    let rows = decode(&message).unwrap().batch.rows;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.timestamp.as_millis(), row.value.to_bits()))
        .collect();
    assert_eq!(seen, [(0, 0), (7, 0)]);
}

#[test]
fn the_encoder_leaves_zeros_out_but_not_minus_zero() {
    let series = labels(&[("__name__", "up")]);
    let message = encode([(&series, &[sample(0, 0.0), sample(1, -0.0)][..])]);
    let expected = [
        up(),
        field(2, &[]),
        field(2, &[0x09, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x10, 1]),
    ];
    assert_eq!(message, field(1, &expected.concat()));
}

#[test]
fn samples_before_labels_get_their_key() {
    let message = field(1, &[one_at_five(), up(), one_at_five()].concat());
    let rows = decode(&message).unwrap().batch.rows;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.key == up()));
}

#[test]
fn unknown_fields_are_passed_over_and_the_rest_is_counted() {
    let unknown = [
        0x78, 1, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4, 0x7a, 1, 9,
    ];
    let inner = [
        up(),
        unknown.to_vec(),
        field(3, &[1]),
        field(4, &[]),
        field(4, &[]),
    ];
    let message = [unknown.to_vec(), field(1, &inner.concat())].concat();
    let request = decode(&message).unwrap();
    assert!(request.batch.rows.is_empty());
    // The exemplar is no message; an empty histogram is one of nothing.
    assert_eq!(request.refused_exemplars.count, 1);
    assert_eq!(request.batch.histograms.len(), 2);
}

#[test]
fn what_only_looks_like_a_series_or_sample_is_none() {
    let sample_like = field(3, &one_at_five()[2..]);
    let message = [
        field(2, &[up(), one_at_five()].concat()),
        field(1, &[up(), sample_like].concat()),
    ];
    let message = message.concat();
    let request = decode(&message).unwrap();
    assert!(request.batch.rows.is_empty());
    assert_eq!(request.batch.exemplars.len(), 1);
}

#[test]
fn metadata_is_read_and_nameless_metadata_left_out() {
    let described = [
        vec![0x08, 4],
        field(2, b"size"),
        field(4, b"Size."),
        field(5, b"bytes"),
    ];
    let message = [
        field(3, &described.concat()),
        field(3, &field(4, b"of nothing")),
        field(3, &[vec![0x08, 99], field(2, b"later")].concat()),
    ];
    let metadata = decode(&message.concat()).unwrap().metadata;
    let expected = Metadata {
        kind: MetricKind::GaugeHistogram,
        help: "Size.".to_owned(),
        unit: "bytes".to_owned(),
    };
    let names: Vec<_> = metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["size", "later"]);
    assert_eq!(metadata[0].1, expected);
    assert_eq!(metadata[1].1.kind, MetricKind::Unknown);
}

#[test]
fn broken_messages_are_refused_with_the_byte() {
    let apart = field(1, &[up(), one_at_five(), up()].concat());
    for (message, expected) in [
        (vec![0x0a], "byte 1: the message ends inside a number"),
        (vec![0x0a, 5, 0], "byte 1: a length reaches beyond the end"),
        (vec![0x80], "byte 0: the message ends inside a number"),
        (
            [0x80; 11].to_vec(),
            "byte 0: a number is longer than 64 bits",
        ),
        (
            [&[0x80; 9][..], &[2]].concat(),
            "byte 0: a number is longer than 64 bits",
        ),
        (vec![0x00, 0], "byte 0: a field's number is out of range"),
        (vec![0x0b], "byte 1: groups and unknown wire types"),
        (vec![0x7e], "byte 1: groups and unknown wire types"),
        (
            vec![0x79, 0],
            "byte 1: the message ends inside a number of 8 bytes",
        ),
        (
            vec![0x7d, 0],
            "byte 1: the message ends inside a number of 4 bytes",
        ),
        (
            field(1, &field(2, &[0x09, 0])),
            "byte 5: the message ends inside a number of 8",
        ),
        (
            field(1, &[0x08, 1]),
            "byte 2: a label or sample has the wrong wire type",
        ),
        (field(3, &field(2, &[0xff])), "byte 3: a text is not UTF-8"),
        (
            apart,
            "byte 31: the labels of a series do not stand together",
        ),
    ] {
        let reason = reason(&message);
        assert!(reason.contains(expected), "{reason} / {expected}");
    }
    // The inner length is right for the inner message but reaches beyond the outer one.
    let overlapping = [vec![0x0a, 3, 0x0a, 4], vec![0; 8]].concat();
    assert!(reason(&overlapping).contains("byte 3: a length reaches"));
}

#[test]
fn keys_are_checked_when_they_are_decoded() {
    let unsorted = [label_field("job", "a"), up(), label_field("empty", "")].concat();
    assert_eq!(
        (KEYS.decode)(&unsorted),
        Ok(labels(&[("__name__", "up"), ("job", "a")]))
    );
    let twice = [up(), label_field("a", "1"), label_field("a", "1")].concat();
    assert_eq!(
        (KEYS.decode)(&twice),
        Err(InvalidLabels::Duplicate("a".to_owned()))
    );
    let not_utf8 = field(1, &[field(1, b"a"), field(2, &[0xff])].concat());
    for (key, expected) in [
        (not_utf8, "the value of label \"a\" is not UTF-8"),
        (field(1, &field(1, &[0xff])), "a label name is not UTF-8"),
        (
            label_field("", "x"),
            "the label with value \"x\" has no name",
        ),
        (label_field("job", "x"), "has no label __name__"),
        (vec![], "has no label __name__"),
        (field(2, &[]), "a label is expected"),
        (up().repeat(1001), "more than 1000 labels"),
    ] {
        let reason = key_reason(&key);
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_declared_size_beyond_the_limit_is_refused_before_it_is_allocated() {
    // The header declares 4 GiB - 1; nothing follows.
    let error = decompress(&[0xff, 0xff, 0xff, 0xff, 0x0f], 1 << 20).unwrap_err();
    assert_eq!(
        error,
        DecodeError::TooLarge {
            what: "decompressed bytes:",
            size: 0xffff_ffff,
            limit: 1 << 20
        }
    );
    let body = compress(&[7; 1000]);
    assert_eq!(decompress(&body, 1000), Ok(vec![7; 1000]));
    assert!(decompress(&body, 999).is_err());
    assert!(matches!(decompress(b"", 10), Err(DecodeError::Snappy(_))));
    assert!(matches!(
        decompress(&body[..body.len() - 1], 1000),
        Err(DecodeError::Snappy(_))
    ));
}

#[test]
fn too_many_samples_are_refused() {
    let series = [up(), [0x12, 0].repeat(1_000_001)].concat();
    let mut message = vec![0x0a];
    let mut length = series.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend(series);
    assert!(reason(&message).contains("at most 1000000 are allowed"));
    let message = field(1, &field(2, &[0x10, 0])).repeat(1_000_001);
    assert!(super::usual::series(&message, 0).is_some());
    assert!(reason(&message).contains("at most 1000000 are allowed"));
}

fn any_series() -> impl Strategy<Value = Vec<(Labels, Vec<Sample>)>> {
    let values = prop_oneof![
        any::<f64>(),
        Just(0.0),
        Just(-0.0),
        Just(model::stale_marker())
    ];
    let samples = prop::collection::vec((prop_oneof![any::<i64>(), Just(0)], values), 0..4);
    let pairs = prop::collection::btree_map("[a-z]{1,9}", "\\PC{1,200}", 0..8);
    prop::collection::vec((pairs, samples), 0..8).prop_map(|series| {
        let built = series.into_iter().map(|(mut pairs, samples)| {
            pairs.insert("__name__".to_owned(), "metric".to_owned());
            let samples = samples
                .into_iter()
                .map(|(millis, value)| sample(millis, value));
            (Labels::from_pairs(pairs).unwrap(), samples.collect())
        });
        built.collect()
    })
}

/// A sample as it is usually written, or almost.
fn any_sample_field() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        3 => any::<[u8; 8]>().prop_map(|bytes| [&[0x09], &bytes[..]].concat()),
        1 => Just(vec![]),
        1 => Just(vec![0x09, 1, 2, 3]),
    ];
    let high = prop_oneof![9 => 0x80..=0xff_u8, 1 => any::<u8>()];
    let timestamp = (prop::collection::vec(high, 0..11), any::<u8>())
        .prop_map(|(high, last)| [&[0x10], &high[..], &[last & 0x7f]].concat());
    let timestamp = prop_oneof![9 => timestamp, 1 => Just(vec![])];
    (value, timestamp).prop_map(|(value, timestamp)| field(2, &[value, timestamp].concat()))
}

fn encoded(series: &[(Labels, Vec<Sample>)]) -> Vec<u8> {
    encode(
        series
            .iter()
            .map(|(labels, samples)| (labels, &samples[..])),
    )
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(series in any_series(), help in "\\PC{0,20}", kind in 0..8_usize) {
        let metadata = Metadata { kind: super::encode::KINDS[kind], help, unit: String::new() };
        let descriptions = [("metric".to_owned(), metadata)];
        let mut message = encoded(&series);
        message.extend(encode_metadata(&descriptions));
        let received = decompress(&compress(&message), message.len()).unwrap();
        prop_assert_eq!(&received, &message);
        let request = decode(&received).unwrap();
        prop_assert_eq!(&request.metadata[..], &descriptions[..]);
        let read: Vec<_> = request.batch.rows.iter().map(|row| {
            ((KEYS.decode)(row.key).unwrap(), row.timestamp, row.value.to_bits())
        }).collect();
        let expected: Vec<_> = series.iter().flat_map(|(labels, samples)| {
            samples.iter().map(move |sample| (labels.clone(), sample.timestamp, sample.value.to_bits()))
        }).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn the_fast_lane_and_the_general_walk_say_the_same(
        labels in prop::collection::vec(prop::sample::select(vec![up(), label_field("a", "b"), field(1, &[])]), 0..4),
        samples in prop::collection::vec(any_sample_field(), 1..3),
        rest in prop::option::of(prop::sample::select(vec![field(3, &[]), up(), vec![0x78, 1]])),
    ) {
        let content = [labels.concat(), samples.concat(), rest.unwrap_or_default()].concat();
        let any_lane = field(1, &content);
        // An unknown field at its end keeps a series out of the fast lane.
        let general = field(1, &[content, vec![0x78, 1]].concat());
        prop_assert!(super::usual::series(&general, 0).is_none());
        let rows = |message: &[u8]| -> Result<Vec<_>, bool> {
            let request = decode(message).map_err(|error| matches!(error, DecodeError::Protobuf { .. }))?;
            let row = |row: &model::Row<'_>| (row.key.to_vec(), row.timestamp, row.value.to_bits());
            Ok(request.batch.rows.iter().map(row).collect())
        };
        prop_assert_eq!(rows(&any_lane), rows(&general));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = decode(&bytes) {
            for row in request.batch.rows {
                let _ = (KEYS.decode)(row.key);
            }
        }
        let _ = (KEYS.decode)(&bytes);
        let _ = decompress(&bytes, 1 << 20);
    }

    #[test]
    fn damaged_messages_are_decoded_or_refused(
        series in any_series(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut message = encoded(&series);
        if !message.is_empty() {
            for (index, byte) in damage {
                let at = index.index(message.len());
                message[at] = byte;
            }
            if let Ok(request) = decode(&message) {
                prop_assert!(request.batch.rows.len() <= message.len() / 2);
                for row in request.batch.rows {
                    let _ = (KEYS.decode)(row.key);
                }
            }
        }
    }
}

/// The labels that a key gives one by one, if it gives all.
fn taken(mut key: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let labels = std::iter::from_fn(|| (KEYS.next)(&mut key)).collect();
    key.is_empty().then_some(labels)
}

#[test]
fn labels_written_as_usual_can_be_taken_one_by_one() {
    let value = "x".repeat(300);
    let labels = labels(&[("__name__", "up"), ("job", &value), ("pod", "a")]);
    let message = encode([(&labels, &[sample(5, 1.0)][..])]);
    let request = decode(&message).unwrap();
    let found = taken(request.batch.rows[0].key).unwrap();
    let expected = labels
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn labels_written_in_any_other_way_are_left_to_the_decoder() {
    let odd = [
        label_field("job", ""),
        field(1, &field(1, b"job")),
        field(1, &[field(2, b"node"), field(1, b"job")].concat()),
        field(
            1,
            &[field(1, b"job"), field(2, b"node"), field(3, b"more")].concat(),
        ),
        // A length in more bytes than it needs.
        vec![0x0a, 0x86, 0x00, 0x0a, 0x01, b'a', 0x12, 0x01, b'b'],
    ];
    for odd in odd {
        assert_eq!(taken(&[up(), odd.clone()].concat()), None, "{odd:?}");
    }
}

proptest! {
    #[test]
    fn what_is_taken_one_by_one_is_what_is_decoded(
        parts in prop::collection::vec((any::<u8>(), "[a-c]{0,2}", "[x-z]{0,2}"), 0..5),
        cut in 0usize..60,
    ) {
        let field = |(odd, name, value): &(u8, String, String)| match odd % 8 {
            0 => field(1, &[field(2, value.as_bytes()), field(1, name.as_bytes())].concat()),
            1 => vec![*odd, 3],
            _ => label_field(name, value),
        };
        let mut key: Vec<u8> = parts.iter().flat_map(field).collect();
        key.truncate(cut);
        let key = [up(), key].concat();
        if let (Some(found), Ok(decoded)) = (taken(&key), (KEYS.decode)(&key)) {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let mut found: Vec<_> = found.iter().map(|(n, v)| (text(n), text(v))).collect();
            found.sort();
            let decoded: Vec<_> =
                decoded.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(found, decoded);
        }
    }
}
