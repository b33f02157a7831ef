//! Any payloads of records, behind right heads and checksums, are read as a file of the log.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// The file's number.
const NUMBER: u64 = 1;

fuzz_target!(|bytes: &[u8]| {
    let mut file = b"campwal\n\x02\0\0\0".to_vec();
    file.extend_from_slice(&NUMBER.to_le_bytes());
    file.extend_from_slice(&crc32fast::hash(&file).to_le_bytes());
    let mut rest = bytes;
    // Each record: its kind, the length of its payload, the payload.
    while let Some(([kind, length @ ..], behind)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (payload, behind) = behind.split_at(length);
        push_record(&mut file, kind % 5, payload);
        rest = behind;
    }
    let _ = tsdb::inspect_log(NUMBER, &file);
});

fn push_record(file: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let offset = file.len() as u64;
    let mut header = vec![0xca, 0x4d, kind, 0];
    header.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let mut checked = [NUMBER.to_le_bytes(), offset.to_le_bytes()].concat();
    checked.extend_from_slice(&header);
    header.extend_from_slice(&crc32fast::hash(&checked).to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(payload);
}
