//! Random expressions over the metrics `a` and `b` with the labels `x` and `y`.

use proptest::prelude::*;

/// Any instant vector.
pub(crate) fn vector() -> impl Strategy<Value = String> {
    vectors().boxed()
}

fn modifiers() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "",
        "",
        "",
        " offset 1m",
        " offset -30s",
        " @ 300",
        " @ start()",
        " @ end() offset 10s",
        " offset 2m @ 400",
    ])
    .prop_map(str::to_owned)
}

fn matchers() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "a",
        "b",
        "a{x=\"1\"}",
        "b{x!=\"2\"}",
        "a{y=~\"1|2\",x=\"\"}",
        "{__name__=~\"a|b\"}",
        "none",
    ])
    .prop_map(str::to_owned)
}

fn selector() -> impl Strategy<Value = String> {
    (matchers(), modifiers()).prop_map(|(matchers, modifiers)| matchers + &modifiers)
}

fn length() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["15s", "40s", "1m", "2m", "3m30s", "10m"])
}

fn grouping() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "by (x)",
        "by (x, y)",
        "by (__name__, y)",
        "without (x)",
        "without ()",
    ])
}

fn number() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "0", "1", "-1", "2", "0.5", "3.25", "NaN", "Inf", "-Inf", "1e100",
    ])
}

fn scalar(vector: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    prop_oneof![
        6 => number().prop_map(str::to_owned),
        1 => Just("time()".to_owned()),
        1 => Just("-pi() + 1".to_owned()),
        1 => vector.prop_map(|vector| format!("scalar({vector})")),
    ]
}

fn vectors() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        6 => selector(),
        5 => (range_function(), selector_range()).prop_map(|(f, range)| called(&f, &range)),
        1 => number().prop_map(|number| format!("vector({number})")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            3 => aggregation(inner.clone()),
            3 => between_vectors(inner.clone()),
            2 => with_scalar(inner.clone()),
            2 => function(inner.clone()),
            2 => over_subquery(inner.clone()),
            1 => inner.clone().prop_map(|inner| format!("-({inner})")),
            1 => inner.prop_map(|inner| format!("({inner})")),
        ]
        .boxed()
    })
    .boxed()
}

/// A function of a range, □ standing for its range.
fn range_function() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "rate(□)",
        "rate(□)",
        "increase(□)",
        "delta(□)",
        "irate(□)",
        "idelta(□)",
        "resets(□)",
        "changes(□)",
        "deriv(□)",
        "predict_linear(□, 60)",
        "sum_over_time(□)",
        "avg_over_time(□)",
        "min_over_time(□)",
        "max_over_time(□)",
        "count_over_time(□)",
        "last_over_time(□)",
        "first_over_time(□)",
        "present_over_time(□)",
        "absent_over_time(□)",
        "stddev_over_time(□)",
        "stdvar_over_time(□)",
        "mad_over_time(□)",
        "quantile_over_time(0.3, □)",
        "quantile_over_time(-1, □)",
        "ts_of_first_over_time(□)",
        "ts_of_last_over_time(□)",
    ])
    .prop_map(str::to_owned)
}

fn called(function: &str, range: &str) -> String {
    function.replace('□', range)
}

fn selector_range() -> impl Strategy<Value = String> {
    (matchers(), length(), modifiers())
        .prop_map(|(matchers, length, modifiers)| format!("{matchers}[{length}]{modifiers}"))
}

fn over_subquery(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec!["", "7s", "30s", "1m"]);
    (range_function(), inner, length(), step, modifiers()).prop_map(
        |(function, inner, length, step, modifiers)| {
            called(&function, &format!("({inner})[{length}:{step}]{modifiers}"))
        },
    )
}

fn aggregation(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec![
        "sum(□)",
        "sum(□)",
        "avg(□)",
        "min(□)",
        "max(□)",
        "count(□)",
        "group(□)",
        "stddev(□)",
        "stdvar(□)",
        "quantile(0.3, □)",
        "quantile(2, □)",
        "topk(2, □)",
        "bottomk(1, □)",
        "topk(◇, □)",
        "limitk(2, □)",
        "count_values(\"y\", □)",
        "count_values(\"v\", □)",
    ]);
    (operator, grouping(), inner.clone(), scalar(inner)).prop_map(
        |(operator, grouping, inner, scalar)| {
            let text = operator.replace('◇', &scalar).replace('□', &inner);
            text.replacen('(', &format!(" {grouping} ("), 1)
        },
    )
}

fn between_vectors(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let arithmetic = prop::sample::select(vec![
        "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "> bool",
        "== bool",
    ]);
    let matching = prop::sample::select(vec![
        "",
        "ignoring (x)",
        "on (x, y)",
        "on (x)",
        "on ()",
        "on (x) group_left ()",
        "on (x) group_right ()",
        "on (y) group_left (x)",
        "ignoring (x) group_right (x)",
    ]);
    let sets = prop::sample::select(vec!["and", "or", "unless"]);
    let set_matching = prop::sample::select(vec!["", "on (x)", "ignoring (y)", "on ()"]);
    let operator = prop_oneof![
        2 => (arithmetic, matching).prop_map(|(operator, matching)| format!("{operator} {matching}")),
        1 => (sets, set_matching).prop_map(|(operator, matching)| format!("{operator} {matching}")),
    ];
    (inner.clone(), operator, inner)
        .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})"))
}

fn with_scalar(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec![
        "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<=", ">= bool", "< bool",
    ]);
    (inner.clone(), operator, scalar(inner), any::<bool>()).prop_map(
        |(inner, operator, scalar, swap)| match swap {
            true => format!("({scalar}) {operator} ({inner})"),
            false => format!("({inner}) {operator} ({scalar})"),
        },
    )
}

fn function(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let function = prop::sample::select(vec![
        "abs(□)",
        "ceil(□)",
        "floor(□)",
        "sqrt(□)",
        "sgn(□)",
        "deg(□)",
        "rad(□)",
        "clamp(□, 0, 5)",
        "clamp(□, 5, 0)",
        "clamp_min(□, ◇)",
        "clamp_max(□, ◇)",
        "round(□)",
        "round(□, 0.5)",
        "timestamp(□)",
        "absent(□)",
        "label_join(□, \"z\", \"-\", \"x\", \"y\")",
        "label_join(□, \"x\", \"\", \"y\")",
        "histogram_count(□)",
        "histogram_sum(□)",
        "histogram_avg(□)",
        "histogram_quantile(0.4, □)",
        "histogram_fraction(0, 1.5, □)",
        "histogram_stddev(□)",
        "vector(◇)",
        "sort(□)",
    ]);
    (function, inner.clone(), scalar(inner))
        .prop_map(|(function, inner, scalar)| function.replace('◇', &scalar).replace('□', &inner))
}
