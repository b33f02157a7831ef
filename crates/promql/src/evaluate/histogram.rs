//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, over native and classic histograms.

use std::collections::{BTreeMap, HashMap};

use model::{Labels, Timestamp};

use super::classic::{self, Bucket, Forced};
use super::column::{ABSENT, Column, Point, is_present, merge};
use super::noting::Noting;
use super::{Evaluation, labels, rank, string};
use crate::ast::Call;
use crate::plan::{Node, Steps};
use crate::{EvalError, FloatHistogram, ObservedNans, Span};

/// What is written of quantiles whose buckets' counts fell.
const FORCED: &str = "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

/// The series of one name and labels: the buckets of a classic histogram, a native one, or both at different steps.
struct Histogram {
    labels: Labels,
    drop_name: bool,
    /// By rising bound.
    buckets: Vec<(f64, Vec<f64>)>,
    native: Option<Column>,
}

/// Histograms in the order of their first series.
#[derive(Default)]
struct Histograms {
    places: HashMap<Labels, usize>,
    list: Vec<Histogram>,
}

impl Histograms {
    /// The histogram of these labels.
    fn of(&mut self, labels: Labels, drop_name: bool) -> &mut Histogram {
        let next = self.list.len();
        let place = *self.places.entry(labels.clone()).or_insert(next);
        if place == next {
            self.list.push(Histogram {
                labels,
                drop_name,
                buckets: Vec::new(),
                native: None,
            });
        }
        &mut self.list[place]
    }
}

/// What a function computes at a step.
trait OfHistogram {
    fn classic(&mut self, step: usize, metric: &str, buckets: &mut [Bucket]) -> f64;
    fn native(&mut self, step: usize, metric: &str, histogram: &FloatHistogram) -> f64;
}

impl Evaluation<'_> {
    pub(super) fn histogram_quantile(
        &self,
        call: &Call,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let quantiles = self.scalar(&node.inputs[0])?;
        let (mut histograms, _held) = self.histograms(&node.inputs[1])?;
        let mut of = QuantileOf {
            evaluation: self,
            quantiles: &quantiles,
            noted_at: call.arguments[0].span,
            steps: node.steps,
            forced: BTreeMap::new(),
        };
        self.warn_of_quantiles(call.arguments[0].span, &quantiles);
        let columns = self.over_histograms(&mut histograms, node, 1, &mut of)?;
        of.note_forced(node.inputs[1].span());
        merge(columns, node.span(), self.interrupt)
    }

    pub(super) fn histogram_quantiles(
        &self,
        call: &Call,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let label = string(&call.arguments[1]);
        let (mut histograms, _held) = self.histograms(&node.inputs[0])?;
        let mut held = self.budget.nothing();
        let mut all: Vec<Column> = Vec::new();
        for (argument, input) in call.arguments.iter().zip(&node.inputs).skip(2) {
            let quantiles = self.scalar(input)?;
            self.warn_of_quantiles(argument.span, &quantiles);
            let mut of = QuantileOf {
                evaluation: self,
                quantiles: &quantiles,
                noted_at: call.arguments[0].span,
                steps: node.steps,
                forced: BTreeMap::new(),
            };
            let columns = self.over_histograms(&mut histograms, node, 0, &mut of)?;
            of.note_forced(call.arguments[0].span);
            for column in columns {
                // One column for each quantile, which as a rule is the same at all steps.
                let mut places: BTreeMap<u64, usize> = BTreeMap::new();
                for (step, q) in quantiles.iter().enumerate() {
                    if !is_present(column.values[step]) {
                        continue;
                    }
                    let next = all.len();
                    let place = *places.entry(q.to_bits()).or_insert(next);
                    if place == next {
                        let labels = labels::with_label(&column.labels, label, &shown_quantile(*q))
                            .map_err(|error| {
                                EvalError::execution(node.span(), error.to_string())
                            })?;
                        let mut one = Column::absent(labels, column.values.len());
                        one.drop_name = column.drop_name;
                        held.add(1, one.weight())?;
                        all.push(one);
                    }
                    all[place].values[step] = column.values[step];
                }
            }
        }
        merge(all, node.span(), self.interrupt)
    }

    pub(super) fn histogram_fraction(
        &self,
        call: &Call,
        node: &Node<'_>,
    ) -> Result<Vec<Column>, EvalError> {
        let lower = self.scalar(&node.inputs[0])?;
        let upper = self.scalar(&node.inputs[1])?;
        let (mut histograms, _held) = self.histograms(&node.inputs[2])?;
        let mut of = FractionOf {
            evaluation: self,
            lower: &lower,
            upper: &upper,
            noted_at: call.arguments[0].span,
        };
        let columns = self.over_histograms(&mut histograms, node, 2, &mut of)?;
        merge(columns, node.span(), self.interrupt)
    }

    /// The series of a vector, put together to histograms.
    fn histograms<'p>(
        &'p self,
        input: &Node<'_>,
    ) -> Result<(Vec<Histogram>, super::Held<'p>), EvalError> {
        let mut all = Histograms::default();
        let mut held = self.budget.nothing();
        self.stream(input, &mut |mut column| {
            held.add(1, column.weight())?;
            if column.histograms.is_some() {
                // A series with `le` that holds native histograms is one of its own, whatever `le` says.
                let native = Column {
                    values: vec![ABSENT; column.values.len()],
                    ..column.clone()
                };
                let of = all.of(column.labels.clone(), column.drop_name);
                of.native = Some(native);
                column.histograms = None;
                if !column.has_values() {
                    return Ok(());
                }
            }
            let bound = column.labels.get("le").unwrap_or("");
            let Some(upper_bound) = parse_bound(bound) else {
                let metric = column.labels.metric_name();
                let noting = self.noting(input.span(), metric);
                let text = format!(
                    "bucket label \"le\" is missing or has a malformed value of {}",
                    model::quoted(bound)
                );
                noting.warn(&noting.with_metric(&text));
                return Ok(());
            };
            let labels = column.labels.filtered(|name| name != "le");
            let of = all.of(labels, column.drop_name);
            of.buckets.push((upper_bound, column.values));
            Ok(())
        })?;
        for histogram in &mut all.list {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok((all.list, held))
    }

    fn over_histograms(
        &self,
        histograms: &mut [Histogram],
        node: &Node<'_>,
        input: usize,
        of: &mut dyn OfHistogram,
    ) -> Result<Vec<Column>, EvalError> {
        let span = node.inputs[input].span();
        let mut columns = Vec::with_capacity(histograms.len());
        let mut present: Vec<Bucket> = Vec::new();
        for histogram in histograms {
            self.interrupt.poll()?;
            let metric = histogram.labels.metric_name();
            // Where names are dropped at once, nothing knows them here.
            let named = if self.drops_names_late() { metric } else { "" };
            let mut column = Column::absent(histogram.labels.clone(), node.steps.count);
            column.drop_name = histogram.drop_name;
            for step in 0..node.steps.count {
                present_buckets(&histogram.buckets, step, &mut present);
                let native = histogram.native.as_ref();
                let native = native.and_then(|native| native.point(step));
                column.values[step] = match native {
                    Some(Point::Histogram(_)) if !present.is_empty() => {
                        let noting = self.noting(span, metric);
                        let text = "vector contains a mix of classic and native histograms";
                        noting.warn(&noting.with_metric(text));
                        ABSENT
                    }
                    Some(Point::Histogram(native)) => of.native(step, named, &native),
                    _ if !present.is_empty() => of.classic(step, named, &mut present),
                    _ => ABSENT,
                };
            }
            let column = self.unnamed(column);
            if column.has_values() {
                columns.push(column);
            }
        }
        Ok(columns)
    }
}

/// The buckets that have a count at a step, those of equal bounds put together.
fn present_buckets(buckets: &[(f64, Vec<f64>)], step: usize, present: &mut Vec<Bucket>) {
    present.clear();
    for (upper_bound, counts) in buckets {
        let (upper_bound, count) = (*upper_bound, counts[step]);
        if !is_present(count) {
            continue;
        }
        match present.last_mut() {
            Some(last) if last.upper_bound == upper_bound => last.count += count,
            _ => present.push(Bucket { upper_bound, count }),
        }
    }
}

struct QuantileOf<'q> {
    evaluation: &'q Evaluation<'q>,
    quantiles: &'q [f64],
    noted_at: Span,
    steps: Steps,
    /// By metric, where counts were raised.
    forced: BTreeMap<String, ForcedSteps>,
}

/// Where the counts of a metric were raised, how often, and from when to when.
struct ForcedSteps {
    forced: Forced,
    count: u64,
    first: i64,
    last: i64,
}

impl OfHistogram for QuantileOf<'_> {
    fn classic(&mut self, step: usize, metric: &str, buckets: &mut [Bucket]) -> f64 {
        let (value, forced) = classic::quantile(self.quantiles[step], buckets);
        if let Some(forced) = forced {
            let at = self.steps.at(step);
            let of_metric = self.forced.entry(metric.to_owned()).or_insert(ForcedSteps {
                forced,
                count: 0,
                first: at,
                last: at,
            });
            of_metric.forced = of_metric.forced.and(forced);
            of_metric.count += 1;
            of_metric.first = of_metric.first.min(at);
            of_metric.last = of_metric.last.max(at);
        }
        value
    }

    fn native(&mut self, step: usize, metric: &str, histogram: &FloatHistogram) -> f64 {
        let quantile = histogram.quantile(self.quantiles[step]);
        let noting: Noting<'_> = self.evaluation.noting(self.noted_at, metric);
        match quantile.nans {
            ObservedNans::None => {}
            ObservedNans::Result => noting
                .inform(&noting.with_metric(
                    "input to histogram_quantile has NaN observations, result is NaN",
                )),
            ObservedNans::Skew => noting.inform(&noting.with_metric(
                "input to histogram_quantile has NaN observations, result is skewed higher",
            )),
        }
        quantile.value
    }
}

impl QuantileOf<'_> {
    fn note_forced(&self, span: Span) {
        for (metric, steps) in &self.forced {
            let noting = self.evaluation.noting(span, metric);
            let forced = steps.forced;
            let text = format!(
                "{}, from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                noting.with_metric(FORCED),
                rank::shown(forced.lowest),
                rank::shown(forced.highest),
                two_digits(forced.difference),
                steps.count,
                second(steps.first),
                second(steps.last),
            );
            noting.inform(&text);
        }
    }
}

struct FractionOf<'q> {
    evaluation: &'q Evaluation<'q>,
    lower: &'q [f64],
    upper: &'q [f64],
    noted_at: Span,
}

impl OfHistogram for FractionOf<'_> {
    fn classic(&mut self, step: usize, _: &str, buckets: &mut [Bucket]) -> f64 {
        classic::fraction(self.lower[step], self.upper[step], buckets)
    }

    fn native(&mut self, step: usize, metric: &str, histogram: &FloatHistogram) -> f64 {
        let fraction = histogram.fraction(self.lower[step], self.upper[step]);
        if fraction.nans_excluded {
            let noting = self.evaluation.noting(self.noted_at, metric);
            noting.inform(&noting.with_metric(
                "input to histogram_fraction has NaN observations, which are excluded from all fractions",
            ));
        }
        fraction.value
    }
}

/// A bound as `le` writes it.
fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A quantile as a label's value: always with a fraction or an exponent, as `le` and `quantile` are in OpenMetrics.
fn shown_quantile(q: f64) -> String {
    let shown = rank::shown(q);
    let plain = shown
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    if plain { shown + ".0" } else { shown }
}

/// A number with two significant digits.
fn two_digits(value: f64) -> String {
    match format!("{value:.1e}").parse::<f64>() {
        Ok(rounded) => rank::shown(rounded),
        Err(_) => rank::shown(value),
    }
}

/// A moment to the second, in UTC.
fn second(millis: i64) -> String {
    let seconds = Timestamp::from_millis(millis).as_millis().div_euclid(1000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = model::date::date_from_days(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
