//! Others read from us in bulk: Debian's Prometheus over remote read and federation, and what it and we send as chunks.

use std::collections::BTreeMap;

use serde_json::Value;
use wire::remote_write::{compress, decompress};

use crate::peer::{Peer, free_port, installed};
use crate::program::{Program, directory, escape, get, get_json, send_for_bytes, until};

/// Starts a Prometheus with a configuration, and gives its address.
fn prometheus(directory: &std::path::Path, config: &str) -> (Peer, String) {
    let port = free_port();
    let file = directory.join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let peer = Peer::start(
        "prometheus",
        &[
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", directory.join("peer").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=error".to_owned(),
        ],
    );
    let url = format!("http://127.0.0.1:{port}");
    until("the peer is ready", || {
        get(&format!("{url}/-/ready")).0 == 200
    });
    (peer, url)
}

/// The program with metrics of this machine each second.
fn program(directory: &std::path::Path) -> Program {
    let config = directory.join("campanile.yml");
    std::fs::write(&config, "host: {interval: 1s}\n").unwrap();
    let data = directory.join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();
    program
}

fn result(server: &str, path: &str) -> Vec<Value> {
    let answer = get_json(&format!("{server}{path}"));
    let mut series = answer["data"]["result"].as_array().cloned().unwrap();
    series.sort_by_key(|series| series["metric"].to_string());
    series
}

#[test]
fn prometheus_reads_what_we_store() {
    if !installed("prometheus") {
        return;
    }
    let directory = directory();
    let program = program(directory.path());
    let (_peer, peer) = prometheus(
        directory.path(),
        &format!(
            "remote_read: [{{url: '{}', read_recent: true}}]\n",
            program.url("/api/v1/read")
        ),
    );
    // Each is collected on its own, and on a busy machine one may begin, or be, later than another.
    let names = [
        "node_load1",
        "node_memory_MemFree_bytes",
        "node_cpu_seconds_total",
    ];
    let value = |query: String| crate::program::query_value(&program, &query);
    let newest = || -> Option<f64> {
        let newest = names.map(|name| value(format!("min(timestamp({name}))")));
        newest
            .into_iter()
            .try_fold(f64::MAX, |all, one| Some(all.min(one?)))
    };
    let mut newest_of_all = None;
    until("each was collected for some seconds", || {
        newest_of_all = newest();
        newest_of_all.is_some_and(|newest| {
            let before = newest - 5.0;
            let is_there = |name| value(format!("count({name} @ {before:.3})")).is_some();
            names.into_iter().all(is_there)
        })
    });
    let newest = newest_of_all.unwrap();
    let at = newest - 0.5;
    for query in [
        "node_load1",
        "node_cpu_seconds_total",
        "node_cpu_seconds_total{mode=~\"i.*\",cpu!=\"1\"}",
        "node_memory_MemFree_bytes offset 2s",
        "sum_over_time(node_memory_MemFree_bytes[4s])",
        "count by (mode) (node_cpu_seconds_total)",
        "node_load1[10s]",
    ] {
        let path = format!("/api/v1/query?query={}&time={at}", escape(query));
        let ours = result(&program.url(""), &path);
        assert!(!ours.is_empty(), "{query}");
        assert_eq!(result(&peer, &path), ours, "{query}");
    }
    let path = format!(
        "/api/v1/query_range?query=node_memory_MemFree_bytes&start={}&end={at}&step=1",
        at - 5.0
    );
    assert_eq!(result(&peer, &path), result(&program.url(""), &path));
}

#[test]
fn prometheus_federates_from_us() {
    if !installed("prometheus") {
        return;
    }
    let directory = directory();
    let program = program(directory.path());
    let target = program.url("").replace("http://", "");
    let (_peer, peer) = prometheus(
        directory.path(),
        &format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs:\n\
             - job_name: federate\n  honor_labels: true\n  metrics_path: /federate\n  \
             params: {{'match[]': ['{{__name__=~\"node_.*\"}}', 'campanile_build_info']}}\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        ),
    );
    let path = format!(
        "/api/v1/query?query={}",
        escape("node_load1 or node_cpu_seconds_total")
    );
    let metrics = |server: &str| -> Vec<Value> {
        let series = result(server, &path);
        series
            .iter()
            .map(|series| series["metric"].clone())
            .collect()
    };
    until("all series have arrived", || {
        let theirs = metrics(&peer);
        !theirs.is_empty() && theirs == metrics(&program.url(""))
    });
    let targets = get_json(&format!("{peer}/api/v1/targets"));
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(
        (target["health"].as_str(), target["lastError"].as_str()),
        (Some("up"), Some(""))
    );
}

/// A chunk as it is sent.
#[derive(Debug, PartialEq)]
struct Sent {
    first: u64,
    last: u64,
    encoding: u64,
    data: Vec<u8>,
}

#[test]
fn our_chunks_are_those_of_prometheus() {
    if !installed("prometheus") {
        return;
    }
    let directory = directory();
    let program = program(directory.path());
    let target = program.url("").replace("http://", "");
    let (_peer, peer) = prometheus(
        directory.path(),
        &format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: scraped, static_configs: [{{targets: ['{target}']}}]}}]\n\
             remote_write: [{{url: 'http://{target}/api/v1/write', queue_config: {{batch_send_deadline: 1s}}}}]\n"
        ),
    );
    let count = "count_over_time(up{job=\"scraped\"}[1h])";
    until("some scrapes are done", || {
        crate::program::query_value(&program, count).is_some_and(|count| count >= 8.0)
    });
    let theirs = chunks(&peer, 0, u64::MAX >> 1);
    let at_peer: Vec<_> = theirs.values().flatten().collect();
    let first = at_peer.iter().map(|chunk| chunk.first).min().unwrap();
    let last = at_peer.iter().map(|chunk| chunk.last).max().unwrap();
    let samples = |chunks: &[Sent]| -> usize {
        let counts = chunks.iter();
        counts
            .map(|chunk| usize::from(chunk.data[0]) << 8 | usize::from(chunk.data[1]))
            .sum()
    };
    let mut ours = BTreeMap::new();
    until("what the peer has has arrived", || {
        ours = chunks(&program.url(""), first, last);
        // Of our own there are the alerts of our rules besides.
        theirs.iter().all(|(labels, chunks)| {
            ours.get(labels)
                .is_some_and(|ours| samples(ours) >= samples(chunks))
        })
    });
    assert!(theirs.len() > 100, "{} series", theirs.len());
    for (labels, chunks) in &theirs {
        assert_eq!(chunks, &ours[labels], "{}", String::from_utf8_lossy(labels));
    }
}

/// All chunks of the scraped series by their labels, as remote read streams them.
fn chunks(server: &str, start: u64, end: u64) -> BTreeMap<Vec<u8>, Vec<Sent>> {
    let field = |number: u8, content: &[u8]| {
        assert!(content.len() < 128);
        [&[number << 3 | 2, content.len() as u8], content].concat()
    };
    let matcher = field(3, &[field(2, b"job"), field(3, b"scraped")].concat());
    let query = [&[0x08][..], &varint(start), &[0x10], &varint(end), &matcher].concat();
    let message = [field(1, &query), vec![0x10, 1]].concat();
    let (status, body) = send_for_bytes(
        reqwest::Method::POST,
        &format!("{server}/api/v1/read"),
        &[
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-read-version", "0.1.0"),
        ],
        compress(&message),
    );
    assert_eq!(status, 200);
    assert!(
        decompress(&body, 1 << 30).is_err(),
        "chunks are not compressed again"
    );
    let mut found: BTreeMap<Vec<u8>, Vec<Sent>> = BTreeMap::new();
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        let length = read_varint(&mut rest) as usize;
        // The checksum; that of ours has tests of its own.
        let (frame, after) = rest[4..].split_at(length);
        rest = after;
        for (_, series) in fields(frame).into_iter().filter(|(number, _)| *number == 1) {
            let (mut labels, mut chunks) = (Vec::new(), Vec::new());
            for (number, content) in fields(series) {
                match number {
                    1 => labels.extend_from_slice(content),
                    _ => chunks.push(sent(content)),
                }
            }
            found.entry(labels).or_default().extend(chunks);
        }
    }
    found
}

fn sent(mut chunk: &[u8]) -> Sent {
    let mut sent = Sent {
        first: 0,
        last: 0,
        encoding: 0,
        data: Vec::new(),
    };
    while !chunk.is_empty() {
        match read_varint(&mut chunk) >> 3 {
            1 => sent.first = read_varint(&mut chunk),
            2 => sent.last = read_varint(&mut chunk),
            3 => sent.encoding = read_varint(&mut chunk),
            _ => {
                let length = read_varint(&mut chunk) as usize;
                let data = &chunk[..length];
                chunk = &chunk[length..];
                // A chunk to which a sample is just being added has a byte for it already.
                let end = data
                    .iter()
                    .rposition(|byte| *byte != 0)
                    .map_or(0, |last| last + 1);
                sent.data = data[..end].to_vec();
            }
        }
    }
    sent
}

/// The fields of a message that have content; others are passed over.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = read_varint(&mut message);
        let number = read_varint(&mut message);
        if tag & 7 == 2 {
            let (content, rest) = message.split_at(number as usize);
            found.push((tag >> 3, content));
            message = rest;
        }
    }
    found
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}
