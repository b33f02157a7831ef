//! Any bytes are a list of deletions, or are refused; also behind a right head and a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tsdb::inspect_tombstones(bytes);
    let mut file = b"camptomb\x01\0\0\0".to_vec();
    file.extend_from_slice(bytes);
    file.extend_from_slice(&crc32fast::hash(&file).to_le_bytes());
    let _ = tsdb::inspect_tombstones(&file);
});
