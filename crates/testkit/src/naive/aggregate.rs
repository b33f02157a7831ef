//! Aggregations: the items of each group, in the order of their labels, and what is made of them.

use std::sync::Arc;

use model::{Labels, LabelsBuilder};
use promql::{
    Aggregate, AggregateOperator, ExprKind, FloatHistogram, Grouping, KahanHistogram, SampleValue,
};

use super::numbers::{self, Sum};
use super::{Fault, Item, Moment, same_labels, unknown, without_name};

impl Moment<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate) -> Result<Vec<Item>, Fault> {
        use AggregateOperator::{Bottomk, CountValues, Limitk, Quantile, Topk};
        let items = self.vector(&aggregate.expr)?;
        if aggregate.operator == CountValues {
            return count_values(aggregate, items);
        }
        let parameter = match &aggregate.parameter {
            Some(parameter) => self.scalar(parameter)?,
            None => 0.0,
        };
        if matches!(aggregate.operator, Topk | Bottomk | Limitk) {
            check_count(parameter)?;
        }
        let groups = grouped(&aggregate.grouping, items);
        let mut results = Vec::new();
        for (labels, items) in groups {
            match aggregate.operator {
                Topk | Bottomk | Limitk => {
                    // A number of elements below 1 asks for none.
                    let count = parameter as usize;
                    results.extend(selected(aggregate.operator, count, items));
                }
                operator => {
                    let quantile = if operator == Quantile { parameter } else { 0.0 };
                    if let Some(value) = folded(operator, quantile, &items)? {
                        results.push(Item {
                            labels,
                            drop_name: items[0].drop_name,
                            value,
                            taken: self.at,
                        });
                    }
                }
            }
        }
        Ok(results)
    }
}

/// A number of elements must be a number that is not too large.
fn check_count(parameter: f64) -> Result<(), Fault> {
    let text = match parameter {
        parameter if parameter.is_nan() => "Parameter value is NaN".to_owned(),
        parameter if parameter >= 2_f64.powi(63) => {
            format!("Scalar value {parameter} overflows int64")
        }
        parameter if parameter <= -(2_f64.powi(63)) => {
            format!("Scalar value {parameter} underflows int64")
        }
        _ => return Ok(()),
    };
    Err(Fault::Execution(text))
}

fn group_labels(grouping: &Grouping, labels: &Labels) -> Labels {
    let listed = |name: &str| grouping.labels.iter().any(|label| label == name);
    match grouping.without {
        true => without_name(labels).filtered(|name| !listed(name)),
        false => labels.filtered(listed),
    }
}

fn grouped(grouping: &Grouping, items: Vec<Item>) -> Vec<(Labels, Vec<Item>)> {
    let mut groups: Vec<(Labels, Vec<Item>)> = Vec::new();
    for item in items {
        let labels = group_labels(grouping, &item.labels);
        match groups.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, group)) => group.push(item),
            None => groups.push((labels, vec![item])),
        }
    }
    groups
}

/// The value of a group; none if it has none.
fn folded(
    operator: AggregateOperator,
    quantile: f64,
    items: &[Item],
) -> Result<Option<SampleValue>, Fault> {
    use AggregateOperator::{Avg, Count, Group, Max, Min, Quantile, Stddev, Stdvar, Sum as Total};
    let floats: Vec<f64> = items.iter().filter_map(Item::float).collect();
    let histograms: Vec<_> = items.iter().filter_map(Item::histogram).collect();
    match operator {
        Count => return Ok(Some((items.len() as f64).into())),
        Group => return Ok(Some(1.0.into())),
        Total | Avg if floats.is_empty() => return Ok(sum_of_histograms(operator, &histograms)),
        // Numbers and histograms together have no sum.
        Total | Avg if !histograms.is_empty() => return Ok(None),
        _ if floats.is_empty() => return Ok(None),
        _ => {}
    }
    let first = floats[0];
    let value = match operator {
        Total => {
            let rest = &floats[1..];
            let start = Sum {
                sum: first,
                rest: 0.0,
            };
            let sum = rest.iter().fold(start, |sum, value| sum.add(*value));
            sum.sum + sum.rest
        }
        Avg => numbers::mean(&floats),
        Min => floats.iter().fold(first, |least, value| {
            if *value < least || least.is_nan() {
                *value
            } else {
                least
            }
        }),
        Max => floats.iter().fold(first, |most, value| {
            if *value > most || most.is_nan() {
                *value
            } else {
                most
            }
        }),
        Stdvar => variance(&floats),
        Stddev => variance(&floats).sqrt(),
        Quantile => numbers::quantile(quantile, &floats),
        _ => return unknown(operator.as_str()),
    };
    Ok(Some(value.into()))
}

/// The variance of a group, without compensation.
fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (
        values[0],
        if values[0].is_finite() { 0.0 } else { f64::NAN },
    );
    let mut count = 1.0;
    for value in &values[1..] {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

fn sum_of_histograms(
    operator: AggregateOperator,
    histograms: &[&Arc<FloatHistogram>],
) -> Option<SampleValue> {
    let (first, rest) = histograms.split_first()?;
    let mut sum = KahanHistogram::new(FloatHistogram::clone(first));
    for histogram in rest {
        // Exponential and custom buckets have no sum.
        sum.add(histogram).ok()?;
    }
    if operator == AggregateOperator::Avg {
        sum.div(histograms.len() as f64);
    }
    let mut total = sum.total();
    total.compact(0);
    Some(SampleValue::Histogram(Arc::new(total)))
}

/// The first, the highest or the lowest; of equal ones those stay that a binary heap happens to keep.
fn selected(operator: AggregateOperator, count: usize, items: Vec<Item>) -> Vec<Item> {
    if count == 0 {
        return Vec::new();
    }
    if operator == AggregateOperator::Limitk {
        return items.into_iter().take(count).collect();
    }
    let is_top = operator == AggregateOperator::Topk;
    let before = |a: &Item, b: &Item| {
        let (a, b) = (number(a), number(b));
        a.is_nan() || if is_top { a < b } else { a > b }
    };
    let mut heap: Vec<Item> = Vec::new();
    for item in items.into_iter().filter(|item| item.float().is_some()) {
        if heap.len() < count {
            heap.push(item);
            let mut child = heap.len() - 1;
            while child > 0 {
                let parent = (child - 1) / 2;
                if !before(&heap[child], &heap[parent]) {
                    break;
                }
                heap.swap(child, parent);
                child = parent;
            }
            continue;
        }
        let (root, new) = (number(&heap[0]), number(&item));
        let better = if is_top { root < new } else { root > new };
        if better || root.is_nan() && !new.is_nan() {
            heap[0] = item;
            sink(&mut heap, &before);
        }
    }
    // The best first, as an instant query shows them; NaN is the worst.
    heap.sort_by(|a, b| {
        let (x, y) = (number(a), number(b));
        let ascending = x.partial_cmp(&y).unwrap_or(std::cmp::Ordering::Equal);
        let by_value = if is_top {
            ascending.reverse()
        } else {
            ascending
        };
        x.is_nan().cmp(&y.is_nan()).then(by_value)
    });
    heap
}

fn sink(heap: &mut [Item], before: &dyn Fn(&Item, &Item) -> bool) {
    let mut parent = 0;
    loop {
        let left = 2 * parent + 1;
        if left >= heap.len() {
            return;
        }
        let right = left + 1;
        let child = match right < heap.len() && before(&heap[right], &heap[left]) {
            true => right,
            false => left,
        };
        if !before(&heap[child], &heap[parent]) {
            return;
        }
        heap.swap(parent, child);
        parent = child;
    }
}

fn number(item: &Item) -> f64 {
    item.float().unwrap_or(f64::NAN)
}

/// How often each value occurs, which becomes a label.
fn count_values(aggregate: &Aggregate, items: Vec<Item>) -> Result<Vec<Item>, Fault> {
    let name = match aggregate.parameter.as_ref().map(|it| &it.unwrapped().kind) {
        Some(ExprKind::String(name)) => name,
        _ => return unknown("count_values without a label"),
    };
    let mut results: Vec<Item> = Vec::new();
    for item in items {
        let Some(value) = item.float() else {
            return unknown("count_values of histograms");
        };
        let shown = match value {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value => value.to_string(),
        };
        // The new label takes the place of one that a group has.
        let group = group_labels(&aggregate.grouping, &item.labels);
        let mut labels = LabelsBuilder::from_labels(&group);
        if !aggregate.grouping.without || !aggregate.grouping.labels.contains(name) {
            labels.set(name, &shown);
        }
        let Ok(labels) = labels.build() else {
            return same_labels();
        };
        match results.iter_mut().find(|known| known.labels == labels) {
            Some(known) => known.value = (known.float().unwrap_or(0.0) + 1.0).into(),
            None => results.push(Item {
                labels,
                // Names that a group is made by stay, even if they were to go.
                drop_name: false,
                value: 1.0.into(),
                taken: item.taken,
            }),
        }
    }
    Ok(results)
}
