//! Lengths of time that depend on the window, and ranges that functions cannot make use of.

use model::Timestamp;

use super::*;
use crate::parse;

const WINDOW: Window = Window {
    start: Timestamp::from_millis(10_000),
    end: Timestamp::from_millis(70_000),
    step: Duration::from_millis(7_500),
};

const INSTANT: Window = Window {
    start: Timestamp::from_millis(10_000),
    end: Timestamp::from_millis(10_000),
    step: Duration::ZERO,
};

/// Range, step and offset in milliseconds of the outermost selector or subquery.
fn lengths_of(text: &str, window: &Window) -> Result<(u128, u128, i64), String> {
    let expr = parse(text).map_err(|error| error.to_string())?;
    let expr = resolve(&expr, window).map_err(|error| error.to_string())?;
    Ok(match &expr.unwrapped().kind {
        ExprKind::VectorSelector(selector) => (0, 0, selector.time.offset_ms),
        ExprKind::MatrixSelector {
            selector, range, ..
        } => (range.as_millis(), 0, selector.time.offset_ms),
        ExprKind::Subquery(subquery) => (
            subquery.range.as_millis(),
            subquery.step.map_or(0, |step| step.as_millis()),
            subquery.time.offset_ms,
        ),
        other => panic!("{other:?}"),
    })
}

#[test]
fn lengths_become_numbers() {
    for (text, expected) in [
        ("a[5m*2]", (600_000, 0, 0)),
        ("a[2^3^2]", (512_000, 0, 0)),
        ("a[2*3+4]", (10_000, 0, 0)),
        ("a[10-3-2]", (5_000, 0, 0)),
        ("a[-5m+35m]", (1_800_000, 0, 0)),
        ("a[-(2-5)]", (3_000, 0, 0)),
        ("a[1h30m % 1h]", (1_800_000, 0, 0)),
        ("a[30m1s-30m1s % 1m]", (1_800_000, 0, 0)),
        ("a[1.5*2m]", (180_000, 0, 0)),
        ("a[0.0015]", (1, 0, 0)),
        ("a[step()]", (7_500, 0, 0)),
        ("a[range()/2]", (30_000, 0, 0)),
        (
            "a[max_of(step(), 1m):min_of(step(), 1m)]",
            (60_000, 7_500, 0),
        ),
        ("a[1m:] offset -step()", (60_000, 0, -7_500)),
        ("a offset (range() - step())", (0, 0, 52_500)),
        ("a[5m] offset -range()", (300_000, 0, -60_000)),
        ("a offset -(1h+5m)", (0, 0, -3_900_000)),
    ] {
        assert_eq!(lengths_of(text, &WINDOW), Ok(expected), "{text}");
    }
    assert_eq!(lengths_of("a offset range()", &INSTANT), Ok((0, 0, 0)));
    assert_eq!(lengths_of("a[step()+1]", &INSTANT), Ok((1_000, 0, 0)));
}

#[test]
fn lengths_that_make_no_sense_are_refused_with_their_place() {
    for (text, message) in [
        ("a[step()]", "1:3: duration must be greater than 0"),
        (
            "sum_over_time(\n a[1m:range()])",
            "2:7: duration must be greater than 0",
        ),
        ("a[-step()]", "1:3: duration must be greater than 0"),
        ("a[1m / step()]", "1:3: division by zero"),
        ("a[1m % range()]", "1:3: modulo by zero"),
        (
            "a[(step() - 1) ^ 0.5]",
            "1:3: duration must be greater than 0",
        ),
        (
            "a offset (1 + 1e9 * 1e9 ^ (1 + step()))",
            "1:10: duration is out of range",
        ),
    ] {
        let expr = parse(text);
        let error = match &expr {
            // What is no range vector's place is refused before.
            Err(error) => error.to_string(),
            Ok(expr) => resolve(expr, &INSTANT).unwrap_err().to_string(),
        };
        assert_eq!(error.replace("parse error: ", ""), message, "{text}");
    }
}

#[test]
fn what_needs_no_window_is_not_copied() {
    for text in ["a[5m*2] offset (1m+1m)", "step() + a", "a[5m:1m]"] {
        let expr = parse(text).unwrap();
        assert!(!expr.needs_window(), "{text}");
        let resolved = resolve(&expr, &WINDOW).unwrap();
        assert!(matches!(resolved, Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn all_parts_of_an_expression_are_resolved_and_print_as_before() {
    let text = "sum by (a) (rate(b[step()])) + max_over_time(c[range():step()] offset step()) / (d offset range()) or topk(scalar(e offset step()), -f)";
    let expr = parse(text).unwrap();
    assert!(expr.needs_window());
    let resolved = resolve(&expr, &WINDOW).unwrap();
    assert_eq!(resolved.to_string(), expr.to_string());
    let offsets = resolved
        .selectors()
        .into_iter()
        .map(|one| one.time.offset_ms);
    assert_eq!(offsets.collect::<Vec<_>>(), [0, 0, 60_000, 7_500, 0]);
}

#[test]
fn long_chains_are_resolved() {
    let text = vec!["a offset step()"; 1000].join(" or ");
    let expr = parse(&text).unwrap();
    let resolved = resolve(&expr, &WINDOW).unwrap();
    assert!(
        resolved
            .selectors()
            .iter()
            .all(|one| one.time.offset_ms == 7_500)
    );
}

#[test]
fn extended_ranges_are_for_functions_that_look_at_their_ends() {
    let check = |text: &str| {
        let expr = parse(text).unwrap();
        resolve(&expr, &WINDOW)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for text in [
        "rate(a[5m] anchored)",
        "increase((a[5m] smoothed))",
        "delta(a[5m] smoothed)",
        "resets(a[5m] anchored) + changes(a[5m] anchored)",
        "sum(a smoothed)",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
    assert_eq!(
        check("1 + deriv(a[3m] smoothed)"),
        Err(
            "smoothed modifier can only be used with: delta, increase, rate - not with deriv"
                .to_owned()
        )
    );
    assert_eq!(
        check("predict_linear(a[3m] anchored, 4)"),
        Err("anchored modifier can only be used with: changes, delta, increase, rate, resets - not with predict_linear".to_owned())
    );
}
