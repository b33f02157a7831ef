//! Queries that would take a server down: each ends with an answer or its error, while samples come in and rules are evaluated.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use model::{Labels, Sample, Timestamp};
use reqwest::Method;

use crate::program::{
    Program, command, directory, escape, get, get_json, query_value, send, until,
};

const SERIES: usize = 1000;

/// Samples of each series, ten seconds apart, up to now.
const SAMPLES: i64 = 180;

/// Little memory, so that all that is not bounded is seen.
const MEMORY_MIB: u64 = 192;

const CONFIG: &str = "
host: {enabled: false}
limits: {memory: 192MiB}
query: {timeout: 10s}
rule_files: [rules.yml]
";

const RULES: &str = "
groups:
  - name: pace
    interval: 1s
    rules: [{record: pace, expr: count(noise)}]
";

/// How a query may end.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The request is wrong, or the expression is more than anyone may ask.
    Refused,
    /// A limit of the query, or of all together, is reached.
    Limited,
    /// It has an answer, unless there is no room or no time for it.
    Answered,
}

#[test]
fn no_query_takes_the_server_down_nor_stops_samples_and_rules() {
    let data = directory();
    let program = start(data.path());
    let now = query_value(&program, "vector(time())").unwrap();
    let base = program.url("");
    fill(&base, now);
    until("the rule is evaluated", || {
        query_value(&program, "pace") == Some(SERIES as f64)
    });

    let is_over = AtomicBool::new(false);
    let pushed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let over = Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                let at = (now * 1000.0) as i64 + pushed.load(Relaxed) as i64;
                let (status, body) = push(&base, &[("pulse", at, 1.0)]);
                assert_eq!(status, 204, "{body}");
                pushed.fetch_add(1, Relaxed);
            }
        });
        let mut asked = Vec::new();
        // Each of them twice at the same time, and all of them together.
        for (name, path, form, end) in queries(now).into_iter().flat_map(|one| [one.clone(), one]) {
            let base = &base;
            asked.push(scope.spawn(move || ask(base, name, path, &form, end)));
        }
        let pace = evaluations(&program);
        let before = pushed.load(Relaxed);
        let failures: Vec<String> = asked
            .into_iter()
            .filter_map(|asked| asked.join().unwrap())
            .collect();
        assert_eq!(failures, [""; 0]);
        until("samples come in", || pushed.load(Relaxed) > before);
        until("rules are evaluated", || evaluations(&program) > pace);
        drop(over);
    });

    let rules = get_json(&program.url("/api/v1/rules"));
    assert_eq!(rules["data"]["groups"][0]["rules"][0]["health"], "ok");
    let failed = r#"campanile_query_requests_total{kind="rule",result="#;
    let (_, metrics) = get(&program.url("/metrics"));
    let failed: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with(failed))
        .collect();
    assert_eq!(failed.len(), 1, "only successes: {failed:?}");
    until("all queries have ended", || {
        let list = get_json(&program.url("/api/v1/status/active_queries"));
        let list = list["data"].as_array().unwrap().clone();
        list.iter().all(|query| query["kind"] == "rule")
    });
    assert_eq!(get(&program.url("/health")).0, 200);
    let peak = peak_memory(program.id());
    assert!(
        peak < MEMORY_MIB * 3 / 2,
        "{peak} MiB were taken, of {MEMORY_MIB} MiB"
    );
}

/// Says that it is over, also when a test fails.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The parameters of a query.
type Form = Vec<(&'static str, String)>;

/// Name, path, form and end of each.
fn queries(now: f64) -> Vec<(&'static str, &'static str, Form, End)> {
    use End::{Answered, Limited, Refused};
    let mut all = Vec::new();
    let mut instant = |name, query: String, end| {
        all.push((name, "query", vec![("query", query)], end));
    };
    instant(
        "nested subqueries",
        "max_over_time(max_over_time(rate(noise[5m])[1h:1s])[6h:1s])".to_owned(),
        Answered,
    );
    instant(
        "a subquery of milliseconds",
        "max_over_time(vector(1)[10y:1ms])".to_owned(),
        Limited,
    );
    instant(
        "a long subquery of one series",
        "quantile_over_time(0.5, (noise{index=\"1\"})[30d:1s])".to_owned(),
        Limited,
    );
    instant(
        "nested quantifiers",
        "noise{index=~\"(a+)+$\",index!~\"(x+x+)+y\"}".to_owned(),
        Answered,
    );
    instant(
        "nested repetitions",
        "noise{index=~\"((a{1,1000}){1,1000}){1,1000}\"}".to_owned(),
        Refused,
    );
    let alternatives: Vec<String> = (0..2500).map(|at| at.to_string()).collect();
    instant(
        "ten kilobytes of alternatives",
        format!("count(noise{{index=~\"{}\"}})", alternatives.join("|")),
        Answered,
    );
    let dots = ".*".repeat(500);
    instant("many dots", format!("{{__name__=~\"{dots}e\"}}"), Answered);
    let matchers: Vec<String> = (0..10_000).map(|at| format!("l{at}!=\"x\"")).collect();
    instant(
        "ten thousand matchers",
        format!("count(noise{{{}}})", matchers.join(",")),
        Refused,
    );
    instant("deep parentheses", "(".repeat(100_000), Refused);
    instant("many signs", format!("{}1", "-".repeat(100_000)), Refused);
    let sums = format!("{}noise{}", "sum(".repeat(10_000), ")".repeat(10_000));
    instant("deep sums", sums, Refused);
    instant(
        "a long text",
        format!("noise # {}", "x".repeat(2 << 20)),
        Refused,
    );
    let chain = vec!["noise"; 900].join(" or ");
    instant("a long chain", format!("count({chain})"), Answered);
    instant(
        "a label replaced by very much",
        format!(
            "label_replace(long, \"x\", \"{}\", \"text\", \"(.*)\")",
            "$1".repeat(100_000)
        ),
        Limited,
    );
    instant(
        "long labels of all series",
        format!(
            "label_replace(noise, \"x\", \"{}\", \"index\", \".*\")",
            "a".repeat(900_000)
        ),
        Limited,
    );
    instant(
        "a label joined of very much",
        format!(
            "label_join(long, \"x\", \"\"{})",
            ", \"text\"".repeat(20_000)
        ),
        Limited,
    );
    instant(
        "everything with everything",
        "noise * on () group_left () noise".to_owned(),
        Limited,
    );
    instant(
        "a range of centuries",
        "rate(noise[290y]) + count_over_time(noise[200y] offset 80y)".to_owned(),
        Answered,
    );
    instant("a strange time", "noise @ 1e15".to_owned(), Answered);
    instant(
        "too many to choose",
        "topk(1e18, noise)".to_owned(),
        Answered,
    );
    for (name, query, end) in [
        ("everything by seconds", "{__name__=~\".+\"}", Limited),
        (
            "all values as labels",
            "count_values(\"v\", noise * time())",
            Limited,
        ),
        (
            "group_left of many",
            "noise * on (group) group_left () (group_size * 0 + 1)",
            Limited,
        ),
        (
            "sorted by seconds",
            "sort_desc(noise) or (noise + 1)",
            Limited,
        ),
        (
            "smoothing each step",
            "quantile_over_time(0.9, noise[30m])",
            Answered,
        ),
    ] {
        let form = vec![
            ("query", query.to_owned()),
            ("start", (now - 10_999.0).to_string()),
            ("end", now.to_string()),
            ("step", "1".to_owned()),
        ];
        all.push((name, "query_range", form, end));
    }
    let form = vec![
        ("query", "noise".to_owned()),
        ("start", "-1e15".to_owned()),
        ("end", "1e15".to_owned()),
        ("step", "1".to_owned()),
    ];
    all.push(("more steps than there are", "query_range", form, Refused));
    let deep = vec![("query", "(".repeat(100_000))];
    all.push((
        "deep parentheses to format",
        "format_query",
        deep.clone(),
        Refused,
    ));
    all.push(("deep parentheses to parse", "parse_query", deep, Refused));
    all
}

/// Asks once; what is wrong with the answer.
fn ask(base: &str, name: &str, path: &str, form: &[(&str, String)], end: End) -> Option<String> {
    let body: Vec<String> = form
        .iter()
        .map(|(key, value)| format!("{key}={}", escape(value)))
        .collect();
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let url = format!("{base}/api/v1/{path}");
    let (status, text) = send(Method::POST, &url, &[kind], body.join("&").into_bytes());
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let is_right = match (end, status) {
        (End::Answered, 200) => return None,
        (End::Refused, 400) | (End::Limited | End::Answered, 422 | 503) => {
            let error = answer["error"].as_str().unwrap_or_default();
            !error.is_empty() && error.len() < 20_000
        }
        _ => false,
    };
    let shown: String = text.chars().take(300).collect();
    (!is_right).then(|| format!("{name}: {end:?} was expected, but: {status} {shown}"))
}

fn start(data: &Path) -> Program {
    std::fs::write(data.join("campanile.yml"), CONFIG).unwrap();
    std::fs::write(data.join("rules.yml"), RULES).unwrap();
    let mut serve = command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--auth",
        "off",
    ]);
    serve.arg("--data-dir").arg(data.join("data"));
    serve.arg("--config").arg(data.join("campanile.yml"));
    Program::start_as(serve)
}

fn fill(base: &str, now: f64) {
    let end = (now * 1000.0) as i64;
    for sample in 0..SAMPLES {
        let at = Timestamp::from_millis(end - (SAMPLES - sample) * 10_000);
        let series: Vec<(Labels, [Sample; 1])> = (0..SERIES)
            .map(|index| {
                let labels = [
                    ("__name__", "noise"),
                    ("index", &index.to_string()),
                    ("group", &(index % 50).to_string()),
                ];
                let value = (sample * 7919 + index as i64 * 104_729) as f64;
                let sample = Sample {
                    timestamp: at,
                    value,
                };
                (Labels::from_pairs(labels).unwrap(), [sample])
            })
            .collect();
        let (status, body) = write(base, &series);
        assert_eq!(status, 204, "{body}");
    }
    let mut once = Vec::new();
    let sample = Sample {
        timestamp: Timestamp::from_millis(end),
        value: 1.0,
    };
    for group in 0..50 {
        let labels = [("__name__", "group_size"), ("group", &group.to_string())];
        once.push((Labels::from_pairs(labels).unwrap(), [sample]));
    }
    let text = "b".repeat(2000);
    let long = [("__name__", "long"), ("text", &text)];
    once.push((Labels::from_pairs(long).unwrap(), [sample]));
    let (status, body) = write(base, &once);
    assert_eq!(status, 204, "{body}");
}

fn push(base: &str, samples: &[(&str, i64, f64)]) -> (u16, String) {
    let series: Vec<(Labels, [Sample; 1])> = samples
        .iter()
        .map(|(name, at, value)| {
            let sample = Sample {
                timestamp: Timestamp::from_millis(*at),
                value: *value,
            };
            (Labels::from_pairs([("__name__", *name)]).unwrap(), [sample])
        })
        .collect();
    write(base, &series)
}

fn write(base: &str, series: &[(Labels, [Sample; 1])]) -> (u16, String) {
    let series = series
        .iter()
        .map(|(labels, samples)| (labels, samples.as_slice()));
    let body = wire::remote_write::compress(&wire::remote_write::encode(series));
    send(Method::POST, &format!("{base}/api/v1/write"), &[], body)
}

/// How often rules were evaluated.
fn evaluations(program: &Program) -> u64 {
    let (_, metrics) = get(&program.url("/metrics"));
    let name = "campanile_rule_evaluations_total";
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    counts.sum::<f64>() as u64
}

/// The most memory that a process had, in MiB.
fn peak_memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().trim_end_matches("kB").trim();
    kibibytes.parse::<u64>().unwrap() / 1024
}
