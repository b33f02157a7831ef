//! What a newcomer pays: cold build times of the program and its size, as a table for the README.

use std::fs;
use std::thread;

use anyhow::{Context, Result};

use crate::{process, release};

/// Builds the program twice from nothing in a folder of its own, which is removed afterwards.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::no_arguments(arguments)?;
    // Downloads depend on the line, not on us.
    process::run(&["cargo", "fetch", "--locked"])?;

    let folder = process::root()?.join("target/footprint");
    let target_dir = folder.to_string_lossy().into_owned();
    let mut rows = Vec::new();
    for (profile, built) in [("dev", "debug"), ("release", "release")] {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {target_dir}"))?;
        }
        let start = process::moment();
        process::run(&[
            "cargo",
            "build",
            "--locked",
            "--package",
            "campanile",
            "--profile",
            profile,
            "--target-dir",
            &target_dir,
        ])?;
        let duration = process::since(start);
        let program = folder.join(built).join("campanile");
        let size = fs::metadata(&program)
            .with_context(|| format!("cannot find {}", program.display()))?
            .len();
        rows.push(format!(
            "| {built} | {duration} | {} |",
            release::bytes(size)
        ));
    }
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {target_dir}"))?;

    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("\n| build | cold build on {cores} cores | program |\n|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    Ok(())
}
