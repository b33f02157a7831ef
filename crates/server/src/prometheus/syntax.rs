//! `/api/v1/format_query` and `/api/v1/parse_query`: an expression spread over lines, and its tree.
//!
//! The tree has Prometheus' words and, in each node, its keys in the order of the alphabet, as it writes them.

use axum::extract::{Request, State};
use axum::response::Response;
use model::{MatchKind, Matcher};
use promql::{
    Aggregate, At, Binary, Call, Cardinality, Expr, ExprKind, Extension, Features, Fill, Function,
    Number, Subquery, ValueType, VectorSelector,
};

use super::{SUCCESS, finish, ok};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::query_gate::Caller;
use crate::{Server, json};

/// `/api/v1/format_query`
pub(crate) async fn format(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&server, request, |body, expression| {
        json::push_string(body, &promql::pretty(expression));
    })
    .await
}

/// `/api/v1/parse_query`
pub(crate) async fn parse(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&server, request, push_expression).await
}

/// What reads an expression waits for its turn, since it compiles regular expressions.
async fn answer(
    server: &Server,
    request: Request,
    push: fn(&mut String, &Expr),
) -> Result<Response, ApiError> {
    let parameters = Parameters::read(server, request).await?;
    let text = parameters.required("query")?.to_owned();
    let limits = server.limits();
    let timeout = limits.query_timeout;
    let features = Features::new(limits.evaluation.experimental);
    let work = move |_: &Caller| {
        let expression = promql::parse_with(&text, &features)
            .map_err(|error| ApiError::parameter("query", error))?;
        let mut body = String::from(SUCCESS);
        push(&mut body, &expression);
        finish(&mut body, &[""; 0], &[""; 0]);
        Ok(body)
    };
    Ok(ok(server.queries().run(server, timeout, work).await?))
}

/// Appends a node with all below it. The parser bounds how deep they lie.
fn push_expression(out: &mut String, expression: &Expr) {
    match &expression.kind {
        ExprKind::Number(number) => {
            out.push_str(r#"{"type":"numberLiteral","val":"#);
            push_plain(out, *number);
            out.push('}');
        }
        ExprKind::String(text) => {
            out.push_str(r#"{"type":"stringLiteral","val":"#);
            json::push_string(out, text);
            out.push('}');
        }
        ExprKind::Paren(inner) => {
            out.push_str(r#"{"expr":"#);
            push_expression(out, inner);
            out.push_str(r#","type":"parenExpr"}"#);
        }
        ExprKind::Unary { operator, operand } => {
            out.push_str(r#"{"expr":"#);
            push_expression(out, operand);
            let operator = match operator {
                promql::UnaryOperator::Plus => "+",
                promql::UnaryOperator::Minus => "-",
            };
            out.push_str(r#","op":"#);
            json::push_string(out, operator);
            out.push_str(r#","type":"unaryExpr"}"#);
        }
        ExprKind::Binary(binary) => push_binary(out, binary),
        ExprKind::Aggregate(aggregate) => push_aggregate(out, aggregate),
        ExprKind::Call(call) => push_call(out, call),
        ExprKind::VectorSelector(selector) => {
            push_selector(out, selector, None);
            out.push_str(r#","type":"vectorSelector"}"#);
        }
        ExprKind::MatrixSelector {
            selector, range, ..
        } => {
            push_selector(out, selector, Some(range.as_millis()));
            out.push_str(r#","type":"matrixSelector"}"#);
        }
        ExprKind::Subquery(subquery) => push_subquery(out, subquery),
    }
}

/// A number as Go writes it without exponent.
fn push_plain(out: &mut String, Number(value, _): Number) {
    out.push('"');
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        json::push_display(out, value);
    }
    out.push('"');
}

fn push_binary(out: &mut String, binary: &Binary) {
    out.push_str(r#"{"bool":"#);
    json::push_display(out, binary.return_bool);
    out.push_str(r#","lhs":"#);
    push_expression(out, &binary.left);
    out.push_str(r#","matching":"#);
    let sides = [&binary.left, &binary.right];
    match sides.map(Expr::value_type) {
        [ValueType::Vector, ValueType::Vector] => push_matching(out, binary),
        _ => out.push_str("null"),
    }
    out.push_str(r#","op":"#);
    json::push_string(out, binary.operator.as_str());
    out.push_str(r#","rhs":"#);
    push_expression(out, &binary.right);
    out.push_str(r#","type":"binaryExpr"}"#);
}

fn push_matching(out: &mut String, binary: &Binary) {
    let matching = &binary.matching;
    let cardinality = match matching.cardinality {
        _ if binary.operator.is_set() => "many-to-many",
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
    };
    out.push_str(r#"{"card":"#);
    json::push_string(out, cardinality);
    let Fill { left, right } = matching.fill;
    for (name, value) in [(r#","fillValues":{"lhs":"#, left), (r#","rhs":"#, right)] {
        out.push_str(name);
        json::push_number(out, value.map_or(f64::NAN, |number| number.0));
    }
    out.push_str(r#"},"include":"#);
    json::push_strings(out, &matching.include);
    out.push_str(r#","labels":"#);
    json::push_strings(out, &matching.labels);
    out.push_str(r#","on":"#);
    json::push_display(out, matching.on);
    out.push('}');
}

fn push_aggregate(out: &mut String, aggregate: &Aggregate) {
    out.push_str(r#"{"expr":"#);
    push_expression(out, &aggregate.expr);
    out.push_str(r#","grouping":"#);
    json::push_strings(out, &aggregate.grouping.labels);
    out.push_str(r#","op":"#);
    json::push_string(out, aggregate.operator.as_str());
    out.push_str(r#","param":"#);
    match &aggregate.parameter {
        Some(parameter) => push_expression(out, parameter),
        None => out.push_str("null"),
    }
    out.push_str(r#","type":"aggregation","without":"#);
    json::push_display(out, aggregate.grouping.without);
    out.push('}');
}

fn push_call(out: &mut String, call: &Call) {
    out.push_str(r#"{"args":["#);
    for (index, argument) in call.arguments.iter().enumerate() {
        json::separate(out, index);
        push_expression(out, argument);
    }
    out.push_str(r#"],"func":"#);
    push_function(out, call.function);
    out.push_str(r#","type":"call"}"#);
}

/// Prometheus lists one argument more than a function with optional ones needs, and tells how many may follow the others;
/// -1 if any number may.
fn push_function(out: &mut String, function: &Function) {
    let Function {
        arguments,
        arguments_min: min,
        arguments_max: max,
        ..
    } = *function;
    let (listed, variadic) = match max {
        _ if max == min => (min, 0),
        usize::MAX => (arguments.len(), -1),
        _ => (min + 1, (max - min) as i64),
    };
    out.push_str(r#"{"argTypes":["#);
    for index in 0..listed {
        json::separate(out, index);
        let kind = arguments.get(index).or(arguments.last());
        json::push_string(out, kind.map_or("none", |kind| type_name(*kind)));
    }
    out.push_str(r#"],"name":"#);
    json::push_string(out, function.name);
    out.push_str(r#","returnType":"#);
    json::push_string(out, type_name(function.returns));
    out.push_str(r#","variadic":"#);
    json::push_display(out, variadic);
    out.push('}');
}

const fn type_name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

/// Appends a selector up to its type.
fn push_selector(out: &mut String, selector: &VectorSelector, range: Option<u128>) {
    let has = |extension| selector.extension == Some(extension);
    out.push_str(r#"{"anchored":"#);
    json::push_display(out, has(Extension::Anchored));
    out.push_str(r#","matchers":["#);
    // The name that stands before the braces comes last.
    let (name, others) = selector
        .matchers
        .split_at(usize::from(selector.name.is_some()));
    for (index, matcher) in others.iter().chain(name).enumerate() {
        json::separate(out, index);
        push_matcher(out, matcher);
    }
    out.push_str(r#"],"name":"#);
    json::push_string(out, selector.name.as_deref().unwrap_or(""));
    out.push_str(r#","offset":"#);
    json::push_display(out, selector.time.offset_ms);
    if let Some(range) = range {
        out.push_str(r#","range":"#);
        json::push_display(out, range);
    }
    out.push_str(r#","smoothed":"#);
    json::push_display(out, has(Extension::Smoothed));
    push_at(out, selector.time.at, None);
}

fn push_matcher(out: &mut String, matcher: &Matcher) {
    let kind = match matcher.kind() {
        MatchKind::Equal => "=",
        MatchKind::NotEqual => "!=",
        MatchKind::Regex => "=~",
        MatchKind::NotRegex => "!~",
    };
    let fields = [
        ("name", matcher.name()),
        ("type", kind),
        ("value", matcher.value()),
    ];
    json::push_pairs(out, fields.into_iter());
}

fn push_at(out: &mut String, at: Option<At>, step: Option<u128>) {
    let word = match at {
        Some(At::Start) => r#""start""#,
        Some(At::End) => r#""end""#,
        Some(At::Timestamp(_)) | None => "null",
    };
    out.push_str(r#","startOrEnd":"#);
    out.push_str(word);
    if let Some(step) = step {
        out.push_str(r#","step":"#);
        json::push_display(out, step);
    }
    out.push_str(r#","timestamp":"#);
    match at {
        Some(At::Timestamp(timestamp)) => json::push_display(out, timestamp.as_millis()),
        Some(At::Start | At::End) | None => out.push_str("null"),
    }
}

fn push_subquery(out: &mut String, subquery: &Subquery) {
    out.push_str(r#"{"expr":"#);
    push_expression(out, &subquery.expr);
    out.push_str(r#","offset":"#);
    json::push_display(out, subquery.time.offset_ms);
    out.push_str(r#","range":"#);
    json::push_display(out, subquery.range.as_millis());
    let step = subquery.step.unwrap_or_default();
    push_at(out, subquery.time.at, Some(step.as_millis()));
    out.push_str(r#","type":"subquery"}"#);
}
