//! The tree of routes: which receivers hear of an alert, in which group, and how often.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use model::{Labels, Matcher};
use serde::{Deserialize, Serialize};

/// Routes, receivers and cooldowns; what a configuration says about who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// The root of the tree; it takes every alert, whatever its matchers are.
    pub root: Route,
    /// The receivers by name; a route to one that is not here tells nobody.
    pub receivers: BTreeMap<String, Receiver>,
    /// The first whose matchers an alert fulfils counts.
    pub cooldowns: Vec<Cooldown>,
}

/// A node of the tree. Everything that a file may leave out is filled in, from the parent or from the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Whom to tell.
    pub receiver: String,
    /// What an alert must fulfil to come here.
    pub matchers: Vec<Matcher>,
    /// Whether the siblings after this route are asked too, although it took the alert.
    pub continues: bool,
    /// What the alerts of a group have in common.
    pub group_by: GroupBy,
    /// When a group is told.
    pub timing: Timing,
    /// The children, asked in order.
    pub routes: Vec<Route>,
}

/// By which labels alerts are put into groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// By all: each alert is its own group.
    All,
    /// By these; an alert without one of them has it empty. None at all makes one group of everything.
    Labels(Vec<String>),
}

/// When a group is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// How long a new group waits for more alerts.
    pub group_wait: Duration,
    /// The distance of the moments at which changes of a group are told; more than zero.
    pub group_interval: Duration,
    /// After which time a group is told again that still fires; more than zero.
    pub repeat_interval: Duration,
}

/// Whom a name in a route stands for. One without integrations tells nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receiver {
    /// Each way to tell it, by its name: kind and index among those of the kind, such as `email[0]`.
    pub integrations: BTreeMap<String, Integration>,
}

/// What routes must know about one way to tell a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integration {
    /// Whether it is told that alerts are over.
    pub send_resolved: bool,
}

/// After a firing notification, no further one for the same labels until `duration` has passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Cooldown {
    /// Which alerts it holds for.
    pub matchers: Vec<Matcher>,
    /// How long it lasts.
    pub duration: Duration,
}

/// Where an alert goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    /// The group that it belongs to.
    pub group: GroupId,
    /// The labels that are common to the group.
    pub labels: Labels,
    /// When the group is told.
    pub timing: Timing,
}

/// The identity of a group; it stays the same as long as the matchers on the way to its route do.
///
/// Each integration of a receiver has its own groups: one that does not work holds up no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId {
    /// Who is told.
    pub receiver: String,
    /// Which of the receiver's integrations tells it.
    pub integration: String,
    /// The matchers from the root to the route and the group's labels, as Alertmanager writes `groupKey`.
    pub key: String,
}

impl Default for Timing {
    /// Alertmanager's defaults.
    fn default() -> Self {
        Self {
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_secs(5 * 60),
            repeat_interval: Duration::from_secs(4 * 3600),
        }
    }
}

impl Route {
    /// A route for every alert, one group, default times, without children.
    pub fn to(receiver: impl Into<String>) -> Self {
        Self {
            receiver: receiver.into(),
            matchers: Vec::new(),
            continues: false,
            group_by: GroupBy::Labels(Vec::new()),
            timing: Timing::default(),
            routes: Vec::new(),
        }
    }
}

impl Routing {
    /// Where an alert with these labels goes, in the order of the tree, each group once.
    pub fn destinations(&self, labels: &Labels) -> Vec<Destination> {
        let mut found = Vec::new();
        descend(&self.root, "{}", labels, &mut found);
        let mut destinations: Vec<Destination> = Vec::new();
        for Taken { route, key } in found {
            let group_labels = route.group_by.of(labels);
            let key = format!("{key}:{group_labels}");
            let receiver = self.receivers.get(&route.receiver);
            for integration in receiver
                .into_iter()
                .flat_map(|receiver| receiver.integrations.keys())
            {
                let group = GroupId {
                    receiver: route.receiver.clone(),
                    integration: integration.clone(),
                    key: key.clone(),
                };
                // Two routes with the same matchers and receiver are one: nobody wants to be told twice.
                if destinations.iter().all(|known| known.group != group) {
                    destinations.push(Destination {
                        group,
                        labels: group_labels.clone(),
                        timing: route.timing,
                    });
                }
            }
        }
        destinations
    }

    /// The integration that a group tells; none if the configuration has it no more.
    pub fn integration(&self, group: &GroupId) -> Option<&Integration> {
        let receiver = self.receivers.get(&group.receiver)?;
        receiver.integrations.get(&group.integration)
    }

    /// How long an alert with these labels must not be told again after it was told; zero if there is no cooldown.
    pub fn cooldown(&self, labels: &Labels) -> Duration {
        self.cooldowns
            .iter()
            .find(|cooldown| fulfils(&cooldown.matchers, labels))
            .map_or(Duration::ZERO, |cooldown| cooldown.duration)
    }
}

/// A route at which an alert ends.
struct Taken<'r> {
    route: &'r Route,
    /// The matchers on the way to it.
    key: String,
}

/// Goes down from a route that takes the alert; if no child does, the route itself is where it goes.
fn descend<'r>(route: &'r Route, key: &str, labels: &Labels, found: &mut Vec<Taken<'r>>) {
    let mut is_taken = false;
    for child in &route.routes {
        if !fulfils(&child.matchers, labels) {
            continue;
        }
        is_taken = true;
        descend(child, &child_key(key, &child.matchers), labels, found);
        if !child.continues {
            break;
        }
    }
    if !is_taken {
        let key = key.to_owned();
        found.push(Taken { route, key });
    }
}

fn child_key(parent: &str, matchers: &[Matcher]) -> String {
    let mut key = format!("{parent}/{{");
    for (index, matcher) in matchers.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        write!(key, "{separator}{matcher}").expect("invariant: a string takes every text");
    }
    key.push('}');
    key
}

fn fulfils(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers
        .iter()
        .all(|matcher| matcher.matches_labels(labels))
}

impl GroupId {
    /// Whether another group is told to the same ears in the same way.
    pub(crate) fn tells_the_same(&self, other: &Self) -> bool {
        self.receiver == other.receiver && self.integration == other.integration
    }
}

impl GroupBy {
    /// The labels of an alert that name its group.
    fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::All => labels.clone(),
            Self::Labels(names) => labels.filtered(|name| names.iter().any(|kept| kept == name)),
        }
    }
}

#[cfg(test)]
mod tests;
