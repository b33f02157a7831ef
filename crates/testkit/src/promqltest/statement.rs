//! One statement: an expression, a moment, and what is expected. An instant statement is checked in four ways: as
//! it stands, as the middle step of a range query, and both once more at other moments with its own pinned by `@`.

use promql::parse;

use super::engine::{Answer, Engine, Found, Moment, Series, Value};
use super::expectations::{self, Expectations};
use super::pinned::{names_the_query, pinned};

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
    text: &'a str,
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
        engine: &dyn Engine,
        omitted: &mut Vec<String>,
    ) -> Result<(), String> {
        let at = match self.moment {
            Moment::Instant(at) => at,
            Moment::Range { start, step, .. } => {
                let Some(answer) = self.evaluate(engine, &self.expression, self.moment)? else {
                    return Ok(());
                };
                let expected = &self.expectations;
                expected.check_annotations(&answer.warnings, &answer.infos)?;
                return expected.check_range(start, step, &answer.value);
            }
        };
        // What is no expression can be evaluated in one way only, whose error is the answer.
        let Ok(expr) = parse(&self.expression) else {
            let moment = Moment::Instant(at);
            return match self.evaluate(engine, &self.expression, moment)? {
                Some(_) => Err("expected a parse error".to_owned()),
                None => Ok(()),
            };
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
            text: &self.expression,
            at,
            moment: at,
            as_range: no_range.is_none(),
        };
        let spoken = self.check_way(engine, &here, None)?;
        let text = match pinned(&expr, at) {
            Ok(text) => text,
            Err(reason) => {
                omitted.push(format!("not pinned by @: {reason}"));
                return Ok(());
            }
        };
        for moment in other_moments(at) {
            let way = Way {
                text: &text,
                moment,
                ..here
            };
            self.check_way(engine, &way, Some(spoken))
                .map_err(|reason| format!("{text} at {moment} ms: {reason}"))?;
        }
        Ok(())
    }

    /// Evaluates at a moment, and as a range query around it; says how many warnings and infos there were.
    ///
    /// A pinned expression is another text with other places in it, so of its annotations the number is compared.
    fn check_way(
        &self,
        engine: &dyn Engine,
        way: &Way<'_>,
        spoken: Option<[usize; 2]>,
    ) -> Result<[usize; 2], String> {
        let Some(answer) = self.evaluate(engine, way.text, Moment::Instant(way.moment))? else {
            return Ok([0, 0]);
        };
        let (warnings, infos) = (&answer.warnings, &answer.infos);
        let counts = [warnings.len(), infos.len()];
        match spoken {
            None => self.expectations.check_annotations(warnings, infos)?,
            Some(spoken) if spoken == counts => {}
            Some(_) => return Err(format!("other annotations: {warnings:?} {infos:?}")),
        }
        let value = moved(answer.value, way.at - way.moment);
        self.expectations.check_instant(way.at, &value)?;
        if way.as_range {
            self.check_as_range(engine, way, &value)
                .map_err(|reason| format!("as a range query: {reason}"))?;
        }
        Ok(counts)
    }

    /// The same moment as the middle step of a range query.
    fn check_as_range(
        &self,
        engine: &dyn Engine,
        way: &Way<'_>,
        instant: &Value,
    ) -> Result<(), String> {
        let (at, moment) = (way.at, way.moment);
        let around = Moment::Range {
            start: moment - AROUND,
            end: moment + AROUND,
            step: AROUND,
        };
        let answer = engine.evaluate(way.text, around);
        let answer = answer.map_err(|refusal| refusal.whole)?;
        let Value::Matrix(series) = answer.value else {
            return Err("expected a matrix".to_owned());
        };
        if !expectations::is_sorted(&series) {
            return Err("the series are not sorted".to_owned());
        }
        if self.expectations.is_ordered() {
            return Ok(());
        }
        let mut found = Vec::new();
        for Series { labels, points } in series {
            let mut points = points.into_iter().filter(|(time, _)| *time == moment);
            if let Some((_, point)) = points.next() {
                if points.next().is_some() {
                    return Err(format!("{labels} has two values at one step"));
                }
                found.push(Series {
                    labels,
                    points: vec![(at, point)],
                });
            }
        }
        let value = match (instant, found.first().map(|series| &series.points[..])) {
            (Value::Scalar(_), Some([(_, Found::Float(value))])) => Value::Scalar(*value),
            _ => Value::Vector(found),
        };
        self.expectations.check_instant(at, &value)
    }

    /// The answer; none if it failed as it should.
    fn evaluate(
        &self,
        engine: &dyn Engine,
        text: &str,
        moment: Moment,
    ) -> Result<Option<Answer>, String> {
        match engine.evaluate(text, moment) {
            Err(refusal) => {
                self.expectations.check_failure(&refusal)?;
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

/// The same values so many milliseconds later.
fn moved(value: Value, by: i64) -> Value {
    match value {
        Value::Vector(mut series) => {
            for (time, _) in series.iter_mut().flat_map(|series| &mut series.points) {
                *time += by;
            }
            Value::Vector(series)
        }
        other => other,
    }
}
