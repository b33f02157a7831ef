//! The tree of an expression. Each node knows its span, its type, and whether it has the same value at all steps.

use std::time::Duration;

use model::{Matcher, Timestamp};

use crate::Span;
use crate::function::{Function, ValueType};

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
        /// How far back from each step.
        range: Duration,
    },
    /// `expression[1h:1m]`
    Subquery(Box<Subquery>),
}

/// A number that equals itself even if it is NaN.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// A sign before an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A selector of series.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The metric's name if it stands before the braces; `matchers` holds it too, as the first.
    pub name: Option<String>,
    /// Conditions that a series must fulfil, all of them.
    pub matchers: Vec<Matcher>,
    /// Which moment is looked at.
    pub time: TimeShift,
}

/// The modifiers `@` and `offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeShift {
    /// How many milliseconds before the step; negative for later.
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
    /// How far back from each step of the query around it.
    pub range: Duration,
    /// The distance of its own steps, if named.
    pub step: Option<Duration>,
    /// Which moment is looked at.
    pub time: TimeShift,
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

/// The ways to aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operator of that name")]
pub enum AggregateOperator {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Limitk,
    LimitRatio,
    CountValues,
    Quantile,
}

impl AggregateOperator {
    /// All operators.
    pub const ALL: [Self; 14] = [
        Self::Sum,
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::Count,
        Self::Group,
        Self::Stddev,
        Self::Stdvar,
        Self::Topk,
        Self::Bottomk,
        Self::Limitk,
        Self::LimitRatio,
        Self::CountValues,
        Self::Quantile,
    ];

    /// The operator's name in PromQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
        }
    }

    /// The operator of a name in lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// The type of the first of two arguments, if it takes two.
    pub const fn parameter_type(self) -> Option<ValueType> {
        match self {
            Self::Topk | Self::Bottomk | Self::Limitk | Self::LimitRatio | Self::Quantile => {
                Some(ValueType::Scalar)
            }
            Self::CountValues => Some(ValueType::String),
            _ => None,
        }
    }

    /// Whether Prometheus calls it experimental.
    pub const fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }
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

/// The operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operator of that name")]
pub enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
    Unless,
}

impl BinaryOperator {
    /// The operator as PromQL writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// Which of two neighbours takes the operand between them: the higher.
    pub(crate) const fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::Less
            | Self::LessOrEqual => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Modulo | Self::Atan2 => 5,
            Self::Power => 6,
        }
    }

    /// Whether it compares.
    pub const fn is_comparison(self) -> bool {
        self.precedence() == 3
    }

    /// Whether it works on sets of series and not on values.
    pub const fn is_set(self) -> bool {
        self.precedence() <= 2
    }
}

/// Which series of the two sides meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VectorMatching {
    /// Whether one series may meet many.
    pub cardinality: Cardinality,
    /// Whether `labels` are the only ones compared (`on`) or left out (`ignoring`).
    pub on: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// Labels that the "many" side takes over from the "one" side.
    pub include: Vec<String>,
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

    fn derive(&self) -> Derived {
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
