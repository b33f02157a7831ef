//! Any bytes are columns of values and of timestamps, or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((count, column)) = bytes.split_first_chunk() else {
        return;
    };
    let count = usize::from(u16::from_le_bytes(*count)) % 1000;
    let _ = tsdb::inspect_columns(column, count);
});
