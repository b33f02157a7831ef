//! The answers about rules and alerts beside those of Debian's Prometheus, for one rule file that both evaluate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use rules::{Environment, Group};
use serde_json::Value;
use server::{AccessSettings, Build, Config, Ports, RuleGroup, Server};
use testkit::{MemoryStore, SimulatedClock};
use tokio_util::sync::CancellationToken;

use crate::peer::{Peer, free_port, installed};
use crate::program::{directory, get, get_json, until};

/// Rules that need no series, so that both evaluate them alike. No number in them is so large or small that Prometheus 2
/// would show it with an exponent, which Prometheus 3 does not.
const RULES: &str = r#"
groups:
- name: records
  interval: 1s
  limit: 3
  rules:
  - {record: plain, expr: vector(1)}
  - {record: 'with:labels', expr: 'vector( 1 )+2', labels: {b: "2", a: "<1>"}}
  - {record: bad, expr: "vector(1) + on () (vector(1) or label_replace(vector(2), 'q', 'z', '', ''))"}
- name: alerts
  interval: 1s
  rules:
  - alert: Fires
    expr: vector(97.25) > 0
    labels: {severity: page, value: "{{ $value }}"}
    annotations: {summary: "at {{ $value | printf \"%.1f\" }} & \"more\" <b>"}
  - {alert: Pends, expr: vector(-1) / 100000, for: 1h30m, keep_firing_for: 90s}
  - {alert: Fine, expr: vector(1) > 1}
  - {alert: Many, expr: "label_replace(vector(1), 'n', 'a', '', '') or label_replace(vector(10) ^ 21, 'n', 'b', '', '')"}
  - {alert: Infinite, expr: vector(1) / 0}
"#;

#[test]
fn rules_and_alerts_are_answered_as_prometheus_answers() {
    if !installed("prometheus") {
        return;
    }
    let directory = directory();
    let file = directory.path().join("rules.yml");
    std::fs::write(&file, RULES).unwrap();
    let (_peer, theirs) = start_peer(directory.path(), &file);
    let ours = OurServer::start(&file);
    until("Prometheus has evaluated each rule", || {
        let (status, body) = get(&format!("{theirs}/api/v1/rules"));
        status == 200 && body.contains("records") && !body.contains("\"unknown\"")
    });
    for path in [
        "/api/v1/rules",
        "/api/v1/rules?type=alert",
        "/api/v1/rules?type=record",
        "/api/v1/alerts",
    ] {
        let ours = comparable(get_json(&format!("{}{path}", ours.url)));
        let theirs = comparable(get_json(&format!("{theirs}{path}")));
        let shown = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        assert_eq!(shown(&ours), shown(&theirs), "{path}");
    }
    let refused = |server: &str| get(&format!("{server}/api/v1/rules?type=none")).0;
    assert_eq!((refused(&ours.url), refused(&theirs)), (400, 400));
}

fn start_peer(directory: &Path, rules: &Path) -> (Peer, String) {
    let config = directory.join("prometheus.yml");
    let text = format!("rule_files: ['{}']\n", rules.display());
    std::fs::write(&config, text).unwrap();
    let port = free_port();
    let peer = Peer::start(
        "prometheus",
        &[
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", directory.join("peer").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=error".to_owned(),
        ],
    );
    (peer, format!("http://127.0.0.1:{port}"))
}

/// Our server over groups that were evaluated once.
struct OurServer {
    url: String,
    stop: CancellationToken,
}

impl OurServer {
    fn start(rules: &Path) -> Self {
        let store = Arc::new(MemoryStore::new(Duration::MAX));
        let groups = evaluated(rules, &store);
        let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(0)));
        let ports = Ports {
            sink: store.clone(),
            source: store.clone(),
            storage: store,
            feed: server::Feed::default(),
            queries: server::RunningQueries::new(clock.clone()),
            clock,
            access: Arc::new(testkit::MemoryAccess::default()),
            provider: None,
            families: Arc::new(Vec::new),
            host: Arc::new(|| None),
            rules: Arc::new(move || groups.clone()),
            outages: Arc::new(Vec::new),
            monitors: Arc::new(Vec::new),
            transitions: Arc::new(|_, _| Box::pin(async { Ok(Vec::new()) })),
            notifications: Arc::new(|_| Box::pin(async { Ok(Vec::new()) })),
            status: Arc::new(server::Status::default),
            health: Arc::new(Vec::new),
            reload: Arc::new(|| Ok(())),
            ready: Arc::new(|| Ok(())),
        };
        let config = Config {
            access: AccessSettings::off(),
            ..Config::default()
        };
        let server = Server::new(ports, Build::default(), config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                server.run(listener, stopped).await.unwrap();
            });
        });
        Self { url, stop }
    }
}

impl Drop for OurServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn evaluated(rules: &Path, store: &Arc<MemoryStore>) -> Vec<Arc<RuleGroup>> {
    let store = Arc::clone(store);
    let environment = Environment::new(Arc::new(move |expr, at| {
        let limits = promql::Limits::default();
        promql::evaluate_instant(&*store, expr, at, &limits, &promql::Interrupt::new())
    }));
    let text = std::fs::read_to_string(rules).unwrap();
    let source = document::Source::new(rules.display().to_string(), text);
    let groups = rules::parse(&source).unwrap().into_iter();
    let groups = groups.map(|definition| {
        let mut group = Group::new(definition);
        let at = Timestamp::from_millis(1_795_250_000_123);
        group.evaluate(at, &environment, &mut |_| {});
        Arc::new(RuleGroup {
            interval: group.interval(&environment),
            evaluation_time: Duration::from_micros(1500),
            rule_times: Vec::new(),
            group,
        })
    });
    groups.collect()
}

/// An answer in which each moment and each time taken is replaced by its type, and alerts are in the order of their
/// labels: Prometheus has none.
fn comparable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let inner = field.take();
                *field = match name.as_str() {
                    "evaluationTime" => Value::from(inner.is_number()),
                    "lastEvaluation" | "activeAt" => {
                        let moment = wire::time::parse_rfc3339(inner.as_str().unwrap());
                        Value::from(moment.unwrap() > Timestamp::from_millis(0))
                    }
                    _ => comparable(inner),
                };
            }
        }
        Value::Array(items) => {
            for item in &mut *items {
                *item = comparable(item.take());
            }
            // Prometheus 3 leaves out a group of which no rule is wanted, as we do.
            items.retain(|item| item["rules"] != Value::Array(Vec::new()));
            if items.iter().all(|item| item.get("activeAt").is_some()) {
                items.sort_by_key(|item| item["labels"].to_string());
            }
        }
        _ => {}
    }
    value
}
