//! Whatever bytes come: no panic, places inside the text, and JSON as strict as another parser's.

use proptest::prelude::*;

use super::*;

/// Parses, walks through the whole tree, reads every scalar as everything, and shows every problem.
fn survive(bytes: &[u8], syntax: Syntax) {
    let source = match Source::from_bytes("test", bytes, 1 << 20) {
        Ok(source) => source,
        Err(problem) => {
            assert!(!problem.to_string().is_empty());
            return;
        }
    };
    let lookup = |name: &str| {
        name.len()
            .is_multiple_of(2)
            .then(|| format!("${{{name}}}: [x"))
    };
    let options = Options {
        variables: Some(&lookup),
        ..Options::default()
    };
    let problems = match Document::parse(&source, syntax, &options) {
        Err(problems) => {
            assert!(!problems.is_empty());
            problems
        }
        Ok(document) => {
            walk(document.root(), source.text());
            document.into_problems()
        }
    };
    let lines = source.text().split('\n').count();
    for problem in problems {
        assert!(
            problem
                .to_string()
                .lines()
                .all(|line| line.chars().count() < 400)
        );
        if let Some((line, column)) = problem.position() {
            assert!(line >= 1 && line <= lines && column >= 1, "{problem}");
        }
    }
}

fn walk(value: Value<'_>, text: &str) {
    let span = value.span();
    assert!(
        text.get(span.start..span.end).is_some(),
        "{span:?} in {text:?}"
    );
    let copy = || value.clone();
    let _ = copy().boolean();
    let _ = copy().switch();
    let _ = copy().duration();
    let _ = copy().integer(-5..=5);
    let _ = copy().float();
    let _ = copy().size(1..=5);
    let _ = copy().amount(1..=5);
    let _ = copy().socket_address();
    let _ = copy().choice(&["on", "off"]);
    let _ = copy().file_path("x".as_ref());
    match value.kind() {
        "section" => {
            let section = value.section().unwrap();
            for (_, value) in section.pairs() {
                walk(value, text);
            }
        }
        "list" => value
            .items()
            .unwrap()
            .into_iter()
            .for_each(|item| walk(item, text)),
        _ => assert!(value.text().is_some()),
    }
}

/// Texts of the pieces that YAML and JSON give a meaning, more likely to get somewhere than random characters.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "key",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        "\n ",
        "\t",
        " ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: ",
        "? ",
        "| ",
        "|\n",
        ">-\n",
        "# x",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "!x ",
        "!!str ",
        "!!int ",
        "${AB}",
        "${ABC}",
        "${",
        "$$",
        "5",
        "10s",
        "1.5h",
        "60%",
        "é",
        "\u{feff}",
        "\u{85}",
        "\\",
        "\\u12",
        "null",
        "~",
        "true",
        "@",
        "`",
        "\r\n",
        "\u{0}",
        "😀",
        "0x1",
        "[::1]:1",
        ":80",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// JSON as serde_json writes it.
fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (-1e9..1e9).prop_map(|number: f64| serde_json::Value::from(number)),
        ".{0,8}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::hash_map(".{0,5}", inner, 0..6)
                .prop_map(serde_json::Value::from_iter),
        ]
    })
}

fn json_outline(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => {
            let pairs: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key}: {}", json_outline(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        serde_json::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(json_outline).collect();
            format!("[{}]", items.join(", "))
        }
        serde_json::Value::String(text) => format!("{text:?}"),
        other => format!("{:?}", other.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&bytes, Syntax::Yaml);
        survive(&bytes, Syntax::Json);
    }

    #[test]
    fn random_text_never_panics(text in "\\PC{0,100}") {
        survive(text.as_bytes(), Syntax::Yaml);
        survive(text.as_bytes(), Syntax::Json);
    }

    #[test]
    fn pieces_of_yaml_and_json_never_panic(text in pieces()) {
        survive(text.as_bytes(), Syntax::Yaml);
        survive(text.as_bytes(), Syntax::Json);
    }

    #[test]
    fn json_is_as_strict_as_serde_json(text in pieces()) {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        prop_assert_eq!(json(&text).is_ok(), theirs.is_ok(), "{:?}", theirs);
    }

    #[test]
    fn json_that_serde_json_writes_is_read(value in json_value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let document = json(&text).unwrap();
            prop_assert_eq!(outline(document.root()), json_outline(&value));
        }
    }

    #[test]
    fn json_is_yaml(value in json_value()) {
        let text = value.to_string();
        // A very long key, and characters that YAML does not allow, are the known differences.
        if let Ok(document) = Document::parse(&source(&text), Syntax::Yaml, &Options::default()) {
            prop_assert_eq!(outline(document.root()), json_outline(&value));
        }
    }
}
