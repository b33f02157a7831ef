//! What follows from the parts of an expression: its type, whether it depends on the step, its depth.

use super::{Binary, Call, Derived, Expr, ExprKind};
use crate::function::ValueType;

impl ExprKind {
    /// The expressions right below.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match self {
            Self::Number(_)
            | Self::String(_)
            | Self::VectorSelector(_)
            | Self::MatrixSelector { .. } => Vec::new(),
            Self::Paren(inner) => vec![inner],
            Self::Unary { operand, .. } => vec![operand],
            Self::Binary(binary) => vec![&binary.left, &binary.right],
            Self::Aggregate(aggregate) => {
                let parameter = aggregate.parameter.iter();
                parameter.chain([&aggregate.expr]).collect()
            }
            Self::Call(call) => call.arguments.iter().collect(),
            Self::Subquery(subquery) => vec![&subquery.expr],
        }
    }

    /// The expressions right below, to be changed. Whoever changes the type of one makes a new [`Expr`] instead.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::Number(_)
            | Self::String(_)
            | Self::VectorSelector(_)
            | Self::MatrixSelector { .. } => Vec::new(),
            Self::Paren(inner) => vec![inner],
            Self::Unary { operand, .. } => vec![operand],
            Self::Binary(binary) => {
                let binary = &mut **binary;
                vec![&mut binary.left, &mut binary.right]
            }
            Self::Aggregate(aggregate) => {
                let aggregate = &mut **aggregate;
                let parameter = aggregate.parameter.iter_mut();
                parameter.chain([&mut aggregate.expr]).collect()
            }
            Self::Call(call) => call.arguments.iter_mut().collect(),
            Self::Subquery(subquery) => vec![&mut subquery.expr],
        }
    }

    pub(super) fn derive(&self) -> Derived {
        let children = self.children();
        let below = children.iter().map(|child| child.derived.depth).max();
        let mut derived = Derived {
            value_type: self.value_type(),
            step_invariant: self.is_step_invariant(),
            depth: 1 + below.unwrap_or(0),
            chain: 0,
        };
        // Chains of vectors are long in generated queries, and are walked in a loop.
        if let Self::Binary(binary) = self
            && binary.has_two_vectors()
        {
            let Binary { left, right, .. } = &**binary;
            derived.chain = 1 + left.derived.chain;
            if left.derived.chain > 0 {
                derived.depth = left.derived.depth.max(1 + right.derived.depth);
            }
        }
        derived
    }

    fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Paren(inner) => inner.value_type(),
            Self::Unary { operand, .. } => operand.value_type(),
            Self::Binary(binary) => {
                let scalar = |side: &Expr| side.value_type() == ValueType::Scalar;
                if scalar(&binary.left) && scalar(&binary.right) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            Self::Aggregate(_) | Self::VectorSelector(_) => ValueType::Vector,
            Self::Call(call) => call.function.returns,
            Self::MatrixSelector { .. } | Self::Subquery(_) => ValueType::Matrix,
        }
    }

    fn is_step_invariant(&self) -> bool {
        match self {
            Self::VectorSelector(selector) | Self::MatrixSelector { selector, .. } => {
                selector.time.at.is_some()
            }
            Self::Subquery(subquery) => subquery.time.at.is_some(),
            // These depend on the moment of the evaluation, not only on their arguments.
            Self::Call(call) if call.depends_on_step() => false,
            other => other
                .children()
                .iter()
                .all(|child| child.derived.step_invariant),
        }
    }
}

impl Call {
    fn depends_on_step(&self) -> bool {
        match self.function.name {
            "time" | "predict_linear" => true,
            "timestamp" => {
                let selects =
                    |expr: &Expr| matches!(expr.unwrapped().kind, ExprKind::VectorSelector(_));
                !self.arguments.iter().all(selects)
            }
            // Without an argument the date functions take the step's time.
            "days_in_month" | "day_of_month" | "day_of_week" | "day_of_year" | "hour"
            | "minute" | "month" | "year" => self.arguments.is_empty(),
            _ => false,
        }
    }
}
