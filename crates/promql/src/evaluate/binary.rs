//! Operators on values: signs, two scalars, and a vector with a scalar.

use super::column::{ABSENT, is_present};
use super::{Emit, Evaluation, Scalars, Steps};
use crate::ast::{
    Aggregate, AggregateOperator, Binary, BinaryOperator, Expr, ExprKind, UnaryOperator,
};
use crate::function::ValueType;
use crate::{EvalError, Span};

/// The value of an operator that computes one.
pub(super) fn arithmetic(operator: BinaryOperator, left: f64, right: f64) -> f64 {
    match operator {
        BinaryOperator::Add => left + right,
        BinaryOperator::Subtract => left - right,
        BinaryOperator::Multiply => left * right,
        BinaryOperator::Divide => left / right,
        BinaryOperator::Modulo => left % right,
        BinaryOperator::Power => left.powf(right),
        BinaryOperator::Atan2 => left.atan2(right),
        _ => ABSENT,
    }
}

/// Whether a comparison holds.
pub(super) fn compares(operator: BinaryOperator, left: f64, right: f64) -> bool {
    match operator {
        BinaryOperator::Equal => left == right,
        BinaryOperator::NotEqual => left != right,
        BinaryOperator::Greater => left > right,
        BinaryOperator::GreaterOrEqual => left >= right,
        BinaryOperator::Less => left < right,
        BinaryOperator::LessOrEqual => left <= right,
        _ => false,
    }
}

/// The result of two values; `kept` is what a comparison that filters lets through.
pub(super) fn combined(binary: &Binary, left: f64, right: f64, kept: f64) -> f64 {
    if !binary.operator.is_comparison() {
        return arithmetic(binary.operator, left, right);
    }
    let holds = compares(binary.operator, left, right);
    match (binary.return_bool, holds) {
        (true, _) => f64::from(u8::from(holds)),
        (false, true) => kept,
        (false, false) => ABSENT,
    }
}

/// Whether the result is another quantity, so that the metric's name no longer fits.
pub(super) fn drops_name(binary: &Binary) -> bool {
    !binary.operator.is_comparison() || binary.return_bool
}

/// Gives the values a sign.
pub(super) fn apply_sign(operator: UnaryOperator, values: &mut [f64]) {
    if operator == UnaryOperator::Minus {
        for value in values.iter_mut().filter(|value| is_present(**value)) {
            *value = -*value;
        }
    }
}

/// Whether no two series of the expression's value differ in the metric's name alone.
pub(super) fn is_unique_without_name(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Paren(inner) => is_unique_without_name(inner),
        ExprKind::Unary { operator, .. } => *operator == UnaryOperator::Minus,
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            let pins = |matcher: &model::Matcher| {
                matcher.name() == model::NAME && matcher.kind() == model::MatchKind::Equal
            };
            selector.matchers.iter().any(pins)
        }
        ExprKind::Subquery(subquery) => is_unique_without_name(&subquery.expr),
        ExprKind::Call(call) => super::calls::drops_name(call),
        ExprKind::Aggregate(aggregate) => drops_name_by_grouping(aggregate),
        ExprKind::Binary(_) | ExprKind::Number(_) | ExprKind::String(_) => false,
    }
}

fn drops_name_by_grouping(aggregate: &Aggregate) -> bool {
    use AggregateOperator::{Bottomk, CountValues, LimitRatio, Limitk, Topk};
    let named = aggregate
        .grouping
        .labels
        .iter()
        .any(|label| label == model::NAME);
    let selects = matches!(
        aggregate.operator,
        Topk | Bottomk | Limitk | LimitRatio | CountValues
    );
    !selects && (aggregate.grouping.without || !named)
}

impl Evaluation<'_> {
    /// The value of an operator between scalars at each step.
    pub(super) fn scalar_binary(
        &self,
        binary: &Binary,
        steps: Steps,
    ) -> Result<Scalars<'_>, EvalError> {
        let mut left = self.scalar(&binary.left, steps)?;
        let right = self.scalar(&binary.right, steps)?;
        for (left, right) in left.iter_mut().zip(&*right) {
            *left = combined(binary, *left, *right, *left);
        }
        Ok(left)
    }

    /// An operator between a vector and a scalar, in either order.
    pub(super) fn stream_with_scalar(
        &self,
        binary: &Binary,
        span: Span,
        steps: Steps,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let vector_left = binary.left.value_type() == ValueType::Vector;
        let (vector, scalar) = if vector_left {
            (&binary.left, &binary.right)
        } else {
            (&binary.right, &binary.left)
        };
        let scalars = self.scalar(scalar, steps)?;
        let compute = |values: &mut [f64]| {
            for (value, scalar) in values.iter_mut().zip(&*scalars) {
                if !is_present(*value) {
                    continue;
                }
                let (left, right) = if vector_left {
                    (*value, *scalar)
                } else {
                    (*scalar, *value)
                };
                *value = combined(binary, left, right, *value);
            }
        };
        if drops_name(binary) {
            return self.stream_unnamed(vector, span, steps, &compute, emit);
        }
        self.stream(vector, steps, &mut |mut column| {
            compute(&mut column.values);
            if column.has_values() {
                emit(column)?;
            }
            Ok(())
        })
    }

    /// A vector with a sign.
    pub(super) fn stream_signed(
        &self,
        operator: UnaryOperator,
        operand: &Expr,
        span: Span,
        steps: Steps,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        if operator == UnaryOperator::Plus {
            return self.stream(operand, steps, emit);
        }
        let negate = |values: &mut [f64]| apply_sign(operator, values);
        self.stream_unnamed(operand, span, steps, &negate, emit)
    }
}
