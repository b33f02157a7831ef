//! Dead files: Rust files that no module declares are compiled by nobody, yet they look like code.
//!
//! 1. The roots of a crate are the files that cargo compiles by their names (`src/main.rs`, `tests/x.rs`, …).
//! 2. From each root every `mod name;` leads to a file; a nested `mod outer { mod inner; }` to `outer/inner.rs`.
//! 3. A file that no way reaches is dead.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Finding;
use super::source::{Source, closing, words};
use crate::tree::Tree;

/// Each Rust file below `crates/` and `xtask/` is part of some program, library or test.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let rust_files: Vec<&str> = tree
        .files
        .keys()
        .map(String::as_str)
        .filter(|path| path.ends_with(".rs"))
        .collect();
    let mut reached = BTreeSet::new();
    let mut to_read: Vec<String> = Vec::new();
    for path in &rust_files {
        if is_root(path) {
            to_read.push((*path).to_owned());
        }
    }
    while let Some(path) = to_read.pop() {
        if !tree.files.contains_key(&path) || !reached.insert(path.clone()) {
            continue;
        }
        let source = Source::new(&path, tree.text(&path));
        declared(
            &source,
            0..source.code.len(),
            &folder_of_modules(&path),
            &mut to_read,
        );
    }
    rust_files
        .into_iter()
        .filter(|path| !reached.contains(*path))
        .map(|path| {
            Finding::new(
                path,
                0,
                "no module declares this file: add `mod …;` or remove it",
            )
        })
        .collect()
}

/// Whether cargo compiles the file by its name alone.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let inside = match parts.as_slice() {
        ["crates", _, inside @ ..] => inside,
        ["xtask" | "fuzz", inside @ ..] => inside,
        _ => return true,
    };
    let inside = inside.strip_prefix(&["fuzz"]).unwrap_or(inside);
    matches!(
        inside,
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples" | "fuzz_targets", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// Where a file's modules lie: beside a root, and in `foo/` for `foo.rs`.
fn folder_of_modules(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    if is_root(path) {
        return folder.to_owned();
    }
    format!("{folder}/{}", file.trim_end_matches(".rs"))
}

/// Adds the files that `mod name;`, `#[path = "…"]` and `include!("…")` lead to.
fn declared(source: &Source<'_>, range: Range<usize>, folder: &str, found: &mut Vec<String>) {
    let (own_folder, _) = source.path.rsplit_once('/').unwrap_or(("", source.path));
    let code = &source.code[range.clone()];
    let mut skip_to = 0;
    let mut before = "";
    for (offset, word) in words(code) {
        if offset < skip_to {
            continue;
        }
        let end = offset + word.len();
        match (before, word, code[end..].trim_start().chars().next()) {
            (_, "include", Some('!')) => {
                let file = literal(&source.text[range.start + end..]);
                found.extend(file.map(|file| join(own_folder, file)));
            }
            ("mod", _, Some(';')) => match path_attribute(source, range.start + offset) {
                Some(file) => found.push(join(own_folder, file)),
                None => found.push(format!("{folder}/{word}.rs")),
            },
            ("mod", _, Some('{')) => {
                let open = end + code[end..].find('{').unwrap_or(0);
                let close = closing(code, open).unwrap_or(code.len());
                let inner = range.start + open + 1..range.start + close;
                declared(source, inner, &format!("{folder}/{word}"), found);
                skip_to = close;
            }
            _ => {}
        }
        before = word;
    }
}

/// The file named by a `#[path = "…"]` that belongs to the `mod` whose name is at `offset`.
fn path_attribute<'a>(source: &'a Source<'_>, offset: usize) -> Option<&'a str> {
    let start = source.code[..offset]
        .rfind([';', '{', '}'])
        .map_or(0, |at| at + 1);
    let attribute = start + source.code[start..offset].find("#[path")?;
    literal(&source.text[attribute..offset])
}

/// The first string literal of a text.
fn literal(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('"')?;
    rest.split_once('"').map(|(literal, _)| literal)
}

fn join(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_dead(files: &[(&str, &str)], expected: &[&str]) {
        let findings = check(&Tree::of(files));
        let dead: Vec<&str> = findings
            .iter()
            .map(|finding| finding.path.as_str())
            .collect();
        assert_eq!(dead, expected);
    }

    #[test]
    fn a_file_that_no_module_declares_is_found() {
        check_dead(
            &[
                ("crates/wire/src/lib.rs", "mod text; // mod json;"),
                ("crates/wire/src/text.rs", "mod escape;"),
                ("crates/wire/src/text/escape.rs", ""),
                ("crates/wire/src/json.rs", ""),
                ("crates/wire/src/escape.rs", ""),
            ],
            &["crates/wire/src/escape.rs", "crates/wire/src/json.rs"],
        );
    }

    #[test]
    fn files_that_only_a_dead_file_declares_are_dead() {
        check_dead(
            &[
                ("crates/wire/src/lib.rs", ""),
                ("crates/wire/src/json.rs", "mod number;"),
                ("crates/wire/src/json/number.rs", ""),
            ],
            &["crates/wire/src/json.rs", "crates/wire/src/json/number.rs"],
        );
    }

    #[test]
    fn nested_modules_paths_and_roots_are_followed() {
        check_dead(
            &[
                (
                    "crates/wire/src/lib.rs",
                    "mod outer { mod inner; } mod after;",
                ),
                ("crates/wire/src/outer/inner.rs", ""),
                (
                    "crates/wire/src/inner.rs",
                    "// not the one that is declared",
                ),
                (
                    "crates/wire/src/after.rs",
                    "#[path = \"../made/table.rs\"] mod table;",
                ),
                ("crates/wire/made/table.rs", "include!(\"rows.rs\");"),
                ("crates/wire/made/rows.rs", ""),
                ("crates/wire/tests/it/main.rs", "mod case;"),
                ("crates/wire/tests/it/case.rs", ""),
                ("crates/wire/benches/decode.rs", ""),
                ("crates/wire/fuzz/fuzz_targets/decode.rs", ""),
            ],
            &["crates/wire/src/inner.rs"],
        );
    }
}
