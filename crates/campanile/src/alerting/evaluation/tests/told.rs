//! What a client of the live feed finds when it fetches the alerts as soon as it hears of one.
//!
//! The alerts are so many that telling them takes much longer than a message is on its way: the client looks while the
//! loop still tells.

use std::net::TcpStream;

use model::SampleBatch;
use server::{AccessSettings, Build, Config, Ports, Server};
use testkit::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tungstenite::Message;

use super::*;

/// Alerts of the group.
const ALERTS: usize = 6_000;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with the feed of a loop, and one client that follows alerts.
struct Audience {
    tasks: JoinSet<()>,
    /// How many alerts were shown when the client heard of the first.
    found: oneshot::Receiver<usize>,
}

impl Audience {
    async fn of(bench: &Bench) -> Self {
        let around = &bench.evaluator.around;
        let ports = ports(around, &bench.evaluator.view());
        let config = Config {
            access: AccessSettings::off(),
            ..Config::default()
        };
        let server = Server::new(ports, Build::default(), config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async {
            server
                .run(listener, CancellationToken::new())
                .await
                .unwrap()
        });
        let (subscribed, is_subscribed) = oneshot::channel();
        let (tell, found) = oneshot::channel();
        let view = bench.evaluator.view();
        std::thread::spawn(move || {
            let stream = TcpStream::connect(address).unwrap();
            let url = format!("ws://{address}/ws/metrics");
            let (mut socket, _) = tungstenite::client(url, stream).unwrap();
            let subscribe = r#"{"type":"subscribe","data":{"subscription":"alerts"}}"#;
            socket.send(Message::text(subscribe)).unwrap();
            let answer = socket.read().unwrap();
            assert!(answer.to_text().unwrap().contains("subscribed"), "{answer}");
            subscribed.send(()).unwrap();
            let _first = socket.read().unwrap();
            tell.send(shown(&view)).unwrap();
            // It goes on reading, as long as it is told something.
            while socket.read().is_ok() {}
        });
        is_subscribed.await.unwrap();
        Self { tasks, found }
    }

    async fn found(mut self) -> usize {
        let found = tokio::time::timeout(PATIENCE, self.found).await;
        self.tasks.shutdown().await;
        found.unwrap().unwrap()
    }
}

fn shown(view: &View) -> usize {
    let groups = view.groups();
    let rules = groups.iter().flat_map(|shown| shown.group.rules());
    rules.map(|rule| rule.active_alerts().count()).sum()
}

fn ports(around: &Surroundings, view: &Arc<View>) -> Ports {
    let view = view.clone();
    Ports {
        sink: around.sink.clone(),
        source: around.source.clone(),
        storage: Arc::new(MemoryStore::new(Duration::ZERO)),
        feed: around.feed.clone(),
        queries: around.queries.clone(),
        clock: around.clock.clone(),
        access: Arc::new(testkit::MemoryAccess::default()),
        provider: None,
        families: Arc::new(Vec::new),
        host: Arc::new(|| None),
        rules: Arc::new(move || view.groups()),
        outages: Arc::new(Vec::new),
        monitors: Arc::new(Vec::new),
        transitions: Arc::new(|_, _| Box::pin(async { Ok(Vec::new()) })),
        notifications: Arc::new(|_| Box::pin(async { Ok(Vec::new()) })),
        status: Arc::new(server::Status::default),
        health: Arc::new(Vec::new),
        reload: Arc::new(|| Ok(())),
        ready: Arc::new(|| Ok(())),
    }
}

/// A loop whose group is about to raise all alerts.
async fn bench() -> Bench {
    let bench = Bench::at(at(1_000)).await;
    bench.clock.advance(Duration::from_secs(60));
    let series: Vec<Labels> = (1..ALERTS)
        .map(|number| {
            Labels::from_pairs([("__name__", "up"), ("job", &*number.to_string())]).unwrap()
        })
        .collect();
    let rows = series.iter().map(|labels| (labels, at(1_000), 1.0));
    let appended = bench
        .store
        .memory
        .append(&SampleBatch::packed(rows))
        .unwrap();
    assert_eq!(appended.rejected, []);
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hears_of_an_alert_finds_it_shown() {
    let mut bench = bench().await;
    let audience = Audience::of(&bench).await;
    assert_eq!(bench.step().await, Some((ALERTS, false)));
    assert_eq!(audience.found().await, ALERTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hears_that_the_alerts_of_a_rule_that_is_gone_are_over_finds_none() {
    let mut bench = bench().await;
    assert_eq!(bench.step().await, Some((ALERTS, false)));
    let audience = Audience::of(&bench).await;
    let other = ALWAYS.replace("Fires", "Other");
    let settings = Settings {
        groups: rules::parse(&document::Source::new("test.yml", &other)).unwrap(),
        ..bench.evaluator.settings.clone()
    };
    bench.evaluator.change(settings, &bench.inbox).await;
    assert_eq!(audience.found().await, 0);
}
