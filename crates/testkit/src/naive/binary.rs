//! Operators between two numbers, a vector and a number, and two vectors.

use std::sync::Arc;

use model::{Labels, LabelsBuilder, NAME};
use promql::{Binary, BinaryOperator, Cardinality, SampleValue, ValueType, VectorMatching};

use super::{Fault, Item, Moment, same_labels, unknown, without_name};

/// The value of an operator between numbers; a comparison gives 0 or 1.
pub(super) fn of_scalars(operator: BinaryOperator, left: f64, right: f64) -> f64 {
    match of_floats(operator, left, right) {
        (value, None) => value,
        (_, Some(holds)) => f64::from(u8::from(holds)),
    }
}

/// The value, and for a comparison whether it holds; what stays is the left number.
fn of_floats(operator: BinaryOperator, left: f64, right: f64) -> (f64, Option<bool>) {
    use BinaryOperator as Op;
    let value = match operator {
        Op::Add => left + right,
        Op::Subtract => left - right,
        Op::Multiply => left * right,
        Op::Divide => left / right,
        Op::Modulo => left % right,
        Op::Power => left.powf(right),
        Op::Atan2 => left.atan2(right),
        Op::Equal => return (left, Some(left == right)),
        Op::NotEqual => return (left, Some(left != right)),
        Op::Greater => return (left, Some(left > right)),
        Op::GreaterOrEqual => return (left, Some(left >= right)),
        Op::Less => return (left, Some(left < right)),
        Op::LessOrEqual => return (left, Some(left <= right)),
        _ => f64::NAN,
    };
    (value, None)
}

/// The same for numbers and histograms; none if the two have no such operator.
fn of_values(
    operator: BinaryOperator,
    left: &SampleValue,
    right: &SampleValue,
) -> Result<Option<(SampleValue, Option<bool>)>, Fault> {
    use BinaryOperator as Op;
    use SampleValue::{Float, Histogram};
    let mut result = match (left, right) {
        (Float(left), Float(right)) => {
            let (value, holds) = of_floats(operator, *left, *right);
            return Ok(Some((value.into(), holds)));
        }
        (Float(factor), Histogram(histogram)) if operator == Op::Multiply => {
            let mut result = histogram.as_ref().clone();
            result.mul(*factor);
            result
        }
        (Histogram(histogram), Float(factor)) => match operator {
            Op::Multiply => {
                let mut result = histogram.as_ref().clone();
                result.mul(*factor);
                result
            }
            Op::Divide => {
                let mut result = histogram.as_ref().clone();
                result.div(*factor);
                result
            }
            Op::Add | Op::Subtract | Op::Power | Op::Modulo | Op::Atan2 => return Ok(None),
            operator if operator.is_comparison() => return Ok(None),
            operator => return unknown(format!("a histogram {} a number", operator.as_str())),
        },
        (Histogram(left), Histogram(right)) => match operator {
            Op::Add => {
                let mut result = left.as_ref().clone();
                match result.add(right) {
                    Ok(_) => result,
                    Err(_) => return Ok(None),
                }
            }
            Op::Multiply | Op::Divide | Op::Modulo | Op::Power | Op::Atan2 => return Ok(None),
            Op::Greater | Op::GreaterOrEqual | Op::Less | Op::LessOrEqual => return Ok(None),
            operator => return unknown(format!("a histogram {} another", operator.as_str())),
        },
        (Float(_), Histogram(_)) => return Ok(None),
    };
    result.compact(0);
    Ok(Some((Histogram(Arc::new(result)), None)))
}

impl Moment<'_> {
    pub(super) fn binary(&self, binary: &Binary) -> Result<Vec<Item>, Fault> {
        let is_scalar = |side: &promql::Expr| side.value_type() == ValueType::Scalar;
        if is_scalar(&binary.right) {
            let scalar = self.scalar(&binary.right)?.into();
            let items = self.vector(&binary.left)?;
            return with_scalar(binary, items, &scalar, false);
        }
        if is_scalar(&binary.left) {
            let scalar = self.scalar(&binary.left)?.into();
            let items = self.vector(&binary.right)?;
            return with_scalar(binary, items, &scalar, true);
        }
        if !binary.matching.fill.is_none() {
            return unknown("fill");
        }
        let (left, right) = (self.vector(&binary.left)?, self.vector(&binary.right)?);
        match binary.operator.is_set() {
            true => Ok(of_sets(binary, left, right)),
            false => matched(binary, left, right),
        }
    }
}

fn with_scalar(
    binary: &Binary,
    items: Vec<Item>,
    scalar: &SampleValue,
    scalar_is_left: bool,
) -> Result<Vec<Item>, Fault> {
    let operator = binary.operator;
    let mut results = Vec::new();
    for mut item in items {
        let value = match scalar_is_left {
            true => of_values(operator, scalar, &item.value)?,
            false => of_values(operator, &item.value, scalar)?,
        };
        let Some((value, holds)) = value else {
            continue;
        };
        match holds {
            None => {
                item.value = value;
                item.drop_name = true;
            }
            Some(holds) if binary.return_bool => {
                item = item.with_float(f64::from(u8::from(holds))).nameless();
            }
            Some(true) => {}
            Some(false) => continue,
        }
        results.push(item);
    }
    Ok(results)
}

/// The labels by which two elements meet.
fn signature(matching: &VectorMatching, labels: &Labels) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    match matching.on {
        true => labels.filtered(listed),
        false => labels.filtered(|name| name != NAME && !listed(name)),
    }
}

fn of_sets(binary: &Binary, left: Vec<Item>, right: Vec<Item>) -> Vec<Item> {
    let sign = |item: &Item| signature(&binary.matching, &item.labels);
    let meets = |item: &Item, others: &[Item]| others.iter().any(|it| sign(it) == sign(item));
    match binary.operator {
        BinaryOperator::And => left.into_iter().filter(|it| meets(it, &right)).collect(),
        BinaryOperator::Unless => left.into_iter().filter(|it| !meets(it, &right)).collect(),
        _ => {
            let more: Vec<_> = right.into_iter().filter(|it| !meets(it, &left)).collect();
            left.into_iter().chain(more).collect()
        }
    }
}

/// Each element of the "many" side with the one that it meets on the other.
fn matched(binary: &Binary, left: Vec<Item>, right: Vec<Item>) -> Result<Vec<Item>, Fault> {
    let matching = &binary.matching;
    let swapped = matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped {
        (right, left)
    } else {
        (left, right)
    };
    // An empty side has no matches, and so no wrong ones.
    if many.is_empty() || one.is_empty() {
        return Ok(Vec::new());
    }
    let sign = |item: &Item| signature(matching, &item.labels);
    for (index, item) in one.iter().enumerate() {
        if one[..index].iter().any(|other| sign(other) == sign(item)) {
            let text = "found duplicate series for the match group";
            return Err(Fault::Execution(text.to_owned()));
        }
    }
    let refused = || Err(Fault::Execution("multiple matches for labels".to_owned()));
    let mut met: Vec<Labels> = Vec::new();
    let mut grouped: Vec<(Labels, String)> = Vec::new();
    let mut results: Vec<Item> = Vec::new();
    for item in &many {
        let Some(other) = one.iter().find(|other| sign(other) == sign(item)) else {
            continue;
        };
        let (left, right) = if swapped {
            (other, item)
        } else {
            (item, other)
        };
        // What cannot be computed does not meet.
        let Some((value, holds)) = of_values(binary.operator, &left.value, &right.value)? else {
            continue;
        };
        let labels = result_labels(binary, &item.labels, &other.labels)?;
        // Two that meet the same one are refused even if a comparison lets neither through.
        if matching.cardinality == Cardinality::OneToOne {
            if met.contains(&sign(item)) {
                return refused();
            }
            met.push(sign(item));
        } else {
            let name = item.labels.metric_name();
            match grouped.iter().find(|(known, _)| *known == labels) {
                Some((_, known)) if *known == name => return refused(),
                // Those that differ by their names only are left to the scripts.
                Some(_) => return unknown("elements of one group with the same labels"),
                None => grouped.push((labels.clone(), name.to_owned())),
            }
        }
        let value = match holds {
            Some(holds) if binary.return_bool => f64::from(u8::from(holds)).into(),
            Some(false) => continue,
            Some(true) | None => value,
        };
        results.push(Item {
            labels,
            drop_name: binary.return_bool,
            value,
            taken: item.taken,
        });
    }
    Ok(results)
}

fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Result<Labels, Fault> {
    let matching = &binary.matching;
    let mut labels = match binary.operator.is_comparison() {
        true => many.clone(),
        false => without_name(many),
    };
    if matching.cardinality == Cardinality::OneToOne {
        let listed = |name: &str| matching.labels.iter().any(|label| label == name);
        labels = labels.filtered(|name| listed(name) == matching.on);
    }
    let mut builder = LabelsBuilder::from_labels(&labels);
    for name in &matching.include {
        builder.set(name, one.get(name).unwrap_or(""));
    }
    match builder.build() {
        Ok(labels) => Ok(labels),
        Err(_) => same_labels(),
    }
}
