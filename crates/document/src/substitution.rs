//! `${NAME}` in a value: the text of a variable; `$$` is a plain `$`.

use std::borrow::Cow;
use std::fmt;

/// Looks up a variable by name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a text could not be substituted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SubstitutionError {
    Unset(String),
    Unclosed,
    Expression(String),
}

impl fmt::Display for SubstitutionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset(name) => write!(
                formatter,
                "the environment variable {name} is not set; set it before the start, or write \
                 ${{{name}:-default}}"
            ),
            Self::Unclosed => formatter.write_str(
                "${ has no closing }; write ${NAME} for a variable, or $${ for the plain text ${",
            ),
            Self::Expression(text) => write!(
                formatter,
                "${{{text}}} is not understood; write ${{NAME}}, ${{NAME:-default}}, or $${{ for the plain text ${{"
            ),
        }
    }
}

/// Replaces each `${NAME}` and `${NAME:-default}`, and each `$$` by `$`; a single `$`, and `${1}`, stay as they are.
///
/// The default is also taken when the variable is empty, as in a shell. What is put in is not looked through again.
pub(crate) fn substitute<'t>(
    text: &'t str,
    lookup: Lookup<'_>,
) -> Result<Cow<'t, str>, SubstitutionError> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((expression, after)) = after.split_once('}') else {
                return Err(SubstitutionError::Unclosed);
            };
            result.push_str(&variable(expression, lookup)?);
            rest = after;
        } else {
            result.push('$');
        }
    }
    result.push_str(rest);
    Ok(Cow::Owned(result))
}

/// The text for what stands between `${` and `}`.
fn variable(expression: &str, lookup: Lookup<'_>) -> Result<String, SubstitutionError> {
    // `${1}` is a capture group in Prometheus' relabelling, never a variable.
    if !expression.is_empty() && expression.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(format!("${{{expression}}}"));
    }
    let (name, default) = match expression.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (expression, None),
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(SubstitutionError::Expression(expression.to_owned()));
    }
    match (lookup(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(SubstitutionError::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(text: &str) -> Result<String, SubstitutionError> {
        let lookup = |name: &str| match name {
            "HOST" => Some("db1".to_owned()),
            "EMPTY" => Some(String::new()),
            "PRICE" => Some("$5 ${HOST}".to_owned()),
            _ => None,
        };
        substitute(text, &lookup).map(Cow::into_owned)
    }

    #[test]
    fn variables_defaults_and_dollars_are_put_in() {
        for (text, result) in [
            ("plain", "plain"),
            ("${HOST}", "db1"),
            ("http://${HOST}:${PORT:-80}/", "http://db1:80/"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("${PORT:-}", ""),
            ("$$", "$"),
            ("$${HOST}", "${HOST}"),
            ("$1 ${1} cost $", "$1 ${1} cost $"),
            ("${PRICE}", "$5 ${HOST}"),
        ] {
            assert_eq!(substituted(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_an_error() {
        assert_eq!(
            substituted("a ${NOPE} b"),
            Err(SubstitutionError::Unset("NOPE".to_owned()))
        );
        assert_eq!(substituted("${HOST"), Err(SubstitutionError::Unclosed));
        for text in ["${}", "${A B}", "${HOST:?x}", "${-x}"] {
            let error = substituted(text).unwrap_err();
            assert!(matches!(error, SubstitutionError::Expression(_)), "{text}");
        }
    }
}
