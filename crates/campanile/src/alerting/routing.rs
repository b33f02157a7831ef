//! The loop around `alerts::State`: alerts and outcomes go in, notifications come out, and in between everything is written
//! down.
//!
//! One round: take all that waits, apply it, write the new state, the intents and the outcomes in one transaction, and
//! only then hand notifications on. So a notification that was sent is known to the next start, and one whose outcome
//! is written is not sent again. If the catalog cannot be written for [`PATIENCE`], messages are sent all the same: that a
//! disk is full is the very thing that must be told. What was not written is written as soon as it can be.

mod inbox;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alerts::{Action, Event, Notification, Outcome, State};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use catalog::{Catalog, Changes};
use model::{Alert, Clock, DeliveryState, HealthState, Labels, NotificationQuery, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::delivery::{Delivery, Means, Order, Report, Sending};
use super::journal;
use super::metrics::AlertingMetrics;
use super::pruning::Pruning;
use super::turns::Turning;

use inbox::Input;
pub(crate) use inbox::{Inbox, Whom};
pub(crate) use view::View;

/// Where the state lies in the catalog.
const KIND: &str = "alerts";
const KEY: &str = "state";

/// How many batches of alerts may wait; whoever raises them waits then, too.
const INBOX: usize = 256;

/// How many inputs are taken into one transaction.
const ROUND_MAX: usize = 10_000;

/// The clock may jump, so it is looked at this often at least while something is due some time.
const LOOK: Duration = Duration::from_secs(1);
const IDLE_LOOK: Duration = Duration::from_secs(30);

/// A clock that is this far off is no longer taken to go as it should; alerts of rules hold for minutes.
const LEAP: Duration = Duration::from_secs(10);

/// How long notifications wait for a catalog that cannot be written.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(500);

/// A change that no message waits for is written after this time, with others: whoever raised an alert raises it again after a
/// start, and outcomes are in the journal already, whose entries must not wait behind the state.
const GATHER: Duration = Duration::from_millis(100);

/// While alerts are known the state is written this often, since what it says of the program's absence follows from when
/// it was written.
const REFRESH: Duration = Duration::from_secs(15);

/// What is waiting to be written may hold this many entries before the oldest are dropped.
const UNWRITTEN_MAX: usize = 10_000;

/// Entries that are looked at after a start whether anyone still wants to send them; the rest after the next one.
const PENDING_MAX: u32 = 1_000;

/// The loop, before it runs.
pub(crate) struct Router {
    state: State,
    sending: Sending,
    inputs: mpsc::Receiver<Input>,
    view: Arc<View>,
    /// Entries of the journal.
    unwritten: Changes,
    /// Whether the state is to be written with them, as it is then.
    is_state_due: bool,
    /// The wall clock's lead over the monotonic one when they were last compared, in milliseconds.
    lead: i64,
    /// Of the state that others see, and of the one that is written.
    shown: Option<u64>,
    revision: Option<u64>,
    written_at: Option<Duration>,
    /// When the state became another one than the one that is written.
    changed_at: Option<Duration>,
    pruning: Pruning,
}

impl Router {
    /// Reads the state that the program left behind.
    ///
    /// Errors: the catalog cannot be read, or holds a state that this version cannot read.
    pub(crate) async fn load(
        catalog: Catalog,
        clock: Arc<dyn Clock>,
        metrics: Arc<AlertingMetrics>,
        whom: Whom,
    ) -> anyhow::Result<(Self, Inbox)> {
        let now = clock.now();
        let last_id = catalog.last_notification_id().await?;
        let state = match catalog.state(KIND, KEY).await? {
            None => State::new(whom.routing, last_id + 1),
            Some(bytes) => State::restore(&bytes, whom.routing, now)
                .context("the state of alerts in catalog.sqlite")?,
        };
        let (inbox, inputs) = mpsc::channel(INBOX);
        let router = Self {
            state,
            lead: lead(&*clock),
            sending: Sending {
                clock,
                means: Arc::new(ArcSwap::from_pointee(Means {
                    receivers: whom.receivers,
                    external_url: whom.external_url,
                })),
                catalog,
                metrics,
            },
            inputs,
            view: Arc::default(),
            unwritten: Changes::default(),
            is_state_due: false,
            shown: None,
            revision: None,
            written_at: None,
            changed_at: None,
            pruning: Pruning::default(),
        };
        Ok((router, Inbox(inbox)))
    }

    /// What others see of the loop.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    /// Routes until `stop`; then what is being sent comes to its end and the state is written once more.
    ///
    /// `standing` are the alerts that fire as far as their origins know: those of a monitor's last outage and of rules
    /// as they were left. They come before anything else, so that nothing seems to be over only because nobody was there to
    /// say that it is not.
    pub(crate) async fn run(
        mut self,
        standing: Vec<Alert>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let (reports, mut outcomes) = mpsc::channel(INBOX);
        let mut delivery = Delivery::new(self.sending.clone(), reports);
        let mut orders = self.left_behind().await?;
        let now = self.sending.clock.now();
        for alert in self.abandoned(&standing, now).into_iter().chain(standing) {
            self.apply(Event::Alert(alert), now, &mut orders);
        }
        loop {
            let turned = self.sending.clock.monotonic();
            let turns = &self.sending.metrics.turns;
            turns.turned(Turning::Routing, turned);
            self.round(orders, &mut delivery).await;
            orders = Vec::new();
            let wait = self.wait();
            let (mut input, mut outcome) = (None, None);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                report = outcomes.recv() => outcome = report,
                taken = self.inputs.recv() => match taken {
                    Some(taken) => input = Some(taken),
                    None => break,
                },
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.sending.clock.now();
            self.heed_leap(now);
            for _ in 0..ROUND_MAX {
                match outcome.take().or_else(|| outcomes.try_recv().ok()) {
                    Some(report) => self.conclude(report, now, &mut orders),
                    None => break,
                }
            }
            for _ in 0..ROUND_MAX {
                match input.take().or_else(|| self.inputs.try_recv().ok()) {
                    Some(input) => self.take(input, now, &mut orders),
                    None => break,
                }
            }
            self.apply(Event::Tick, now, &mut orders);
        }
        // Orders of this last round are in the journal and go out after the next start.
        let (last, ()) = tokio::join!(
            async {
                let mut last = Vec::new();
                while let Some(report) = outcomes.recv().await {
                    last.push(report);
                }
                last
            },
            delivery.stop()
        );
        let now = self.sending.clock.now();
        for report in last {
            self.conclude(report, now, &mut orders);
        }
        while let Ok(input) = self.inputs.try_recv() {
            self.take(input, now, &mut orders);
        }
        self.prepare(&orders);
        self.is_state_due = true;
        self.write().await.context("the last state of alerts")
    }

    /// After the clock was set, or the machine slept, the state goes on as after a restart.
    fn heed_leap(&mut self, now: Timestamp) {
        let lead = lead(&*self.sending.clock);
        let leap = lead.saturating_sub(self.lead);
        if leap.unsigned_abs() < LEAP.as_millis() as u64 {
            return;
        }
        info!(
            seconds = leap / 1000,
            "the clock has leapt, or this machine slept: alerts go on from here"
        );
        self.lead = lead;
        self.state.resume(now);
    }

    /// The ends of alerts that hold until their origin ends them, and that no origin knows any more: a monitor was removed
    /// and the program killed before the end was written, or what was known of the monitor is lost.
    fn abandoned(&self, standing: &[Alert], now: Timestamp) -> Vec<Alert> {
        let standing: BTreeSet<&Labels> = standing.iter().map(|alert| &alert.labels).collect();
        let alerts = self.state.alerts();
        alerts
            .filter(|alert| alert.ends_at == Timestamp::MAX && !standing.contains(&alert.labels))
            .map(|alert| Alert {
                ends_at: now,
                ..alert.clone()
            })
            .collect()
    }

    /// What was to be sent when the program ended, with what the journal knows of it.
    async fn left_behind(&mut self) -> anyhow::Result<Vec<Order>> {
        let mut orders = Vec::new();
        let outstanding: Vec<Notification> = self.state.outstanding().cloned().collect();
        let now = self.sending.clock.now();
        for notification in outstanding {
            let known = self.sending.catalog.notification(notification.id).await?;
            let (attempts, parts_delivered, state) = known.map_or((0, 0, None), |known| {
                (known.attempts, known.parts_delivered, Some(known.state))
            });
            let outcome = match state {
                Some(DeliveryState::Delivered) => Outcome::Delivered,
                Some(DeliveryState::Failed) => Outcome::GaveUp,
                Some(DeliveryState::Pending) | None => {
                    info!(
                        id = notification.id,
                        receiver = notification.group.receiver,
                        "a notification was left behind and is sent now"
                    );
                    orders.push(Order {
                        notification,
                        attempts,
                        parts_delivered,
                    });
                    continue;
                }
            };
            let group = notification.group;
            let id = notification.id;
            self.apply(Event::Sent { group, id, outcome }, now, &mut orders);
        }
        let pending = NotificationQuery {
            state: Some(DeliveryState::Pending),
            limit: PENDING_MAX,
            ..NotificationQuery::default()
        };
        for entry in self.sending.catalog.notifications(&pending).await? {
            if orders.iter().all(|order| order.notification.id != entry.id) {
                let error = "its receiver is in the configuration no more";
                self.unwritten
                    .finished(entry.id, DeliveryState::Failed, error, now);
            }
        }
        Ok(orders)
    }

    fn take(&mut self, input: Input, now: Timestamp, orders: &mut Vec<Order>) {
        match input {
            Input::Alerts(alerts) => {
                for alert in alerts {
                    self.apply(Event::Alert(alert), now, orders);
                }
            }
            Input::Changed(whom) => {
                let Whom {
                    routing,
                    receivers,
                    external_url,
                } = *whom;
                self.sending.means.store(Arc::new(Means {
                    receivers,
                    external_url,
                }));
                self.apply(Event::Reconfigured(routing), now, orders);
            }
        }
    }

    /// Takes in what became of a notification.
    fn conclude(&mut self, report: Report, now: Timestamp, orders: &mut Vec<Order>) {
        let Report {
            group,
            id,
            outcome,
            attempts,
            parts_delivered,
            error,
            is_written,
        } = report;
        if !is_written {
            self.unwritten
                .attempted(id, attempts, parts_delivered, &error)
                .finished(id, journal::state(outcome), &error, now);
        }
        self.apply(Event::Sent { group, id, outcome }, now, orders);
    }

    fn apply(&mut self, event: Event, now: Timestamp, orders: &mut Vec<Order>) {
        for action in self.state.apply(event, now) {
            match action {
                Action::Notify(notification) => orders.push(Order {
                    notification,
                    attempts: 0,
                    parts_delivered: 0,
                }),
                Action::Refused { labels, limit } => {
                    self.sending.metrics.refused();
                    warn!(%labels, limit, "alert refused: as many as the limit are known already");
                }
            }
        }
    }

    /// Writes what changed and hands the orders on.
    async fn round(&mut self, orders: Vec<Order>, delivery: &mut Delivery) {
        if self.shown != Some(self.state.revision()) {
            self.shown = Some(self.state.revision());
            let alerts: Vec<Alert> = self.state.alerts().cloned().collect();
            self.sending
                .metrics
                .set_active(&alerts, self.sending.clock.now());
        }
        self.prepare(&orders);
        if self.is_state_due || !self.unwritten.is_empty() {
            self.write_patiently(!orders.is_empty()).await;
        }
        for order in orders {
            delivery.send(order);
        }
        let Sending { catalog, clock, .. } = &self.sending;
        self.pruning.go_on(catalog, &**clock).await;
    }

    /// Adds to what is to be written: intents, and the state if it must be kept as it is now.
    fn prepare(&mut self, orders: &[Order]) {
        for order in orders {
            let group = &order.notification.group;
            let means = self.sending.means.load();
            let integration = means.receivers.get(&group.receiver, &group.integration);
            let target = integration.map_or_else(String::new, |integration| integration.target());
            let record = journal::record(&order.notification, target);
            self.unwritten.intend(record);
        }
        let now = self.sending.clock.monotonic();
        let is_stale = self
            .written_at
            .is_none_or(|at| now.saturating_sub(at) >= REFRESH)
            && self.state.alerts().next().is_some();
        let is_changed = self.revision != Some(self.state.revision());
        let changed_at = is_changed.then(|| *self.changed_at.get_or_insert(now));
        let is_ripe = changed_at.is_some_and(|at| now.saturating_sub(at) >= GATHER);
        let has_entries = is_changed && !self.unwritten.is_empty();
        if is_ripe || is_stale || has_entries || !orders.is_empty() {
            self.is_state_due = true;
        }
    }

    async fn write_patiently(&mut self, is_urgent: bool) {
        let started = self.sending.clock.monotonic();
        let now = self.sending.clock.now();
        let was_healthy = self.view.health(now).state == HealthState::Healthy;
        loop {
            let Err(error) = self.write().await else {
                self.view.set_trouble(None);
                return;
            };
            if self.view.health(now).state == HealthState::Healthy {
                error!(%error, "the state of alerts cannot be written; it is tried again");
                let reason = format!("catalog.sqlite cannot be written: {error}");
                self.view.set_trouble(Some((now, reason)));
            }
            let waited = self.sending.clock.monotonic().saturating_sub(started);
            // Once it is known that nothing can be written, nobody waits for it again.
            if !was_healthy || !is_urgent || waited >= PATIENCE {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Writes entries and state in one transaction.
    async fn write(&mut self) -> Result<(), catalog::Error> {
        let revision = self.state.revision();
        let mut changes = self.unwritten.clone();
        if self.is_state_due {
            changes.put_state(KIND, KEY, self.state.snapshot());
        }
        let mut written = self.sending.catalog.commit(changes).await;
        if let Err(catalog::Error::Refused(_)) = written {
            written = self.write_apart().await;
        }
        match &written {
            Ok(()) => {
                self.unwritten = Changes::default();
                if std::mem::take(&mut self.is_state_due) {
                    self.revision = Some(revision);
                    self.changed_at = None;
                    self.written_at = Some(self.sending.clock.monotonic());
                }
            }
            Err(_) if self.unwritten.len() > UNWRITTEN_MAX => {
                error!("too much could not be written: the journal loses entries");
                self.unwritten = Changes::default();
            }
            Err(_) => {}
        }
        written
    }

    /// Writes one thing after another, so that what is refused takes nothing else with it. An entry that is refused would
    /// be so again and is dropped; of a state that is refused the next one may be taken.
    async fn write_apart(&mut self) -> Result<(), catalog::Error> {
        let mut entries = std::mem::take(&mut self.unwritten).apart();
        while let Some(entry) = entries.next() {
            match self.sending.catalog.commit(entry.clone()).await {
                Ok(()) => {}
                Err(catalog::Error::Refused(reason)) => {
                    error!(reason, "the journal refuses an entry: it is dropped");
                }
                Err(error) => {
                    self.unwritten = entry;
                    entries.for_each(|entry| self.unwritten.extend(entry));
                    return Err(error);
                }
            }
        }
        let mut state = Changes::default();
        if self.is_state_due {
            state.put_state(KIND, KEY, self.state.snapshot());
        }
        self.sending.catalog.commit(state).await
    }

    /// How long until something is due.
    fn wait(&self) -> Duration {
        let now = self.sending.clock.now();
        let next = self.state.next_wake().map(|wake| wake.since(now));
        let wait = next.map_or(IDLE_LOOK, |next| next.min(LOOK));
        match self.changed_at {
            Some(_) => wait.min(GATHER),
            None => wait,
        }
    }
}

/// The wall clock's lead over the monotonic one, in milliseconds.
fn lead(clock: &dyn Clock) -> i64 {
    let monotonic = i64::try_from(clock.monotonic().as_millis()).unwrap_or(i64::MAX);
    clock.now().as_millis().saturating_sub(monotonic)
}

#[cfg(test)]
mod tests;
