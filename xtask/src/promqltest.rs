//! Scripts in Prometheus' test language, run against our engine.

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Runs all scripts of a folder and prints what passes and what fails, file by file.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (folder, all) = match arguments {
        [folder] => (folder, ""),
        [folder, flag] if flag == "--all" => (folder, " --all"),
        _ => bail!("name one folder of scripts, and then perhaps --all"),
    };
    // The runner is started in the workspace's folder, wherever the caller stands.
    let folder = std::fs::canonicalize(folder).with_context(|| format!("no folder {folder}"))?;
    let folder = folder.to_str().context("the folder's name is no UTF-8")?;
    process::run(&format!(
        "cargo run --quiet --release --package testkit --example promqltest -- {folder}{all}"
    ))
}
