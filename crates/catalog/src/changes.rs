//! What is to be written together.

use model::{DeliveryState, NotificationRecord, Timestamp};
use sqlx::AnyConnection;

use crate::error::Fault;
use crate::states::STATE_BYTES_MAX;
use crate::text::{check_name, cut};
use crate::transitions::MonitorTransition;
use crate::{journal, states, transitions};

/// Changes that are written in one transaction and in their order, by [`crate::Catalog::commit`].
#[derive(Clone, Debug, Default)]
pub struct Changes {
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    PutState {
        kind: String,
        key: String,
        bytes: Vec<u8>,
    },
    DeleteState {
        kind: String,
        key: String,
    },
    Intend(Box<NotificationRecord>),
    Attempted {
        id: u64,
        attempts: u32,
        parts_delivered: u32,
        error: String,
    },
    Finished {
        id: u64,
        state: DeliveryState,
        error: String,
        at: Timestamp,
    },
    Transition(MonitorTransition),
    DeleteTransitions {
        monitor: String,
    },
}

impl Changes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Adds others, to be written after these.
    pub fn extend(&mut self, others: Self) {
        self.changes.extend(others.changes);
    }

    /// Each for itself, in their order; for when one of them is refused that must not take the others with it.
    pub fn apart(self) -> impl Iterator<Item = Self> {
        let alone = |change| Self {
            changes: vec![change],
        };
        self.changes.into_iter().map(alone)
    }

    /// Keeps a state of at most 256 MiB in place of the one of the same kind and key.
    pub fn put_state(&mut self, kind: &str, key: &str, bytes: Vec<u8>) -> &mut Self {
        let (kind, key) = (kind.to_owned(), key.to_owned());
        self.push(Change::PutState { kind, key, bytes })
    }

    /// Forgets a state; that there is none is no error.
    pub fn delete_state(&mut self, kind: &str, key: &str) -> &mut Self {
        let (kind, key) = (kind.to_owned(), key.to_owned());
        self.push(Change::DeleteState { kind, key })
    }

    /// Enters a notification into the journal before it is sent, as pending: what it says of its delivery is not taken.
    /// If its number is there already, the entry that is there stays. Long texts are cut, and of the alerts only the
    /// first 256 KiB are kept.
    pub fn intend(&mut self, record: NotificationRecord) -> &mut Self {
        self.push(Change::Intend(Box::new(record)))
    }

    /// Notes how often a pending notification was tried, how many of its parts have arrived, and why the last attempt
    /// failed. One whose outcome is known is left alone; one that was never entered is refused.
    pub fn attempted(
        &mut self,
        id: u64,
        attempts: u32,
        parts_delivered: u32,
        error: &str,
    ) -> &mut Self {
        self.push(Change::Attempted {
            id,
            attempts,
            parts_delivered,
            error: error.to_owned(),
        })
    }

    /// Notes a notification's outcome, delivered or failed, and the last error. The first outcome stays; one that was
    /// never entered is refused.
    pub fn finished(
        &mut self,
        id: u64,
        state: DeliveryState,
        error: &str,
        at: Timestamp,
    ) -> &mut Self {
        self.push(Change::Finished {
            id,
            state,
            error: error.to_owned(),
            at,
        })
    }

    /// Keeps a monitor's change of state. The same one twice is one; another one with its number is refused.
    pub fn transition(&mut self, transition: MonitorTransition) -> &mut Self {
        self.push(Change::Transition(transition))
    }

    /// Forgets all transitions of a monitor, such as one whose state is deleted and that will begin at 1 again.
    pub fn delete_transitions(&mut self, monitor: &str) -> &mut Self {
        let monitor = monitor.to_owned();
        self.push(Change::DeleteTransitions { monitor })
    }

    fn push(&mut self, change: Change) -> &mut Self {
        self.changes.push(change);
        self
    }

    /// Errors: something that can never be kept.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.changes.iter().try_for_each(Change::check)
    }

    /// Carries them out within the transaction that is under way.
    pub(crate) async fn apply(&self, connection: &mut AnyConnection) -> Result<(), Fault> {
        for change in &self.changes {
            change.apply(connection).await?;
        }
        Ok(())
    }
}

impl Change {
    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::PutState { kind, key, bytes } => {
                check_name("a kind of states", kind)?;
                check_name("a state's key", key)?;
                if bytes.len() > STATE_BYTES_MAX {
                    return Err(Fault::Refused(format!(
                        "the state {kind} {} has {} bytes, at most {STATE_BYTES_MAX} are allowed",
                        cut(key, 64),
                        bytes.len()
                    )));
                }
                Ok(())
            }
            // Those that cannot be kept are not there either.
            Self::DeleteState { .. } | Self::DeleteTransitions { .. } | Self::Attempted { .. } => {
                Ok(())
            }
            Self::Intend(record) => check_name("a receiver", &record.receiver),
            Self::Finished { id, state, .. } => match state {
                DeliveryState::Pending => Err(Fault::Refused(format!(
                    "notification {id} cannot end as pending; it ends delivered or failed"
                ))),
                DeliveryState::Delivered | DeliveryState::Failed => Ok(()),
            },
            Self::Transition(transition) => check_name("a monitor", &transition.monitor),
        }
    }

    async fn apply(&self, connection: &mut AnyConnection) -> Result<(), Fault> {
        match self {
            Self::PutState { kind, key, bytes } => states::put(connection, kind, key, bytes).await,
            Self::DeleteState { kind, key } => states::delete(connection, kind, key).await,
            Self::Intend(record) => journal::intend(connection, record).await,
            Self::Attempted {
                id,
                attempts,
                parts_delivered,
                error,
            } => journal::attempted(connection, *id, *attempts, *parts_delivered, error).await,
            Self::Finished {
                id,
                state,
                error,
                at,
            } => journal::finished(connection, *id, *state, error, *at).await,
            Self::Transition(transition) => transitions::add(connection, transition).await,
            Self::DeleteTransitions { monitor } => transitions::delete(connection, monitor).await,
        }
    }
}

/// Without contents: a state's bytes and an alert's texts are for their owners.
impl std::fmt::Debug for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PutState { kind, key, bytes } => {
                write!(formatter, "put state {kind} {key}, {} bytes", bytes.len())
            }
            Self::DeleteState { kind, key } => write!(formatter, "delete state {kind} {key}"),
            Self::Intend(record) => write!(formatter, "intend {}", record.id),
            Self::Attempted { id, attempts, .. } => {
                write!(formatter, "attempted {id}, {attempts} times")
            }
            Self::Finished { id, state, .. } => {
                write!(formatter, "finished {id}, {}", state.as_str())
            }
            Self::Transition(transition) => write!(
                formatter,
                "transition {} of {}",
                transition.number, transition.monitor
            ),
            Self::DeleteTransitions { monitor } => {
                write!(formatter, "delete transitions of {monitor}")
            }
        }
    }
}
