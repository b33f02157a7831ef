//! Framing: what is whole is found again, wherever something else is broken.

use proptest::prelude::*;

use super::*;

const NUMBER: u64 = 7;

fn segment(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut segment = segment_header(NUMBER).to_vec();
    for payload in payloads {
        put_record(&mut segment, NUMBER, 0, 1, |buffer| {
            buffer.extend_from_slice(payload)
        });
    }
    segment
}

fn records(number: u64, segment: &[u8]) -> Vec<Vec<u8>> {
    let stretches = Stretches::new(number, segment);
    let payload = |stretch| match stretch {
        Stretch::Record { payload, .. } => Some(payload.to_vec()),
        Stretch::Broken { .. } => None,
    };
    stretches.filter_map(payload).collect()
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..12)
}

proptest! {
    #[test]
    fn stretches_cover_any_bytes_without_gap(number: u64, mut bytes: Vec<u8>, whole in payloads()) {
        bytes.extend_from_slice(&segment(&whole));
        let mut position = SEGMENT_HEADER.min(bytes.len());
        for stretch in Stretches::new(number, &bytes) {
            let (offset, length) = match stretch {
                Stretch::Record { offset, payload, .. } => (offset, RECORD_HEADER + payload.len()),
                Stretch::Broken { offset, length, .. } => (offset, length),
            };
            prop_assert_eq!(offset, position);
            prop_assert!(length > 0);
            position += length;
        }
        prop_assert_eq!(position, bytes.len());
    }

    #[test]
    fn a_flipped_bit_costs_one_record(payloads in payloads(), at: prop::sample::Index, bit in 0..8u32) {
        let whole = segment(&payloads);
        let mut flipped = whole.clone();
        let at = at.index(whole.len() - SEGMENT_HEADER) + SEGMENT_HEADER;
        flipped[at] ^= 1 << bit;
        let mut position = SEGMENT_HEADER;
        let mut expected = Vec::new();
        for payload in payloads {
            let end = position + RECORD_HEADER + payload.len();
            if !(position..end).contains(&at) {
                expected.push(payload);
            }
            position = end;
        }
        prop_assert_eq!(records(NUMBER, &flipped), expected);
    }

    #[test]
    fn of_a_cut_segment_all_whole_records_are_read(payloads in payloads(), cut: prop::sample::Index) {
        let whole = segment(&payloads);
        let cut = cut.index(whole.len() + 1);
        let read = records(NUMBER, &whole[..cut]);
        prop_assert_eq!(&read[..], &payloads[..read.len()]);
        let kept: usize = read.iter().map(|payload| RECORD_HEADER + payload.len()).sum();
        let next = payloads.get(read.len()).map_or(usize::MAX, |payload| RECORD_HEADER + payload.len());
        prop_assert!(cut.saturating_sub(SEGMENT_HEADER + kept) < next);
    }
}

#[test]
fn records_of_another_segment_or_place_are_none() {
    let whole = segment(&[b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(records(NUMBER, &whole), [b"a", b"b"]);
    assert_eq!(records(NUMBER + 1, &whole), Vec::<Vec<u8>>::new());
    let mut moved = whole[..SEGMENT_HEADER].to_vec();
    moved.push(0);
    moved.extend_from_slice(&whole[SEGMENT_HEADER..]);
    assert_eq!(records(NUMBER, &moved), Vec::<Vec<u8>>::new());
}

#[test]
fn a_segment_header_tells_its_version() {
    let whole = segment_header(NUMBER);
    assert_eq!(parse_segment_header(NUMBER, &whole), SegmentHeader::Current);
    assert_eq!(
        parse_segment_header(NUMBER + 1, &whole),
        SegmentHeader::Broken
    );
    assert_eq!(
        parse_segment_header(NUMBER, &whole[..23]),
        SegmentHeader::Broken
    );
    let mut newer = whole;
    newer[8] = 2;
    assert_eq!(parse_segment_header(NUMBER, &newer), SegmentHeader::Broken);
    let checksum = crc32fast::hash(&newer[..20]);
    newer[20..].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(
        parse_segment_header(NUMBER, &newer),
        SegmentHeader::OtherVersion(2)
    );
}
