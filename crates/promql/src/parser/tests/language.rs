//! The parts of the language family by family: what is read, how it is printed, what is refused and in which words.

use crate::{ParseError, ValueType, parse};

#[track_caller]
fn prints(cases: &[(&str, &str)]) {
    for (text, printed) in cases {
        let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expr.to_string(), *printed, "{text}");
        let again = parse(printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!(again, expr, "{text}");
        assert_eq!(again.to_string(), *printed, "{text}");
    }
}

#[track_caller]
fn refuses(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        let shown = parse(text).map(|expr| expr.to_string());
        let shown = shown.map_err(|error: ParseError| error.to_string());
        let expected = message.replacen(' ', " parse error: ", 1);
        assert_eq!(shown, Err(expected), "{text}");
    }
}

/// Whether two texts mean the same, parentheses included.
#[track_caller]
fn means(text: &str, meaning: &str) {
    let read = |text: &str| super::without_parens(parse(text).unwrap());
    assert_eq!(read(text), read(meaning), "{text}");
}

#[test]
fn numbers_and_durations_stand_for_each_other() {
    prints(&[
        ("5m", "5m"),
        ("1h30m", "1h30m"),
        ("90s", "1m30s"),
        ("-5m", "-5m"),
        ("- - 5m", "5m"),
        ("+1", "1"),
        ("-0x1F", "-31"),
        ("0o17 + 017 + 0b11", "15 + 15 + 3"),
        ("1_000.5", "1000.5"),
        (".5e-2", "0.005"),
        ("1e21", "1000000000000000000000"),
        ("inf + +Inf - -INF", "+Inf + +Inf - -Inf"),
        ("nan", "NaN"),
        ("-NaN", "NaN"),
        ("Inf ^ 2", "Inf ^ 2"),
        ("-1 ^ 2", "-1 ^ 2"),
        ("(-1) ^ -2", "(-1) ^ -2"),
        ("-a ^ 2", "-a ^ 2"),
        ("foo[1_0]", "foo[10s]"),
        ("foo[0.5:1.25]", "foo[500ms:1s250ms]"),
        ("foo @ 1h offset 2", "foo @ 3600.000 offset 2s"),
        ("foo @ -5m", "foo @ -300.000"),
    ]);
    means("-1 ^ 2", "-(1 ^ 2)");
    means("-1 * 2", "(-1) * 2");
    refuses(&[
        ("1e999", "1:1: bad number or duration syntax: \"1e999\""),
        ("1_", "1:1: bad number or duration syntax: \"1_\""),
        ("5m5m", "1:1: bad number or duration syntax: \"5m5m\""),
        (
            "foo @ 1e300",
            &format!("1:1: timestamp out of bounds for @ modifier: {:.6}", 1e300),
        ),
        (
            "foo @ NaN",
            "1:1: timestamp out of bounds for @ modifier: NaN",
        ),
    ]);
}

#[test]
fn trim_operators_bind_like_comparisons() {
    prints(&[
        ("a </ 1", "a </ 1"),
        ("a>/-Inf", "a >/ -Inf"),
        ("a </ on(x) b", "a </ on (x) b"),
    ]);
    means("a </ 1 + 2", "a </ (1 + 2)");
    means("a < b >/ c == d", "((a < b) >/ c) == d");
    means("a and b </ c", "a and (b </ c)");
    refuses(&[
        (
            "a </ bool 1",
            "1:3: bool modifier can only be used on comparison operators",
        ),
        (
            "1 >/ 2",
            "1:3: operator \">/\" not allowed for Scalar operations",
        ),
    ]);
}

#[test]
fn fill_modifiers_follow_the_matching() {
    prints(&[
        ("a + fill(0) b", "a + fill (0) b"),
        (
            "a + fill_left(-1.5) fill_right(5m) b",
            "a + fill_left (-1.5) fill_right (300) b",
        ),
        (
            "a + on(x) group_left(y) fill_right (NaN) fill_left(+Inf) b",
            "a + on (x) group_left (y) fill_left (+Inf) fill_right (NaN) b",
        ),
        ("a == bool FILL(1e21) b", "a == bool fill (1e+21) b"),
        ("a + fill(0.00001) b", "a + fill (1e-05) b"),
        ("a + fill", "a + fill"),
        ("fill + fill(0) fill_left", "fill + fill (0) fill_left"),
        ("fill_right{a=\"b\"} - fill", "fill_right{a=\"b\"} - fill"),
    ]);
    refuses(&[
        (
            "a + fill(0) 1",
            "1:1: filling in missing series only allowed between instant vectors",
        ),
        (
            "a or fill(0) b",
            "1:1: filling in missing series not allowed for set operators",
        ),
        (
            "a + fill(b) c",
            "1:10: unexpected identifier \"b\" in fill modifier, expected number or duration",
        ),
        (
            "a + fill(1) fill(2) b",
            "1:13: unknown function with name \"fill\"",
        ),
    ]);
}

#[test]
fn extended_selectors_stand_before_or_after_the_other_modifiers() {
    prints(&[
        ("a anchored", "a anchored"),
        ("a SMOOTHED @ 5 offset 1m", "a @ 5.000 smoothed offset 1m"),
        ("rate(a[5m] anchored)", "rate(a[5m] anchored)"),
        (
            "rate(a[5m] offset 1m @ end() smoothed)",
            "rate(a[5m] smoothed @ end() offset 1m)",
        ),
        ("anchored + smoothed", "anchored + smoothed"),
        ("smoothed smoothed", "smoothed smoothed"),
    ]);
    refuses(&[
        (
            "a anchored smoothed",
            "1:1: anchored and smoothed modifiers cannot be used together",
        ),
        (
            "a[5m:1m] smoothed",
            "1:1: smoothed modifier is not supported for subqueries",
        ),
        ("(a) anchored", "1:1: anchored modifier not implemented"),
    ]);
}

#[test]
fn lengths_of_time_are_computed() {
    prints(&[
        ("a[5m*2]", "a[5m * 2]"),
        ("a[-5m+35m]", "a[-5m + 35m]"),
        ("a[24m+((1.5*2m)+2m)]", "a[24m + ((1.5 * 2m) + 2m)]"),
        ("a[2^2 ^ 1s]", "a[2 ^ 2 ^ 1s]"),
        ("a[+5m]", "a[5m]"),
        ("a[(5m)]", "a[(5m)]"),
        ("a[STEP()+1]", "a[step() + 1]"),
        ("a[-step() + range()]", "a[-step() + range()]"),
        (
            "a[max_of(step(), 5m):min_of(1m, range())]",
            "a[max_of(step(), 5m):min_of(1m, range())]",
        ),
        ("a offset (1h+5m)", "a offset (1h + 5m)"),
        ("a offset (1h)+5m", "a offset (1h) + 5m"),
        ("a offset -(1h+5m)", "a offset -(1h + 5m)"),
        ("a offset step()", "a offset step()"),
        (
            "a offset -min_of(step(),1s)",
            "a offset -min_of(step(), 1s)",
        ),
        (
            "rate(a[step()] anchored @ 5 offset range())",
            "rate(a[step()] anchored @ 5.000 offset range())",
        ),
        (
            "step + range{a=\"b\"} - min_of",
            "step + range{a=\"b\"} - min_of",
        ),
        (
            "vector(step() + max_of(1, 2))",
            "vector(step() + max_of(1, 2))",
        ),
    ]);
    // Behind another modifier the offset would go on.
    prints(&[
        ("a offset (1m) @ 5 + b", "a @ 5.000 offset +(1m) + b"),
        ("a offset (1m) @ 5 == b", "a @ 5.000 offset (1m) == b"),
    ]);
    means("a offset 5m + 1", "(a offset 5m) + 1");
    means("a offset -2 ^ 2", "(a offset -2) ^ 2");
    means("a offset step() * 2", "(a offset step()) * 2");
    means("a offset max_of(1, 2) - 1", "(a offset max_of(1, 2)) - 1");
    means("a offset -(1m) - 1", "(a offset -(1m)) - 1");
    means(
        "a[1m + 2m * 3]",
        "a[1m + (2m * 3)]".replace(['(', ')'], "").as_str(),
    );
    refuses(&[
        ("a[5m-5m]", "1:3: duration must be greater than 0"),
        ("a[-5m]", "1:3: duration must be greater than 0"),
        ("a[5m:0s]", "1:6: duration must be greater than 0"),
        ("a[5m/0]", "1:5: division by zero"),
        ("a[5m%(1-1)]", "1:3: modulo by zero"),
        ("a[1e10]", "1:3: duration out of range"),
        ("a[1e9*1e9]", "1:3: duration is out of range"),
        (
            "a[b]",
            "1:3: unexpected identifier \"b\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        (
            "a[5m 5m]",
            "1:6: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"",
        ),
        (
            "a[5m:b]",
            "1:6: unexpected identifier \"b\" in subquery selector, expected number, duration, step(), range(), or \"]\"",
        ),
        (
            "a offset b",
            "1:10: unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
        ),
        (
            "a[min_of(1m)]",
            "1:12: unexpected \")\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        (
            "a offset (1m+1m) offset 5m",
            "1:1: offset may not be set multiple times",
        ),
        (
            "a offset (1m+1m) [5m]",
            "1:18: no offset modifiers allowed before range",
        ),
    ]);
}

#[test]
fn names_may_be_any_text_in_quotes() {
    prints(&[
        (
            r#"{"my.metric", "label.x"="y"}"#,
            r#"{"label.x"="y",__name__="my.metric"}"#,
        ),
        ("{'a b', c=`d\\n`}", r#"{__name__="a b",c="d\\n"}"#),
        (
            r#"sum by ("a.b", c, sum) ({"x"})"#,
            r#"sum by ("a.b", c, sum) ({__name__="x"})"#,
        ),
        (
            r#"a + on("ä") group_left("b c", d) e"#,
            r#"a + on ("ä") group_left ("b c", d) e"#,
        ),
        (
            "sum by (a:b, on, bool) (c)",
            "sum by (\"a:b\", on, bool) (c)",
        ),
        (r#"{__name__=~"a|b"}"#, r#"{__name__=~"a|b"}"#),
        (r#"a{b="\u00e4\x41\t'"}"#, r#"a{b="äA\t'"}"#),
        ("a:b:c{d='\"'}", r#"a:b:c{d="\""}"#),
        ("a{z='1',y!='2',x=~'3'}", r#"a{x=~"3",y!="2",z="1"}"#),
    ]);
    refuses(&[
        (
            r#"a{"b"}"#,
            "1:1: metric name must not be set twice: \"a\" or \"b\"",
        ),
        (
            r#"sum by ("") (a)"#,
            "1:9: invalid label name for grouping: \"\"",
        ),
    ]);
}

#[test]
fn keywords_are_names_where_nothing_else_fits() {
    for word in [
        "sum",
        "by",
        "without",
        "offset",
        "and",
        "or",
        "unless",
        "start",
        "end",
        "step",
        "range",
        "min_of",
        "max_of",
        "anchored",
        "smoothed",
        "fill",
        "fill_left",
        "fill_right",
        "limitk",
        "count_values",
        "time",
        "rate",
        "x",
    ] {
        for text in [
            word.to_owned(),
            format!("{word}{{{word}=\"a\"}}"),
            format!("{word} + ignoring ({word}) group_left ({word}) {word}"),
            format!("sum by ({word}) ({word})"),
            format!("{word}[5m:]"),
        ] {
            prints(&[(&text, &text)]);
        }
    }
    for word in [
        "bool",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "atan2",
    ] {
        assert!(parse(word).is_err(), "{word}");
        let text = format!("sum by ({word}) (a)");
        prints(&[(&text, &text)]);
    }
}

#[test]
fn info_takes_matchers_of_labels() {
    prints(&[
        ("info(a)", "info(a)"),
        ("info(a, {b=~'.*'})", "info(a, {b=~\".*\"})"),
        ("info(a, {__name__='b'})", "info(a, {__name__=\"b\"})"),
    ]);
    refuses(&[
        (
            "info(a, b)",
            "1:9: expected label selectors only, got vector selector instead",
        ),
        ("info(a, sum(b))", "1:9: expected label selectors only"),
        (
            "info(a, 1)",
            "1:9: expected type instant vector in call to function \"info\", got scalar",
        ),
        (
            "info({b=~'.*'})",
            "1:6: vector selector must contain at least one non-empty matcher",
        ),
        (
            "info(a, {b='c'}) + {b=~'.*'}",
            "1:20: vector selector must contain at least one non-empty matcher",
        ),
        (
            "info(a, b, c)",
            "1:1: expected at most 2 argument(s) in call to \"info\", got 3",
        ),
    ]);
}

#[test]
fn what_does_not_change_between_steps_is_known() {
    for (text, invariant) in [
        ("1 + 5m", true),
        ("pi() * step() + range() + start() + end()", true),
        ("a @ 5", true),
        ("a @ start() offset step()", true),
        ("a offset (1m + 1m)", false),
        ("rate(a[step()] smoothed @ end())", true),
        ("rate(a[step()])", false),
        ("a @ 5 + fill(0) b @ 6", true),
        ("a @ 5 </ 1", true),
        ("a @ 5 </ time()", false),
        ("start_timestamp(a @ 5)", true),
        ("info(a @ 5)", true),
    ] {
        let expr = parse(text).unwrap();
        assert_eq!(expr.derived.step_invariant, invariant, "{text}");
    }
}

#[test]
fn every_part_has_its_type() {
    for (text, value_type) in [
        ("1 + 5m", ValueType::Scalar),
        ("step() + max_of(1, 2)", ValueType::Scalar),
        ("a </ 1", ValueType::Vector),
        ("a + fill(0) b", ValueType::Vector),
        ("a smoothed", ValueType::Vector),
        ("a[step()] smoothed", ValueType::Matrix),
        ("a[step():]", ValueType::Matrix),
        ("`a`", ValueType::String),
    ] {
        assert_eq!(parse(text).unwrap().value_type(), value_type, "{text}");
    }
}

#[test]
fn each_function_is_read_with_as_many_arguments_as_it_takes() {
    let argument = |value_type| match value_type {
        ValueType::Scalar => "1",
        ValueType::String => "\"s\"",
        ValueType::Vector => "{a=\"b\"}",
        ValueType::Matrix => "a[5m]",
    };
    for function in crate::Function::all() {
        let text = |count: usize| {
            let last = function.arguments.len().saturating_sub(1);
            let given = (0..count).map(|index| argument(function.arguments[index.min(last)]));
            format!(
                "{}({})",
                function.name,
                given.collect::<Vec<_>>().join(", ")
            )
        };
        let most = function.arguments_max.min(function.arguments_min + 10);
        for count in function.arguments_min..=most {
            prints(&[(&text(count), &text(count))]);
        }
        if function.arguments_min > 0 {
            assert!(parse(&text(function.arguments_min - 1)).is_err());
        }
        if function.arguments_max == most && !function.arguments.is_empty() {
            assert!(parse(&text(most + 1)).is_err(), "{}", text(most + 1));
        }
    }
}

#[test]
fn long_lengths_of_time_are_refused() {
    for text in [
        format!("a[{}1{}]", "(".repeat(1000), ")".repeat(1000)),
        format!("a[1{}]", "+1".repeat(1000)),
        format!("a[{}1]", "1^".repeat(1000)),
        format!("a offset ({}step())", "-".repeat(1000)),
    ] {
        let error = parse(&text).unwrap_err();
        assert_eq!(
            error.message,
            "the expression is nested deeper than 200 levels"
        );
    }
}

#[test]
fn texts_of_too_many_tokens_are_refused() {
    let text = format!("label_join(a, \"b\", {}\"c\")", "\"c\",".repeat(60_000));
    let error = parse(&text).unwrap_err();
    assert_eq!(error.message, "more than 100000 tokens in one expression");
    assert_eq!(error.position.to_string(), "1:200008");
}
