//! The engine of scripts that is the real program: each `clear` is one with an empty data directory.

use std::time::Duration;

use model::{Sample, Timestamp};
use reqwest::{Client, RequestBuilder};
use tempfile::TempDir;
use testkit::promqltest::{Answer, Engine, LoadedSample, LoadedSeries, Moment, Refusal};
use tokio::runtime::{Builder, Runtime};
use wire::remote_write::{compress, encode, encode_histograms};

use super::answer;
use crate::program::{PATIENCE, Program, directory};

/// Nothing but what a script loads, kept since 1970, with all that Prometheus calls experimental.
const CONFIG: &str = "\
host: {enabled: false}
self: false
query: {experimental: true}
storage: {retention: 100y, out_of_order_window: 1y}
";

/// A program that runs, and what talks to it.
pub(super) struct OverHttp {
    program: Program,
    data: TempDir,
    client: Client,
    runtime: Runtime,
}

impl OverHttp {
    pub(super) fn start() -> Self {
        // It may have been set by another test, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (program, data) = start();
        Self {
            program,
            data,
            client: Client::builder().timeout(PATIENCE).build().unwrap(),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// Status and body of an answer.
    fn send(&self, request: RequestBuilder) -> (u16, String) {
        let exchange = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.text().await?))
        };
        self.runtime.block_on(exchange).unwrap()
    }
}

fn start() -> (Program, TempDir) {
    let data = directory();
    let config = data.path().join("campanile.yml");
    std::fs::write(&config, CONFIG).unwrap();
    let program = Program::start(data.path(), &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();
    (program, data)
}

impl Engine for OverHttp {
    fn clear(&mut self) -> Result<(), String> {
        (self.program, self.data) = start();
        Ok(())
    }

    fn load(&mut self, series: &[LoadedSeries]) -> Result<(), String> {
        let message: Vec<u8> = series.iter().flat_map(message).collect();
        let request = self.client.post(self.program.url("/api/v1/write"));
        match self.send(request.body(compress(&message))) {
            (200 | 204, _) => Ok(()),
            (status, body) => Err(format!("{status}: {body}")),
        }
    }

    /// Remote write 1.0 knows none.
    fn takes_starts(&self) -> bool {
        false
    }

    fn evaluate(&self, expression: &str, moment: Moment) -> Result<Answer, Refusal> {
        let query = ("query", expression.to_owned());
        let (path, parameters) = match moment {
            Moment::Instant(at) => ("/api/v1/query", vec![query, ("time", seconds(at))]),
            Moment::Range { start, end, step } => (
                "/api/v1/query_range",
                vec![
                    query,
                    ("start", seconds(start)),
                    ("end", seconds(end)),
                    ("step", seconds(step)),
                ],
            ),
        };
        let request = self.client.post(self.program.url(path)).form(&parameters);
        let (status, body) = self.send(request);
        answer::read(status, &body)
    }
}

/// A series as a part of a request.
fn message(series: &LoadedSeries) -> Vec<u8> {
    let (mut floats, mut histograms) = (Vec::new(), Vec::new());
    for (at, sample) in &series.samples {
        let timestamp = Timestamp::from_millis(*at);
        match sample {
            LoadedSample::Float(value) => floats.push(Sample {
                timestamp,
                value: *value,
            }),
            LoadedSample::Histogram(histogram) => {
                histograms.push((timestamp, histogram.to_model()));
            }
        }
    }
    let mut message = Vec::new();
    if !floats.is_empty() {
        message = encode([(&series.labels, &floats[..])]);
    }
    if !histograms.is_empty() {
        message.extend(encode_histograms(&series.labels, &histograms));
    }
    message
}

/// Milliseconds as the API takes them.
fn seconds(millis: i64) -> String {
    let length = Duration::from_millis(millis.unsigned_abs());
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", length.as_secs(), length.subsec_millis())
}
