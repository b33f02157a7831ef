//! Names and times as Go writes them, and any bytes.

use proptest::prelude::*;

use super::*;

fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, u8::try_from(contents.len()).unwrap()];
    bytes.extend(contents);
    bytes
}

fn attribute(object: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    let pair = [tagged(OBJECT, object), tagged(tag, value)].concat();
    tagged(SET, &tagged(SEQUENCE, &pair))
}

#[test]
fn names_are_written_as_go_does() {
    const UTF8: u8 = 0x0C;
    let name = [
        attribute(&[0x55, 4, 6], UTF8, b"CH"),
        attribute(&[0x55, 4, 10], UTF8, b"A, B"),
        attribute(&[0x55, 4, 11], UTF8, b"one"),
        attribute(&[0x55, 4, 11], UTF8, b"#two "),
        attribute(&[0x55, 4, 3], 0x1E, &[0, b'x', 1, 0x13]),
        attribute(&[0x2A, 0x86, 0x48], UTF8, b"hi"),
    ]
    .concat();
    assert_eq!(
        name_text(&name),
        "CN=xē,OU=one+OU=\\#two\\ ,O=A\\, B,C=CH,1.2.840=#0c026869"
    );
}

#[test]
fn both_ways_to_write_a_time_are_read() {
    for (kind, text, expected) in [
        (UTC_TIME, "700101000000Z", Some(0)),
        (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
        (UTC_TIME, "500101000000Z", Some(-631_152_000)),
        (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
        (GENERALIZED_TIME, "20500101000000", None),
        (UTC_TIME, "701301000000Z", None),
        (UTC_TIME, "7001010000Z", None),
        (UTC_TIME, "70010100000éZ", None),
        (OCTETS, "700101000000Z", None),
    ] {
        assert_eq!(parse_time(kind, text.as_bytes()), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_certificate_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Some(certificate) = Certificate::parse(&bytes) {
            certificate.labels();
        }
    }

    #[test]
    fn a_certificate_with_any_byte_changed_is_read_or_refused(at in 0usize..2_000, byte: u8) {
        let mut bytes = sample();
        let length = bytes.len();
        bytes[at % length] = byte;
        if let Some(certificate) = Certificate::parse(&bytes) {
            certificate.labels();
        }
    }
}

/// Made once: a key takes its time.
fn sample() -> Vec<u8> {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let make = || {
        let names = vec!["a.example.org".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        made.cert.der().to_vec()
    };
    SAMPLE.get_or_init(make).clone()
}
