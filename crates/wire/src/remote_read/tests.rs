//! Messages are written by hand here, so that nothing is wrong in both directions.

use expect_test::expect;
use model::{Histogram, Labels, MatchKind, SampleColumns};
use proptest::prelude::*;

use super::*;
use crate::chunk::float_chunk;

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128);
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn number(field: u8, number: u8) -> Vec<u8> {
    vec![field << 3, number]
}

fn matcher(kind: u8, name: &str, value: &str) -> Vec<u8> {
    let content = [
        number(1, kind),
        field(2, name.as_bytes()),
        field(3, value.as_bytes()),
    ];
    field(3, &content.concat())
}

fn query(parts: &[Vec<u8>]) -> Vec<u8> {
    field(1, &parts.concat())
}

fn shown(query: &ReadQuery) -> (i64, i64, bool, String) {
    let matchers: Vec<_> = query.matchers.iter().map(ToString::to_string).collect();
    let (start, end) = (query.start.as_millis(), query.end.as_millis());
    (start, end, query.labels_only, matchers.join(","))
}

#[test]
fn a_request_is_read() {
    let first = query(&[
        number(1, 10),
        number(2, 90),
        matcher(0, "__name__", "up"),
        matcher(1, "a", "b"),
        matcher(2, "job", "x|y"),
        matcher(3, "z", ".+"),
        // 20 to 80, and a name of a function; what else a hint has is passed over.
        field(
            4,
            &[
                number(1, 5),
                field(2, b"rate"),
                number(3, 20),
                number(4, 80),
            ]
            .concat(),
        ),
    ]);
    let second = query(&[number(2, 90), field(4, &field(2, b"series"))]);
    let request = decode(&[first, second, field(2, &[1, 0])].concat()).unwrap();
    assert_eq!(request.answer, ReadAnswer::Chunks);
    let queries: Vec<_> = request.queries.iter().map(shown).collect();
    assert_eq!(
        queries,
        [
            (
                20,
                80,
                false,
                r#"__name__="up",a!="b",job=~"x|y",z!~".+""#.to_owned()
            ),
            (0, 90, true, String::new()),
        ]
    );
    assert_eq!(request.queries[0].matchers[2].kind(), MatchKind::Regex);
}

#[test]
fn the_form_of_the_answer_is_the_first_that_is_known() {
    for (types, answer) in [
        (vec![], Ok(ReadAnswer::Samples)),
        (vec![0], Ok(ReadAnswer::Samples)),
        (vec![1], Ok(ReadAnswer::Chunks)),
        (vec![7, 1, 0], Ok(ReadAnswer::Chunks)),
        (vec![0, 1], Ok(ReadAnswer::Samples)),
        (vec![7], Err(ReadError::Answer(vec![7]))),
    ] {
        let message: Vec<u8> = types.iter().flat_map(|kind| number(2, *kind)).collect();
        assert_eq!(decode(&message).map(|request| request.answer), answer);
    }
}

#[test]
fn what_is_no_request_is_refused_with_its_place() {
    let reason = |message: &[u8]| decode(message).unwrap_err().to_string();
    expect!["the message is no remote read request: byte 1: a length reaches beyond the end"]
        .assert_eq(&reason(&[0x0a, 5, 0]));
    expect!["the message is no remote read request: byte 5: a matcher has an unknown type"]
        .assert_eq(&reason(&query(&[field(3, &number(1, 4))])));
    expect!["the message is no remote read request: byte 5: a text is not UTF-8"]
        .assert_eq(&reason(&query(&[field(3, &field(2, &[0xff]))])));
    assert!(reason(&query(&[matcher(2, "a", "(")])).contains("invalid regular expression"));
    expect!["more than 100 queries: send smaller requests"]
        .assert_eq(&reason(&query(&[]).repeat(101)));
    let many = [query(&[field(3, &[]).repeat(60)]).repeat(17)].concat();
    expect!["more than 1000 matchers: send smaller requests"].assert_eq(&reason(&many));
    expect!["more than 100 accepted response types: send smaller requests"]
        .assert_eq(&reason(&number(2, 1).repeat(102)));
}

#[test]
fn an_answer_of_samples_is_written_as_the_protocol_says() {
    let labels = Labels::from_pairs([("a", "b")]).unwrap();
    let mut samples = SampleColumns::default();
    samples.push(5, 1.0);
    let mut response = Vec::new();
    push_series(&mut response, &labels, &samples, &[]);
    finish_result(&mut response, 0);
    let start = response.len();
    push_series(
        &mut response,
        &labels,
        &SampleColumns::default(),
        &[(7, Histogram::stale())],
    );
    finish_result(&mut response, start);
    let label = field(1, &[field(1, b"a"), field(2, b"b")].concat());
    let one = [&[0x09][..], &1f64.to_le_bytes(), &[0x10, 5]].concat();
    let stale = [
        // Counts of whole observations, the sum, the timestamp.
        &[0x08, 0, 0x30, 0, 0x19][..],
        &model::stale_marker().to_le_bytes(),
        &[0x78, 7],
    ];
    let expected = [
        field(1, &field(1, &[label.clone(), field(2, &one)].concat())),
        field(1, &field(1, &[label, field(4, &stale.concat())].concat())),
    ];
    assert_eq!(response, expected.concat());
    let packed = finish_response(&response);
    assert_eq!(
        snap::raw::Decoder::new().decompress_vec(&packed).unwrap(),
        response
    );
}

#[test]
fn a_frame_is_written_as_the_protocol_says() {
    let labels = Labels::from_pairs([("a", "b")]).unwrap();
    let mut frame = Frame::new(&labels);
    assert!(frame.is_empty());
    let chunk = float_chunk(&[5, 6], &[1.0, 1.0]);
    frame.push(&chunk);
    let mut out = Vec::new();
    frame.finish(3, &mut out);
    let label = field(1, &[field(1, b"a"), field(2, b"b")].concat());
    let content = [
        number(1, 5),
        number(2, 6),
        number(3, 1),
        field(4, &chunk.data),
    ];
    let series = field(1, &[label, field(2, &content.concat())].concat());
    let message = [series, number(2, 3)].concat();
    assert_eq!(usize::from(out[0]), message.len());
    assert_eq!(out[1..5], checksum::checksum(&message).to_be_bytes());
    assert_eq!(out[5..], message);
    assert!(frame.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }
}
