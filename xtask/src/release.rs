//! A release: the stripped program with its licence and notes in a tarball that is the same for the same commit.

use std::fs;

use anyhow::{Context, Result};

use crate::process;

/// Builds `target/dist/campanile-VERSION-TARGET.tar.gz` and prints its size and SHA-256.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::no_arguments(arguments)?;
    process::run("cargo build --release --locked --package campanile --target-dir target")?;

    let root = process::root()?;
    let name = format!("campanile-{}-{}", env!("CARGO_PKG_VERSION"), target()?);
    let folder = root.join("target/dist").join(&name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for file in [
        "target/release/campanile",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
    ] {
        let name = file.rsplit('/').next().unwrap_or(file);
        fs::copy(root.join(file), folder.join(name))
            .with_context(|| format!("cannot copy {file}"))?;
    }

    let tarball = format!("target/dist/{name}.tar.gz");
    // Order, times and owners are fixed, so that two builds of one commit can be compared byte for byte.
    process::run(&format!(
        "tar --create --gzip --file {tarball} --sort=name --mtime=@{} --owner=0 --group=0 --numeric-owner \
         --directory target/dist {name}",
        commit_time()
    ))?;
    println!(
        "campanile: {}",
        bytes(fs::metadata(folder.join("campanile"))?.len())
    );
    println!(
        "tarball:   {}",
        bytes(fs::metadata(root.join(&tarball))?.len())
    );
    process::run(&format!("sha256sum {tarball} target/dist/{name}/campanile"))
}

/// The machine that programs are built for, such as `x86_64-unknown-linux-gnu`.
pub(crate) fn target() -> Result<String> {
    let version = process::output("rustc --version --verbose")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host
        .context("`rustc --version --verbose` names no host")?
        .to_owned())
}

/// Seconds since 1970 of the last commit; 0 in a tree without history.
fn commit_time() -> String {
    process::output("git log -1 --format=%ct")
        .map(|time| time.trim().to_owned())
        .unwrap_or_else(|_| "0".to_owned())
}

/// A size for people, exact as well: `12.3 MiB (12897485 bytes)`.
pub(crate) fn bytes(size: u64) -> String {
    format!("{:.1} MiB ({size} bytes)", size as f64 / 1_048_576.0)
}
