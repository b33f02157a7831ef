//! Scripts in Prometheus' test language, run against our engine, or against the whole program over HTTP.

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Runs all scripts of a folder and prints what passes and what fails, file by file.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (folder, flag) = match arguments {
        [folder] => (folder, ""),
        [folder, flag] if ["--all", "--http"].contains(&flag.as_str()) => (folder, flag.as_str()),
        _ => bail!("name one folder of scripts, and then perhaps --all or --http"),
    };
    // The runner is started in the workspace's folder, wherever the caller stands.
    let folder = std::fs::canonicalize(folder).with_context(|| format!("no folder {folder}"))?;
    let folder = folder.to_str().context("the folder's name is no UTF-8")?;
    if flag == "--http" {
        return process::run(&format!(
            "env CAMPANILE_TEST_SCRIPTS={folder} cargo test --quiet --package campanile --test it \
             scripts::the_scripts_of_a_named_folder -- --nocapture"
        ));
    }
    process::run(&format!(
        "cargo run --quiet --release --package testkit --example promqltest -- {folder} {flag}"
    ))
}
