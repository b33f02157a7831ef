//! Runs a folder of PromQL test scripts: `cargo run -p testkit --example promqltest -- DIR [--all]`.

#![expect(clippy::print_stdout, reason = "the report is for the terminal")]

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let all = arguments.next().is_some();
    let report = testkit::promqltest::run_folder(&folder)?;
    for file in &report.files {
        let (native, other): (Vec<_>, Vec<_>) = file
            .failures
            .iter()
            .partition(|failure| failure.native_histograms);
        println!(
            "{}: {} passed, {} failed, {} failed with native histograms",
            file.file,
            file.passed,
            other.len(),
            native.len()
        );
        let native = if all { native } else { Vec::new() };
        for failure in other.into_iter().chain(native) {
            println!(
                "  {}: {}\n      {}",
                failure.line, failure.statement, failure.reason
            );
        }
    }
    println!(
        "{} of {} statements passed",
        report.passed(),
        report.statements()
    );
    Ok(())
}
