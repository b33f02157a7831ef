//! Any bytes are decompressed, decoded and their keys read, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::remote_write::{KEYS, decode, decompress};

fuzz_target!(|bytes: &[u8]| {
    let _ = decompress(bytes, 1 << 20);
    let _ = (KEYS.decode)(bytes);
    if let Ok(request) = decode(bytes) {
        for row in request.batch.rows {
            let _ = (KEYS.decode)(row.key);
        }
        for row in request.batch.histograms {
            assert_eq!(row.histogram.validate(), Ok(()));
        }
        for row in request.batch.exemplars {
            let labels = row.exemplar.labels.iter();
            let characters = labels.map(|(name, value)| name.chars().count() + value.chars().count());
            assert!(characters.sum::<usize>() <= 128);
        }
    }
});
