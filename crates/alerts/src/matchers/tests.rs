//! What is a list of matchers, and where it goes wrong.

use proptest::prelude::*;

use super::*;

fn shown(text: &str) -> String {
    match parse_matchers(text) {
        Ok(matchers) => {
            let shown: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
            shown.join(",")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn matchers_are_read_with_and_without_braces_and_quotes() {
    for (text, expected) in [
        ("", ""),
        ("{}", ""),
        (r#"a="b""#, r#"a="b""#),
        ("a=b", r#"a="b""#),
        (r#" a =~ "b|c" "#, r#"a=~"b|c""#),
        (r#"{a!="b", c!~d.*,}"#, r#"a!="b",c!~"d.*""#),
        (r#""with space"="x,y}""#, r#""with space"="x,y}""#),
        ("größe=größer", r#""größe"="größer""#),
        (r#"a="""#, r#"a="""#),
        (r#"a="\"\\\n\u00e4""#, r#"a="\"\\\nä""#),
        (
            "severity=~warning|critical",
            r#"severity=~"warning|critical""#,
        ),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn a_mistake_is_named_with_its_column() {
    for (text, expected) in [
        ("a", "column 2: one of = != =~ !~ is needed here"),
        (
            "a=",
            r#"column 3: a value, "" for an empty one, is missing at the end"#,
        ),
        ("=b", "column 1: a label name is needed here, not ="),
        ("a=b c", "column 5: a comma is missing here"),
        ("{a=b", "column 5: a comma or the closing }"),
        ("a=b}", "column 4: a comma is missing here"),
        (r#"a="b"#, "column 3: the closing quote is missing"),
        (r#"ä="\x""#, r"column 4: the escapes are"),
        (r#"a="\u12""#, "column 4: 4 hexadecimal digits"),
        ("a='b'", "not '; quotes are \""),
        (r#"a=~"(""#, "column 4: invalid regular expression"),
        (",", "column 1: a label name is needed here, not ,"),
    ] {
        let found = shown(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(name in "\\PC{1,8}", value in "(?s).{0,8}", equal: bool) {
        let kind = if equal { MatchKind::Equal } else { MatchKind::NotEqual };
        let matcher = Matcher::new(kind, name, value).unwrap();
        let text = format!("{{{matcher}}}");
        prop_assert_eq!(parse_matchers(&text), Ok(vec![matcher]));
    }

    #[test]
    fn no_text_is_too_much(text in "(?s)[a{}=~!\",\\\\ u0-9ä].{0,20}") {
        if let Err(error) = parse_matchers(&text) {
            prop_assert!(error.column <= text.chars().count() + 1);
        }
    }
}
