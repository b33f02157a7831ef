//! The live feed: what has just happened, told over `/ws/metrics` to whoever asked for it.
//!
//! The program publishes into a [`Feed`], which copies what it is given and never makes it wait. From there on, step by
//! step:
//!
//! 1. `waiting` holds what was published until the hub takes it, within bounds; with no subscriber it holds nothing.
//! 2. `hub` takes it, at once or 50 ms after the last time, and finds who asked for what (`groups`, `samples`, `live`).
//! 3. Each message is written once for all subscriptions that are equal (`message`) and put into the queue of each client
//!    (`outbox`). A client whose queue is full loses what waits and is told to fetch anew; it holds up no one.
//! 4. `client` carries messages from the queue to the socket and requests (`request`) from the socket to the hub.

mod client;
mod groups;
mod hub;
mod live;
mod message;
mod outbox;
mod request;
mod samples;
mod topic;
pub(crate) mod upgrade;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Appended, Labels, SampleBatch, Timestamp};
use tokio::sync::{Notify, Semaphore, mpsc};

use hub::{Command, Leave, Orders};
use waiting::{Kind, Waiting};

pub(crate) use hub::run;

/// Commands of clients that wait for the hub; each client waits for the answer to its last one, so few ever do.
const COMMANDS: usize = 256;

/// Where the program publishes what happens; a clone is another handle on the same feed.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

struct Shared {
    limits: FeedLimits,
    waiting: Waiting,
    /// Something was published.
    news: Notify,
    /// One for each client.
    clients: Arc<Semaphore>,
    commands: mpsc::Sender<Command>,
    leaves: mpsc::Sender<Leave>,
    /// Taken by the hub when it begins.
    orders: Mutex<Option<Orders>>,
}

/// Bounds of the live feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedLimits {
    /// Clients at once; the next one gets 503. Each takes a connection, and half of those remain for requests.
    pub clients: usize,
    /// Subscriptions of one client; a page has one for each thing that it shows.
    pub client_subscriptions: usize,
    /// Different queries that are kept evaluated: each costs as much as a person who reloads all the time.
    pub live_queries: usize,
    /// Different names and labels of samples that are asked for: each may take every sample, which is then written once
    /// more. Pages ask for the same few.
    pub sample_topics: usize,
    /// Bytes of a message of a client; the longest is a query, which a person has written.
    pub request_bytes: usize,
    /// Messages that wait for one client: some seconds of everything, after which a page rather fetches anew.
    pub queue_messages: usize,
    /// Bytes that wait for one client; times the clients this is what slow readers may cost.
    pub queue_bytes: usize,
    /// Samples, alerts and monitors that wait for the hub: a fifth of a second at a million samples per second.
    pub waiting_rows: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self {
            clients: 1000,
            client_subscriptions: 32,
            live_queries: 100,
            sample_topics: 200,
            request_bytes: 64 << 10,
            queue_messages: 256,
            queue_bytes: 1 << 20,
            waiting_rows: 200_000,
        }
    }
}

/// How an alert has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertChange {
    /// Its identity.
    pub labels: Labels,
    /// What a person should know, by name.
    pub annotations: BTreeMap<String, String>,
    /// What it is now.
    pub phase: AlertPhase,
    /// Since when its condition holds, or held.
    pub active_at: Timestamp,
    /// What was measured last; that an alert without a number holds is 1.
    pub value: f64,
    /// The rule that raised it; none if a monitor did.
    pub rule: Option<String>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
}

/// How far an alert is, as the feed tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertPhase {
    /// Its condition holds, but not for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It fired and is over.
    Resolved,
    /// It was pending and is over.
    Inactive,
}

impl AlertPhase {
    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Inactive => "inactive",
        }
    }
}

impl Feed {
    /// A feed without clients, which holds nothing until a server runs with it.
    pub fn new(limits: FeedLimits) -> Self {
        let (commands, commands_taken) = mpsc::channel(COMMANDS);
        let (leaves, leaves_taken) = mpsc::channel(limits.clients.max(1));
        let orders = Orders {
            commands: commands_taken,
            leaves: leaves_taken,
        };
        Self {
            shared: Arc::new(Shared {
                waiting: Waiting::new(limits.waiting_rows),
                news: Notify::new(),
                clients: Arc::new(Semaphore::new(limits.clients)),
                commands,
                leaves,
                orders: Mutex::new(Some(orders)),
                limits,
            }),
        }
    }

    /// Publishes the rows of a batch that were accepted; stale markers say nothing that is new.
    pub fn samples(&self, batch: &SampleBatch<'_>, appended: &Appended) {
        if self.is_wanted(Kind::Samples) && self.shared.waiting.add_samples(batch, appended) {
            self.shared.news.notify_one();
        }
    }

    /// Whether anyone would hear of an alert; who has to compute what changed may ask before.
    pub fn wants_alerts(&self) -> bool {
        self.is_wanted(Kind::Alerts)
    }

    /// Publishes that an alert has changed.
    pub fn alert(&self, change: AlertChange) {
        if self.is_wanted(Kind::Alerts) {
            self.shared.waiting.add_alert(change);
            self.shared.news.notify_one();
        }
    }

    /// Publishes how a monitor is now: after each check and each change.
    pub fn monitor(&self, status: Arc<crate::MonitorStatus>) {
        if self.is_wanted(Kind::Monitors) {
            self.shared.waiting.add_monitor(MonitorNews::Now(status));
            self.shared.news.notify_one();
        }
    }

    /// Publishes that a monitor is watched no more.
    pub fn monitor_removed(&self, name: Arc<str>) {
        if self.is_wanted(Kind::Monitors) {
            self.shared.waiting.add_monitor(MonitorNews::Removed(name));
            self.shared.news.notify_one();
        }
    }

    fn is_wanted(&self, kind: Kind) -> bool {
        self.shared.waiting.is_wanted(kind)
    }

    fn orders(&self) -> Option<Orders> {
        let mut orders = self
            .shared
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        orders.take()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new(FeedLimits::default())
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Feed")
    }
}

/// What is told of a monitor.
#[derive(Clone, Debug)]
enum MonitorNews {
    Now(Arc<crate::MonitorStatus>),
    Removed(Arc<str>),
}

impl MonitorNews {
    fn name(&self) -> &str {
        match self {
            Self::Now(status) => &status.monitor.name,
            Self::Removed(name) => name,
        }
    }
}
