//! One statement: an expression, a moment, and what is expected.

use std::time::Duration;

use model::{Labels, Sample, SampleColumns, Timestamp};
use promql::{
    Answer, At, EvalError, Expr, ExprKind, Interrupt, Limits, Value, Window, evaluate_instant,
    evaluate_range, parse,
};
use regex::Regex;

use super::compare;
use super::points::Points;
use super::script::times;
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

/// What a statement says about its answer.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    pub(super) scalar: Option<f64>,
    pub(super) series: Vec<(Labels, Points)>,
    string: Option<String>,
    range_vector: Option<[i64; 3]>,
    ordered: bool,
    fail: Option<Text>,
    warnings: Annotations,
    infos: Annotations,
}

#[derive(Debug, Default)]
struct Annotations {
    none: bool,
    texts: Vec<Text>,
}

/// What a message must be like.
#[derive(Debug)]
enum Text {
    Any,
    Exactly(String),
    Matches(Regex),
}

impl Text {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(exact) = text.strip_prefix("msg:") {
            return Ok(Self::Exactly(exact.trim().to_owned()));
        }
        match text.strip_prefix("regex:") {
            Some(pattern) => Regex::new(pattern.trim())
                .map(Self::Matches)
                .map_err(|error| error.to_string()),
            None => Ok(Self::Any),
        }
    }

    fn fits(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(text) => message == text,
            Self::Matches(regex) => regex.is_match(message),
        }
    }
}

impl Annotations {
    fn check(&self, kind: &str, got: &[String]) -> Result<(), String> {
        if self.none && !got.is_empty() {
            return Err(format!("unexpected {kind}: {}", got.join("; ")));
        }
        if self.texts.is_empty() {
            return Ok(());
        }
        if let Some(text) = self
            .texts
            .iter()
            .find(|text| !got.iter().any(|got| text.fits(got)))
        {
            return Err(format!(
                "no {kind} fits {text:?}, there are: {}",
                got.join("; ")
            ));
        }
        match got
            .iter()
            .find(|got| !self.texts.iter().any(|text| text.fits(got)))
        {
            Some(got) => Err(format!("unexpected {kind}: {got}")),
            None => Ok(()),
        }
    }
}

impl Expectations {
    /// Takes one `expect` line without that word.
    pub(super) fn read(&mut self, line: &str) -> Result<(), String> {
        let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match kind {
            "ordered" => self.ordered = true,
            "no_warn" => self.warnings.none = true,
            "no_info" => self.infos.none = true,
            "fail" => self.fail = Some(Text::read(rest)?),
            "warn" => self.warnings.texts.push(Text::read(rest)?),
            "info" => self.infos.texts.push(Text::read(rest)?),
            "string" => match parse(rest).map_err(|error| error.to_string())?.kind {
                ExprKind::String(text) => self.string = Some(text),
                _ => return Err(format!("no string: {rest}")),
            },
            "range" => {
                let rest = rest.strip_prefix("vector").unwrap_or(rest);
                self.range_vector = Some(times(rest, ["from", "to", "step"])?.0);
            }
            _ => return Err(format!("unknown expectation {line:?}")),
        }
        Ok(())
    }

    /// The expected series with their points, the first at `start`.
    fn series(&self, start: i64, step: i64) -> Vec<(Labels, SampleColumns)> {
        let mut expected = Vec::new();
        for (labels, points) in &self.series {
            let mut samples = SampleColumns::default();
            for (index, value) in (0_i64..).zip(&points.values) {
                if let Some(value) = value {
                    samples.push(start + index * step, *value);
                }
            }
            expected.push((labels.clone(), samples));
        }
        expected
    }
}

impl Statement {
    /// Evaluates the expression in all ways and compares.
    pub(super) fn check(&self, store: &MemoryStore) -> Result<(), String> {
        let expr = match parse(&self.expression) {
            Ok(expr) => expr,
            Err(error) => return self.check_failure(&error.message, &error.to_string()),
        };
        let expected = &self.expectations;
        let answer = match evaluate(store, &expr, self.moment) {
            Ok(answer) => answer,
            Err(error) => return self.check_failure(&error.to_string(), &error.to_string()),
        };
        if expected.fail.is_some() {
            return Err("it was expected to fail".to_owned());
        }
        expected.warnings.check("warning", &answer.warnings)?;
        expected.infos.check("info", &answer.infos)?;
        match self.moment {
            Moment::Range { start, step, .. } => match &answer.value {
                Value::Matrix(series) => compare::series(&expected.series(start, step), series),
                other => Err(format!("no matrix: {other:?}")),
            },
            Moment::Instant(at) => {
                self.check_instant(at, &answer.value)?;
                if !matches!(answer.value, Value::Vector(_) | Value::Scalar(_)) {
                    return Ok(());
                }
                self.check_as_range(store, &expr, at, &answer.value)
                    .map_err(|reason| format!("as a range query: {reason}"))?;
                self.check_pinned(store, &expr, at)
                    .map_err(|reason| format!("pinned by @: {reason}"))
            }
        }
    }

    fn check_failure(&self, message: &str, whole: &str) -> Result<(), String> {
        match &self.expectations.fail {
            Some(text) if text.fits(message) || text.fits(whole) => Ok(()),
            Some(text) => Err(format!("failed with {message:?}, expected {text:?}")),
            None => Err(whole.to_owned()),
        }
    }

    fn check_instant(&self, at: i64, value: &Value) -> Result<(), String> {
        let expected = &self.expectations;
        match value {
            Value::Scalar(sample) => match expected.scalar {
                Some(expected) if compare::agree(expected, sample.value) => Ok(()),
                Some(expected) => Err(format!("expected {expected}, got {}", sample.value)),
                None => Err(format!("expected no scalar, got {}", sample.value)),
            },
            Value::String { value, .. } => match &expected.string {
                Some(text) if text == value => Ok(()),
                other => Err(format!("expected {other:?}, got the string {value:?}")),
            },
            Value::Matrix(series) => {
                let [start, _, step] = expected.range_vector.ok_or("expected no range vector")?;
                compare::series(&expected.series(start, step), series)
            }
            Value::Vector(samples) => {
                if expected.scalar.is_some() || expected.string.is_some() {
                    return Err("expected no instant vector".to_owned());
                }
                let got = as_series(samples);
                let wanted = expected.series(at, 1);
                compare::series(&wanted, &got)?;
                let order = |series: &[(Labels, SampleColumns)]| -> Vec<Labels> {
                    series.iter().map(|(labels, _)| labels.clone()).collect()
                };
                if expected.ordered && order(&wanted) != order(&got) {
                    return Err(format!("wrong order: {:?}", order(&got)));
                }
                Ok(())
            }
        }
    }

    /// The same moment as the middle step of a range query.
    fn check_as_range(
        &self,
        store: &MemoryStore,
        expr: &Expr,
        at: i64,
        instant: &Value,
    ) -> Result<(), String> {
        const MINUTE: i64 = 60_000;
        let moment = Moment::Range {
            start: at - MINUTE,
            end: at + MINUTE,
            step: MINUTE,
        };
        let answer = evaluate(store, expr, moment).map_err(|error| error.to_string())?;
        let Value::Matrix(series) = answer.value else {
            return Err("no matrix".to_owned());
        };
        if !series.is_sorted_by(|a, b| a.0 < b.0) {
            return Err("the series are not sorted".to_owned());
        }
        if self.expectations.ordered {
            return Ok(());
        }
        let mut samples = Vec::new();
        for (labels, columns) in series {
            if let Ok(index) = columns.timestamps.binary_search(&at) {
                let timestamp = Timestamp::from_millis(at);
                let value = columns.values[index];
                samples.push((labels, Sample { timestamp, value }));
            }
        }
        let value = match (instant, samples.first()) {
            (Value::Scalar(_), Some((_, sample))) => Value::Scalar(*sample),
            _ => Value::Vector(samples),
        };
        self.check_instant(at, &value)
    }

    /// Other moments, with every selector pinned to the one of the statement.
    fn check_pinned(&self, store: &MemoryStore, expr: &Expr, at: i64) -> Result<(), String> {
        let mut pinned = expr.clone();
        if !pin(&mut pinned, at) {
            return Ok(());
        }
        let text = pinned.to_string();
        let pinned = parse(&text).map_err(|error| format!("{text}: {error}"))?;
        for other in [-10 * at - 1000, 0, at / 5, at, 10 * at + 1000] {
            let answer = evaluate(store, &pinned, Moment::Instant(other))
                .map_err(|error| format!("{text}: {error}"))?;
            let value = match answer.value {
                Value::Vector(mut samples) => {
                    for (_, sample) in &mut samples {
                        sample.timestamp = Timestamp::from_millis(at);
                    }
                    Value::Vector(samples)
                }
                other => other,
            };
            self.check_instant(at, &value)?;
        }
        Ok(())
    }
}

fn as_series(samples: &[(Labels, Sample)]) -> Vec<(Labels, SampleColumns)> {
    let one = |(labels, sample): &(Labels, Sample)| {
        let mut columns = SampleColumns::default();
        columns.push(sample.timestamp.as_millis(), sample.value);
        (labels.clone(), columns)
    };
    samples.iter().map(one).collect()
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

/// Pins all selectors that are not pinned yet; false if a function in it depends on the moment all the same.
fn pin(expr: &mut Expr, at: i64) -> bool {
    let at_once = |time: &mut promql::TimeShift| {
        time.at
            .get_or_insert(At::Timestamp(Timestamp::from_millis(at)));
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            at_once(&mut selector.time);
            true
        }
        // What is inside looks at the steps of the subquery.
        ExprKind::Subquery(subquery) => {
            at_once(&mut subquery.time);
            pins_nothing_else(&subquery.expr)
        }
        ExprKind::Paren(inner) => pin(inner, at),
        ExprKind::Unary { operand, .. } => pin(operand, at),
        ExprKind::Binary(binary) => pin(&mut binary.left, at) & pin(&mut binary.right, at),
        ExprKind::Aggregate(aggregate) => {
            let parameter = aggregate
                .parameter
                .as_mut()
                .is_none_or(|parameter| pin(parameter, at));
            parameter & pin(&mut aggregate.expr, at)
        }
        ExprKind::Call(call) => {
            let arguments = call.arguments.iter_mut().map(|argument| pin(argument, at));
            arguments.fold(true, |all, one| all & one) && !depends_on_moment(call.function.name)
        }
    }
}

fn pins_nothing_else(inside: &Expr) -> bool {
    pin(&mut inside.clone(), 0)
}

fn depends_on_moment(function: &str) -> bool {
    [
        "days_in_month",
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "hour",
        "minute",
        "month",
        "year",
        "predict_linear",
        "time",
        "timestamp",
    ]
    .contains(&function)
}
