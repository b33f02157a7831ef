//! `campanile health`: asks a running server how it is, for people and for whoever must decide whether to restart it,
//! such as Docker in an image without a shell.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde_json::Value;

use crate::cli::ServerArgs;
use crate::client::Server;
use crate::config::Environment;

/// A server that needs longer for this is not well; Docker's own limit is longer, so that people read our words.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer is some hundred bytes for each part; whatever sends more is no Campanile.
const ANSWER_MAX: usize = 1 << 20;

/// Where each part is told of.
const DETAILED: &str = "/health/detailed";

/// What a server says of itself.
pub(crate) struct Health {
    /// As a table.
    pub(crate) text: String,
    /// Whether it does its work: it is ready, and no part is unhealthy. A degraded part still works.
    pub(crate) is_good: bool,
}

/// Asks the server. Who shows it no credentials learns whether it is well, and not how its parts are.
///
/// Errors: it does not answer, or not as ours does; the text says why.
pub(crate) async fn run(given: &ServerArgs, environment: &Environment) -> anyhow::Result<Health> {
    let server = Server::of(given, environment)?;
    let url = server.url();
    let client = client(url)?;
    let fetch = async |path: &str| {
        let request = client.get(server.at(path));
        // What everybody may know is asked for by nobody: wrong credentials would be refused.
        let request = match path {
            DETAILED => server.sign(request),
            _ => request,
        };
        let answer = ask(request).await;
        answer.with_context(|| format!("no good answer from {url}"))
    };
    let (status, answer) = fetch(DETAILED).await?;
    let health = if status == StatusCode::UNAUTHORIZED {
        let (_, overview) = fetch("/health").await?;
        let (ready, _) = fetch("/health/ready").await?;
        overview_of(&overview, ready.is_success(), server.advice())
    } else {
        read(&answer)
    };
    health.with_context(|| format!("{url} does not answer as Campanile does"))
}

fn client(url: &str) -> anyhow::Result<Client> {
    let url: Url = url.parse().with_context(|| format!("{url} is no URL"))?;
    let mut client = Client::builder()
        .timeout(ANSWER_TIMEOUT)
        // The answer belongs to the server that was named; a redirect would ask someone else.
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(&url) {
        // Docker hands the proxy of its user on to containers; behind a proxy, 127.0.0.1 is another machine.
        client = client.no_proxy();
    }
    Ok(client.build()?)
}

async fn ask(request: RequestBuilder) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            bail!("the answer has more than {ANSWER_MAX} bytes");
        }
    }
    Ok((status, body))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Reads an answer of `/health`, which everybody gets.
fn overview_of(answer: &[u8], is_ready: bool, advice: &str) -> anyhow::Result<Health> {
    let answer: Value = serde_json::from_slice(answer).context("the answer is no JSON")?;
    let status = answer["status"]
        .as_str()
        .context("the answer lacks status")?;
    let ready = if is_ready { "ready" } else { "not ready" };
    Ok(Health {
        text: format!("{status}, {ready}\n\nits parts are shown to users only{advice}\n"),
        is_good: is_ready && matches!(status, "healthy" | "degraded"),
    })
}

/// Reads an answer of `/health/detailed`.
fn read(answer: &[u8]) -> anyhow::Result<Health> {
    let answer: Value = serde_json::from_slice(answer).context("the answer is no JSON")?;
    let (Some(status), Some(is_ready), Some(parts)) = (
        answer["status"].as_str(),
        answer["ready"].as_bool(),
        answer["components"].as_array(),
    ) else {
        bail!("the answer lacks status, ready or components");
    };
    let mut rows = vec![["PART", "CONDITION", "REASON"].map(str::to_owned)];
    for part in parts {
        let cell = |name: &str| {
            let text = part[name].as_str().unwrap_or_default();
            text.replace(char::is_control, " ")
        };
        rows.push([cell("component"), cell("status"), cell("reason")]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    let ready = if is_ready { "ready" } else { "not ready" };
    let mut text = format!("{status}, {ready}\n\n");
    for [part, condition, reason] in &rows {
        let row = format!("{part:<first$}  {condition:<second$}  {reason}");
        text.push_str(row.trim_end());
        text.push('\n');
    }
    Ok(Health {
        text,
        is_good: is_ready && matches!(status, "healthy" | "degraded"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"status":"degraded","timestamp":1760000000.123,"version":"0.1.0","ready":true,"components":[
        {"component":"store","status":"healthy","since":1,"age_seconds":2,"reason":""},
        {"component":"notifications","status":"degraded","since":1,"age_seconds":2,"reason":"ops email:\nrefused"}]}"#;

    #[test]
    fn each_part_has_a_row_and_a_degraded_server_is_good() {
        let health = read(ANSWER.as_bytes()).unwrap();
        assert_eq!(
            health.text,
            "degraded, ready\n\n\
             PART           CONDITION  REASON\n\
             store          healthy\n\
             notifications  degraded   ops email: refused\n"
        );
        assert!(health.is_good);
    }

    #[test]
    fn a_server_that_is_unhealthy_or_not_ready_is_not_good() {
        for (from, to) in [
            (
                r#""status":"degraded","timestamp"#,
                r#""status":"unhealthy","timestamp"#,
            ),
            (r#""ready":true"#, r#""ready":false"#),
        ] {
            let answer = ANSWER.replace(from, to);
            assert_ne!(answer, ANSWER);
            assert!(!read(answer.as_bytes()).unwrap().is_good, "{answer}");
        }
    }

    #[test]
    fn what_is_no_answer_of_ours_is_refused() {
        for answer in ["", "<html>", "{}", r#"{"status":"ok"}"#] {
            assert!(read(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    #[test]
    fn who_is_nobody_learns_whether_it_is_well() {
        let answer = br#"{"status":"healthy","timestamp":1760000000.123,"version":"0.1.0"}"#;
        let health = overview_of(answer, true, "; name a token").unwrap();
        assert!(
            health.is_good && health.text.starts_with("healthy, ready\n"),
            "{}",
            health.text
        );
        assert!(!overview_of(answer, false, "").unwrap().is_good);
        assert!(overview_of(b"{}", true, "").is_err());
    }

    #[test]
    fn no_proxy_stands_before_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:9595/", true),
            ("http://[::1]:9595/", true),
            ("http://localhost/", true),
            ("https://watch.example.org/", false),
            ("http://192.0.2.1/", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
