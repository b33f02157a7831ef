//! Any text is read in both formats, and what was read can be shown and read again without a problem.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::exposition::{Format, encode, parse};

fuzz_target!(|text: &str| {
    for format in [Format::Text, Format::OpenMetrics] {
        let families = parse(text, format).families;
        for shown_format in [Format::Text, Format::OpenMetrics] {
            let shown = encode(&families, shown_format);
            assert_eq!(parse(&shown, shown_format).problems, [], "{shown}");
        }
    }
    Format::negotiate(Some(text));
});
