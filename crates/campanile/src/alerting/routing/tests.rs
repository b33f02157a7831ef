//! The loop of routing, when the catalog or the clock does not behave, and what it takes up after a kill.

use std::collections::BTreeMap;

use testkit::SimulatedClock;

use super::*;

/// A loop that does not run, around a catalog of its own.
struct Bench {
    clock: Arc<SimulatedClock>,
    catalog: Catalog,
    router: Router,
    _directory: tempfile::TempDir,
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// One group, told at once to a receiver that the configuration has no means to tell.
fn whom() -> Whom {
    let mut root = alerts::Route::to("ops");
    root.timing.group_wait = Duration::ZERO;
    let integration = alerts::Integration {
        send_resolved: true,
    };
    let receiver = alerts::Receiver {
        integrations: BTreeMap::from([("webhook[0]".to_owned(), integration)]),
    };
    Whom {
        routing: alerts::Routing {
            root,
            receivers: BTreeMap::from([("ops".to_owned(), receiver)]),
            cooldowns: Vec::new(),
        },
        receivers: notify::Receivers::default(),
        external_url: String::new(),
    }
}

fn alert(name: &str, ends_at: Timestamp) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", name)]).unwrap(),
        annotations: BTreeMap::new(),
        value: None,
        starts_at: seconds(0),
        ends_at,
        generator_url: String::new(),
    }
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimulatedClock::new(seconds(10_000)));
        let catalog = Catalog::open(directory.path(), clock.clone())
            .await
            .unwrap();
        let metrics = Arc::new(AlertingMetrics::default());
        let loaded = Router::load(catalog.clone(), clock.clone(), metrics, whom()).await;
        let (router, _) = loaded.unwrap();
        Self {
            clock,
            catalog,
            router,
            _directory: directory,
        }
    }

    /// Raises an alert; the orders that follow.
    fn raise(&mut self, alert: Alert) -> Vec<Order> {
        let now = self.clock.now();
        self.router.heed_leap(now);
        let mut orders = Vec::new();
        self.router.apply(Event::Alert(alert), now, &mut orders);
        orders
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_written_is_kept_once_however_often_it_changes() {
    let mut bench = Bench::new().await;
    bench.catalog.close().await.unwrap();
    for number in 0..100 {
        let orders = bench.raise(alert(&format!("alert {number}"), Timestamp::MAX));
        bench.router.prepare(&orders);
        assert!(bench.router.write().await.is_err());
    }
    // The one group has one notification on its way; the state is made when it can be written.
    assert_eq!(bench.router.unwritten.len(), 1);
    assert!(bench.router.is_state_due);
}

#[tokio::test]
async fn what_is_refused_takes_nothing_else_with_it() {
    let mut bench = Bench::new().await;
    let now = bench.clock.now();
    // The outcome of a notification of which the journal knows nothing.
    bench.router.unwritten.attempted(99, 1, 0, "");
    let orders = bench.raise(alert("down", Timestamp::MAX));
    bench.router.prepare(&orders);
    bench
        .router
        .unwritten
        .finished(98, DeliveryState::Failed, "", now);
    bench.router.write().await.unwrap();
    assert!(bench.router.unwritten.is_empty());
    let id = orders[0].notification.id;
    assert!(bench.catalog.notification(id).await.unwrap().is_some());
    assert!(bench.catalog.state(KIND, KEY).await.unwrap().is_some());
}

#[tokio::test]
async fn alerts_are_told_also_after_the_clock_was_set_back() {
    let mut bench = Bench::new().await;
    let soon = Duration::from_secs(240);
    assert_eq!(bench.raise(alert("rule", seconds(10_000) + soon)).len(), 1);
    bench.clock.set(seconds(2_000));
    let labels = [("alertname", "other"), ("site", "b")];
    let mut other = alert("other", seconds(2_000) + soon);
    other.labels = Labels::from_pairs(labels).unwrap();
    bench.raise(other.clone());
    let known: Vec<Labels> = bench
        .router
        .state
        .alerts()
        .map(|alert| alert.labels.clone())
        .collect();
    assert!(known.contains(&other.labels), "{known:?}");
}

#[tokio::test]
async fn an_alert_of_which_its_origin_knows_no_more_ends() {
    let mut bench = Bench::new().await;
    let now = bench.clock.now();
    let kept = alert("kept", Timestamp::MAX);
    let gone = alert("gone", Timestamp::MAX);
    let of_a_rule = alert("of a rule", now + Duration::from_secs(240));
    for raised in [&kept, &gone, &of_a_rule] {
        bench.raise(raised.clone());
    }
    let ended = bench.router.abandoned(std::slice::from_ref(&kept), now);
    let ended: Vec<_> = ended
        .iter()
        .map(|alert| (&alert.labels, alert.ends_at))
        .collect();
    assert_eq!(ended, [(&gone.labels, now)]);
}
