//! The Debian package: what it holds stands in `crates/campanile/Cargo.toml`, and what the program writes about itself, its
//! man page and completions, is made here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;

/// The files that the program writes about itself, each with the words that make it do so.
const WRITTEN: [(&str, &str); 4] = [
    ("campanile.1", "man"),
    ("campanile.bash", "completions bash"),
    ("campanile.zsh", "completions zsh"),
    ("campanile.fish", "completions fish"),
];

/// Builds `target/debian/campanile_VERSION_ARCHITECTURE.deb`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::no_arguments(arguments)?;
    process::run("cargo build --release --locked --package campanile --target-dir target")?;
    let root = process::root()?;
    write(&root.join("target/package"), "target/release/campanile")?;
    process::run("cargo deb --no-build --package campanile")
        .context("`cargo install cargo-deb` brings the tool that is needed")
}

/// Lets the program write its pages into a folder.
fn write(folder: &Path, program: &str) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, words) in WRITTEN {
        let page = process::output(&format!("{program} {words}"))?;
        let path = folder.join(name);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
