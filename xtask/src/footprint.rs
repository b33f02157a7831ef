//! What a newcomer pays: cold build times of the program and its size, as a table for the README.

use std::fs;
use std::thread;

use anyhow::{Context, Result};

use crate::{process, release};

/// Built in and removed, so that nothing built before helps.
const FOLDER: &str = "target/footprint";

/// Builds the program twice from nothing in a folder of its own, which is removed afterwards.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::no_arguments(arguments)?;
    // Downloads depend on the line, not on us.
    process::run(&format!(
        "cargo fetch --locked --target {}",
        release::target()?
    ))?;

    let folder = process::root()?.join(FOLDER);
    let empty = || match folder.exists() {
        true => fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {FOLDER}")),
        false => Ok(()),
    };
    let mut rows = Vec::new();
    for (profile, built) in [("dev", "debug"), ("release", "release")] {
        empty()?;
        let start = process::moment();
        process::run(&format!(
            "cargo build --locked --package campanile --profile {profile} --target-dir {FOLDER}"
        ))?;
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
    empty()?;

    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("\n| build | cold build on {cores} cores | program |\n|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    Ok(())
}
