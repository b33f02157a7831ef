//! `label_replace` and `label_join`: new labels from old ones.

use model::{InvalidLabels, Labels, LabelsBuilder, anchored_regex};

use super::column::{Column, Steps, merge};
use super::{Evaluation, string};
use crate::ast::Expr;
use crate::{EvalError, Span};

impl Evaluation<'_> {
    /// `label_replace(vector, destination, replacement, source, expression)`
    pub(super) fn label_replace(
        &self,
        arguments: &[Expr],
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let [_, destination, replacement, source, expression] = arguments else {
            return Err(EvalError::bad_query(
                span,
                "label_replace takes five arguments",
            ));
        };
        let expression_span = expression.span;
        let (destination, replacement) = (string(destination), string(replacement));
        let (source, expression) = (string(source), string(expression));
        let regex = anchored_regex(expression).map_err(|_| {
            let message = format!("invalid regular expression in label_replace(): {expression}");
            EvalError::bad_query(expression_span, message)
        })?;
        check_destination(destination, "label_replace", span)?;
        self.relabel(arguments, span, steps, &|labels| {
            let Some(captures) = regex.captures(labels.get(source).unwrap_or("")) else {
                return Ok(labels.clone());
            };
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            with_label(labels, destination, &value)
        })
    }

    /// `label_join(vector, destination, separator, source …)`
    pub(super) fn label_join(
        &self,
        arguments: &[Expr],
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let [_, destination, separator, sources @ ..] = arguments else {
            return Err(EvalError::bad_query(
                span,
                "label_join takes at least three arguments",
            ));
        };
        let (destination, separator) = (string(destination), string(separator));
        check_destination(destination, "label_join", span)?;
        self.relabel(arguments, span, steps, &|labels| {
            let values: Vec<&str> = sources
                .iter()
                .map(|source| labels.get(string(source)).unwrap_or(""))
                .collect();
            with_label(labels, destination, &values.join(separator))
        })
    }

    fn relabel(
        &self,
        arguments: &[Expr],
        span: Span,
        steps: Steps,
        change: &dyn Fn(&Labels) -> Result<Labels, InvalidLabels>,
    ) -> Result<Vec<Column>, EvalError> {
        let mut columns = self.vector(&arguments[0], steps)?;
        self.budget
            .release(columns.len(), columns.len() * steps.count);
        for column in &mut columns {
            let refuse = |error: InvalidLabels| EvalError::execution(span, error.to_string());
            column.labels = change(&column.labels).map_err(refuse)?;
        }
        merge(columns, span)
    }
}

fn check_destination(name: &str, function: &str, span: Span) -> Result<(), EvalError> {
    if name.is_empty() {
        let message = format!("invalid destination label name in {function}(): {name}");
        return Err(EvalError::execution(span, message));
    }
    Ok(())
}

fn with_label(labels: &Labels, name: &str, value: &str) -> Result<Labels, InvalidLabels> {
    let mut builder = LabelsBuilder::from_labels(labels);
    builder.set(name, value);
    builder.build()
}
