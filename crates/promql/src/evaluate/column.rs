//! The values of one series at the steps of a query.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Labels, NAME, SampleColumns, is_stale, stale_marker};

use crate::plan::Steps;
use crate::{EvalError, FloatHistogram, Interrupt, Series, Span};

/// Stands where a series has no number; no computation yields the stale marker's bits.
pub(super) const ABSENT: f64 = stale_marker();

/// The label that holds a metric's type.
pub(super) const TYPE: &str = "__type__";
/// The label that holds a metric's unit.
const UNIT: &str = "__unit__";

/// Whether a value of a column is one.
pub(super) fn is_present(value: f64) -> bool {
    !is_stale(value)
}

/// The values of one series, one for each step: a number, a histogram, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) labels: Labels,
    /// Whether the metric's name is to go at the end, since the values are no longer those of the metric.
    pub(super) drop_name: bool,
    /// A value or [`ABSENT`].
    pub(super) values: Vec<f64>,
    /// Only of series that have any; where there is one, the value is absent.
    pub(super) histograms: Option<Histograms>,
}

/// Histograms by step.
pub(super) type Histograms = Vec<Option<Arc<FloatHistogram>>>;

/// What a series has at a step.
#[derive(Clone, Debug)]
pub(super) enum Point {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl Column {
    /// A column of numbers.
    pub(super) fn floats(labels: Labels, values: Vec<f64>) -> Self {
        Self {
            labels,
            drop_name: false,
            values,
            histograms: None,
        }
    }

    /// A column without values.
    pub(super) fn absent(labels: Labels, count: usize) -> Self {
        Self::floats(labels, vec![ABSENT; count])
    }

    pub(super) fn has_values(&self) -> bool {
        self.values.iter().any(|value| is_present(*value))
            || self
                .histograms
                .as_ref()
                .is_some_and(|histograms| histograms.iter().any(Option::is_some))
    }

    pub(super) fn is_present_at(&self, step: usize) -> bool {
        is_present(self.values[step]) || self.histogram(step).is_some()
    }

    pub(super) fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.histograms.as_ref()?[step].as_ref()
    }

    pub(super) fn point(&self, step: usize) -> Option<Point> {
        if is_present(self.values[step]) {
            return Some(Point::Float(self.values[step]));
        }
        self.histogram(step)
            .map(|histogram| Point::Histogram(Arc::clone(histogram)))
    }

    /// Replaces what is at a step.
    pub(super) fn set(&mut self, step: usize, point: Option<Point>) {
        self.values[step] = ABSENT;
        match point {
            Some(Point::Float(value)) => {
                self.values[step] = value;
                self.clear_histogram(step);
            }
            None => self.clear_histogram(step),
            Some(Point::Histogram(histogram)) => {
                let count = self.values.len();
                let histograms = self.histograms.get_or_insert_with(|| vec![None; count]);
                histograms[step] = Some(histogram);
            }
        }
    }

    fn clear_histogram(&mut self, step: usize) {
        if let Some(histograms) = &mut self.histograms {
            histograms[step] = None;
        }
    }

    /// The only step's value at each of `count` steps.
    pub(super) fn repeated(self, count: usize) -> Self {
        Self {
            values: vec![self.values[0]; count],
            histograms: self
                .histograms
                .map(|histograms| vec![histograms[0].clone(); count]),
            ..self
        }
    }

    /// Forgets histograms that are not there any more.
    pub(super) fn tidied(mut self) -> Self {
        if let Some(histograms) = &self.histograms
            && histograms.iter().all(Option::is_none)
        {
            self.histograms = None;
        }
        self
    }

    /// How many samples it counts as: one for each step, more for histograms, which take more memory.
    pub(super) fn weight(&self) -> usize {
        let histograms = self.histograms.iter().flatten().flatten();
        let bytes: usize = histograms.map(|histogram| histogram.size_bytes()).sum();
        self.values.len() + bytes / size_of::<model::Sample>()
    }

    /// The values that are there, with their times.
    pub(super) fn into_series(self, steps: Steps) -> Series {
        let mut floats = SampleColumns::default();
        for (timestamp, value) in steps.iter().zip(&self.values) {
            if is_present(*value) {
                floats.push(timestamp, *value);
            }
        }
        let histograms = self.histograms.into_iter().flatten();
        let histograms = steps.iter().zip(histograms);
        let histograms = histograms.filter_map(|(at, histogram)| Some((at, histogram?)));
        Series {
            labels: self.labels,
            floats,
            histograms: histograms.collect(),
        }
    }
}

/// The labels without the metric's name, type and unit.
pub(super) fn without_name(labels: &Labels) -> Labels {
    // They sort before all labels but those that begin with an upper-case letter, so the look is short.
    if !labels.iter().any(|(name, _)| is_metadata(name)) {
        return labels.clone();
    }
    labels.filtered(|name| !is_metadata(name))
}

/// Whether a label tells of the metric and not of the series.
pub(super) fn is_metadata(name: &str) -> bool {
    name == NAME || name == TYPE || name == UNIT
}

/// Puts columns of equal labels together and leaves out those without values.
///
/// Errors: two of them have a value at the same step; the evaluation was interrupted.
pub(super) fn merge(
    columns: Vec<Column>,
    span: Span,
    interrupt: &Interrupt,
) -> Result<Vec<Column>, EvalError> {
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(columns.len());
    for column in columns {
        interrupt.poll()?;
        if !column.has_values() {
            continue;
        }
        let next = merged.len();
        let place = *places.entry(column.labels.clone()).or_insert(next);
        if place == next {
            merged.push(column);
            continue;
        }
        let present = &mut merged[place];
        present.drop_name &= column.drop_name;
        for step in 0..column.values.len() {
            let Some(point) = column.point(step) else {
                continue;
            };
            if present.is_present_at(step) {
                return Err(EvalError::same_labels(span));
            }
            present.set(step, Some(point));
        }
    }
    Ok(merged)
}
