//! Random work on the catalog beside a model that is too simple to be wrong.

use std::collections::BTreeMap;
use std::iter;

use model::{DeliveryState, NotificationQuery, NotificationRecord, Timestamp};
use proptest::prelude::*;

use super::fixture::{Fixture, at, record, transition};
use crate::{Catalog, Changes, Error, MonitorTransition};

const NAMES: [&str; 3] = ["a", "b", "ü'\"%"];

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Operation>),
    Prune(i64, u64),
    Close,
    /// The catalog is dropped as it is, as by a panic.
    Drop,
}

#[derive(Clone, Debug)]
enum Operation {
    Put(usize, usize, Vec<u8>),
    Delete(usize, usize),
    Intend(u64, usize),
    Attempted(u64, u32),
    Finished(u64, bool, i64),
    Transition(usize, u64, bool),
    DeleteTransitions(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let operation = prop_oneof![
        3 => (name.clone(), name.clone(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(kind, key, bytes)| Operation::Put(kind, key, bytes)),
        1 => (name.clone(), name.clone()).prop_map(|(kind, key)| Operation::Delete(kind, key)),
        8 => (1_u64..15, name.clone()).prop_map(|(id, to)| Operation::Intend(id, to)),
        2 => (1_u64..15, 0_u32..9).prop_map(|(id, attempts)| Operation::Attempted(id, attempts)),
        8 => (1_u64..15, any::<bool>(), 0_i64..30)
            .prop_map(|(id, well, at)| Operation::Finished(id, well, at)),
        4 => (name.clone(), 1_u64..15, prop::bool::weighted(0.1))
            .prop_map(|(monitor, number, other)| Operation::Transition(monitor, number, other)),
        1 => name.prop_map(Operation::DeleteTransitions),
    ];
    prop_oneof![
        12 => prop::collection::vec(operation, 0..8).prop_map(Step::Commit),
        3 => (0_i64..30, 0_u64..10).prop_map(|(before, keep)| Step::Prune(before, keep)),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
    ]
}

/// What the catalog should hold.
#[derive(Clone, Default)]
struct Naive {
    states: BTreeMap<(usize, usize), Vec<u8>>,
    journal: BTreeMap<u64, NotificationRecord>,
    transitions: BTreeMap<(usize, u64), MonitorTransition>,
}

impl Naive {
    /// Whether the operation is allowed.
    fn apply(&mut self, operation: &Operation) -> bool {
        match operation {
            Operation::Put(kind, key, bytes) => {
                self.states.insert((*kind, *key), bytes.clone());
            }
            Operation::Delete(kind, key) => {
                self.states.remove(&(*kind, *key));
            }
            Operation::Intend(id, to) => {
                self.journal.entry(*id).or_insert_with(|| sent_to(*id, *to));
            }
            Operation::Attempted(id, attempts) => match self.journal.get_mut(id) {
                None => return false,
                Some(entry) if entry.state == DeliveryState::Pending => {
                    entry.attempts = *attempts;
                    entry.parts_delivered = attempts / 2;
                    entry.error = format!("error {attempts}");
                }
                Some(_) => {}
            },
            Operation::Finished(id, well, millis) => match self.journal.get_mut(id) {
                None => return false,
                Some(entry) if entry.state == DeliveryState::Pending => {
                    entry.state = outcome(*well);
                    entry.error = String::new();
                    entry.finished_at = Some(at(*millis));
                }
                Some(_) => {}
            },
            Operation::Transition(monitor, number, other) => {
                let new = change_of(*monitor, *number, *other);
                let present = self.transitions.entry((*monitor, *number));
                return *present.or_insert_with(|| new.clone()) == new;
            }
            Operation::DeleteTransitions(of) => {
                self.transitions.retain(|(monitor, _), _| monitor != of);
            }
        }
        true
    }

    fn prune(&mut self, before: i64, keep: u64) {
        let last = self.journal.keys().next_back().copied();
        self.journal.retain(|id, entry| {
            Some(*id) == last || entry.finished_at.is_none_or(|end| end >= at(before))
        });
        let too_many = self.journal.len().saturating_sub(keep as usize);
        let surplus: Vec<u64> = self.journal.keys().take(too_many).copied().collect();
        for id in surplus {
            if Some(id) != last && self.journal[&id].state != DeliveryState::Pending {
                self.journal.remove(&id);
            }
        }
        let mut times: Vec<Timestamp> = self.transitions.values().map(|each| each.at).collect();
        times.sort_by(|left, right| right.cmp(left));
        let surplus = times.get(keep as usize).copied();
        let mut last = BTreeMap::new();
        for (monitor, number) in self.transitions.keys() {
            last.insert(*monitor, *number);
        }
        self.transitions.retain(|(monitor, number), each| {
            let old = each.at < at(before) || surplus.is_some_and(|surplus| each.at <= surplus);
            last[monitor] == *number || !old
        });
    }

    async fn assert_equals(&self, catalog: &Catalog) {
        for (kind, name) in NAMES.iter().enumerate() {
            let mut expected: Vec<(String, Vec<u8>)> = Vec::new();
            for ((of, key), bytes) in &self.states {
                if *of == kind {
                    expected.push((NAMES[*key].to_owned(), bytes.clone()));
                }
            }
            assert_eq!(catalog.states(name).await.unwrap(), expected);
        }
        let last = self.journal.keys().next_back().copied().unwrap_or(0);
        assert_eq!(catalog.last_notification_id().await.unwrap(), last);
        for receiver in [None, Some(NAMES[2])] {
            for state in [None, Some(DeliveryState::Pending)] {
                self.assert_journal(catalog, receiver, state).await;
            }
        }
        for (monitor, name) in NAMES.iter().enumerate() {
            let own = self.transitions.iter().rev();
            let own = own.filter(|((of, _), each)| *of == monitor && each.at >= at(3));
            let expected: Vec<MonitorTransition> = own.map(|(_, each)| each.clone()).collect();
            let listed = catalog.transitions(name, at(3), at(100), 100).await;
            assert_eq!(listed.unwrap(), expected);
        }
    }

    /// Reads the journal in pages of three.
    async fn assert_journal(
        &self,
        catalog: &Catalog,
        receiver: Option<&str>,
        state: Option<DeliveryState>,
    ) {
        let mut expected: Vec<NotificationRecord> = self.journal.values().rev().cloned().collect();
        expected.retain(|entry| receiver.is_none_or(|receiver| entry.receiver == receiver));
        expected.retain(|entry| state.is_none_or(|state| entry.state == state));
        let mut listed: Vec<NotificationRecord> = Vec::new();
        loop {
            let query = NotificationQuery {
                before: listed.last().map(|entry| entry.id),
                receiver: receiver.map(str::to_owned),
                state,
                limit: 3,
            };
            let page = catalog.notifications(&query).await.unwrap();
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, expected);
    }
}

fn sent_to(id: u64, receiver: usize) -> NotificationRecord {
    NotificationRecord {
        receiver: NAMES[receiver].to_owned(),
        ..record(id)
    }
}

fn outcome(well: bool) -> DeliveryState {
    match well {
        true => DeliveryState::Delivered,
        false => DeliveryState::Failed,
    }
}

fn change_of(monitor: usize, number: u64, other: bool) -> MonitorTransition {
    let mut transition = transition(NAMES[monitor], number);
    if other {
        transition.to = "unknown".to_owned();
    }
    transition
}

fn changes_of(operations: &[Operation]) -> Changes {
    let mut changes = Changes::new();
    for operation in operations {
        match operation {
            Operation::Put(kind, key, bytes) => {
                changes.put_state(NAMES[*kind], NAMES[*key], bytes.clone())
            }
            Operation::Delete(kind, key) => changes.delete_state(NAMES[*kind], NAMES[*key]),
            Operation::Intend(id, to) => changes.intend(sent_to(*id, *to)),
            Operation::Attempted(id, attempts) => {
                changes.attempted(*id, *attempts, attempts / 2, &format!("error {attempts}"))
            }
            Operation::Finished(id, well, millis) => {
                changes.finished(*id, outcome(*well), "", at(*millis))
            }
            Operation::Transition(monitor, number, other) => {
                changes.transition(change_of(*monitor, *number, *other))
            }
            Operation::DeleteTransitions(monitor) => changes.delete_transitions(NAMES[*monitor]),
        };
    }
    changes
}

async fn run(fixture: Fixture, steps: Vec<Step>) {
    let mut naive = Naive::default();
    let mut catalog = fixture.open().await;
    // With something in the journal from the start: a commit that speaks of what is not there is refused.
    let begin = Step::Commit((1..11).map(|id| Operation::Intend(id, 0)).collect());
    for step in iter::once(begin).chain(steps) {
        match step {
            Step::Commit(operations) => {
                let mut next = naive.clone();
                let allowed = operations.iter().all(|operation| next.apply(operation));
                match catalog.commit(changes_of(&operations)).await {
                    Ok(()) => assert!(allowed, "taken: {operations:?}"),
                    Err(Error::Refused(why)) => assert!(!allowed, "{why}: {operations:?}"),
                    Err(error) => panic!("{error}"),
                }
                if allowed {
                    naive = next;
                }
            }
            Step::Prune(before, keep) => {
                catalog.prune(at(before), keep).await.unwrap();
                naive.prune(before, keep);
            }
            Step::Close => {
                catalog.close().await.unwrap();
                catalog = fixture.open().await;
            }
            Step::Drop => {
                drop(catalog);
                catalog = fixture.open_patiently().await;
            }
        }
        naive.assert_equals(&catalog).await;
    }
}

pub(super) fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn on_sqlite_it_does_as_a_naive_catalog(steps in prop::collection::vec(step(), 1..25)) {
        block_on(run(Fixture::new(), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn on_postgres_it_does_as_a_naive_catalog(steps in prop::collection::vec(step(), 1..25)) {
        if let Some(fixture) = Fixture::on_postgres() {
            block_on(run(fixture, steps));
        }
    }
}
