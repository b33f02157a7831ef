//! Operators between two vectors: which series meet, and what comes of each pair.
//!
//! Series meet if they agree in the labels that are compared, their signature. With `group_left` many series of
//! the left side may meet one of the right, with `group_right` the other way round; "many" and "one" below are
//! the sides after that choice, and in one-to-one matching the left side is the "many".

use std::collections::HashMap;

use model::{Labels, LabelsBuilder, NAME};

use super::binary::{combined, combined_points, drops_name};
use super::column::{ABSENT, Column, Point, is_present, merge, without_name};
use super::noting::Noting;
use super::{Columns, Evaluation};
use crate::ast::{Binary, BinaryOperator, Cardinality, VectorMatching};
use crate::plan::{Node, Steps};
use crate::{EvalError, Interrupt, Span};

impl Evaluation<'_> {
    /// The value of an operator between two instant vectors, and of the chain that it ends.
    pub(super) fn match_vectors(
        &self,
        binary: &Binary,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let mut chain = binary.chain();
        chain.reverse();
        let mut left = self.vector(&node.inputs[0])?;
        for (index, binary) in chain.iter().enumerate() {
            // The next operator holds this one as its left operand, and so knows its place.
            let next = chain.get(index + 1);
            let span = next.map_or(node.span(), |next| next.left.unwrapped().span);
            let right = self.vector(&node.inputs[index + 1])?;
            let joined = if binary.operator.is_set() {
                merge(
                    set_operation(binary, left.list, right.list, node.steps, self.interrupt)?,
                    span,
                    self.interrupt,
                )?
            } else {
                self.join(binary, span, node.steps, &left.list, &right.list)?
            };
            drop((left.held, right.held));
            let mut held = self.budget.nothing();
            held.add(joined.len(), joined.iter().map(Column::weight).sum())?;
            left = Columns { list: joined, held };
        }
        Ok(left.list)
    }

    fn join(
        &self,
        binary: &Binary,
        span: Span,
        steps: Steps,
        left: &[Column],
        right: &[Column],
    ) -> Result<Vec<Column>, EvalError> {
        let matching = &binary.matching;
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped {
            (right, left)
        } else {
            (left, right)
        };
        let fill = |number: Option<crate::Number>| number.map(|number| number.0);
        let (fill_left, fill_right) = (fill(matching.fill.left), fill(matching.fill.right));
        let (fill_many, fill_one) = if swapped {
            (fill_right, fill_left)
        } else {
            (fill_left, fill_right)
        };
        let ones = Signatures::new(matching, one, self.interrupt)?;
        let manys = Signatures::new(matching, many, self.interrupt)?;
        check_one_side(&ones, many, steps, swapped, span)?;

        let noting = self.noting(span, "");
        let mut result = Joined::new(span);
        let mut held = self.budget.nothing();
        let mut met = |result: &mut Joined, signature, many: &[&Column], ones: &[&Column]| {
            self.interrupt.poll()?;
            let filled_one = fill_one.map(|value| filled(signature, value, steps, ones, many));
            let filled_many = fill_many.map(|value| filled(signature, value, steps, many, ones));
            result.start_group(many.len());
            for many in many.iter().copied().chain(&filled_many) {
                for one in ones.iter().copied().chain(&filled_one) {
                    held.add(1, steps.count)?;
                    self.interrupt.poll()?;
                    let mut column = pair(binary, swapped, many, one, &noting);
                    column.labels =
                        result_labels(binary, &many.labels, &one.labels, self.drops_names_late());
                    result.take(binary, many, one, &column)?;
                    // Whether a name was to go is forgotten: a filter gives it back, as in Prometheus.
                    column.drop_name = binary.return_bool && self.drops_names_late();
                    result.add(column);
                }
            }
            Ok::<_, EvalError>(())
        };
        for (signature, many) in &manys.groups {
            let ones = ones.find(signature).unwrap_or(&[]);
            if !ones.is_empty() || fill_one.is_some() {
                met(&mut result, signature, many, ones)?;
            }
        }
        if fill_many.is_some() {
            for (signature, ones) in &ones.groups {
                if manys.find(signature).is_none() {
                    met(&mut result, signature, &[], ones)?;
                }
            }
        }
        merge(result.columns, span, self.interrupt)
    }
}

/// What stands for series that are missing on a side, at the steps at which it has none and the other side has one.
fn filled(
    signature: &Labels,
    value: f64,
    steps: Steps,
    side: &[&Column],
    other: &[&Column],
) -> Column {
    let any = |columns: &[&Column], step| columns.iter().any(|column| column.is_present_at(step));
    let missing = |step: &usize| !any(side, *step) && any(other, *step);
    let mut column = Column::absent(signature.clone(), steps.count);
    for step in (0..steps.count).filter(missing) {
        column.values[step] = value;
    }
    column
}

/// Columns by signature, in the order of their first occurrence.
struct Signatures<'c> {
    places: HashMap<Labels, usize>,
    groups: Vec<(Labels, Vec<&'c Column>)>,
}

impl<'c> Signatures<'c> {
    fn new(
        matching: &VectorMatching,
        columns: &'c [Column],
        interrupt: &Interrupt,
    ) -> Result<Self, EvalError> {
        let mut signatures = Self {
            places: HashMap::with_capacity(columns.len()),
            groups: Vec::with_capacity(columns.len()),
        };
        for column in columns {
            interrupt.poll()?;
            let signature = signature(matching, &column.labels);
            let next = signatures.groups.len();
            let place = *signatures.places.entry(signature.clone()).or_insert(next);
            if place == next {
                signatures.groups.push((signature, Vec::new()));
            }
            signatures.groups[place].1.push(column);
        }
        Ok(signatures)
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
            let mut present = columns.iter().filter(|column| column.is_present_at(step));
            let (Some(first), Some(second)) = (present.next(), present.next()) else {
                continue;
            };
            if !many.iter().any(|column| column.is_present_at(step)) {
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
    /// Whether several series of the "many" side have the current signature.
    several: bool,
    /// At which steps a series has met one already: in one-to-one matching any series, which stands under no labels,
    /// and otherwise one with the same labels in the result.
    taken: HashMap<Labels, Vec<bool>>,
}

impl Joined {
    fn new(span: Span) -> Self {
        Self {
            span,
            columns: Vec::new(),
            several: false,
            taken: HashMap::new(),
        }
    }

    fn start_group(&mut self, many: usize) {
        self.taken.clear();
        self.several = many > 1;
    }

    /// Refuses a second series where one has met the other side, even if a comparison filters one of them away. What
    /// cannot be computed, such as a histogram plus a number, has not met.
    fn take(
        &mut self,
        binary: &Binary,
        many: &Column,
        one: &Column,
        result: &Column,
    ) -> Result<(), EvalError> {
        if !self.several {
            return Ok(());
        }
        let one_to_one = binary.matching.cardinality == Cardinality::OneToOne;
        let key = match one_to_one {
            true => Labels::empty(),
            false => result.labels.clone(),
        };
        let steps = result.values.len();
        let taken = self.taken.entry(key).or_insert_with(|| vec![false; steps]);
        for (step, taken) in taken.iter_mut().enumerate() {
            let met = result.is_present_at(step) || compares(binary, many, one, step);
            if met && *taken {
                return Err(EvalError::execution(
                    self.span,
                    match one_to_one {
                        true => {
                            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                        }
                        false => {
                            "multiple matches for labels: grouping labels must ensure unique matches"
                        }
                    },
                ));
            }
            *taken |= met;
        }
        Ok(())
    }

    fn add(&mut self, column: Column) {
        if column.has_values() {
            self.columns.push(column);
        }
    }
}

/// Whether a comparison has a result for what two series have at a step, be it that it filters them away.
fn compares(binary: &Binary, many: &Column, one: &Column, step: usize) -> bool {
    let for_histograms = matches!(
        binary.operator,
        BinaryOperator::Equal | BinaryOperator::NotEqual
    );
    binary.operator.is_comparison()
        && match (many.point(step), one.point(step)) {
            (Some(Point::Float(_)), Some(Point::Float(_))) => true,
            (Some(Point::Histogram(_)), Some(Point::Histogram(_))) => for_histograms,
            _ => false,
        }
}

/// What comes of two series, without labels.
fn pair(
    binary: &Binary,
    swapped: bool,
    many: &Column,
    one: &Column,
    noting: &Noting<'_>,
) -> Column {
    let floats_only = many.histograms.is_none() && one.histograms.is_none();
    if floats_only && !binary.operator.is_trim() {
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
        return Column::floats(Labels::empty(), values);
    }
    let mut column = Column::absent(Labels::empty(), many.values.len());
    for step in 0..many.values.len() {
        let (Some(many), Some(one)) = (many.point(step), one.point(step)) else {
            continue;
        };
        let (left, right): (Point, Point) = if swapped { (one, many) } else { (many, one) };
        column.set(step, combined_points(binary, &left, &right, &left, noting));
    }
    column.tidied()
}

fn result_labels(binary: &Binary, many: &Labels, one: &Labels, names_late: bool) -> Labels {
    let matching = &binary.matching;
    // Arithmetic drops the name at once even where others drop it at the end; it is the only one.
    let at_once = drops_name(binary) && !binary.operator.is_comparison();
    let kept = match at_once || drops_name(binary) && !names_late {
        true => without_name(many),
        false => many.clone(),
    };
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.cardinality == Cardinality::OneToOne {
        if matching.labels.is_empty() && !matching.on {
            return kept;
        }
        return kept.filtered(|name| listed(name) == matching.on);
    }
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
    interrupt: &Interrupt,
) -> Result<Vec<Column>, EvalError> {
    let matching = &binary.matching;
    // At which steps a side has any series of a signature.
    let presence = |columns: &[Column]| {
        let mut present: HashMap<Labels, Vec<bool>> = HashMap::with_capacity(columns.len());
        for column in columns {
            interrupt.poll()?;
            let signature = signature(matching, &column.labels);
            let entry = present
                .entry(signature)
                .or_insert_with(|| vec![false; steps.count]);
            for (step, present) in entry.iter_mut().enumerate() {
                *present |= column.is_present_at(step);
            }
        }
        Ok::<_, EvalError>(present)
    };
    let masked = |mut columns: Vec<Column>, other: &HashMap<Labels, Vec<bool>>, wanted: bool| {
        for column in &mut columns {
            interrupt.poll()?;
            let other = other.get(&signature(matching, &column.labels));
            for step in 0..column.values.len() {
                if other.is_some_and(|other| other[step]) != wanted {
                    column.set(step, None);
                }
            }
        }
        Ok(columns)
    };
    match binary.operator {
        BinaryOperator::And => masked(left, &presence(&right)?, true),
        BinaryOperator::Unless => masked(left, &presence(&right)?, false),
        _ => {
            let right = masked(right, &presence(&left)?, false)?;
            Ok(left.into_iter().chain(right).collect())
        }
    }
}
