//! Who has asked for what: clients with an equal topic are one group, and are told with one text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use model::{Labels, NAME};

use super::FeedLimits;
use super::message::{self, Update};
use super::outbox::{Outbox, Put};
use super::topic::Topic;
use super::waiting::Kind;
use crate::error::ApiError;
use crate::metrics::FeedMetrics;

/// A client of the feed, as the hub knows it.
pub(super) struct Client {
    pub(super) number: u64,
    pub(super) outbox: Outbox,
}

/// A group, never used twice.
pub(super) type GroupNumber = u64;

#[derive(Default)]
pub(super) struct Groups {
    groups: BTreeMap<GroupNumber, Group>,
    by_topic: HashMap<Arc<Topic>, GroupNumber>,
    /// The groups that ask for samples, by the name that they ask for.
    by_name: HashMap<Option<String>, Vec<GroupNumber>>,
    /// For each client its subscriptions.
    clients: HashMap<u64, BTreeMap<Arc<str>, GroupNumber>>,
    last_number: GroupNumber,
    /// How often the groups that ask for samples have changed.
    version: u64,
}

struct Group {
    topic: Arc<Topic>,
    /// By the id that clients have given it: those with the same id share every byte.
    members: BTreeMap<Arc<str>, Vec<Arc<Client>>>,
}

/// What a subscription has come to.
pub(super) struct Joined {
    pub(super) id: Arc<str>,
    pub(super) group: GroupNumber,
    /// Whether nobody had asked for it before.
    pub(super) is_new: bool,
}

impl Groups {
    /// Lets a client have part in a topic.
    ///
    /// Errors: it has too many subscriptions, or one with this id.
    pub(super) fn subscribe(
        &mut self,
        client: &Arc<Client>,
        id: Option<Arc<str>>,
        topic: Topic,
        limits: &FeedLimits,
    ) -> Result<Joined, ApiError> {
        let subscriptions = self.clients.entry(client.number).or_default();
        let most = limits.client_subscriptions;
        if subscriptions.len() >= most {
            return Err(ApiError::unavailable(format!(
                "a client may have {most} subscriptions: end one of them first"
            )));
        }
        // Ids of our own are the same for all clients that ask in the same order, so that they share every byte.
        let id = id.unwrap_or_else(|| {
            let mut numbers = (1..).map(|number: usize| number.to_string());
            let free = numbers.find(|id| !subscriptions.contains_key(id.as_str()));
            free.expect("invariant: there is always another number")
                .into()
        });
        if subscriptions.contains_key(&id) {
            return Err(ApiError::bad_data(format!(
                "the id {id:?} is taken by another subscription: end it first, or choose another"
            )));
        }
        let (group, is_new) = match self.by_topic.get(&topic) {
            Some(number) => (*number, false),
            None => (self.found(topic), true),
        };
        let named = self.groups.get_mut(&group);
        named
            .expect("invariant: a group that is named exists")
            .members
            .entry(id.clone())
            .or_default()
            .push(client.clone());
        self.clients
            .entry(client.number)
            .or_default()
            .insert(id.clone(), group);
        Ok(Joined { id, group, is_new })
    }

    /// Ends a subscription; the group, and whether it ended with it. None if there is no such subscription.
    pub(super) fn unsubscribe(&mut self, client: u64, id: &str) -> Option<(GroupNumber, bool)> {
        let subscriptions = self.clients.get_mut(&client)?;
        let number = subscriptions.remove(id)?;
        let Some(group) = self.groups.get_mut(&number) else {
            return Some((number, false));
        };
        if let Some(members) = group.members.get_mut(id) {
            members.retain(|member| member.number != client);
            if members.is_empty() {
                group.members.remove(id);
            }
        }
        let is_over = group.members.is_empty();
        if is_over {
            self.end(number);
        }
        Some((number, is_over))
    }

    /// Ends all subscriptions of a client; the groups that ended with them.
    pub(super) fn leave(&mut self, client: u64) -> Vec<GroupNumber> {
        let subscriptions = self.clients.get(&client).into_iter().flatten();
        let ids: Vec<Arc<str>> = subscriptions.map(|(id, _)| id.clone()).collect();
        let ended = ids.iter().filter_map(|id| self.unsubscribe(client, id));
        let ended = ended.filter(|(_, is_over)| *is_over);
        let ended = ended.map(|(number, _)| number).collect();
        self.clients.remove(&client);
        ended
    }

    /// Whether anyone asks for a topic.
    pub(super) fn contains(&self, topic: &Topic) -> bool {
        self.by_topic.contains_key(topic)
    }

    /// How many different topics ask for samples.
    pub(super) fn sample_topics(&self) -> usize {
        self.by_name.values().map(Vec::len).sum()
    }

    /// Whether anyone asks for what is published as `kind`.
    pub(super) fn wants(&self, kind: Kind) -> bool {
        let mut topics = self.groups.values().map(|group| &group.topic);
        topics.any(|topic| topic.kind() == Some(kind))
    }

    /// The groups that ask for samples of a series, and for nothing else.
    pub(super) fn of_series(&self, series: &Labels) -> Vec<GroupNumber> {
        let name = series.get(NAME).map(str::to_owned);
        let unnamed = self.by_name.get(&None).into_iter().flatten();
        let named = name.and_then(|name| self.by_name.get(&Some(name)));
        let candidates = unnamed.chain(named.into_iter().flatten());
        candidates
            .copied()
            .filter(|number| self.groups[number].topic.takes_series(series))
            .collect()
    }

    /// Changes whenever [`Groups::of_series`] may say something else.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The groups that ask for alerts.
    pub(super) fn of_alerts(&self) -> Vec<GroupNumber> {
        self.chosen(|topic| *topic == Topic::Alerts)
    }

    /// The groups that ask for a monitor.
    pub(super) fn of_monitor(&self, name: &str) -> Vec<GroupNumber> {
        self.chosen(|topic| topic.takes_monitor(name))
    }

    fn chosen(&self, takes: impl Fn(&Topic) -> bool) -> Vec<GroupNumber> {
        let groups = self.groups.iter();
        let chosen = groups.filter(|(_, group)| takes(&group.topic));
        chosen.map(|(number, _)| *number).collect()
    }

    /// Tells all members of a group.
    pub(super) fn tell(&self, group: GroupNumber, update: &Update, metrics: &FeedMetrics) {
        let Some(group) = self.groups.get(&group) else {
            return;
        };
        for (id, members) in &group.members {
            let text = Utf8Bytes::from(update.with_id(id));
            for member in members {
                count(member.outbox.put(text.clone()), metrics);
            }
        }
    }

    /// Tells all who ask for what is published as `kind` that some of it is lost.
    pub(super) fn lose(&self, kind: Kind, lost: u64, metrics: &FeedMetrics) {
        let mut told = std::collections::HashSet::new();
        let groups = self.groups.values();
        for group in groups.filter(|group| group.topic.kind() == Some(kind)) {
            for member in group.members.values().flatten() {
                if told.insert(member.number) {
                    count(member.outbox.lose(lost), metrics);
                }
            }
        }
    }

    fn found(&mut self, topic: Topic) -> GroupNumber {
        self.last_number += 1;
        let number = self.last_number;
        if let Topic::Metrics { name, .. } = &topic {
            self.version += 1;
            self.by_name.entry(name.clone()).or_default().push(number);
        }
        let topic = Arc::new(topic);
        self.by_topic.insert(topic.clone(), number);
        let members = BTreeMap::new();
        self.groups.insert(number, Group { topic, members });
        number
    }

    fn end(&mut self, number: GroupNumber) {
        let Some(group) = self.groups.remove(&number) else {
            return;
        };
        self.by_topic.remove(&group.topic);
        if let Topic::Metrics { name, .. } = &*group.topic
            && let Some(named) = self.by_name.get_mut(name)
        {
            self.version += 1;
            named.retain(|other| *other != number);
            if named.is_empty() {
                self.by_name.remove(name);
            }
        }
    }
}

/// Tells one client of an update of a subscription of his.
pub(super) fn tell_one(client: &Client, id: &str, update: &Update, metrics: &FeedMetrics) {
    count(client.outbox.put(update.with_id(id).into()), metrics);
}

fn count(put: Put, metrics: &FeedMetrics) {
    if let Put::Dropped { count, first } = put {
        metrics.dropped.inc_by(count);
        metrics.resynchronizations.inc_by(u64::from(first));
    }
}

/// Answers a request of a client.
pub(super) fn answer(client: &Client, text: impl Into<Utf8Bytes>) {
    client.outbox.answer(text.into());
}

/// Refuses a request of a client.
pub(super) fn refuse(client: &Client, id: Option<&str>, error: &ApiError) {
    answer(client, message::error(id, error));
}
