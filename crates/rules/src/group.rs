//! A group of rules and its state; the edge calls [`Group::evaluate`] at each interval.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Alert, Labels, Sample, Timestamp};

use crate::rule::{Moment, validity};
use crate::{AlertState, Environment, GroupDefinition, Rule, RuleKind};

/// Stores samples; the next rule may ask for them.
pub type Append<'a> = dyn FnMut(&[(Labels, Sample)]) + 'a;

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
    /// Series of rules that are no more; they end at the next evaluation.
    pub(crate) orphans: Vec<Labels>,
}

/// What an evaluation gives besides samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Alerts that fire or have ended, those of which there is news or that are due again.
    pub alerts: Vec<Alert>,
    /// The rules that failed, in their order.
    pub errors: Vec<RuleError>,
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
            orphans: Vec::new(),
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
        self.end_orphans(moment.looked_at, append);
        self.evaluated_at = Some(at);
        evaluation.alerts = self.due_alerts(at, environment);
        evaluation
    }

    /// Takes over the state of the group that it replaces, rule by rule of equal name and labels.
    ///
    /// An alert whose `for` has changed keeps its age; what no rule continues ends at the next evaluation.
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
            self.orphans.extend(rule.series);
        }
        self.evaluated_at = old.evaluated_at;
    }

    /// Ends every series that the group gave out, for one that is no more: the stale markers to store.
    pub fn end(mut self, at: Timestamp) -> Vec<(Labels, Sample)> {
        let mut samples = Vec::new();
        self.end_orphans(at, &mut |orphans| samples.extend_from_slice(orphans));
        for rule in &mut self.rules {
            samples.extend(rule.end(at));
        }
        samples
    }

    fn end_orphans(&mut self, at: Timestamp, append: &mut Append<'_>) {
        let marker = Sample {
            timestamp: at,
            value: model::stale_marker(),
        };
        let continued =
            |labels: &Labels| self.rules.iter().any(|rule| rule.series.contains(labels));
        let ended: Vec<_> = std::mem::take(&mut self.orphans)
            .into_iter()
            .filter(|labels| !continued(labels))
            .map(|labels| (labels, marker))
            .collect();
        if !ended.is_empty() {
            append(&ended);
        }
    }

    fn due_alerts(&mut self, at: Timestamp, environment: &Environment) -> Vec<Alert> {
        let validity = validity(self.interval(environment), environment.resend_delay);
        let mut due = Vec::new();
        for rule in &mut self.rules {
            let link = link(
                &environment.external_url,
                &rule.definition().expr.to_string(),
            );
            for alert in rule.alerts.values_mut() {
                if !alert.is_due(environment.resend_delay, at) {
                    continue;
                }
                alert.sent_at = Some(at);
                due.push(Alert {
                    labels: alert.labels.clone(),
                    annotations: alert.annotations.clone(),
                    starts_at: alert.fired_at.unwrap_or(alert.active_at),
                    ends_at: alert.resolved_at.unwrap_or(at + validity),
                    generator_url: link.clone(),
                });
            }
        }
        due
    }

    /// Alerts of all rules that are in a state.
    pub fn count(&self, state: AlertState) -> usize {
        let alerts = self.rules.iter().flat_map(Rule::active_alerts);
        alerts.filter(|alert| alert.state == state).count()
    }
}

/// What makes two rules of two versions of a group the same one.
fn identity(rule: &Rule) -> (String, bool, Vec<(String, String)>) {
    let definition = rule.definition();
    let labels = definition.labels.iter();
    (
        definition.name.clone(),
        definition.kind == RuleKind::Recording,
        labels
            .map(|(name, value)| (name.clone(), value.text().to_owned()))
            .collect(),
    )
}

/// Where a person sees what an expression gives.
fn link(external_url: &str, expr: &str) -> String {
    format!("{external_url}{}", crate::template::table_link(expr))
}
