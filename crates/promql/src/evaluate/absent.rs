//! `absent` and `absent_over_time`: a series where there is none.

use model::{Labels, LabelsBuilder, MatchKind, NAME};

use super::Evaluation;
use super::column::{ABSENT, Column, Steps, is_present};
use crate::EvalError;
use crate::ast::{Expr, ExprKind};

impl Evaluation<'_> {
    pub(super) fn absent(&self, argument: &Expr, steps: Steps) -> Result<Vec<Column>, EvalError> {
        let mut values = vec![1.0; steps.count];
        self.stream(argument, steps, &mut |column| {
            for (absent, value) in values.iter_mut().zip(&column.values) {
                if is_present(*value) {
                    *absent = ABSENT;
                }
            }
            Ok(())
        })?;
        Ok(absent_column(argument, values))
    }

    pub(super) fn absent_over_time(
        &self,
        argument: &Expr,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut values = vec![1.0; steps.count];
        let windows = self.windows(argument, steps)?;
        self.stream_ranges(argument, steps, &mut |_, samples| {
            for window in windows.over(&samples.timestamps) {
                values[window.step] = ABSENT;
            }
            Ok(())
        })?;
        Ok(absent_column(argument, values))
    }
}

fn absent_column(argument: &Expr, values: Vec<f64>) -> Vec<Column> {
    let labels = absent_labels(argument);
    let column = Column { labels, values };
    if column.has_values() {
        vec![column]
    } else {
        Vec::new()
    }
}

/// The labels that a selector demands; one that is demanded twice or in another way is left out.
fn absent_labels(argument: &Expr) -> Labels {
    let matchers = match &argument.unwrapped().kind {
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
