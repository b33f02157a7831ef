//! Groups, rules and alerts, written as Prometheus writes them.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Alert, Timestamp};
use rules::{ActiveAlert, AlertState, Rule, RuleHealth, RuleKind, Template};

use crate::answer::{LIST_BYTES_MAX, check_length};
use crate::error::ApiError;
use crate::query_gate::Caller;
use crate::{RuleGroup, json};

/// What makes an answer with rules shorter.
const SHORTER: &str = "rule_group[], rule_name[], group_limit or exclude_alerts";

/// Appends a group with those of its rules that are wanted, by their indices.
///
/// Errors: nobody waits any more; the answer became too long.
pub(super) fn push_group(
    body: &mut String,
    group: &RuleGroup,
    wanted: &[usize],
    with_alerts: bool,
    caller: &Caller,
) -> Result<(), ApiError> {
    body.push_str(r#"{"name":"#);
    json::push_string(body, group.group.name());
    body.push_str(r#","file":"#);
    json::push_string(body, group.group.file());
    body.push_str(r#","rules":["#);
    for (position, index) in wanted.iter().enumerate() {
        json::separate(body, position);
        let took = group.rule_times.get(*index).copied().unwrap_or_default();
        push_rule(
            body,
            &group.group.rules()[*index],
            took,
            with_alerts,
            caller,
        )?;
    }
    body.push_str(r#"],"interval":"#);
    json::push_number(body, group.interval.as_secs_f64());
    body.push_str(r#","limit":"#);
    json::push_display(body, group.group.limit());
    push_evaluation(body, group.evaluation_time, group.group.evaluated_at());
    body.push('}');
    Ok(())
}

fn push_rule(
    body: &mut String,
    rule: &Rule,
    took: Duration,
    with_alerts: bool,
    caller: &Caller,
) -> Result<(), ApiError> {
    let definition = rule.definition();
    body.push('{');
    if !rule.records() {
        body.push_str(r#""state":""#);
        body.push_str(state(rule));
        body.push_str(r#"","#);
    }
    body.push_str(r#""name":"#);
    json::push_string(body, &definition.name);
    body.push_str(r#","query":"#);
    json::push_string(body, &definition.expr.to_string());
    match &definition.kind {
        // As in Prometheus, no labels are only here no field.
        RuleKind::Recording if definition.labels.is_empty() => {}
        RuleKind::Recording => push_templates(body, "labels", &definition.labels),
        RuleKind::Alerting {
            hold,
            keep_firing_for,
            annotations,
        } => {
            body.push_str(r#","duration":"#);
            json::push_number(body, hold.as_secs_f64());
            body.push_str(r#","keepFiringFor":"#);
            json::push_number(body, keep_firing_for.as_secs_f64());
            push_templates(body, "labels", &definition.labels);
            push_templates(body, "annotations", annotations);
            body.push_str(r#","alerts":"#);
            if with_alerts {
                body.push('[');
                push_alerts(body, rule, SHORTER, 0, caller)?;
                body.push(']');
            } else {
                body.push_str("null");
            }
        }
    }
    body.push_str(r#","health":"#);
    match rule.health() {
        RuleHealth::Unknown => body.push_str(r#""unknown""#),
        RuleHealth::Good => body.push_str(r#""ok""#),
        RuleHealth::Bad(message) => {
            body.push_str(r#""err","lastError":"#);
            json::push_string(body, message);
        }
    }
    push_evaluation(body, took, rule.evaluated_at());
    body.push_str(r#","type":""#);
    body.push_str(if rule.records() {
        "recording"
    } else {
        "alerting"
    });
    body.push_str(r#""}"#);
    check_length(body.len(), LIST_BYTES_MAX, SHORTER)
}

/// Appends the active alerts of a rule, of which `before` stand there already; how many there are then.
///
/// Errors: nobody waits any more; the answer became too long, and the parameters `shorter` would make it shorter.
pub(super) fn push_alerts(
    body: &mut String,
    rule: &Rule,
    shorter: &str,
    before: usize,
    caller: &Caller,
) -> Result<usize, ApiError> {
    let mut count = before;
    for alert in rule.active_alerts() {
        caller.require()?;
        json::separate(body, count);
        push_alert(body, alert);
        check_length(body.len(), LIST_BYTES_MAX, shorter)?;
        count += 1;
    }
    Ok(count)
}

fn push_alert(body: &mut String, alert: &ActiveAlert) {
    body.push_str(r#"{"labels":"#);
    json::push_labels(body, &alert.labels);
    body.push_str(r#","annotations":"#);
    json::push_texts(body, &alert.annotations);
    body.push_str(r#","state":""#);
    body.push_str(alert.state.as_str());
    body.push_str(r#"","activeAt":"#);
    json::push_moment(body, alert.active_at);
    if let Some(since) = alert.keep_firing_since {
        body.push_str(r#","keepFiringSince":"#);
        json::push_moment(body, since);
    }
    body.push_str(r#","value":""#);
    wire::float::push_scientific(body, alert.value);
    body.push_str(r#""}"#);
}

/// Appends an alert that fires and has no rule and so no value of its own: that it is so is 1.
///
/// Errors: the answer became too long.
pub(super) fn push_outage(body: &mut String, alert: &Alert) -> Result<(), ApiError> {
    body.push_str(r#"{"labels":"#);
    json::push_labels(body, &alert.labels);
    body.push_str(r#","annotations":"#);
    json::push_texts(body, &alert.annotations);
    body.push_str(r#","state":"firing","activeAt":"#);
    json::push_moment(body, alert.starts_at);
    body.push_str(r#","value":"1e+00"}"#);
    check_length(body.len(), LIST_BYTES_MAX, "fewer monitors")
}

/// The state of an alerting rule. One that was never evaluated may have alerts from before a restart.
fn state(rule: &Rule) -> &'static str {
    match rule.state() {
        AlertState::Inactive if rule.evaluated_at().is_none() => "unknown",
        state => state.as_str(),
    }
}

/// Labels or annotations as they were written, not expanded.
fn push_templates(body: &mut String, field: &str, templates: &BTreeMap<String, Template>) {
    body.push_str(",\"");
    body.push_str(field);
    body.push_str("\":");
    let pairs = templates.iter();
    json::push_pairs(
        body,
        pairs.map(|(name, template)| (name.as_str(), template.text())),
    );
}

fn push_evaluation(body: &mut String, took: Duration, at: Option<Timestamp>) {
    body.push_str(r#","evaluationTime":"#);
    json::push_number(body, took.as_secs_f64());
    body.push_str(r#","lastEvaluation":"#);
    match at {
        Some(at) => json::push_moment(body, at),
        // Go's zero time.
        None => body.push_str(r#""0001-01-01T00:00:00Z""#),
    }
}
