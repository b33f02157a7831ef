//! Any bytes are read as a file of the log, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tsdb::inspect_log(1, bytes);
});
