//! Prometheus' functions for templates.

use std::net::IpAddr;
use std::sync::Arc;

use model::{Timestamp, duration};
use template::Count::{Is, Least};
use template::{
    Failure, Function, Functions, Outcome, Value, field, humanize, humanize_percentage,
    humanize1024, list, map, number, record, shortest, significant, string, text, texts, title,
    type_name,
};

use super::LANGUAGE;
use crate::Environment;

pub(super) const PLAIN: [Function; 17] = [
    ("first", Is(1), |given| first(&given[0])),
    ("label", Is(2), |given| {
        field(&field(&given[1], "Labels")?, &text(&given[0])?)
    }),
    ("value", Is(1), |given| field(&given[0], "Value")),
    ("strvalue", Is(1), |given| {
        field(&field(&given[0], "Labels")?, "__value__")
    }),
    ("sortByLabel", Is(2), |given| {
        sort_by_label(&text(&given[0])?, &given[1])
    }),
    ("humanize", Is(1), |given| {
        Ok(string(humanize(number(&given[0])?)))
    }),
    ("humanize1024", Is(1), |given| {
        Ok(string(humanize1024(number(&given[0])?)))
    }),
    ("humanizePercentage", Is(1), |given| {
        Ok(string(humanize_percentage(number(&given[0])?)))
    }),
    ("humanizeTimestamp", Is(1), |given| timestamp(&given[0])),
    ("toTime", Is(1), |given| timestamp(&given[0])),
    ("title", Is(1), |given| {
        Ok(string(title(&text(&given[0])?, is_in_word)))
    }),
    ("stripPort", Is(1), |given| {
        Ok(string(strip_port(&text(&given[0])?).to_owned()))
    }),
    ("stripDomain", Is(1), |given| {
        Ok(string(strip_domain(&text(&given[0])?)))
    }),
    ("parseDuration", Is(1), |given| {
        parse_duration(&text(&given[0])?)
    }),
    ("graphLink", Is(1), |given| {
        Ok(string(graph_link(&text(&given[0])?)))
    }),
    ("tableLink", Is(1), |given| {
        Ok(string(table_link(&text(&given[0])?)))
    }),
    ("safeHtml", Is(1), |given| Ok(given[0].clone())),
];

/// Those that depend on where and when they are called.
pub(super) const BOUND: [&str; 5] = ["query", "args", "externalURL", "pathPrefix", "now"];

/// All of them, for an evaluation at a moment.
pub(super) fn all(environment: &Environment, at: Timestamp) -> Functions {
    let mut functions = Functions::new(&LANGUAGE);
    let query = Arc::clone(&environment.query);
    functions.add("query", Is(1), move |given| {
        let expr = promql::parse(&text(&given[0])?).map_err(|error| failure(error.to_string()))?;
        let answer = query(&expr, at).map_err(|error| failure(error.to_string()))?;
        samples(answer.value)
    });
    functions.add("args", Least(0), |given| {
        let names: Vec<String> = (0..given.len())
            .map(|index| format!("arg{index}"))
            .collect();
        let names = names.iter().map(String::as_str);
        Ok(map(names.zip(given.iter().cloned())))
    });
    let url: Arc<str> = environment.external_url.as_str().into();
    let path: Arc<str> = path_of(&url).into();
    functions.add("externalURL", Least(0), move |_| {
        Ok(string(Arc::clone(&url)))
    });
    functions.add("pathPrefix", Least(0), move |_| {
        Ok(string(Arc::clone(&path)))
    });
    functions.add("now", Least(0), move |_| Ok(Value::Float(at.as_seconds())));
    functions
}

/// The path on this server at which an expression is shown as a table.
pub(crate) fn table_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", query_escaped(expr))
}

fn graph_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=0", query_escaped(expr))
}

fn failure(message: impl Into<String>) -> Failure {
    Failure::new(message)
}

/// The result of a query as a list of samples.
fn samples(value: promql::Value) -> Outcome {
    let vector = match value {
        promql::Value::Vector(vector) => vector,
        promql::Value::Scalar(sample) => vec![promql::VectorSample {
            labels: model::Labels::empty(),
            timestamp: sample.timestamp,
            value: sample.value.into(),
        }],
        _ => return Err(failure("query result is not a vector or scalar")),
    };
    let sample = |sample: promql::VectorSample| {
        let labels = texts(sample.labels.iter());
        // As in Prometheus' templates, a histogram's number is 0.
        let value = Value::Float(sample.value.float().unwrap_or(0.0));
        record("sample", [("Labels", labels), ("Value", value)])
    };
    Ok(list(vector.into_iter().map(sample)))
}

fn first(value: &Value) -> Outcome {
    match value {
        Value::List(items) => match items.first() {
            Some(first) => Ok(first.clone()),
            None => Err(failure("first() called on vector with no elements")),
        },
        other => Err(failure(format!(
            "wrong type for value; expected a query's result; got {}",
            type_name(other)
        ))),
    }
}

fn sort_by_label(label: &str, value: &Value) -> Outcome {
    let Value::List(items) = value else {
        return first(value);
    };
    let mut keyed = Vec::with_capacity(items.len());
    for item in items.iter() {
        keyed.push((text(&field(&field(item, "Labels")?, label)?)?, item.clone()));
    }
    keyed.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(list(keyed.into_iter().map(|(_, item)| item)))
}

fn timestamp(value: &Value) -> Outcome {
    let number = number(value)?;
    let shown = humanize_timestamp(number);
    let out_of_range = || {
        failure(format!(
            "{} cannot be represented as a nanoseconds timestamp since it overflows int64",
            shortest(number)
        ))
    };
    shown.map(string).ok_or_else(out_of_range)
}

/// Seconds since 1970 as `2015-01-31 10:00:00.5 +0000 UTC`; none if no calendar reaches there.
fn humanize_timestamp(value: f64) -> Option<String> {
    if !value.is_finite() {
        return Some(significant(value));
    }
    let nanos = value * 1e9;
    if nanos.abs() >= i64::MAX as f64 {
        return None;
    }
    // Prometheus' own moments end at milliseconds.
    let millis = nanos as i64 / 1_000_000;
    let moment = jiff::Timestamp::from_millisecond(millis).ok()?;
    let fraction = match millis.rem_euclid(1000) {
        0 => String::new(),
        fraction => format!(".{fraction:03}").trim_end_matches('0').to_owned(),
    };
    let seconds = moment.strftime("%Y-%m-%d %H:%M:%S");
    Some(format!("{seconds}{fraction} +0000 UTC"))
}

/// What Go's older way, which Prometheus uses, takes for a part of a word.
fn is_in_word(letter: char) -> bool {
    match letter {
        '_' => true,
        letter if letter.is_ascii() => letter.is_ascii_alphanumeric(),
        letter => !letter.is_whitespace(),
    }
}

/// `host:port` or `[host]:port` in two; none for anything else.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(host) => Some((host.strip_suffix(']')?, port)),
        None if host.contains([':', '[', ']']) => None,
        None => Some((host, port)),
    }
}

fn strip_port(text: &str) -> &str {
    split_host_port(text).map_or(text, |(host, _)| host)
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let short = host.split('.').next().unwrap_or(host);
    match port {
        "" => short.to_owned(),
        port => format!("{short}:{port}"),
    }
}

fn parse_duration(text: &str) -> Outcome {
    let parsed = duration::parse(text).map_err(|error| failure(error.to_string()))?;
    Ok(Value::Float(parsed.as_secs_f64()))
}

/// The path of a URL.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |slash| &rest[slash..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

fn query_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
