//! Functions of scalars and instant vectors, and the way into those of ranges.

use model::{Labels, LabelsBuilder, MatchKind, NAME};
use promql::{Call, Expr, ExprKind, SampleValue, ValueType};

use super::{Fault, Item, Moment, ranges, unknown};

impl Moment<'_> {
    pub(super) fn scalar_call(&self, call: &Call) -> Result<f64, Fault> {
        match call.function.name {
            "time" => Ok(self.at as f64 / 1000.0),
            "pi" => Ok(std::f64::consts::PI),
            "scalar" => {
                let items = self.vector(&call.arguments[0])?;
                let floats: Vec<f64> = items.iter().filter_map(Item::float).collect();
                Ok(if floats.len() == 1 {
                    floats[0]
                } else {
                    f64::NAN
                })
            }
            name => unknown(name),
        }
    }

    pub(super) fn call(&self, call: &Call) -> Result<Vec<Item>, Fault> {
        let name = call.function.name;
        let arguments = &call.arguments;
        if let Some(range) = arguments
            .iter()
            .find(|it| it.value_type() == ValueType::Matrix)
        {
            return self.range_call(name, range, arguments);
        }
        match name {
            "vector" => {
                let value = self.scalar(&arguments[0])?;
                return Ok(vec![self.item(Labels::empty(), value)]);
            }
            "absent" => return self.absent(&arguments[0]),
            "label_join" => return self.label_join(arguments),
            "timestamp" => {
                let is_selector =
                    matches!(arguments[0].unwrapped().kind, ExprKind::VectorSelector(_));
                let items = self.vector(&arguments[0])?.into_iter();
                let stamped = items.map(|item| {
                    let taken = if is_selector { item.taken } else { self.at };
                    item.with_float(taken as f64 / 1000.0).nameless()
                });
                return Ok(stamped.collect());
            }
            // A range query sorts by labels anyway.
            "sort" | "sort_desc" => {
                let mut items = self.vector(&arguments[0])?;
                items.retain(|item| item.float().is_some());
                return Ok(items);
            }
            _ => {}
        }
        let Some(vector) = arguments
            .iter()
            .find(|it| it.value_type() == ValueType::Vector)
        else {
            return unknown(name);
        };
        let mut scalars = Vec::new();
        for argument in arguments {
            if argument.value_type() == ValueType::Scalar {
                scalars.push(self.scalar(argument)?);
            }
        }
        let mut results = Vec::new();
        for item in self.vector(vector)? {
            let value = match &item.value {
                SampleValue::Float(value) => of_float(name, *value, &scalars)?,
                SampleValue::Histogram(histogram) => of_histogram(name, histogram, &scalars)?,
            };
            if let Some(value) = value {
                results.push(item.with_float(value).nameless());
            }
        }
        Ok(results)
    }

    fn range_call(&self, name: &str, range: &Expr, arguments: &[Expr]) -> Result<Vec<Item>, Fault> {
        let (items, covered) = self.ranges(range)?;
        if name == "absent_over_time" {
            return match items.is_empty() {
                true => Ok(vec![self.item(absent_labels(range), 1.0)]),
                false => Ok(Vec::new()),
            };
        }
        let parameter = arguments
            .iter()
            .find(|it| it.value_type() == ValueType::Scalar);
        let parameter = parameter.map_or(Ok(0.0), |parameter| self.scalar(parameter))?;
        let keeps_name = matches!(name, "last_over_time" | "first_over_time");
        let mut results = Vec::new();
        for item in items {
            if let Some(value) = ranges::over(name, &item, covered, parameter, self.at)? {
                results.push(Item {
                    drop_name: item.drop_name || !keeps_name,
                    labels: item.labels,
                    value,
                    taken: self.at,
                });
            }
        }
        Ok(results)
    }

    fn absent(&self, argument: &Expr) -> Result<Vec<Item>, Fault> {
        let items = self.vector(argument)?;
        match items.is_empty() {
            true => Ok(vec![self.item(absent_labels(argument), 1.0)]),
            false => Ok(Vec::new()),
        }
    }

    fn label_join(&self, arguments: &[Expr]) -> Result<Vec<Item>, Fault> {
        let text = |argument: &Expr| match &argument.unwrapped().kind {
            ExprKind::String(text) => text.clone(),
            _ => String::new(),
        };
        let texts: Vec<String> = arguments[1..].iter().map(text).collect();
        let mut items = self.vector(&arguments[0])?;
        for item in &mut items {
            let values = texts[2..]
                .iter()
                .map(|name| item.labels.get(name).unwrap_or(""));
            let joined = values.collect::<Vec<_>>().join(&texts[1]);
            let mut labels = LabelsBuilder::from_labels(&item.labels);
            labels.set(&texts[0], &joined);
            item.labels = match labels.build() {
                Ok(labels) => labels,
                Err(_) => return unknown("labels that are none"),
            };
            if texts[0] == NAME {
                item.drop_name = false;
            }
        }
        Ok(items)
    }
}

/// The labels that the absent series would have for sure.
fn absent_labels(expr: &Expr) -> Labels {
    let matchers = match &expr.unwrapped().kind {
        ExprKind::VectorSelector(selector) | ExprKind::MatrixSelector { selector, .. } => {
            &selector.matchers
        }
        _ => return Labels::empty(),
    };
    let mut labels = LabelsBuilder::new();
    let mut set: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|it| it.name() != NAME) {
        // What is said twice is not sure.
        if matcher.kind() == MatchKind::Equal && !set.contains(&matcher.name()) {
            labels.set(matcher.name(), matcher.value());
            set.push(matcher.name());
        } else {
            labels.set(matcher.name(), "");
        }
    }
    labels.build().unwrap_or_else(|_| Labels::empty())
}

/// A function of one number, with its scalar arguments.
fn of_float(name: &str, value: f64, scalars: &[f64]) -> Result<Option<f64>, Fault> {
    Ok(Some(match name {
        "abs" => value.abs(),
        "ceil" => value.ceil(),
        "floor" => value.floor(),
        "sqrt" => value.sqrt(),
        "deg" => value * 180.0 / std::f64::consts::PI,
        "rad" => value * std::f64::consts::PI / 180.0,
        "sgn" => match value {
            value if value < 0.0 => -1.0,
            value if value > 0.0 => 1.0,
            value => value,
        },
        "clamp" if scalars[1] < scalars[0] => return Ok(None),
        "clamp" => most(scalars[0], least(scalars[1], value)),
        "clamp_min" => most(scalars[0], value),
        "clamp_max" => least(scalars[0], value),
        "round" => {
            let inverse = 1.0 / scalars.first().copied().unwrap_or(1.0);
            (value * inverse + 0.5).floor() / inverse
        }
        // Numbers are no histograms; those that are buckets have bounds, which no series here has.
        "histogram_count" | "histogram_sum" | "histogram_avg" => return Ok(None),
        "histogram_stddev" | "histogram_stdvar" => return Ok(None),
        "histogram_quantile" | "histogram_fraction" => return Ok(None),
        _ => return unknown(name),
    }))
}

/// A function of one histogram; most functions of vectors leave histograms out.
fn of_histogram(
    name: &str,
    histogram: &promql::FloatHistogram,
    scalars: &[f64],
) -> Result<Option<f64>, Fault> {
    Ok(Some(match name {
        "histogram_count" => histogram.count,
        "histogram_sum" => histogram.sum,
        "histogram_avg" => histogram.sum / histogram.count,
        "histogram_stddev" => histogram.stddev(),
        "histogram_stdvar" => histogram.stdvar(),
        "histogram_quantile" => histogram.quantile(scalars[0]).value,
        "histogram_fraction" => histogram.fraction(scalars[0], scalars[1]).value,
        _ => return Ok(None),
    }))
}

/// The greater: infinity if one is it, else NaN if one is it; of two zeros the positive one.
fn most(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == 0.0 && b == 0.0 {
        return if a.is_sign_negative() { b } else { a };
    }
    if a > b { a } else { b }
}

/// The smaller, in the same way.
fn least(a: f64, b: f64) -> f64 {
    -most(-a, -b)
}
