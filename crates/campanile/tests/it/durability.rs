//! What was acknowledged survives `kill -9` at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use model::{Labels, Timestamp};
use reqwest::Method;

use crate::program::{Program, directory, get_json, send, until};

/// How many series each request writes.
const SERIES: usize = 200;

/// How often the program is killed; `CAMPANILE_TEST_KILLS` asks for more.
const KILLS_DEFAULT: usize = 5;

/// The moment of the first step, long enough ago that no step lies in the future.
const START_SECONDS_AGO: i64 = 24 * 3600;

#[test]
fn no_acknowledged_sample_is_lost_by_a_kill() {
    let kills = std::env::var("CAMPANILE_TEST_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok());
    let data = directory();
    let config = data.path().join("campanile.yml");
    std::fs::write(&config, "host: {enabled: false}\nself: false\n").unwrap();
    let start = now_millis() - START_SECONDS_AGO * 1000;
    let mut acknowledged: i64 = 0;
    for round in 0..kills.unwrap_or(KILLS_DEFAULT) {
        let program = Program::start(data.path(), &["--config", config.to_str().unwrap()]);
        program.wait_until_ready();
        verify(&program, start, acknowledged);

        let writer = Writer::start(&program, start, acknowledged);
        // The moment of the kill differs from round to round, and lies within the writing in each.
        let enough = acknowledged + 5 + 13 * (round as i64 % 7);
        until("enough requests are acknowledged", || {
            writer.acknowledged() >= enough
        });
        program.kill();
        acknowledged = writer.finish();
    }
    let program = Program::start(data.path(), &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();
    verify(&program, start, acknowledged);
    eprintln!(
        "{} samples acknowledged, none lost",
        acknowledged * SERIES as i64
    );
}

/// Writes one sample of each series a step, without pause, until the server is gone.
struct Writer {
    thread: std::thread::JoinHandle<()>,
    acknowledged: Arc<AtomicI64>,
    gone: Arc<AtomicBool>,
}

impl Writer {
    fn start(program: &Program, start: i64, first: i64) -> Self {
        let url = program.url("/api/v1/write");
        let acknowledged = Arc::new(AtomicI64::new(first));
        let gone = Arc::new(AtomicBool::new(false));
        let (count, end) = (acknowledged.clone(), gone.clone());
        let thread = std::thread::spawn(move || {
            let headers = [
                ("content-type", "application/x-protobuf"),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "0.1.0"),
            ];
            // Steps count from 1, so that a step's number is also its value.
            for step in first + 1.. {
                let (status, answer) = send(Method::POST, &url, &headers, request(start, step));
                match status {
                    200 | 204 => count.store(step, Ordering::SeqCst),
                    0 => break,
                    other => panic!("step {step}: {other} {answer}"),
                }
            }
            end.store(true, Ordering::SeqCst);
        });
        Self {
            thread,
            acknowledged,
            gone,
        }
    }

    fn acknowledged(&self) -> i64 {
        assert!(
            !self.gone.load(Ordering::SeqCst),
            "the writer ended before the kill"
        );
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn finish(self) -> i64 {
        self.thread.join().unwrap();
        self.acknowledged.load(Ordering::SeqCst)
    }
}

fn request(start: i64, step: i64) -> Vec<u8> {
    let timestamp = Timestamp::from_millis(start + step * 1000);
    let mut series = Vec::with_capacity(SERIES);
    for index in 0..SERIES {
        let labels = Labels::from_pairs([("__name__", "durable"), ("index", &index.to_string())]);
        series.push((
            labels.unwrap(),
            vec![model::Sample {
                timestamp,
                value: step as f64,
            }],
        ));
    }
    let series = series
        .iter()
        .map(|(labels, samples)| (labels, samples.as_slice()));
    wire::remote_write::compress(&wire::remote_write::encode(series))
}

/// Each series must have each acknowledged step, with its value.
fn verify(program: &Program, start: i64, acknowledged: i64) {
    if acknowledged == 0 {
        return;
    }
    let end = (start + acknowledged * 1000) as f64 / 1000.0;
    let query = |expression: &str| {
        let url = format!(
            "/api/v1/query?query={}&time={end}",
            crate::program::escape(expression)
        );
        get_json(&program.url(&url))["data"]["result"].clone()
    };
    for (expression, expected) in [
        (
            format!("count(count_over_time(durable[1d]) == {acknowledged})"),
            SERIES as i64,
        ),
        // The sum over 1 ..= n, which no other values than the right ones are likely to have.
        (
            "max(sum_over_time(durable[1d]))".to_owned(),
            acknowledged * (acknowledged + 1) / 2,
        ),
        (
            "min(sum_over_time(durable[1d]))".to_owned(),
            acknowledged * (acknowledged + 1) / 2,
        ),
    ] {
        let result = query(&expression);
        assert_eq!(
            result[0]["value"][1],
            expected.to_string(),
            "{expression} after {acknowledged} steps"
        );
    }
}

fn now_millis() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
