//! What of a line must not be shown, since it may be a secret: problems go to logs and answers, excerpts with them.
//!
//! Only lines are looked at, for a text that does not parse is shown too. What follows a key with a telling name is hidden
//! to the end of the value, and so are lines that belong to such a key above them. In a URL everything is hidden that
//! may hold a secret. Rather too much than too little: the place, the field and the message stay.

use std::ops::Range;

use crate::nearest::nearest;
use crate::source::Source;

/// Parts of names whose values are secrets.
const TELLING: [&str; 17] = [
    "api_key",
    "apikey",
    "authorization",
    "basic_auth",
    "bearer",
    "cookie",
    "credential",
    "database_url",
    "headers",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "routing_key",
    "secret",
    "service_key",
    "token",
];

/// Names that are so short that they stand in many others.
const TELLING_ALONE: [&str; 4] = ["key", "pass", "pwd", "user_key"];

/// The name of a section of ours that looks like such a word; what is secret in it has a telling name of its own.
const SECTION: &str = "auth";

/// Words that a misspelt key may have meant; its value is as secret.
const MEANT: [&str; 5] = [
    "authorization",
    "credentials",
    "password",
    "secret",
    "token",
];

/// Names of addresses whose path may be a secret, by their end.
const ADDRESS: &str = "url";

/// Lines above that are asked to which key a line belongs; secrets of many lines are certificates.
const LINES_MAX: usize = 1_000;

/// A longer line is no work of a person, and is hidden as a whole: to look for keys in it would take too long.
const LINE_MAX: usize = 64 << 10;

/// Words of a secret that are looked for in a message.
const WORDS_MAX: usize = 100;

/// Whether the value of such a key may be a secret. One that names a file holds only a path.
pub(crate) fn is_telling(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    if key == SECTION || key.ends_with("_file") || key.ends_with("_files") {
        return false;
    }
    let is_meant = |word: &str| (4..20).contains(&word.len()) && nearest(word, MEANT).is_some();
    TELLING_ALONE.contains(&&*key)
        || TELLING.iter().any(|part| key.contains(part))
        || key.split('_').any(is_meant)
}

/// Whether a field's path leads through such a key.
pub(crate) fn is_telling_path(path: &str) -> bool {
    let mut keys = path.split(['.', '[', ']']).filter(|key| !key.is_empty());
    let ends_at_file = path.ends_with("_file") || path.ends_with("_files");
    !ends_at_file && keys.any(is_telling)
}

/// The bytes of a line that must not be shown; `start` is where in the source it begins.
pub(crate) fn parts(source: &Source, line: &str, start: usize) -> Vec<Range<usize>> {
    let mut hidden = values(source, line, start);
    if line.len() <= LINE_MAX {
        hidden.extend(addresses(line));
    }
    hidden
}

/// The values of telling keys in a line.
fn values(source: &Source, line: &str, start: usize) -> Vec<Range<usize>> {
    if line.len() > LINE_MAX || belongs_to_telling(source, line, start) {
        let indent = line.len() - line.trim_start().len();
        let whole = indent..line.len();
        return Some(whole)
            .filter(|whole| !whole.is_empty())
            .into_iter()
            .collect();
    }
    let mut hidden = Vec::new();
    for (name, after) in keys(line) {
        if is_telling(name) {
            hidden.extend(value(line, after));
        }
    }
    hidden
}

/// A message about something in a line without the values of telling keys there.
pub(crate) fn without(text: String, source: &Source, line: &str, start: usize) -> String {
    let values = values(source, line, start);
    let words = values.iter().flat_map(|part| {
        let secret = line[part.clone()].trim();
        std::iter::once(secret).chain(secret.split_whitespace())
    });
    let words = words.map(|word| word.trim_start_matches(['*', '&', '!', '"', '\'']));
    // Shorter ones stand in every text, and such a message repeats none.
    let words = words.filter(|word| word.len() > 3).take(WORDS_MAX);
    words.fold(text, |text, word| text.replace(word, "<secret>"))
}

/// Whether a line stands below a telling key, or goes on with its value.
fn belongs_to_telling(source: &Source, line: &str, start: usize) -> bool {
    let mut column = first_column(line);
    let mut is_bare = keys(line).next().is_none();
    let above = source.text().get(..start).unwrap_or_default();
    for line in above.lines().rev().take(LINES_MAX) {
        let Some((name, after)) = keys(line).next() else {
            continue;
        };
        let own = first_column(line);
        if own >= column && !is_bare {
            continue;
        }
        // A value that ends in its line has nothing below it, unless its quote or bracket is open.
        let rest = line[after..].trim();
        let goes_on = own < column || rest.starts_with(['"', '\'', '[', '{', '|', '>']);
        if is_telling(name) && (goes_on || rest.is_empty()) {
            return true;
        }
        is_bare = false;
        column = column.min(own);
        if column == 0 {
            return false;
        }
    }
    false
}

/// The column at which a line's text begins, behind the dashes of lists.
fn first_column(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t', '-']).len()
}

/// What may be a key in a line, each with the byte behind its colon.
fn keys(line: &str) -> impl Iterator<Item = (&str, usize)> {
    let colons = line.match_indices(':');
    let colons = colons.filter(|(at, _)| !line[at + 1..].starts_with("//"));
    colons.filter_map(|(at, _)| {
        let before = line[..at].trim_end();
        let before = before.strip_suffix(['"', '\'']).unwrap_or(before);
        let name = before
            .rsplit([' ', '\t', '{', '[', ',', '"', '\''])
            .next()
            .filter(|name| !name.is_empty())?;
        Some((name, at + 1))
    })
}

/// The value that begins behind a byte; none if there is none, or only the name of a variable.
fn value(line: &str, after: usize) -> Option<Range<usize>> {
    let rest = &line[after..];
    let start = after + rest.len() - rest.trim_start().len();
    let rest = line[start..].trim_end();
    let is_flow = line[..after].contains(['{', '[']);
    let range = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let mut is_escaped = false;
            let end = rest[1..].find(|letter| {
                let ends = letter == quote && !is_escaped;
                is_escaped = letter == '\\' && quote == '"' && !is_escaped;
                ends
            });
            // A quote that is doubled ends nothing.
            match end {
                Some(end) if !rest[end + 2..].starts_with(quote) => start + 1..start + 1 + end,
                _ => start + 1..start + rest.len(),
            }
        }
        '[' | '{' | '#' => start..start + rest.len(),
        _ if is_flow => {
            let end = rest.find([',', '}', ']']).unwrap_or(rest.len());
            start..start + end
        }
        _ => start..start + rest.len(),
    };
    let text = line[range.clone()].trim();
    let is_variable = text.starts_with("${") && text.find('}') == Some(text.len() - 1);
    Some(range).filter(|range| !range.is_empty() && !is_variable)
}

/// The logins of all URLs of a line, and what follows the host where the key says that it may be a secret.
fn addresses(line: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut keys = keys(line).peekable();
    let mut key = "";
    for (at, scheme) in line.match_indices("://") {
        let start = at + scheme.len();
        let length = line[start..]
            .find([' ', '\t', '"', '\'', ',', '}', ']'])
            .unwrap_or(line.len() - start);
        let url = &line[start..start + length];
        let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
        if let Some(login) = url.rfind('@').filter(|login| *login > 0) {
            hidden.push(start..start + login);
        }
        while let Some(next) = keys.next_if(|(_, after)| *after <= at) {
            key = next.0;
        }
        let is_secret = key.to_ascii_lowercase().ends_with(ADDRESS);
        if is_secret && host_end + 1 < url.len() {
            hidden.push(start + host_end + 1..start + url.len());
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last line of a text as it may be shown.
    fn shown(text: &str) -> String {
        let source = Source::new("test.yml", text);
        let (line, start) = source.line_of(text.len());
        let parts = parts(&source, line, start);
        let letters = line.char_indices().map(|(at, letter)| {
            let is_hidden = parts.iter().any(|part| part.contains(&at));
            if is_hidden { '•' } else { letter }
        });
        letters.collect()
    }

    #[test]
    fn what_follows_a_telling_key_is_hidden() {
        for (text, expected) in [
            ("smtp_auth_password: hunter2", "smtp_auth_password: •••••••"),
            ("password:hunter2", "password:•••••••"),
            ("smtp_auth_pasword: hunter2", "smtp_auth_pasword: •••••••"),
            ("- bot_token: '1:a b'", "- bot_token: '•••••'"),
            (
                r#"{"password" : "a\"b", "x": 1}"#,
                r#"{"password" : "••••", "x": 1}"#,
            ),
            (
                "{user: a, password: b c, x: d}",
                "{user: a, password: •••, x: d}",
            ),
            ("password: \"open", "password: \"••••"),
            ("password: 'it''s'", "password: '••••••"),
            ("headers: {X-A: b}", "headers: ••••••••"),
            ("bot_token_file: /run/token", "bot_token_file: /run/token"),
            ("password: ${PASSWORD}", "password: ${PASSWORD}"),
            ("password: '${PASSWORD}'", "password: '${PASSWORD}'"),
            ("password: ${A}bc", "password: ••••••"),
            ("interval: 5s", "interval: 5s"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_that_belong_to_a_telling_key_are_hidden() {
        for (text, is_hidden) in [
            ("password: |\n  hunter2", true),
            ("a:\n  password: >-\n    x\n    hunter2: x", true),
            ("password: \"one\n  two", true),
            ("password: \"one\ntwo", true),
            ("secrets:\n- a\n- b", true),
            ("http_headers:\n  X-Key:\n    values: [a]", true),
            ("basic_auth:\n  username: a", true),
            ("password: x\ninterval: 5s", false),
            ("a:\n  password: x\n  interval: 5s", false),
            ("a:\n  password: x\nb: y", false),
        ] {
            let line = shown(text);
            assert_eq!(
                line.trim().chars().all(|letter| letter == '•'),
                is_hidden,
                "{line}"
            );
        }
    }

    #[test]
    fn of_addresses_the_host_is_shown() {
        for (text, expected) in [
            (
                "api_url: https://h.test/T0/B0",
                "api_url: https://h.test/•••••",
            ),
            ("url: 'https://h.test/?t=1'", "url: 'https://h.test/••••'"),
            ("x: http://me:pw@h.test/p", "x: http://•••••@h.test/p"),
            ("x: http://h.test/p", "x: http://h.test/p"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
