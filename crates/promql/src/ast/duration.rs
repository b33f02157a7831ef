//! Lengths of time that are computed: `[5m * 2]`, `offset step()`, `[max_of(1h, range()):]`.

use super::{BinaryOperator, Number};
use crate::Span;

/// A length of time as an expression, with its place in the text. Two are equal if they mean the same, wherever they
/// stand.
#[derive(Clone, Debug)]
pub struct DurationExpr {
    /// What it is.
    pub kind: DurationKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a computed length of time. All values are seconds.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationKind {
    /// A number or a duration with its sign.
    Number(Number),
    /// `step()`: the distance of the query's steps.
    Step,
    /// `range()`: the query's end minus its start.
    Range,
    /// In parentheses.
    Paren(Box<DurationExpr>),
    /// A `-` before what is no number.
    Negative(Box<DurationExpr>),
    /// Two operands with one of `+ - * / % ^` between them.
    Binary {
        /// How; no other operators occur.
        operator: BinaryOperator,
        /// The left operand.
        left: Box<DurationExpr>,
        /// The right operand.
        right: Box<DurationExpr>,
    },
    /// `min_of(a, b)`
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
}

impl PartialEq for DurationExpr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl DurationExpr {
    /// Whether its value depends on the query's start, end or step.
    pub fn needs_window(&self) -> bool {
        match &self.kind {
            DurationKind::Number(_) => false,
            DurationKind::Step | DurationKind::Range => true,
            DurationKind::Paren(inner) | DurationKind::Negative(inner) => inner.needs_window(),
            DurationKind::Binary { left, right, .. }
            | DurationKind::MinOf(left, right)
            | DurationKind::MaxOf(left, right) => left.needs_window() || right.needs_window(),
        }
    }
}
