//! The unit for systemd: whole in systemd's eyes, and as locked as it was when it was written.

use std::path::Path;
use std::process::{Command, Output};

use super::{project, text};
use crate::peer::installed;
use crate::program::{command, directory, run};

const UNIT: &str = "deploy/systemd/campanile.service";

/// How exposed systemd 252 finds the service, in tenths; 100 is a program without any lock. The rest is what watching a
/// machine and the network needs. Whoever raises it says why here.
const EXPOSURE_MAX: u32 = 14;

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if !installed("systemd-analyze") {
        return;
    }
    let directory = directory();
    // The program is not installed where the unit looks for it.
    let unit = text(UNIT).replace("/usr/bin/campanile", env!("CARGO_BIN_EXE_campanile"));
    let path = directory.path().join("campanile.service");
    std::fs::write(&path, unit).unwrap();
    let said = words(&analyze(&["verify", "--man=no"], &path));
    let remarks: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("campanile"))
        .collect();
    assert!(remarks.is_empty(), "{remarks:#?}");
}

#[test]
fn the_service_is_no_more_exposed_than_it_was() {
    if !installed("systemd-analyze") {
        return;
    }
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let output = analyze(
        &["security", "--offline=true", "--no-pager", &threshold],
        &project(UNIT),
    );
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn the_configuration_of_the_package_is_good_and_keeps_data_where_the_unit_lets_it() {
    let file = project("deploy/systemd/campanile.yml");
    let check = run(&["check", "config", file.to_str().unwrap()]);
    assert!(check.status.success(), "{}", words(&check));
    assert_eq!(words(&check), "", "no warnings either");
    // What is commented out is good, too.
    let examples = uncommented(&text("deploy/systemd/campanile.yml"));
    let directory = directory();
    let file = directory.path().join("campanile.yml");
    std::fs::write(&file, &examples).unwrap();
    let check = command(&["check", "config"])
        .arg(&file)
        .env("SMTP_PASSWORD", "secret")
        .output()
        .unwrap();
    assert!(check.status.success(), "{}\n{examples}", words(&check));

    assert!(examples.contains("data_dir: /var/lib/campanile\n"));
    assert!(text(UNIT).contains("\nStateDirectory=campanile\n"));
}

/// With all examples switched on: comment lines that hold a key, or follow one that does.
fn uncommented(text: &str) -> String {
    let mut lines = Vec::new();
    let mut is_example = false;
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            is_example = false;
            lines.push(line);
            continue;
        };
        let begins = comment.split_once(':').is_some_and(|(key, _)| {
            key.chars()
                .all(|character| character.is_ascii_lowercase() || character == '_')
        });
        is_example = begins || (is_example && comment.starts_with(' '));
        if is_example {
            lines.push(comment);
        }
    }
    lines.join("\n") + "\n"
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .unwrap()
}

/// What a command said, without what it said to standard output if it succeeded.
fn words(output: &Output) -> String {
    let mut words = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        words.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    words
}
