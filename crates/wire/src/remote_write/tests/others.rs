//! Native histograms and exemplars.

use model::{
    BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Exemplar, Histogram, Timestamp,
    stale_marker,
};
use proptest::prelude::*;

use super::*;

fn double(number: u8, value: f64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn varint(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// Field 16, whose tag takes two bytes.
fn custom_values(values: &[f64]) -> Vec<u8> {
    let content: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    [&[0x82, 0x01, content.len() as u8][..], &content].concat()
}

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

/// A series with one histogram of these fields.
fn with_histogram(fields: &[Vec<u8>]) -> Vec<u8> {
    field(1, &[up(), field(4, &fields.concat())].concat())
}

fn refused(fields: &[Vec<u8>]) -> String {
    let message = with_histogram(fields);
    let request = decode(&message).unwrap();
    assert!(request.batch.histograms.is_empty());
    assert_eq!(request.refused_histograms.count, 1);
    let (key, reason) = request.refused_histograms.first.unwrap();
    assert_eq!(key, up());
    reason
}

#[test]
fn a_histogram_of_integers_is_read() {
    let message = with_histogram(&[
        varint(1, 15),
        double(3, 18.5),
        varint(4, 6),
        double(5, 0.001),
        varint(6, 2),
        field(8, &[0x10, 1]),
        field(9, &[10]),
        // Zigzag: offset -3, length 2; offset 1, length 1; deltas 1, 2, 1, of which the last is a field of its own.
        field(11, &[0x08, 5, 0x10, 2]),
        field(11, &[0x08, 2, 0x10, 1]),
        field(12, &[2, 4]),
        varint(12, 2),
        varint(14, 2),
        varint(15, 77),
        vec![0xf8, 0x01, 9],
    ]);
    let request = decode(&message).unwrap();
    let row = &request.batch.histograms[0];
    assert_eq!((row.key, row.timestamp.as_millis()), (&up()[..], 77));
    let expected = Histogram {
        schema: 3,
        zero_threshold: 0.001,
        sum: 18.5,
        reset: CounterReset::No,
        positive_spans: vec![span(-3, 2), span(1, 1)],
        negative_spans: vec![span(0, 1)],
        custom_bounds: vec![],
        counts: BucketCounts::Integer(Counts {
            total: 15,
            zero: 2,
            positive: vec![1, 3, 4],
            negative: vec![5],
        }),
    };
    assert_eq!(row.histogram, expected);
}

#[test]
fn a_histogram_of_floats_with_custom_buckets_is_read() {
    let message = with_histogram(&[
        double(2, 1.5),
        double(3, 2.0),
        // -53 in zigzag.
        varint(4, 105),
        field(11, &[0x08, 2, 0x10, 2]),
        double(13, 0.5),
        double(13, 1.0),
        custom_values(&[0.5, 1.0]),
    ]);
    let histogram = decode(&message)
        .unwrap()
        .batch
        .histograms
        .remove(0)
        .histogram;
    assert_eq!(histogram.schema, CUSTOM_BUCKETS);
    assert_eq!(histogram.custom_bounds, [0.5, 1.0]);
    let counts = Counts {
        total: 1.5,
        zero: 0.0,
        positive: vec![0.5, 1.0],
        negative: vec![],
    };
    assert_eq!(histogram.counts, BucketCounts::Float(counts));
}

#[test]
fn broken_histograms_are_refused_alone() {
    let found = [
        refused(&[varint(4, 18)]),
        refused(&[varint(1, 1)]),
        refused(&[field(11, &[0x10, 1]), field(12, &[1])]),
        refused(&[varint(12, 2)]),
        refused(&[double(2, -1.0)]),
        refused(&[vec![0x19, 0]]),
        refused(&[field(12, &[0x80])]),
        refused(&[field(11, &[0x10]), varint(1, 0)]),
        refused(&[custom_values(&[1.0])]),
    ];
    let expected = [
        "schema 9 is unknown: -4 to 8 and -53 are allowed",
        "1 observations, but the buckets hold 0: both must be equal unless the sum is NaN",
        "a bucket's count is below 0 or beyond 64 bits",
        "positive spans cover 0 buckets, but 1 are given",
        "the count of observations -1 is negative",
        "the message is no remote write 1.0 request: byte 21: the message ends inside a number of 8 bytes",
        "the message is no remote write 1.0 request: byte 22: the message ends inside a number",
        "the message is no remote write 1.0 request: byte 23: the message ends inside a number",
        "an exponential schema has no custom bounds",
    ];
    assert_eq!(found, expected);
    let inner = [
        field(4, &varint(4, 18)),
        field(4, &varint(15, 5)),
        one_at_five(),
        field(4, &varint(4, 19)),
        up(),
    ];
    let message = field(1, &inner.concat());
    let request = decode(&message).unwrap();
    assert_eq!(request.batch.rows.len(), 1);
    assert_eq!(request.batch.histograms.len(), 1);
    assert_eq!(request.batch.histograms[0].key, up());
    assert_eq!(request.refused_histograms.count, 2);
    let (key, reason) = request.refused_histograms.first.unwrap();
    assert_eq!(key, up());
    assert!(reason.starts_with("schema 9 "), "{reason}");
}

#[test]
fn exemplars_are_read_or_refused_alone() {
    let exemplar = |name: &str, value: &str| {
        field(
            3,
            &[label_field(name, value), double(2, 0.25), varint(3, 7)].concat(),
        )
    };
    let inner = [
        exemplar("trace_id", "abc"),
        up(),
        exemplar("", "nameless"),
        one_at_five(),
        field(3, &label_field("long", &"ä".repeat(40))),
        field(3, &[]),
    ];
    let message = field(1, &inner[..4].concat());
    let request = decode(&message).unwrap();
    assert_eq!(request.batch.rows.len(), 1);
    let row = &request.batch.exemplars[0];
    let expected = Exemplar {
        labels: labels(&[("trace_id", "abc")]),
        value: 0.25,
        timestamp: Timestamp::from_millis(7),
    };
    assert_eq!((row.key, &row.exemplar), (&up()[..], &expected));
    assert_eq!(request.refused_exemplars.count, 1);
    let (key, reason) = request.refused_exemplars.first.unwrap();
    let expected = "invalid labels: the label with value \"nameless\" has no name";
    assert_eq!((key, reason.as_str()), (&up()[..], expected));

    let message = field(1, &[up(), inner[4].clone(), inner[5].clone()].concat());
    let request = decode(&message).unwrap();
    assert_eq!(request.batch.exemplars.len(), 2);
}

#[test]
fn an_exemplar_has_up_to_128_characters() {
    let series = labels(&[("__name__", "up")]);
    let of_length = |length: usize| Exemplar {
        labels: labels(&[("trace", &"ä".repeat(length - 5))]),
        value: 1.0,
        timestamp: Timestamp::from_millis(0),
    };
    let message = encode_exemplars(&series, &[of_length(128), of_length(129)]);
    let request = decode(&message).unwrap();
    assert_eq!(request.batch.exemplars[0].exemplar, of_length(128));
    let (_, reason) = request.refused_exemplars.first.unwrap();
    assert_eq!(reason, "its labels have more than 128 characters");
}

#[test]
fn there_are_limits_to_buckets_and_to_histograms() {
    let series = labels(&[("__name__", "up")]);
    let mut histogram = Histogram::stale();
    histogram.positive_spans = vec![span(0, 4095)];
    histogram.counts = BucketCounts::Integer(Counts {
        positive: vec![0; 4095],
        ..Counts::default()
    });
    let at = Timestamp::from_millis(1);
    let message = encode_histograms(&series, &[(at, histogram.clone())]);
    assert_eq!(decode(&message).unwrap().batch.histograms.len(), 1);
    histogram.negative_spans = vec![span(0, 0)];
    let message = encode_histograms(&series, &[(at, histogram)]);
    let request = decode(&message).unwrap();
    let (_, refused) = request.refused_histograms.first.unwrap();
    assert_eq!(refused, "more than 4096 buckets, spans and bounds");

    let message = field(1, &field(4, &varint(4, 18))).repeat(100_001);
    assert!(reason(&message).contains("histograms: 100001, at most 100000"));
    let message = field(1, &field(3, &[])).repeat(200_001);
    assert!(reason(&message).contains("exemplars: 200001, at most 200000"));
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        (0..1000u32).prop_map(f64::from),
        any::<u64>().prop_map(|bits| f64::from_bits(bits & i64::MAX as u64)),
        Just(stale_marker()),
    ]
}

/// Spans, and how many buckets they cover.
fn any_spans() -> impl Strategy<Value = (Vec<BucketSpan>, usize)> {
    prop::collection::vec((0..50i32, 0..5u32), 0..4).prop_map(|spans| {
        let covered: u32 = spans.iter().map(|(_, length)| length).sum();
        let spans = spans
            .into_iter()
            .map(|(offset, length)| span(offset, length));
        (spans.collect(), covered as usize)
    })
}

fn any_histogram() -> impl Strategy<Value = Histogram> {
    let floats = (any::<bool>(), any_float(), any_float(), any_float());
    let lists = (
        prop::collection::vec(any::<u32>(), 20),
        prop::collection::vec(any_float(), 20),
    );
    let rest = (-4..=8i32, prop::sample::select(&CounterReset::ALL[..]));
    (any_spans(), any_spans(), floats, lists, rest, -9..9i32).prop_map(
        |(positive, negative, floats, lists, (schema, reset), first_offset)| {
            let (is_float, sum, zero_threshold, total) = floats;
            let (mut positive_spans, positive) = positive;
            if let Some(first) = positive_spans.first_mut() {
                first.offset = first_offset;
            }
            let part = |count: usize| lists.0.iter().take(count).map(|count| u64::from(*count));
            let counts = match is_float {
                true => BucketCounts::Float(Counts {
                    total,
                    zero: lists.1[19],
                    positive: lists.1[..positive].to_vec(),
                    negative: lists.1[..negative.1].to_vec(),
                }),
                false => BucketCounts::Integer(Counts {
                    total: part(positive).sum::<u64>() + part(negative.1).sum::<u64>() + 3,
                    zero: 3,
                    positive: part(positive).collect(),
                    negative: part(negative.1).collect(),
                }),
            };
            Histogram {
                schema,
                zero_threshold,
                sum,
                reset,
                positive_spans,
                negative_spans: negative.0,
                custom_bounds: vec![],
                counts,
            }
        },
    )
}

proptest! {
    #[test]
    fn histograms_and_exemplars_that_are_encoded_are_decoded(
        histograms in prop::collection::vec((any::<i64>(), any_histogram()), 0..4),
        exemplars in prop::collection::vec((any::<i64>(), any_float(), "\\PC{0,100}"), 0..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
    ) {
        let series = labels(&[("__name__", "up")]);
        let histograms: Vec<_> = histograms
            .into_iter()
            .map(|(at, histogram)| (Timestamp::from_millis(at), histogram))
            .collect();
        let exemplars: Vec<_> = exemplars
            .into_iter()
            .map(|(at, value, trace)| Exemplar {
                labels: labels(&[("trace", &trace)]),
                value,
                timestamp: Timestamp::from_millis(at),
            })
            .collect();
        let mut message = encode_histograms(&series, &histograms);
        message.extend(encode_exemplars(&series, &exemplars));
        let request = decode(&message).unwrap();
        let read: Vec<_> = request.batch.histograms.into_iter().map(|row| (row.timestamp, row.histogram)).collect();
        prop_assert_eq!(read, histograms);
        let read: Vec<_> = request.batch.exemplars.into_iter().map(|row| row.exemplar).collect();
        prop_assert_eq!(read, exemplars);

        for (index, byte) in damage {
            let at = index.index(message.len());
            message[at] = byte;
        }
        if let Ok(request) = decode(&message) {
            for row in &request.batch.histograms {
                prop_assert_eq!(row.histogram.validate(), Ok(()));
            }
        }
    }
}
