//! What stays on a line, and how the rest is split.

use super::*;
use crate::parse;

#[track_caller]
fn shows(text: &str, expected: &[&str]) {
    let shown = pretty(&parse(text).unwrap());
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "{text}");
    assert_eq!(parse(&shown).unwrap(), parse(text).unwrap(), "{text}");
}

fn selector(name: &str) -> String {
    format!("{name}{{label_one=\"a long value\",label_two=\"another long value\"}}")
}

#[test]
fn what_fits_stays_on_a_line() {
    shows("sum  by(a)(  b )", &["sum by (a) (b)"]);
    let exactly = format!("{} + bc", "a".repeat(95));
    assert_eq!(exactly.len(), 100);
    shows(&exactly, &[&exactly]);
    let longer = "a".repeat(96);
    shows(
        &format!("{longer} + bc"),
        &[&format!("  {longer}"), "+", "  bc"],
    );
    // A selector has no place to be split at.
    let long = format!("{}{{a=\"b\"}}", "a".repeat(100));
    shows(&long, &[&long]);
}

#[test]
fn operators_stand_on_a_line_of_their_own() {
    let (a, b, c) = (selector("a"), selector("b"), selector("c"));
    shows(
        &format!("{a} / on(x) group_left(y) fill(1) {b} > bool {c}"),
        &[
            &format!("    {a}"),
            "  / on (x) group_left (y) fill (1)",
            &format!("    {b}"),
            "> bool",
            &format!("  {c}"),
        ],
    );
}

#[test]
fn brackets_are_opened() {
    let (a, b) = (selector("a"), selector("b"));
    shows(
        &format!("topk by (x) (5, (sum without (y) (rate({a}[5m])) - {b}))"),
        &[
            "topk by (x) (",
            "  5,",
            "  (",
            &format!("      sum without (y) (rate({a}[5m]))"),
            "    -",
            &format!("      {b}"),
            "  )",
            ")",
        ],
    );
    shows(
        &format!("-label_replace({a}, \"target\", \"$1\", \"source\", \"(.*)\") "),
        &[
            "-label_replace(",
            &format!("  {a},"),
            "  \"target\",",
            "  \"$1\",",
            "  \"source\",",
            "  \"(.*)\"",
            ")",
        ],
    );
}

#[test]
fn subqueries_keep_their_steps_behind_the_closing_bracket() {
    let a = selector("a");
    shows(
        &format!(
            "max_over_time(sum by (x, y, z) (rate({a}[5m] offset 1h) * 1000)[1h:step()] @ end() offset 5m)"
        ),
        &[
            "max_over_time(",
            "  sum by (x, y, z) (",
            &format!("    rate({a}[5m] offset 1h) * 1000"),
            "  )[1h:step()] @ end() offset 5m",
            ")",
        ],
    );
}

#[test]
fn long_chains_and_deep_nesting_are_shown() {
    let chain = vec!["a"; 501].join(" or ");
    let deep = format!("{}a{}", "abs(".repeat(190), ")".repeat(190));
    for text in [chain, deep] {
        let expr = parse(&text).unwrap();
        assert_eq!(parse(&pretty(&expr)).unwrap(), expr);
    }
}
