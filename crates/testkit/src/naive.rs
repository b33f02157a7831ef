//! PromQL in the plainest possible code: one moment after the other, each straight from all samples.
//!
//! It is slow and holds everything. The engine, which evaluates all steps at once and touches each sample once, must
//! give the same to the last bit. What is not written here yet is [`Fault::Unknown`], never a wrong value.

mod aggregate;
mod binary;
mod functions;
mod numbers;
mod ranges;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Labels, Matcher, NAME};
use promql::{
    At, Expr, ExprKind, FloatHistogram, SampleValue, Subquery, TimeShift, UnaryOperator, ValueType,
    VectorSelector,
};

/// All samples of all series, in the order of labels and time.
#[derive(Debug, Clone, Default)]
pub struct Naive {
    /// The series.
    pub series: BTreeMap<Labels, Vec<(i64, SampleValue)>>,
}

/// The steps of a query, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// The first moment.
    pub start: i64,
    /// The last one, if a step falls on it.
    pub end: i64,
    /// The distance between two, above 0.
    pub step: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The data do not fit the expression; the text says why.
    Execution(String),
    /// The naive evaluator does not know this; the text says what.
    Unknown(String),
}

/// Series with their values by time, sorted by labels.
pub type Matrix = BTreeMap<Labels, BTreeMap<i64, SampleValue>>;

/// How far back an instant selector looks, and the step of a subquery that names none.
const LOOKBACK_MS: i64 = 300_000;
const SUBQUERY_STEP_MS: i64 = 60_000;

impl Naive {
    /// The answer of a range query; that of an instant query is one step.
    ///
    /// Errors: the data do not fit, or the expression is not known here.
    pub fn evaluate(&self, expr: &Expr, steps: Steps) -> Result<Matrix, Fault> {
        let mut matrix = Matrix::new();
        let flags = RefCell::default();
        let mut at = steps.start;
        while at <= steps.end {
            let moment = Moment {
                data: self,
                query: steps,
                flags: &flags,
                at,
            };
            for item in moment.final_items(expr)? {
                let points = matrix.entry(item.final_labels()).or_default();
                if points.insert(at, item.value).is_some() {
                    return same_labels();
                }
            }
            at += steps.step;
        }
        Ok(matrix)
    }
}

fn same_labels<T>() -> Result<T, Fault> {
    let text = "vector cannot contain metrics with the same labelset";
    Err(Fault::Execution(text.to_owned()))
}

fn unknown<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unknown(what.into()))
}

/// An evaluation at one moment.
#[derive(Clone, Copy)]
struct Moment<'a> {
    data: &'a Naive,
    query: Steps,
    flags: &'a RefCell<Flags>,
    at: i64,
}

/// Whether a series of a node loses its name. In Prometheus the first step decides it for all steps.
type Flags = BTreeMap<(usize, Labels), bool>;

/// An element of an instant vector.
#[derive(Debug, Clone)]
struct Item {
    labels: Labels,
    /// Whether the name goes away at the end.
    drop_name: bool,
    value: SampleValue,
    /// When the sample was taken, if it comes right from a selector.
    taken: i64,
}

impl Item {
    fn final_labels(&self) -> Labels {
        match self.drop_name {
            true => without_name(&self.labels),
            false => self.labels.clone(),
        }
    }

    /// The number; none for a histogram.
    fn float(&self) -> Option<f64> {
        self.value.float()
    }

    fn with_float(mut self, value: f64) -> Self {
        self.value = SampleValue::Float(value);
        self
    }

    fn histogram(&self) -> Option<&Arc<FloatHistogram>> {
        match &self.value {
            SampleValue::Histogram(histogram) => Some(histogram),
            SampleValue::Float(_) => None,
        }
    }

    fn nameless(mut self) -> Self {
        self.drop_name = true;
        self
    }
}

/// A series with its samples in a range.
#[derive(Debug, Clone)]
struct RangeItem {
    labels: Labels,
    drop_name: bool,
    samples: Vec<(i64, SampleValue)>,
}

/// The range that a range vector covers: from `start`, exclusive, to `end`, inclusive.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: i64,
    end: i64,
}

fn without_name(labels: &Labels) -> Labels {
    labels.filtered(|name| name != NAME && name != "__type__" && name != "__unit__")
}

impl Moment<'_> {
    /// The items of a vector, or the scalar as one without labels.
    fn final_items(&self, expr: &Expr) -> Result<Vec<Item>, Fault> {
        match expr.value_type() {
            ValueType::Vector => self.vector(expr),
            ValueType::Scalar => Ok(vec![self.item(Labels::empty(), self.scalar(expr)?)]),
            other => unknown(format!("an answer of type {other}")),
        }
    }

    fn item(&self, labels: Labels, value: f64) -> Item {
        Item {
            labels,
            drop_name: false,
            value: SampleValue::Float(value),
            taken: self.at,
        }
    }

    fn scalar(&self, expr: &Expr) -> Result<f64, Fault> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(number.0),
            ExprKind::Paren(inner) => self.scalar(inner),
            ExprKind::Unary { operator, operand } => {
                let value = self.scalar(operand)?;
                Ok(match operator {
                    UnaryOperator::Plus => value,
                    UnaryOperator::Minus => -value,
                })
            }
            ExprKind::Binary(binary) => {
                let (left, right) = (self.scalar(&binary.left)?, self.scalar(&binary.right)?);
                Ok(binary::of_scalars(binary.operator, left, right))
            }
            ExprKind::Call(call) => self.scalar_call(call),
            _ => unknown("a scalar of this kind"),
        }
    }

    fn vector(&self, expr: &Expr) -> Result<Vec<Item>, Fault> {
        let items = match &expr.kind {
            ExprKind::Paren(inner) => return self.vector(inner),
            ExprKind::VectorSelector(selector) => self.select(selector)?,
            ExprKind::Unary { operator, operand } => {
                let items = self.vector(operand)?;
                match operator {
                    UnaryOperator::Plus => items,
                    UnaryOperator::Minus => items.into_iter().map(negative).collect(),
                }
            }
            ExprKind::Binary(binary) => self.binary(binary)?,
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate)?,
            ExprKind::Call(call) => self.call(call)?,
            _ => return unknown("a vector of this kind"),
        };
        // No vector has two elements with the same labels.
        let mut seen = BTreeSet::new();
        if !items.iter().all(|item| seen.insert(&item.labels)) {
            return same_labels();
        }
        let node = std::ptr::from_ref(expr) as usize;
        let mut flags = self.flags.borrow_mut();
        for item in &items {
            let flag = flags.entry((node, item.labels.clone()));
            if *flag.or_insert(item.drop_name) != item.drop_name {
                return unknown("a series that loses its name at some steps only");
            }
        }
        Ok(items)
    }

    /// The moment that a selector or subquery looks at.
    fn shifted(&self, time: TimeShift) -> i64 {
        let base = match time.at {
            None => self.at,
            Some(At::Timestamp(at)) => at.as_millis(),
            Some(At::Start) => self.query.start,
            Some(At::End) => self.query.end,
        };
        base.saturating_sub(time.offset_ms)
    }

    fn matching<'s>(
        &'s self,
        matchers: &'s [Matcher],
    ) -> impl Iterator<Item = (&'s Labels, &'s Vec<(i64, SampleValue)>)> {
        let all = self.data.series.iter();
        all.filter(|(labels, _)| matchers.iter().all(|one| one.matches_labels(labels)))
    }

    /// The last sample of each series within the look-back, unless it ends its series.
    fn select(&self, selector: &VectorSelector) -> Result<Vec<Item>, Fault> {
        if selector.offset_expr.is_some() || selector.extension.is_some() {
            return unknown("a selector with a computed offset or an extension");
        }
        let at = self.shifted(selector.time);
        let mut items = Vec::new();
        for (labels, samples) in self.matching(&selector.matchers) {
            let last = samples.iter().rfind(|(time, _)| *time <= at);
            if let Some((time, value)) = last
                && *time > at.saturating_sub(LOOKBACK_MS)
                && !is_stale(value)
            {
                items.push(Item {
                    labels: labels.clone(),
                    drop_name: false,
                    value: value.clone(),
                    taken: *time,
                });
            }
        }
        Ok(items)
    }

    /// The series of a range vector, and the range.
    fn ranges(&self, expr: &Expr) -> Result<(Vec<RangeItem>, Range), Fault> {
        match &expr.unwrapped().kind {
            ExprKind::MatrixSelector {
                selector,
                range,
                range_expr: None,
            } if selector.offset_expr.is_none() && selector.extension.is_none() => {
                let end = self.shifted(selector.time);
                let range = range_before(end, range.as_millis());
                let mut items = Vec::new();
                for (labels, samples) in self.matching(&selector.matchers) {
                    let inside = samples.iter().filter(|(time, value)| {
                        *time > range.start && *time <= range.end && !is_stale(value)
                    });
                    let samples: Vec<_> = inside.cloned().collect();
                    if !samples.is_empty() {
                        items.push(RangeItem {
                            labels: labels.clone(),
                            drop_name: false,
                            samples,
                        });
                    }
                }
                Ok((items, range))
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery),
            _ => unknown("a range vector of this kind"),
        }
    }

    /// The inner expression at all multiples of the step within the range.
    fn subquery(&self, subquery: &Subquery) -> Result<(Vec<RangeItem>, Range), Fault> {
        let computed = [
            &subquery.range_expr,
            &subquery.step_expr,
            &subquery.offset_expr,
        ];
        if computed.iter().any(|duration| duration.is_some()) {
            return unknown("a subquery with computed durations");
        }
        let end = self.shifted(subquery.time);
        let range = range_before(end, subquery.range.as_millis());
        let step = subquery.step.map_or(SUBQUERY_STEP_MS, |step| {
            i64::try_from(step.as_millis()).unwrap_or(i64::MAX)
        });
        let mut found: Vec<RangeItem> = Vec::new();
        let mut at = range.start.div_euclid(step) * step + step;
        while at <= end {
            let moment = Moment { at, ..*self };
            for item in moment.vector(&subquery.expr)? {
                let sample = (at, item.value);
                let known = found.iter_mut().find(|it| it.labels == item.labels);
                match known {
                    Some(known) => known.samples.push(sample),
                    None => found.push(RangeItem {
                        labels: item.labels,
                        drop_name: item.drop_name,
                        samples: vec![sample],
                    }),
                }
            }
            at += step;
        }
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok((found, range))
    }
}

fn range_before(end: i64, millis: u128) -> Range {
    Range {
        start: end.saturating_sub(i64::try_from(millis).unwrap_or(i64::MAX)),
        end,
    }
}

fn negative(mut item: Item) -> Item {
    item.value = match item.value {
        SampleValue::Float(value) => SampleValue::Float(-value),
        SampleValue::Histogram(histogram) => {
            let mut histogram = FloatHistogram::clone(&histogram);
            histogram.mul(-1.0);
            SampleValue::Histogram(Arc::new(histogram))
        }
    };
    item.nameless()
}

fn is_stale(value: &SampleValue) -> bool {
    match value {
        SampleValue::Float(value) => model::is_stale(*value),
        SampleValue::Histogram(histogram) => histogram.is_stale(),
    }
}
