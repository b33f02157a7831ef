//! `sort` and its like: the order of an instant query's answer.

use std::cmp::Ordering;

use super::column::{Column, is_present};
use super::{Evaluation, rank, string};
use crate::EvalError;
use crate::ast::Call;
use crate::plan::Node;

impl Evaluation<'_> {
    pub(super) fn sort(&self, call: &Call, node: &Node<'_>) -> Result<Vec<Column>, EvalError> {
        let mut columns = self.vector(&node.inputs[0])?.list;
        let by_value = matches!(call.function.name, "sort" | "sort_desc");
        if by_value {
            // Histograms have no order.
            for column in &mut columns {
                column.histograms = None;
            }
            columns.retain(Column::has_values);
        }
        // A subquery has steps of its own, and a series may be missing at the first.
        let has_steps = columns.iter().any(|column| column.values.len() > 1);
        if self.query.is_range || has_steps {
            let text =
                "sort is ineffective for range queries since results are always ordered by labels";
            self.annotations.warn(node.span(), text);
            return Ok(columns);
        }
        let names: Vec<&str> = call.arguments[1..].iter().map(string).collect();
        let by_labels = |a: &Column, b: &Column| {
            for name in &names {
                let value = |column: &Column| column.labels.get(name).unwrap_or("").to_owned();
                let order = natural(&value(a), &value(b));
                if order != Ordering::Equal {
                    return order;
                }
            }
            a.labels.cmp(&b.labels)
        };
        debug_assert!(!by_value || columns.iter().all(|column| is_present(column.values[0])));
        match call.function.name {
            "sort" => columns.sort_by(|a, b| rank::ascending(a.values[0], b.values[0])),
            "sort_desc" => columns.sort_by(|a, b| rank::descending(a.values[0], b.values[0])),
            "sort_by_label" => columns.sort_by(by_labels),
            _ => columns.sort_by(|a, b| by_labels(b, a)),
        }
        Ok(columns)
    }
}

/// As people sort: runs of digits by their number, everything else by its bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (a_run, a_rest) = split_run(a);
        let (b_run, b_rest) = split_run(b);
        let order = match (number(a_run), number(b_run)) {
            (Some(a), Some(b)) => a.len().cmp(&b.len()).then(a.cmp(b)),
            _ => a_run.cmp(b_run),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.len().cmp(&b.len())
}

/// The digits of a number without leading zeros.
fn number(run: &str) -> Option<&str> {
    let digits = run.starts_with(|letter: char| letter.is_ascii_digit());
    digits.then(|| run.trim_start_matches('0'))
}

/// The longest start that is all digits or all something else.
fn split_run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|letter: char| letter.is_ascii_digit());
    let other = |letter: char| letter.is_ascii_digit() != digits;
    text.split_at(text.find(other).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_compared_as_numbers() {
        let mut texts = ["cpu10", "cpu2", "cpu02a", "cpu", "disk1", "10", "9"];
        texts.sort_by(|a, b| natural(a, b));
        assert_eq!(
            texts,
            ["9", "10", "cpu", "cpu2", "cpu02a", "cpu10", "disk1"]
        );
    }
}
