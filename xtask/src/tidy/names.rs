//! Names that say nothing: a file called `util` holds what nobody found a place for.

use super::Finding;
use super::source::{Source, words};

const FILES: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "managers",
];

const TYPE_ENDINGS: [&str; 5] = ["Manager", "Helper", "Helpers", "Impl", "Utils"];

/// No part of the path is a banned name, and no module lives in `mod.rs`.
pub(crate) fn check_path(path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for part in path.split('/') {
        let name = part.split('.').next().unwrap_or(part);
        if let Some(problem) = banned(name) {
            findings.push(Finding::new(path, 0, problem));
        }
    }
    if path.rsplit('/').next() == Some("mod.rs") {
        let problem = "a module `foo` is `foo.rs` with its parts in `foo/`, never `foo/mod.rs`";
        findings.push(Finding::new(path, 0, problem));
    }
    findings
}

/// No module within the file and no type has a banned name.
pub(crate) fn check_types_and_modules(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before = "";
    for (offset, word) in words(&source.code) {
        let problem = match before {
            "mod" => banned(word),
            "struct" | "enum" | "trait" | "type" | "union" => {
                let ending = TYPE_ENDINGS.iter().find(|ending| word.ends_with(**ending));
                ending.map(|ending| {
                    format!("`{word}`: a type is named for what it is, not `…{ending}`")
                })
            }
            _ => None,
        };
        if let Some(problem) = problem {
            findings.push(Finding::new(source.path, source.line(offset), problem));
        }
        before = word;
    }
    findings
}

fn banned(name: &str) -> Option<String> {
    let last = name.rsplit(['_', '-']).next().unwrap_or(name);
    // `common_prefix` says something, `string_util` does not: in a longer name only the end counts.
    FILES
        .contains(&last)
        .then(|| format!("`{name}` does not say what is in it; name it for its subject"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_paths_are_found() {
        for path in [
            "crates/wire/src/util.rs",
            "crates/common/src/lib.rs",
            "crates/wire/src/text_helpers.rs",
            "crates/wire/src/text/mod.rs",
            "web/src/misc/a.ts",
        ] {
            assert_eq!(check_path(path).len(), 1, "{path}");
        }
        for path in [
            "crates/wire/src/common_prefix.rs",
            "README.md",
            ".github/x.yml",
        ] {
            assert_eq!(check_path(path), [], "{path}");
        }
    }

    #[test]
    fn banned_modules_and_types_are_found() {
        for text in [
            "mod util {}",
            "pub mod helpers;",
            "struct TaskManager;",
            "enum ReadHelper {}",
            "trait ClockImpl {}",
            "pub(crate) struct PathUtils<'a>(&'a str);",
        ] {
            let findings = check_types_and_modules(&Source::new("a.rs", text));
            assert_eq!(findings.len(), 1, "{text}");
        }
        let good = "mod clock; struct Implication; impl Manager {} // struct TaskManager";
        assert_eq!(check_types_and_modules(&Source::new("a.rs", good)), []);
    }
}
