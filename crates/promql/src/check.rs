//! The rules of types that the grammar cannot express.

use model::NAME;

use crate::ast::{Aggregate, Binary, Call, Cardinality, Expr, ExprKind, VectorSelector};
use crate::function::ValueType;
use crate::{ParseError, Span};

/// Checks an expression whose parts are checked already. With `takes_all` a selector need not restrict the series.
///
/// Errors: the part whose type does not fit, or the expression itself.
pub(crate) fn check(expr: &Expr, takes_all: bool) -> Result<(), ParseError> {
    let span = expr.span;
    match &expr.kind {
        ExprKind::Binary(binary) => check_binary(binary, span),
        ExprKind::Aggregate(aggregate) => check_aggregate(aggregate),
        ExprKind::Call(call) => check_call(call, span),
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            check_selector(selector, takes_all, span)
        }
        ExprKind::Unary { operand, .. } => match operand.value_type() {
            ValueType::Scalar | ValueType::Vector => Ok(()),
            other => Err(ParseError::new(
                span,
                format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got \"{other}\""
                ),
            )),
        },
        ExprKind::Subquery(subquery) => match subquery.expr.value_type() {
            ValueType::Vector => Ok(()),
            other => Err(ParseError::new(
                span,
                format!(
                    "subquery is only allowed on instant vector, got {} instead",
                    short(other)
                ),
            )),
        },
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Paren(_) => Ok(()),
    }
}

fn check_binary(binary: &Binary, span: Span) -> Result<(), ParseError> {
    let Binary {
        operator,
        left,
        right,
        matching,
        ..
    } = binary;
    let operator_span = binary.operator_span;
    let refuse = |span: Span, message: &str| Err(ParseError::new(span, message));
    let (left_type, right_type) = (left.value_type(), right.value_type());
    let vectors = left_type == ValueType::Vector && right_type == ValueType::Vector;
    if binary.return_bool && !operator.is_comparison() {
        return refuse(
            operator_span,
            "bool modifier can only be used on comparison operators",
        );
    }
    let scalars = left_type == ValueType::Scalar && right_type == ValueType::Scalar;
    if operator.is_comparison() && !binary.return_bool && scalars {
        return refuse(
            operator_span,
            "comparisons between scalars must use BOOL modifier",
        );
    }
    if let Some(twice) = matching
        .include
        .iter()
        .find(|label| matching.on && matching.labels.contains(label))
    {
        let message = format!("label {twice:?} must not occur in ON and GROUP clause at once");
        return refuse(operator_span, &message);
    }
    for (side, side_type) in [(left, left_type), (right, right_type)] {
        if !matches!(side_type, ValueType::Scalar | ValueType::Vector) {
            return refuse(
                side.span,
                "binary expression must contain only scalar and instant vector types",
            );
        }
    }
    if !vectors && !matching.labels.is_empty() {
        return refuse(span, "vector matching only allowed between instant vectors");
    }
    if !vectors && !matching.fill.is_none() {
        return refuse(
            span,
            "filling in missing series only allowed between instant vectors",
        );
    }
    if operator.is_trim() && scalars {
        let message = format!(
            "operator {:?} not allowed for Scalar operations",
            operator.as_str()
        );
        return refuse(operator_span, &message);
    }
    if operator.is_set() && !vectors {
        let message = format!(
            "set operator {:?} not allowed in binary scalar expression",
            operator.as_str()
        );
        return refuse(span, &message);
    }
    if operator.is_set() && matching.cardinality != Cardinality::OneToOne {
        let message = format!("no grouping allowed for {:?} operation", operator.as_str());
        return refuse(span, &message);
    }
    if operator.is_set() && !matching.fill.is_none() {
        let message = "filling in missing series not allowed for set operators";
        return refuse(span, message);
    }
    Ok(())
}

fn check_aggregate(aggregate: &Aggregate) -> Result<(), ParseError> {
    expect_type(&aggregate.expr, ValueType::Vector, "aggregation expression")?;
    if let (Some(parameter), Some(expected)) =
        (&aggregate.parameter, aggregate.operator.parameter_type())
    {
        expect_type(parameter, expected, "aggregation parameter")?;
    }
    Ok(())
}

fn check_call(call: &Call, span: Span) -> Result<(), ParseError> {
    let function = call.function;
    let (min, max, got) = (
        function.arguments_min,
        function.arguments_max,
        call.arguments.len(),
    );
    if got < min || got > max {
        let expected = if min == max {
            format!("expected {min}")
        } else if got < min {
            format!("expected at least {min}")
        } else {
            format!("expected at most {max}")
        };
        let message = format!(
            "{expected} argument(s) in call to {:?}, got {got}",
            function.name
        );
        return Err(ParseError::new(span, message));
    }
    if function.name == "info"
        && let Some(filter) = call.arguments.get(1)
    {
        check_label_filter(filter)?;
    }
    for (index, argument) in call.arguments.iter().enumerate() {
        let expected = function.arguments[index.min(function.arguments.len() - 1)];
        expect_type(
            argument,
            expected,
            &format!("call to function {:?}", function.name),
        )?;
    }
    Ok(())
}

/// The second argument of `info`: matchers of labels, and no metric's name before them.
fn check_label_filter(expr: &Expr) -> Result<(), ParseError> {
    let message = match &expr.kind {
        ExprKind::VectorSelector(selector) if selector.name.is_none() => return Ok(()),
        ExprKind::VectorSelector(_) => "expected label selectors only, got vector selector instead",
        _ if expr.value_type() != ValueType::Vector => return Ok(()),
        _ => "expected label selectors only",
    };
    Err(ParseError::new(expr.span, message))
}

fn expect_type(expr: &Expr, expected: ValueType, context: &str) -> Result<(), ParseError> {
    let got = expr.value_type();
    if got == expected {
        return Ok(());
    }
    let message = format!("expected type {expected} in {context}, got {got}");
    Err(ParseError::new(expr.span, message))
}

fn check_selector(
    selector: &VectorSelector,
    takes_all: bool,
    span: Span,
) -> Result<(), ParseError> {
    let Some(name) = &selector.name else {
        let restricts = selector
            .matchers
            .iter()
            .any(|matcher| !matcher.matches_empty());
        if restricts || takes_all {
            return Ok(());
        }
        let message = "vector selector must contain at least one non-empty matcher";
        return Err(ParseError::new(span, message));
    };
    let second = selector.matchers[1..]
        .iter()
        .find(|matcher| matcher.name() == NAME);
    if let Some(second) = second {
        let message = format!(
            "metric name must not be set twice: {name:?} or {:?}",
            second.value()
        );
        return Err(ParseError::new(span, message));
    }
    Ok(())
}

/// A type's name as Prometheus' result types call it.
fn short(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}
