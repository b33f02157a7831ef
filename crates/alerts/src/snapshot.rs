//! A state as bytes and back: JSON with a version, in which each alert stands once.
//!
//! Time in which the program did not run counts for nobody. Nothing could be raised again meanwhile, so what fired is
//! taken to fire as much longer; and what became due meanwhile waits that long again, at most `group_wait`, so that
//! alerts can come in before groups are told. A short restart costs as much as it lasted; a long one brings no storm.
//!
//! A clock that was set back would leave all moments in a future that takes hours to come, and whatever is raised
//! meanwhile would seem to be over already. So moments move with it: what lay ahead lies as far ahead, what has passed has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Alert, Labels, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::{Notification, NotifiedAlert, Reason, Status};
use crate::group::{Group, Member};
use crate::routing::{GroupId, Routing, Timing};
use crate::state::{Known, State};

/// The version that is written and read.
const VERSION: u32 = 1;

/// Bytes that are no snapshot of a state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot read the state of alerts: {0}")]
pub struct InvalidSnapshot(String);

impl State {
    /// The whole state as bytes that [`State::restore`] reads. Routes are not part of it.
    pub fn snapshot(&self) -> Vec<u8> {
        let alerts = self
            .alerts
            .values()
            .map(|known| SavedAlert::of(&known.alert))
            .collect();
        let groups = self
            .groups
            .iter()
            .map(|(id, group)| SavedGroup::of(id, group))
            .collect();
        let saved = Saved {
            version: VERSION,
            saved_at: self.now.as_millis(),
            next_id: self.next_id,
            alerts,
            groups,
        };
        serde_json::to_vec(&saved).expect("invariant: only texts, numbers and lists are saved")
    }

    /// Goes on at `now` after a time in which nobody looked, or after the clock was set, as after a restart.
    ///
    /// [`State::apply`] takes a step back for none and a leap forward for time in which alerts were not raised again.
    pub fn resume(&mut self, now: Timestamp) {
        let (revision, alerts_max) = (self.revision, self.alerts_max);
        *self = Self::restore(&self.snapshot(), self.routing.clone(), now)
            .expect("invariant: a state reads what it has written");
        self.revision = self.revision.max(revision) + 1;
        self.alerts_max = alerts_max;
    }

    /// A state as it was saved, under the routes of today; they may be others than those of yesterday.
    ///
    /// First save it again, then send what is [`State::outstanding`], then go on with [`crate::Event::Tick`].
    /// Errors: bytes that [`State::snapshot`] cannot have written.
    pub fn restore(
        snapshot: &[u8],
        routing: Routing,
        now: Timestamp,
    ) -> Result<Self, InvalidSnapshot> {
        let saved: Saved =
            serde_json::from_slice(snapshot).map_err(|error| InvalidSnapshot(error.to_string()))?;
        if saved.version != VERSION {
            return Err(InvalidSnapshot(format!(
                "it has version {}, this program reads version {VERSION}",
                saved.version
            )));
        }
        let saved_at = Timestamp::from_millis(saved.saved_at);
        let downtime = now.since(saved_at);
        let shift = Shift { saved_at, now };
        let mut state = Self::new(routing.clone(), saved.next_id);
        state.now = now;
        for alert in saved.alerts {
            let mut alert = alert.into_alert()?;
            if !alert.is_resolved(saved_at) {
                alert.ends_at = alert.ends_at + downtime;
            }
            alert.starts_at = shift.of(alert.starts_at);
            alert.ends_at = shift.of(alert.ends_at);
            let groups = BTreeSet::new();
            state
                .alerts
                .insert(alert.labels.clone(), Known { alert, groups });
        }
        for saved in saved.groups {
            let (id, mut group) = saved.into_group()?;
            shift.group(&mut group);
            group.not_before = hold(&group, saved_at, now);
            let id = Arc::new(id);
            for labels in group.members.keys() {
                let Some(known) = state.alerts.get_mut(labels) else {
                    return Err(InvalidSnapshot(format!("the alert {labels} is missing")));
                };
                known.groups.insert(Arc::clone(&id));
            }
            state.groups.insert(id, group);
        }
        state.alerts.retain(|_, known| !known.groups.is_empty());
        let ids: Vec<_> = state.groups.keys().cloned().collect();
        for id in ids {
            state.reschedule(&id);
        }
        state.reconfigure(routing);
        Ok(state)
    }
}

/// From the time of a clock that has been set back since to the time of today; no shift if it has not.
struct Shift {
    saved_at: Timestamp,
    now: Timestamp,
}

impl Shift {
    fn of(&self, moment: Timestamp) -> Timestamp {
        let back = self.saved_at.since(self.now);
        if back.is_zero() || moment == Timestamp::MAX {
            return moment;
        }
        if moment > self.saved_at {
            return moment - back;
        }
        moment.min(self.now)
    }

    fn group(&self, group: &mut Group) {
        group.first_at = self.of(group.first_at);
        group.not_before = self.of(group.not_before);
        group.decided_at = group.decided_at.map(|at| self.of(at));
        group.delivered_at = group.delivered_at.map(|at| self.of(at));
        for member in group.members.values_mut() {
            member.since = self.of(member.since);
        }
        for until in group.cooling.values_mut() {
            *until = self.of(*until);
        }
    }
}

/// Until when a group is not told after a restart.
///
/// A program that dies again while it holds back does not begin to hold back anew, or nothing would ever be told.
fn hold(group: &Group, saved_at: Timestamp, now: Timestamp) -> Timestamp {
    let downtime = now.since(saved_at);
    let wait = group.timing.group_wait;
    if group.not_before > saved_at && downtime <= wait.saturating_mul(2) {
        return group.not_before;
    }
    now + downtime.min(wait)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    saved_at: i64,
    next_id: u64,
    alerts: Vec<SavedAlert>,
    groups: Vec<SavedGroup>,
}

/// Label names and values.
type Pairs = BTreeMap<String, String>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedAlert {
    labels: Pairs,
    annotations: Pairs,
    /// Its bits, since JSON knows neither NaN nor infinity.
    #[serde(default)]
    value_bits: Option<u64>,
    starts_at: i64,
    ends_at: i64,
    generator_url: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedGroup {
    id: GroupId,
    labels: Pairs,
    timing: Timing,
    members: Vec<SavedMember>,
    first_at: i64,
    not_before: i64,
    decided_at: Option<i64>,
    delivered_at: Option<i64>,
    gave_up: bool,
    cooling: Vec<(Pairs, i64)>,
    in_flight: Option<SavedNotification>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedMember {
    labels: Pairs,
    since: i64,
    is_told: bool,
    is_routed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedNotification {
    id: u64,
    alerts: Vec<(Status, SavedAlert)>,
    reason: Reason,
    decided_at: i64,
}

impl SavedAlert {
    fn of(alert: &Alert) -> Self {
        Self {
            labels: pairs(&alert.labels),
            annotations: alert.annotations.clone(),
            value_bits: alert.value.map(f64::to_bits),
            starts_at: alert.starts_at.as_millis(),
            ends_at: alert.ends_at.as_millis(),
            generator_url: alert.generator_url.clone(),
        }
    }

    fn into_alert(self) -> Result<Alert, InvalidSnapshot> {
        Ok(Alert {
            labels: labels(self.labels)?,
            annotations: self.annotations,
            value: self.value_bits.map(f64::from_bits),
            starts_at: Timestamp::from_millis(self.starts_at),
            ends_at: Timestamp::from_millis(self.ends_at),
            generator_url: self.generator_url,
        })
    }
}

impl SavedGroup {
    fn of(id: &GroupId, group: &Group) -> Self {
        let member = |(labels, member): (&Labels, &Member)| SavedMember {
            labels: pairs(labels),
            since: member.since.as_millis(),
            is_told: member.is_told,
            is_routed: member.is_routed,
        };
        let cooling = |(labels, until): (&Labels, &Timestamp)| (pairs(labels), until.as_millis());
        Self {
            id: id.clone(),
            labels: pairs(&group.labels),
            timing: group.timing,
            members: group.members.iter().map(member).collect(),
            first_at: group.first_at.as_millis(),
            not_before: group.not_before.as_millis(),
            decided_at: group.decided_at.map(Timestamp::as_millis),
            delivered_at: group.delivered_at.map(Timestamp::as_millis),
            gave_up: group.gave_up,
            cooling: group.cooling.iter().map(cooling).collect(),
            in_flight: group.in_flight.as_ref().map(SavedNotification::of),
        }
    }

    fn into_group(self) -> Result<(GroupId, Group), InvalidSnapshot> {
        let group_labels = labels(self.labels)?;
        let first_at = Timestamp::from_millis(self.first_at);
        let mut group = Group::open(group_labels, self.timing, first_at);
        group.first_at = first_at;
        group.not_before = Timestamp::from_millis(self.not_before);
        group.decided_at = self.decided_at.map(Timestamp::from_millis);
        group.delivered_at = self.delivered_at.map(Timestamp::from_millis);
        group.gave_up = self.gave_up;
        for saved in self.members {
            let member = Member {
                since: Timestamp::from_millis(saved.since),
                is_told: saved.is_told,
                is_routed: saved.is_routed,
            };
            group.members.insert(labels(saved.labels)?, member);
        }
        for (pairs, until) in self.cooling {
            group
                .cooling
                .insert(labels(pairs)?, Timestamp::from_millis(until));
        }
        if let Some(saved) = self.in_flight {
            group.in_flight = Some(saved.into_notification(&self.id, &group.labels)?);
        }
        Ok((self.id, group))
    }
}

impl SavedNotification {
    fn of(notification: &Notification) -> Self {
        let alert = |told: &NotifiedAlert| (told.status, SavedAlert::of(&told.alert));
        Self {
            id: notification.id,
            alerts: notification.alerts.iter().map(alert).collect(),
            reason: notification.reason,
            decided_at: notification.decided_at.as_millis(),
        }
    }

    fn into_notification(
        self,
        group: &GroupId,
        group_labels: &Labels,
    ) -> Result<Notification, InvalidSnapshot> {
        let mut alerts = Vec::with_capacity(self.alerts.len());
        for (status, saved) in self.alerts {
            let alert = saved.into_alert()?;
            alerts.push(NotifiedAlert { alert, status });
        }
        Ok(Notification {
            id: self.id,
            group: group.clone(),
            group_labels: group_labels.clone(),
            alerts,
            reason: self.reason,
            decided_at: Timestamp::from_millis(self.decided_at),
        })
    }
}

fn pairs(labels: &Labels) -> Pairs {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    labels.iter().map(own).collect()
}

fn labels(pairs: Pairs) -> Result<Labels, InvalidSnapshot> {
    Labels::from_pairs(pairs).map_err(|error| InvalidSnapshot(error.to_string()))
}
