//! Places to look: nothing here is wrong by itself, but what is long is often unclear.

use std::collections::BTreeMap;

use super::manifests;
use super::source::{Source, line};
use crate::tree::Tree;

/// How many files and functions are shown.
const SHOWN: usize = 12;

/// Libraries of which a second version costs much build time and size.
const BIG: [&str; 12] = [
    "axum",
    "h2",
    "hyper",
    "prost",
    "rand",
    "regex",
    "reqwest",
    "rustls",
    "syn",
    "thiserror",
    "tokio",
    "tower",
];

/// Lines of one file, of which those after `#[cfg(test)]` and in test files are tests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lines {
    source: usize,
    tests: usize,
    /// Lines of `source` that are nothing but comment.
    comments: usize,
}

/// Prints lines per crate, the longest files and functions, and big libraries locked in two versions.
pub(crate) fn print(tree: &Tree) {
    let mut crates: BTreeMap<&str, (usize, Lines)> = BTreeMap::new();
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let source = Source::new(path, text);
        let lines = count(&source);
        let (number, sum) = crates.entry(crate_of(path)).or_default();
        *number += 1;
        sum.source += lines.source;
        sum.tests += lines.tests;
        sum.comments += lines.comments;
        files.push((lines.source, path.clone()));
        for function in source.functions() {
            let length = line(text, function.body.end) - function.line + 1;
            functions.push((
                length,
                format!("{path}:{} {}", function.line, function.name),
            ));
        }
    }

    println!(
        "\n{:<10} {:>5} {:>7} {:>7} {:>9}",
        "crate", "files", "source", "tests", "comments"
    );
    for (name, (number, lines)) in crates {
        let share = 100 * lines.comments / lines.source.max(1);
        println!(
            "{name:<10} {number:>5} {:>7} {:>7} {share:>8}%",
            lines.source, lines.tests
        );
    }
    println!("\nlongest files, lines without tests:");
    print_longest(files);
    println!("\nlongest functions, lines:");
    print_longest(functions);
    println!("\nbig libraries in more than one version:");
    for (name, versions) in doubled(tree.text("Cargo.lock")) {
        println!("  {name} {}", versions.join(", "));
    }
    let unused = manifests::unused_offers(tree);
    println!("\nlibraries that the workspace offers and no crate takes:");
    println!("  {}\n", unused.join(", "));
}

fn print_longest(mut items: Vec<(usize, String)>) {
    items.sort_by(|one, other| other.cmp(one));
    for (lines, item) in items.iter().take(SHOWN) {
        println!("{lines:>6}  {item}");
    }
}

fn crate_of(path: &str) -> &str {
    let mut parts = path.split('/');
    match parts.next() {
        Some("crates") => parts.next().unwrap_or(path),
        Some(first) => first,
        None => path,
    }
}

fn count(source: &Source<'_>) -> Lines {
    let (product, tests) = source.text.split_at(source.tests_start());
    let comments = product
        .lines()
        .filter(|line| line.trim_start().starts_with("//"));
    Lines {
        source: product.lines().count(),
        tests: tests.lines().count(),
        comments: comments.count(),
    }
}

/// The big libraries that a lock file holds more than once, with their versions.
fn doubled(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value.trim_matches('"');
        } else if let Some(value) = line.strip_prefix("version = ") {
            versions
                .entry(name)
                .or_default()
                .push(value.trim_matches('"'));
        }
    }
    versions.retain(|name, versions| versions.len() > 1 && BIG.contains(name));
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tests_are_counted_apart() {
        let text = "//! Words.\nfn f() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        let lines = count(&Source::new("crates/wire/src/a.rs", text));
        assert_eq!(
            lines,
            Lines {
                source: 3,
                tests: 3,
                comments: 1
            }
        );
        let lines = count(&Source::new("crates/wire/src/a/tests.rs", text));
        assert_eq!(
            lines,
            Lines {
                source: 0,
                tests: 6,
                comments: 0
            }
        );
    }

    #[test]
    fn a_second_version_of_a_big_library_is_listed() {
        let package =
            |name, version| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let lock = [
            package("tokio", "1.0.0"),
            package("syn", "1.0.0"),
            package("syn", "2.0.0"),
            package("small", "1.0.0"),
            package("small", "2.0.0"),
        ];
        let lock = lock.concat();
        assert_eq!(
            doubled(&lock),
            BTreeMap::from([("syn", vec!["1.0.0", "2.0.0"])])
        );
    }
}
