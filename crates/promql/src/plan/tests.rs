//! What a plan selects, and at which moments each of its nodes is computed.

use super::*;

const MINUTE: i64 = 60_000;

fn hour() -> Steps {
    Steps::range(0, 60 * MINUTE, MINUTE)
}

fn with_plan<T>(text: &str, see: impl FnOnce(&Plan<'_>) -> T) -> T {
    let expr = crate::parse_with(text, &crate::Features::ALL).unwrap();
    see(&Plan::new(&expr, hour(), 60 * MINUTE, &Limits::default()))
}

/// The first and last moment of each selection, in minutes.
fn selected(text: &str) -> Vec<(i64, i64)> {
    with_plan(text, |plan| {
        let bounds = |selection: &Selection| {
            // The range is open on the left, so it begins a millisecond later.
            let start = (selection.start.as_millis() - 1).div_euclid(MINUTE);
            (start, selection.end.as_millis() / MINUTE)
        };
        plan.selections.iter().map(bounds).collect()
    })
}

#[test]
fn a_selection_is_as_wide_as_its_ranges_and_modifiers_make_it() {
    for (text, bounds) in [
        ("a", (-5, 60)),
        ("rate(a[10m])", (-10, 60)),
        ("a offset 10m", (-15, 50)),
        ("a offset -10m", (5, 70)),
        ("sum_over_time(a[10m:5m])", (-10, 60)),
        ("rate(a[10m:5m] offset 20m)", (-30, 40)),
        ("increase(a[10m] anchored)", (-15, 60)),
        ("increase(a[10m] smoothed)", (-15, 65)),
    ] {
        assert_eq!(selected(text), [bounds], "{text}");
    }
    assert_eq!(selected("a @ start() + a @ end()"), [(-5, 0), (55, 60)]);
}

#[test]
fn equal_conditions_are_selected_once_unless_that_would_read_much_more() {
    assert_eq!(selected("a / a"), [(-5, 60)]);
    assert_eq!(selected("rate(a[20m]) / a"), [(-20, 60)]);
    assert_eq!(selected("a / rate(a[20m])"), [(-20, 60)]);
    assert_eq!(selected("a{x=\"1\"} / a").len(), 2);
    assert_eq!(selected("a / max_over_time(a[1w])").len(), 2);
    assert_eq!(selected("a / a offset 1h").len(), 2);
}

#[test]
fn what_is_the_same_at_all_steps_is_computed_at_one() {
    with_plan("sum(a @ 60) + b", |plan| {
        let [sum, b] = &plan.root.inputs[..] else {
            panic!("{plan:?}")
        };
        assert_eq!((plan.root.steps.count, plan.root.repeats()), (61, false));
        assert_eq!((sum.steps.count, sum.count, sum.repeats()), (1, 61, true));
        assert!(!sum.inputs[0].repeats());
        assert!(!b.repeats());
    });
}

#[test]
fn nobody_looks_at_the_buckets_of_histograms_whose_counts_alone_are_asked_for() {
    let totals_only = |text: &str| {
        with_plan(text, |plan| {
            let mut node = &plan.root;
            while let Some(input) = node.inputs.last() {
                node = input;
            }
            node.totals_only
        })
    };
    assert!(totals_only("histogram_count(sum(rate(a[5m])))"));
    assert!(totals_only("histogram_avg(a)"));
    assert!(!totals_only("a"));
    assert!(!totals_only("histogram_quantile(0.9, a)"));
    assert!(!totals_only("histogram_count(b + a)"));
    assert!(!totals_only("histogram_sum(b) + a"));
}
