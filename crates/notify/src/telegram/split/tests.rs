//! Whatever is cut, nothing is lost and nothing is broken.

use proptest::prelude::*;

use super::*;

/// Texts with markup of all kinds, whole and broken.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<b>".to_owned()),
        Just("</b>".to_owned()),
        Just("<a href=\"https://x.example.org/?a=1&amp;b=2\">".to_owned()),
        Just("</a>".to_owned()),
        Just("&amp;&lt;&#39;".to_owned()),
        Just("\\*\\_".to_owned()),
        Just("< & \\".to_owned()),
        Just("\n".to_owned()),
        "[a-zé😀 ]{0,900}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Html),
        Just(Mode::MarkdownV2),
        Just(Mode::Markdown),
        Just(Mode::Plain)
    ]
}

fn shown(text: &str, mode: Mode) -> String {
    let tokens = tokens(text, mode);
    let shown = tokens.into_iter().map(|token| match token {
        Token::Text { plain, .. } => plain,
        Token::Open { .. } | Token::Close { .. } => String::new(),
    });
    shown.collect()
}

proptest! {
    // A text of many parts is long, and shrinking it longer.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_is_lost_and_no_part_is_too_long(text in texts(), mode in modes()) {
        let pieces = split(&text, mode);
        prop_assert!(!pieces.is_empty());
        let mut joined = String::new();
        for piece in &pieces {
            prop_assert!(piece.plain.encode_utf16().count() <= LENGTH_MAX);
            prop_assert!(piece.marked.len() <= MARKED_MAX + 4200, "{}", piece.marked.len());
            prop_assert_eq!(&shown(&piece.marked, mode), &piece.plain);
            joined.push_str(&piece.plain);
        }
        let letters = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert!(pieces.len() == PARTS_MAX || letters(&joined) == letters(&shown(&text, mode)));
    }

    #[test]
    fn a_tag_that_was_open_is_open_again(text in "[a-z ]{5000,9000}") {
        let pieces = split(&format!("<b>x <i>{text}</i></b>"), Mode::Html);
        prop_assert!(pieces.len() > 1);
        for piece in pieces {
            for (open, close) in [("<b>", "</b>"), ("<i>", "</i>")] {
                prop_assert_eq!(piece.marked.matches(open).count(), 1);
                prop_assert_eq!(piece.marked.matches(close).count(), 1);
            }
            prop_assert!(piece.marked.ends_with("</i></b>"));
        }
    }
}

#[test]
fn a_short_text_stays_as_it_is() {
    for text in ["", "<b>x</b> &amp;", "a < b"] {
        let pieces = split(text, Mode::Html);
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].marked, text);
    }
}

#[test]
fn a_text_is_cut_between_lines_if_it_has_any() {
    let text = format!("{}\n{}", "a".repeat(3000), "b".repeat(3000));
    let pieces = split(&text, Mode::Plain);
    assert_eq!(pieces.len(), 2);
    assert!(pieces[0].plain.ends_with("a\n"));
}

#[test]
fn an_endless_text_ends_with_a_note() {
    let pieces = split(&"x".repeat(100_000), Mode::Html);
    assert_eq!(pieces.len(), PARTS_MAX);
    assert!(pieces[PARTS_MAX - 1].plain.contains("too long"));
}
