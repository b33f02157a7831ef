//! `label_replace` and `label_join`: new labels from old ones.

use model::{InvalidLabels, Labels, LabelsBuilder, NAME, anchored_regex};

use super::column::{Column, merge};
use super::{Columns, Evaluation, string};
use crate::EvalError;
use crate::Span;
use crate::ast::Call;
use crate::plan::Node;

/// Bytes of a value before its length is looked at: far more than a label may have, and little for a moment.
const EXPANDED_MAX: usize = 8 << 20;

impl Evaluation<'_> {
    /// `label_replace(vector, destination, replacement, source, expression)`
    pub(super) fn label_replace(
        &self,
        call: &Call,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let [_, destination, replacement, source, expression] = &call.arguments[..] else {
            return Err(EvalError::bad_query(
                node.span(),
                "label_replace takes five arguments",
            ));
        };
        let expression_span = expression.span;
        let (destination, replacement) = (string(destination), string(replacement));
        let (source, expression) = (string(source), string(expression));
        let regex = anchored_regex(expression).map_err(|_| {
            let message = format!("invalid regular expression in label_replace(): {expression}");
            EvalError::execution(expression_span, message)
        })?;
        check_name("destination", destination, "label_replace", node.span())?;
        let references = replacement.bytes().filter(|byte| *byte == b'$').count();
        self.relabel(destination, node, &|labels| {
            let captures = regex.captures(labels.get(source).unwrap_or(""));
            let Some(captures) = captures else {
                return Ok(None);
            };
            let mut value = String::new();
            // Each reference can stand for the whole of what matched.
            let matched = captures.get(0).map_or(0, |whole| whole.len());
            check_length(references.saturating_mul(matched), node.span())?;
            captures.expand(replacement, &mut value);
            Ok(Some(value))
        })
    }

    /// `label_join(vector, destination, separator, source …)`
    pub(super) fn label_join(
        &self,
        call: &Call,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let [_, destination, separator, sources @ ..] = &call.arguments[..] else {
            return Err(EvalError::bad_query(
                node.span(),
                "label_join takes at least three arguments",
            ));
        };
        let (destination, separator) = (string(destination), string(separator));
        for source in sources {
            check_name("source", string(source), "label_join", node.span())?;
        }
        check_name("destination", destination, "label_join", node.span())?;
        self.relabel(destination, node, &|labels| {
            let values: Vec<&str> = sources
                .iter()
                .map(|source| labels.get(string(source)).unwrap_or(""))
                .collect();
            let lengths = values.iter().map(|value| value.len() + separator.len());
            check_length(lengths.sum(), node.span())?;
            Ok(Some(values.join(separator)))
        })
    }

    /// Sets a label of each series to what its labels give, if they give anything.
    fn relabel(
        &self,
        destination: &str,
        node: &Node<'_>,
        value: &dyn Fn(&Labels) -> Result<Option<String>, EvalError>,
    ) -> Result<Vec<Column>, EvalError> {
        let Columns { list, mut held } = self.vector(&node.inputs[0])?;
        let mut columns = list;
        for column in &mut columns {
            self.interrupt.poll()?;
            let Some(value) = value(&column.labels)? else {
                continue;
            };
            held.add_bytes(value.len())?;
            let refuse =
                |error: InvalidLabels| EvalError::execution(node.span(), error.to_string());
            column.labels = with_label(&column.labels, destination, &value).map_err(refuse)?;
            if destination == NAME {
                column.drop_name = false;
            }
        }
        merge(columns, node.span(), self.interrupt)
    }
}

/// Refuses what would take much memory before anyone sees that it is too long for a label.
fn check_length(bytes: usize, span: Span) -> Result<(), EvalError> {
    if bytes > EXPANDED_MAX {
        let message = format!(
            "the value of the label would be up to {bytes} bytes long, at most {EXPANDED_MAX} are put together"
        );
        return Err(EvalError::execution(span, message));
    }
    Ok(())
}

fn check_name(which: &str, name: &str, function: &str, span: Span) -> Result<(), EvalError> {
    if name.is_empty() {
        let message = format!("invalid {which} label name in {function}(): {name}");
        return Err(EvalError::execution(span, message));
    }
    Ok(())
}

pub(super) fn with_label(
    labels: &Labels,
    name: &str,
    value: &str,
) -> Result<Labels, InvalidLabels> {
    let mut builder = LabelsBuilder::from_labels(labels);
    builder.set(name, value);
    builder.build()
}
