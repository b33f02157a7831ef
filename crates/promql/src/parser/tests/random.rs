//! Random expressions of the whole language.

use proptest::prelude::*;

use crate::parse;

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(ToOwned::to_owned)
}

/// Random positive lengths of time; those with operators are positive whatever their order.
fn lengths() -> impl Strategy<Value = String> {
    let leaf = one_of(&[
        "5m", "1h30m", "90", "0.25", "0x10", "step()", "RANGE()", "1500ms", "+2",
    ]);
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                one_of(&["+", "*", " / ", "^"]),
                inner.clone()
            )
                .prop_map(|(left, operator, right)| format!("{left}{operator}{right}")),
            (one_of(&["max_of", "min_of"]), inner.clone(), inner.clone())
                .prop_map(|(name, left, right)| format!("{name}({left}, {right})")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("{left} - -{right}")),
        ]
    })
    // Powers of powers leave every range; the rest is what is asked for.
    .prop_filter("out of range", |text| parse(&format!("a[{text}]")).is_ok())
}

/// Random selectors with all that may stand behind them.
fn selectors(range: bool) -> impl Strategy<Value = String> {
    let name = one_of(&[
        "a",
        "sum",
        "fill",
        "anchored",
        "a:b",
        "a{b=\"c\",a!~'d'}",
        "{\"e f\", `g.h`=~\".+\"}",
        "{x=\"\\n\u{e4}\\\\\"}",
    ]);
    let time = prop::sample::subsequence(vec![0, 1, 2], 0..=3).prop_shuffle();
    let at = one_of(&["@ 5.5", "@ -1", "@ start()", "@ end()", "@ 1h"]);
    let sign = one_of(&["", "-", "+"]);
    let extension = one_of(&["anchored", "smoothed"]);
    (name, lengths(), lengths(), time, at, sign, extension).prop_map(
        move |(name, length, offset, time, at, sign, extension)| {
            let mut text = name;
            if range {
                text += &format!("[{length}]");
            }
            for part in time {
                text += &match part {
                    0 => format!(" {at}"),
                    1 => format!(" offset {sign}({offset})"),
                    _ => format!(" {extension}"),
                };
            }
            text
        },
    )
}

/// Random expressions of the whole language.
pub(super) fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => selectors(false),
        2 => selectors(true).prop_map(|range| format!("last_over_time({range})")),
        1 => one_of(&["vector(-1)", "vector(5m)", "vector(time() ^ -Inf)", "vector(NaN)"]),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let operator = one_of(&[
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "atan2",
            "==",
            "!=",
            "<=",
            "> bool",
            "and",
            "or",
            "unless",
            "</",
            ">/",
            "+ on (a)",
            "* ignoring (\"b c\") group_left (d)",
            "^ on () group_right",
            "- fill(0)",
            "== bool fill_left(-1e30) fill_right(5m)",
            "+ on (a) fill_right(Inf)",
            "unless on (sum, by)",
            "and ignoring ()",
        ]);
        let before = one_of(&[
            "sum",
            "avg by (a)",
            "min without (by, \"c d\")",
            "topk(2, ",
            "quantile by (x) (-0.5, ",
            "count_values(\"v\", ",
            "limit_ratio(-Inf, ",
            "-",
            "+",
            "(",
            "abs",
            "info",
            "-2 ^ ",
            "1 </ ",
            "histogram_quantile(0.9, ",
            "label_replace(",
            "absent",
            "- -",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
            (before, inner.clone()).prop_map(|(before, inner)| match before.as_str() {
                "label_replace(" => format!("label_replace({inner}, \"a\", '$1', `b`, \"\\\\d\")"),
                "-" | "+" | "-2 ^ " | "1 </ " | "- -" => format!("{before}{inner}"),
                open if open.ends_with(['(', ' ']) => format!("{before}{inner})"),
                _ => format!("{before}({inner})"),
            }),
            (
                inner.clone(),
                lengths(),
                prop::option::of(lengths()),
                one_of(&["", " @ 5", " offset -5m"])
            )
                .prop_map(|(inner, range, step, time)| {
                    let step = step.unwrap_or_default();
                    format!("max_over_time(({inner})[{range}:{step}]{time})")
                }),
        ]
    })
    // Operators take the first operands from one another, whose types may then not fit.
    .prop_filter("types that do not fit", |text| parse(text).is_ok())
}
