//! Whatever happens to the bytes, no wrong value comes out.

use proptest::prelude::*;

use super::fixture::{Action, Writer, actions};
use super::round_trip::read_back;
use crate::log::inspect_log;
use crate::log::record::{
    DEFINITIONS, FILE_HEADER, RECORD_HEADER, file_header, parse_record_header, seal,
};

/// Where the records of a whole file stand: offset and length.
fn records(number: u64, file: &[u8]) -> Vec<(usize, usize)> {
    let mut records = Vec::new();
    let mut offset = FILE_HEADER;
    while offset < file.len() {
        let header = parse_record_header(number, offset as u64, &file[offset..]).unwrap();
        let length = RECORD_HEADER + header.length;
        records.push((offset, length));
        offset += length;
    }
    records
}

/// A few batches with new series, repeated label pairs, changing values and a second epoch.
fn small_log() -> Writer {
    let mut writer = Writer::new(3);
    for batch in 0..4 {
        for new in 0..3 {
            let label = |name: &str, value: String| (name.to_owned(), value);
            writer.define(&[label("job", "a".to_owned()), label("new", format!("{new}"))]);
        }
        let series = writer.encoder.references();
        for step in 0..2 {
            for reference in (0..series).filter(|reference| (reference + step) % 5 != 0) {
                let bits = u64::from(batch << 20 | reference << 10 | step) << 7;
                writer.sample(reference, i64::from(batch * 2 + step), bits);
            }
        }
        writer.attach(batch, 1, 9, &[batch as u8; 3]);
        writer.finish();
        if batch == 1 {
            writer.carry_out(Action::Epoch);
        }
    }
    writer
}

#[test]
fn a_flipped_bit_costs_records_but_changes_nothing() {
    let writer = small_log();
    let mut file = writer.file.clone();
    let filler = records(3, &file)
        .into_iter()
        .find(|(_, length)| *length > 2_000);
    let (start, length) = filler.expect("a record that fills an epoch");
    for bit in 0..file.len() * 8 {
        // Of the large record, which is like any other, some bits are enough.
        if (start + 200..start + length).contains(&(bit / 8)) && bit % 97 != 0 {
            continue;
        }
        file[bit / 8] ^= 1 << (bit % 8);
        let (contents, report) = read_back(3, &file);
        assert!(
            contents.is_part_of(&writer.contents),
            "bit {bit}: {report:?}"
        );
        let lost = report.torn_bytes + report.broken.bytes;
        assert!(lost > 0, "bit {bit}: nothing was reported");
        assert!(lost <= length as u64 + 40, "bit {bit}: {report:?}");
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(read_back(3, &file).0, writer.contents);
}

#[test]
fn behind_a_lost_record_the_next_epoch_is_read_in_full() {
    let writer = small_log();
    let mut file = writer.file.clone();
    let all = records(3, &file);
    // The second record has the first samples.
    let (offset, length) = all[1];
    file[offset..offset + length].fill(0);
    let (contents, report) = read_back(3, &file);
    assert_eq!(report.samples_undefined, 0);
    assert!(
        report.samples_untrusted > 0 && report.samples > 30,
        "{report:?}"
    );
    let lost = writer.contents.samples() - contents.samples();
    assert!(lost > report.samples_untrusted);
    assert_eq!(contents.series, writer.contents.series);
    let stretch = &report.broken.first[0];
    assert_eq!(
        (stretch.offset, stretch.length),
        (offset as u64, length as u64)
    );
    assert_eq!(stretch.reason, "no whole record header");
}

#[test]
fn samples_of_lost_definitions_are_counted_and_left_out() {
    let writer = small_log();
    let mut file = writer.file.clone();
    let (offset, length) = records(3, &file)[0];
    // The payload is broken, the header is whole.
    file[offset + length - 1] ^= 1;
    let (contents, report) = read_back(3, &file);
    assert!(contents.is_part_of(&writer.contents));
    assert_eq!(report.broken.count, 1);
    assert_eq!(
        report.broken.first[0].reason,
        "checksum of the payload is wrong"
    );
    assert_eq!(report.samples_untrusted, 0);
    assert!(report.samples_undefined > 0, "{report:?}");
    // The pair that was numbered in it is lost for the others too.
    assert_eq!(report.definitions + report.definitions_lost, 9);
    assert!(report.definitions_lost > 0, "{report:?}");
}

proptest! {
    #[test]
    fn any_records_may_be_lost(before in actions(50), after in actions(50), lost: u64, garbage: bool) {
        let mut writer = Writer::new(2);
        let second = after.into_iter().flat_map(|action| [action, Action::Finish]);
        for action in before.into_iter().chain([Action::Finish, Action::Epoch]).chain(second) {
            writer.carry_out(action);
        }
        writer.finish();
        let mut file = writer.file.clone();
        for (index, (offset, length)) in records(2, &file).into_iter().enumerate() {
            if lost >> (index % 64) & 1 == 1 {
                file[offset..offset + length].fill(if garbage { 0xca } else { 0 });
            }
        }
        let (contents, _) = read_back(2, &file);
        prop_assert!(contents.is_part_of(&writer.contents));
    }

    #[test]
    fn a_torn_end_is_no_damage(actions in actions(40), cut: prop::sample::Index) {
        let mut writer = Writer::new(2);
        for action in actions {
            writer.carry_out(action);
            writer.finish();
        }
        let file = &writer.file[..cut.index(writer.file.len() + 1)];
        let (contents, report) = read_back(2, file);
        prop_assert!(contents.is_part_of(&writer.contents));
        prop_assert_eq!(report.broken.count, 0);
        prop_assert_eq!(report.end + report.torn_bytes, file.len() as u64);
        let whole = records(2, &writer.file).into_iter().take_while(|(offset, length)| {
            offset + length <= file.len()
        });
        prop_assert_eq!(report.records, whole.count() as u64);
    }

    #[test]
    fn any_bytes_are_inspected_without_panic(
        number in 0u64..3,
        header: bool,
        records in prop::collection::vec((0u8..5, payloads(), any::<Vec<u8>>()), 0..8),
    ) {
        let mut file = if header { file_header(number).to_vec() } else { vec![0; FILE_HEADER] };
        for (kind, payload, noise) in records {
            let start = file.len();
            file.extend_from_slice(&[0; RECORD_HEADER]);
            file.extend(payload);
            seal(&mut file[start..], kind, number, start as u64);
            file.extend(noise);
        }
        let report = inspect_log(number, &file).unwrap();
        prop_assert!(report.broken.bytes + report.torn_bytes <= file.len() as u64);
        prop_assert!(report.samples <= 8 * file.len() as u64);
    }
}

/// Payloads that begin as those of records do.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![
        vec![],
        vec![0, 0],
        vec![1, 0],
        vec![0, 0, 2, 1, b'a', 0],
    ]);
    (start, any::<Vec<u8>>()).prop_map(|(start, rest)| [start, rest].concat())
}

#[test]
fn a_definition_cannot_ask_for_memory() {
    let mut file = file_header(1).to_vec();
    let mut record = vec![0; RECORD_HEADER];
    // First 200 as the number of a series and then as that of a pair: more than there are bytes before.
    record.extend_from_slice(&[0xc8, 1, 0, 0]);
    seal(&mut record, DEFINITIONS, 1, file.len() as u64);
    file.extend_from_slice(&record);
    let mut record = vec![0; RECORD_HEADER];
    record.extend_from_slice(&[0, 0xc8, 1, 0]);
    seal(&mut record, DEFINITIONS, 1, file.len() as u64);
    file.extend_from_slice(&record);
    let report = inspect_log(1, &file).unwrap();
    assert_eq!(report.broken.count, 2);
    assert_eq!(report.broken.first[0].reason, "payload is malformed");
}
