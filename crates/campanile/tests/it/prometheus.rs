//! Debian's Prometheus beside the program: its tools work on us, it scrapes us and writes to us, and both answer alike.

use std::process::Command;

use serde_json::Value;

use crate::peer::{Peer, free_port, installed};
use crate::program::{Program, directory, escape, get, get_json, until};

#[test]
fn promtool_asks_us() {
    if !installed("promtool") {
        return;
    }
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    until("host metrics are stored", || {
        promtool(&["query", "instant", &program.url(""), "node_load1"]).contains("node_load1{")
    });
    let range = promtool(&["query", "range", &program.url(""), "node_load1 * 0 + 3"]);
    assert!(range.contains("3 @["), "{range}");
    let series = promtool(&["query", "series", "--match", "node_load1", &program.url("")]);
    assert!(series.contains("node_load1"), "{series}");
    let labels = promtool(&["query", "labels", &program.url(""), "mode"]);
    assert!(labels.contains("iowait"), "{labels}");
}

#[test]
fn promtool_has_nothing_to_say_about_our_metrics() {
    if !installed("promtool") {
        return;
    }
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    get_json(&program.url("/api/v1/query?query=1"));
    let (_, metrics) = get(&program.url("/metrics"));
    assert!(
        metrics.contains("campanile_http_requests_total{"),
        "{metrics}"
    );
    let file = data.path().join("metrics.txt");
    std::fs::write(&file, metrics).unwrap();
    let output = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(file).unwrap())
        .output()
        .unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("error while linting"), "{said}");
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("campanile_"))
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

/// Expressions over what Prometheus scraped from us; `SEL` stands for the label that only those series bear.
const QUERIES: [&str; 50] = [
    "up{SEL}",
    "node_load1{SEL}",
    "node_memory_MemTotal_bytes{SEL}",
    "node_boot_time_seconds{SEL}",
    "node_cpu_seconds_total{SEL}",
    "node_cpu_seconds_total{SEL,mode=\"idle\"}",
    "node_cpu_seconds_total{SEL,mode=~\"i.*\"}",
    "node_cpu_seconds_total{SEL,mode!=\"idle\",cpu=\"0\"}",
    "node_cpu_seconds_total{SEL,mode!~\"idle|user\"}",
    "{SEL,__name__=~\"node_load.+\"}",
    "rate(node_cpu_seconds_total{SEL}[10s])",
    "irate(node_cpu_seconds_total{SEL}[10s])",
    "increase(node_context_switches_total{SEL}[12s])",
    "delta(node_memory_MemFree_bytes{SEL}[12s])",
    "sum(rate(node_cpu_seconds_total{SEL}[10s]))",
    "sum by (mode) (rate(node_cpu_seconds_total{SEL}[10s]))",
    "sum without (cpu, instance) (node_cpu_seconds_total{SEL})",
    "avg by (cpu) (node_cpu_seconds_total{SEL})",
    "min(node_filesystem_avail_bytes{SEL})",
    "max by (device) (node_network_receive_bytes_total{SEL})",
    "count(node_cpu_seconds_total{SEL})",
    "count by (mode) (node_cpu_seconds_total{SEL})",
    "topk(3, node_cpu_seconds_total{SEL})",
    "bottomk(2, node_cpu_seconds_total{SEL,mode=\"idle\"})",
    "avg_over_time(node_load1{SEL}[10s])",
    "min_over_time(node_memory_MemFree_bytes{SEL}[10s])",
    "max_over_time(node_memory_MemFree_bytes{SEL}[10s])",
    "sum_over_time(up{SEL}[10s])",
    "count_over_time(up{SEL}[10s])",
    "last_over_time(node_load5{SEL}[10s])",
    "quantile_over_time(0.5, node_memory_MemFree_bytes{SEL}[10s])",
    "stddev_over_time(node_memory_MemFree_bytes{SEL}[10s])",
    "100 - 100 * node_memory_MemAvailable_bytes{SEL} / node_memory_MemTotal_bytes{SEL}",
    "node_filesystem_avail_bytes{SEL} / node_filesystem_size_bytes{SEL} * 100",
    "node_load1{SEL} > bool 0",
    "node_load1{SEL} >= 0",
    "node_load1{SEL} < -1",
    "node_load1{SEL} + on (job, instance) node_load5{SEL}",
    "node_cpu_seconds_total{SEL} / on (cpu, job, instance) group_left () sum by (cpu, job, instance) (node_cpu_seconds_total{SEL})",
    "node_memory_MemTotal_bytes{SEL} - ignoring (device) node_memory_MemFree_bytes{SEL}",
    "node_load1{SEL} offset 5s",
    "abs(delta(node_memory_MemFree_bytes{SEL}[10s]))",
    "ceil(node_load1{SEL})",
    "floor(node_load1{SEL} * 10)",
    "round(node_load1{SEL}, 0.5)",
    "clamp_min(node_load1{SEL}, 1)",
    "absent(nonexistent{SEL})",
    "scalar(node_load1{SEL}) + time() * 0",
    "vector(scalar(node_memory_MemTotal_bytes{SEL}))",
    "histogram_quantile(0.9, sum by (le) (rate(campanile_http_request_duration_seconds_bucket{SEL}[10s])))",
];

#[test]
fn prometheus_scrapes_us_writes_to_us_and_answers_alike() {
    if !installed("prometheus") {
        return;
    }
    let directory = directory();
    let config = directory.path().join("campanile.yml");
    std::fs::write(&config, "host: {interval: 1s}\n").unwrap();
    let data = directory.path().join("data");
    let program = Program::start(&data, &["--config", config.to_str().unwrap()]);
    program.wait_until_ready();

    let port = free_port();
    let target = program.url("").replace("http://", "");
    let peer_config = directory.path().join("prometheus.yml");
    std::fs::write(
        &peer_config,
        format!(
            "global: {{scrape_interval: 1s, external_labels: {{}}}}\n\
             scrape_configs: [{{job_name: scraped, static_configs: [{{targets: ['{target}']}}]}}]\n\
             remote_write: [{{url: 'http://{target}/api/v1/write', queue_config: {{batch_send_deadline: 1s}}}}]\n"
        ),
    )
    .unwrap();
    let _peer = Peer::start(
        "prometheus",
        &[
            format!("--config.file={}", peer_config.display()),
            format!(
                "--storage.tsdb.path={}",
                directory.path().join("peer").display()
            ),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=error".to_owned(),
        ],
    );
    let peer = format!("http://127.0.0.1:{port}");
    let scrapes = "count_over_time(up{job=\"scraped\"}[1h])";
    let count = |server: &str| {
        let (status, body) = get(&format!("{server}/api/v1/query?query={}", escape(scrapes)));
        let answer: Value = if status == 200 {
            serde_json::from_str(&body).unwrap()
        } else {
            Value::Null
        };
        answer["data"]["result"][0]["value"][1]
            .as_str()
            .map_or(0, |value| value.parse().unwrap())
    };
    // As many as the longest window needs without a series' first sample in it: there Prometheus 3 extrapolates a
    // counter less far than Prometheus 2.
    until("enough scrapes are done and written", || {
        count(&peer) >= 32 && count(&program.url("")) >= 32
    });
    let health = get_json(&format!("{peer}/api/v1/targets"));
    let target = &health["data"]["activeTargets"][0];
    assert_eq!(
        (target["health"].as_str(), target["lastError"].as_str()),
        (Some("up"), Some(""))
    );

    // A moment in the past, for which each has all samples, and on which no sample falls.
    let newest = get_json(&format!(
        "{peer}/api/v1/query?query={}",
        escape("timestamp(up{job=\"scraped\"})")
    ));
    let newest: f64 = newest["data"]["result"][0]["value"][1]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let at = newest - 2.5;
    until("the samples up to that moment have arrived", || {
        let newest_here = format!("timestamp(up{{job=\"scraped\"}}) >= {newest}");
        crate::program::query_value(&program, &newest_here).is_some()
    });
    let mut differences = Vec::new();
    for query in QUERIES {
        let query = escape(&query.replace("SEL", "job=\"scraped\""));
        let instant = format!("/api/v1/query?query={query}&time={at}");
        let range = format!(
            "/api/v1/query_range?query={query}&start={}&end={at}&step=1",
            at - 8.0
        );
        for path in [instant, range] {
            let ours = sorted(get_json(&program.url(&path))["data"].take());
            let theirs = sorted(get_json(&format!("{peer}{path}"))["data"].take());
            if !alike(&ours, &theirs) {
                differences.push(format!("{path}\n  ours:   {ours}\n  theirs: {theirs}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// The answer with its series in the order of their labels: an instant vector has no order of its own.
fn sorted(mut data: Value) -> Value {
    if let Some(series) = data["result"].as_array_mut() {
        series.sort_by_key(|series| series["metric"].to_string());
    }
    data
}

/// Equal, apart from the last digits of a value: newer versions than the peer's sum more exactly.
fn alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| alike(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, a)| theirs.get(key).is_some_and(|b| alike(a, b)))
        }
        (Value::String(ours), Value::String(theirs)) => {
            ours == theirs
                || matches!((ours.parse::<f64>(), theirs.parse::<f64>()), (Ok(a), Ok(b))
                    if (a - b).abs() <= 1e-12 * a.abs().max(b.abs()))
        }
        _ => ours == theirs,
    }
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
