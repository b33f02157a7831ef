//! `info()`: labels of info series such as `target_info`, joined to the series of the same target.
//!
//! 1. The plan selects info series by the second argument, at the moments that the first argument looks at.
//! 2. A series meets those of equal `instance` and `job`; of several info series of one metric the newest sample wins.
//! 3. Its labels, and of each info series those that are asked for and that it has not, are those of the result.

use std::collections::HashMap;

use model::{Labels, LabelsBuilder, MatchKind, Matcher, NAME};

use super::column::{Column, merge};
use super::samples::{Scratch, Wanted};
use super::{Evaluation, wrong_type};
use crate::ast::{Call, ExprKind};
use crate::plan::Node;
use crate::{EvalError, Span};

/// The labels that say which target a series is of.
pub(crate) const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// The info metrics that are meant if none is named.
const DEFAULT_NAME: &str = "target_info";

/// What `info()` selects: conditions on names that a series must fulfil to be an info series, and on its data.
pub(crate) struct InfoMatchers {
    /// Conditions on the name, as they were written.
    names: Vec<Matcher>,
    /// Conditions on other labels; if there are any, only these labels are joined.
    data: Vec<Matcher>,
}

impl InfoMatchers {
    /// Of a call of `info()`.
    pub(crate) fn of(call: &Call) -> Self {
        let matchers = call
            .arguments
            .get(1)
            .map(|argument| &argument.unwrapped().kind);
        let all = match matchers {
            Some(ExprKind::VectorSelector(selector)) => selector.matchers.clone(),
            _ => Vec::new(),
        };
        let (names, data) = all.into_iter().partition(|matcher| matcher.name() == NAME);
        Self { names, data }
    }

    /// Whether a name is asked for, and not only refused.
    fn names_any(&self) -> bool {
        let positive =
            |matcher: &Matcher| matches!(matcher.kind(), MatchKind::Equal | MatchKind::Regex);
        self.names.iter().any(positive)
    }

    /// Conditions for the source.
    pub(crate) fn selection(&self) -> Vec<Matcher> {
        let mut all = self.names.clone();
        if self.names.is_empty() {
            all.extend(Matcher::new(MatchKind::Equal, NAME, DEFAULT_NAME));
        } else if !self.names_any() {
            all.extend(Matcher::new(MatchKind::Regex, NAME, ".+_info"));
        }
        all.extend(self.data.iter().cloned());
        all
    }

    /// Whether a series is itself one of the info series that are asked for.
    fn is_info(&self, metric: &str) -> bool {
        if self.names.is_empty() {
            return metric == DEFAULT_NAME;
        }
        self.names_any() && self.names.iter().all(|matcher| matcher.matches(metric))
    }

    /// Whether the labels of an info series are wanted.
    fn wants(&self, label: &str) -> bool {
        label != NAME
            && !IDENTIFYING.contains(&label)
            && (self.data.is_empty() || self.data.iter().any(|matcher| matcher.name() == label))
    }

    /// Whether a series that meets no info series stays as it is.
    fn allow_none(&self) -> bool {
        self.data.iter().all(Matcher::matches_empty)
    }
}

/// An info series, and at which steps it has a sample of which time.
struct InfoSeries {
    labels: Labels,
    times: Vec<Option<i64>>,
}

impl Evaluation<'_> {
    pub(super) fn info(&self, call: &Call, node: &Node<'_>) -> Result<Vec<Column>, EvalError> {
        let matchers = InfoMatchers::of(call);
        let base = self.vector(&node.inputs[0])?;
        let by_target = self.info_series(node)?;
        let mut held = self.budget.nothing();
        let mut result = Vec::new();
        for column in base.list {
            self.interrupt.poll()?;
            if matchers.is_info(column.labels.metric_name()) {
                result.push(column);
                continue;
            }
            let target = target_of(&column.labels);
            let infos = by_target.get(&target).map_or(&[][..], Vec::as_slice);
            // With the same info series at all steps there is one series to make.
            let mut made: HashMap<Vec<usize>, Option<usize>> = HashMap::new();
            for step in 0..node.steps.count {
                let Some(point) = column.point(step) else {
                    continue;
                };
                let met = newest(infos, step, node.span())?;
                let place = match made.get(&met) {
                    Some(place) => *place,
                    None => {
                        let place =
                            match joined(&column.labels, infos, &met, &matchers, node.span())? {
                                None => None,
                                Some(labels) => {
                                    held.add(1, node.steps.count)?;
                                    let mut one = Column::absent(labels, node.steps.count);
                                    one.drop_name = column.drop_name;
                                    result.push(one);
                                    Some(result.len() - 1)
                                }
                            };
                        made.insert(met, place);
                        place
                    }
                };
                if let Some(place) = place {
                    result[place].set(step, Some(point));
                }
            }
        }
        merge(result, node.span(), self.interrupt)
    }

    /// The info series by the target that they tell of.
    fn info_series(&self, node: &Node<'_>) -> Result<HashMap<Labels, Vec<InfoSeries>>, EvalError> {
        let selected = self.selected(node)?;
        let Some(windows) = node.windows else {
            return Err(wrong_type(node.expr));
        };
        let mut held = self.budget.nothing();
        let mut scratch: Scratch = self.scratch();
        let mut by_target: HashMap<Labels, Vec<InfoSeries>> = HashMap::new();
        for index in 0..selected.len() {
            self.interrupt.poll()?;
            if scratch.read(selected, index, Wanted::default(), &self.budget)? == 0 {
                continue;
            }
            let labels = selected.labels(index);
            let target = target_of(labels);
            if target.is_empty() {
                continue;
            }
            held.add(1, node.steps.count)?;
            let samples = &scratch.samples;
            let mut times = vec![None; node.steps.count];
            let both = windows.over_both(&samples.floats.timestamps, &samples.histograms);
            for (window, histograms) in both {
                let of_histogram = (!histograms.is_empty())
                    .then(|| &samples.histograms[histograms.end - 1])
                    .filter(|(_, histogram)| !histogram.is_stale());
                if of_histogram.is_some() {
                    let message =
                        format!("this should be an info metric, with float samples: {labels}");
                    return Err(EvalError::execution(node.span(), message));
                }
                if window.samples.is_empty() {
                    continue;
                }
                let newest = window.samples.end - 1;
                if !model::is_stale(samples.floats.values[newest]) {
                    times[window.step] = Some(samples.floats.timestamps[newest]);
                }
            }
            by_target.entry(target).or_default().push(InfoSeries {
                labels: labels.clone(),
                times,
            });
        }
        Ok(by_target)
    }
}

/// Which target a series is of; empty if it does not say.
fn target_of(labels: &Labels) -> Labels {
    labels.filtered(|name| IDENTIFYING.contains(&name))
}

/// Of each info metric the series with the newest sample at a step.
fn newest(infos: &[InfoSeries], step: usize, span: Span) -> Result<Vec<usize>, EvalError> {
    let mut by_metric: Vec<(&str, i64, usize)> = Vec::new();
    for (index, info) in infos.iter().enumerate() {
        let Some(time) = info.times[step] else {
            continue;
        };
        let metric = info.labels.metric_name();
        match by_metric.iter_mut().find(|(known, ..)| *known == metric) {
            None => by_metric.push((metric, time, index)),
            Some((_, known, place)) if *known < time => {
                (*known, *place) = (time, index);
            }
            Some((_, known, place)) if *known == time => {
                let message = format!(
                    "found duplicate series for info metric: existing {} @ {known}, new {} @ {time}",
                    infos[*place].labels, info.labels
                );
                return Err(EvalError::execution(span, message));
            }
            Some(_) => {}
        }
    }
    Ok(by_metric.into_iter().map(|(_, _, index)| index).collect())
}

/// The labels of a series and of the info series that it meets; none if it has to meet one.
fn joined(
    base: &Labels,
    infos: &[InfoSeries],
    met: &[usize],
    matchers: &InfoMatchers,
    span: Span,
) -> Result<Option<Labels>, EvalError> {
    if met.is_empty() {
        return Ok(matchers.allow_none().then(|| base.clone()));
    }
    let mut builder = LabelsBuilder::from_labels(base);
    for info in met {
        for (name, value) in infos[*info].labels.iter() {
            if !matchers.wants(name) || base.get(name).is_some() {
                continue;
            }
            if builder.get(name).is_some_and(|known| known != value) {
                return Err(EvalError::execution(
                    span,
                    format!("conflicting label: {name}"),
                ));
            }
            builder.set(name, value);
        }
    }
    let labels = builder.build();
    let refuse = |error: model::InvalidLabels| EvalError::execution(span, error.to_string());
    labels.map(Some).map_err(refuse)
}
