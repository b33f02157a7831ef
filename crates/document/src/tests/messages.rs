//! What a beginner is told: every message for broken text, beside the text that gives it.

use expect_test::expect_file;

use super::*;

/// Texts with one mistake each.
const BROKEN_YAML: &[&str] = &[
    "host:\n\tinterval: 5s\n",
    "host:\n  interval: 5s\n\tprocfs: /proc\n",
    "host:\n  interval: 5s\n   procfs: /proc\n",
    "host:\n  interval: 5s\n procfs: /proc\n",
    "host:\n    interval: 5s\n  procfs: /proc\n",
    "listen 127.0.0.1:1\nlog: x\n",
    "listen: 127.0.0.1:1\nlog\n",
    "listen: 127.0.0.1:1\nlog\nhost: x\n",
    "listen:127.0.0.1\nlog: x\n",
    "a: [1, 2\nb: 3\n",
    "a: {x: 1\nb: 3\n",
    "a: \"open\nb: 3\n",
    "a: 'it's'\n",
    "a: @x\n",
    "a: `x`\n",
    "a: %x\n",
    "a: *nope\n",
    "a: foo: bar\n",
    "a: \"c:\\windows\"\n",
    "- a\nb: c\n",
    "a: b\n- c\n",
    "a:\n  - b\n c: d\n",
    "a: {{ x }}\n",
    "a: [1,,2]\n",
    "a: ]\n",
    "a: 5\n  b: 6\n",
    "a: |\n  x\n y\n",
    "a: !secret x\n",
    "a: *\n",
    "? [a]\n: b\n",
    "a: &x [*x]\n",
    "a: 1\n---\nb: 2\n",
    "a: }\n",
    "a: b #c\n  d\n",
    "a: - b\n",
    "a:\n  -b\n  c: d\n",
    "a: \u{7}x\n",
    "a: 1\nb: 2\n  c: 3\nd: 4\n",
    "%YAML 3.0\n---\na: 1\n",
    "a: >x\n y\n",
    "a: \"b\" c\n",
    "a: &\n",
    "a:\n  b: 1\n  b: 2\n",
    "a: 'b'\n'c'\n",
    "a: &b &c d\n",
    "{a: 1}}",
    "{a: 1} b\n",
    "a: \"\\ud800\"\n",
    "a: [1\n",
    "a:\n  - b\n   - c\n d: e\n",
    "a: |1x\n",
    "%TAG ! x\n",
    "- - a\n -b\n",
    "a: {b: \"c}\n",
    "a:\n  b: c\n d\n",
    "a: !<x\n",
    "<<: 5\n",
    "a: b\u{0}",
];

const BROKEN_JSON: &[&str] = &[
    "",
    " ",
    "{",
    "[1, 2",
    "[1,",
    "{\"a\": 1\n\"b\": 2}",
    "{\"a\": 1]",
    "{\"a\": 1,}",
    "[1, 2,]",
    "[1 2]",
    "{\"a\" 1}",
    "{a: 1}",
    "{'a': 1}",
    "{\"a\": 'x'}",
    "{\"a\": yes}",
    "{\"a\": True}",
    "{\"a\": 30s}",
    "{\"a\": 010}",
    "{\"a\": .5}",
    "{\"a\": 1.}",
    "{\"a\": 1e}",
    "{\"a\": -}",
    "{\"a\": }",
    "{\"a\": \"x}",
    "{\"a\": \"\\x\"}",
    "{\"a\": \"\\u12\"}",
    "{\"a\": \"\\ud800\"}",
    "{\"a\": \"\tx\"}",
    "{} {}",
    "{} # x",
    "/* x */ {}",
    "{\"a\": 1, \"a\": 2}",
    "{\"a\": [{\"b\": é}]}",
];

#[test]
fn each_mistake_in_yaml_is_explained() {
    let found = messages(BROKEN_YAML, Syntax::Yaml);
    expect_file!["../../testdata/broken_yaml.txt"].assert_eq(&found);
}

#[test]
fn each_mistake_in_json_is_explained() {
    let found = messages(BROKEN_JSON, Syntax::Json);
    expect_file!["../../testdata/broken_json.txt"].assert_eq(&found);
}

fn messages(texts: &[&str], syntax: Syntax) -> String {
    let mut found = String::new();
    for text in texts {
        let parsed = Document::parse(&source(text), syntax, &Options::default());
        let problems = parsed.map_or_else(|problems| problems, Document::into_problems);
        assert!(!problems.is_empty(), "nothing is wrong with {text:?}");
        found.push_str(&format!("# {text:?}\n{}\n\n", shown(&problems)));
    }
    found
}

#[test]
fn a_long_line_is_cut_around_its_mark() {
    let text = format!(
        "{{{}, bad: \u{1b}[31mx, {}}}",
        "k: 1, ".repeat(50).trim_end_matches(", "),
        "l: 2"
    );
    let parsed = Document::parse(&source(&text), Syntax::Yaml, &Options::default());
    let found = shown(&parsed.map_or_else(|problems| problems, Document::into_problems));
    assert!(
        found.lines().all(|line| line.chars().count() < 200),
        "{found}"
    );
    assert!(!found.contains('\u{1b}'), "a terminal would obey: {found}");
}

#[test]
fn columns_count_characters() {
    let document = yaml("'ключ': {é: 1, é: 2}\n");
    let problems = document.into_problems();
    assert_eq!(problems[0].position(), Some((1, 16)));
    assert_eq!(problems[0].path(), "ключ.é");
}

#[test]
fn a_missing_key_is_asked_for() {
    let document = yaml("rules:\n  - name: a\n  - interval: 5s\n  - name:\n");
    let items = document.section().value("rules").unwrap().items().unwrap();
    for item in items {
        let mut section = item.section().unwrap();
        section.required("name");
        let _ = section.value("interval");
        section.finish();
    }
    let found = shown(&document.into_problems());
    expect_test::expect![[r#"
        test.yml:3:5: rules[1].name: the key "name" is missing here
          3 |   - interval: 5s
            |     ^
        test.yml:4:5: rules[2].name: name needs a value
          4 |   - name:
            |     ^^^^"#]]
    .assert_eq(&found);
}

/// Nothing of these is shown, whatever is wrong around them.
#[test]
fn a_secret_is_shown_neither_in_a_message_nor_in_an_excerpt() {
    const SECRET: &str = "hunter2";
    let read = |text: &str| -> Vec<Problem> {
        let source = Source::new("test.yml", text);
        let options = Options::default();
        let document = match Document::parse(&source, Syntax::Yaml, &options) {
            Ok(document) => document,
            Err(problems) => return problems,
        };
        if let Some(mut root) = document.root().section() {
            let mut login = root.section("basic_auth");
            let _ = login.value("password");
            login.finish();
            let _ = root.value("smtp_auth_password").map(Value::boolean);
            let _ = root.value("authorization").map(Value::section);
            let _ = root.value("bot_token").map(Value::items);
            root.finish();
        }
        document.into_problems()
    };
    for text in [
        "smtp_auth_password: hunter2",
        "authorization: hunter2",
        "bot_token: hunter2",
        "bot_token: {hunter2: x}",
        "basic_auth: {usr: x, password: hunter2}",
        "basic_auth: hunter2",
        "pasword: hunter2\nx: 1",
        "password: *hunter2",
        "password: !hunter2 x",
        "password: @hunter2",
        "password:hunter2\nx: 1",
        "password: \"hunter2\nx: 1",
        "token: a: hunter2",
        "secret: |\n    a\n  hunter2\n",
        "api_url: https://hooks.test/hunter2\n  x: 1",
    ] {
        let problems = read(text);
        assert!(!problems.is_empty(), "{text}");
        for problem in problems {
            let shown = problem.to_string();
            assert!(!shown.contains(SECRET), "{text}\n{shown}");
        }
    }
}
