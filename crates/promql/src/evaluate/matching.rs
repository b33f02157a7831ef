//! Operators between two vectors: which series meet, and what comes of each pair.
//!
//! Series meet if they agree in the labels that are compared, their signature. With `group_left` many series of
//! the left side may meet one of the right, with `group_right` the other way round; "many" and "one" below are
//! the sides after that choice, and in one-to-one matching the left side is the "many".

use std::collections::HashMap;

use model::{Labels, LabelsBuilder, NAME};

use super::Evaluation;
use super::binary::{combined, drops_name};
use super::column::{ABSENT, Column, Steps, is_present, merge};
use crate::ast::{Binary, BinaryOperator, Cardinality, VectorMatching};
use crate::{EvalError, Span};

impl Evaluation<'_> {
    /// The value of an operator between two instant vectors, and of the chain that it ends.
    pub(super) fn match_vectors(
        &self,
        binary: &Binary,
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let mut chain = binary.chain();
        chain.reverse();
        let mut left = self.vector(&chain[0].left, steps)?;
        for (index, binary) in chain.iter().enumerate() {
            // The next operator holds this one as its left operand, and so knows its place.
            let span = chain.get(index + 1).map_or(span, |next| next.left.span);
            let right = self.vector(&binary.right, steps)?;
            let operands = left.len() + right.len();
            left = if binary.operator.is_set() {
                merge(set_operation(binary, left, right, steps), span)?
            } else {
                self.join(binary, span, steps, &left, &right)?
            };
            self.budget
                .release(operands, operands.saturating_mul(steps.count));
            // The caller holds the last result.
            if index + 1 < chain.len() {
                let count = left.len();
                self.budget.hold(count, count.saturating_mul(steps.count))?;
            }
        }
        Ok(left)
    }

    fn join(
        &self,
        binary: &Binary,
        span: Span,
        steps: Steps,
        left: &[Column],
        right: &[Column],
    ) -> Result<Vec<Column>, EvalError> {
        let swapped = binary.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped {
            (right, left)
        } else {
            (left, right)
        };
        let ones = Signatures::new(&binary.matching, one);
        let manys = Signatures::new(&binary.matching, many);
        check_one_side(&ones, many, steps, swapped, span)?;

        let mut result = Joined::new(span);
        let mut held = 0usize;
        for (signature, many) in &manys.groups {
            let Some(ones) = ones.find(signature) else {
                continue;
            };
            self.interrupt.poll()?;
            result.start_group(steps, many.len());
            for many in many {
                for one in ones {
                    self.budget.hold(1, steps.count)?;
                    held += 1;
                    self.interrupt.poll()?;
                    if binary.matching.cardinality == Cardinality::OneToOne {
                        result.take(many, one)?;
                    }
                    let values = pair_values(binary, swapped, many, one);
                    let labels = result_labels(binary, &many.labels, &one.labels);
                    result.add(Column { labels, values })?;
                }
            }
        }
        self.budget.release(held, held.saturating_mul(steps.count));
        merge(result.columns, span)
    }
}

/// Columns by signature, in the order of their first occurrence.
struct Signatures<'c> {
    places: HashMap<Labels, usize>,
    groups: Vec<(Labels, Vec<&'c Column>)>,
}

impl<'c> Signatures<'c> {
    fn new(matching: &VectorMatching, columns: &'c [Column]) -> Self {
        let mut signatures = Self {
            places: HashMap::with_capacity(columns.len()),
            groups: Vec::with_capacity(columns.len()),
        };
        for column in columns {
            let signature = signature(matching, &column.labels);
            let next = signatures.groups.len();
            let place = *signatures.places.entry(signature.clone()).or_insert(next);
            if place == next {
                signatures.groups.push((signature, Vec::new()));
            }
            signatures.groups[place].1.push(column);
        }
        signatures
    }

    fn find(&self, signature: &Labels) -> Option<&[&'c Column]> {
        let place = self.places.get(signature)?;
        Some(&self.groups[*place].1)
    }
}

/// The labels in which two series must agree.
fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.on {
        labels.filtered(listed)
    } else {
        labels.filtered(|name| name != NAME && !listed(name))
    }
}

/// Refuses two series of the "one" side with the same signature at the same step, if anything is to meet them.
fn check_one_side(
    ones: &Signatures<'_>,
    many: &[Column],
    steps: Steps,
    swapped: bool,
    span: Span,
) -> Result<(), EvalError> {
    for (signature, columns) in ones.groups.iter().filter(|(_, columns)| columns.len() > 1) {
        for step in 0..steps.count {
            let mut present = columns
                .iter()
                .filter(|column| is_present(column.values[step]));
            let (Some(first), Some(second)) = (present.next(), present.next()) else {
                continue;
            };
            if !many.iter().any(|column| is_present(column.values[step])) {
                continue;
            }
            let side = if swapped { "left" } else { "right" };
            return Err(EvalError::execution(
                span,
                format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    braced(signature),
                    braced(&second.labels),
                    braced(&first.labels),
                ),
            ));
        }
    }
    Ok(())
}

/// All labels in braces, the name among them, as Prometheus shows them in errors.
fn braced(labels: &Labels) -> String {
    let shown: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", model::quoted(value)))
        .collect();
    format!("{{{}}}", shown.join(", "))
}

/// The results of a join, checked within each signature.
struct Joined {
    span: Span,
    columns: Vec<Column>,
    /// The columns of the current signature by their labels, kept if several series of the "many" side have it.
    group: HashMap<Labels, Vec<usize>>,
    several: bool,
    /// At which steps a series of the "many" side has met one already.
    taken: Vec<bool>,
}

impl Joined {
    fn new(span: Span) -> Self {
        Self {
            span,
            columns: Vec::new(),
            group: HashMap::new(),
            several: false,
            taken: Vec::new(),
        }
    }

    fn start_group(&mut self, steps: Steps, many: usize) {
        self.group.clear();
        self.several = many > 1;
        if self.several {
            self.taken = vec![false; steps.count];
        }
    }

    /// Refuses a second series for the same one, even where a comparison filters it away.
    fn take(&mut self, many: &Column, one: &Column) -> Result<(), EvalError> {
        if !self.several {
            return Ok(());
        }
        for (step, taken) in self.taken.iter_mut().enumerate() {
            let meet = is_present(many.values[step]) && is_present(one.values[step]);
            if meet && *taken {
                return Err(EvalError::execution(
                    self.span,
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                ));
            }
            *taken |= meet;
        }
        Ok(())
    }

    fn add(&mut self, column: Column) -> Result<(), EvalError> {
        if !column.has_values() {
            return Ok(());
        }
        if self.several {
            let meet = |other: &usize| {
                let mut pairs = self.columns[*other].values.iter().zip(&column.values);
                pairs.any(|(a, b)| is_present(*a) && is_present(*b))
            };
            let same = self.group.entry(column.labels.clone()).or_default();
            if same.iter().any(meet) {
                return Err(EvalError::execution(
                    self.span,
                    "multiple matches for labels: grouping labels must ensure unique matches",
                ));
            }
            same.push(self.columns.len());
        }
        self.columns.push(column);
        Ok(())
    }
}

fn pair_values(binary: &Binary, swapped: bool, many: &Column, one: &Column) -> Vec<f64> {
    let mut values = many.values.clone();
    for (many, one) in values.iter_mut().zip(&one.values) {
        if !is_present(*many) || !is_present(*one) {
            *many = ABSENT;
            continue;
        }
        let (left, right) = if swapped {
            (*one, *many)
        } else {
            (*many, *one)
        };
        *many = combined(binary, left, right, left);
    }
    values
}

fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Labels {
    let matching = &binary.matching;
    let unnamed = drops_name(binary);
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.cardinality == Cardinality::OneToOne {
        return many.filtered(|name| listed(name) == matching.on && !(unnamed && name == NAME));
    }
    let kept = many.filtered(|name| !(unnamed && name == NAME));
    if matching.include.is_empty() {
        return kept;
    }
    let mut builder = LabelsBuilder::from_labels(&kept);
    for name in &matching.include {
        if !(binary.return_bool && name == NAME) {
            builder.set(name, one.get(name).unwrap_or(""));
        }
    }
    builder
        .build()
        .expect("invariant: each name is set once, from labels that exist")
}

/// `and`, `or`, `unless`: columns of the left side, and for `or` of the right, where the other side allows them.
fn set_operation(
    binary: &Binary,
    left: Vec<Column>,
    right: Vec<Column>,
    steps: Steps,
) -> Vec<Column> {
    let matching = &binary.matching;
    // At which steps a side has any series of a signature.
    let presence = |columns: &[Column]| {
        let mut present: HashMap<Labels, Vec<bool>> = HashMap::with_capacity(columns.len());
        for column in columns {
            let signature = signature(matching, &column.labels);
            let entry = present
                .entry(signature)
                .or_insert_with(|| vec![false; steps.count]);
            for (present, value) in entry.iter_mut().zip(&column.values) {
                *present |= is_present(*value);
            }
        }
        present
    };
    let masked = |mut columns: Vec<Column>, other: &HashMap<Labels, Vec<bool>>, wanted: bool| {
        for column in &mut columns {
            let other = other.get(&signature(matching, &column.labels));
            for (step, value) in column.values.iter_mut().enumerate() {
                if other.is_some_and(|other| other[step]) != wanted {
                    *value = ABSENT;
                }
            }
        }
        columns
    };
    match binary.operator {
        BinaryOperator::And => masked(left, &presence(&right), true),
        BinaryOperator::Unless => masked(left, &presence(&right), false),
        _ => {
            let right = masked(right, &presence(&left), false);
            left.into_iter().chain(right).collect()
        }
    }
}
