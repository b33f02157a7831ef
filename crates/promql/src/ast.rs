//! The tree of an expression. Each node knows its span, its type, and whether it has the same value at all steps.

mod derived;
mod duration;
mod operator;

use std::time::Duration;

use model::{Matcher, Timestamp};

use crate::Span;
use crate::function::{Function, ValueType};

pub use duration::{DurationExpr, DurationKind};
pub use operator::{AggregateOperator, BinaryOperator, UnaryOperator};

/// An expression with its place in the text. Two are equal if they mean the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
    /// What follows from its parts, kept so that nobody has to walk down to them.
    pub(crate) derived: Derived,
}

/// What is known of an expression from its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Derived {
    /// The type of its value.
    value_type: ValueType,
    /// Whether all steps of a range query see one value.
    pub(crate) step_invariant: bool,
    /// Nodes on the longest way down, this one included; a chain such as `a or b or c` counts as one.
    pub(crate) depth: usize,
    /// Operators in the chain that it is the end of.
    pub(crate) chain: usize,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number, however it was written.
    Number(Number),
    /// A text.
    String(String),
    /// An expression in parentheses.
    Paren(Box<Expr>),
    /// A sign.
    Unary {
        /// Which sign.
        operator: UnaryOperator,
        /// What it stands before.
        operand: Box<Expr>,
    },
    /// Two operands.
    Binary(Box<Binary>),
    /// `sum by (a) (…)` and its like.
    Aggregate(Box<Aggregate>),
    /// A function's call.
    Call(Call),
    /// `name{label="value"}`
    VectorSelector(VectorSelector),
    /// `name{label="value"}[5m]`
    MatrixSelector {
        /// Which series, and when.
        selector: VectorSelector,
        /// How far back from each step; zero until it is resolved.
        range: Duration,
        /// How the range was written, if it is computed.
        range_expr: Option<Box<DurationExpr>>,
    },
    /// `expression[1h:1m]`
    Subquery(Box<Subquery>),
}

/// A number and how it is written. Two are equal if they are the same number, even if it is NaN.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64, pub Notation);

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As a number.
    Plain,
    /// As a duration such as `1h30m`, which is a number of seconds.
    Duration,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.0.is_nan() && other.0.is_nan()
    }
}

/// A selector of series. Two are equal if they have the same matchers, in whatever order.
#[derive(Clone, Debug)]
pub struct VectorSelector {
    /// The metric's name if it stands before the braces; `matchers` holds it too, as the first.
    pub name: Option<String>,
    /// Conditions that a series must fulfil, all of them.
    pub matchers: Vec<Matcher>,
    /// Which moment is looked at.
    pub time: TimeShift,
    /// How the offset was written, if it is computed.
    pub offset_expr: Option<Box<DurationExpr>>,
    /// Whether samples around the range are taken into account.
    pub extension: Option<Extension>,
}

impl PartialEq for VectorSelector {
    fn eq(&self, other: &Self) -> bool {
        let rest = |one: &Self| (one.name.clone(), one.time, one.extension);
        let in_order = |one: &Self| {
            let mut shown: Vec<_> = one.matchers.iter().map(ToString::to_string).collect();
            shown.sort_unstable();
            shown
        };
        rest(self) == rest(other)
            && self.offset_expr == other.offset_expr
            && (self.matchers == other.matchers || in_order(self) == in_order(other))
    }
}

/// How a selector takes samples into account that lie around its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// `anchored`: the last sample before the range stands for its start, the last one in it for its end.
    Anchored,
    /// `smoothed`: the values at both ends are interpolated between the samples around them.
    Smoothed,
}

/// The modifiers `@` and `offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeShift {
    /// How many milliseconds before the step; negative for later, zero until it is resolved.
    pub offset_ms: i64,
    /// A moment in place of the step's.
    pub at: Option<At>,
}

/// The moment that `@` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// `@ 1609746000`
    Timestamp(Timestamp),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

/// An expression that is evaluated at steps of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// An instant vector.
    pub expr: Expr,
    /// How far back from each step of the query around it; zero until it is resolved.
    pub range: Duration,
    /// How the range was written, if it is computed.
    pub range_expr: Option<Box<DurationExpr>>,
    /// The distance of its own steps, if named; missing until it is resolved.
    pub step: Option<Duration>,
    /// How the step was written, if it is computed.
    pub step_expr: Option<Box<DurationExpr>>,
    /// Which moment is looked at.
    pub time: TimeShift,
    /// How the offset was written, if it is computed.
    pub offset_expr: Option<Box<DurationExpr>>,
}

/// A function and its arguments, whose number and types fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// Its arguments.
    pub arguments: Vec<Expr>,
}

/// An aggregation of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// How.
    pub operator: AggregateOperator,
    /// The first argument of those operators that take two.
    pub parameter: Option<Expr>,
    /// What is aggregated.
    pub expr: Expr,
    /// Over what.
    pub grouping: Grouping,
}

/// Which series an aggregation puts together: those with equal labels that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Whether `labels` are dropped (`without`) and not kept (`by`).
    pub without: bool,
    /// Names of labels.
    pub labels: Vec<String>,
}

/// Two operands and what is between them.
#[derive(Clone, Debug)]
pub struct Binary {
    /// How.
    pub operator: BinaryOperator,
    /// Where the operator stands.
    pub operator_span: Span,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
    /// `bool`: a comparison gives 0 or 1 and filters nothing.
    pub return_bool: bool,
    /// Which series meet; of meaning only between two vectors.
    pub matching: VectorMatching,
}

impl PartialEq for Binary {
    fn eq(&self, other: &Self) -> bool {
        let rest = |one: &Self| (one.operator, one.return_bool);
        rest(self) == rest(other)
            && self.matching == other.matching
            && self.left == other.left
            && self.right == other.right
    }
}

impl Binary {
    /// Whether both operands are instant vectors.
    pub(crate) fn has_two_vectors(&self) -> bool {
        let is_vector = |side: &Expr| side.value_type() == ValueType::Vector;
        is_vector(&self.left) && is_vector(&self.right)
    }

    /// The operators of the chain that this one ends, itself first: each is the left operand of the one before.
    pub(crate) fn chain(&self) -> Vec<&Self> {
        let mut chain = vec![self];
        let mut binary = self;
        while let ExprKind::Binary(left) = &binary.left.kind
            && left.has_two_vectors()
        {
            binary = left;
            chain.push(binary);
        }
        chain
    }
}

/// Which series of the two sides meet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorMatching {
    /// Whether one series may meet many.
    pub cardinality: Cardinality,
    /// Whether `labels` are the only ones compared (`on`) or left out (`ignoring`).
    pub on: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// Labels that the "many" side takes over from the "one" side.
    pub include: Vec<String>,
    /// What stands for a series that meets none.
    pub fill: Fill,
}

/// The values that stand for missing series, as `fill(0)`, `fill_left(0)` and `fill_right(0)` give them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fill {
    /// The value of a series that the left side lacks.
    pub left: Option<Number>,
    /// The value of a series that the right side lacks.
    pub right: Option<Number>,
}

impl Fill {
    /// Whether no value is given.
    pub fn is_none(&self) -> bool {
        self.left.is_none() && self.right.is_none()
    }
}

/// How many series of each side may meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cardinality {
    /// One and one; for set operators, many and many.
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
}

impl Expr {
    /// An expression at a place.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        let derived = kind.derive();
        Self {
            kind,
            span,
            derived,
        }
    }

    /// The type of its value.
    pub fn value_type(&self) -> ValueType {
        self.derived.value_type
    }

    /// The expression inside any parentheses.
    pub fn unwrapped(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}
