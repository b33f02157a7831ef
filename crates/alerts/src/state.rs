//! The state machine: alerts, the groups that they are in, and a queue of the moments at which groups are due.
//!
//! An alert is kept once and as long as it is in a group; it leaves a group when its end was told there, or needs not
//! be told. A group that is due decides at most one notification, and rests until its outcome is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Alert, Labels, Timestamp};

use crate::event::{Action, Event, Notification, Outcome};
use crate::group::{Group, Member};
use crate::routing::{Destination, GroupId, Routing};

/// Alerts that may be known at a time; at about a kilobyte each, a hundred megabytes.
const ALERTS_MAX: usize = 100_000;

/// Who is told what, and who was.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub(crate) routing: Routing,
    pub(crate) alerts: BTreeMap<Labels, Known>,
    pub(crate) groups: BTreeMap<Arc<GroupId>, Group>,
    /// The groups by the moment at which they are due.
    queue: BTreeSet<(Timestamp, Arc<GroupId>)>,
    pub(crate) next_id: u64,
    pub(crate) now: Timestamp,
    pub(crate) revision: u64,
    pub(crate) alerts_max: usize,
}

/// An alert and the groups that it is in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) alert: Alert,
    pub(crate) groups: BTreeSet<Arc<GroupId>>,
}

impl State {
    /// Without alerts; the first notification has the number `first_id`.
    pub fn new(routing: Routing, first_id: u64) -> Self {
        Self {
            routing,
            alerts: BTreeMap::new(),
            groups: BTreeMap::new(),
            queue: BTreeSet::new(),
            next_id: first_id,
            now: Timestamp::MIN,
            revision: 0,
            alerts_max: ALERTS_MAX,
        }
    }

    /// Takes an event in and gives what is to be done now. A `now` before the last one counts as the last one; after a
    /// clock was set, [`State::resume`] comes first.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Vec<Action> {
        self.now = self.now.max(now);
        let mut actions = Vec::new();
        match event {
            Event::Alert(alert) => actions.extend(self.take(alert)),
            Event::Tick => {}
            Event::Sent { group, id, outcome } => self.sent(&group, id, outcome),
            Event::Reconfigured(routing) => self.reconfigure(routing),
        }
        actions.extend(self.notify_due().into_iter().map(Action::Notify));
        actions
    }

    /// When [`Event::Tick`] is needed at the latest, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.queue.first().map(|(wake, _)| *wake)
    }

    /// Grows when something changed that must survive a restart; that an alert was raised again is not such a thing.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The notifications whose outcome is not known; after a restart they are to be sent, with the same number, unless
    /// it is known elsewhere that they were.
    pub fn outstanding(&self) -> impl Iterator<Item = &Notification> {
        self.groups
            .values()
            .filter_map(|group| group.in_flight.as_ref())
    }

    /// The alerts that are known, firing or with an end that is not told yet, sorted by labels.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().map(|known| &known.alert)
    }

    /// The routes, receivers and cooldowns that hold now.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// An alert was raised, raised again, or is over.
    fn take(&mut self, mut alert: Alert) -> Option<Action> {
        let now = self.now;
        let labels = alert.labels.clone();
        let ends = alert.is_resolved(now);
        let Some(known) = self.alerts.get_mut(&labels) else {
            if ends {
                return None;
            }
            if self.alerts.len() >= self.alerts_max {
                let limit = self.alerts_max;
                return Some(Action::Refused { labels, limit });
            }
            let groups = BTreeSet::new();
            self.alerts.insert(labels.clone(), Known { alert, groups });
            self.revision += 1;
            self.place(&labels);
            return None;
        };
        let fired = !known.alert.is_resolved(now);
        if fired {
            // The same incident: it began when it was first heard of.
            alert.starts_at = alert.starts_at.min(known.alert.starts_at);
        }
        let ends_sooner = alert.ends_at < known.alert.ends_at;
        if !fired && ends {
            // It was over already; when, is what was said first.
            self.leave_untold(&labels);
            return None;
        }
        known.alert = alert;
        if !fired || ends {
            self.revision += 1;
        }
        if !fired {
            self.place(&labels);
        } else if ends {
            self.leave_untold(&labels);
        }
        if ends_sooner {
            for id in self.groups_of(&labels) {
                self.hasten(&id, &labels);
            }
        }
        None
    }

    /// Puts an alert into the groups to which routes lead, and takes it out of others.
    ///
    /// What a receiver was told in a group that the alert leaves moves with it to the same receiver's other group, so
    /// that a change of the tree repeats nothing. If there is no such group, the old one stays to tell the end.
    fn place(&mut self, labels: &Labels) {
        let now = self.now;
        let Some(known) = self.alerts.get(labels) else {
            return;
        };
        let fires = !known.alert.is_resolved(now);
        let left: Vec<Arc<GroupId>> = known.groups.iter().cloned().collect();
        let mut to = self.routing.destinations(labels);
        for id in left {
            let routed = to.iter().position(|destination| destination.group == *id);
            let group = self
                .groups
                .get_mut(&id)
                .expect("invariant: an alert's groups exist");
            let member = group
                .members
                .get_mut(labels)
                .expect("invariant: it is a member");
            member.is_routed = routed.is_some();
            let is_told = member.is_told;
            if let Some(routed) = routed {
                to.remove(routed);
                self.hasten(&id, labels);
                continue;
            }
            let is_kept = self.routing.integration(&id).is_some();
            let heir = to
                .iter()
                .position(|destination| destination.group.tells_the_same(&id));
            if is_kept && group.is_being_told(labels) {
                // Decided again when its outcome is known; until then nobody else tells this receiver.
                to.retain(|destination| !destination.group.tells_the_same(&id));
            } else if is_told && let Some(heir) = heir {
                self.hand_over(labels, &id, to.remove(heir));
            } else if !is_told || !is_kept {
                self.remove_member(&id, labels);
            } else {
                self.hasten(&id, labels);
            }
        }
        if fires {
            for destination in to {
                self.enter(labels, destination, false);
            }
        }
        self.forget_if_alone(labels);
    }

    /// Makes an alert a member of a group, which is opened if it is not there.
    fn enter(&mut self, labels: &Labels, destination: Destination, is_told: bool) {
        let now = self.now;
        let id = Arc::new(destination.group);
        let group = self
            .groups
            .entry(Arc::clone(&id))
            .or_insert_with(|| Group::open(destination.labels, destination.timing, now));
        group.timing = destination.timing;
        let member = Member {
            since: now,
            is_told,
            is_routed: true,
        };
        group.insert(labels.clone(), member, now);
        if let Some(known) = self.alerts.get_mut(labels) {
            known.groups.insert(Arc::clone(&id));
        }
        self.hasten(&id, labels);
    }

    /// Moves what a receiver knows about an alert from one of its groups to another one.
    fn hand_over(&mut self, labels: &Labels, from: &Arc<GroupId>, to: Destination) {
        let id = to.group.clone();
        let Some(old) = self.groups.get(from) else {
            return;
        };
        let (decided_at, delivered_at) = (old.decided_at, old.delivered_at);
        let cooling = old.cooling.get(labels).copied();
        self.remove_member(from, labels);
        self.enter(labels, to, true);
        if let Some(group) = self.groups.get_mut(&id) {
            group.decided_at = group.decided_at.max(decided_at);
            group.delivered_at = group.delivered_at.max(delivered_at);
            if let Some(until) = cooling {
                group.cooling.insert(labels.clone(), until);
            }
        }
        self.hasten(&Arc::new(id), labels);
    }

    /// An alert is over: the groups that were not told of it need not hear of it at all.
    fn leave_untold(&mut self, labels: &Labels) {
        let groups: Vec<Arc<GroupId>> = self.groups_of(labels);
        for id in groups {
            let is_silent = self.groups.get(&id).is_some_and(|group| {
                let is_told = group
                    .members
                    .get(labels)
                    .is_some_and(|member| member.is_told);
                !is_told && !group.is_being_told(labels)
            });
            if is_silent {
                self.remove_member(&id, labels);
                self.revision += 1;
            }
        }
        self.forget_if_alone(labels);
    }

    fn sent(&mut self, id: &GroupId, number: u64, outcome: Outcome) {
        let Some((id, group)) = self.groups.get_key_value(id) else {
            return;
        };
        let Some(in_flight) = group.in_flight.as_ref().filter(|sent| sent.id == number) else {
            return;
        };
        let told: Vec<Labels> = match outcome {
            // The same notification is still on its way.
            Outcome::Failed => return,
            Outcome::Delivered | Outcome::GaveUp => in_flight
                .alerts
                .iter()
                .map(|told| told.alert.labels.clone())
                .collect(),
        };
        let id = Arc::clone(id);
        let Self {
            alerts,
            groups,
            routing,
            now,
            ..
        } = self;
        let group = groups.get_mut(&id).expect("invariant: it was found above");
        let mut forgotten = Vec::new();
        if outcome == Outcome::Delivered {
            let cooldown = |labels: &Labels| routing.cooldown(labels);
            forgotten = group.delivered(&|labels| &alerts[labels].alert, &cooldown, *now);
        } else {
            group.gave_up();
        }
        self.revision += 1;
        for labels in forgotten {
            self.member_is_gone(&id, &labels);
        }
        for labels in told {
            let is_stranded = self
                .groups
                .get(&id)
                .and_then(|group| group.members.get(&labels))
                .is_some_and(|member| !member.is_routed);
            if is_stranded {
                self.place(&labels);
            }
        }
        self.reschedule(&id);
    }

    pub(crate) fn reconfigure(&mut self, routing: Routing) {
        self.routing = routing;
        self.revision += 1;
        let gone: Vec<Arc<GroupId>> = self
            .groups
            .keys()
            .filter(|id| self.routing.integration(id).is_none())
            .cloned()
            .collect();
        for id in gone {
            // Whoever sends it has no such receiver any more either.
            if let Some(group) = self.groups.get_mut(&id) {
                group.in_flight = None;
                group.cooling.clear();
            }
            self.reschedule(&id);
        }
        let all: Vec<Labels> = self.alerts.keys().cloned().collect();
        for labels in all {
            for destination in self.routing.destinations(&labels) {
                if let Some(group) = self.groups.get_mut(&destination.group) {
                    group.timing = destination.timing;
                }
            }
            self.place(&labels);
        }
    }

    /// Lets each group that is due decide, and gives what they decided.
    fn notify_due(&mut self) -> Vec<Notification> {
        let now = self.now;
        let due: Vec<Arc<GroupId>> = self
            .queue
            .iter()
            .take_while(|(wake, _)| *wake <= now)
            .map(|(_, id)| Arc::clone(id))
            .collect();
        let mut notifications = Vec::new();
        for id in due {
            // The time in the queue may be earlier than what it stood for, never later.
            self.reschedule(&id);
            let Self {
                alerts,
                groups,
                routing,
                ..
            } = self;
            let Some(group) = groups.get_mut(&id) else {
                continue;
            };
            if group.wake.is_none_or(|wake| wake > now) {
                continue;
            }
            let integration = routing.integration(&id);
            let sends_resolved = integration.is_some_and(|integration| integration.send_resolved);
            let lookup = |labels: &Labels| &alerts[labels].alert;
            let (decided, forgotten) =
                group.decide(&id, self.next_id, &lookup, sends_resolved, now);
            if decided.is_some() || !forgotten.is_empty() {
                self.revision += 1;
            }
            if let Some(notification) = decided {
                self.next_id += 1;
                notifications.push(notification);
            }
            for labels in forgotten {
                self.member_is_gone(&id, &labels);
            }
            self.reschedule(&id);
        }
        notifications
    }

    fn groups_of(&self, labels: &Labels) -> Vec<Arc<GroupId>> {
        self.alerts
            .get(labels)
            .map(|known| known.groups.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn remove_member(&mut self, id: &Arc<GroupId>, labels: &Labels) {
        if let Some(group) = self.groups.get_mut(id) {
            group.members.remove(labels);
        }
        if let Some(known) = self.alerts.get_mut(labels) {
            known.groups.remove(id);
        }
        self.close_if_idle(id);
    }

    /// A group has let an alert go.
    fn member_is_gone(&mut self, id: &Arc<GroupId>, labels: &Labels) {
        if let Some(known) = self.alerts.get_mut(labels) {
            known.groups.remove(id);
        }
        self.forget_if_alone(labels);
    }

    /// Forgets an alert that is in no group.
    fn forget_if_alone(&mut self, labels: &Labels) {
        if self
            .alerts
            .get(labels)
            .is_some_and(|known| known.groups.is_empty())
        {
            self.alerts.remove(labels);
        }
    }

    /// Moves a group forward in the queue, if the change of one of its alerts makes it due earlier.
    fn hasten(&mut self, id: &Arc<GroupId>, labels: &Labels) {
        let (Some(group), Some(known)) = (self.groups.get_mut(id), self.alerts.get(labels)) else {
            return;
        };
        let wake = group.due_with(labels, &known.alert, self.now);
        requeue(&mut self.queue, id, group, wake);
    }

    /// Puts a group at its place in the queue, or removes it if it is idle; takes as long as the group is large.
    pub(crate) fn reschedule(&mut self, id: &Arc<GroupId>) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        let alerts = &self.alerts;
        let wake = group.due(&|labels| &alerts[labels].alert, self.now);
        requeue(&mut self.queue, id, group, wake);
        self.close_if_idle(id);
    }

    fn close_if_idle(&mut self, id: &Arc<GroupId>) {
        if let Some(group) = self.groups.get_mut(id)
            && group.is_idle()
        {
            requeue(&mut self.queue, id, group, None);
            self.groups.remove(id);
        }
    }
}

/// Puts a group at another place in the queue, or out of it.
fn requeue(
    queue: &mut BTreeSet<(Timestamp, Arc<GroupId>)>,
    id: &Arc<GroupId>,
    group: &mut Group,
    wake: Option<Timestamp>,
) {
    if wake == group.wake {
        return;
    }
    if let Some(old) = group.wake {
        queue.remove(&(old, Arc::clone(id)));
    }
    if let Some(new) = wake {
        queue.insert((new, Arc::clone(id)));
    }
    group.wake = wake;
}

#[cfg(test)]
mod tests;
