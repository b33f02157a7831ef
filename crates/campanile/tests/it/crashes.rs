//! `kill -9` at random moments under load from several connections: all that was acknowledged is there afterwards, and no
//! value is another than the one that was sent first.
//!
//! `CAMPANILE_TEST_KILLS=200` is a campaign. The seed is printed; `CAMPANILE_TEST_SEED` sends the same requests again,
//! but not at the same moments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use model::{Labels, Sample, Timestamp};
use serde_json::Value;

use crate::program::{PATIENCE, Program, directory, escape, until};

/// How often the program is killed; `CAMPANILE_TEST_KILLS` asks for more.
const KILLS_DEFAULT: u64 = 4;

/// Connections that write, each to series of its own.
const WRITERS: u64 = 3;

/// Series of each writer.
const SERIES: u64 = 12;

/// How many requests are acknowledged before a kill, at most.
const REQUESTS_MAX: u64 = 120;

/// A step that was left out is sent at most so many steps later, which is far below `out_of_order_window`.
const LATE_MAX: u64 = 60;

/// The moment of the first step, long enough ago that no step lies in the future.
const START_SECONDS_AGO: i64 = 24 * 3600;

/// Steps that are looked at after each kill; all of them at the end.
const STEPS_CHECKED: i64 = 400;

#[test]
fn kills_under_load_lose_nothing_and_change_nothing() {
    let kills = setting("CAMPANILE_TEST_KILLS").unwrap_or(KILLS_DEFAULT);
    let seed = setting("CAMPANILE_TEST_SEED").unwrap_or_else(|| since_epoch().as_nanos() as u64);
    eprintln!("CAMPANILE_TEST_SEED={seed}");
    let data = directory();
    let config = data.path().join("campanile.yml");
    std::fs::write(&config, "host: {enabled: false}\nself: false\n").unwrap();
    let mut random = Random(seed);
    let start = since_epoch().as_millis() as i64 - START_SECONDS_AGO * 1000;
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| Writer::new(number, start, random.next()))
        .collect();
    for _ in 0..kills {
        let program = serve(data.path(), &config);
        if random.next().is_multiple_of(5) {
            // While it reads back what there is, or soon after.
            program.kill();
            continue;
        }
        program.wait_until_ready();
        for writer in &writers {
            writer.check(&program, writer.step as i64 - STEPS_CHECKED);
        }
        writers = run_until_killed(program, writers, random.next() % REQUESTS_MAX);
    }
    let program = serve(data.path(), &config);
    program.wait_until_ready();
    let mut samples = 0;
    for writer in &writers {
        samples += writer.check(&program, 0);
    }
    let requests: usize = writers.iter().map(|writer| writer.steps.len()).sum();
    eprintln!(
        "{kills} kills, {requests} steps sent, {samples} samples read, none lost, none wrong"
    );
    assert!(samples > 0, "something was written");
}

fn serve(data: &Path, config: &Path) -> Program {
    Program::start(data, &["--config", config.to_str().unwrap()])
}

/// Lets all writers write and someone ask, until so many requests are acknowledged.
fn run_until_killed(program: Program, writers: Vec<Writer>, requests: u64) -> Vec<Writer> {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let gone = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = writers
        .into_iter()
        .map(|mut writer| {
            let url = program.url("/api/v1/write");
            let acknowledged = acknowledged.clone();
            thread::spawn(move || {
                writer.run(&url, &acknowledged);
                writer
            })
        })
        .collect();
    let reader = {
        let (url, gone) = (program.url(""), gone.clone());
        let query = format!("crash[{STEPS_CHECKED}s]");
        thread::spawn(move || {
            let mut connection = Connection::new();
            let mut answers = 0u64;
            while !gone.load(Ordering::SeqCst) {
                let end = since_epoch().as_secs() as i64 - START_SECONDS_AGO + 200;
                let url = format!("{url}/api/v1/query?query={}&time={end}", escape(&query));
                let (status, body) = connection.send(reqwest::Method::GET, &url, Vec::new());
                match status {
                    200 => check_values(&body),
                    0 => break,
                    other => panic!("a question was answered with {other}: {body}"),
                }
                answers += 1;
            }
            answers
        })
    };
    until("enough requests are acknowledged", || {
        let has_failed = threads.iter().any(|thread| thread.is_finished());
        assert!(!has_failed, "a writer ended before the kill");
        acknowledged.load(Ordering::SeqCst) >= requests
    });
    program.kill();
    gone.store(true, Ordering::SeqCst);
    let writers = threads.into_iter().map(|thread| thread.join().unwrap());
    let writers = writers.collect();
    reader.join().unwrap();
    writers
}

/// Each value that is shown is the one that was sent first.
fn check_values(body: &str) {
    each_sample(body, &mut |writer, index, step, value| {
        let expected = value_at(writer, index, step);
        assert_eq!(
            value, expected,
            "writer {writer} series {index} step {step}"
        );
    });
}

/// Writer, series, step, value of each sample in the answer to a range selector.
fn each_sample(body: &str, each: &mut dyn FnMut(u64, u64, u64, f64)) {
    let answer: Value = serde_json::from_str(body).unwrap();
    for series in answer["data"]["result"].as_array().unwrap() {
        let number = |name: &str| series["metric"][name].as_str().unwrap().parse().unwrap();
        let (writer, index): (u64, u64) = (number("writer"), number("index"));
        let start: i64 = series["metric"]["start"].as_str().unwrap().parse().unwrap();
        for sample in series["values"].as_array().unwrap() {
            let at = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
            assert_eq!((at - start) % 1000, 0, "no sample was sent at {at}");
            let step = (at - start) / 1000;
            let value = sample[1].as_str().unwrap().parse().unwrap();
            each(writer, index, step as u64, value);
        }
    }
}

/// What is sent first.
fn value_at(writer: u64, index: u64, step: u64) -> f64 {
    match index % 3 {
        0 => step as f64,
        1 => (Random(writer << 48 | index << 32 | step).next() % 1_000_000) as f64 / 64.0,
        _ => 1.0,
    }
}

/// One connection's view of what it wrote.
struct Writer {
    number: u64,
    start: i64,
    random: Random,
    /// The newest step that was sent.
    step: u64,
    /// Whether each step that was sent was acknowledged.
    steps: BTreeMap<u64, bool>,
    /// Steps that were left out.
    holes: Vec<u64>,
    /// Steps of which other values were taken later, since the first were no longer in memory. The first ones are what
    /// is read; sent once more they contradict the others.
    contradicted: BTreeSet<u64>,
}

impl Writer {
    fn new(number: u64, start: i64, seed: u64) -> Self {
        Self {
            number,
            start,
            random: Random(seed),
            step: 0,
            steps: BTreeMap::new(),
            holes: Vec::new(),
            contradicted: BTreeSet::new(),
        }
    }

    /// Sends without pause until the server is gone.
    fn run(&mut self, url: &str, acknowledged: &AtomicU64) {
        let mut connection = Connection::new();
        loop {
            let (step, other) = self.choose();
            let body = self.request(step, other);
            let was_acknowledged = self.steps.get(&step) == Some(&true);
            if !other {
                self.steps.entry(step).or_insert(false);
            }
            let (status, answer) = connection.send(reqwest::Method::POST, url, body);
            match status {
                200 | 204 => {
                    match other {
                        true => _ = self.contradicted.insert(step),
                        false => _ = self.steps.insert(step, true),
                    }
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                // Another value is there already, as it must be.
                400 if other && was_acknowledged => {}
                400 if self.contradicted.contains(&step) => {}
                0 => return,
                status => panic!("step {step}: {status} {answer}"),
            }
        }
    }

    /// The step to send, and whether with other values than before.
    fn choose(&mut self) -> (u64, bool) {
        let steps = &self.steps;
        let back = self.random.next() % LATE_MAX;
        let sent = steps.range(self.step.saturating_sub(back)..).next();
        match (self.random.next() % 10, sent) {
            // Of a request that was not acknowledged, or was and is sent once more.
            (0..2, Some((step, _))) => (*step, false),
            (2, Some((step, true))) => (*step, true),
            (3..5, _) if !self.holes.is_empty() => {
                let at = (self.random.next() as usize) % self.holes.len();
                (self.holes.swap_remove(at), false)
            }
            (random, _) => {
                self.step += 1;
                if random == 9 {
                    self.holes.push(self.step);
                    self.step += 1;
                }
                self.holes.retain(|hole| hole + LATE_MAX > self.step);
                (self.step, false)
            }
        }
    }

    fn request(&self, step: u64, other: bool) -> Vec<u8> {
        let timestamp = Timestamp::from_millis(self.start + step as i64 * 1000);
        let (writer, start) = (self.number.to_string(), self.start.to_string());
        let mut series = Vec::new();
        for index in 0..SERIES {
            let labels = [
                ("__name__", "crash"),
                ("index", &index.to_string()),
                ("start", &start),
                ("writer", &writer),
            ];
            let labels = Labels::from_pairs(labels).unwrap();
            let value = value_at(self.number, index, step) + if other { 0.5 } else { 0.0 };
            series.push((labels, [Sample { timestamp, value }]));
        }
        let series = series
            .iter()
            .map(|(labels, samples)| (labels, samples.as_slice()));
        wire::remote_write::compress(&wire::remote_write::encode(series))
    }

    /// Each acknowledged step from `first` on is there, with its values; how many samples there are.
    fn check(&self, program: &Program, first: i64) -> u64 {
        let first = first.max(0) as u64;
        let number = self.number;
        let length = self.step + 1 - first.min(self.step);
        let query = format!("crash{{writer=\"{number}\"}}[{length}s]");
        let end = (self.start + self.step as i64 * 1000) as f64 / 1000.0;
        let path = format!("/api/v1/query?query={}&time={end}", escape(&query));
        let mut connection = Connection::new();
        let (status, body) = connection.send(reqwest::Method::GET, &program.url(&path), Vec::new());
        assert_eq!(status, 200, "{body}");
        check_values(&body);
        let mut found = vec![BTreeMap::new(); SERIES as usize];
        let mut samples = 0;
        each_sample(&body, &mut |_, index, step, value| {
            found[index as usize].insert(step, value);
            samples += 1;
        });
        for (step, is_acknowledged) in self.steps.range(first..) {
            for (index, found) in found.iter().enumerate() {
                let is_there = found.contains_key(step);
                assert!(
                    is_there || !is_acknowledged,
                    "step {step} of writer {number}, series {index} is lost"
                );
            }
        }
        let was_sent = |step: &u64| self.steps.contains_key(step);
        assert!(
            found.iter().flat_map(BTreeMap::keys).all(was_sent),
            "a step is there that was not sent"
        );
        samples
    }
}

/// A client that keeps its connection open.
struct Connection {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Connection {
    fn new() -> Self {
        // It may have been set by another test, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            runtime: runtime.unwrap(),
            client: reqwest::Client::new(),
        }
    }

    /// Status and body; status 0 if the server is gone.
    fn send(&mut self, method: reqwest::Method, url: &str, body: Vec<u8>) -> (u16, String) {
        let request = self.client.request(method, url).timeout(PATIENCE);
        let request = request
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        self.runtime.block_on(async {
            let Ok(response) = request.send().await else {
                return (0, String::new());
            };
            let status = response.status().as_u16();
            match response.text().await {
                Ok(text) => (status, text),
                // A write's answer counts once its status is there; a question's does not.
                Err(_) if status == 204 => (status, String::new()),
                Err(_) => (0, String::new()),
            }
        })
    }
}

/// A sequence of numbers that looks random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn since_epoch() -> std::time::Duration {
    std::time::UNIX_EPOCH.elapsed().unwrap()
}
