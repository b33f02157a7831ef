//! Alertmanager's functions for templates.

use std::sync::Arc;

use model::Timestamp;
use template::Count::{Is, Least};
use template::{
    Failure, Function, Functions, Outcome, Value, humanize_duration, list, number, safe_html,
    safe_url, string, text, texts, title, type_name,
};

use super::value::json;
use super::{LANGUAGE, Target, time};
use crate::http::base64;

/// Those that depend on where and when they are called.
pub(super) const BOUND: [&str; 3] = ["__default", "now", "since"];

pub(super) const PLAIN: [Function; 19] = [
    ("title", Is(1), |given| {
        Ok(string(title(&text(&given[0])?, is_in_word)))
    }),
    ("trimSpace", Is(1), |given| {
        Ok(string(text(&given[0])?.trim().to_owned()))
    }),
    ("join", Is(2), |given| join(&text(&given[0])?, &given[1])),
    ("safeHtml", Is(1), |given| safe_html(&given[0])),
    ("safeUrl", Is(1), |given| safe_url(&given[0])),
    ("urlUnescape", Is(1), |given| {
        url_unescaped(&text(&given[0])?)
    }),
    ("stringSlice", Least(0), |given| {
        Ok(list(given.iter().cloned()))
    }),
    ("list", Least(0), |given| Ok(list(given.iter().cloned()))),
    ("append", Least(1), append),
    ("dict", Least(0), dict),
    ("date", Is(2), |given| {
        time::formatted(&given[1], &text(&given[0])?)
    }),
    ("tz", Is(2), |given| {
        time::in_zone(&given[1], &text(&given[0])?)
    }),
    ("toDate", Is(2), |given| {
        let parsed = time::parsed(&text(&given[0])?, &text(&given[1])?);
        Ok(parsed.unwrap_or_else(|_| time::never()))
    }),
    ("mustToDate", Is(2), |given| {
        time::parsed(&text(&given[0])?, &text(&given[1])?)
    }),
    ("humanizeDuration", Is(1), |given| {
        let seconds = time::seconds(&given[0]).map_or_else(|| number(&given[0]), Ok);
        Ok(string(humanize_duration(seconds?)))
    }),
    ("toJson", Is(1), |given| {
        Ok(string(json(&given[0]).to_string()))
    }),
    ("base64encode", Is(1), |given| {
        Ok(string(base64(text(&given[0])?.as_bytes())))
    }),
    ("base64decode", Is(1), |given| {
        base64_decoded(&text(&given[0])?)
    }),
    ("routeLabels", Least(0), |_| Ok(texts([]))),
];

/// All of them, at a moment; `default` gives the own text of a name.
pub(super) fn all(
    at: Timestamp,
    target: Target,
    default: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Functions {
    let mut functions = Functions::new(&LANGUAGE);
    functions.add("now", Least(0), move |_| Ok(time::of(at)));
    functions.add("since", Is(1), move |given| time::until(&given[0], at));
    functions.add("__default", Is(1), move |given| {
        let name = text(&given[0])?;
        let Some(text) = default(&name) else {
            return Err(failure(format!("there is no default text {name:?}")));
        };
        let is_markup = matches!(&*name, "email.default.html" | "telegram.default.message");
        if is_markup && target == Target::Html {
            return safe_html(&string(text));
        }
        Ok(string(text))
    });
    functions
}

fn failure(message: impl Into<String>) -> Failure {
    Failure::new(message)
}

fn join(separator: &str, items: &Value) -> Outcome {
    let Value::List(items) = items else {
        return Err(failure(format!(
            "wrong type for value; expected a list; got {}",
            type_name(items)
        )));
    };
    let written = items.iter().map(|item| LANGUAGE.write(item));
    let written: Vec<String> = written.collect::<Result<_, _>>()?;
    Ok(string(written.join(separator)))
}

fn append(given: &[Value]) -> Outcome {
    let Value::List(items) = &given[0] else {
        return Err(failure("append needs a list"));
    };
    // A loop adds one each time it turns, and turns a bounded number of times.
    Ok(list(items.iter().chain(&given[1..]).cloned()))
}

fn dict(given: &[Value]) -> Outcome {
    if !given.len().is_multiple_of(2) {
        return Err(failure("dict needs names and values by turns"));
    }
    let mut fields = std::collections::BTreeMap::new();
    for pair in given.chunks(2) {
        fields.insert(text(&pair[0])?, pair[1].clone());
    }
    Ok(Value::Map(Arc::new(fields)))
}

/// What Go's newer way, which Alertmanager uses, takes for a part of a word.
fn is_in_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '\'')
}

/// `%20` and `+` as what they stand for.
fn url_unescaped(text: &str) -> Outcome {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(failure("invalid URL escape"));
                };
                bytes.push((high * 16 + low) as u8);
            }
            other => bytes.push(other),
        }
    }
    Ok(string(String::from_utf8_lossy(&bytes).into_owned()))
}

fn base64_decoded(text: &str) -> Outcome {
    let invalid = || failure("this is no base64");
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\n' | b'\r' => continue,
            _ => return Err(invalid()),
        };
        buffer = (buffer << 6 | u32::from(digit)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    Ok(string(String::from_utf8_lossy(&bytes).into_owned()))
}
