//! Manifests of our crates: all take part in the lints, and none asks for a library that it does not use.

use std::collections::BTreeSet;

use super::Finding;
use super::source::words;
use crate::tree::Tree;

/// A dependency as a manifest names it.
#[derive(Debug, PartialEq)]
struct Dependency<'a> {
    name: &'a str,
    line: usize,
}

/// Each crate keeps the workspace's lints, and some file of it names each library that it depends on.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        let Some(folder) = path
            .strip_suffix("Cargo.toml")
            .filter(|folder| !folder.is_empty())
        else {
            continue;
        };
        // A fuzz crate is a workspace of its own, built by another compiler.
        if !text.contains("[lints]\nworkspace = true") && !folder.ends_with("fuzz/") {
            let problem =
                "the workspace's lints are not kept: add `[lints]` with `workspace = true`";
            findings.push(Finding::new(path, 0, problem));
        }
        let used = words_below(tree, folder);
        for Dependency { name, line } in dependencies(text) {
            if !used.contains(name.replace('-', "_").as_str()) {
                let problem = format!("`{name}` is not used by any file of this crate");
                findings.push(Finding::new(path, line, problem));
            }
        }
    }
    findings
}

/// Libraries that the workspace offers and no crate takes.
pub(crate) fn unused_offers(tree: &Tree) -> Vec<&str> {
    let manifests = tree
        .files
        .iter()
        .filter(|(path, _)| path.ends_with("/Cargo.toml"));
    let taken: BTreeSet<&str> = manifests
        .flat_map(|(_, text)| dependencies(text))
        .map(|dependency| dependency.name)
        .collect();
    let offers = dependencies(tree.text("Cargo.toml")).into_iter();
    offers
        .map(|offer| offer.name)
        .filter(|name| !taken.contains(name))
        .collect()
}

/// Every word of the Rust files in a folder.
fn words_below<'a>(tree: &'a Tree, folder: &str) -> BTreeSet<&'a str> {
    let files = tree.files.iter();
    files
        .filter(|(path, _)| path.starts_with(folder) && path.ends_with(".rs"))
        .flat_map(|(_, text)| words(text).map(|(_, word)| word))
        .collect()
}

/// The keys of all tables whose name ends in `dependencies`.
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut in_table = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(table) = line.strip_prefix('[') {
            in_table = table.trim_end().ends_with("dependencies]");
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or("");
        let is_key = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if in_table && is_key {
            found.push(Dependency {
                name,
                line: index + 1,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn a_library_that_no_file_names_is_found() {
        let manifest = format!(
            "[package]\nname = \"wire\"\n\n[dependencies]\nmodel.workspace = true\nserde-json = \"1\"\n\
             \n[dev-dependencies]\nproptest = {{ version = \"1\" }}\n\n{LINTS}"
        );
        let tree = Tree::of(&[
            ("crates/wire/Cargo.toml", &manifest),
            ("crates/wire/src/lib.rs", "use serde_json::Value;"),
            (
                "crates/other/src/lib.rs",
                "use model::Labels; use proptest::prelude::*;",
            ),
        ]);
        let lines: Vec<usize> = check(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [5, 9]);
    }

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let tree = Tree::of(&[("crates/wire/Cargo.toml", "[lints]\n")]);
        assert_eq!(check(&tree).len(), 1);
        let tree = Tree::of(&[
            ("crates/wire/Cargo.toml", LINTS),
            ("Cargo.toml", "[workspace]"),
        ]);
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn an_offer_that_no_crate_takes_is_listed() {
        let tree = Tree::of(&[
            (
                "Cargo.toml",
                "[workspace.dependencies]\nsnap = \"1\"\nregex = \"1\"\n",
            ),
            (
                "crates/wire/Cargo.toml",
                "[dependencies]\nsnap.workspace = true\n",
            ),
        ]);
        assert_eq!(unused_offers(&tree), ["regex"]);
    }
}
