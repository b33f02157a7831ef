//! The rules of the house that a machine can check. Each family of rules is one file, each rule a function from
//! a file to its findings; what only people can judge is listed as places to look.

mod assertions;
mod expectations;
mod header;
mod layers;
mod listing;
mod manifests;
mod markdown;
mod modules;
mod names;
mod notes;
mod places;
mod source;

use std::fmt;

use anyhow::{Result, bail};

use crate::process;
use crate::tree::Tree;
use source::Source;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, from the root of the tree.
    path: String,
    /// Counted from 1; 0 is the file as a whole.
    line: usize,
    /// What is wrong and what would be right.
    problem: String,
}

impl Finding {
    fn new(path: &str, line: usize, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.path, self.problem),
            line => write!(formatter, "{}:{line}: {}", self.path, self.problem),
        }
    }
}

/// Checks all rules; with `--list` also prints the longest files and functions and the size of each crate.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let list = match arguments {
        [] => false,
        [option] if option == "--list" => true,
        [unexpected, ..] => bail!("unexpected argument `{unexpected}`; the only one is --list"),
    };
    let tree = Tree::load(&process::root()?)?;
    let mut findings = check_tree(&tree);
    findings.extend(layers::check(&layers::Dependencies::load(&tree.crates())?));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if list {
        listing::print(&tree);
    }
    if !findings.is_empty() {
        bail!("{} broken rules of the house, listed above", findings.len());
    }
    println!(
        "tidy: {} files keep the rules of the house",
        tree.files.len()
    );
    Ok(())
}

/// All rules that need nothing but the files.
fn check_tree(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        findings.extend(names::check_path(path));
        findings.extend(places::check(path, text));
        if path.ends_with(".rs") {
            let source = Source::new(path, text);
            findings.extend(header::check(&source));
            findings.extend(names::check_types_and_modules(&source));
            findings.extend(assertions::check_bare_matches(&source));
            findings.extend(assertions::check_tests(&source));
            findings.extend(assertions::check_ignored(&source));
            findings.extend(expectations::check(&source));
            findings.extend(notes::check(path, &source.comments));
        } else {
            findings.extend(notes::check(path, text));
        }
        if path.ends_with(".md") {
            findings.extend(markdown::check_title(path, text));
        }
    }
    findings.extend(modules::check(tree));
    findings.extend(manifests::check(tree));
    findings.extend(markdown::check_paths(tree));
    findings.extend(markdown::check_map(tree));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree in which every rule is broken once, so that a rule nobody calls is noticed.
    #[test]
    fn every_rule_is_asked() {
        let mark = concat!("TO", "DO");
        let tree = Tree::of(&[
            ("crates/wire/Cargo.toml", "[dependencies]\nsnap = \"1\"\n"),
            (
                "crates/wire/src/lib.rs",
                "//! Words.\nmod text;\nmod util;\nstruct TaskManager;\n",
            ),
            (
                "crates/wire/src/text.rs",
                "fn f() { matches!(x, y); x.expect(\"\"); }\n#[test] fn t() {}\n",
            ),
            (
                "crates/wire/src/dead.rs",
                &format!("//! Words.\n// {mark}: revive\n"),
            ),
            (
                "crates/wire/README.md",
                concat!("No title, but /ro", "ot/ is named.\n"),
            ),
            ("README.md", &format!("# Title\n\n`crates/gone` {mark}\n")),
        ]);
        let problems: Vec<String> = check_tree(&tree).iter().map(Finding::to_string).collect();
        let problems = problems.join("\n");
        for expected in [
            "crates/wire/Cargo.toml:2: `snap` is not used",
            "crates/wire/Cargo.toml: the workspace's lints",
            "crates/wire/src/lib.rs:3: `util`",
            "crates/wire/src/lib.rs:4: `TaskManager`",
            "crates/wire/src/text.rs:1: open the file",
            "crates/wire/src/text.rs:1: `matches!",
            "crates/wire/src/text.rs:1: say why it cannot happen",
            "crates/wire/src/text.rs:2: the test `t`",
            "crates/wire/src/dead.rs: no module",
            "crates/wire/src/dead.rs:2: `TO",
            "crates/wire/README.md:1: no title",
            "exists on one machine only",
            "README.md:3: names `crates/gone`",
            "README.md:3: `TO",
            "STYLE.md: this document is missing",
            "the map does not name `crates/wire`",
        ] {
            assert!(
                problems.contains(expected),
                "{expected} is missing in\n{problems}"
            );
        }
    }
}
