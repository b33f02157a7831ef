//! Monitors, and routes and receivers in Alertmanager's format: any text is read or refused with its place.

#![no_main]

use std::path::Path;

use document::{Document, Options, Source, Syntax};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Files that a configuration names are not to be read at random.
    if text.contains("_file") || text.contains("templates") {
        return;
    }
    let source = Source::new("fuzz.yml", text);
    let Ok(document) = Document::parse(&source, Syntax::Yaml, &Options::default()) else {
        return;
    };
    let mut section = document.section();
    if let Some(monitors) = section.value("monitors") {
        let _ = uptime::read_monitors(monitors);
    }
    let _ = alerts::config::read(&mut section);
    let _ = notify::Receivers::read(&mut section, Path::new("/nowhere"));
    section.finish();
    for problem in document.into_problems() {
        let _ = problem.to_string();
    }
});
