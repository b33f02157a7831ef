//! Documents that must stay true: the map names every crate, and each path that a document names exists.

use super::Finding;
use crate::tree::Tree;

/// The documents whose paths are checked.
const CHECKED: [&str; 5] = [
    "ARCHITECTURE.md",
    "STYLE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
];

/// The documents that must exist at all.
const REQUIRED: [&str; 6] = [
    "ARCHITECTURE.md",
    "STYLE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
];

/// A map that is longer is not read.
const MAP_LINES_MAX: usize = 300;

/// A markdown file has one title, `# …`, before every other heading.
pub(crate) fn check_title(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut titles = 0;
    for (index, line) in prose(text) {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level == 0 || !line[level..].starts_with(' ') {
            continue;
        }
        titles += usize::from(level == 1);
        let problem = match (level, titles) {
            (1, 1) => continue,
            (1, _) => "a second title: one `# …` in each document",
            (_, 0) => "a heading before the title: open the document with `# …`",
            _ => continue,
        };
        findings.push(Finding::new(path, index + 1, problem));
    }
    if titles == 0 && findings.is_empty() {
        findings.push(Finding::new(
            path,
            1,
            "no title: open the document with `# …`",
        ));
    }
    findings
}

/// The house has its documents, and each path in backticks in them exists.
pub(crate) fn check_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in REQUIRED {
        if !tree.contains(path) {
            findings.push(Finding::new(path, 0, "this document is missing"));
        }
    }
    for document in CHECKED {
        for (index, line) in prose(tree.text(document)) {
            for named in line.split('`').skip(1).step_by(2) {
                if is_path(tree, named) && !tree.contains(named) {
                    let problem = format!("names `{named}`, which does not exist");
                    findings.push(Finding::new(document, index + 1, problem));
                }
            }
        }
    }
    findings
}

/// ARCHITECTURE.md names every crate by its folder and is short enough to be read.
pub(crate) fn check_map(tree: &Tree) -> Vec<Finding> {
    let path = "ARCHITECTURE.md";
    let text = tree.text(path);
    let mut findings = Vec::new();
    let mut folders: Vec<String> = tree
        .crates()
        .iter()
        .map(|name| format!("crates/{name}"))
        .collect();
    folders.push("xtask".to_owned());
    for folder in folders {
        if !text.contains(&format!("`{folder}`")) {
            let problem = format!("the map does not name `{folder}`");
            findings.push(Finding::new(path, 0, problem));
        }
    }
    let lines = text.lines().count();
    if lines > MAP_LINES_MAX {
        let problem = format!("{lines} lines; a map of more than {MAP_LINES_MAX} is not read");
        findings.push(Finding::new(path, 0, problem));
    }
    findings
}

/// Whether a text in backticks means a path of this tree: its first part is a folder at the root, or it is the
/// name of a file that only the root has.
fn is_path(tree: &Tree, text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if text.is_empty() || !text.chars().all(is_plain) || text.starts_with('/') {
        return false;
    }
    match text.split_once('/') {
        Some((first, _)) => first != "data" && tree.contains(&format!("{first}/")),
        None => text.ends_with(".md") || text.ends_with(".toml"),
    }
}

/// The lines outside of code blocks, with their index.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_without_exactly_one_title_is_found() {
        for text in [
            "",
            "words",
            "# One\n# Two",
            "## Part\n# Title",
            "```\n# code\n```\n",
        ] {
            assert_eq!(check_title("a.md", text).len(), 1, "{text:?}");
        }
        for text in [
            "# One\n## Two\n### Three",
            "# One\n```sh\n# comment\n```\n#hash",
        ] {
            assert_eq!(check_title("a.md", text), [], "{text:?}");
        }
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let tree = Tree::of(&[
            ("ARCHITECTURE.md", "`crates/wire/src/gone.rs`"),
            ("STYLE.md", "see `crates/wire` and `cargo.toml`"),
            ("CONTRIBUTING.md", "`GONE.md`"),
            (
                "README.md",
                "`a/b`, `crates/*/src`, `/api/v1`, `crates/wire/src/lib.rs`, `data/wal/`",
            ),
            ("SECURITY.md", "```\n`crates/gone`\n```"),
            ("CHANGELOG.md", "`crates/once-was-here`"),
            ("crates/wire/src/lib.rs", ""),
        ]);
        let found: Vec<String> = check_paths(&tree).iter().map(Finding::to_string).collect();
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md:1: names `crates/wire/src/gone.rs`, which does not exist",
                "STYLE.md:1: names `cargo.toml`, which does not exist",
                "CONTRIBUTING.md:1: names `GONE.md`, which does not exist",
            ]
        );
    }

    #[test]
    fn a_missing_document_is_found() {
        assert_eq!(check_paths(&Tree::default()).len(), REQUIRED.len());
    }

    #[test]
    fn a_crate_that_the_map_does_not_name_is_found() {
        let manifest = ("crates/wire/Cargo.toml", "");
        let tree = Tree::of(&[manifest, ("ARCHITECTURE.md", "`xtask`, `crates/wire2`")]);
        assert_eq!(check_map(&tree).len(), 1);
        let tree = Tree::of(&[manifest, ("ARCHITECTURE.md", "`xtask`, `crates/wire`")]);
        assert_eq!(check_map(&tree), []);
    }

    #[test]
    fn a_map_that_is_too_long_is_found() {
        let text = "`xtask`\n".repeat(MAP_LINES_MAX + 1);
        assert_eq!(check_map(&Tree::of(&[("ARCHITECTURE.md", &text)])).len(), 1);
    }
}
