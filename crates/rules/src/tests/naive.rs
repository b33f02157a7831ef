//! Groups against a naive model that looks at the whole past of a series at each evaluation.

use proptest::prelude::*;

use super::{World, labels, minutes};
use crate::AlertState;

/// What an alert is and since when its series is there, from whether it was at each evaluation so far, a minute apart.
fn expected(past: &[bool], hold: usize, keep: usize) -> (AlertState, usize) {
    let (mut state, mut since, mut absent) = (AlertState::Inactive, 0, 0);
    for (now, present) in past.iter().enumerate() {
        absent = if *present { 0 } else { absent + 1 };
        state = match (state, present) {
            (AlertState::Inactive, false) => AlertState::Inactive,
            (AlertState::Inactive, true) => {
                since = now;
                AlertState::Pending
            }
            (AlertState::Pending, false) => AlertState::Inactive,
            (AlertState::Firing, false) if absent > keep => AlertState::Inactive,
            (other, _) => other,
        };
        if state == AlertState::Pending && now - since >= hold {
            state = AlertState::Firing;
        }
    }
    (state, since)
}

fn rule(hold: usize, keep: usize) -> String {
    format!(
        "groups: [{{name: g, rules: [{{alert: A, expr: up == 0, for: {hold}m, keep_firing_for: {keep}m}}]}}]"
    )
}

proptest! {
    #[test]
    fn alerts_are_what_a_look_at_their_whole_past_says(
        past in prop::collection::vec(any::<[bool; 2]>(), 1..40),
        hold in 0_usize..5,
        keep in 0_usize..5,
        restarts in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut world = World::new(&rule(hold, keep));
        let mut fires = [false; 2];
        for now in 0..past.len() {
            let at = minutes(i64::try_from(now).unwrap());
            for (index, instance) in ["a", "b"].into_iter().enumerate() {
                let value = if past[now][index] { 0.0 } else { 1.0 };
                world.set(&[("__name__", "up"), ("instance", instance)], at, value);
            }
            if restarts[now] {
                let kept = serde_json::to_string(&world.group.snapshot()).unwrap();
                world.group = World::new(&rule(hold, keep)).group;
                let kept = serde_json::from_str(&kept).unwrap();
                world.group.restore(kept, at, &world.environment);
            }
            let (evaluation, _) = world.step(at);
            for (index, instance) in ["a", "b"].into_iter().enumerate() {
                let history: Vec<bool> = past[..=now].iter().map(|both| both[index]).collect();
                let (state, since) = expected(&history, hold, keep);
                let labels = labels(&[("alertname", "A"), ("instance", instance)]);
                let alert = world.group.rules()[0].active_alerts().find(|alert| alert.labels == labels);
                prop_assert_eq!(alert.map(|alert| alert.state).unwrap_or_default(), state);
                if let Some(alert) = alert {
                    prop_assert_eq!(alert.active_at, minutes(i64::try_from(since).unwrap()));
                }
                // Whoever listens knows at each moment whether it fires.
                for alert in evaluation.alerts.iter().filter(|alert| alert.labels == labels) {
                    fires[index] = !alert.is_resolved(at);
                }
                prop_assert_eq!(fires[index], state == AlertState::Firing);
            }
        }
    }
}
