//! Answers as servers write them, and any other bytes.

use proptest::prelude::*;

use super::*;

const NAME: &str = "www.example.org";

/// An answer to a question for [`NAME`] with the given records: owner, type, seconds, data.
fn message(flags: u16, records: &[(&[u8], u16, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = encode(7, NAME, Family::V4);
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[7] = records.len() as u8;
    for (owner, kind, seconds, data) in records {
        bytes.extend(*owner);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(seconds.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(*data);
    }
    bytes
}

/// A pointer to the question's name, and one to its part `example.org`.
const OWNER: &[u8] = &[0xC0, 12];
const CDN: &[u8] = b"\x03cdn\xC0\x10";

#[test]
fn an_alias_is_followed_and_the_least_time_to_live_counts() {
    let bytes = message(
        0x8180,
        &[
            (b"\x03CDN\xC0\x10", TYPE_A, 60, &[192, 0, 2, 1]),
            (OWNER, TYPE_CNAME, 300, CDN),
            (CDN, TYPE_A, 20, &[192, 0, 2, 2]),
            (b"\x05other\x00", TYPE_A, 1, &[192, 0, 2, 3]),
            (CDN, TYPE_AAAA, 1, &[0; 16]),
        ],
    );
    let answer = parse(&bytes, 7, NAME, Family::V4).unwrap();
    let addresses: Vec<String> = answer.addresses.iter().map(IpAddr::to_string).collect();
    assert_eq!(addresses, ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(answer.time_to_live, Duration::from_secs(20));
}

#[test]
fn an_answer_to_another_question_is_none() {
    let good = message(0x8180, &[]);
    assert!(parse(&good, 7, NAME, Family::V4).is_some());
    assert_eq!(parse(&good, 8, NAME, Family::V4), None);
    assert_eq!(parse(&good, 7, "www.example.com", Family::V4), None);
    assert_eq!(parse(&good, 7, NAME, Family::V6), None);
    let question = message(0x0100, &[]);
    assert_eq!(parse(&question, 7, NAME, Family::V4), None);
}

#[test]
fn the_code_and_the_cut_are_told() {
    for (flags, code, is_cut) in [
        (0x8180, Code::NoError, false),
        (0x8183, Code::NoName, false),
        (0x8182, Code::Failed, false),
        (0x8185, Code::Refused, false),
        (0x8380, Code::NoError, true),
    ] {
        let answer = parse(&message(flags, &[]), 7, NAME, Family::V4).unwrap();
        assert_eq!((answer.code, answer.is_cut), (code, is_cut));
    }
}

#[test]
fn aliases_and_pointers_that_lead_in_circles_end() {
    let circle = message(0x8180, &[(OWNER, TYPE_CNAME, 1, OWNER)]);
    assert_eq!(
        parse(&circle, 7, NAME, Family::V4).unwrap().addresses,
        [] as [IpAddr; 0]
    );
    let mut itself = message(0x8180, &[]);
    let end = itself.len() as u8;
    itself[7] = 1;
    itself.extend([0xC0, end]);
    assert_eq!(parse(&itself, 7, NAME, Family::V4), None);
}

#[test]
fn only_names_that_fit_are_asked_for() {
    let long = "a".repeat(64);
    for (name, expected) in [
        (NAME, true),
        ("a_b-c.1", true),
        ("", false),
        ("a..b", false),
        (&long, false),
        (&"a.".repeat(150), false),
    ] {
        assert_eq!(is_host_name(name), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_behind_a_question_are_read_or_refused(
        count in 0u8..5,
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = message(0x8180, &[]);
        bytes[7] = count;
        bytes.extend(rest);
        if let Some(answer) = parse(&bytes, 7, NAME, Family::V4) {
            prop_assert!(answer.addresses.len() <= usize::from(count));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse(&bytes, 0, NAME, Family::V4);
    }
}
