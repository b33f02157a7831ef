//! A condition on the value of one label.

mod literal;
mod translation;

use std::fmt;

use regex::Regex;
use thiserror::Error;

use crate::{Labels, is_plain_label_name, quoted};

/// Bytes that a compiled expression may take; a larger one is refused.
const REGEX_BYTES_MAX: usize = 4 << 20;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchKind {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

/// A label's name, a way to compare, and what to compare with. An absent label has the value "".
#[derive(Clone)]
pub struct Matcher {
    name: String,
    kind: MatchKind,
    value: String,
    regex: Option<Regex>,
}

/// A regular expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invalid regular expression {value:?}: {reason}")]
pub struct InvalidMatcher {
    /// The expression as written.
    pub value: String,
    /// What is wrong with it, on one line.
    pub reason: String,
}

impl Matcher {
    /// A matcher on the label `name`.
    ///
    /// Errors: `value` is no regular expression, or one whose compiled form is too large.
    pub fn new(
        kind: MatchKind,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, InvalidMatcher> {
        let value = value.into();
        let regex = match kind {
            MatchKind::Equal | MatchKind::NotEqual => None,
            MatchKind::Regex | MatchKind::NotRegex => Some(anchored_regex(&value)?),
        };
        Ok(Self {
            name: name.into(),
            kind,
            value,
            regex,
        })
    }

    /// `name="value"`.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: MatchKind::Equal,
            value: value.into(),
            regex: None,
        }
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn kind(&self) -> MatchKind {
        self.kind
    }

    /// What it compares with, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label's value fulfils it; "" stands for an absent label.
    pub fn matches(&self, value: &str) -> bool {
        let regex_matches = || {
            self.regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(value))
        };
        match self.kind {
            MatchKind::Equal => value == self.value,
            MatchKind::NotEqual => value != self.value,
            MatchKind::Regex => regex_matches(),
            MatchKind::NotRegex => !regex_matches(),
        }
    }

    /// Whether it fulfils the label of that name in a set.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }

    /// The values that it names if there are finitely many: its own, or those of an expression such as `a|b\.c|(d|e)`
    /// without anything but literals. Who matches has one of them; for the negative kinds, has none.
    pub fn alternatives(&self) -> Option<Vec<String>> {
        match self.kind {
            MatchKind::Equal | MatchKind::NotEqual => Some(vec![self.value.clone()]),
            MatchKind::Regex | MatchKind::NotRegex => literal::alternatives(&self.value),
        }
    }

    /// What every value that its expression matches begins with; "" if nothing is known.
    pub fn prefix(&self) -> String {
        match self.kind {
            MatchKind::Equal | MatchKind::NotEqual => self.value.clone(),
            MatchKind::Regex | MatchKind::NotRegex => literal::prefix(&self.value),
        }
    }

    /// Whether a series without the label fulfils it.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.name, &self.value) == (other.kind, &other.name, &other.value)
    }
}

impl Eq for Matcher {}

/// As PromQL writes it: `name=~"value"`.
impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.kind {
            MatchKind::Equal => "=",
            MatchKind::NotEqual => "!=",
            MatchKind::Regex => "=~",
            MatchKind::NotRegex => "!~",
        };
        if is_plain_label_name(&self.name) {
            write!(formatter, "{}{operator}", self.name)?;
        } else {
            write!(formatter, "{}{operator}", quoted(&self.name))?;
        }
        write!(formatter, "{}", quoted(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Compiles an expression as Prometheus reads it: RE2's classes, anchored, and with `.` matching a line feed too.
///
/// Errors: `value` is no regular expression, or one whose compiled form is too large.
pub fn anchored_regex(value: &str) -> Result<Regex, InvalidMatcher> {
    let refuse = |error: regex::Error| {
        let reason = match &error {
            regex::Error::CompiledTooBig(limit) => {
                format!("its compiled form takes more than {limit} bytes")
            }
            other => one_line(&other.to_string()),
        };
        InvalidMatcher {
            value: value.to_owned(),
            reason,
        }
    };
    let build = |expression: &str| {
        regex::RegexBuilder::new(expression)
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(refuse)
    };
    let translated = translation::translated(value);
    // Checked alone as well, so that an unbalanced `)` cannot close our own group.
    build(&translated)?;
    build(&format!("^(?s:{translated})$"))
}

/// The crate's errors draw a picture over several lines, of which the last says what is wrong.
fn one_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message).trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_anchored_and_dot_matches_line_feeds() {
        let matcher = Matcher::new(MatchKind::Regex, "a", "b|c.").unwrap();
        assert!(matcher.matches("b") && matcher.matches("cd") && matcher.matches("c\n"));
        assert!(!matcher.matches("bc") && !matcher.matches("ab") && !matcher.matches(""));
    }

    #[test]
    fn classes_of_letters_are_ascii_as_in_re2() {
        let matcher = Matcher::new(MatchKind::Regex, "a", r"\w+").unwrap();
        assert!(matcher.matches("cafe") && !matcher.matches("café"));
    }

    #[test]
    fn an_absent_label_has_the_empty_value() {
        assert!(Matcher::equal("a", "").matches_labels(&Labels::empty()));
        assert!(
            Matcher::new(MatchKind::NotRegex, "a", ".+")
                .unwrap()
                .matches_empty()
        );
    }

    #[test]
    fn a_broken_expression_is_refused_on_one_line() {
        let error = Matcher::new(MatchKind::Regex, "a", "b)(c").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"invalid regular expression "b)(c": unopened group"#
        );
        let error = Matcher::new(MatchKind::Regex, "a", r"\w{1000}{1000}").unwrap_err();
        assert!(error.reason.contains("more than 4194304 bytes"), "{error}");
    }

    #[test]
    fn a_matcher_is_shown_as_promql_writes_it() {
        assert_eq!(Matcher::equal("a", "b\"c").to_string(), r#"a="b\"c""#);
        assert_eq!(Matcher::equal("a.b", "c").to_string(), r#""a.b"="c""#);
    }
}
