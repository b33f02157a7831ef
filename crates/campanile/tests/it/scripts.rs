//! PromQL test scripts through the whole program: samples by remote write, expressions over Prometheus' HTTP API.
//!
//! Our own scripts always; another folder of them too when `CAMPANILE_TEST_SCRIPTS` names it, which is how
//! `cargo xtask promqltest DIR --http` asks for it.

mod answer;
mod over_http;

use std::path::Path;

use testkit::promqltest::{Report, run_folder};

use over_http::OverHttp;

#[test]
fn our_scripts_pass_over_http() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../promql/testdata");
    let report = run_folder(&folder, &mut OverHttp::start()).unwrap();
    assert_eq!(failures(&report), "");
    assert!(report.passed() > 500, "{}", report.passed());
}

#[test]
fn the_scripts_of_a_named_folder_pass_over_http() {
    let Some(folder) = std::env::var_os("CAMPANILE_TEST_SCRIPTS") else {
        return;
    };
    let report = run_folder(Path::new(&folder), &mut OverHttp::start()).unwrap();
    for file in &report.files {
        let omitted = file.omissions.iter();
        let omitted = omitted.filter(|omission| omission.reason.starts_with("not at all"));
        eprintln!(
            "{}: {} passed, {} failed, {} omitted",
            file.file,
            file.passed,
            file.failures.len(),
            omitted.count()
        );
    }
    let (passed, statements) = (report.passed(), report.statements());
    eprintln!("{passed} of {statements} statements passed over HTTP");
    assert_eq!(failures(&report), "");
    assert!(passed > 0, "the folder holds no statement");
}

/// All statements that failed, with their places and reasons.
fn failures(report: &Report) -> String {
    let mut text = String::new();
    for file in &report.files {
        for failure in &file.failures {
            text += &format!("{}:{}: {}\n", file.file, failure.line, failure.statement);
            text += &format!("    {}\n", failure.reason);
        }
    }
    text
}
