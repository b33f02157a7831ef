//! Operators on values: signs, two scalars, and a vector with a scalar.

use std::sync::Arc;

use model::CounterReset;

use super::calls::Kind;
use super::column::{ABSENT, Column, Point, is_present};
use super::noting::{Noting, Operation};
use super::pipeline::Pipeline;
use super::{Evaluation, Scalars};
use crate::ast::{
    Aggregate, AggregateOperator, Binary, BinaryOperator, Expr, ExprKind, UnaryOperator,
};
use crate::function::ValueType;
use crate::plan::Node;
use crate::{EvalError, FloatHistogram};

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

/// What becomes of two values of which at least one is a histogram, or of anything under a trim operator.
///
/// None if they do not go together, which is noted at the operator's place.
pub(super) fn combined_points(
    binary: &Binary,
    left: &Point,
    right: &Point,
    kept: &Point,
    noting: &Noting<'_>,
) -> Option<Point> {
    let operator = binary.operator;
    let incompatible = || {
        let kind = |point: &Point| match point {
            Point::Float(_) => "float",
            Point::Histogram(_) => "histogram",
        };
        let (name, left, right) = (operator.as_str(), kind(left), kind(right));
        noting.inform(&format!(
            "incompatible sample types encountered for binary operator {}: {left} {name} {right}",
            model::quoted(name)
        ));
        None
    };
    let scaled = |histogram: &FloatHistogram, scale: &dyn Fn(&mut FloatHistogram)| {
        let mut result = histogram.clone();
        scale(&mut result);
        result.compact(0);
        Some(Point::Histogram(Arc::new(result)))
    };
    match (left, right) {
        (Point::Float(one), Point::Float(other)) if !operator.is_trim() => {
            let Point::Float(kept) = kept else {
                return None;
            };
            let value = combined(binary, *one, *other, *kept);
            is_present(value).then_some(Point::Float(value))
        }
        (Point::Float(factor), Point::Histogram(histogram))
            if operator == BinaryOperator::Multiply =>
        {
            scaled(histogram, &|result| result.mul(*factor))
        }
        (Point::Histogram(histogram), Point::Float(value)) => match operator {
            BinaryOperator::Multiply => scaled(histogram, &|result| result.mul(*value)),
            BinaryOperator::Divide => scaled(histogram, &|result| result.div(*value)),
            BinaryOperator::TrimUpper => scaled(histogram, &|result| result.trim_upper(*value)),
            BinaryOperator::TrimLower => scaled(histogram, &|result| result.trim_lower(*value)),
            _ => incompatible(),
        },
        (Point::Histogram(one), Point::Histogram(other)) => match operator {
            BinaryOperator::Add | BinaryOperator::Subtract => {
                let result = added(operator, one, other, noting)?;
                Some(Point::Histogram(Arc::new(result)))
            }
            BinaryOperator::Equal | BinaryOperator::NotEqual => {
                let holds = one.equals(other) == (operator == BinaryOperator::Equal);
                match (binary.return_bool, holds) {
                    (true, _) => Some(Point::Float(f64::from(u8::from(holds)))),
                    (false, true) => Some(kept.clone()),
                    (false, false) => None,
                }
            }
            _ => incompatible(),
        },
        _ => incompatible(),
    }
}

/// The sum or difference of two histograms.
fn added(
    operator: BinaryOperator,
    one: &FloatHistogram,
    other: &FloatHistogram,
    noting: &Noting<'_>,
) -> Option<FloatHistogram> {
    let mut result = one.clone();
    let (done, operation) = match operator {
        BinaryOperator::Add => (result.add(other), Operation::Addition),
        _ => (result.sub(other), Operation::Subtraction),
    };
    let Ok(combined) = done else {
        noting.warn(&format!(
            "incompatible bucket layout encountered for binary operator {}",
            operator.as_str()
        ));
        return None;
    };
    if combined.resets_collide {
        noting.resets_collide(operation);
    }
    if combined.bounds_reconciled {
        noting.bounds_reconciled(operation);
    }
    if operator == BinaryOperator::Subtract {
        result.reset = CounterReset::Gauge;
    }
    result.compact(0);
    Some(result)
}

/// Whether the result is another quantity, so that the metric's name no longer fits.
pub(super) fn drops_name(binary: &Binary) -> bool {
    let keeps = binary.operator.is_comparison() || binary.operator.is_trim();
    !keeps || binary.return_bool
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
        ExprKind::Call(call) => !super::calls::keeps_name(call.function.name),
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

impl<'a> Evaluation<'a> {
    /// The value of an operator between scalars at each step.
    pub(super) fn scalar_binary<'p>(
        &'p self,
        binary: &Binary,
        node: &Node<'_>,
    ) -> Result<Scalars<'p>, EvalError> {
        let mut left = self.scalar(&node.inputs[0])?;
        let right = self.scalar(&node.inputs[1])?;
        for (left, right) in left.iter_mut().zip(&*right) {
            *left = combined(binary, *left, *right, *left);
        }
        Ok(left)
    }

    /// An operator between a vector and a scalar, in either order.
    pub(super) fn with_scalar<'p>(
        &'p self,
        binary: &'p Binary,
        node: &'p Node<'_>,
    ) -> Result<Pipeline<'p>, EvalError> {
        let vector_left = binary.left.value_type() == ValueType::Vector;
        let (vector, scalar) = match vector_left {
            true => (&node.inputs[0], &node.inputs[1]),
            false => (&node.inputs[1], &node.inputs[0]),
        };
        let scalars = self.scalar(scalar)?;
        let compute = move |mut column: Column| {
            if column.histograms.is_none() && !binary.operator.is_trim() {
                for (value, scalar) in column.values.iter_mut().zip(&*scalars) {
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
                return column;
            }
            let noting = self.noting(node.span(), "");
            for (step, scalar) in scalars.iter().enumerate() {
                let Some(point) = column.point(step) else {
                    continue;
                };
                let scalar = Point::Float(*scalar);
                let result = match vector_left {
                    true => combined_points(binary, &point, &scalar, &point, &noting),
                    false => combined_points(binary, &scalar, &point, &point, &noting),
                };
                column.set(step, result);
            }
            column
        };
        if drops_name(binary) {
            return self.unnamed_pipeline(node, vector, compute, Kind::Any);
        }
        Ok(self.pipeline(vector)?.map(move |column| {
            let column = compute(column).tidied();
            if !column.has_values() {
                return Ok(None);
            }
            self.count(node, &column);
            Ok(Some(column))
        }))
    }

    /// A vector with a sign.
    pub(super) fn signed<'p>(
        &'p self,
        operator: UnaryOperator,
        node: &'p Node<'_>,
    ) -> Result<Pipeline<'p>, EvalError> {
        if operator == UnaryOperator::Plus {
            return self.pipeline(&node.inputs[0]);
        }
        let negate = move |mut column: Column| {
            apply_sign(operator, &mut column.values);
            for histogram in column.histograms.iter_mut().flatten().flatten() {
                Arc::make_mut(histogram).mul(-1.0);
            }
            column
        };
        self.unnamed_pipeline(node, &node.inputs[0], negate, Kind::Any)
    }
}
