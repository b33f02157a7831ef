//! Numbers, strings and words in all their forms, each with its place.

use super::*;

#[track_caller]
fn number(text: &str) -> f64 {
    match &tokenize(text).lexemes[0].token {
        Token::Number(_, value) => *value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_read_in_all_forms() {
    for (text, value) in [
        ("1", 1.0),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("2.", 2.0),
        ("1_000_000", 1e6),
        ("1_23.50_0_0e+1_2", 1.235e14),
        ("0x1F", 31.0),
        ("0X_1f", 31.0),
        ("017", 15.0),
        ("08", 8.0),
        ("0b11", 3.0),
        ("1e+5", 1e5),
        ("1E5", 1e5),
        ("123456789012345678901", 123456789012345678901.0),
    ] {
        assert_eq!(number(text), value, "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused_as_a_whole() {
    for text in [
        "1__0", "1_", "1_.5", "1._5", "1_e5", "1e_5", "0x_", "1e999", "0xg", "1.2.3", "5mm",
        "1h1h", "1e", "1abc",
    ] {
        let error = tokenize(text).error_at_end.unwrap();
        let expected = format!("1:1: parse error: bad number or duration syntax: {text:?}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn strings_know_the_escapes_of_go() {
    for (text, value) in [
        (r#""a\n\t\\\"""#, "a\n\t\\\""),
        (r"'it\'s'", "it's"),
        (r"`raw\n`", r"raw\n"),
        (r#""\x41\101\u00e4\U0001F600""#, "AAä😀"),
    ] {
        let token = tokenize(text).lexemes[0].token.clone();
        assert_eq!(token, Token::String(text, value.to_owned()));
    }
    for (text, message) in [
        (r#""\q""#, "unknown escape sequence U+0071 'q'"),
        (r#""\'""#, "unknown escape sequence U+0027 '\\''"),
        (r#""\xff""#, "string is not valid UTF-8"),
        ("\"a\nb\"", "unterminated quoted string"),
        ("`a", "unterminated raw string"),
    ] {
        assert_eq!(
            tokenize(text).error_at_end.unwrap().message,
            message,
            "{text}"
        );
    }
}

#[test]
fn every_token_knows_its_line_and_column() {
    let tokens = tokenize("a # comment\n  + b[5m:1m]");
    let shown: Vec<_> = tokens
        .lexemes
        .iter()
        .map(|lexeme| format!("{} {}", lexeme.span.start, lexeme.token.description()))
        .collect();
    assert_eq!(
        shown,
        [
            "1:1 identifier \"a\"",
            "2:3 <op:+>",
            "2:5 identifier \"b\"",
            "2:6 \"[\"",
            "2:7 duration \"5m\"",
            "2:9 \":\"",
            "2:10 duration \"1m\"",
            "2:12 \"]\"",
            "2:13 end of input",
        ]
    );
}
