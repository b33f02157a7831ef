//! Any body is read as one metric and as a batch, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::json_ingest::{parse_batch, parse_one};

fuzz_target!(|body: &[u8]| {
    let _ = parse_one(body);
    let _ = parse_batch(body, 100);
});
