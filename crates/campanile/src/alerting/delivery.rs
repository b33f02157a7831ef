//! Sends notifications and reports what became of them.
//!
//! Each integration has a worker of its own with a queue by number, so that a provider that is down holds up no other
//! and messages arrive in the order in which they were decided. After a failure that may pass:
//!
//! 1. The message waits, one second at first, twice as long each time, a minute at most, or as long as the provider
//!    asks for. It keeps its place in the queue.
//! 2. The next message is tried at once: if it goes through, the trouble was the first one's alone, and the queue goes on
//!    without it. If it fails too, or the provider asked to wait, the whole integration rests.
//! 3. What did not arrive within [`TRIED_FOR`] is given up; routing then decides anew what is worth telling.
//!
//! The outcome is written down at once, before routing hears of it: the shorter the time between a provider's yes and the
//! disk, the rarer a kill makes a message come twice.
//!
//! What is in a queue is bounded by routing: of each group at most one notification is on its way.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use alerts::{GroupId, Notification, Outcome};
use arc_swap::ArcSwap;
use catalog::{Catalog, Changes};
use model::Clock;
use notify::{Class, Context, Integration, Message, Receivers, SendError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::journal;
use super::metrics::AlertingMetrics;

/// How long a notification is tried; longer outages of a provider are longer than most alerts are worth telling.
const TRIED_FOR: Duration = Duration::from_secs(3600);

/// The wait after the first failure, and the longest one that we choose.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait that a provider may ask for.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(15 * 60);

/// How long an attempt may go on when the program stops.
const LAST_ATTEMPT: Duration = Duration::from_secs(5);

/// What is to be sent, and what is known of earlier attempts.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) notification: Notification,
    pub(crate) attempts: u32,
    pub(crate) parts_delivered: u32,
}

/// What became of a notification.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) group: GroupId,
    pub(crate) id: u64,
    pub(crate) outcome: Outcome,
    pub(crate) attempts: u32,
    pub(crate) parts_delivered: u32,
    /// Why it was given up; empty if it was delivered.
    pub(crate) error: String,
    /// Whether the journal has it already.
    pub(crate) is_written: bool,
}

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Sending {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) means: Arc<ArcSwap<Means>>,
    pub(crate) catalog: Catalog,
    pub(crate) metrics: Arc<AlertingMetrics>,
}

/// By what means receivers are told; a reload brings others.
#[derive(Debug, Default)]
pub(crate) struct Means {
    pub(crate) receivers: Receivers,
    /// Where links in messages lead.
    pub(crate) external_url: String,
}

/// Gives orders to the workers, and starts one for each integration that has something to send.
pub(crate) struct Delivery {
    sending: Sending,
    reports: mpsc::Sender<Report>,
    queues: HashMap<(String, String), mpsc::UnboundedSender<Order>>,
    workers: JoinSet<()>,
    stop: CancellationToken,
}

impl Delivery {
    /// Without workers; what they have to say goes to `reports`.
    pub(crate) fn new(sending: Sending, reports: mpsc::Sender<Report>) -> Self {
        Self {
            sending,
            reports,
            queues: HashMap::new(),
            workers: JoinSet::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Takes an order; its report comes in any case, unless the program stops before.
    pub(crate) fn send(&mut self, order: Order) {
        let group = &order.notification.group;
        let key = (group.receiver.clone(), group.integration.clone());
        self.queues.retain(|_, queue| !queue.is_closed());
        let queue = self.queues.entry(key).or_insert_with_key(|key| {
            let (queue, orders) = mpsc::unbounded_channel();
            let worker = Worker {
                sending: self.sending.clone(),
                reports: self.reports.clone(),
                receiver: key.0.clone(),
                integration: key.1.clone(),
                queue: BTreeMap::new(),
                rests_until: None,
                failures: 0,
                is_failing: false,
            };
            self.workers.spawn(worker.run(orders, self.stop.clone()));
            queue
        });
        // A worker ends only with the program; then the next start sends.
        let _ = queue.send(order);
        while self.workers.try_join_next().is_some() {}
    }

    /// Lets what is being sent come to its end; the rest is sent after the next start.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.queues.clear();
        while self.workers.join_next().await.is_some() {}
    }
}

/// Sends what goes to one integration.
struct Worker {
    sending: Sending,
    reports: mpsc::Sender<Report>,
    receiver: String,
    integration: String,
    queue: BTreeMap<u64, Item>,
    /// Nothing is tried before.
    rests_until: Option<Duration>,
    /// Passes through the queue in a row in which something failed.
    failures: u32,
    /// Whether it was said that it fails.
    is_failing: bool,
}

struct Item {
    order: Order,
    message: Option<Message>,
    /// On the monotonic clock.
    not_before: Duration,
}

/// How a try ended.
enum Tried {
    Delivered,
    Temporary {
        error: String,
        retry_after: Option<Duration>,
    },
    Permanent(String),
}

impl Worker {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>, stop: CancellationToken) {
        loop {
            let wake = self.next_wake();
            let now = self.sending.clock.monotonic();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                order = orders.recv() => match order {
                    Some(order) => self.take(order),
                    None => return,
                },
                () = sleep_until(wake, now) => {}
            }
            while let Ok(order) = orders.try_recv() {
                self.take(order);
            }
            if self.work(&stop).await.is_none() {
                return;
            }
        }
    }

    fn take(&mut self, order: Order) {
        let item = Item {
            message: None,
            not_before: Duration::ZERO,
            order,
        };
        self.queue.insert(item.order.notification.id, item);
    }

    /// When something is to be done; none if the queue is empty.
    fn next_wake(&self) -> Option<Duration> {
        let first = self.queue.values().map(|item| item.not_before).min()?;
        Some(self.rests_until.map_or(first, |rest| rest.max(first)))
    }

    /// Goes through the queue once, in order. None if the program stops.
    async fn work(&mut self, stop: &CancellationToken) -> Option<()> {
        let now = self.sending.clock.monotonic();
        if self.rests_until.is_some_and(|until| until > now) {
            return Some(());
        }
        self.rests_until = None;
        let mut failed_here = 0;
        let mut has_delivered = false;
        let mut retry_at = None;
        let due: Vec<u64> = self
            .queue
            .iter()
            .filter(|(_, item)| item.not_before <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if stop.is_cancelled() {
                return None;
            }
            let Some(mut item) = self.queue.remove(&id) else {
                continue;
            };
            let tried = match self.current() {
                Some(integration) => {
                    let attempt = self.attempt(&integration, &mut item);
                    finish_unless_stopped(attempt, stop).await?
                }
                None => Tried::Permanent("the configuration has no such receiver any more".into()),
            };
            match tried {
                Tried::Delivered => {
                    has_delivered = true;
                    self.report(item, Outcome::Delivered, String::new()).await;
                }
                Tried::Permanent(error) => self.report(item, Outcome::GaveUp, error).await,
                Tried::Temporary { error, retry_after } => {
                    failed_here += 1;
                    if failed_here == 1 {
                        self.failures = self.failures.saturating_add(1);
                    }
                    let age = self
                        .sending
                        .clock
                        .now()
                        .since(item.order.notification.decided_at);
                    if age >= TRIED_FOR {
                        let error =
                            format!("given up after {} attempts: {error}", item.order.attempts);
                        self.report(item, Outcome::GaveUp, error).await;
                        continue;
                    }
                    self.note_failure(&item, &error).await;
                    // What failed in the same pass is tried again in the same pass, so that the order stays.
                    let now = self.sending.clock.monotonic();
                    let until = *retry_at.get_or_insert_with(|| now + self.wait(&item));
                    item.not_before = until;
                    self.queue.insert(id, item);
                    if failed_here >= 2 || retry_after.is_some() {
                        let asked = retry_after.unwrap_or_default().min(LONGEST_ASKED_WAIT);
                        self.rests_until = Some(until.max(now + asked));
                        return Some(());
                    }
                }
            }
        }
        if has_delivered && failed_here == 0 {
            self.failures = 0;
        }
        Some(())
    }

    fn current(&self) -> Option<Arc<Integration>> {
        let means = self.sending.means.load();
        means
            .receivers
            .get(&self.receiver, &self.integration)
            .map(Arc::clone)
    }

    /// Tries once to send what has not arrived of a message.
    async fn attempt(&self, integration: &Integration, item: &mut Item) -> Tried {
        let order = &mut item.order;
        order.attempts += 1;
        let message = match &item.message {
            Some(message) => message,
            None => {
                let context = Context {
                    external_url: self.sending.means.load().external_url.clone(),
                };
                let rendered = integration.render(&order.notification, &context);
                match rendered {
                    Ok(message) => item.message.insert(message),
                    Err(error) => return Tried::Permanent(error.to_string()),
                }
            }
        };
        let parts = u32::try_from(message.parts()).unwrap_or(u32::MAX);
        while order.parts_delivered < parts {
            let sent = integration
                .send(message, order.parts_delivered as usize)
                .await;
            let labels = (&*self.receiver, &*self.integration);
            self.sending.metrics.attempt(labels, sent.is_ok());
            if let Err(SendError { message, class }) = sent {
                return match class {
                    Class::Temporary { retry_after } => Tried::Temporary {
                        error: message,
                        retry_after,
                    },
                    Class::Permanent => Tried::Permanent(message),
                };
            }
            order.parts_delivered += 1;
            if order.parts_delivered < parts {
                // The next part must not be sent before it is known that this one was.
                self.note(order, String::new()).await;
            }
        }
        Tried::Delivered
    }

    /// How long to wait after the present failure, if the provider does not say.
    fn wait(&self, item: &Item) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << (self.failures.saturating_sub(1)).min(10));
        let own = doubled.min(LONGEST_WAIT);
        // Those that failed together must not come back together: up to a quarter more, another one each time.
        let seed = (item.order.notification.id, item.order.attempts);
        let spread = std::hash::RandomState::new().hash_one(seed) % 1_000;
        own + own.mul_f64(spread as f64 / 4_000.0)
    }

    async fn note_failure(&mut self, item: &Item, error: &str) {
        let id = item.order.notification.id;
        let attempts = item.order.attempts;
        if !self.is_failing {
            self.is_failing = true;
            warn!(
                receiver = self.receiver,
                integration = self.integration,
                id,
                attempts,
                error,
                "notification not delivered yet"
            );
        }
        self.mark_failing(error);
        self.note(&item.order, error.to_owned()).await;
    }

    fn mark_failing(&self, error: &str) {
        let Sending { metrics, clock, .. } = &self.sending;
        metrics.fails(&self.receiver, &self.integration, error, clock.now());
    }

    /// Writes down how far an order has come. Without it a restart only counts attempts anew and repeats parts.
    async fn note(&self, order: &Order, error: String) {
        let mut changes = Changes::default();
        changes.attempted(
            order.notification.id,
            order.attempts,
            order.parts_delivered,
            &error,
        );
        if let Err(error) = self.sending.catalog.commit(changes).await {
            warn!(%error, "an attempt cannot be written down");
        }
    }

    /// Writes down what became of an order, and says whether that could be done; if not, routing does it later.
    async fn write_outcome(&self, order: &Order, outcome: Outcome, error: &str) -> bool {
        let id = order.notification.id;
        let state = journal::state(outcome);
        let mut changes = Changes::default();
        changes
            .attempted(id, order.attempts, order.parts_delivered, error)
            .finished(id, state, error, self.sending.clock.now());
        // Routing's next commit syncs it. Until then a loss of power may repeat the message, but no kill does.
        let written = self.sending.catalog.commit_unsynced(changes).await;
        written.is_ok()
    }

    async fn report(&mut self, item: Item, outcome: Outcome, error: String) {
        let is_written = self.write_outcome(&item.order, outcome, &error).await;
        let Order {
            notification,
            attempts,
            parts_delivered,
        } = item.order;
        let delivered = outcome == Outcome::Delivered;
        let delay = self.sending.clock.now().since(notification.decided_at);
        let id = notification.id;
        if delivered {
            self.is_failing = false;
            self.sending
                .metrics
                .works(&self.receiver, &self.integration);
            info!(
                receiver = self.receiver,
                integration = self.integration,
                id,
                attempts,
                alerts = notification.alerts.len(),
                delay_ms = delay.as_millis() as u64,
                "notification delivered"
            );
        } else {
            self.mark_failing(&error);
            warn!(
                receiver = self.receiver,
                integration = self.integration,
                id,
                attempts,
                error,
                "notification given up"
            );
        }
        self.sending
            .metrics
            .finished(&self.receiver, delivered, delay);
        let report = Report {
            group: notification.group,
            id,
            outcome,
            attempts,
            parts_delivered,
            error,
            is_written,
        };
        // Routing takes reports until all workers have ended.
        let _ = self.reports.send(report).await;
    }
}

/// Waits for an attempt, when the program stops only for a little while. None if it was broken off.
async fn finish_unless_stopped(
    attempt: impl Future<Output = Tried>,
    stop: &CancellationToken,
) -> Option<Tried> {
    let mut attempt: Pin<&mut _> = std::pin::pin!(attempt);
    // A mistake of ours in one message must neither take those behind it along nor leave its group waiting for ever.
    let mut attempt = std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context))).unwrap_or_else(|_| {
            let error = "sending it ended in a panic: this is a mistake in the program";
            Poll::Ready(Tried::Permanent(error.to_owned()))
        })
    });
    tokio::select! {
        biased;
        tried = &mut attempt => return Some(tried),
        () = stop.cancelled() => {}
    }
    tokio::time::timeout(LAST_ATTEMPT, attempt).await.ok()
}

/// Waits until a moment of the monotonic clock; for ever if there is none.
async fn sleep_until(wake: Option<Duration>, now: Duration) {
    match wake {
        Some(wake) => tokio::time::sleep(wake.saturating_sub(now)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
