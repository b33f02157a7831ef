//! An expression whose selectors are pinned to a moment by `@`, so that it gives the same at any other.

use model::Timestamp;
use promql::{At, DurationExpr, Expr, ExprKind, TimeShift, parse};

/// The expression with all selectors pinned, as text; or why it cannot be pinned.
pub(super) fn pinned(expr: &Expr, at: i64) -> Result<String, String> {
    let mut pinned = expr.clone();
    pin(&mut pinned, Timestamp::from_millis(at))?;
    let text = pinned.to_string();
    match parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{text} is no expression: {error}")),
    }
}

/// Pins the selectors that are not pinned yet; an error if something in it depends on the moment all the same.
fn pin(expr: &mut Expr, at: Timestamp) -> Result<(), String> {
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => Ok(()),
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            pin_time(&mut selector.time, at);
            Ok(())
        }
        // What is inside looks at the steps of the subquery, and those do not move any more.
        ExprKind::Subquery(subquery) => {
            pin_time(&mut subquery.time, at);
            match names_the_query(&subquery.expr) {
                true => Err("what a subquery names of the query is no longer the same".to_owned()),
                false => Ok(()),
            }
        }
        ExprKind::Paren(inner) => pin(inner, at),
        ExprKind::Unary { operand, .. } => pin(operand, at),
        ExprKind::Binary(binary) => {
            pin(&mut binary.left, at)?;
            pin(&mut binary.right, at)
        }
        ExprKind::Aggregate(aggregate) => {
            if let Some(parameter) = &mut aggregate.parameter {
                pin(parameter, at)?;
            }
            pin(&mut aggregate.expr, at)
        }
        ExprKind::Call(call) => {
            if MOMENT.contains(&call.function.name) {
                return Err(format!("{}() depends on the moment", call.function.name));
            }
            for argument in &mut call.arguments {
                pin(argument, at)?;
            }
            Ok(())
        }
    }
}

/// Functions whose value depends on when they are evaluated, not only on their arguments.
const MOMENT: [&str; 13] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "start",
    "time",
    "timestamp",
    "year",
];

fn pin_time(time: &mut TimeShift, at: Timestamp) {
    // In an instant query, start() and end() are its moment.
    if !matches!(time.at, Some(At::Timestamp(_))) {
        time.at = Some(At::Timestamp(at));
    }
}

/// Whether it names the start, the end, the step or the range of the query.
pub(super) fn names_the_query(expr: &Expr) -> bool {
    let named = |time: TimeShift| matches!(time.at, Some(At::Start | At::End));
    let computed = |duration: &Option<Box<DurationExpr>>| {
        let duration = duration.as_deref();
        duration.is_some_and(DurationExpr::needs_window)
    };
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => false,
        ExprKind::VectorSelector(selector) => {
            named(selector.time) || computed(&selector.offset_expr)
        }
        ExprKind::MatrixSelector {
            selector,
            range_expr,
            ..
        } => named(selector.time) || computed(&selector.offset_expr) || computed(range_expr),
        ExprKind::Subquery(subquery) => {
            named(subquery.time)
                || computed(&subquery.offset_expr)
                || computed(&subquery.range_expr)
                || computed(&subquery.step_expr)
                || names_the_query(&subquery.expr)
        }
        ExprKind::Paren(inner) => names_the_query(inner),
        ExprKind::Unary { operand, .. } => names_the_query(operand),
        ExprKind::Binary(binary) => names_the_query(&binary.left) || names_the_query(&binary.right),
        ExprKind::Aggregate(aggregate) => {
            let parameter = aggregate.parameter.as_ref();
            parameter.is_some_and(names_the_query) || names_the_query(&aggregate.expr)
        }
        ExprKind::Call(call) => {
            let of_query = ["start", "end", "step", "range"].contains(&call.function.name);
            of_query || call.arguments.iter().any(names_the_query)
        }
    }
}
