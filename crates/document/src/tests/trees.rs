//! What the text means: values, merge keys, aliases, variables, limits.

use std::time::Duration;

use super::*;
use crate::{Amount, Limits};

#[test]
fn yaml_and_json_give_the_same_tree() {
    let text =
        r#"{"a": [1, -2.5e3, true, null, "x\ny\u00e9\ud83d\ude00"], "b": {"c": {}, "d": []}}"#;
    let expected = r#"{a: ["1", "-2.5e3", "true", "null", "x\nyé😀"], b: {c: {}, d: []}}"#;
    assert_eq!(outline(json(text).unwrap().root()), expected);
    assert_eq!(outline(yaml(text).root()), expected);
}

#[test]
fn block_texts_keep_their_lines() {
    let document =
        yaml("a: |\n  one\n  two\nb: >-\n  one\n  two\nc: 'it''s'\nd: plain\n  goes on\n");
    assert_eq!(
        outline(document.root()),
        r#"{a: "one\ntwo\n", b: "one two", c: "it's", d: "plain goes on"}"#
    );
}

#[test]
fn an_empty_text_is_an_empty_section() {
    for text in ["", "\n", "# only a comment\n", "---\n", "---\n...\n", "~\n"] {
        let document = yaml(text);
        document.section().finish();
        assert_eq!(document.into_problems(), [], "{text:?}");
    }
}

#[test]
fn own_keys_win_over_merged_ones_and_earlier_merged_over_later() {
    let document = yaml(concat!(
        "one: &one {a: 1, b: 1}\n",
        "two: &two {b: 2, c: 2, <<: {d: 2}}\n",
        "single: {<<: *one, a: own}\n",
        "list: {<<: [*one, *two], e: own}\n",
        "late: {a: own, <<: *one}\n",
        "text: {'<<': kept}\n",
    ));
    assert_eq!(
        outline(document.root()),
        concat!(
            r#"{one: {a: "1", b: "1"}, two: {b: "2", c: "2", d: "2"}, single: {a: "own", b: "1"}, "#,
            r#"list: {e: "own", a: "1", b: "1", c: "2", d: "2"}, late: {a: "own", b: "1"}, "#,
            r#"text: {<<: "kept"}}"#
        )
    );
}

#[test]
fn an_alias_stands_for_its_anchor_also_as_a_key() {
    let document = yaml("a: &x [1, &y k]\nb: *x\n*y : v\n");
    assert_eq!(
        outline(document.root()),
        r#"{a: ["1", "k"], b: ["1", "k"], k: "v"}"#
    );
}

#[test]
fn json_has_no_merge_keys() {
    let document = json(r#"{"<<": {"a": 1}}"#).unwrap();
    assert_eq!(outline(document.root()), r#"{<<: {a: "1"}}"#);
}

#[test]
fn words_are_booleans_only_where_a_boolean_is_expected() {
    let document = yaml("[yes, on, Off, n, 'yes', 1]");
    assert_eq!(
        outline(document.root()),
        r#"["yes", "on", "Off", "n", "yes", "1"]"#
    );
    let items = document.root().items().unwrap();
    let booleans: Vec<_> = items.into_iter().map(Value::boolean).collect();
    assert_eq!(
        booleans,
        [Some(true), Some(true), Some(false), Some(false), None, None]
    );
    assert_eq!(document.into_problems().len(), 2);
}

#[test]
fn numbers_are_read_as_yaml_writes_them() {
    let document = yaml("[12, -3, +4, 1_000, 0x1f, 0o17, !!int '5']");
    let items = document.root().items().unwrap();
    let numbers: Vec<_> = items
        .into_iter()
        .filter_map(|item| item.integer(-100..=1000))
        .collect();
    assert_eq!(numbers, [12, -3, 4, 1000, 31, 15, 5]);

    let document = yaml("[1, 0.5, -1e3, .inf, -.Inf]");
    let items = document.root().items().unwrap();
    let numbers: Vec<_> = items.into_iter().filter_map(Value::float).collect();
    assert_eq!(
        numbers,
        [1.0, 0.5, -1000.0, f64::INFINITY, f64::NEG_INFINITY]
    );

    for text in [
        "inf",
        "nan",
        "0x",
        "1__",
        "--1",
        "010",
        "1e3",
        "99999999999999999999",
        "é1",
    ] {
        let document = yaml(&format!("a: {text}"));
        let value = document.section().value("a").unwrap();
        let number = value.integer(0..=10);
        assert_eq!(number, if text == "1__" { Some(1) } else { None }, "{text}");
    }
}

#[test]
fn a_variable_may_become_a_number_but_never_structure() {
    let document = with_variables(
        "port: \"${PORT}\"\nlist: ${LIST}\nkey${PORT}: $$x\nempty: ${EMPTY}\n",
        &[("PORT", "80"), ("LIST", "[a, b]\nx: y"), ("EMPTY", "")],
    );
    assert_eq!(
        outline(document.root()),
        r#"{port: "80", list: "[a, b]\nx: y", key${PORT}: "$x", empty: ""}"#
    );
    let mut section = document.section();
    assert_eq!(section.value("port").unwrap().integer(0..=100), Some(80));
    assert!(
        section.value("empty").is_some(),
        "an empty variable is a value"
    );
}

#[test]
fn without_a_lookup_a_text_stays_as_it_is_written() {
    assert_eq!(outline(yaml("a: ${X}$$").root()), r#"{a: "${X}$$"}"#);
}

#[test]
fn a_value_is_read_with_its_unit() {
    let document =
        yaml("{a: 1h30m, b: 512MiB, c: 60%, d: 'localhost:80', e: data, f: on, g: '[::1]:1'}");
    let mut section = document.section();
    let mut take = |key| section.value(key).unwrap();
    assert_eq!(take("a").duration(), Some(Duration::from_secs(5400)));
    assert_eq!(take("b").size(0..=u64::MAX), Some(512 << 20));
    assert_eq!(
        take("b").amount(0..=u64::MAX),
        Some(Amount::Bytes(512 << 20))
    );
    assert_eq!(take("c").amount(0..=u64::MAX), Some(Amount::Percent(60)));
    assert_eq!(take("d").socket_address(), "127.0.0.1:80".parse().ok());
    assert_eq!(take("g").socket_address(), "[::1]:1".parse().ok());
    assert_eq!(
        take("e").file_path("/etc/x".as_ref()),
        Some("/etc/x/data".into())
    );
    assert_eq!(take("f").switch(), Some(true));
    assert_eq!(take("f").choice(&["on", "off"]), Some("on"));
    section.finish();
    assert_eq!(document.into_problems(), []);
}

/// The message of the problem that ends the parsing of a text under small limits.
fn refused(text: &str, syntax: Syntax) -> String {
    let limits = Limits {
        bytes_max: 2000,
        depth_max: 20,
        nodes_max: 100,
        expanded_max: 200,
    };
    let options = Options {
        limits,
        variables: None,
    };
    let problems = Document::parse(&source(text), syntax, &options).unwrap_err();
    problems.last().unwrap().message().to_owned()
}

#[test]
fn limits_hold() {
    let cases = [
        ("x".repeat(2001), Syntax::Yaml, "more than 2000 bytes"),
        ("[".repeat(25), Syntax::Yaml, "more than 20 deep"),
        ("- ".repeat(25), Syntax::Yaml, "more than 20 deep"),
        ("? ".repeat(25), Syntax::Yaml, "more than 20 deep"),
        ("{a: ".repeat(25), Syntax::Yaml, "more than 20 deep"),
        ("[".repeat(25), Syntax::Json, "more than 20 deep"),
        ("{\"a\":".repeat(25), Syntax::Json, "more than 20 deep"),
        ("- x\n".repeat(101), Syntax::Yaml, "more than 100 values"),
        (
            format!("[1{}]", ",1".repeat(101)),
            Syntax::Json,
            "more than 100 values",
        ),
        (
            format!("a: &a [{}]\nb: [*a, *a, *a, *a, *a]", "x,".repeat(50)),
            Syntax::Yaml,
            "aliases (*name) written out",
        ),
        (
            format!(
                "a: &a {{{}}}\nb: {{<<: *a}}\nc: {{<<: *a}}\nd: {{<<: *a}}",
                keys(40)
            ),
            Syntax::Yaml,
            "merge keys (<<)",
        ),
        (
            "a: &a [*a]".to_owned(),
            Syntax::Yaml,
            "inside the value that it names",
        ),
    ];
    for (text, syntax, words) in cases {
        let message = refused(&text, syntax);
        assert!(message.contains(words), "{text}: {message}");
    }
}

fn keys(count: usize) -> String {
    let keys: Vec<String> = (0..count).map(|key| format!("k{key}: 1")).collect();
    keys.join(", ")
}

#[test]
fn a_hundred_thousand_open_brackets_do_not_overflow_the_stack() {
    for (text, syntax) in [
        ("[".repeat(100_000), Syntax::Yaml),
        ("- ".repeat(100_000), Syntax::Yaml),
        ("? ".repeat(100_000), Syntax::Yaml),
        ("{\"a\":".repeat(100_000), Syntax::Yaml),
        ("{\"a\":".repeat(100_000), Syntax::Json),
        ("[".repeat(100_000), Syntax::Json),
    ] {
        assert!(Document::parse(&source(&text), syntax, &Options::default()).is_err());
    }
}

#[test]
fn only_so_many_problems_are_kept() {
    let document = yaml(&format!("{{{}}}", keys(250)));
    document.section().finish();
    let problems = document.into_problems();
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].message(), "150 more problems are not shown");

    // Each message looks for the line of the first one: were all made, this would take minutes.
    let problems = yaml(&"a: ${\n".repeat(200_000)).into_problems();
    assert_eq!(problems.len(), 101);
}
