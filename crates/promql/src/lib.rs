//! PromQL: parse, check, evaluate. Pure: it knows no store, no clock, no network and no runtime.
//!
//! [`parse`] turns text into an [`Expr`] whose every node knows its place and whose types fit.
//! [`evaluate_range`] plans what is to be selected and computed, reads samples from a [`model::SeriesSource`], and
//! computes all steps of a series at once, in columns; series stream through functions and aggregations one at a
//! time, on all cores. An instant query is a range query of one step. [`explain`] tells what each part did.

mod answer;
mod ast;
mod check;
mod error;
mod evaluate;
mod features;
mod function;
mod histogram;
mod interrupt;
mod lexer;
mod parser;
mod plan;
mod pointer;
mod position;
mod pretty;
mod printer;
mod resolve;
mod selectors;

pub use answer::{Answer, Limits, SampleValue, Series, Value, VectorSample, Window};
pub use ast::{
    Aggregate, AggregateOperator, At, Binary, BinaryOperator, Call, Cardinality, DurationExpr,
    DurationKind, Expr, ExprKind, Extension, Fill, Grouping, Notation, Number, Subquery, TimeShift,
    UnaryOperator, VectorMatching, VectorSelector,
};
pub use error::{EvalError, ParseError, QueryLimit};
pub use evaluate::{Explained, ExplainedNode, evaluate_instant, evaluate_range, explain};
pub use features::Features;
pub use function::{Function, ValueType};
pub use histogram::{
    Bucket, Buckets, ClassicHistogram, ClassicHistogramFault, Combined, FloatHistogram, Fraction,
    IncompatibleSchemas, KahanHistogram, ObservedNans, Quantile,
};
pub use interrupt::{Interrupt, Progress, Stop};
pub use parser::{parse, parse_selector, parse_with};
pub use pointer::point_at;
pub use position::{Position, Span};
pub use pretty::pretty;
pub use resolve::resolve;
