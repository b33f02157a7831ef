//! What is read, what is refused and in which words; printing and reading again is the identity.

mod language;
mod random;

use proptest::prelude::*;

use super::*;
use crate::ast::DurationKind;

/// The message of a text that is refused.
#[track_caller]
fn refused(text: &str) -> String {
    match parse(text) {
        Ok(expr) => panic!("{text} was read as {expr}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_read_is_printed_in_one_form() {
    for (text, printed) in [
        ("foo", "foo"),
        ("foo{}", "foo"),
        (r#"foo { a = "b" , c!~'d', }"#, r#"foo{a="b",c!~"d"}"#),
        (
            r#"{"my.metric", "my label"="x"}"#,
            r#"{"my label"="x",__name__="my.metric"}"#,
        ),
        ("foo[5m] offset 1h", "foo[5m] offset 1h"),
        ("foo[300]", "foo[5m]"),
        ("foo[0x10]", "foo[16s]"),
        ("foo offset -90s", "foo offset -1m30s"),
        ("foo @ 12.5 offset 5m", "foo @ 12.500 offset 5m"),
        ("foo offset 5m @ -1", "foo @ -1.000 offset 5m"),
        ("foo @ start()", "foo @ start()"),
        ("foo[1h:]", "foo[1h:]"),
        (
            "rate(foo[5m])[1h:1m] @ end() offset 1d",
            "rate(foo[5m])[1h:1m] @ end() offset 1d",
        ),
        ("SUM(foo) BY (a)", "sum by (a) (foo)"),
        (
            r#"sum without (a, "b.c",) (foo)"#,
            r#"sum without (a, "b.c") (foo)"#,
        ),
        ("topk(5, foo) by (job)", "topk by (job) (5, foo)"),
        ("a + on(x) group_left(y) b", "a + on (x) group_left (y) b"),
        (
            "a / ignoring(x) group_right b",
            "a / ignoring (x) group_right () b",
        ),
        ("a == bool 1", "a == bool 1"),
        ("-1 ^ 2", "-1 ^ 2"),
        ("5m + 0x1F + 1e3 + Inf", "5m + 31 + 1000 + +Inf"),
        ("sum", "sum"),
        ("on{by=\"x\"}", ""),
        ("\"a\\n\" # comment", r#""a\n""#),
        ("(a) or\n# between\nb", "(a) or b"),
        ("time()", "time()"),
    ] {
        match parse(text) {
            Ok(expr) => assert_eq!(expr.to_string(), printed, "{text}"),
            Err(error) => assert_eq!("", printed, "{text}: {error}"),
        }
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, meaning) in [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)"),
        ("-2 ^ 2", "-(2 ^ 2)"),
        ("-2 * 3", "(-2) * 3"),
        ("2 * -3 + 1", "(2 * (-3)) + 1"),
        ("2 ^ -3 * 4", "(2 ^ (-3)) * 4"),
        ("a or b and c unless d", "a or ((b and c) unless d)"),
        ("a + b > c and d", "((a + b) > c) and d"),
        ("a * b atan2 c % d", "((a * b) atan2 c) % d"),
        ("a + b offset 5m", "a + (b offset 5m)"),
    ] {
        let (plain, grouped) = (parse(text).unwrap(), parse(meaning).unwrap());
        assert_eq!(without_parens(plain), without_parens(grouped), "{text}");
    }
}

pub(super) fn without_parens(expr: Expr) -> Expr {
    let kind = match expr.kind {
        ExprKind::Paren(inner) => return without_parens(*inner),
        ExprKind::Unary { operator, operand } => ExprKind::Unary {
            operator,
            operand: Box::new(without_parens(*operand)),
        },
        ExprKind::Binary(mut binary) => {
            binary.left = without_parens(binary.left);
            binary.right = without_parens(binary.right);
            ExprKind::Binary(binary)
        }
        other => other,
    };
    Expr::new(kind, expr.span)
}

#[test]
fn every_node_knows_its_place() {
    let text = "sum by (a) (rate(foo[5m] offset 1m)) /\n  2";
    let expr = parse(text).unwrap();
    let mut shown = Vec::new();
    collect_spans(&expr, text, &mut shown);
    assert_eq!(
        shown,
        [
            format!("1:1 {text}"),
            "1:1 sum by (a) (rate(foo[5m] offset 1m))".to_owned(),
            "1:13 rate(foo[5m] offset 1m)".to_owned(),
            "1:18 foo[5m] offset 1m".to_owned(),
            "2:3 2".to_owned(),
        ]
    );
}

#[test]
fn every_part_of_a_length_knows_its_place() {
    let text = "a[1h - (step() *\n 2)] offset -min_of(1, -2m)";
    let kind = parse(text).unwrap().kind;
    let mut shown = Vec::new();
    let mut waiting: Vec<_> = crate::resolve::lengths(&kind).cloned().collect();
    while let Some(length) = waiting.pop() {
        let Span { start, end } = length.span;
        let part = &text[start.offset as usize..end.offset as usize];
        shown.push(format!("{start} {part}"));
        match length.kind {
            DurationKind::Paren(inner) | DurationKind::Negative(inner) => waiting.push(*inner),
            DurationKind::Binary { left, right, .. }
            | DurationKind::MinOf(left, right)
            | DurationKind::MaxOf(left, right) => waiting.extend([*right, *left]),
            DurationKind::Number(_) | DurationKind::Step | DurationKind::Range => {}
        }
    }
    assert_eq!(
        shown,
        [
            "2:13 -min_of(1, -2m)",
            "2:14 min_of(1, -2m)",
            "2:21 1",
            "2:24 -2m",
            "1:3 1h - (step() *\n 2)",
            "1:3 1h",
            "1:8 (step() *\n 2)",
            "1:9 step() *\n 2",
            "1:9 step()",
            "2:2 2",
        ]
    );
}

fn collect_spans(expr: &Expr, text: &str, shown: &mut Vec<String>) {
    let Span { start, end } = expr.span;
    let part = &text[start.offset as usize..end.offset as usize];
    shown.push(format!("{start} {part}"));
    for child in expr.kind.children() {
        collect_spans(child, text, shown);
    }
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    for (text, message) in [
        ("", "1:1: parse error: no expression found in input"),
        ("(1", "1:3: parse error: unclosed left parenthesis"),
        ("1)", "1:2: parse error: unexpected right parenthesis ')'"),
        ("a b $", "1:3: parse error: unexpected identifier \"b\""),
        ("a $", "1:3: parse error: unexpected character: '$'"),
        ("sum(", "1:5: parse error: unclosed left parenthesis"),
        (
            "foo{",
            "1:5: parse error: unexpected end of input inside braces",
        ),
        ("foo[5m", "1:7: parse error: unclosed left bracket"),
        (
            "\"\\q\"",
            "1:1: parse error: unknown escape sequence U+0071 'q'",
        ),
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("*1", "1:1: parse error: unexpected <op:*>"),
        (
            "foo{a=1}",
            "1:7: parse error: unexpected number \"1\" in label matching, expected string",
        ),
        (
            "foo{a\"b\"}",
            "1:6: parse error: unexpected string \"\\\"b\\\"\" in label matching, expected label matching operator",
        ),
        (
            "foo{a=\"b\" c=\"d\"}",
            "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
        ),
        (
            "foo{a=~\"(\"}",
            "1:5: parse error: invalid regular expression \"(\": unclosed group",
        ),
        (
            "{a=\"\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher",
        ),
        (
            "foo{__name__=\"bar\"}",
            "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"",
        ),
        (
            "foo()",
            "1:1: parse error: unknown function with name \"foo\"",
        ),
        (
            "rate(foo)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
        ),
        (
            "abs(a, b)",
            "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 2",
        ),
        (
            "round()",
            "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0",
        ),
        (
            "abs(a,)",
            "1:6: parse error: trailing commas not allowed in function call args",
        ),
        (
            "1 > 2",
            "1:3: parse error: comparisons between scalars must use BOOL modifier",
        ),
        (
            "a + bool b",
            "1:3: parse error: bool modifier can only be used on comparison operators",
        ),
        (
            "a and 1",
            "1:1: parse error: set operator \"and\" not allowed in binary scalar expression",
        ),
        (
            "a + on(x) group_left(x) b",
            "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once",
        ),
        (
            "a or on(x) group_left b",
            "1:1: parse error: no grouping allowed for \"or\" operation",
        ),
        (
            "1 + on(x) 2",
            "1:1: parse error: vector matching only allowed between instant vectors",
        ),
        (
            "a[5m] + 1",
            "1:1: parse error: binary expression must contain only scalar and instant vector types",
        ),
        (
            "(a)[5m]",
            "1:4: parse error: ranges only allowed for vector selectors",
        ),
        ("a[0s]", "1:3: parse error: duration must be greater than 0"),
        (
            "a offset 1m [5m]",
            "1:13: parse error: no offset modifiers allowed before range",
        ),
        (
            "a offset 1m offset 1m",
            "1:1: parse error: offset may not be set multiple times",
        ),
        (
            "a @ 1 @ 2",
            "1:1: parse error: @ <timestamp> may not be set multiple times",
        ),
        (
            "a @ Inf",
            "1:1: parse error: timestamp out of bounds for @ modifier: +Inf",
        ),
        (
            "1 offset 5m",
            "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        ),
        (
            "topk(a)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
        ),
        (
            "topk(\"a\", b)",
            "1:6: parse error: expected type scalar in aggregation parameter, got string",
        ),
        (
            "sum by (1) (a)",
            "1:9: parse error: unexpected number \"1\" in grouping opts, expected label",
        ),
        (
            "-\"a\"",
            "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
        ),
        (
            "1[5m:]",
            "1:1: parse error: subquery is only allowed on instant vector, got scalar instead",
        ),
        ("a ~ b", "1:3: parse error: unexpected character: '~'"),
        (
            "a !x",
            "1:3: parse error: unexpected character after '!': 'x'",
        ),
        (
            "foo\n  bar",
            "2:3: parse error: unexpected identifier \"bar\"",
        ),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn selectors_are_read_alone() {
    let shown = |text: &str| format!("{:?}", parse_selector(text).unwrap());
    assert_eq!(shown(r#"up{a="b"}"#), r#"[__name__="up", a="b"]"#);
    assert_eq!(shown(r#"{"a.b"}"#), r#"[__name__="a.b"]"#);
    for text in ["up + 1", "up[5m]", "rate(up[5m])", "", "{}", "1"] {
        assert!(parse_selector(text).is_err(), "{text}");
    }
}

/// Expressions of each shape that can be nested, around a core.
fn nested(depth: usize) -> [String; 7] {
    let around = |open: &str, core: &str, close: &str| {
        format!("{}{core}{}", open.repeat(depth), close.repeat(depth))
    };
    [
        around("(", "1", ")"),
        around("-", "a", ""),
        around("abs(", "a", ")"),
        around("sum by (x) (1 + ", "a", ")"),
        around("max_over_time(", "a", "[5m:1m])"),
        around("1 + ", "a", ""),
        around("", "a", " + 1"),
    ]
}

#[test]
fn nesting_is_limited_before_the_stack_is() {
    // What threads have by default. Unoptimised code needs the most of it.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = || {
        for text in nested(10_000) {
            let message = refused(&text);
            assert!(
                message.ends_with("nested deeper than 200 levels"),
                "{message}"
            );
        }
        for text in nested(99) {
            let expr = parse(&text).unwrap();
            assert_eq!(parse(&expr.to_string()).unwrap(), expr);
            crate::evaluate::tests::evaluates_without_data(&expr);
        }
    };
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn long_chains_of_vectors_are_no_nesting() {
    let chain = |operators: usize| format!("a{}", " or b + on () c".repeat(operators));
    let expr = parse(&chain(1000)).unwrap();
    assert_eq!(parse(&expr.to_string()).unwrap(), expr);
    crate::evaluate::tests::evaluates_without_data(&expr);
    let error = refused(&chain(1001));
    assert_eq!(
        error,
        "1:1: parse error: more than 1000 operators follow one another"
    );
}

#[test]
fn a_text_has_a_limited_number_of_matchers() {
    let selector = |matcher: &str, count| format!("{{{}}}", [matcher].repeat(count).join(","));
    for (matcher, most, message) in [
        (
            r#"a="b""#,
            1000,
            "more than 1000 label matchers in one expression",
        ),
        (
            r#""b""#,
            1000,
            "more than 1000 label matchers in one expression",
        ),
        (
            r#"a=~"b""#,
            100,
            "more than 100 regular expressions in one expression",
        ),
        (
            r#"a!~".""#,
            100,
            "more than 100 regular expressions in one expression",
        ),
    ] {
        let error = parse_selector(&selector(matcher, most + 1)).unwrap_err();
        assert_eq!(error.message, message);
        let column = 2 + most * (matcher.len() + 1);
        assert_eq!(error.position.to_string(), format!("1:{column}"));
    }
    assert!(parse_selector(&selector(r#"a=~"b""#, 100)).is_ok());
    // All selectors of a text count together.
    let sum = vec![r#"sum(x{a=~"b"})"#; 101].join(" + ");
    assert!(refused(&sum).ends_with("more than 100 regular expressions in one expression"));
}

#[test]
fn long_texts_are_refused() {
    let text = " ".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(
        refused(&text),
        "1:1: parse error: the expression is 1048577 bytes long, at most 1048576 are allowed"
    );
}

/// Pieces of which PromQL is made, joined at random.
const PIECES: [&str; 76] = [
    "foo",
    "sum",
    "by",
    "without",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "5m",
    "1h30m",
    "1",
    "0x1f",
    "1e3",
    "NaN",
    "Inf",
    "\"a\"",
    "'b'",
    "`c`",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    ">",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "atan2",
    "and",
    "or",
    "unless",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "@",
    "start",
    "end",
    "rate",
    "abs",
    "topk",
    "count_values",
    "time",
    "#x\n",
    "</",
    "fill",
    "anchored",
    "ä",
    "\"\\",
    ".5",
    "__name__",
    "a:b",
    "\n",
    "histogram_quantile",
    ">/",
    "fill_left(1)",
    "fill_right",
    "smoothed",
    "step()",
    "range()",
    "min_of(",
    "max_of",
    "info(a,",
    "end()",
    "[5m]",
    "[step():",
];

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse(&text);
        let _ = parse_selector(&text);
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_sequence_of_tokens_makes_the_parser_panic(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..20),
        space in prop::sample::select(vec!["", " "]),
    ) {
        let text = pieces.join(space);
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            prop_assert_eq!(&parse(&printed).unwrap(), &expr, "{}", printed);
            let pretty = crate::pretty(&expr);
            prop_assert_eq!(parse(&pretty).unwrap(), expr, "{}", pretty);
        }
    }

    #[test]
    fn what_is_printed_in_any_way_is_read_back(text in random::expressions()) {
        let expr = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let printed = expr.to_string();
        let again = parse(&printed).unwrap_or_else(|error| panic!("{text}: {printed}: {error}"));
        prop_assert_eq!(&again, &expr, "{}", printed);
        prop_assert_eq!(again.to_string(), printed);
        let pretty = crate::pretty(&expr);
        let again = parse(&pretty).unwrap_or_else(|error| panic!("{text}: {pretty}: {error}"));
        prop_assert_eq!(again, expr, "{}", pretty);
    }

    #[test]
    fn any_number_is_read_back(value in any::<f64>(), duration in any::<bool>()) {
        let notation = if duration { Notation::Duration } else { Notation::Plain };
        let number = Number(value, notation);
        let printed = number.to_string();
        let expr = parse(&printed).unwrap();
        prop_assert_eq!(expr.kind, ExprKind::Number(number), "{}", printed);
    }

    #[test]
    fn what_is_printed_is_read_back(expr in crate::evaluate::tests::expressions()) {
        let printed = expr.to_string();
        prop_assert_eq!(parse(&printed).unwrap(), expr, "{}", printed);
    }
}
