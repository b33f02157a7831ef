//! Rule files, with their templates and expressions: any text is read or refused, and never takes long.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = document::Source::new("rules.yml", text);
    let _ = rules::parse(&source);
});
