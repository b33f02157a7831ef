//! A rule and its state: the result of its query in, samples out.
//!
//! Each series of the result gets the rule's labels; two that become one are an error. A recording rule gives them
//! out; an alerting rule moves its alerts on ([`ActiveAlert::apply`]) and gives out `ALERTS` and `ALERTS_FOR_STATE`.
//! What was given out last time and is not now ends with a stale marker. An evaluation that fails changes nothing
//! but the rule's health; a breached limit also clears the alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{Labels, LabelsBuilder, NAME, Timestamp, stale_marker};
use promql::{SampleValue, Value, VectorSample};

use crate::template::{Data, Expander};
use crate::{ActiveAlert, AlertState, Environment, RuleDefinition, RuleKind, Template};

const ALERT_NAME: &str = "alertname";

/// What a rule's evaluation gives, or why it gives nothing.
type Series = Vec<(Labels, SampleValue)>;

/// Whether a rule's last evaluation went well.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RuleHealth {
    /// It was not evaluated yet.
    #[default]
    Unknown,
    /// It went well.
    Good,
    /// It failed, with this message.
    Bad(String),
}

/// A rule with its state.
#[derive(Clone, Debug)]
pub struct Rule {
    definition: RuleDefinition,
    health: RuleHealth,
    warnings: Vec<String>,
    evaluated_at: Option<Timestamp>,
    pub(crate) alerts: BTreeMap<Labels, ActiveAlert>,
    /// What the last good evaluation gave out.
    pub(crate) series: BTreeSet<Labels>,
}

/// What all rules of a group have in common for one evaluation.
pub(crate) struct Moment<'a> {
    pub(crate) at: Timestamp,
    /// The moment that is looked at.
    pub(crate) looked_at: Timestamp,
    pub(crate) limit: usize,
    pub(crate) environment: &'a Environment,
}

impl Rule {
    /// A rule that was never evaluated.
    pub(crate) fn new(definition: RuleDefinition) -> Self {
        Self {
            definition,
            health: RuleHealth::Unknown,
            warnings: Vec::new(),
            evaluated_at: None,
            alerts: BTreeMap::new(),
            series: BTreeSet::new(),
        }
    }

    /// What it is.
    pub fn definition(&self) -> &RuleDefinition {
        &self.definition
    }

    /// Whether it records, and does not alert.
    pub fn records(&self) -> bool {
        self.definition.kind == RuleKind::Recording
    }

    /// How its last evaluation went.
    pub fn health(&self) -> &RuleHealth {
        &self.health
    }

    /// What the query of its last evaluation warned of.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// When it was evaluated last.
    pub fn evaluated_at(&self) -> Option<Timestamp> {
        self.evaluated_at
    }

    /// Its alerts that are pending or firing, by labels.
    pub fn active_alerts(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.alerts
            .values()
            .filter(|alert| alert.state != AlertState::Inactive)
    }

    /// The furthest of its alerts' states.
    pub fn state(&self) -> AlertState {
        let states = self.active_alerts().map(|alert| alert.state);
        states.max().unwrap_or_default()
    }

    /// Evaluates it; the samples to store, stale markers included.
    ///
    /// Errors: the query's, two series that become one, a breached limit.
    pub(crate) fn evaluate(&mut self, moment: &Moment<'_>) -> Result<Vec<VectorSample>, String> {
        self.evaluated_at = Some(moment.at);
        self.warnings.clear();
        match self.result(moment) {
            Ok(series) => {
                self.health = RuleHealth::Good;
                Ok(self.samples(series, moment.looked_at))
            }
            Err(message) => {
                self.health = RuleHealth::Bad(message.clone());
                Err(message)
            }
        }
    }

    fn result(&mut self, moment: &Moment<'_>) -> Result<Series, String> {
        let query = &moment.environment.query;
        let answer = query(&self.definition.expr, moment.looked_at);
        let answer = answer.map_err(|error| error.to_string())?;
        self.warnings = answer.warnings;
        let result = match answer.value {
            Value::Vector(vector) => vector
                .into_iter()
                .map(|sample| (sample.labels, sample.value))
                .collect(),
            Value::Scalar(sample) => vec![(Labels::empty(), sample.value.into())],
            _ => return Err("rule result is not a vector or scalar".to_owned()),
        };
        match &self.definition.kind {
            RuleKind::Recording => self.record(result, moment),
            RuleKind::Alerting { .. } => self.alert(result, moment),
        }
    }

    fn record(&self, result: Series, moment: &Moment<'_>) -> Result<Series, String> {
        let mut seen = BTreeSet::new();
        let mut series = Series::with_capacity(result.len());
        for (labels, value) in result {
            let mut builder = LabelsBuilder::from_labels(&labels);
            builder.set(NAME, &self.definition.name);
            for (name, label) in &self.definition.labels {
                builder.set(name, label.text());
            }
            let labels = builder.build().map_err(|error| error.to_string())?;
            if !seen.insert(labels.clone()) {
                return Err(doubled("rule labels"));
            }
            series.push((labels, value));
        }
        if moment.limit > 0 && series.len() > moment.limit {
            let (limit, count) = (moment.limit, series.len());
            return Err(format!("exceeded limit of {limit} with {count} series"));
        }
        Ok(series)
    }

    fn alert(&mut self, result: Series, moment: &Moment<'_>) -> Result<Series, String> {
        let RuleKind::Alerting {
            hold,
            keep_firing_for,
            ref annotations,
        } = self.definition.kind
        else {
            return Ok(Series::new());
        };
        let present = self.present(result, annotations, moment)?;
        let names: BTreeSet<Labels> = present.keys().cloned().collect();
        for (labels, fresh) in present {
            match self.alerts.get_mut(&labels) {
                Some(known) if known.state != AlertState::Inactive => {
                    known.value = fresh.value;
                    known.annotations = fresh.annotations;
                }
                _ => {
                    self.alerts.insert(labels, fresh);
                }
            }
        }
        self.alerts.retain(|labels, alert| {
            alert.apply(names.contains(labels), hold, keep_firing_for, moment.at)
        });
        let count = self.active_alerts().count();
        if moment.limit > 0 && count > moment.limit {
            self.alerts.clear();
            let limit = moment.limit;
            return Err(format!("exceeded limit of {limit} with {count} alerts"));
        }
        self.alert_series()
    }

    /// The alerts that the result stands for, as if each were new.
    fn present(
        &self,
        result: Series,
        annotations: &BTreeMap<String, Template>,
        moment: &Moment<'_>,
    ) -> Result<BTreeMap<Labels, ActiveAlert>, String> {
        let definition = &self.definition;
        let expander = Expander::new(
            &definition.name,
            definition.labels.values().chain(annotations.values()),
            moment.environment,
            moment.at,
        );
        let mut present = BTreeMap::new();
        for (series, value) in result {
            let data = Data::new(&series, &value, moment.environment);
            let mut builder = LabelsBuilder::from_labels(&series);
            builder.set(NAME, "");
            for (name, template) in &definition.labels {
                builder.set(name, &expander.expand(template, &data));
            }
            builder.set(ALERT_NAME, &definition.name);
            let labels = builder.build().map_err(|error| error.to_string())?;
            let annotations = annotations
                .iter()
                .map(|(name, template)| (name.clone(), expander.expand(template, &data)))
                .collect();
            // An alert has a number; what a histogram is, only its texts can say.
            let value = value.float().unwrap_or(0.0);
            let alert = ActiveAlert::new(labels.clone(), annotations, value, moment.at);
            if present.insert(labels, alert).is_some() {
                return Err(doubled("alert labels"));
            }
        }
        Ok(present)
    }

    fn alert_series(&self) -> Result<Series, String> {
        let mut series = Series::new();
        for alert in self.active_alerts() {
            let mut builder = LabelsBuilder::from_labels(&alert.labels);
            builder.set(NAME, "ALERTS_FOR_STATE");
            let for_state = builder.clone().build();
            builder.set(NAME, "ALERTS");
            builder.set("alertstate", alert.state.as_str());
            let alerts = builder.build().map_err(|error| error.to_string())?;
            let for_state = for_state.map_err(|error| error.to_string())?;
            let since = alert.active_at.as_millis().div_euclid(1000) as f64;
            series.extend([(alerts, 1.0.into()), (for_state, since.into())]);
        }
        Ok(series)
    }

    fn samples(&mut self, series: Series, timestamp: Timestamp) -> Vec<VectorSample> {
        let now: BTreeSet<Labels> = series.iter().map(|(labels, _)| labels.clone()).collect();
        let before = std::mem::replace(&mut self.series, now);
        let gone = before
            .into_iter()
            .filter(|labels| !self.series.contains(labels))
            .map(|labels| (labels, stale_marker().into()));
        let sample = |(labels, value)| VectorSample {
            labels,
            timestamp,
            value,
        };
        series.into_iter().chain(gone).map(sample).collect()
    }
}

/// How long an alert that is given out holds if nothing more is heard of it: four of the longer of both, as Prometheus has it.
pub(crate) fn validity(interval: Duration, resend_delay: Duration) -> Duration {
    interval.max(resend_delay) * 4
}

fn doubled(which: &str) -> String {
    format!("vector contains metrics with the same labelset after applying {which}")
}
