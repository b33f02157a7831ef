//! Matchers as Alertmanager writes them: what is read is written so that it is read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(matchers) = alerts::parse_matchers(text) else {
        return;
    };
    let written: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    let again = alerts::parse_matchers(&format!("{{{}}}", written.join(",")));
    assert_eq!(again.as_ref(), Ok(&matchers));
});
