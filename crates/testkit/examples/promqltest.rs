//! Runs a folder of PromQL test scripts: `cargo run -p testkit --example promqltest -- DIR [--all]`.

#![expect(clippy::print_stdout, reason = "the report is for the terminal")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use testkit::promqltest::{FileReport, InMemory, run_folder};

/// So many failures of a file are shown unless all are asked for.
const SHOWN_MAX: usize = 10;

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let all = arguments.next().is_some();
    let report = run_folder(&folder, &mut InMemory::default())?;
    for file in &report.files {
        show(file, all);
    }
    let (passed, statements) = (report.passed(), report.statements());
    println!("\n{passed} of {statements} statements passed");
    let omissions = report.files.iter().flat_map(|file| &file.omissions);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for omission in omissions {
        *reasons.entry(&omission.reason).or_default() += 1;
    }
    if !reasons.is_empty() {
        println!("evaluated as they stand, but not in every other way:");
    }
    for (reason, count) in reasons {
        println!("  {count:4} {reason}");
    }
    // A folder without any statement proves nothing.
    let good = passed == statements && passed > 0;
    Ok(ExitCode::from(u8::from(!good)))
}

fn show(file: &FileReport, all: bool) {
    let FileReport {
        file: name,
        passed,
        failures,
        omissions,
    } = file;
    println!("{name}: {passed} passed, {} failed", failures.len());
    let shown_max = if all { usize::MAX } else { SHOWN_MAX };
    for failure in failures.iter().take(shown_max) {
        println!("  {name}:{}: {}", failure.line, failure.statement);
        println!("      {}", failure.reason);
    }
    if failures.len() > shown_max {
        let more = failures.len() - shown_max;
        println!("  and {more} more, which --all shows");
    }
    if all {
        for omission in omissions {
            println!("  {name}:{}: {}", omission.line, omission.reason);
        }
    }
}
