//! One statement: an expression, a moment, and what is expected. An instant statement is checked in four ways: as
//! it stands, as the middle step of a range query, and both once more at other moments with its own pinned by `@`.

use std::time::Duration;

use model::Timestamp;
use promql::{
    Answer, EvalError, Expr, Interrupt, Limits, Value, VectorSample, Window, evaluate_instant,
    evaluate_range, parse,
};

use super::expectations::{self, Expectations};
use super::pinned::{names_the_query, pinned};
use crate::MemoryStore;

/// When an expression is evaluated, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// An expression and what it is to give.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) expression: String,
    pub(super) moment: Moment,
    pub(super) expectations: Expectations,
}

/// The range query around an instant goes from so much before it to so much after it, in steps of as much.
const AROUND: i64 = 60_000;

/// One way to evaluate an instant statement: an expression that at `moment` gives the answer of `at`.
#[derive(Clone, Copy)]
struct Way<'a> {
    expr: &'a Expr,
    at: i64,
    moment: i64,
    as_range: bool,
}

/// Why some expressions mean something else in a range query.
const OF_THE_QUERY: &str = "@ start(), @ end(), step() and range() are those of the whole query";

impl Statement {
    /// Evaluates the expression in all ways and compares; notes which ways do not exist for it, and why.
    pub(super) fn check(
        &self,
        store: &MemoryStore,
        omitted: &mut Vec<String>,
    ) -> Result<(), String> {
        let expr = match parse(&self.expression) {
            Ok(expr) => expr,
            Err(error) => {
                let checked = &self.expectations;
                return checked.check_failure(&error.message, &error.to_string());
            }
        };
        let at = match self.moment {
            Moment::Instant(at) => at,
            Moment::Range { start, step, .. } => {
                let Some(answer) = self.evaluate(store, &expr, self.moment)? else {
                    return Ok(());
                };
                let expected = &self.expectations;
                expected.check_annotations(&answer.warnings, &answer.infos)?;
                return expected.check_range(start, step, &answer.value);
            }
        };
        let no_range = self.expectations.no_range();
        let no_range = no_range.or_else(|| names_the_query(&expr).then_some(OF_THE_QUERY));
        match no_range {
            Some(reason) => omitted.push(format!("not as a range query: {reason}")),
            None if self.expectations.is_ordered() => omitted.push(
                "as a range query only its order by labels is checked: another is expected"
                    .to_owned(),
            ),
            None => {}
        }
        let here = Way {
            expr: &expr,
            at,
            moment: at,
            as_range: no_range.is_none(),
        };
        let spoken = self.check_way(store, &here, None)?;
        let (text, pinned) = match pinned(&expr, at) {
            Ok(pinned) => pinned,
            Err(reason) => {
                omitted.push(format!("not pinned by @: {reason}"));
                return Ok(());
            }
        };
        for moment in other_moments(at) {
            let way = Way {
                expr: &pinned,
                moment,
                ..here
            };
            self.check_way(store, &way, Some(spoken))
                .map_err(|reason| format!("{text} at {moment} ms: {reason}"))?;
        }
        Ok(())
    }

    /// Evaluates at a moment, and as a range query around it; says how many warnings and infos there were.
    ///
    /// A pinned expression is another text with other places in it, so of its annotations the number is compared.
    fn check_way(
        &self,
        store: &MemoryStore,
        way: &Way<'_>,
        spoken: Option<[usize; 2]>,
    ) -> Result<[usize; 2], String> {
        let Some(answer) = self.evaluate(store, way.expr, Moment::Instant(way.moment))? else {
            return Ok([0, 0]);
        };
        let (warnings, infos) = (&answer.warnings, &answer.infos);
        let counts = [warnings.len(), infos.len()];
        match spoken {
            None => self.expectations.check_annotations(warnings, infos)?,
            Some(spoken) if spoken == counts => {}
            Some(_) => return Err(format!("other annotations: {warnings:?} {infos:?}")),
        }
        let value = moved(answer.value, way.at);
        self.expectations.check_instant(way.at, &value)?;
        if way.as_range {
            self.check_as_range(store, way, &value)
                .map_err(|reason| format!("as a range query: {reason}"))?;
        }
        Ok(counts)
    }

    /// The same moment as the middle step of a range query.
    fn check_as_range(
        &self,
        store: &MemoryStore,
        way: &Way<'_>,
        instant: &Value,
    ) -> Result<(), String> {
        let (at, moment) = (way.at, way.moment);
        let around = Moment::Range {
            start: moment - AROUND,
            end: moment + AROUND,
            step: AROUND,
        };
        let answer = evaluate(store, way.expr, around).map_err(|error| error.to_string())?;
        let Value::Matrix(series) = answer.value else {
            return Err("expected a matrix".to_owned());
        };
        if !expectations::is_sorted(&series) {
            return Err("the series are not sorted".to_owned());
        }
        if self.expectations.is_ordered() {
            return Ok(());
        }
        let mut samples = Vec::new();
        for series in series {
            let floats = &series.floats;
            let float = floats.timestamps.iter().position(|time| *time == moment);
            let float = float.map(|index| promql::SampleValue::Float(floats.values[index]));
            let histogram = series.histograms.iter().find(|(time, _)| *time == moment);
            let histogram = histogram.map(|(_, it)| promql::SampleValue::Histogram(it.clone()));
            if let (Some(_), Some(_)) = (&float, &histogram) {
                return Err(format!("{} has two values at one step", series.labels));
            }
            if let Some(value) = float.or(histogram) {
                samples.push(VectorSample {
                    labels: series.labels,
                    timestamp: Timestamp::from_millis(at),
                    value,
                });
            }
        }
        let value = match (instant, samples.first()) {
            (Value::Scalar(sample), Some(first)) => match first.value {
                promql::SampleValue::Float(value) => {
                    Value::Scalar(model::Sample { value, ..*sample })
                }
                promql::SampleValue::Histogram(_) => Value::Vector(samples),
            },
            _ => Value::Vector(samples),
        };
        self.expectations.check_instant(at, &value)
    }

    /// The answer; none if it failed as it should.
    fn evaluate(
        &self,
        store: &MemoryStore,
        expr: &Expr,
        moment: Moment,
    ) -> Result<Option<Answer>, String> {
        match evaluate(store, expr, moment) {
            Err(error) => {
                let (message, whole) = (message(&error), error.to_string());
                self.expectations.check_failure(&message, &whole)?;
                Ok(None)
            }
            Ok(answer) if self.expectations.fails() => {
                Err(format!("expected an error, got {:?}", answer.value))
            }
            Ok(answer) => Ok(Some(answer)),
        }
    }
}

/// The moments at which a pinned expression is evaluated, besides the one that it is pinned to.
const fn other_moments(at: i64) -> [i64; 6] {
    [-10 * at - 1000, -10 * at, 0, at / 5, at, 10 * at + 1000]
}

/// The same values at another moment.
fn moved(value: Value, at: i64) -> Value {
    match value {
        Value::Vector(mut samples) => {
            for sample in &mut samples {
                sample.timestamp = Timestamp::from_millis(at);
            }
            Value::Vector(samples)
        }
        other => other,
    }
}

/// An error's text without the place.
fn message(error: &EvalError) -> String {
    match error {
        EvalError::Unsupported { message, .. }
        | EvalError::BadQuery { message, .. }
        | EvalError::Execution { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn evaluate(store: &MemoryStore, expr: &Expr, moment: Moment) -> Result<Answer, EvalError> {
    let limits = Limits {
        experimental: true,
        ..Limits::default()
    };
    let interrupt = Interrupt::new();
    match moment {
        Moment::Instant(at) => {
            evaluate_instant(store, expr, Timestamp::from_millis(at), &limits, &interrupt)
        }
        Moment::Range { start, end, step } => {
            let window = Window {
                start: Timestamp::from_millis(start),
                end: Timestamp::from_millis(end),
                step: Duration::from_millis(step.unsigned_abs()),
            };
            evaluate_range(store, expr, &window, &limits, &interrupt)
        }
    }
}
