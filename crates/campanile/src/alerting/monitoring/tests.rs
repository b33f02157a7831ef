//! The loop of checks, when monitors come and go and the catalog does not take everything.

use collect::probe;
use testkit::{MemoryStore, SimulatedClock};

use super::*;

async fn monitoring(directory: &std::path::Path) -> Monitoring {
    monitoring_of(directory, Vec::new()).await
}

async fn monitoring_of(directory: &std::path::Path, monitors: Vec<Monitor>) -> Monitoring {
    let clock = Arc::new(SimulatedClock::new(Timestamp::from_millis(1_000_000)));
    let catalog = Catalog::open(directory, clock.clone()).await.unwrap();
    let around = Surroundings {
        prober: Prober::new(probe::Options::default(), clock.clone()).unwrap(),
        sink: Arc::new(MemoryStore::new(Duration::MAX)),
        clock,
        catalog,
        metrics: Arc::default(),
    };
    Monitoring::load(around, monitors).await.unwrap().0
}

fn shop() -> Vec<Monitor> {
    let settings = document::Source::new(
        "test.yml",
        "[{name: shop, type: http, url: 'http://shop.test/'}]",
    );
    let options = document::Options::default();
    let document = document::Document::parse(&settings, document::Syntax::Yaml, &options).unwrap();
    uptime::read_monitors(document.root()).monitors
}

fn transition(monitor: &str, number: u64, at: i64) -> Transition {
    Transition {
        monitor: monitor.into(),
        number,
        from: State::Pending,
        to: State::Up,
        at: Timestamp::from_millis(at),
        since: Timestamp::from_millis(at),
        cause: String::new(),
    }
}

async fn kept(monitoring: &Monitoring, monitor: &str) -> usize {
    let transitions =
        monitoring
            .around
            .catalog
            .transitions(monitor, Timestamp::MIN, Timestamp::MAX, 100);
    transitions.await.unwrap().len()
}

#[tokio::test]
async fn a_change_that_is_refused_takes_no_other_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut monitoring = monitoring(directory.path()).await;
    let mut changes = Changes::default();
    changes.transition(row(&transition("shop", 1, 1)));
    monitoring.write(&changes).await.unwrap();

    let mut changes = Changes::default();
    changes
        .transition(row(&transition("shop", 1, 2)))
        .transition(row(&transition("blog", 1, 2)));
    monitoring.write(&changes).await.unwrap();
    assert_eq!(kept(&monitoring, "shop").await, 1);
    assert_eq!(kept(&monitoring, "blog").await, 1);
}

#[tokio::test]
async fn a_monitor_that_was_removed_a_moment_ago_and_comes_back_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let mut monitoring = monitoring(directory.path()).await;
    let monitors = shop();
    let mut watch = Watch::default();
    watch.apply(Event::Configured(monitors.clone()), Timestamp::MIN);
    let memory = watch.memories().remove(0);
    // As it is right after the removal: the catalog still holds what is forgotten at the next time.
    monitoring.written.insert("shop".into(), memory);
    let mut changes = Changes::default();
    changes.transition(row(&transition("shop", 1, 1)));
    monitoring.write(&changes).await.unwrap();

    let around = &monitoring.around;
    let whom = crate::alerting::routing::Whom {
        routing: alerts::Routing {
            root: alerts::Route::to("nobody"),
            receivers: std::collections::BTreeMap::new(),
            cooldowns: Vec::new(),
        },
        receivers: notify::Receivers::default(),
        external_url: String::new(),
    };
    let (catalog, clock, metrics) = (
        around.catalog.clone(),
        around.clock.clone(),
        around.metrics.clone(),
    );
    let (_router, inbox) = crate::alerting::routing::Router::load(catalog, clock, metrics, whom)
        .await
        .unwrap();
    let mut tasks = JoinSet::new();
    let (clock, sink) = (
        monitoring.around.clock.clone(),
        monitoring.around.sink.clone(),
    );
    let mut measurements = Measurements::start(clock, sink, &mut tasks);
    monitoring.change(monitors, &inbox, &mut measurements).await;
    assert_eq!(kept(&monitoring, "shop").await, 0);
}

#[tokio::test]
async fn what_a_monitor_went_through_is_shown_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let before = monitoring(directory.path()).await;
    let mut changes = Changes::default();
    let mut down = transition("shop", 2, 400_000);
    (down.from, down.to) = (State::Up, State::Down);
    down.cause = "the status is 500".to_owned();
    changes.transition(row(&transition("shop", 1, 200_000)));
    changes.transition(row(&down));
    before.around.catalog.commit(changes).await.unwrap();
    before.around.catalog.close().await.unwrap();

    let after = monitoring_of(directory.path(), shop()).await;
    let monitors = after.view().monitors();
    let [shop] = monitors.as_slice() else {
        panic!("{monitors:?}");
    };
    assert_eq!(&*shop.status.cause, "the status is 500");
    assert_eq!(shop.status.last_check, None);
    let now = Timestamp::from_millis(1_000_000);
    let parts = shop.history.availability(Timestamp::MIN, now);
    assert_eq!(parts.up, Duration::from_secs(200));
    assert_eq!(parts.down, Duration::from_secs(600));
}
