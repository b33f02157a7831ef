//! The one task that knows who has asked for what: it obeys clients, and tells them what was published.
//!
//! Since it does both, in turn, a client hears of nothing before it was told that it is subscribed, and of nothing after
//! it was told that it is not.

use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use promql::Expr;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::groups::{self, Client, GroupNumber, Groups};
use super::live::Live;
use super::message::{self, Update};
use super::samples::Samples;
use super::topic::Topic;
use super::waiting::Kind;
use crate::error::ApiError;
use crate::prometheus::query;
use crate::query_gate::Caller;
use crate::{Asker, QueryKind, RunningQuery, Server};

/// From one time of telling to the next: nobody sees a difference, and what comes thick and fast is told in one message.
const PAUSE: Duration = Duration::from_millis(50);

/// Alerts or monitors that are told before other tasks have their turn; each may go to a thousand clients.
const TURN: usize = 200;

/// What a client wants; `done` is dropped when it has its answer.
pub(super) enum Command {
    Subscribe {
        client: Arc<Client>,
        id: Option<Arc<str>>,
        topic: Topic,
        /// The query, if it is one.
        expression: Option<Arc<Expr>>,
        done: oneshot::Sender<()>,
    },
    Unsubscribe {
        client: Arc<Client>,
        id: Arc<str>,
        done: oneshot::Sender<()>,
    },
}

/// A client that is gone. Its place is free when the hub has forgotten it, so that there are never more of these than
/// places.
pub(super) struct Leave {
    pub(super) client: u64,
    pub(super) _place: OwnedSemaphorePermit,
}

/// What clients send to the hub.
pub(super) struct Orders {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) leaves: mpsc::Receiver<Leave>,
}

/// Tells until shutdown; evaluations that still run then are broken off.
pub(crate) async fn run(server: Server, shutdown: CancellationToken) {
    let Some(mut orders) = server.feed().orders() else {
        tracing::error!("the live feed has a hub already: a second server cannot use it");
        return;
    };
    let mut hub = Hub::new(server);
    let mut has_news = false;
    let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
    let feed = hub.server.feed().clone();
    loop {
        let wait = hub.live.wait(hub.server.clock().now());
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(command) = orders.commands.recv() => hub.obey(command),
            Some(leave) = orders.leaves.recv() => hub.forget(&leave),
            Some(ended) = hub.evaluations.join_next_with_id() => hub.finish(ended),
            () = feed.shared.news.notified(), if !has_news => has_news = true,
            () = &mut pause, if has_news => {
                has_news = false;
                // Counted from the beginning, so that the time that it takes does not add up.
                pause = Box::pin(tokio::time::sleep(PAUSE));
                hub.tell().await;
            }
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => hub.start_due(),
        }
    }
}

struct Hub {
    server: Server,
    groups: Groups,
    samples: Samples,
    live: Live,
    evaluations: JoinSet<Update>,
}

impl Hub {
    fn new(server: Server) -> Self {
        Self {
            server,
            groups: Groups::default(),
            samples: Samples::default(),
            live: Live::default(),
            evaluations: JoinSet::new(),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Subscribe {
                client,
                id,
                topic,
                expression,
                done: _done,
            } => {
                if let Err(error) = self.subscribe(&client, id.clone(), topic, expression) {
                    groups::refuse(&client, id.as_deref(), &error);
                }
            }
            Command::Unsubscribe {
                client,
                id,
                done: _done,
            } => match self.groups.unsubscribe(client.number, &id) {
                Some((group, is_over)) => {
                    if is_over {
                        self.end(&[group]);
                    }
                    groups::answer(&client, message::unsubscribed(&id));
                }
                None => {
                    let error = ApiError::bad_data(format!(
                        "no subscription has the id {id:?}: it is the one in `subscribed`"
                    ));
                    groups::refuse(&client, Some(&id), &error);
                }
            },
        }
    }

    fn forget(&mut self, leave: &Leave) {
        let ended = self.groups.leave(leave.client);
        self.end(&ended);
    }

    fn subscribe(
        &mut self,
        client: &Arc<Client>,
        id: Option<Arc<str>>,
        topic: Topic,
        expression: Option<Arc<Expr>>,
    ) -> Result<(), ApiError> {
        if client.outbox.is_closed() {
            return Ok(());
        }
        let feed = self.server.feed().clone();
        let limits = &feed.shared.limits;
        let (kind, query) = match &topic {
            Topic::Query { text, step } => (None, expression.map(|it| (text.clone(), *step, it))),
            other => (other.kind(), None),
        };
        if query.is_some()
            && self.live.len() >= limits.live_queries
            && !self.groups.contains(&topic)
        {
            return Err(ApiError::unavailable(format!(
                "{} queries, as many as are allowed, are kept evaluated: ask over HTTP instead",
                limits.live_queries
            )));
        }
        if kind == Some(Kind::Samples)
            && self.groups.sample_topics() >= limits.sample_topics
            && !self.groups.contains(&topic)
        {
            return Err(ApiError::unavailable(format!(
                "{} different names and labels of samples, as many as are allowed, are followed: ask over HTTP instead",
                limits.sample_topics
            )));
        }
        let answer = topic.clone();
        let joined = self.groups.subscribe(client, id, topic, limits)?;
        // Before the answer, so that whoever has read it hears of everything that is published from then on.
        if let Some(kind) = kind {
            feed.shared.waiting.want(kind, true);
        }
        groups::answer(client, message::subscribed(&joined.id, &answer));
        let Some((text, step, expression)) = query else {
            return Ok(());
        };
        if joined.is_new {
            self.live.add(joined.group, &text, expression, step);
            self.count_live();
            self.start_due();
        } else if let Some(last) = self.live.last(joined.group) {
            groups::tell_one(client, &joined.id, last, &self.server.own().feed);
        }
        Ok(())
    }

    /// Looks after groups that are no more.
    fn end(&mut self, ended: &[GroupNumber]) {
        if ended.is_empty() {
            return;
        }
        for group in ended {
            self.live.remove(*group);
        }
        self.count_live();
        for kind in Kind::ALL {
            let waiting = &self.server.feed().shared.waiting;
            waiting.want(kind, self.groups.wants(kind));
        }
    }

    /// Tells what was published. Between two parts of it other tasks may run.
    async fn tell(&mut self) {
        let news = self.server.feed().shared.waiting.take();
        let server = self.server.clone();
        let metrics = &server.own().feed;
        for monitors in news.monitors.chunks(TURN) {
            for monitor in monitors {
                let update = Update::monitor(monitor);
                for group in self.groups.of_monitor(monitor.name()) {
                    self.groups.tell(group, &update, metrics);
                }
            }
            if monitors.len() == TURN {
                tokio::task::yield_now().await;
            }
        }
        let groups = self.groups.of_alerts();
        for alerts in news.alerts.chunks(TURN) {
            for alert in alerts {
                let update = Update::alert(alert);
                for group in &groups {
                    self.groups.tell(*group, &update, metrics);
                }
            }
            if alerts.len() == TURN {
                tokio::task::yield_now().await;
            }
        }
        for chunk in &news.samples {
            self.samples.add(chunk, &self.groups, metrics);
            tokio::task::yield_now().await;
        }
        self.samples.finish(&self.groups, metrics);
        // What had no room came after what had. Told last, `resynchronize` takes the place of what is older than the answer
        // that a client then fetches; told first, the older would overwrite the newer.
        for (kind, lost) in Kind::ALL.into_iter().zip(news.lost) {
            if lost > 0 {
                metrics.lost.inc_by(lost);
                self.groups.lose(kind, lost, metrics);
            }
        }
    }

    fn start_due(&mut self) {
        let (server, evaluations) = (&self.server, &mut self.evaluations);
        self.live.start_due(server.clock().now(), |query, at| {
            let (text, expression) = (query.text.clone(), query.expression.clone());
            evaluations.spawn(evaluate(server.clone(), text, expression, at))
        });
    }

    fn finish(&mut self, ended: Result<(Id, Update), JoinError>) {
        let (task, update) = match ended {
            Ok(ended) => ended,
            // Nobody asks for it any more.
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                tracing::error!(%error, "a live query ended in a panic");
                let told = ApiError::internal("the server made a mistake, see its log");
                (error.id(), Update::error(&told))
            }
        };
        if let Some(group) = self.live.finish(task, &update) {
            let metrics = &self.server.own().feed;
            self.groups.tell(group, &update, metrics);
        }
        self.start_due();
    }

    fn count_live(&self) {
        let count = i64::try_from(self.live.len()).unwrap_or(i64::MAX);
        self.server.own().feed.live_queries.set(count);
    }
}

/// Evaluates a query behind the gate, as one that came over HTTP.
async fn evaluate(server: Server, text: Arc<str>, expression: Arc<Expr>, at: Timestamp) -> Update {
    let running = server.running();
    let running = running.start(QueryKind::Live, &text, Asker::default());
    let limits = server.limits();
    let timeout = limits.query_timeout;
    let mut evaluation = limits.evaluation.clone();
    // It comes again and again, and nobody looks at the clock.
    evaluation.threads = 1;
    // A result that fills a queue would be thrown away again and again.
    let bytes_max = server.config().feed.queue_bytes / 2;
    let (own, work_text) = (server.clone(), text.clone());
    let work = move |caller: &Caller, running: &RunningQuery| {
        let source = own.ports().source.clone();
        let answer =
            promql::evaluate_instant(&*source, &expression, at, &evaluation, caller.interrupt())
                .inspect_err(|error| running.fail(error))
                .map_err(|error| query::refusal(error, timeout))?;
        query::live_result(answer, bytes_max).map(|result| Update::query(&work_text, at, &result))
    };
    let gate = server.queries();
    let outcome = gate.run_query(&server, timeout, running, work).await;
    outcome.unwrap_or_else(|error| Update::error(&error))
}
