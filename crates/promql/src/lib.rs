//! PromQL: parse, check, evaluate. Pure: it knows no store, no clock, no network and no runtime.
//!
//! [`parse`] turns text into an [`Expr`] whose every node knows its place and whose types fit.
//! [`evaluate_range`] reads samples from a [`model::SeriesSource`] and computes all steps of a series at once,
//! in columns; series stream through functions and aggregations one at a time. An instant query is a range
//! query of one step.

mod answer;
mod ast;
mod check;
mod error;
mod evaluate;
mod function;
mod interrupt;
mod lexer;
mod parser;
mod position;
mod printer;
mod selectors;

pub use answer::{Answer, Limits, Value, Window};
pub use ast::{
    Aggregate, AggregateOperator, At, Binary, BinaryOperator, Call, Cardinality, Expr, ExprKind,
    Grouping, Number, Subquery, TimeShift, UnaryOperator, VectorMatching, VectorSelector,
};
pub use error::{EvalError, ParseError};
pub use evaluate::{evaluate_instant, evaluate_range};
pub use function::{Function, ValueType};
pub use interrupt::{Interrupt, Stop};
pub use parser::{parse, parse_selector};
pub use position::{Position, Span};
