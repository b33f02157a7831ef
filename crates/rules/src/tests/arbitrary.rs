//! No text makes the readers panic, and what is a problem has a place inside the text.

use document::Source;
use proptest::prelude::*;

use crate::parse;
use crate::template::Template;

const PARTS: [&str; 30] = [
    "{{", "}}", "{{-", "-}}", " ", "\n", "ä", "\"", "`", "'", "end", "else", "if", "range", "with",
    "define", "template", "block", "$labels", ".x", "$", "|", ":=", "=", "(", ")", "1", "query",
    "/*", "*/",
];

const LINES: [&str; 22] = [
    "groups:",
    "- name: g",
    "  name: h",
    "  rules:",
    "  - alert: A",
    "  - record: r",
    "    expr: up",
    "    expr: |",
    "      sum(",
    "      ä + ",
    "    for: 5m",
    "    for: x",
    "    labels: {a: '{{ $x }}'}",
    "    labels:",
    "      b: \"\\u0041{{\"",
    "    annotations: {c: >",
    "      {{ end }}",
    "  interval: 1m",
    "  limit: 3",
    "",
    "# ä",
    "    expr: 'up == ''",
];

proptest! {
    #[test]
    fn a_template_parses_or_says_where_not(parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..20)) {
        let text = parts.concat();
        match Template::parse(&text) {
            Ok(template) => prop_assert_eq!(template.text(), text),
            Err(error) => prop_assert!(error.offset <= text.len(), "{:?} {:?}", text, error),
        }
    }

    #[test]
    fn a_file_parses_or_says_where_not(lines in prop::collection::vec(prop::sample::select(&LINES[..]), 0..25)) {
        if let Err(problems) = parse(&Source::new("r.yml", lines.join("\n"))) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.to_string().starts_with("r.yml"));
            }
        }
    }
}
