//! What `deploy/` holds fits the program: its files are whole, start the program as it wants to be started, and keep
//! what they promise about its rights.

mod compose;
mod grafana;
mod image;
mod kubernetes;
mod package;
mod unit;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::program::{command, run};

/// A file or folder of the project, by its path from the root.
fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
        .canonicalize()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text of a file of the project.
fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_guide_knows_the_exit_codes_of_the_program() {
    let help = String::from_utf8(run(&["serve", "--help"]).stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let codes = codes
        .lines()
        .map_while(|line| line.split_whitespace().next());
    let guide = text("docs/operations.md");
    let mut count = 0;
    for code in codes {
        assert!(guide.contains(&format!("\n| {code} | ")), "{code}");
        count += 1;
    }
    assert_eq!(count, 6, "{help}");
}

/// A YAML file of the project as JSON, in which all scalars are texts; it holds one document and no mistake.
fn yaml(path: &str) -> Value {
    let text = text(path);
    let document = document::Document::parse(
        &document::Source::new(path, &text),
        document::Syntax::Yaml,
        &document::Options::default(),
    )
    .unwrap_or_else(|problems| panic!("{problems:?}"));
    let value = value(document.root());
    let problems = document.into_problems();
    assert!(problems.is_empty(), "{problems:?}");
    value
}

fn value(from: document::Value<'_>) -> Value {
    match from.kind() {
        "section" => {
            let pairs = from.section().unwrap().pairs().into_iter();
            let pairs = pairs.map(|(key, from)| (key.to_owned(), value(from)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        "list" => Value::Array(from.items().unwrap().into_iter().map(value).collect()),
        _ if from.is_null() => Value::Null,
        _ => Value::String(from.text().unwrap().to_owned()),
    }
}

/// The program takes the configuration, with these variables and without a warning.
fn assert_good(file: &Path, variables: &[(&str, &str)]) {
    let check = command(&["check", "config"])
        .arg(file)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&check.stderr);
    assert!(
        check.status.success() && words.is_empty(),
        "{}: {words}",
        file.display()
    );
}

/// A configuration with all its examples switched on: comment lines that hold a key, or follow one that does.
fn uncommented(text: &str) -> String {
    let mut lines = Vec::new();
    let mut is_example = false;
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            is_example = false;
            lines.push(line);
            continue;
        };
        let is_key = |key: &str| {
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let begins = comment.split_once(':').is_some_and(|(key, _)| is_key(key));
        is_example = begins || (is_example && comment.starts_with(' '));
        if is_example {
            lines.push(comment);
        }
    }
    lines.join("\n") + "\n"
}
