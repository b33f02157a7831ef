//! Queries that are evaluated again and again, each once for all who ask for it, at whole multiples of its step.
//!
//! One that takes longer than its step skips those that pass meanwhile; nothing is made up for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use promql::Expr;
use tokio::task::{AbortHandle, Id};

use super::groups::GroupNumber;
use super::message::Update;

/// Queries that are evaluated at once, so that the gate has room for people's own.
const AT_ONCE: usize = 4;

/// The clock may jump, so it is looked at this often at least.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Live {
    queries: BTreeMap<GroupNumber, Query>,
}

/// A query that is kept evaluated.
pub(super) struct Query {
    pub(super) text: Arc<str>,
    pub(super) expression: Arc<Expr>,
    step: i64,
    next: Timestamp,
    running: Option<AbortHandle>,
    last: Option<Update>,
}

impl Live {
    /// Keeps a query evaluated, from now on.
    pub(super) fn add(
        &mut self,
        group: GroupNumber,
        text: &str,
        expression: Arc<Expr>,
        step: Duration,
    ) {
        let query = Query {
            text: text.into(),
            expression,
            step: i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1),
            next: Timestamp::MIN,
            running: None,
            last: None,
        };
        self.queries.insert(group, query);
    }

    /// Ends a query; an evaluation of it that runs is broken off.
    pub(super) fn remove(&mut self, group: GroupNumber) {
        if let Some(Query { running, .. }) = self.queries.remove(&group) {
            running.into_iter().for_each(|running| running.abort());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queries.len()
    }

    /// What it gave last, for one who asks now; none if an evaluation is on its way or due.
    pub(super) fn last(&self, group: GroupNumber) -> Option<&Update> {
        let query = self.queries.get(&group)?;
        query.last.as_ref().filter(|_| query.running.is_none())
    }

    /// Starts what is due: `start` gets the query and the moment.
    pub(super) fn start_due(
        &mut self,
        now: Timestamp,
        mut start: impl FnMut(&Query, Timestamp) -> AbortHandle,
    ) {
        let free = AT_ONCE.saturating_sub(self.running());
        // Those that have waited longest go first, else the last ones would never have their turn.
        let mut due: Vec<_> = self
            .queries
            .iter_mut()
            .filter(|(_, query)| query.running.is_none() && query.is_due(now))
            .collect();
        due.sort_by_key(|(_, query)| query.next);
        for (_, query) in due.into_iter().take(free) {
            let slot = now.as_millis().div_euclid(query.step);
            let at = Timestamp::from_millis(slot * query.step);
            query.next = Timestamp::from_millis((slot + 1).saturating_mul(query.step));
            query.running = Some(start(query, at));
        }
    }

    /// Takes in what an evaluation, known by its task, has come to; the group that asks for it, none if none does any more.
    pub(super) fn finish(&mut self, task: Id, update: &Update) -> Option<GroupNumber> {
        let is_it = |running: &AbortHandle| running.id() == task;
        let mut queries = self.queries.iter_mut();
        let (group, query) =
            queries.find(|(_, query)| query.running.as_ref().is_some_and(is_it))?;
        query.running = None;
        query.last = Some(update.clone());
        Some(*group)
    }

    /// How long nothing is due; none if there is nothing to wait for.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        if self.queries.is_empty() {
            return None;
        }
        if self.running() >= AT_ONCE {
            return Some(LOOK);
        }
        let idle = self
            .queries
            .values()
            .filter(|query| query.running.is_none());
        let next = idle.map(|query| query.next.since(now)).min();
        Some(next.map_or(LOOK, |next| next.min(LOOK)))
    }

    fn running(&self) -> usize {
        let queries = self.queries.values();
        queries.filter(|query| query.running.is_some()).count()
    }
}

impl Query {
    /// Whether its time has come, or lies so far ahead that the clock must have been set back.
    fn is_due(&self, now: Timestamp) -> bool {
        let ahead = self.next.as_millis().saturating_sub(now.as_millis());
        ahead <= 0 || ahead > self.step
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;
    use crate::error::ApiError;

    #[tokio::test]
    async fn queries_go_on_after_evaluations_that_ended_in_a_panic() {
        let mut live = Live::default();
        let queries = AT_ONCE as u64 + 1;
        for group in 0..queries {
            let expression = Arc::new(promql::parse("up").unwrap());
            live.add(
                group,
                &group.to_string(),
                expression,
                Duration::from_secs(5),
            );
        }
        let mut evaluations = JoinSet::new();
        let mut started = Vec::new();
        let now = Timestamp::from_millis(7_000);
        for _ in 0..3 {
            live.start_due(now, |query, _| {
                started.push(query.text.to_string());
                evaluations.spawn(async { panic!("as the test wants it") })
            });
            while let Some(ended) = evaluations.join_next().await {
                let panicked: tokio::task::JoinError = ended.map(|(): ()| ()).unwrap_err();
                let update = Update::error(&ApiError::internal("a mistake"));
                assert!(live.finish(panicked.id(), &update).is_some());
                assert!(live.finish(panicked.id(), &update).is_none());
            }
        }
        // Four at once, then the last one, and nobody twice in a step.
        let all: Vec<String> = (0..queries).map(|group| group.to_string()).collect();
        assert_eq!(started, all);
        assert_eq!(live.wait(now), Some(Duration::from_secs(1)));
    }
}
