//! What a client says: one JSON object for each message, read with the same care for mistakes as a configuration.

use std::sync::Arc;
use std::time::Duration;

use document::{Document, Limits, Options, Problem, Section, Source, Syntax, Value};
use model::Labels;

use super::topic::Topic;
use crate::error::ApiError;

/// How often a query is evaluated if nothing is said: as often as a person looks again.
const STEP_DEFAULT: Duration = Duration::from_secs(5);

/// More often than this nothing changes that is scraped, and an hour is what a request by HTTP is for.
const STEP: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Bytes of an id: each message repeats it.
const ID_BYTES_MAX: usize = 128;

/// Labels to filter by; a series has hardly more.
const LABELS_MAX: usize = 32;

/// Objects inside each other: a request, its data, their labels; and some more to say what is wrong with it.
const DEPTH_MAX: usize = 8;

/// Values in one message.
const NODES_MAX: usize = 1_000;

const KINDS: [&str; 3] = ["subscribe", "unsubscribe", "ping"];
const TOPICS: [&str; 4] = ["metrics", "alerts", "monitors", "query"];

/// A request that is whole; whether a query can be parsed is not looked at here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    Subscribe { id: Option<Arc<str>>, topic: Topic },
    Unsubscribe { id: Arc<str> },
    Ping,
}

/// Why a message is no request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// The id that it bears.
    pub(super) id: Option<Arc<str>>,
    pub(super) error: ApiError,
    /// Whether it is at least an object with a type that exists.
    pub(super) is_ours: bool,
}

impl Request {
    /// Reads a message of at most `bytes_max` bytes.
    pub(super) fn parse(text: &str, bytes_max: usize) -> Result<Self, Refusal> {
        let source = Source::new("message", text);
        let options = Options {
            limits: Limits {
                bytes_max,
                depth_max: DEPTH_MAX,
                nodes_max: NODES_MAX,
                expanded_max: NODES_MAX,
            },
            ..Options::default()
        };
        let document =
            Document::parse(&source, Syntax::Json, &options).map_err(|problems| Refusal {
                id: None,
                error: refused(&problems),
                is_ours: false,
            })?;
        let mut id = None;
        let mut is_ours = false;
        let request = read(&document, &mut id, &mut is_ours);
        let problems = document.into_problems();
        match request {
            Some(request) if problems.is_empty() => Ok(request),
            _ => Err(Refusal {
                id,
                error: refused(&problems),
                is_ours,
            }),
        }
    }
}

fn read(document: &Document, id: &mut Option<Arc<str>>, is_ours: &mut bool) -> Option<Request> {
    if document.root().kind() != "section" {
        document
            .root()
            .refuse(r#"an object is needed here, such as {"type":"ping"}"#);
        return None;
    }
    let mut message = document.section();
    let kind = message
        .required("type")
        .and_then(|value| value.choice(&KINDS));
    *is_ours = kind.is_some();
    let data = message.value("data");
    let request = match kind? {
        "ping" => Some(Request::Ping),
        "unsubscribe" => {
            let mut data = section_of(&mut message, data);
            *id = read_id(data.required("id"));
            data.finish();
            id.clone().map(|id| Request::Unsubscribe { id })
        }
        _ => {
            let mut data = section_of(&mut message, data);
            *id = read_id(data.value("id"));
            let topic = read_topic(&mut data);
            data.finish();
            let id = id.clone();
            topic.map(|topic| Request::Subscribe { id, topic })
        }
    };
    message.finish();
    request
}

fn section_of<'d>(message: &mut Section<'d>, data: Option<Value<'d>>) -> Section<'d> {
    if data.is_none() {
        message.required("data");
    }
    message.section("data")
}

fn read_id(value: Option<Value<'_>>) -> Option<Arc<str>> {
    let value = value?;
    let text = value.clone().text()?;
    if text.is_empty() || text.len() > ID_BYTES_MAX {
        value.refuse(format!("an id has 1 to {ID_BYTES_MAX} bytes"));
        return None;
    }
    Some(text.into())
}

fn read_topic(data: &mut Section<'_>) -> Option<Topic> {
    let kind = data.required("subscription")?.choice(&TOPICS)?;
    Some(match kind {
        "metrics" => Topic::Metrics {
            name: read_name(data),
            labels: read_labels(data.section("labels")),
        },
        "alerts" => Topic::Alerts,
        "monitors" => Topic::Monitors {
            name: read_name(data),
        },
        _ => {
            let text = data.required("query").and_then(Value::text);
            let step = data.value("step");
            let step = step.map_or(Some(STEP_DEFAULT), |step| step.duration_within(STEP));
            Topic::Query {
                text: text?.to_owned(),
                step: step?,
            }
        }
    })
}

fn read_name(data: &mut Section<'_>) -> Option<String> {
    let name = data.value("name").and_then(Value::text);
    name.map(str::to_owned)
}

fn read_labels(section: Section<'_>) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for (index, (name, value)) in section.pairs().into_iter().enumerate() {
        if index == LABELS_MAX {
            value.refuse(format!("more than {LABELS_MAX} labels"));
            break;
        }
        let Some(text) = value.clone().text() else {
            continue;
        };
        // Only whether the name is one; an empty value asks for series without the label.
        if let Err(error) = Labels::from_pairs([(name, "x")]) {
            value.refuse(error.to_string());
        }
        labels.push((name.to_owned(), text.to_owned()));
    }
    labels.sort();
    labels
}

fn refused(problems: &[Problem]) -> ApiError {
    let shown = problems.iter().map(|problem| match problem.path() {
        "" => problem.message().to_owned(),
        path => format!("{path}: {}", problem.message()),
    });
    ApiError::bad_data(shown.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, Refusal> {
        Request::parse(text, 1 << 10)
    }

    fn topic(data: &str) -> Topic {
        let message = format!(r#"{{"type":"subscribe","data":{data}}}"#);
        match parse(&message) {
            Ok(Request::Subscribe { id: None, topic }) => topic,
            other => panic!("{message}: {other:?}"),
        }
    }

    #[test]
    fn each_subscription_is_read() {
        assert_eq!(
            topic(r#"{"subscription":"metrics","name":"up","labels":{"job":"node","a":"1"}}"#),
            Topic::Metrics {
                name: Some("up".to_owned()),
                labels: vec![
                    ("a".to_owned(), "1".to_owned()),
                    ("job".to_owned(), "node".to_owned())
                ],
            }
        );
        let all = Topic::Metrics {
            name: None,
            labels: Vec::new(),
        };
        assert_eq!(topic(r#"{"subscription":"metrics"}"#), all);
        assert_eq!(topic(r#"{"subscription":"alerts"}"#), Topic::Alerts);
        assert_eq!(
            topic(r#"{"subscription":"monitors","name":"shop"}"#),
            Topic::Monitors {
                name: Some("shop".to_owned())
            }
        );
        for (step, expected) in [("", 5), (r#","step":"1m""#, 60)] {
            assert_eq!(
                topic(&format!(r#"{{"subscription":"query","query":"up"{step}}}"#)),
                Topic::Query {
                    text: "up".to_owned(),
                    step: Duration::from_secs(expected)
                }
            );
        }
    }

    #[test]
    fn what_the_documentation_shows_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/live-feed.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, section) = text.split_once("## What a client says").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let examples = section.lines().filter(|line| line.starts_with('{'));
        let read = examples.map(|line| parse(line).unwrap_or_else(|refusal| panic!("{refusal:?}")));
        assert_eq!(read.count(), 6);
    }

    #[test]
    fn ids_pings_and_ends_are_read() {
        let message = r#"{"type":"subscribe","data":{"subscription":"alerts","id":"a"}}"#;
        let id: Option<Arc<str>> = Some("a".into());
        let topic = Topic::Alerts;
        assert_eq!(parse(message), Ok(Request::Subscribe { id, topic }));
        let message = r#"{"type":"unsubscribe","data":{"id":"a"}}"#;
        assert_eq!(parse(message), Ok(Request::Unsubscribe { id: "a".into() }));
        assert_eq!(parse(r#"{"type":"ping"}"#), Ok(Request::Ping));
    }

    #[test]
    fn what_is_no_request_is_refused_with_what_would_be_right() {
        for (message, is_ours, expected) in [
            ("", false, "JSON"),
            ("x", false, "must stand in double quotes"),
            ("[1]", false, r#"such as {"type":"ping"}"#),
            ("{}", false, r#"the key "type" is missing"#),
            (r#"{"type":"subscripe"}"#, false, "did you mean subscribe?"),
            (
                r#"{"type":"subscribe"}"#,
                true,
                r#"the key "data" is missing"#,
            ),
            (
                r#"{"type":"subscribe","data":{}}"#,
                true,
                r#"the key "subscription" is missing"#,
            ),
            (
                r#"{"type":"subscribe","data":{"subscription":"alert"}}"#,
                true,
                "did you mean alerts?",
            ),
            (
                r#"{"type":"subscribe","data":{"subscription":"metrics","nane":"up"}}"#,
                true,
                r#"unknown key "nane"; did you mean "name"?"#,
            ),
            (
                r#"{"type":"subscribe","data":{"subscription":"alerts","name":"up"}}"#,
                true,
                r#"unknown key "name""#,
            ),
            (
                r#"{"type":"subscribe","data":{"subscription":"query"}}"#,
                true,
                r#"the key "query" is missing"#,
            ),
            (
                r#"{"type":"subscribe","data":{"subscription":"query","query":"up","step":"10ms"}}"#,
                true,
                "1s",
            ),
            (
                r#"{"type":"subscribe","data":{"subscription":"query","query":"up","step":"often"}}"#,
                true,
                "duration",
            ),
            (
                r#"{"type":"unsubscribe","data":{}}"#,
                true,
                r#""id" is missing"#,
            ),
            (r#"{"type":"ping","date":1}"#, true, r#"unknown key "date""#),
        ] {
            let refusal = parse(message).unwrap_err();
            assert!(
                refusal.error.message().contains(expected),
                "{message}: {:?}",
                refusal.error
            );
            assert_eq!(refusal.is_ours, is_ours, "{message}");
        }
    }

    #[test]
    fn a_refusal_bears_the_id_of_what_was_asked() {
        let message = r#"{"type":"subscribe","data":{"subscription":"query","query":"up","step":"0s","id":"q"}}"#;
        assert_eq!(parse(message).unwrap_err().id.as_deref(), Some("q"));
        let long = "x".repeat(129);
        let message = format!(r#"{{"type":"unsubscribe","data":{{"id":"{long}"}}}}"#);
        assert_eq!(parse(&message).unwrap_err().id, None);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let deep = format!(
            r#"{{"type":"ping","data":{}{}}}"#,
            "[".repeat(50),
            "]".repeat(50)
        );
        let wide = format!(r#"{{"type":"{}"}}"#, "x".repeat(1 << 10));
        for message in [deep, wide] {
            assert!(!parse(&message).unwrap_err().is_ours);
        }
    }
}
