//! Computed lengths of time to numbers, once the query's window is known.
//!
//! What does not depend on the window is computed when the text is read. The rest, with `step()` or `range()` in it,
//! is zero in the tree until [`resolve`] puts its value there; evaluation looks at the numbers alone.

use std::borrow::Cow;
use std::time::Duration;

use crate::ast::{BinaryOperator, DurationExpr, DurationKind, Expr, ExprKind, Extension};
use crate::{EvalError, ParseError, Window};

/// The longest duration in seconds that Prometheus can hold: 2^63 nanoseconds.
pub(crate) const SECONDS_MAX: f64 = 9_223_372_036.854_775;

/// The expression with a number for each length of time that depends on the query's window. Borrowed if there is none.
///
/// `step()` is the window's step and `range()` its end minus its start, both in seconds and zero for an instant query.
///
/// Errors: a range or step that is not positive, a division by zero, a length that is out of range; `anchored` or
/// `smoothed` below a function that cannot make use of it.
pub fn resolve<'e>(expr: &'e Expr, window: &Window) -> Result<Cow<'e, Expr>, EvalError> {
    check_extensions(expr)?;
    if !expr.needs_window() {
        return Ok(Cow::Borrowed(expr));
    }
    let mut expr = expr.clone();
    // A list and no recursion: a chain of operators may be long.
    let mut waiting = vec![&mut expr];
    while let Some(expr) = waiting.pop() {
        put_numbers(&mut expr.kind, window).map_err(|error| EvalError::BadQuery {
            message: error.message,
            position: error.position,
        })?;
        waiting.extend(expr.kind.children_mut());
    }
    Ok(Cow::Owned(expr))
}

impl Expr {
    /// Whether a length of time in it depends on the query's start, end or step, so that [`resolve`] has to be called.
    pub fn needs_window(&self) -> bool {
        let mut waiting = vec![self];
        while let Some(expr) = waiting.pop() {
            if lengths(&expr.kind).any(DurationExpr::needs_window) {
                return true;
            }
            waiting.extend(expr.kind.children());
        }
        false
    }
}

/// The computed lengths of time right in an expression.
pub(crate) fn lengths(kind: &ExprKind) -> impl Iterator<Item = &DurationExpr> {
    let all = match kind {
        ExprKind::VectorSelector(selector) => [selector.offset_expr.as_deref(), None, None],
        ExprKind::MatrixSelector {
            selector,
            range_expr,
            ..
        } => [range_expr.as_deref(), selector.offset_expr.as_deref(), None],
        ExprKind::Subquery(subquery) => [
            subquery.range_expr.as_deref(),
            subquery.step_expr.as_deref(),
            subquery.offset_expr.as_deref(),
        ],
        _ => [None, None, None],
    };
    all.into_iter().flatten()
}

/// The functions that take an anchored range, sorted.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];

/// The functions that take a smoothed range, sorted.
const SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

/// Refuses extended ranges below functions that know only what lies inside.
fn check_extensions(expr: &Expr) -> Result<(), EvalError> {
    let mut waiting = vec![expr];
    while let Some(expr) = waiting.pop() {
        let children = expr.kind.children();
        if let ExprKind::Call(call) = &expr.kind {
            for argument in &children {
                let ExprKind::MatrixSelector { selector, .. } = &argument.unwrapped().kind else {
                    continue;
                };
                let (name, allowed) = match selector.extension {
                    None => continue,
                    Some(Extension::Anchored) => ("anchored", &ANCHORED[..]),
                    Some(Extension::Smoothed) => ("smoothed", &SMOOTHED[..]),
                };
                let function = call.function.name;
                if !allowed.contains(&function) {
                    let allowed = allowed.join(", ");
                    let message = format!(
                        "{name} modifier can only be used with: {allowed} - not with {function}"
                    );
                    return Err(EvalError::execution(expr.span, message));
                }
            }
        }
        waiting.extend(children.into_iter().rev());
    }
    Ok(())
}

fn put_numbers(kind: &mut ExprKind, window: &Window) -> Result<(), ParseError> {
    let window = Some(window);
    let positive = |expr: &DurationExpr| {
        let millis = positive_millis(expr, window)?;
        Ok(Duration::from_millis(millis.unsigned_abs()))
    };
    match kind {
        ExprKind::VectorSelector(selector) => {
            if let Some(offset) = &selector.offset_expr {
                selector.time.offset_ms = millis(offset, window)?;
            }
        }
        ExprKind::MatrixSelector {
            selector,
            range,
            range_expr,
        } => {
            if let Some(expr) = range_expr {
                *range = positive(expr)?;
            }
            if let Some(offset) = &selector.offset_expr {
                selector.time.offset_ms = millis(offset, window)?;
            }
        }
        ExprKind::Subquery(subquery) => {
            if let Some(expr) = &subquery.range_expr {
                subquery.range = positive(expr)?;
            }
            if let Some(expr) = &subquery.step_expr {
                subquery.step = Some(positive(expr)?);
            }
            if let Some(offset) = &subquery.offset_expr {
                subquery.time.offset_ms = millis(offset, window)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The milliseconds of a length that may have either sign.
///
/// Errors: see [`resolve`].
pub(crate) fn millis(expr: &DurationExpr, window: Option<&Window>) -> Result<i64, ParseError> {
    let seconds = seconds(expr, window)?;
    if seconds.is_nan() || seconds.abs() > SECONDS_MAX {
        return Err(ParseError::new(expr.span, "duration is out of range"));
    }
    // As Prometheus does it: literals are rounded to nanoseconds, what is computed is cut to milliseconds.
    Ok(match expr.kind {
        DurationKind::Number(_) => ((seconds * 1e9).round() / 1e6) as i64,
        _ => (seconds * 1000.0) as i64,
    })
}

/// The milliseconds of a length that must be positive.
///
/// Errors: see [`resolve`].
pub(crate) fn positive_millis(
    expr: &DurationExpr,
    window: Option<&Window>,
) -> Result<i64, ParseError> {
    let refuse = || ParseError::new(expr.span, "duration must be greater than 0");
    let seconds = seconds(expr, window)?;
    if seconds.is_nan() || seconds <= 0.0 {
        return Err(refuse());
    }
    let millis = millis(expr, window)?;
    if millis == 0 {
        Err(refuse())
    } else {
        Ok(millis)
    }
}

fn seconds(expr: &DurationExpr, window: Option<&Window>) -> Result<f64, ParseError> {
    let both = |left: &DurationExpr, right: &DurationExpr| {
        Ok((seconds(left, window)?, seconds(right, window)?))
    };
    Ok(match &expr.kind {
        DurationKind::Number(number) => number.0,
        DurationKind::Step => window.map_or(0.0, |window| window.step.as_secs_f64()),
        DurationKind::Range => window.map_or(0.0, |window| {
            let range = window
                .end
                .as_millis()
                .saturating_sub(window.start.as_millis());
            range as f64 / 1000.0
        }),
        DurationKind::Paren(inner) => seconds(inner, window)?,
        DurationKind::Negative(inner) => -seconds(inner, window)?,
        DurationKind::MinOf(left, right) => {
            let (left, right) = both(left, right)?;
            extreme(left, right, f64::min)
        }
        DurationKind::MaxOf(left, right) => {
            let (left, right) = both(left, right)?;
            extreme(left, right, f64::max)
        }
        DurationKind::Binary {
            operator,
            left,
            right,
        } => {
            let (left, right) = both(left, right)?;
            let by_zero = |what: &str| Err(ParseError::new(expr.span, format!("{what} by zero")));
            match operator {
                BinaryOperator::Add => left + right,
                BinaryOperator::Subtract => left - right,
                BinaryOperator::Multiply => left * right,
                BinaryOperator::Divide if right == 0.0 => return by_zero("division"),
                BinaryOperator::Divide => left / right,
                BinaryOperator::Modulo if right == 0.0 => return by_zero("modulo"),
                BinaryOperator::Modulo => left % right,
                BinaryOperator::Power => left.powf(right),
                other => {
                    let message = format!("operator {} is not for durations", other.as_str());
                    return Err(ParseError::new(expr.span, message));
                }
            }
        }
    })
}

/// One of two values; no number if one is none, as in Go.
fn extreme(left: f64, right: f64, choose: fn(f64, f64) -> f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        return f64::NAN;
    }
    choose(left, right)
}

#[cfg(test)]
mod tests;
