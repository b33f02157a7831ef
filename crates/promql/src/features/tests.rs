//! What is refused, in which words and where.

use super::*;
use crate::{parse, parse_with};

#[test]
fn what_is_switched_off_is_refused_with_its_place() {
    let none = Features {
        duration_expressions: false,
        ..Features::STABLE
    };
    for (text, message) in [
        (
            "1 + mad_over_time(a[5m])",
            "1:5: parse error: function \"mad_over_time\" is not enabled",
        ),
        (
            "sum(\n info(a))",
            "2:2: parse error: function \"info\" is not enabled",
        ),
        (
            "a + step()",
            "1:5: parse error: function \"step\" is not enabled",
        ),
        (
            "limitk(1, a)",
            "1:1: parse error: limitk() is experimental and not enabled",
        ),
        (
            "b or a + fill(0) b",
            "1:6: parse error: binop fill modifiers are experimental and not enabled",
        ),
        (
            "rate(a[5m] anchored)",
            "1:6: parse error: anchored modifier is experimental and not enabled",
        ),
        (
            "a smoothed",
            "1:1: parse error: smoothed modifier is experimental and not enabled",
        ),
        (
            "a[5m * 2]",
            "1:3: parse error: experimental duration expression is not enabled",
        ),
        (
            "a offset step()",
            "1:10: parse error: experimental duration expression is not enabled",
        ),
        (
            "a[5m:(1m)]",
            "1:6: parse error: experimental duration expression is not enabled",
        ),
        (
            "max_of(1, 2) - info(a)",
            "1:1: parse error: function \"max_of\" is not enabled",
        ),
    ] {
        let error = parse_with(text, &none).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{message}; the setting query.experimental switches it on")
        );
        assert!(parse(text).is_ok(), "{text}");
        assert!(parse_with(text, &Features::ALL).is_ok(), "{text}");
    }
}

#[test]
fn what_prometheus_reads_without_a_flag_is_stable() {
    for text in [
        "a[5m * 2] offset (1m + step())",
        "first_over_time(a[5m])",
        "a </ 1",
        "topk(1, a)",
        "fill + anchored",
    ] {
        assert!(parse_with(text, &Features::default()).is_ok(), "{text}");
    }
    assert_eq!(Features::new(false), Features::STABLE);
    assert_eq!(Features::new(true), Features::ALL);
}
