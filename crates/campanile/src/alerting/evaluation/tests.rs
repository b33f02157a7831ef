//! The loop around groups of rules, when the clock, the store or a query does not behave.

mod told;

use std::sync::atomic::{AtomicBool, Ordering};

use model::{Exemplar, Labels, Metadata, Scope, SelectedSeries, Selection, SourceError};
use testkit::{MemoryStore, SimulatedClock};

use super::*;
use crate::alerting::routing::{Router, Whom};

/// A store that can be told to panic when it is asked.
struct Store {
    memory: MemoryStore,
    panics: AtomicBool,
}

impl SeriesSource for Store {
    fn select(&self, selection: &Selection) -> Result<Box<dyn SelectedSeries>, SourceError> {
        assert!(!self.panics.load(Ordering::SeqCst), "as the test wants it");
        self.memory.select(selection)
    }

    fn series(&self, scope: &Scope) -> Result<Vec<Labels>, SourceError> {
        self.memory.series(scope)
    }

    fn label_names(&self, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.memory.label_names(scope)
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Vec<String>, SourceError> {
        self.memory.label_values(name, scope)
    }

    fn exemplars(&self, scope: &Scope) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        self.memory.exemplars(scope)
    }

    fn metadata(&self) -> Result<BTreeMap<String, Metadata>, SourceError> {
        self.memory.metadata()
    }
}

/// A loop with one group, which fires at any time.
struct Bench {
    clock: Arc<SimulatedClock>,
    store: Arc<Store>,
    evaluator: Evaluator,
    inbox: Inbox,
    _router: Router,
    _directory: tempfile::TempDir,
}

const ALWAYS: &str = "
groups:
  - name: always
    interval: 1m
    rules: [{alert: Fires, expr: 'vector(1) or up'}]
";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(minutes * 60_000)
}

impl Bench {
    async fn at(now: Timestamp) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimulatedClock::new(now));
        let catalog = Catalog::open(directory.path(), clock.clone())
            .await
            .unwrap();
        let metrics = Arc::new(AlertingMetrics::default());
        let store = Arc::new(Store {
            memory: MemoryStore::new(Duration::MAX),
            panics: AtomicBool::new(false),
        });
        let whom = Whom {
            routing: alerts::Routing {
                root: alerts::Route::to("nobody"),
                receivers: BTreeMap::new(),
                cooldowns: Vec::new(),
            },
            receivers: notify::Receivers::default(),
            external_url: String::new(),
        };
        let (router, inbox) = Router::load(catalog.clone(), clock.clone(), metrics.clone(), whom)
            .await
            .unwrap();
        let around = Surroundings {
            source: store.clone(),
            sink: Arc::new(MemoryStore::new(Duration::MAX)),
            clock: clock.clone(),
            catalog,
            feed: server::Feed::default(),
            queries: server::RunningQueries::new(clock.clone()),
            metrics,
        };
        let settings = Settings {
            groups: rules::parse(&document::Source::new("test.yml", ALWAYS)).unwrap(),
            external_url: String::new(),
            limits: promql::Limits::default(),
            query_timeout: Duration::from_secs(120),
        };
        let (evaluator, firing) = Evaluator::load(around, settings).await.unwrap();
        assert_eq!(firing, []);
        Self {
            clock,
            store,
            evaluator,
            inbox,
            _router: router,
            _directory: directory,
        }
    }

    /// Starts what is due and waits for it; the alerts that it raised, none if nothing was due.
    async fn step(&mut self) -> Option<(usize, bool)> {
        self.evaluator.start_due(self.clock.now());
        let done = self.evaluator.next_done().await?.unwrap();
        let seen = (done.evaluation.alerts.len(), done.panicked);
        self.evaluator.finish(done, &self.inbox).await;
        Some(seen)
    }
}

fn queried(store: &MemoryStore, text: &str, at: Timestamp) -> Vec<promql::VectorSample> {
    let expr = promql::parse(text).unwrap();
    let (limits, interrupt) = (promql::Limits::default(), promql::Interrupt::new());
    let answer = promql::evaluate_instant(store, &expr, at, &limits, &interrupt).unwrap();
    let promql::Value::Vector(vector) = answer.value else {
        panic!("{answer:?}")
    };
    vector
}

#[test]
fn a_native_histogram_is_stored_with_the_numbers_beside_it_and_ends_with_a_stale_marker() {
    let store = MemoryStore::new(Duration::MAX);
    let sample = |name: &str, minutes, value| promql::VectorSample {
        labels: Labels::from_pairs([("__name__", name)]).unwrap(),
        timestamp: at(minutes),
        value,
    };
    let mut histogram = promql::FloatHistogram::empty(2);
    (histogram.count, histogram.sum) = (3.0, 7.5);
    histogram.positive.spans = vec![model::BucketSpan {
        offset: 1,
        length: 2,
    }];
    histogram.positive.counts = vec![1.0, 2.0];
    let as_sample = |histogram: &promql::FloatHistogram| {
        promql::SampleValue::Histogram(Arc::new(histogram.clone()))
    };
    let mut negative = histogram.clone();
    negative.positive.counts[0] = -1.0;
    let samples = [
        sample("distribution", 1, as_sample(&histogram)),
        sample("negative", 1, as_sample(&negative)),
        sample("number", 1, 4.0.into()),
    ];
    let refused = once::store(&store, &samples).unwrap();
    assert!(refused.contains("-1"), "{refused}");

    let found = queried(&store, "distribution", at(2));
    let promql::SampleValue::Histogram(found) = &found[0].value else {
        panic!("{found:?}")
    };
    assert_eq!(found.to_model(), histogram.to_model());
    let number = queried(&store, "number", at(2));
    assert_eq!(number[0].value.float(), Some(4.0));
    assert!(queried(&store, "negative", at(2)).is_empty());

    let end = sample("distribution", 2, model::stale_marker().into());
    assert_eq!(once::store(&store, &[end]), None);
    assert!(queried(&store, "distribution", at(2)).is_empty());
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_stop_rules() {
    let mut bench = Bench::at(at(1_000)).await;
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.step().await, Some((1, false)));
    bench.clock.set(at(800));
    assert_eq!(bench.step().await, None, "it waits for its next slot");
    bench.clock.set(at(801));
    assert_eq!(bench.step().await, Some((1, false)));
}

#[tokio::test]
async fn a_panic_costs_one_evaluation_and_what_fires_goes_on() {
    let mut bench = Bench::at(at(0)).await;
    for (panics, expected) in [(false, (1, false)), (true, (1, true)), (false, (1, false))] {
        bench.store.panics.store(panics, Ordering::SeqCst);
        // Longer than the time after which an alert is given out again.
        bench.clock.advance(Duration::from_secs(121));
        assert_eq!(bench.step().await, Some(expected));
    }
    let health = bench.evaluator.view().groups()[0].group.rules()[0]
        .health()
        .clone();
    assert_eq!(health, rules::RuleHealth::Good);
    assert!(bench.evaluator.queries.running().is_empty());
}

#[tokio::test]
async fn queries_that_begin_when_the_program_ends_end_at_once() {
    let bench = Bench::at(at(0)).await;
    bench.evaluator.queries.stop_all();
    let rule = &bench.evaluator.view().groups()[0].group.rules()[0]
        .definition()
        .clone();
    let answer = bench.evaluator.queries.evaluate(&rule.expr, at(0));
    assert!(answer.is_err(), "{answer:?}");
}
