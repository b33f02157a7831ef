//! The scripts of `testdata/`, limits, interrupts, and properties: a range query equals instant queries at its steps.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use model::Labels;
use proptest::prelude::*;
use testkit::MemoryStore;

use super::*;
use crate::{Stop, parse};

/// Evaluates against an empty store; for tests of what comes before the data.
pub(crate) fn evaluates_without_data(expr: &Expr) {
    let store = MemoryStore::with_samples([]);
    let at = Timestamp::from_millis(0);
    evaluate_instant(&store, expr, at, &Limits::default(), &Interrupt::new()).unwrap();
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

fn store_of_ups(series: usize) -> MemoryStore {
    let mut samples = Vec::new();
    for index in 0..series {
        let labels = labels(&[("__name__", "up"), ("instance", &format!("host{index:05}"))]);
        for minute in 0..10 {
            samples.push((labels.clone(), minute * 60_000, index as f64));
        }
    }
    MemoryStore::with_samples(samples)
}

const TEN_MINUTES: Window = Window {
    start: Timestamp::from_millis(0),
    end: Timestamp::from_millis(540_000),
    step: Duration::from_secs(60),
};

fn range(text: &str, store: &MemoryStore, limits: &Limits) -> Result<Answer, EvalError> {
    let expr = parse(text).unwrap();
    evaluate_range(store, &expr, &TEN_MINUTES, limits, &Interrupt::new())
}

#[test]
fn our_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut engine = testkit::promqltest::InMemory::default();
    let report = testkit::promqltest::run_folder(&folder, &mut engine).unwrap();
    let mut failures = String::new();
    for file in &report.files {
        assert!(file.passed > 0, "{} holds no statement", file.file);
        for failure in &file.failures {
            failures += &format!("{}:{}: {}\n", file.file, failure.line, failure.statement);
            failures += &format!("    {}\n", failure.reason);
        }
    }
    assert_eq!(failures, "");
    assert!(report.passed() > 100, "{}", report.passed());
}

#[test]
fn what_is_switched_off_is_an_error_with_its_place() {
    let store = store_of_ups(1);
    for (text, place) in [
        ("1 + mad_over_time(up[5m])", "1:5: "),
        ("sum(\n limitk(1, up))", "2:2: "),
        ("up + fill(0) up", "1:1: "),
    ] {
        let error = range(text, &store, &Limits::default()).unwrap_err();
        assert!(matches!(error, EvalError::BadQuery { .. }), "{error}");
        let error = error.to_string();
        assert!(error.starts_with(place), "{error}");
        assert!(error.contains("query.experimental"), "{error}");
    }
}

#[test]
fn what_prometheus_finds_only_while_it_evaluates_is_told_in_its_words_alone() {
    let store = store_of_ups(1);
    for (text, message) in [
        (
            "label_replace(up, \"a\", \"\", \"\", \"[\")",
            "invalid regular expression in label_replace(): [",
        ),
        (
            "label_replace(up, \"\", \"\", \"\", \"\")",
            "invalid destination label name in label_replace(): ",
        ),
        (
            "label_join(up, \"a\", \"\", \"\")",
            "invalid source label name in label_join(): ",
        ),
    ] {
        let error = range(text, &store, &Limits::default()).unwrap_err();
        assert!(matches!(error, EvalError::Execution { .. }), "{error}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn only_scalars_and_instant_vectors_have_a_range() {
    let store = store_of_ups(1);
    let expr = parse("up[5m]").unwrap();
    let error = evaluate_range(
        &store,
        &expr,
        &TEN_MINUTES,
        &Limits::default(),
        &Interrupt::new(),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "1:1: invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
}

#[test]
fn an_interrupt_ends_an_evaluation_with_its_first_reason() {
    let store = store_of_ups(1);
    let expr = parse("sum(up)").unwrap();
    let interrupt = Interrupt::new();
    let run = || {
        let at = Timestamp::from_millis(0);
        evaluate_instant(&store, &expr, at, &Limits::default(), &interrupt)
    };
    assert!(run().is_ok());
    interrupt.clone().stop(Stop::TimedOut);
    interrupt.stop(Stop::Cancelled);
    assert!(matches!(run(), Err(EvalError::TimedOut)));
}

#[test]
fn more_samples_than_allowed_are_an_error_that_names_the_limit() {
    let store = store_of_ups(100);
    let limits = Limits {
        samples_max: 999,
        ..Limits::default()
    };
    let error = range("up", &store, &limits).unwrap_err().to_string();
    assert_eq!(
        error,
        "query processing would load too many samples into memory: 1000 samples, at most 999 are allowed: raise query.max_samples"
    );
    // What streams through an aggregation is not held.
    for text in [
        "sum(up)",
        "avg by (x) (-up)",
        "count(up > 5)",
        "max(rate(up[5m]) * 2)",
        "absent(up)",
    ] {
        let answer = range(text, &store, &limits).unwrap();
        assert!(
            answer.samples_read >= 900,
            "{text}: {}",
            answer.samples_read
        );
    }
    for text in [
        "quantile(0.5, up)",
        "topk(100, up)",
        "up + up",
        "up or up",
        "vector(0)[1y:1ms]",
    ] {
        let text = format!("count({text})").replace(
            "count(vector(0)[1y:1ms])",
            "sum_over_time(vector(0)[1y:1ms])",
        );
        let error = range(&text, &store, &limits).unwrap_err();
        assert!(matches!(error, EvalError::Limit { .. }), "{text}: {error}");
    }
}

#[test]
fn scalars_count_while_they_are_held() {
    let store = store_of_ups(1);
    let nested = |levels: usize| {
        let sum = "time() + (".repeat(levels) + "time()" + &")".repeat(levels);
        format!("count_over_time(vector({sum})[1m:1s])")
    };
    // The inner steps are 600 and some, and each level holds its left operand.
    let limits = Limits {
        samples_max: 5000,
        ..Limits::default()
    };
    assert!(range(&nested(3), &store, &limits).is_ok());
    let error = range(&nested(50), &store, &limits).unwrap_err();
    assert!(matches!(error, EvalError::Limit { .. }), "{error}");
    // What is no longer needed does not count.
    let chain = vec!["time()"; 100].join(" + ");
    let text = format!("count_over_time(vector({chain})[1m:1s])");
    assert!(range(&text, &store, &limits).is_ok());
}

#[test]
fn a_scalar_can_be_interrupted() {
    let store = store_of_ups(0);
    let interrupt = Interrupt::new();
    interrupt.stop(Stop::Cancelled);
    let expr = parse("time() + 1").unwrap();
    let result = evaluate_range(&store, &expr, &TEN_MINUTES, &Limits::default(), &interrupt);
    assert!(matches!(result, Err(EvalError::Cancelled)));
}

#[test]
fn labels_that_grow_too_long_are_an_error() {
    let store = store_of_ups(1);
    let mut text = "up".to_owned();
    for _ in 0..18 {
        text = format!("label_join({text}, \"instance\", \"\", \"instance\", \"instance\")");
    }
    let error = range(&text, &store, &Limits::default()).unwrap_err();
    let message = "label \"instance\" is 1179648 bytes long, at most 1000000 are allowed";
    assert_eq!(error.to_string(), message);
}

#[test]
fn what_goes_from_thread_to_thread_may() {
    fn check<T: Send + Sync>() {}
    check::<Expr>();
    check::<Interrupt>();
    check::<Answer>();
    check::<EvalError>();
}

#[test]
fn a_window_that_is_none_is_refused() {
    let store = store_of_ups(1);
    let expr = parse("up").unwrap();
    for (end, step) in [(-1, 1), (1, 0)] {
        let window = Window {
            start: Timestamp::from_millis(0),
            end: Timestamp::from_millis(end),
            step: Duration::from_millis(step),
        };
        let answer = evaluate_range(
            &store,
            &expr,
            &window,
            &Limits::default(),
            &Interrupt::new(),
        );
        assert!(matches!(answer, Err(EvalError::BadQuery { .. })));
    }
}

#[test]
fn extreme_times_neither_overflow_nor_panic() {
    let store = store_of_ups(1);
    let limits = Limits::default();
    for text in [
        "up offset 290y",
        "up offset -290y",
        "up @ 9e15",
        "rate(up[290y] offset -290y)",
        "max_over_time(up[1y:1d] @ -9e15)",
        "predict_linear(up[10m], 1e300)",
        "timestamp(up) + hour() + day_of_year(vector(1e300))",
    ] {
        let expr = parse(text).unwrap();
        for at in [i64::MIN, -1, 0, i64::MAX] {
            let at = Timestamp::from_millis(at);
            evaluate_instant(&store, &expr, at, &limits, &Interrupt::new()).unwrap();
        }
    }
}

/// Random instant vectors over the metrics `a` and `b`. `sort` is not among them: it changes the order in which an
/// instant query adds, and so its last digit.
fn vectors() -> impl Strategy<Value = String> {
    let selector = prop::sample::select(vec![
        "a",
        "b",
        "a{x=\"1\"}",
        "b{x!=\"2\"}",
        "{__name__=~\"a|b\"}",
        "a offset 1m",
        "b offset -30s",
        "a @ 120",
        "b @ end()",
        "a @ start() offset 30s",
        "nothing",
    ]);
    let functions = vec![
        "rate",
        "increase",
        "delta",
        "irate",
        "idelta",
        "changes",
        "resets",
        "deriv",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "stddev_over_time",
        "last_over_time",
        "present_over_time",
        "absent_over_time",
    ];
    let range = (
        prop::sample::select(functions),
        selector.clone().prop_map(str::to_owned),
        prop::sample::select(vec!["[1m]", "[2m30s]", "[5m:1m]", "[90s:20s]"]),
    )
        .prop_map(|(function, selector, range)| {
            // The range stands before the modifiers of a selector, unless it is a subquery's.
            let split = selector
                .find(" @")
                .or(selector.find(" offset"))
                .unwrap_or(selector.len());
            let (name, modifiers) = selector.split_at(split);
            format!("{function}({name}{range}{modifiers})")
        });
    let leaf = prop_oneof![3 => selector.prop_map(str::to_owned), 2 => range];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let operators = vec![
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "==",
            "!=",
            ">",
            "<=",
            "> bool",
            "and",
            "or",
            "unless",
            "+ on (x)",
            "/ ignoring (y) group_left ()",
            "* on (x) group_right (y)",
            "and on (x)",
            "or ignoring (y)",
            "unless on (x)",
            "== bool on (x)",
        ];
        let aggregations = vec![
            "sum",
            "avg by (x)",
            "min without (x)",
            "max",
            "count by (y)",
            "group by (x)",
            "stddev by (x)",
            "topk(2, ",
            "bottomk by (x) (1, ",
            "quantile(0.7, ",
            "count_values by (x) (\"v\", ",
        ];
        let functions = vec![
            "abs",
            "ceil",
            "-",
            "sgn",
            "round",
            "absent",
            "timestamp",
            "scalar",
            "hour",
            "sqrt",
        ];
        prop_oneof![
            (
                inner.clone(),
                prop::sample::select(operators),
                inner.clone()
            )
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            (prop::sample::select(aggregations), inner.clone()).prop_map(|(aggregation, inner)| {
                let open = if aggregation.ends_with(", ") {
                    ""
                } else {
                    " ("
                };
                format!("{aggregation}{open}{inner})")
            }),
            (prop::sample::select(functions), inner.clone()).prop_map(|(function, inner)| {
                match function {
                    "scalar" => format!("vector(scalar({inner}) + time())"),
                    "-" => format!("-({inner})"),
                    function => format!("{function}({inner})"),
                }
            }),
            (
                inner.clone(),
                prop::sample::select(vec!["+ 1", "> 2", "* bool_", "- time()"])
            )
                .prop_map(|(inner, scalar)| {
                    let scalar = scalar.replace("* bool_", ">= bool 3");
                    format!("({inner} {scalar})")
                }),
            inner.prop_map(|inner| {
                format!("label_replace({inner}, \"y\", \"$1\", \"x\", \"(.*)\")")
            }),
        ]
    })
}

/// Random expressions whose types fit.
pub(crate) fn expressions() -> impl Strategy<Value = Expr> {
    vectors().prop_map(|text| parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// Random samples, with gaps, NaN, infinities, falls and stale markers, every 20 s or so over five minutes.
fn stores() -> impl Strategy<Value = Vec<(Labels, i64, f64)>> {
    let value = prop_oneof![
        10 => (0..6_i32).prop_map(f64::from),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(model::stale_marker()),
        2 => -3.0..3.0_f64,
    ];
    let series = prop::collection::vec(prop::option::weighted(0.8, (value, 0..5_000_i64)), 0..18);
    prop::collection::vec(series, 6).prop_map(|all| {
        let mut samples = Vec::new();
        for (index, points) in all.into_iter().enumerate() {
            let name = if index < 3 { "a" } else { "b" };
            let (x, y) = (["1", "2", "1"][index % 3], ["p", "p", "q"][index % 3]);
            let labels = labels(&[("__name__", name), ("x", x), ("y", y)]);
            for (slot, point) in (0_i64..).zip(points) {
                if let Some((value, late)) = point {
                    samples.push((labels.clone(), slot * 20_000 + late, value));
                }
            }
        }
        samples
    })
}

type ByTime = BTreeMap<(Labels, i64), f64>;

/// Whether two answers hold the same samples. The order in which groups are added depends on which series come
/// first, in the whole window or at one step, so the last digits may differ.
fn agree(a: &ByTime, b: &ByTime) -> bool {
    let same = |a: f64, b: f64| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
    };
    a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| same(*a, *b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_range_query_gives_what_instant_queries_give_at_each_step(
        text in vectors(),
        samples in stores(),
        start in 0..120_000_i64,
        step in 1_000..90_000_i64,
    ) {
        // What depends on the whole window is pinned, since each instant query has a window of its own.
        let window = Window {
            start: Timestamp::from_millis(start),
            end: Timestamp::from_millis(start + 4 * step),
            step: Duration::from_millis(step.unsigned_abs()),
        };
        let text = text
            .replace("@ start()", &format!("@ {}", window.start.as_seconds()))
            .replace("@ end()", &format!("@ {}", window.end.as_seconds()));
        let expr = parse(&text).unwrap();
        let store = MemoryStore::with_samples(samples);
        let limits = Limits { lookback_delta: Duration::from_secs(45), ..Limits::default() };
        let interrupt = Interrupt::new();

        let mut expected: Result<ByTime, EvalError> = Ok(BTreeMap::new());
        for at in (0..5).map(|index| window.start + window.step * index) {
            match evaluate_instant(&store, &expr, at, &limits, &interrupt) {
                Ok(Answer { value: Value::Vector(vector), .. }) => {
                    for sample in vector {
                        let key = (sample.labels, sample.timestamp.as_millis());
                        let value = sample.value.float().unwrap();
                        let known = expected.as_mut().map(|all| all.insert(key, value));
                        prop_assert!(!matches!(known, Ok(Some(_))), "a series comes twice");
                    }
                }
                Ok(other) => panic!("no vector: {other:?}"),
                Err(error) => { expected = Err(error); break; }
            }
        }
        match (expected, evaluate_range(&store, &expr, &window, &limits, &interrupt)) {
            (Err(_), Err(_)) => {}
            (Ok(expected), Ok(Answer { value: Value::Matrix(series), .. })) => {
                let mut got: ByTime = BTreeMap::new();
                for Series { labels, floats, .. } in series {
                    for (at, value) in floats.timestamps.iter().zip(floats.values) {
                        got.insert((labels.clone(), *at), value);
                    }
                }
                prop_assert!(agree(&got, &expected), "{}: {:?} {:?}", text, got, expected);
            }
            // Range functions compare the labels of whole series, as Prometheus does, so two series that are never
            // there at the same step are an error only in a range query.
            (Ok(_), Err(EvalError::Execution { message, .. }))
                if message.ends_with("same labelset") => {}
            (expected, got) => prop_assert!(false, "{}: {:?} {:?}", text, expected, got),
        }
    }
}

/// A store whose series are many enough that threads share them, some with histograms.
fn large_store(seed: u64) -> MemoryStore {
    let mut random = seed;
    let mut next = || {
        // Xorshift: any spread of values will do.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let store = MemoryStore::with_samples([]);
    for index in 0..700 {
        let (group, instance) = (format!("{}", index % 7), format!("{index:04}"));
        let labels = labels(&[
            ("__name__", "load_total"),
            ("group", &group),
            ("instance", &instance),
        ]);
        for at in (0..600_000).step_by(15_000) {
            let at = at + i64::try_from(next() % 5_000).unwrap();
            if index % 50 == 3 {
                let mut histogram = crate::FloatHistogram::empty(0);
                histogram.count = (next() % 1000) as f64 / 7.0;
                histogram.sum = histogram.count / 3.0;
                store.insert_histogram(&labels, at, histogram.to_model());
            } else {
                store.insert(&labels, at, (next() % 100_000) as f64 / 7.0);
            }
        }
    }
    store
}

#[test]
fn any_number_of_threads_gives_the_same_answer_bit_for_bit() {
    let store = large_store(0x9e37_79b9_7f4a_7c15);
    let window = Window {
        start: Timestamp::from_millis(0),
        end: Timestamp::from_millis(600_000),
        step: Duration::from_millis(500),
    };
    let shown = |text: &str, threads: usize| {
        let expr = parse(text).unwrap();
        let limits = Limits {
            threads,
            experimental: true,
            ..Limits::default()
        };
        let answer = evaluate_range(&store, &expr, &window, &limits, &Interrupt::new()).unwrap();
        let Value::Matrix(series) = &answer.value else {
            panic!("{answer:?}")
        };
        let bits = |one: &Series| {
            let floats: Vec<u64> = one.floats.values.iter().map(|v| v.to_bits()).collect();
            format!(
                "{} {:?} {floats:?} {:?}",
                one.labels, one.floats.timestamps, one.histograms
            )
        };
        let series: Vec<String> = series.iter().map(bits).collect();
        (series, answer.warnings, answer.infos, answer.samples_read)
    };
    for text in [
        "sum by (group) (rate(load_total[1m]))",
        "avg(abs(load_total))",
        "stddev by (group) (avg_over_time(load_total[2m])) * 3",
        "topk by (group) (2, -load_total)",
        "quantile(0.3, load_total) + sum(load_total > 100)",
        "sum by (instance) (load_total)",
        "limitk(3, deriv(load_total[1m:10s]))",
    ] {
        let one = shown(text, 1);
        assert!(!one.0.is_empty(), "{text}");
        for threads in [2, 5] {
            assert_eq!(shown(text, threads), one, "{text} with {threads} threads");
        }
    }
}

#[test]
fn quantiles_that_change_from_step_to_step_count_a_column_each() {
    let series = |le: &str| labels(&[("__name__", "latency_bucket"), ("le", le)]);
    let mut samples = Vec::new();
    for step in 0..1000 {
        samples.push((series("1"), step * 1000, 1.0));
        samples.push((series("+Inf"), step * 1000, 2.0));
    }
    let store = MemoryStore::with_samples(samples);
    let window = Window {
        start: Timestamp::from_millis(0),
        end: Timestamp::from_millis(999_000),
        step: Duration::from_secs(1),
    };
    let limits = Limits {
        experimental: true,
        bytes_max: 2 << 20,
        ..Limits::default()
    };
    let run = |quantile: &str| {
        let expr = parse(&format!(
            r#"histogram_quantiles(latency_bucket, "q", {quantile})"#
        ));
        evaluate_range(&store, &expr.unwrap(), &window, &limits, &Interrupt::new())
    };
    assert!(run("0.5").is_ok());
    // A thousand quantiles make a thousand columns of a thousand steps: 8 MB.
    let error = run("scalar(vector(time() / 1000))").unwrap_err();
    let is_memory = matches!(
        error,
        EvalError::Limit {
            limit: crate::QueryLimit::Memory,
            ..
        }
    );
    assert!(is_memory, "{error}");
}

#[test]
fn an_error_and_an_interrupt_end_all_threads() {
    let store = large_store(7);
    let expr = parse("sum(rate(load_total[1m]))").unwrap();
    let window = Window {
        start: Timestamp::from_millis(0),
        end: Timestamp::from_millis(600_000),
        step: Duration::from_millis(500),
    };
    let limits = |samples_max| Limits {
        threads: 3,
        samples_max,
        ..Limits::default()
    };
    let run = |samples_max, interrupt: &Interrupt| {
        evaluate_range(&store, &expr, &window, &limits(samples_max), interrupt)
    };
    let stopped = Interrupt::new();
    stopped.stop(Stop::Cancelled);
    assert!(matches!(
        run(50_000_000, &stopped),
        Err(EvalError::Cancelled)
    ));
    let error = run(1_210, &Interrupt::new()).unwrap_err();
    assert!(matches!(error, EvalError::Limit { .. }), "{error}");
}

#[test]
fn equal_selectors_are_selected_once_and_a_plan_tells_what_each_part_saw() {
    let store = store_of_ups(3);
    let expr = parse("sum(rate(up[5m])) / sum(rate(up[4m])) + count(up offset 1d)").unwrap();
    let explained = explain(
        &store,
        &expr,
        &TEN_MINUTES,
        &Limits::default(),
        &Interrupt::new(),
    )
    .unwrap();
    let selections: Vec<_> = explained
        .nodes
        .iter()
        .filter_map(|node| node.selection)
        .collect();
    assert_eq!(selections, [(0, 3), (0, 3), (1, 0)]);
    let rate = explained
        .nodes
        .iter()
        .find(|node| node.text.starts_with("rate"))
        .unwrap();
    assert_eq!((rate.depth, rate.series, rate.steps), (2, 3, 10));
    assert!(rate.samples > 0);
    let shown = explained.to_string();
    assert!(
        shown.contains("      up[5m]  [selection 1 of 3 series, 10 steps, 3 series, 30 samples]"),
        "{shown}"
    );
}
