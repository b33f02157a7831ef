//! Regular expressions as RE2 reads them, written in the syntax of our crate.
//!
//! In RE2 `\d`, `\s`, `\w` and `\b` are about ASCII, and inside a class `[`, `&&`, `~~` and `--` have no meaning of
//! their own. All else is left as it stands, errors included.

use std::iter::Peekable;
use std::str::Chars;

/// The expression with the crate's reading made RE2's.
pub(super) fn translated(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some(boundary @ ('b' | 'B')) => out.extend(["(?-u:\\", &boundary.to_string(), ")"]),
                Some(escaped) => push_escape(escaped, &mut out),
                None => out.push('\\'),
            },
            '[' => push_class(&mut rest, &mut out),
            other => out.push(other),
        }
    }
    out
}

/// The rest of a class whose bracket was read.
fn push_class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut is_first = true;
    while let Some(character) = rest.next() {
        if character == ']' && !is_first {
            out.push(']');
            return;
        }
        is_first = false;
        if let Some(escaped) = rest.next_if(|_| character == '\\') {
            push_escape(escaped, out);
            if perl_class(escaped).is_some() {
                continue;
            }
        } else if let Some(name) = posix_class(character, rest) {
            rest.nth(name.len() - 1);
            out.push('[');
            out.push_str(&name);
            continue;
        } else {
            push_literal(character, out);
        }
        push_range_end(rest, out);
    }
}

/// What makes a range of the literal before it, if anything does.
fn push_range_end(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut ahead = rest.clone();
    if ahead.next() != Some('-') || ahead.next().is_none_or(|end| end == ']') {
        return;
    }
    rest.next();
    out.push('-');
    match rest.next() {
        // A class ends no range: left as it is, the crate refuses it.
        Some('\\') => {
            out.push('\\');
            out.extend(rest.next());
        }
        Some(end) => push_literal(end, out),
        None => {}
    }
}

/// `:name:]` if it follows the bracket just read.
fn posix_class(character: char, rest: &Peekable<Chars<'_>>) -> Option<String> {
    let mut ahead = rest.clone();
    if character != '[' || ahead.next() != Some(':') {
        return None;
    }
    let mut name = String::from(":");
    for character in ahead.by_ref() {
        name.push(character);
        match character {
            ':' => break,
            'a'..='z' | '^' => {}
            _ => return None,
        }
    }
    name.push(']');
    (ahead.next() == Some(']')).then_some(name)
}

/// A literal inside a class; those with a meaning in the crate lose it.
fn push_literal(character: char, out: &mut String) {
    if matches!(character, '[' | ']' | '&' | '~' | '-') {
        out.push('\\');
    }
    out.push(character);
}

fn push_escape(escaped: char, out: &mut String) {
    if let Some(class) = perl_class(escaped) {
        out.push_str(class);
        return;
    }
    out.push('\\');
    out.push(escaped);
}

/// Plain classes, not the crate's `(?-u:\w)`: under `(?i)` RE2 folds them by Unicode's rules as well.
fn perl_class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\x0C\r\x20]",
        'S' => r"[^\t\n\x0C\r\x20]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(expression: &str, text: &str) -> bool {
        let anchored = format!("^(?s:{})$", translated(expression));
        regex::Regex::new(&anchored).unwrap().is_match(text)
    }

    #[test]
    fn perl_classes_are_about_ascii() {
        assert!(matches(r"\w+", "cafe_1") && !matches(r"\w+", "café"));
        assert!(matches(r"\W", "é") && matches(r"[^\w]", "é") && matches(r"[\W]", "é"));
        assert!(matches(r"\d", "7") && !matches(r"\d", "٧") && matches(r"\D", "٧"));
        assert!(matches(r"\s", "\t") && !matches(r"\s", "\u{b}") && !matches(r"\s", "\u{a0}"));
        assert!(matches(r"[\d\s-]+", "1 -") && matches(r"[\w-é]+", "a-é"));
        // Between é and b there is a boundary of words for RE2, and none for Unicode.
        assert!(matches(r"é\bb", "éb") && matches(r"é\Bé", "éé"));
        assert!(matches(r"(?i)É\pL", "éé") && matches(r"(?i)\w", "ſ"));
    }

    #[test]
    fn escaped_backslashes_and_letters_stay() {
        for expression in [
            r"\\w",
            r"[\\w]",
            r"\pL\p{Greek}",
            r"\x{61}[\x{61}-\x{7a}]",
            "é+|b?",
            r"\",
        ] {
            assert_eq!(translated(expression), expression);
        }
    }

    #[test]
    fn classes_know_no_nesting_and_no_set_operations() {
        assert!(matches("[[]", "[") && matches("[a[b]+", "a[b") && matches("[]a]+", "]a"));
        assert!(matches("[a&&b]+", "a&b") && matches("[a~~b]+", "a~b"));
        assert!(matches("[+--]+", "+,-") && matches("[--/]+", "-./") && matches("[a-]+", "a-"));
        assert!(matches("[[:alpha:]1]+", "a1") && !matches("[[:^alpha:]]", "a"));
        assert!(regex::Regex::new(&translated(r"[+-\w]")).is_err());
    }

    /// An item of a class with what it takes.
    fn items() -> impl Strategy<Value = (&'static str, fn(char) -> bool)> {
        prop_oneof![
            Just((r"\d", (|c| c.is_ascii_digit()) as fn(char) -> bool)),
            Just((r"\D", (|c| !c.is_ascii_digit()) as fn(char) -> bool)),
            Just((
                r"\w",
                (|c| c.is_ascii_alphanumeric() || c == '_') as fn(char) -> bool
            )),
            Just((
                r"\W",
                (|c| !(c.is_ascii_alphanumeric() || c == '_')) as fn(char) -> bool
            )),
            Just((r"\s", (|c| "\t\n\u{c}\r ".contains(c)) as fn(char) -> bool)),
            Just((r"\S", (|c| !"\t\n\u{c}\r ".contains(c)) as fn(char) -> bool)),
            Just((r"\\", (|c| c == '\\') as fn(char) -> bool)),
            Just(("é", (|c| c == 'é') as fn(char) -> bool)),
            Just(("a-f", (|c| ('a'..='f').contains(&c)) as fn(char) -> bool)),
            Just(("&&", (|c| c == '&') as fn(char) -> bool)),
        ]
    }

    proptest! {
        #[test]
        fn a_class_takes_what_its_items_take(
            items in prop::collection::vec(items(), 1..5),
            negated: bool,
            subject in prop_oneof![any::<char>(), prop::sample::select("aéw٧7_ &\u{b}\\\n".chars().collect::<Vec<_>>())],
        ) {
            let written: String = items.iter().map(|(text, _)| *text).collect();
            let expression = format!("[{}{written}]", if negated { "^" } else { "" });
            let taken = items.iter().any(|(_, takes)| takes(subject)) != negated;
            prop_assert_eq!(matches(&expression, &subject.to_string()), taken, "{}", expression);
        }

        #[test]
        fn what_was_valid_stays_so_and_nothing_panics(expression in r"[a\[\]^\\wdsb&~:(){}|é-]{0,12}") {
            let was_valid = regex::Regex::new(&expression).is_ok();
            // The crate's nested classes are no valid RE2.
            if was_valid && !expression.contains('[') {
                prop_assert!(regex::Regex::new(&translated(&expression)).is_ok(), "{}", expression);
            }
        }
    }
}
