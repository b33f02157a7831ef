//! Any bytes are a block whose every page is read, or are refused with what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tsdb::inspect_block(bytes);
});
