//! The project's own benchmarks: every `crates/*/benches/NAME.rs`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;

#[derive(Debug, PartialEq)]
struct Benchmark {
    package: String,
    name: String,
}

/// Runs all benchmarks, or those whose name contains the one argument. No benchmark at all is said, not hidden.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wanted = match arguments {
        [] => "",
        [name] => name,
        [_, unexpected, ..] => bail!("unexpected argument `{unexpected}`; one name is enough"),
    };
    let all = find(&process::root()?.join("crates"))?;
    if all.is_empty() {
        println!("no benchmarks: no crate has a benches folder yet");
        return Ok(());
    }
    for Benchmark { package, name } in &all {
        println!("{package}: {name}");
    }
    let mut ran = false;
    for Benchmark { package, name } in all {
        if name.contains(wanted) {
            process::run(&format!("cargo bench --package {package} --bench {name}"))?;
            ran = true;
        }
    }
    if !ran {
        bail!("no benchmark's name contains `{wanted}`; the names stand above");
    }
    Ok(())
}

fn find(crates: &Path) -> Result<Vec<Benchmark>> {
    let mut found = Vec::new();
    for package in entries(crates)? {
        let benches = crates.join(&package).join("benches");
        if !benches.is_dir() {
            continue;
        }
        for file in entries(&benches)? {
            if let Some(name) = file.strip_suffix(".rs") {
                found.push(Benchmark {
                    package: package.clone(),
                    name: name.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
