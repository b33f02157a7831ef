//! The unit for systemd: whole in systemd's eyes, and as locked as it was when it was written.

use std::path::Path;
use std::process::{Command, Output};

use super::{assert_good, project, text, uncommented};
use crate::peer::installed;
use crate::program::directory;

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
    assert_good(&project("deploy/systemd/campanile.yml"), &[]);
    let examples = uncommented(&text("deploy/systemd/campanile.yml"));
    let directory = directory();
    let file = directory.path().join("campanile.yml");
    std::fs::write(&file, &examples).unwrap();
    assert_good(&file, &[("SMTP_PASSWORD", "secret")]);

    assert!(examples.contains("data_dir: /var/lib/campanile\n"));
    assert!(text(UNIT).contains("\nStateDirectory=campanile\n"));
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
