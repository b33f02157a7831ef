//! `campanile query`: asks a running server over Prometheus' HTTP API and shows the answer as a table or a chart.

mod bars;
mod chart;
mod plan;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use model::{Clock, Labels, Timestamp, duration};
use reqwest::StatusCode;
use serde_json::Value;

use crate::cli::{QueryCommand, RangeArgs};
use crate::client::Server;
use crate::config::Environment;

/// How long an answer may take; the server ends a query after two minutes by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// How many points a range has if no step is given: enough to see a course, few enough to read.
const POINTS_DEFAULT: u32 = 60;

/// Rows of a chart; with its axes and a few series it fits on a small screen.
const CHART_HEIGHT: usize = 16;

/// What the server answered, for a person to read.
pub(crate) struct Answer {
    /// The result as a table or a chart.
    pub(crate) text: String,
    /// The server's warnings and remarks.
    pub(crate) notes: Vec<String>,
}

/// Where the answer is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Letters in a line.
    pub(crate) width: usize,
    pub(crate) has_colours: bool,
}

/// Asks the server.
///
/// Errors: the server cannot be reached, or it refuses the query; the text says why.
pub(crate) async fn run(
    command: &QueryCommand,
    clock: &dyn Clock,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Answer> {
    match command {
        QueryCommand::Instant {
            expression,
            time,
            chart,
            server,
        } => {
            let form = [
                ("query", expression.clone()),
                ("time", moment(time.as_deref(), clock)),
            ];
            let answer = ask(&Server::of(server, environment)?, "query", &form).await?;
            shown(&answer, |data| match chart {
                true => bars::draw(data, terminal),
                false => table(data),
            })
        }
        QueryCommand::Range {
            expression,
            range,
            chart,
            server,
        } => {
            let points = match chart {
                true => u32::try_from(terminal.width.max(40)).unwrap_or(POINTS_DEFAULT),
                false => POINTS_DEFAULT,
            };
            let range = Range::read(range, points, clock)?;
            let form = range.form(expression);
            let answer = ask(&Server::of(server, environment)?, "query_range", &form).await?;
            shown(&answer, |data| match chart {
                true => drawn(data, &range, terminal),
                false => table(data),
            })
        }
        QueryCommand::Explain {
            expression,
            time,
            range,
            server,
        } => {
            let form = match time {
                Some(time) => vec![("query", expression.clone()), ("time", time.clone())],
                None => Range::read(range, POINTS_DEFAULT, clock)?.form(expression),
            };
            let server = Server::of(server, environment)?;
            let answer = ask(&server, "explain_query", &form).await?;
            shown(&answer, plan::tree)
        }
    }
}

fn moment(given: Option<&str>, clock: &dyn Clock) -> String {
    given.map_or_else(|| clock.now().as_seconds().to_string(), str::to_owned)
}

fn shown(
    answer: &Value,
    show: impl FnOnce(&Value) -> anyhow::Result<String>,
) -> anyhow::Result<Answer> {
    let notes = ["warnings", "infos"]
        .iter()
        .flat_map(|kind| answer[kind].as_array());
    let notes = notes
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    Ok(Answer {
        text: show(&answer["data"])?,
        notes,
    })
}

/// A matrix as a chart.
fn drawn(data: &Value, range: &Range, terminal: Terminal) -> anyhow::Result<String> {
    let mut series = Vec::new();
    for one in data["result"].as_array().into_iter().flatten() {
        let labels = labels(&one["metric"])?;
        let mut points = Vec::new();
        for value in one["values"].as_array().into_iter().flatten() {
            let (time, value) = point(value)?;
            // Go and Rust both read +Inf, -Inf and NaN.
            points.push((time.as_seconds(), value.parse().unwrap_or(f64::NAN)));
        }
        series.push(chart::Line {
            name: labels.to_string(),
            metric: labels.metric_name().to_owned(),
            points,
        });
    }
    let chart = chart::Chart {
        series,
        start: range.start.as_seconds(),
        end: range.end.as_seconds(),
        step: range.step.as_secs_f64(),
    };
    Ok(chart.draw(chart::Screen {
        width: terminal.width,
        height: CHART_HEIGHT,
        has_colours: terminal.has_colours,
    }))
}

/// The moments that a range query covers.
struct Range {
    start: Timestamp,
    end: Timestamp,
    step: Duration,
}

impl Range {
    /// As it was given; without a step the range has so many points.
    fn read(given: &RangeArgs, points: u32, clock: &dyn Clock) -> anyhow::Result<Self> {
        let RangeArgs {
            since,
            start,
            end,
            step,
        } = given;
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
            None => (end.since(start) / points).max(Duration::from_secs(1)),
        };
        if step.is_zero() {
            bail!("--step must be longer than 0");
        }
        Ok(Self { start, end, step })
    }

    fn form(&self, expression: &str) -> Vec<(&'static str, String)> {
        vec![
            ("query", expression.to_owned()),
            ("start", self.start.as_seconds().to_string()),
            ("end", self.end.as_seconds().to_string()),
            ("step", self.step.as_secs_f64().to_string()),
        ]
    }
}

async fn ask(server: &Server, path: &str, form: &[(&str, String)]) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        // The answer belongs to the server that was named; a redirect would ask someone else.
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let request = client.post(server.at(&format!("/api/v1/{path}")));
    let response = server.sign(request.form(form)).send().await;
    let response = response.map_err(reqwest::Error::without_url);
    let url = server.url();
    let response = response.with_context(|| {
        format!("cannot reach {url}: is `campanile serve` running there? another server is named with --server URL")
    })?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .with_context(|| format!("{url} broke off its answer"))?;
    let answer: Value = serde_json::from_slice(&body)
        .with_context(|| format!("{url} answered {status} with something that is no JSON"))?;
    match answer["status"].as_str() {
        Some("success") => Ok(answer),
        Some("error") => bail!(
            "{} ({}){}",
            answer["error"].as_str().unwrap_or("no reason given"),
            answer["errorType"].as_str().unwrap_or("no type given"),
            if status == StatusCode::UNAUTHORIZED {
                server.advice()
            } else {
                ""
            },
        ),
        _ => bail!("{url} answered {status}, but not as a Prometheus-compatible server does"),
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
                let (_, value) = either(&series["value"], &series["histogram"])?;
                rows.push([labels(&series["metric"])?.to_string(), value]);
            }
            Ok(columns(&rows, "no series matches"))
        }
        Some("matrix") => {
            let mut text = String::new();
            for series in result.as_array().into_iter().flatten() {
                let mut points = Vec::new();
                for value in series["values"].as_array().into_iter().flatten() {
                    points.push(point(value)?);
                }
                for value in series["histograms"].as_array().into_iter().flatten() {
                    points.push(histogram_point(value)?);
                }
                points.sort_by_key(|(time, _)| *time);
                let mut rows = vec![["TIME".to_owned(), "VALUE".to_owned()]];
                for (time, value) in points {
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

/// A number, or a native histogram in its place.
fn either(value: &Value, other: &Value) -> anyhow::Result<(Timestamp, String)> {
    match other.is_null() {
        true => point(value),
        false => histogram_point(other),
    }
}

/// A native histogram, of which count and sum and each filled bucket are shown as Prometheus shows them.
fn histogram_point(value: &Value) -> anyhow::Result<(Timestamp, String)> {
    let strange = || format!("the server answered with something that is no histogram: {value}");
    let seconds = value[0].as_f64().with_context(strange)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(strange);
    let histogram = &value[1];
    let mut shown = format!(
        "{{count:{}, sum:{}",
        text(&histogram["count"])?,
        text(&histogram["sum"])?
    );
    for bucket in histogram["buckets"].as_array().into_iter().flatten() {
        // The rule says which bounds belong to the bucket: 0 the upper, 1 the lower, 2 none, 3 both.
        let rule = bucket[0].as_u64().with_context(strange)?;
        let opening = if matches!(rule, 1 | 3) { '[' } else { '(' };
        let closing = if matches!(rule, 0 | 3) { ']' } else { ')' };
        let (lower, upper, count) = (text(&bucket[1])?, text(&bucket[2])?, text(&bucket[3])?);
        write!(shown, ", {opening}{lower},{upper}{closing}:{count}")?;
    }
    shown.push('}');
    Ok((Timestamp::from_seconds(seconds), shown))
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
    fn a_histogram_is_shown_with_its_buckets() {
        let histogram = json!([0, {"count": "5", "sum": "7.5",
            "buckets": [[3, "-0.5", "0.5", "2"], [0, "1", "2", "3"]]}]);
        let shown = "{count:5, sum:7.5, [-0.5,0.5]:2, (1,2]:3}";
        let vector = json!({"resultType": "vector", "result": [
            {"metric": {"__name__": "h"}, "histogram": histogram.clone()},
        ]});
        assert!(table(&vector).unwrap().contains(shown));
        let matrix = json!({"resultType": "matrix", "result": [
            {"metric": {"__name__": "h"}, "histograms": [histogram], "values": [[60, "1"]]},
        ]});
        let text = table(&matrix).unwrap();
        assert!(text.find(shown) < text.find("00:01:00Z"), "{text}");
        assert!(table(&json!({"resultType": "vector", "result": [{"histogram": [0]}]})).is_err());
    }

    #[test]
    fn an_empty_answer_says_so() {
        for kind in ["vector", "matrix"] {
            let data = json!({"resultType": kind, "result": []});
            assert_eq!(table(&data).unwrap(), "no series matches\n");
        }
    }
}
