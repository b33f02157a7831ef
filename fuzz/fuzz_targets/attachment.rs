//! Any bytes are a run of histograms, exemplars or starts, or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, payload)) = bytes.split_first() else {
        return;
    };
    let _ = tsdb::count_attachment(kind % 4, payload);
});
