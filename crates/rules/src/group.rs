//! A group of rules and its state; the edge calls [`Group::evaluate`] at each interval.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Alert, Labels, Timestamp};
use promql::VectorSample;

use crate::rule::{Moment, validity};
use crate::{ActiveAlert, AlertState, Environment, GroupDefinition, Rule};

/// Stores samples, numbers and native histograms; the next rule may ask for them.
pub type Append<'a> = dyn FnMut(&[VectorSample]) + 'a;

/// Rules with their state.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) file: String,
    pub(crate) name: String,
    interval: Option<Duration>,
    query_offset: Option<Duration>,
    limit: usize,
    pub(crate) rules: Vec<Rule>,
    pub(crate) evaluated_at: Option<Timestamp>,
    /// Until when nothing was missed, or what was missed is counted in the ages of alerts.
    pub(crate) seen_until: Option<Timestamp>,
    /// What rules that are no more left behind; it ends at the next evaluation.
    pub(crate) orphans: Orphans,
}

/// What an evaluation gives besides samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Alerts that fire or have ended, those of which there is news or that are due again.
    pub alerts: Vec<Alert>,
    /// The rules that failed, in their order.
    pub errors: Vec<RuleError>,
}

/// Series and firing alerts without a rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orphans {
    pub(crate) series: Vec<Labels>,
    pub(crate) alerts: Vec<ActiveAlert>,
}

/// Why a rule failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The rule's index in its group.
    pub rule: usize,
    /// What happened.
    pub message: String,
}

impl Group {
    /// A group that was never evaluated.
    pub fn new(definition: GroupDefinition) -> Self {
        Self {
            file: definition.file,
            name: definition.name,
            interval: definition.interval,
            query_offset: definition.query_offset,
            limit: definition.limit,
            rules: definition.rules.into_iter().map(Rule::new).collect(),
            evaluated_at: None,
            seen_until: None,
            orphans: Orphans::default(),
        }
    }

    /// The file that it stands in; with the name it identifies the group.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it wants to be evaluated.
    pub fn interval(&self, environment: &Environment) -> Duration {
        self.interval.unwrap_or(environment.interval)
    }

    /// How many alerts or series a rule may give; 0 is without limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Its rules in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// When it was evaluated last.
    pub fn evaluated_at(&self) -> Option<Timestamp> {
        self.evaluated_at
    }

    /// Evaluates all rules in their order.
    ///
    /// `append` gets the samples of each rule before the next one is evaluated, which may ask for them.
    pub fn evaluate(
        &mut self,
        at: Timestamp,
        environment: &Environment,
        append: &mut Append<'_>,
    ) -> Evaluation {
        let offset = self.query_offset.unwrap_or(environment.query_offset);
        let moment = Moment {
            at,
            looked_at: at - offset,
            limit: self.limit,
            environment,
        };
        let mut evaluation = Evaluation::default();
        for (index, rule) in self.rules.iter_mut().enumerate() {
            match rule.evaluate(&moment) {
                Ok(samples) => append(&samples),
                Err(message) => evaluation.errors.push(RuleError {
                    rule: index,
                    message,
                }),
            }
        }
        evaluation.alerts = self.due_alerts(at, environment);
        evaluation.alerts.extend(self.end_orphans(&moment, append));
        self.evaluated_at = Some(at);
        self.seen_until = Some(at);
        evaluation
    }

    /// Takes over the state of the group that it replaces, rule by rule of equal name and labels.
    ///
    /// An alert whose `for` has changed keeps its age. What no rule continues ends at the next evaluation: series with
    /// a stale marker, firing alerts as resolved.
    pub fn adopt(&mut self, old: Self) {
        let mut by_identity: BTreeMap<_, Vec<Rule>> = BTreeMap::new();
        for rule in old.rules.into_iter().rev() {
            by_identity.entry(identity(&rule)).or_default().push(rule);
        }
        for rule in &mut self.rules {
            let same = by_identity.get_mut(&identity(rule)).and_then(Vec::pop);
            if let Some(same) = same {
                rule.alerts = same.alerts;
                rule.series = same.series;
            }
        }
        self.orphans = old.orphans;
        for rule in by_identity.into_values().flatten() {
            self.orphans.series.extend(rule.series);
            self.orphans.alerts.extend(rule.alerts.into_values());
        }
        self.evaluated_at = old.evaluated_at;
        self.seen_until = old.seen_until;
    }

    /// Ends all that the group gave out, for one that is no more: stale markers to `append`, and resolved alerts.
    pub fn end(
        self,
        at: Timestamp,
        environment: &Environment,
        append: &mut Append<'_>,
    ) -> Vec<Alert> {
        let mut empty = Self {
            rules: Vec::new(),
            ..self.clone()
        };
        empty.adopt(self);
        empty.evaluate(at, environment, append).alerts
    }

    /// Ends what no rule has taken up again; the alerts among it, resolved.
    fn end_orphans(&mut self, moment: &Moment<'_>, append: &mut Append<'_>) -> Vec<Alert> {
        let orphans = std::mem::take(&mut self.orphans);
        let is_given_out = |labels: &Labels| {
            let mut rules = self.rules.iter();
            rules.any(|rule| rule.series.contains(labels))
        };
        let mut ended = orphans.series;
        ended.retain(|labels| !is_given_out(labels));
        ended.sort();
        ended.dedup();
        let marker = |labels| VectorSample {
            labels,
            timestamp: moment.looked_at,
            value: model::stale_marker().into(),
        };
        if !ended.is_empty() {
            append(&ended.into_iter().map(marker).collect::<Vec<_>>());
        }
        let fires = |labels: &Labels| {
            let mut alerts = self.rules.iter().filter_map(|rule| rule.alerts.get(labels));
            alerts.any(|alert| alert.state == AlertState::Firing)
        };
        let mut resolved = Vec::new();
        for alert in orphans.alerts {
            if alert.state == AlertState::Firing && !fires(&alert.labels) {
                resolved.push(given_out(&alert, moment.at, String::new()));
            }
        }
        resolved
    }

    fn due_alerts(&mut self, at: Timestamp, environment: &Environment) -> Vec<Alert> {
        let validity = self.validity(environment);
        let mut due = Vec::new();
        for rule in &mut self.rules {
            let link = link(rule, environment);
            for alert in rule.alerts.values_mut() {
                if !alert.is_due(environment.resend_delay, at) {
                    continue;
                }
                alert.sent_at = Some(at);
                let ends_at = alert.resolved_at.unwrap_or(at + validity);
                due.push(given_out(alert, ends_at, link.clone()));
            }
        }
        due
    }

    /// What fires as of the last evaluation, given out as if it had been just now; nothing is evaluated.
    ///
    /// For once after a restart: an alert is not over only because nobody was there to give it out again.
    pub fn firing(&self, now: Timestamp, environment: &Environment) -> Vec<Alert> {
        let ends_at = now + self.validity(environment);
        let mut firing = Vec::new();
        for rule in &self.rules {
            let link = link(rule, environment);
            for alert in rule.active_alerts() {
                if alert.state == AlertState::Firing {
                    firing.push(given_out(alert, ends_at, link.clone()));
                }
            }
        }
        firing
    }

    /// How long an alert that is given out now holds.
    fn validity(&self, environment: &Environment) -> Duration {
        validity(self.interval(environment), environment.resend_delay)
    }

    /// Alerts of all rules that are in a state.
    pub fn count(&self, state: AlertState) -> usize {
        let alerts = self.rules.iter().flat_map(Rule::active_alerts);
        alerts.filter(|alert| alert.state == state).count()
    }
}

/// An alert as routing hears of it.
fn given_out(alert: &ActiveAlert, ends_at: Timestamp, generator_url: String) -> Alert {
    Alert {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        value: Some(alert.value),
        starts_at: alert.fired_at.unwrap_or(alert.active_at),
        ends_at,
        generator_url,
    }
}

/// What makes two rules of two versions of a group the same one.
fn identity(rule: &Rule) -> (String, bool, Vec<(String, String)>) {
    let definition = rule.definition();
    let labels = definition.labels.iter();
    (
        definition.name.clone(),
        rule.records(),
        labels
            .map(|(name, value)| (name.clone(), value.text().to_owned()))
            .collect(),
    )
}

/// Where a person sees what a rule's expression gives.
fn link(rule: &Rule, environment: &Environment) -> String {
    let expr = rule.definition().expr.to_string();
    format!(
        "{}{}",
        environment.external_url,
        crate::template::table_link(&expr)
    )
}
