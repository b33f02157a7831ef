//! Any text is a time, a step or a number, or is refused; a time that RFC 3339 can show is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::time::{format_rfc3339, parse_rfc3339, parse_step, parse_time};

fuzz_target!(|text: &str| {
    let _ = parse_step(text);
    let _ = parse_time(text);
    let _ = wire::float::parse(text);
    if let Ok(timestamp) = parse_rfc3339(text) {
        let shown = format_rfc3339(timestamp).to_string();
        let year_has_four_digits = shown.find('-') == Some(4);
        assert!(!year_has_four_digits || parse_rfc3339(&shown) == Ok(timestamp));
    }
});
