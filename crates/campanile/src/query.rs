//! `campanile query`: asks a running server over Prometheus' HTTP API and shows the answer as a table.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use model::{Clock, Labels, Timestamp, duration};
use serde_json::Value;

use crate::cli::{QueryCommand, ServerArgs};
use crate::config::Environment;

/// The server that is asked if nothing says otherwise.
const SERVER_DEFAULT: &str = "http://127.0.0.1:9595";

/// How long an answer may take; the server ends a query after two minutes by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// How many points a range has if no step is given: enough to see a course, few enough to read.
const POINTS_DEFAULT: u32 = 60;

/// What the server answered, for a person to read.
pub(crate) struct Answer {
    /// The result as a table.
    pub(crate) table: String,
    /// The server's warnings and remarks.
    pub(crate) notes: Vec<String>,
}

/// Asks the server.
///
/// Errors: the server cannot be reached, or it refuses the query; the text says why.
pub(crate) async fn run(
    command: &QueryCommand,
    clock: &dyn Clock,
    environment: &Environment,
) -> anyhow::Result<Answer> {
    let (server, path, form) = match command {
        QueryCommand::Instant {
            expression,
            time,
            server,
        } => {
            let time = time
                .clone()
                .unwrap_or_else(|| clock.now().as_seconds().to_string());
            (
                server,
                "query",
                vec![("query", expression.clone()), ("time", time)],
            )
        }
        QueryCommand::Range {
            expression,
            since,
            start,
            end,
            step,
            server,
        } => {
            let range = Range::read(
                since,
                start.as_deref(),
                end.as_deref(),
                step.as_deref(),
                clock,
            )?;
            let mut form = vec![("query", expression.clone())];
            form.push(("start", range.start.as_seconds().to_string()));
            form.push(("end", range.end.as_seconds().to_string()));
            form.push(("step", range.step.as_secs_f64().to_string()));
            (server, "query_range", form)
        }
    };
    let answer = ask(&server_of(server, environment)?, path, &form).await?;
    let notes = ["warnings", "infos"]
        .iter()
        .flat_map(|kind| answer[kind].as_array());
    let notes = notes
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    Ok(Answer {
        table: table(&answer["data"])?,
        notes,
    })
}

/// The URL of the server to ask, without a slash at its end. Where a variable says on which address a server of this
/// environment listens, as in a container, it is that one.
///
/// Errors: what was given is no URL.
pub(crate) fn server_of(given: &ServerArgs, environment: &Environment) -> anyhow::Result<String> {
    let server = given.url.as_deref();
    let server = server.or_else(|| environment.get("CAMPANILE_SERVER"));
    let own = environment.get("CAMPANILE_LISTEN").and_then(own_server);
    let server = server.or(own.as_deref()).unwrap_or(SERVER_DEFAULT);
    let server = server.trim_end_matches('/');
    if !server.starts_with("http://") && !server.starts_with("https://") {
        bail!("cannot ask {server}: a URL is needed, such as {SERVER_DEFAULT}");
    }
    Ok(server.to_owned())
}

/// The URL under which a server with that listen address is reached from this machine.
fn own_server(listen: &str) -> Option<String> {
    let mut address: SocketAddr = listen.parse().ok()?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Some(format!("http://{address}"))
}

/// The moments that a range query covers.
struct Range {
    start: Timestamp,
    end: Timestamp,
    step: Duration,
}

impl Range {
    fn read(
        since: &str,
        start: Option<&str>,
        end: Option<&str>,
        step: Option<&str>,
        clock: &dyn Clock,
    ) -> anyhow::Result<Self> {
        let end = match end {
            Some(end) => wire::time::parse_time(end).context("--end")?,
            None => clock.now(),
        };
        let start = match start {
            Some(start) => wire::time::parse_time(start).context("--start")?,
            None => end - duration::parse(since).context("--since")?,
        };
        if start > end {
            bail!("--start is after --end");
        }
        let step = match step {
            Some(step) => duration::parse(step).context("--step")?,
            None => (end.since(start) / POINTS_DEFAULT).max(Duration::from_secs(1)),
        };
        if step.is_zero() {
            bail!("--step must be longer than 0");
        }
        Ok(Self { start, end, step })
    }
}

async fn ask(server: &str, path: &str, form: &[(&str, String)]) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        // The answer belongs to the server that was named; a redirect would ask someone else.
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let request = client.post(format!("{server}/api/v1/{path}")).form(form);
    let response = request.send().await.with_context(|| {
        format!("cannot reach {server}: is `campanile serve` running there? another server is named with --server URL")
    })?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .with_context(|| format!("{server} broke off its answer"))?;
    let answer: Value = serde_json::from_slice(&body)
        .with_context(|| format!("{server} answered {status} with something that is no JSON"))?;
    match answer["status"].as_str() {
        Some("success") => Ok(answer),
        Some("error") => bail!(
            "{} ({})",
            answer["error"].as_str().unwrap_or("no reason given"),
            answer["errorType"].as_str().unwrap_or("no type given"),
        ),
        _ => bail!("{server} answered {status}, but not as a Prometheus-compatible server does"),
    }
}

/// Shows the `data` of an answer.
fn table(data: &Value) -> anyhow::Result<String> {
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar" | "string") => {
            let (_, value) = point(result)?;
            Ok(format!("{value}\n"))
        }
        Some("vector") => {
            let mut rows = vec![["SERIES".to_owned(), "VALUE".to_owned()]];
            for series in result.as_array().into_iter().flatten() {
                let (_, value) = point(&series["value"])?;
                rows.push([labels(&series["metric"])?.to_string(), value]);
            }
            Ok(columns(&rows, "no series matches"))
        }
        Some("matrix") => {
            let mut text = String::new();
            for series in result.as_array().into_iter().flatten() {
                let mut rows = vec![["TIME".to_owned(), "VALUE".to_owned()]];
                for value in series["values"].as_array().into_iter().flatten() {
                    let (time, value) = point(value)?;
                    rows.push([wire::time::format_rfc3339(time).to_string(), value]);
                }
                let separator = if text.is_empty() { "" } else { "\n" };
                write!(
                    text,
                    "{separator}{}\n{}",
                    labels(&series["metric"])?,
                    columns(&rows, "")
                )?;
            }
            if text.is_empty() {
                text.push_str("no series matches\n");
            }
            Ok(text)
        }
        _ => bail!(
            "the server answered with an unknown type of result: {}",
            data["resultType"]
        ),
    }
}

fn point(value: &Value) -> anyhow::Result<(Timestamp, String)> {
    match (value[0].as_f64(), value[1].as_str()) {
        (Some(seconds), Some(value)) => Ok((Timestamp::from_seconds(seconds), value.to_owned())),
        _ => bail!("the server answered with something that is no point: {value}"),
    }
}

fn labels(metric: &Value) -> anyhow::Result<Labels> {
    let pairs = metric.as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    Labels::from_pairs(pairs).context("the server answered with invalid labels")
}

/// Two columns, the second aligned to the right; `if_empty` if there is only the heading.
fn columns(rows: &[[String; 2]], if_empty: &str) -> String {
    if rows.len() <= 1 {
        return format!("{if_empty}\n");
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for [left, right] in rows {
        text.push_str(&format!("{left:<first$}  {right:>second$}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_vector_is_a_table_of_series_and_values() {
        let data = json!({"resultType": "vector", "result": [
            {"metric": {"__name__": "up", "job": "node"}, "value": [1700000000.5, "1"]},
            {"metric": {}, "value": [1700000000.5, "0.25"]},
        ]});
        assert_eq!(
            table(&data).unwrap(),
            "SERIES          VALUE\nup{job=\"node\"}      1\n{}               0.25\n"
        );
    }

    #[test]
    fn the_server_that_this_environment_would_start_is_asked_if_none_is_named() {
        let given = |url: Option<&str>| ServerArgs {
            url: url.map(str::to_owned),
        };
        let listen = |address: &str| Environment::from_iter([("CAMPANILE_LISTEN", address)]);
        for (environment, expected) in [
            (Environment::default(), SERVER_DEFAULT),
            (listen("0.0.0.0:9000"), "http://127.0.0.1:9000"),
            (listen("[::]:9000"), "http://[::1]:9000"),
            (listen("192.0.2.1:80"), "http://192.0.2.1:80"),
            (listen("nonsense"), SERVER_DEFAULT),
        ] {
            assert_eq!(server_of(&given(None), &environment).unwrap(), expected);
        }
        let mut both = vec![("CAMPANILE_LISTEN", "0.0.0.0:9000")];
        both.push(("CAMPANILE_SERVER", "https://watch.example.org/"));
        let both = both.into_iter().collect();
        assert_eq!(
            server_of(&given(None), &both).unwrap(),
            "https://watch.example.org"
        );
        assert_eq!(
            server_of(&given(Some("http://a/")), &both).unwrap(),
            "http://a"
        );
        assert!(server_of(&given(Some("a:1")), &both).is_err());
    }

    #[test]
    fn a_matrix_shows_the_course_of_each_series() {
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"__name__": "a"}, "values": [[0, "1"], [60.25, "NaN"]]},
            {"metric": {"__name__": "b"}, "values": [[0, "2"]]},
        ]});
        assert_eq!(
            table(&data).unwrap(),
            "a\nTIME                      VALUE\n1970-01-01T00:00:00Z          1\n\
             1970-01-01T00:01:00.250Z    NaN\n\nb\nTIME                  VALUE\n\
             1970-01-01T00:00:00Z      2\n"
        );
    }

    #[test]
    fn an_empty_answer_says_so() {
        for kind in ["vector", "matrix"] {
            let data = json!({"resultType": kind, "result": []});
            assert_eq!(table(&data).unwrap(), "no series matches\n");
        }
    }
}
