//! What a document promises: trees, readers, limits and messages, for YAML and JSON alike.

mod messages;
mod properties;
mod trees;

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Document, Options, Problem, Source, Syntax, Value};

fn source(text: &str) -> Arc<Source> {
    Source::new("test.yml", text)
}

fn yaml(text: &str) -> Document {
    Document::parse(&source(text), Syntax::Yaml, &Options::default())
        .unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

fn json(text: &str) -> Result<Document, Vec<Problem>> {
    Document::parse(&source(text), Syntax::Json, &Options::default())
}

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Document {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let options = Options {
        variables: Some(&lookup),
        ..Options::default()
    };
    Document::parse(&source(text), Syntax::Yaml, &options).unwrap()
}

fn shown(problems: &[Problem]) -> String {
    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
    shown.join("\n")
}

/// A tree as one line: `{a: "x", b: ["y"]}`; every scalar as its text.
fn outline(value: Value<'_>) -> String {
    match value.kind() {
        "section" => {
            let pairs = value.section().unwrap().pairs();
            let shown: Vec<String> = pairs
                .into_iter()
                .map(|(key, value)| format!("{key}: {}", outline(value)))
                .collect();
            format!("{{{}}}", shown.join(", "))
        }
        "list" => {
            let items = value.items().unwrap();
            let shown: Vec<String> = items.into_iter().map(outline).collect();
            format!("[{}]", shown.join(", "))
        }
        _ => format!("{:?}", value.text().unwrap()),
    }
}
