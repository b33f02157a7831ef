//! Any bytes are a remote read request or are refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = wire::remote_read::decode(bytes) {
        assert!(request.queries.len() <= bytes.len());
    }
});
