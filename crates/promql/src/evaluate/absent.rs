//! `absent` and `absent_over_time`: a series where there is none.

use model::{Labels, LabelsBuilder, MatchKind, NAME};

use super::Evaluation;
use super::column::{ABSENT, Column};
use crate::EvalError;
use crate::ast::{Expr, ExprKind};
use crate::plan::Node;

impl Evaluation<'_> {
    pub(super) fn absent(&self, node: &Node<'_>) -> Result<Vec<Column>, EvalError> {
        let mut values = vec![1.0; node.steps.count];
        self.stream(&node.inputs[0], &mut |column| {
            for (step, absent) in values.iter_mut().enumerate() {
                if column.is_present_at(step) {
                    *absent = ABSENT;
                }
            }
            Ok(())
        })?;
        let labels = absent_labels(node.inputs[0].expr);
        Ok(vec![Column::floats(labels, values)])
    }

    pub(super) fn absent_over_time(&self, node: &Node<'_>) -> Result<Vec<Column>, EvalError> {
        let range = &node.inputs[0];
        let mut values = vec![1.0; node.steps.count];
        let Some(windows) = range.windows else {
            return Err(super::wrong_type(range.expr));
        };
        let ranges = self.ranges(range, false, super::range::extension(range.expr))?;
        let mut scratch = self.scratch();
        for index in 0..ranges.len {
            if (ranges.samples)(index, &mut scratch)?.is_none() {
                continue;
            }
            let samples = &scratch.samples;
            for (window, _) in windows.over_both(&samples.floats.timestamps, &samples.histograms) {
                values[window.step] = ABSENT;
            }
        }
        let labels = absent_labels(range.expr);
        Ok(vec![Column::floats(labels, values)])
    }
}

/// The labels that a selector demands; one that is demanded twice or in another way is left out.
fn absent_labels(argument: &Expr) -> Labels {
    let matchers = match &argument.kind {
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            &selector.matchers[..]
        }
        _ => &[],
    };
    let mut builder = LabelsBuilder::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != NAME) {
        let first = !matchers
            .iter()
            .take_while(|earlier| !std::ptr::eq(*earlier, matcher))
            .any(|earlier| earlier.name() == matcher.name() && earlier.kind() == MatchKind::Equal);
        let demanded = matcher.kind() == MatchKind::Equal && first;
        builder.set(matcher.name(), if demanded { matcher.value() } else { "" });
    }
    // Only a name that is too long can fail here, and such a series does not exist anyway.
    builder.build().unwrap_or_default()
}
