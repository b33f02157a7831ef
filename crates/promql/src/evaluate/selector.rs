//! From the source to columns and ranges: the only file that reads samples.

use model::{Labels, SampleColumns, Selection, Timestamp, is_stale};

use super::column::{ABSENT, Column, Steps};
use super::windows::Windows;
use super::{Emit, Evaluation, wrong_type};
use crate::EvalError;
use crate::ast::{Expr, ExprKind, VectorSelector};

/// What a selector gives of the sample that it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    Value,
    /// Its time in seconds.
    Timestamp,
}

impl Evaluation<'_> {
    /// For each series the newest sample at each step that is not older than the look-back.
    pub(super) fn stream_selector(
        &self,
        selector: &VectorSelector,
        steps: Steps,
        chosen: Chosen,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let windows = Windows {
            moments: self.moments(selector.time, steps),
            length: millis(self.limits.lookback_delta),
        };
        self.read(selector, windows, &mut |labels, samples| {
            let mut values = vec![ABSENT; steps.count];
            for window in windows.over(&samples.timestamps) {
                let newest = window.samples.end - 1;
                if !is_stale(samples.values[newest]) {
                    values[window.step] = match chosen {
                        Chosen::Value => samples.values[newest],
                        Chosen::Timestamp => samples.timestamps[newest] as f64 / 1000.0,
                    };
                }
            }
            let labels = labels.clone();
            let column = Column { labels, values };
            if column.has_values() {
                emit(column)?;
            }
            Ok(())
        })
    }

    /// The ranges of a range vector at the given steps.
    pub(super) fn windows(&self, expr: &Expr, steps: Steps) -> Result<Windows, EvalError> {
        let (time, range) = match &expr.unwrapped().kind {
            ExprKind::MatrixSelector { selector, range } => (selector.time, *range),
            ExprKind::Subquery(subquery) => (subquery.time, subquery.range),
            _ => return Err(wrong_type(expr)),
        };
        Ok(Windows {
            moments: self.moments(time, steps),
            length: millis(range),
        })
    }

    /// For each series of a range vector the samples of all ranges together, without stale markers.
    pub(super) fn stream_ranges(
        &self,
        expr: &Expr,
        steps: Steps,
        emit: &mut dyn FnMut(&Labels, &SampleColumns) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let windows = self.windows(expr, steps)?;
        match &expr.unwrapped().kind {
            ExprKind::MatrixSelector { selector, .. } => {
                self.read(selector, windows, &mut |labels, samples| {
                    drop_stale(samples);
                    if samples.is_empty() {
                        return Ok(());
                    }
                    emit(labels, samples)
                })
            }
            ExprKind::Subquery(subquery) => {
                let step = millis(subquery.step.unwrap_or(self.limits.subquery_step)).max(1);
                // The first multiple of the step inside the first range, as in Prometheus.
                let before = windows.first().saturating_sub(1);
                let first = (before.div_euclid(step).saturating_add(1)).saturating_mul(step);
                let inner = Steps::range(first, windows.moments.last(), step);
                self.check_steps(inner)?;
                if inner.count == 0 {
                    return Ok(());
                }
                self.stream(&subquery.expr, inner, &mut |column| {
                    let samples = column.samples(inner);
                    self.budget.check(samples.len())?;
                    emit(&column.labels, &samples)
                })
            }
            _ => Err(wrong_type(expr)),
        }
    }

    fn read(
        &self,
        selector: &VectorSelector,
        windows: Windows,
        take: &mut dyn FnMut(&Labels, &mut SampleColumns) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let selection = Selection {
            matchers: selector.matchers.clone(),
            start: Timestamp::from_millis(windows.first()),
            end: Timestamp::from_millis(windows.moments.last()),
        };
        let selected = self.source.select(&selection)?;
        let mut samples = SampleColumns::default();
        for index in 0..selected.len() {
            self.interrupt.poll()?;
            samples.clear();
            selected.read(index, &mut samples)?;
            self.budget.read(samples.len())?;
            if !samples.is_empty() {
                take(selected.labels(index), &mut samples)?;
            }
        }
        Ok(())
    }
}

fn drop_stale(samples: &mut SampleColumns) {
    if !samples.values.iter().any(|value| is_stale(*value)) {
        return;
    }
    let mut kept = SampleColumns::default();
    for (timestamp, value) in samples.timestamps.iter().zip(&samples.values) {
        if !is_stale(*value) {
            kept.push(*timestamp, *value);
        }
    }
    *samples = kept;
}

pub(super) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
