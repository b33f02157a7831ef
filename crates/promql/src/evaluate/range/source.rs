//! Range vectors: all samples of a series that any of its ranges may need.

use std::sync::Arc;

use model::{CounterReset, Labels};

use super::extension;
use crate::ast::ExprKind;
use crate::evaluate::Evaluation;
use crate::evaluate::samples::{Scratch, SeriesSamples, Wanted};
use crate::plan::Node;
use crate::{EvalError, Extension};

/// A range vector that is read series by series.
pub(in crate::evaluate) struct Ranges<'p> {
    pub(in crate::evaluate) len: usize,
    pub(in crate::evaluate) cost: usize,
    /// Puts the samples of a series into the scratch; none if it has none.
    pub(in crate::evaluate) samples: SamplesOf<'p>,
}

type SamplesOf<'p> =
    Box<dyn Fn(usize, &mut Scratch) -> Result<Option<Ranged>, EvalError> + Sync + 'p>;

/// The series whose samples were read.
pub(in crate::evaluate) struct Ranged {
    pub(in crate::evaluate) labels: Labels,
    pub(in crate::evaluate) drop_name: bool,
}

impl<'a> Evaluation<'a> {
    /// For each series of a range vector the samples of all ranges together, without stale markers.
    pub(in crate::evaluate) fn ranges<'p>(
        &'p self,
        node: &'p Node<'_>,
        with_starts: bool,
        around: Option<Extension>,
    ) -> Result<Ranges<'p>, EvalError> {
        debug_assert_eq!(around, extension(node.expr));
        match &node.expr.kind {
            ExprKind::MatrixSelector { .. } => {
                let selected = self.selected(node)?;
                let wanted = Wanted {
                    starts: with_starts,
                    totals_only: node.totals_only,
                };
                Ok(Ranges {
                    len: selected.len(),
                    cost: self.cost(node),
                    samples: Box::new(move |index, scratch| {
                        self.interrupt.poll()?;
                        let read = scratch.read(selected, index, wanted, &self.budget)?;
                        if read == 0 {
                            return Ok(None);
                        }
                        self.count_samples(node, read);
                        scratch.samples.drop_stale();
                        Ok((!scratch.samples.is_empty()).then(|| Ranged {
                            labels: selected.labels(index).clone(),
                            drop_name: false,
                        }))
                    }),
                })
            }
            ExprKind::Subquery(_) => {
                let input = &node.inputs[0];
                let mut asked = input.steps;
                asked.count = input.count;
                self.check_steps(asked)?;
                let pipeline = self.pipeline(input)?;
                Ok(Ranges {
                    len: pipeline.len,
                    cost: pipeline.cost,
                    samples: Box::new(move |index, scratch| {
                        // Its steps may be far more than those of the query.
                        let mut held = self.budget.nothing();
                        held.add_bytes(asked.count.saturating_mul(size_of::<f64>()))?;
                        let Some(column) = (pipeline.column)(index, scratch)? else {
                            return Ok(None);
                        };
                        self.budget.check(column.weight())?;
                        let drop_name = column.drop_name;
                        scratch.make_room(column.weight(), &self.budget)?;
                        let series = column.into_series(asked);
                        scratch.samples.starts.clear();
                        scratch.samples.floats = series.floats;
                        scratch.samples.histograms = series.histograms;
                        forget_resets(&mut scratch.samples);
                        self.count_samples(node, scratch.samples.floats.len());
                        Ok((!scratch.samples.is_empty()).then_some(Ranged {
                            labels: series.labels,
                            drop_name,
                        }))
                    }),
                })
            }
            _ => Err(crate::evaluate::wrong_type(node.expr)),
        }
    }
}

/// Forgets what histograms say of resets: between the steps of a subquery there may be others, and one sample may be
/// there at several steps.
fn forget_resets(samples: &mut SeriesSamples) {
    for (_, histogram) in &mut samples.histograms {
        if matches!(histogram.reset, CounterReset::Yes | CounterReset::No) {
            Arc::make_mut(histogram).reset = CounterReset::Unknown;
        }
    }
}
