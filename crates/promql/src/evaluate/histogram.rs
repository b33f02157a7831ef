//! `histogram_quantile` and `histogram_fraction` over classic histograms, whose buckets are series with `le`.

use std::collections::HashMap;

use model::{Labels, NAME};

use super::Evaluation;
use super::column::{ABSENT, Column, Steps, is_present, merge};
use crate::ast::Expr;
use crate::{EvalError, Span};

/// How far, relative to their sum, two counts may lie apart by rounding alone.
const TOLERANCE: f64 = 1e-12;

/// A bucket: how many observations were at most `upper_bound`.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    upper_bound: f64,
    count: f64,
}

/// The buckets of one histogram, by rising bound.
struct Histogram {
    labels: Labels,
    buckets: Vec<(f64, Vec<f64>)>,
}

impl Evaluation<'_> {
    pub(super) fn histogram_quantile(
        &self,
        arguments: &[Expr],
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let quantiles = self.scalar(&arguments[0], steps)?;
        let vector = &arguments[1];
        let histograms = self.histograms(vector, steps)?;
        self.warn_of_quantiles(arguments[0].span, &quantiles);
        self.over_histograms(histograms, span, steps, &|step, histogram, buckets| {
            let (value, forced) = quantile(quantiles[step], buckets);
            if forced {
                let name = histogram.metric_name();
                let text = format!(
                    "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name {name:?}"
                );
                self.annotations.inform(vector.span, &text);
            }
            value
        })
    }

    pub(super) fn histogram_fraction(
        &self,
        arguments: &[Expr],
        span: Span,
        steps: Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let lower = self.scalar(&arguments[0], steps)?;
        let upper = self.scalar(&arguments[1], steps)?;
        let histograms = self.histograms(&arguments[2], steps)?;
        self.over_histograms(histograms, span, steps, &|step, _, buckets| {
            fraction(lower[step], upper[step], buckets)
        })
    }

    /// The series of a vector, put together to histograms.
    fn histograms(&self, vector: &Expr, steps: Steps) -> Result<Vec<Histogram>, EvalError> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut histograms: Vec<Histogram> = Vec::new();
        self.stream(vector, steps, &mut |column| {
            let bound = column.labels.get("le").unwrap_or("");
            let Ok(upper_bound) = bound.parse::<f64>() else {
                let text = format!(
                    "bucket label \"le\" is missing or has a malformed value of {bound:?} for metric name {:?}",
                    column.labels.metric_name()
                );
                self.annotations.warn(vector.span, &text);
                return Ok(());
            };
            self.budget.hold(1, column.values.len())?;
            let labels = column.labels.filtered(|name| name != "le");
            let next = histograms.len();
            let place = *places.entry(labels.clone()).or_insert(next);
            if place == next {
                histograms.push(Histogram {
                    labels,
                    buckets: Vec::new(),
                });
            }
            histograms[place].buckets.push((upper_bound, column.values));
            Ok(())
        })?;
        for histogram in &mut histograms {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok(histograms)
    }

    fn over_histograms(
        &self,
        histograms: Vec<Histogram>,
        span: Span,
        steps: Steps,
        value: &dyn Fn(usize, &Labels, &mut Vec<Bucket>) -> f64,
    ) -> Result<Vec<Column>, EvalError> {
        let mut columns = Vec::with_capacity(histograms.len());
        let mut present: Vec<Bucket> = Vec::new();
        for histogram in histograms {
            self.interrupt.poll()?;
            let mut values = vec![ABSENT; steps.count];
            for (step, out) in values.iter_mut().enumerate() {
                present.clear();
                for (upper_bound, counts) in &histogram.buckets {
                    let (upper_bound, count) = (*upper_bound, counts[step]);
                    if !is_present(count) {
                        continue;
                    }
                    match present.last_mut() {
                        Some(last) if last.upper_bound == upper_bound => last.count += count,
                        _ => present.push(Bucket { upper_bound, count }),
                    }
                }
                if !present.is_empty() {
                    *out = value(step, &histogram.labels, &mut present);
                }
            }
            let buckets = histogram.buckets.len();
            self.budget.release(buckets, buckets * steps.count);
            columns.push(Column {
                labels: histogram.labels.filtered(|name| name != NAME),
                values,
            });
        }
        merge(columns, span)
    }
}

/// The quantile, by interpolation inside its bucket, and whether counts had to be raised to rise with the bounds.
///
/// The buckets are not empty, sorted, and of distinct bounds.
fn quantile(q: f64, buckets: &mut [Bucket]) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    let last = buckets.len() - 1;
    if buckets[last].upper_bound != f64::INFINITY {
        return (f64::NAN, false);
    }
    let forced = force_rising(buckets);
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, false);
    }
    let rank = q * observations;
    let found = buckets[..last].partition_point(|bucket| bucket.count < rank);
    if found == last {
        return (buckets[last - 1].upper_bound, forced);
    }
    let bucket = buckets[found];
    if found == 0 && bucket.upper_bound <= 0.0 {
        return (bucket.upper_bound, forced);
    }
    let before = match found {
        0 => Bucket {
            upper_bound: 0.0,
            count: 0.0,
        },
        _ => buckets[found - 1],
    };
    let share = (rank - before.count) / (bucket.count - before.count);
    let width = bucket.upper_bound - before.upper_bound;
    (before.upper_bound + width * share, forced)
}

/// Raises counts that lie below an earlier one; says whether there were any. What differs by rounding only is made
/// equal without a word, in whichever direction.
fn force_rising(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut highest = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let sum = highest.abs() + bucket.count.abs();
        let rounding = (bucket.count - highest).abs() < TOLERANCE * sum;
        if bucket.count > highest && !rounding {
            highest = bucket.count;
            continue;
        }
        forced |= bucket.count < highest && !rounding;
        bucket.count = highest;
    }
    forced
}

/// The share of observations between two bounds, by interpolation inside their buckets.
fn fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let last = buckets[buckets.len() - 1];
    let total = last.count;
    let known = last.upper_bound == f64::INFINITY && total != 0.0;
    if !known || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets) - rank_of(lower, buckets)) / total
}

/// How many observations lie below a bound.
fn rank_of(bound: f64, buckets: &[Bucket]) -> f64 {
    let total = buckets[buckets.len() - 1].count;
    let mut rank: f64 = 0.0;
    let mut start = match buckets[0].upper_bound {
        first if first > 0.0 => 0.0,
        _ => f64::NEG_INFINITY,
    };
    for bucket in buckets {
        if start >= bound {
            return rank.min(total);
        }
        if bucket.upper_bound > bound {
            if start == f64::NEG_INFINITY {
                // In a bucket without a start nothing is known of where its observations lie.
                return bucket.count.min(total);
            }
            let share = (bound - start) / (bucket.upper_bound - start);
            return (rank + (bucket.count - rank) * share).min(total);
        }
        rank = bucket.count;
        start = bucket.upper_bound;
    }
    total
}
