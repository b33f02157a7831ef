//! Groups and rules as someone wrote them, checked but without state.

use std::collections::BTreeMap;
use std::time::Duration;

use promql::Expr;

use crate::Template;

/// Rules that are evaluated one after the other at one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDefinition {
    /// The file that it stands in, or what made it; with the name it identifies the group.
    pub file: String,
    /// Its name, distinct within the file.
    pub name: String,
    /// How often it is evaluated, if it says so itself.
    pub interval: Option<Duration>,
    /// How many alerts or series a rule may give; 0 is without limit.
    pub limit: usize,
    /// How far before the moment of evaluation the rules look, if the group says so itself.
    pub query_offset: Option<Duration>,
    /// Its rules in their order.
    pub rules: Vec<RuleDefinition>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleDefinition {
    /// The name of the recorded metric, or of the alert.
    pub name: String,
    /// What is evaluated.
    pub expr: Expr,
    /// Labels that are added to each result, those of the group included; only those of alerts are expanded.
    pub labels: BTreeMap<String, Template>,
    /// What becomes of the result.
    pub kind: RuleKind,
}

/// What becomes of a rule's result.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// It is stored under the rule's name.
    Recording,
    /// Each of its series is an alert.
    Alerting {
        /// How long a series must be there before its alert fires.
        hold: Duration,
        /// How long an alert fires on after its series has gone.
        keep_firing_for: Duration,
        /// What a person should know, by name.
        annotations: BTreeMap<String, Template>,
    },
}
