//! One group: what its receiver was told, what has changed since, and when that is due.
//!
//! A group opens with its first alert and is told `group_wait` later. From then on its changes are told at points that
//! lie `group_interval` apart, counted from the last notification; nothing happens at a point without a change. Points
//! are computed, not waited for. A repetition has its own time. While a notification is on its way the group rests.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Alert, Labels, Timestamp};

use crate::event::{Notification, NotifiedAlert, Reason, Status};
use crate::routing::{GroupId, Timing};

/// An end that no receiver could be told is forgotten after this time, as long as Alertmanager keeps its data.
const UNDELIVERED_END_KEPT: Duration = Duration::from_secs(5 * 24 * 3600);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) labels: Labels,
    pub(crate) timing: Timing,
    pub(crate) members: BTreeMap<Labels, Member>,
    /// When it is told for the first time.
    pub(crate) first_at: Timestamp,
    /// When a notification was last decided.
    pub(crate) decided_at: Option<Timestamp>,
    /// When a notification last arrived.
    pub(crate) delivered_at: Option<Timestamp>,
    /// Whether the last notification was given up.
    pub(crate) gave_up: bool,
    /// Nothing is told before this moment, since the program has just started.
    pub(crate) not_before: Timestamp,
    /// Alerts, also former ones, whose cooldown ends at the given moment.
    pub(crate) cooling: BTreeMap<Labels, Timestamp>,
    /// The notification that is on its way.
    pub(crate) in_flight: Option<Notification>,
    /// Where the group stands in the queue of the state.
    pub(crate) wake: Option<Timestamp>,
}

/// What a group knows about one of its alerts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// When it came, or came back after its end was told.
    pub(crate) since: Timestamp,
    /// Whether the receiver knows that it fires.
    pub(crate) is_told: bool,
    /// Whether routes still lead here; if not, only its end is told.
    pub(crate) is_routed: bool,
}

/// Where a group looks up its alerts.
pub(crate) type Lookup<'a> = &'a dyn Fn(&Labels) -> &'a Alert;

impl Group {
    pub(crate) fn open(labels: Labels, timing: Timing, now: Timestamp) -> Self {
        Self {
            labels,
            timing,
            members: BTreeMap::new(),
            first_at: now + timing.group_wait,
            decided_at: None,
            delivered_at: None,
            gave_up: false,
            not_before: Timestamp::MIN,
            cooling: BTreeMap::new(),
            in_flight: None,
            wake: None,
        }
    }

    /// Takes an alert in. A group that had none waits for more of them, as a new one does.
    pub(crate) fn insert(&mut self, labels: Labels, member: Member, now: Timestamp) {
        if self.members.is_empty() && self.in_flight.is_none() {
            self.first_at = now + self.timing.group_wait;
            self.decided_at = None;
            self.delivered_at = None;
            self.gave_up = false;
        }
        self.members.insert(labels, member);
    }

    /// Whether nothing would be lost if the group were not there.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.cooling.is_empty() && self.in_flight.is_none()
    }

    /// Whether a notification with this alert is on its way.
    pub(crate) fn is_being_told(&self, labels: &Labels) -> bool {
        let Some(notification) = &self.in_flight else {
            return false;
        };
        let alerts = &notification.alerts;
        let firing = alerts.partition_point(|told| told.status == Status::Firing);
        let (firing, ended) = alerts.split_at(firing);
        [firing, ended].iter().any(|sorted| {
            sorted
                .binary_search_by(|told| told.alert.labels.cmp(labels))
                .is_ok()
        })
    }

    /// When the group must be looked at next; never earlier than something is due, but what is due may be nothing.
    pub(crate) fn due(&self, alerts: Lookup<'_>, now: Timestamp) -> Option<Timestamp> {
        if self.in_flight.is_some() {
            return None;
        }
        if self.members.is_empty() {
            return self.cooling.values().max().copied();
        }
        let mut due = self.repeat_due(alerts, now);
        for (labels, member) in &self.members {
            let change = self.change_due(labels, member, alerts(labels));
            due = Some(due.map_or(change, |due| due.min(change)));
        }
        Some(due?.max(self.not_before))
    }

    /// When the group must be looked at next, given that only one of its alerts is another than it was.
    pub(crate) fn due_with(
        &self,
        labels: &Labels,
        alert: &Alert,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let Some(member) = self
            .members
            .get(labels)
            .filter(|_| self.in_flight.is_none())
        else {
            return self.wake;
        };
        let mut due = self.change_due(labels, member, alert);
        if self.is_repeated(member, alert, now) {
            due = due.min(self.repeat_after(self.cooled_at(labels)));
        }
        let due = due.max(self.not_before);
        Some(self.wake.map_or(due, |wake| wake.min(due)))
    }

    /// When what changed about one alert, or will change by its end, is told.
    fn change_due(&self, labels: &Labels, member: &Member, alert: &Alert) -> Timestamp {
        if member.is_told {
            return self.point_at_or_after(alert.ends_at);
        }
        if !member.is_routed {
            // Nothing is to be told about it: it goes at the next point.
            return self.point_at_or_after(member.since);
        }
        // If it ends in its cooldown, it goes at the next point after that, and nothing is told.
        let tellable_at = self.cooled_at(labels).min(alert.ends_at);
        self.point_at_or_after(member.since.max(tellable_at))
    }

    /// When what still fires is told again; none if nothing does.
    fn repeat_due(&self, alerts: Lookup<'_>, now: Timestamp) -> Option<Timestamp> {
        let cooled = self
            .members
            .iter()
            .filter(|(labels, member)| self.is_repeated(member, alerts(labels), now))
            .map(|(labels, _)| self.cooled_at(labels))
            .min()?;
        Some(self.repeat_after(cooled))
    }

    /// When a repetition is due that must not be earlier than `cooled`.
    fn repeat_after(&self, cooled: Timestamp) -> Timestamp {
        let interval = self.delivered_at.map(|at| at + self.timing.repeat_interval);
        let due = interval.unwrap_or(self.first_at).max(cooled);
        match self.decided_at {
            // A receiver that does not work is not tried again at once.
            Some(decided_at) if self.gave_up => due.max(decided_at + self.timing.group_interval),
            _ => due,
        }
    }

    /// When an alert's cooldown ends; long ago if it has none.
    fn cooled_at(&self, labels: &Labels) -> Timestamp {
        self.cooling.get(labels).copied().unwrap_or(Timestamp::MIN)
    }

    fn is_repeated(&self, member: &Member, alert: &Alert, now: Timestamp) -> bool {
        member.is_told && member.is_routed && !alert.is_resolved(now)
    }

    /// The first point at which changes are told that is not before `moment`.
    pub(crate) fn point_at_or_after(&self, moment: Timestamp) -> Timestamp {
        let Some(decided_at) = self.decided_at else {
            return self.first_at.max(moment);
        };
        let interval = millis(self.timing.group_interval).max(1);
        let passed = moment.as_millis().saturating_sub(decided_at.as_millis());
        let intervals = passed
            .saturating_add(interval - 1)
            .div_euclid(interval)
            .max(1);
        let offset = intervals.saturating_mul(interval);
        Timestamp::from_millis(decided_at.as_millis().saturating_add(offset))
    }

    /// Decides a notification, if there is something to tell now; forgets what needs not be told.
    pub(crate) fn decide(
        &mut self,
        id: &GroupId,
        number: u64,
        alerts: Lookup<'_>,
        sends_resolved: bool,
        now: Timestamp,
    ) -> (Option<Notification>, Vec<Labels>) {
        let forgotten = self.forget(alerts, sends_resolved, now);
        self.cooling.retain(|_, until| *until > now);
        let is_repeat_due = self.repeat_due(alerts, now).is_some_and(|due| due <= now);
        let mut firing = Vec::new();
        let mut ended = Vec::new();
        let mut has_new = false;
        for (labels, member) in &self.members {
            let alert = alerts(labels);
            let status = if alert.is_resolved(now) {
                Status::Resolved
            } else {
                Status::Firing
            };
            let notified = NotifiedAlert {
                alert: alert.clone(),
                status,
            };
            match status {
                Status::Resolved => ended.push(notified),
                Status::Firing if !member.is_routed => {}
                Status::Firing if member.is_told => firing.push(notified),
                Status::Firing if self.cooling.contains_key(labels) => {}
                Status::Firing => {
                    has_new = true;
                    firing.push(notified);
                }
            }
        }
        let reason = match () {
            () if has_new && self.delivered_at.is_none() => Reason::First,
            () if has_new => Reason::NewAlerts,
            () if !ended.is_empty() => Reason::Resolved,
            () if is_repeat_due => Reason::Repeat,
            () => return (None, forgotten),
        };
        firing.append(&mut ended);
        let notification = Notification {
            id: number,
            group: id.clone(),
            group_labels: self.labels.clone(),
            alerts: firing,
            reason,
            decided_at: now,
        };
        self.decided_at = Some(now);
        self.in_flight = Some(notification.clone());
        (Some(notification), forgotten)
    }

    /// Removes the alerts of which nobody has to be told anything any more.
    fn forget(&mut self, alerts: Lookup<'_>, sends_resolved: bool, now: Timestamp) -> Vec<Labels> {
        let gave_up = self.gave_up;
        let mut forgotten = Vec::new();
        self.members.retain(|labels, member| {
            let alert = alerts(labels);
            let ended = alert.is_resolved(now);
            let is_hopeless = gave_up && now.since(alert.ends_at) > UNDELIVERED_END_KEPT;
            let is_kept = match member.is_told {
                true => !ended || sends_resolved && !is_hopeless,
                false => !ended && member.is_routed,
            };
            if !is_kept {
                forgotten.push(labels.clone());
            }
            is_kept
        });
        forgotten
    }

    /// Takes over what the receiver was told by the notification on its way; gives the alerts that are done with.
    pub(crate) fn delivered(
        &mut self,
        alerts: Lookup<'_>,
        cooldown: &dyn Fn(&Labels) -> Duration,
        now: Timestamp,
    ) -> Vec<Labels> {
        let Some(notification) = self.in_flight.take() else {
            return Vec::new();
        };
        self.delivered_at = Some(now);
        self.gave_up = false;
        let mut forgotten = Vec::new();
        for notified in notification.alerts {
            let labels = notified.alert.labels;
            let Some(member) = self.members.get_mut(&labels) else {
                continue;
            };
            match notified.status {
                Status::Firing => {
                    member.is_told = true;
                    let cooldown = cooldown(&labels);
                    if !cooldown.is_zero() {
                        self.cooling.insert(labels, now + cooldown);
                    }
                }
                Status::Resolved if alerts(&labels).is_resolved(now) => {
                    self.members.remove(&labels);
                    forgotten.push(labels);
                }
                // It came back while its end was on the way: to the receiver it is a new one.
                Status::Resolved => {
                    member.is_told = false;
                    member.since = now;
                }
            }
        }
        forgotten
    }

    /// The notification on its way did not arrive and will not be tried again.
    pub(crate) fn gave_up(&mut self) {
        self.in_flight = None;
        self.gave_up = true;
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
