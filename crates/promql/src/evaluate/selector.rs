//! Instant selectors: for each series the newest sample at each step.

use std::sync::Arc;

use model::{SelectedSeries, is_stale};

use super::Evaluation;
use super::column::{ABSENT, Column, Point};
use super::pipeline::Pipeline;
use super::range::extended;
use super::samples::{SeriesSamples, Wanted};
use crate::ast::{ExprKind, VectorSelector};
use crate::plan::{Node, Windows, millis};
use crate::{EvalError, Extension};

/// What a selector gives of the sample that it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    Value,
    /// Its time in seconds.
    Timestamp,
    /// Since when its counter has counted, in seconds.
    Start,
}

impl<'a> Evaluation<'a> {
    /// For each series the newest sample at each step that is not older than the look-back.
    pub(super) fn selector_pipeline<'p>(
        &'p self,
        node: &'p Node<'_>,
        chosen: Chosen,
    ) -> Result<Pipeline<'p>, EvalError> {
        let (ExprKind::VectorSelector(selector), Some(windows)) = (&node.expr.kind, node.windows)
        else {
            return Err(super::wrong_type(node.expr));
        };
        let selected = self.selected(node)?;
        let steps = node.steps;
        Ok(Pipeline {
            len: selected.len(),
            cost: self.cost(node),
            column: Box::new(move |index, scratch| {
                self.interrupt.poll()?;
                let wanted = Wanted {
                    starts: chosen == Chosen::Start,
                    totals_only: node.totals_only,
                };
                let read = scratch.read(selected, index, wanted, &self.budget)?;
                if read == 0 {
                    return Ok(None);
                }
                let mut column = Column::absent(selected.labels(index).clone(), steps.count);
                if selector.extension == Some(Extension::Smoothed) && chosen == Chosen::Value {
                    self.smooth(node, selector, windows, &mut scratch.samples, &mut column);
                } else {
                    newest(&scratch.samples, windows, chosen, &mut column);
                }
                self.count(node, &column);
                Ok(column.has_values().then_some(column))
            }),
        })
    }

    /// The series that a selector reads.
    pub(super) fn selected(&self, node: &Node<'_>) -> Result<&dyn SelectedSeries, EvalError> {
        match node.selection {
            Some(selection) => Ok(&*self.selected[selection]),
            None => Err(super::wrong_type(node.expr)),
        }
    }

    /// About how many samples a series of a node is worth; nobody knows before it is read.
    pub(super) fn cost(&self, node: &Node<'_>) -> usize {
        /// What reading a series costs beside its samples.
        const READING: usize = 100;
        READING + node.steps.count
    }

    fn smooth(
        &self,
        node: &Node<'_>,
        selector: &VectorSelector,
        windows: Windows,
        samples: &mut SeriesSamples,
        column: &mut Column,
    ) {
        samples.drop_stale();
        let around = millis(self.limits.lookback_delta);
        let name = column.labels.metric_name().to_owned();
        let context = self.noting(node.span(), &name);
        debug_assert_eq!(selector.extension, Some(Extension::Smoothed));
        for (step, at) in windows.moments.iter().enumerate() {
            let point = extended::interpolated(samples, at, around, &context);
            column.set(step, point);
        }
    }
}

fn newest(samples: &SeriesSamples, windows: Windows, chosen: Chosen, column: &mut Column) {
    let floats = &samples.floats;
    if samples.histograms.is_empty() {
        for window in windows.over(&floats.timestamps) {
            let newest = window.samples.end - 1;
            if !is_stale(floats.values[newest]) {
                column.values[window.step] = match chosen {
                    Chosen::Value => floats.values[newest],
                    _ => moment(samples, chosen, floats.timestamps[newest]),
                };
            }
        }
        return;
    }
    for (window, histograms) in windows.over_both(&floats.timestamps, &samples.histograms) {
        let float = (!window.samples.is_empty()).then(|| window.samples.end - 1);
        let histogram = (!histograms.is_empty()).then(|| &samples.histograms[histograms.end - 1]);
        let float = float.map(|index| (floats.timestamps[index], floats.values[index]));
        let point = match (float, histogram) {
            (Some((at, value)), other) if other.is_none_or(|(other, _)| *other < at) => {
                (!is_stale(value)).then(|| match chosen {
                    Chosen::Value => Point::Float(value),
                    _ => Point::Float(moment(samples, chosen, at)),
                })
            }
            (_, Some((at, histogram))) => (!histogram.is_stale()).then(|| match chosen {
                Chosen::Value => Point::Histogram(Arc::clone(histogram)),
                _ => Point::Float(moment(samples, chosen, *at)),
            }),
            _ => None,
        };
        match point {
            Some(Point::Float(value)) => column.values[window.step] = value,
            Some(histogram) => column.set(window.step, Some(histogram)),
            None => column.values[window.step] = ABSENT,
        }
    }
}

fn moment(samples: &SeriesSamples, chosen: Chosen, at: i64) -> f64 {
    let millis = match chosen {
        Chosen::Start => samples.start_at(at),
        _ => at,
    };
    millis as f64 / 1000.0
}
