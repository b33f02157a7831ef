//! What can be told about the matches of an expression by its text alone, so that an index need not try every value.
//!
//! Only plain characters and escaped punctuation are understood; at whatever else the answer is the cautious one.

/// Expressions with more alternatives are better tried on each value.
const ALTERNATIVES_MAX: usize = 256;

/// A character of an expression.
enum Token {
    /// Stands for itself.
    Literal(char),
    Bar,
    Open,
    Close,
    /// Anything else.
    Other(char),
}

fn tokens(expression: &str) -> impl Iterator<Item = Token> {
    let mut rest = expression.chars();
    std::iter::from_fn(move || {
        Some(match rest.next()? {
            '|' => Token::Bar,
            '(' => Token::Open,
            ')' => Token::Close,
            '\\' => match rest.next() {
                Some(escaped) if escaped.is_ascii_punctuation() && !"<>".contains(escaped) => {
                    Token::Literal(escaped)
                }
                other => Token::Other(other.unwrap_or('\\')),
            },
            other if "^$.*+?[]{}".contains(other) => Token::Other(other),
            other => Token::Literal(other),
        })
    })
}

/// All matches of an anchored expression that consists of literals and `|`, one pair of parentheses around all allowed.
pub(super) fn alternatives(expression: &str) -> Option<Vec<String>> {
    let whole = expression.strip_prefix('(');
    let inner = whole.and_then(|inner| inner.strip_suffix(')'));
    let inner = inner.map(|inner| inner.strip_prefix("?:").unwrap_or(inner));
    let mut found = vec![String::new()];
    for token in tokens(inner.unwrap_or(expression)) {
        match token {
            Token::Literal(character) => found.last_mut()?.push(character),
            Token::Bar if found.len() < ALTERNATIVES_MAX => found.push(String::new()),
            Token::Bar | Token::Open | Token::Close | Token::Other(_) => return None,
        }
    }
    Some(found)
}

/// The literals with which an anchored expression begins.
pub(super) fn prefix(expression: &str) -> String {
    let expression = expression.strip_prefix('^').unwrap_or(expression);
    let mut prefix = String::new();
    // Behind an alternative outside parentheses there may be a match that begins otherwise.
    if tokens(expression).any(|token| matches!(token, Token::Bar)) {
        return prefix;
    }
    for token in tokens(expression) {
        match token {
            Token::Literal(character) => prefix.push(character),
            // It may be there no time at all; even behind `+`, which another sign may follow.
            Token::Other('*' | '?' | '+' | '{') => {
                prefix.pop();
                break;
            }
            _ => break,
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::super::{MatchKind, Matcher};
    use super::*;

    #[test]
    fn literals_and_bars_have_finitely_many_matches() {
        let found = |expression| alternatives(expression).map(|found| found.join(","));
        assert_eq!(found("a|b"), Some("a,b".to_owned()));
        assert_eq!(found("(a|b.c)"), None);
        assert_eq!(found(r"(a|b\.c|)"), Some("a,b.c,".to_owned()));
        assert_eq!(found("(?:a|b)"), Some("a,b".to_owned()));
        assert_eq!(found("(a)|(b)"), None);
        assert_eq!(found(r"(a\)"), None);
        assert_eq!(found(r"\d"), None);
        assert_eq!(found("(?i)"), None);
        assert_eq!(found(""), Some(String::new()));
    }

    #[test]
    fn a_prefix_ends_where_something_else_may_stand() {
        for (expression, expected) in [
            ("app-1.*", "app-1"),
            ("app-12?", "app-1"),
            ("^app", "app"),
            ("app|b", ""),
            (r"a\.b+", "a."),
            ("(?i)app", ""),
            ("a(b|c)", ""),
            ("a{0}b", ""),
            (r"a\b", "a"),
        ] {
            assert_eq!(prefix(expression), expected, "{expression}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_told_agrees_with_the_expression(expression in r"[ab.|()^$*?+\\{}0\[\]]{0,8}", value in "[ab.|(^]{0,4}") {
            let Ok(matcher) = Matcher::new(MatchKind::Regex, "n", &expression) else {
                return Ok(());
            };
            if let Some(all) = matcher.alternatives() {
                proptest::prop_assert_eq!(all.contains(&value), matcher.matches(&value));
            }
            if matcher.matches(&value) {
                proptest::prop_assert!(value.starts_with(&matcher.prefix()));
            }
        }
    }
}
