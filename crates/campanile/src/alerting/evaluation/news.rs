//! What has become of a group's alerts: those before against those after an evaluation, or a change of the rules.

use std::collections::BTreeMap;

use model::{Labels, Timestamp};
use rules::{ActiveAlert, AlertState, Group, Rule};
use server::{AlertChange, AlertPhase};

/// The alerts that began, went on to another state, or ended by `at`; no group has none.
pub(super) fn changes(
    before: Option<&Group>,
    after: Option<&Group>,
    at: Timestamp,
) -> Vec<AlertChange> {
    let (before, after) = (active(before), active(after));
    let mut changes = Vec::new();
    for (key, (rule, alert)) in &before {
        if !after.contains_key(key) {
            let phase = match alert.state {
                AlertState::Firing => AlertPhase::Resolved,
                AlertState::Pending | AlertState::Inactive => AlertPhase::Inactive,
            };
            changes.push(change(rule, alert, phase, Some(at)));
        }
    }
    for (key, (rule, alert)) in &after {
        let is_known = before.get(key).is_some_and(|(_, known)| {
            known.state == alert.state && known.active_at == alert.active_at
        });
        if !is_known {
            let phase = match alert.state {
                AlertState::Firing => AlertPhase::Firing,
                AlertState::Pending | AlertState::Inactive => AlertPhase::Pending,
            };
            changes.push(change(rule, alert, phase, None));
        }
    }
    changes
}

/// The alerts of a group by their labels. Rules of one name may raise the same ones, which are told apart by their order.
fn active(group: Option<&Group>) -> BTreeMap<(&Labels, usize), (&Rule, &ActiveAlert)> {
    let mut active = BTreeMap::new();
    for rule in group.into_iter().flat_map(Group::rules) {
        for alert in rule.active_alerts() {
            let mut key = (&alert.labels, 0);
            while active.contains_key(&key) {
                key.1 += 1;
            }
            active.insert(key, (rule, alert));
        }
    }
    active
}

fn change(
    rule: &Rule,
    alert: &ActiveAlert,
    phase: AlertPhase,
    resolved_at: Option<Timestamp>,
) -> AlertChange {
    AlertChange {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        phase,
        active_at: alert.active_at,
        value: alert.value,
        rule: Some(rule.definition().name.to_string()),
        resolved_at,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use promql::Expr;
    use rules::Environment;
    use testkit::MemoryStore;

    use super::*;

    /// Two rules over the same moments: one waits a minute, one does not.
    const RULES: &str = "
groups:
  - name: all
    rules:
      - {alert: Now, expr: 'vector(time()) > 100'}
      - {alert: Later, expr: 'vector(time()) > 100 < 300', for: 1m}
";

    fn group() -> Group {
        let source = document::Source::new("test.yml", RULES);
        Group::new(rules::parse(&source).unwrap().remove(0))
    }

    /// What is told of an evaluation so many seconds after 1970.
    fn evaluate(group: &mut Group, seconds: i64) -> Vec<(String, &'static str, bool)> {
        let store = MemoryStore::new(std::time::Duration::MAX);
        let query = move |expr: &Expr, at: Timestamp| {
            let (limits, interrupt) = (promql::Limits::default(), promql::Interrupt::default());
            promql::evaluate_instant(&store, expr, at, &limits, &interrupt)
        };
        let environment = Environment::new(Arc::new(query));
        let before = group.clone();
        let at = Timestamp::from_millis(seconds * 1000);
        group.evaluate(at, &environment, &mut |_| {});
        told(&changes(Some(&before), Some(group), at))
    }

    fn told(changes: &[AlertChange]) -> Vec<(String, &'static str, bool)> {
        let told = changes.iter().map(|change| {
            let rule = change.rule.clone().unwrap();
            (rule, change.phase.as_str(), change.resolved_at.is_some())
        });
        told.collect()
    }

    fn said(rule: &str, phase: &'static str, is_over: bool) -> (String, &'static str, bool) {
        (rule.to_owned(), phase, is_over)
    }

    #[test]
    fn an_alert_is_told_when_it_begins_goes_on_and_ends_and_not_in_between() {
        let mut group = group();
        assert_eq!(evaluate(&mut group, 60), []);
        assert_eq!(
            evaluate(&mut group, 120),
            [
                said("Later", "pending", false),
                said("Now", "firing", false)
            ]
        );
        assert_eq!(evaluate(&mut group, 150), []);
        assert_eq!(evaluate(&mut group, 200), [said("Later", "firing", false)]);
        assert_eq!(evaluate(&mut group, 300), [said("Later", "resolved", true)]);
        assert_eq!(evaluate(&mut group, 330), []);
    }

    #[test]
    fn of_two_alerts_with_equal_labels_each_is_told() {
        let twice = RULES.replace("Later", "Now").replace(", for: 1m", "");
        let source = document::Source::new("test.yml", &twice);
        let mut group = Group::new(rules::parse(&source).unwrap().remove(0));
        let firing = said("Now", "firing", false);
        assert_eq!(evaluate(&mut group, 120), [firing.clone(), firing]);
        assert_eq!(evaluate(&mut group, 150), []);
        assert_eq!(evaluate(&mut group, 300), [said("Now", "resolved", true)]);
        assert_eq!(evaluate(&mut group, 330), []);
    }

    #[test]
    fn what_was_pending_and_goes_away_is_inactive() {
        let mut group = group();
        evaluate(&mut group, 299);
        assert_eq!(evaluate(&mut group, 301), [said("Later", "inactive", true)]);
    }

    #[test]
    fn with_a_group_its_alerts_end() {
        let mut group = group();
        evaluate(&mut group, 120);
        let at = Timestamp::from_millis(130_000);
        let expected = [
            said("Later", "inactive", true),
            said("Now", "resolved", true),
        ];
        assert_eq!(told(&changes(Some(&group), None, at)), expected);
    }
}
