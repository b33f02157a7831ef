//! The messages that wait for one client, within bounds of number and bytes.
//!
//! When there is no room, all updates that wait are thrown away, and one `resynchronize` with their number stands in
//! their place: a client that was too slow needs what is now, not what was. Answers to the client's own requests are
//! never thrown away. There is only ever one: the client's next request is not read before it is taken.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

use super::message;

/// What waits for a client. The hub puts in, the client's connection takes out.
pub(super) struct Outbox {
    messages_max: usize,
    bytes_max: usize,
    inner: Mutex<Inner>,
    filled: Notify,
}

#[derive(Default)]
struct Inner {
    messages: VecDeque<Waiting>,
    bytes: usize,
    /// How many of the messages are answers.
    answers: usize,
    /// Updates that were thrown away since the client was told so last.
    dropped: u64,
    is_closed: bool,
}

struct Waiting {
    text: Utf8Bytes,
    is_update: bool,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Waits,
    /// So many were thrown away, this one among them; `first` if the client has yet to be told of any.
    Dropped {
        count: u64,
        first: bool,
    },
    /// The client is gone.
    Closed,
}

impl Outbox {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            messages_max,
            bytes_max,
            inner: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Adds an update, or throws it away with all others if there is no room.
    pub(super) fn put(&self, update: Utf8Bytes) -> Put {
        let mut inner = self.lock();
        if inner.is_closed {
            return Put::Closed;
        }
        let has_room = inner.messages.len() < self.messages_max
            && inner.bytes.saturating_add(update.len()) <= self.bytes_max;
        let put = match has_room {
            true => {
                inner.add(update, true);
                Put::Waits
            }
            false => inner.drop_updates(1),
        };
        drop(inner);
        self.filled.notify_one();
        put
    }

    /// Adds the answer to a request.
    pub(super) fn answer(&self, text: Utf8Bytes) {
        let mut inner = self.lock();
        if !inner.is_closed {
            inner.add(text, false);
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// Throws all updates away, since others that belong between them are lost.
    pub(super) fn lose(&self, lost: u64) -> Put {
        let put = self.lock().drop_updates(lost);
        self.filled.notify_one();
        put
    }

    /// The next message. An answer that waits first of all goes before `resynchronize`: it is older, and would otherwise
    /// wait for ever behind one after the other.
    pub(super) fn take(&self) -> Option<Utf8Bytes> {
        let mut inner = self.lock();
        let is_answer = inner.messages.front().is_some_and(|next| !next.is_update);
        if inner.dropped > 0 && !is_answer {
            let dropped = std::mem::take(&mut inner.dropped);
            return Some(message::resynchronize(dropped).into());
        }
        let next = inner.messages.pop_front()?;
        inner.bytes -= next.text.len();
        inner.answers -= usize::from(is_answer);
        Some(next.text)
    }

    /// Whether an answer waits; no request is to be read then.
    pub(super) fn has_answer(&self) -> bool {
        self.lock().answers > 0
    }

    /// Waits until there may be a message.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Whether nobody takes anything out any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Takes nothing in any more.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        *inner = Inner {
            is_closed: true,
            ..Inner::default()
        };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, text: Utf8Bytes, is_update: bool) {
        self.bytes += text.len();
        self.answers += usize::from(!is_update);
        self.messages.push_back(Waiting { text, is_update });
    }

    fn drop_updates(&mut self, more: u64) -> Put {
        let before = self.messages.len();
        self.messages.retain(|message| !message.is_update);
        let count = more + (before - self.messages.len()) as u64;
        self.bytes = self.messages.iter().map(|message| message.text.len()).sum();
        let first = self.dropped == 0;
        self.dropped += count;
        Put::Dropped { count, first }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGES_MAX: usize = 4;
    const BYTES_MAX: usize = 20;
    const LONGEST: usize = 11;

    #[derive(Clone, Debug)]
    enum Step {
        Put(usize),
        Answer(usize),
        Lose(u64),
        Take,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..=LONGEST).prop_map(Step::Put),
            1 => (1..=LONGEST).prop_map(Step::Answer),
            1 => (1..3_u64).prop_map(Step::Lose),
            3 => Just(Step::Take),
        ]
    }

    fn text(length: usize, number: usize) -> String {
        format!("{number:0>length$}")
    }

    proptest! {
        /// Against the plain rule: everything that was put is taken in order or counted as dropped, exactly once.
        #[test]
        fn nothing_vanishes_unsaid_and_the_bounds_hold(steps in prop::collection::vec(step(), 0..200)) {
            let outbox = Outbox::new(MESSAGES_MAX, BYTES_MAX);
            let mut expected: VecDeque<(String, bool)> = VecDeque::new();
            let mut dropped = 0_u64;
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put(length) => {
                        let text = text(length, number);
                        let bytes: usize = expected.iter().map(|(text, _)| text.len()).sum();
                        let fits = expected.len() < MESSAGES_MAX && bytes + text.len() <= BYTES_MAX;
                        let put = outbox.put(text.clone().into());
                        if fits {
                            prop_assert_eq!(put, Put::Waits);
                            expected.push_back((text, true));
                        } else {
                            let count = 1 + expected.iter().filter(|(_, is_update)| *is_update).count() as u64;
                            prop_assert_eq!(put, Put::Dropped { count, first: dropped == 0 });
                            expected.retain(|(_, is_update)| !is_update);
                            dropped += count;
                        }
                    }
                    // As the connection does: a request is read only when the answer to the last one is taken.
                    Step::Answer(_) if outbox.has_answer() => {}
                    Step::Answer(length) => {
                        let text = text(length, number);
                        outbox.answer(text.clone().into());
                        expected.push_back((text, false));
                    }
                    Step::Lose(lost) => {
                        outbox.lose(lost);
                        dropped += lost + expected.iter().filter(|(_, is_update)| *is_update).count() as u64;
                        expected.retain(|(_, is_update)| !is_update);
                    }
                    Step::Take if dropped > 0 && expected.front().is_none_or(|(_, is_update)| *is_update) => {
                        let taken = outbox.take().unwrap();
                        prop_assert_eq!(taken.as_str(), message::resynchronize(dropped));
                        dropped = 0;
                    }
                    Step::Take => {
                        let taken = outbox.take().map(|text| text.as_str().to_owned());
                        prop_assert_eq!(taken, expected.pop_front().map(|(text, _)| text));
                    }
                }
                let answers = expected.iter().filter(|(_, is_update)| !is_update).count();
                prop_assert_eq!(outbox.has_answer(), answers > 0);
                let inner = outbox.lock();
                prop_assert!(inner.messages.len() <= MESSAGES_MAX + 1);
                prop_assert!(inner.bytes <= BYTES_MAX + LONGEST);
            }
        }
    }

    #[test]
    fn an_answer_goes_however_fast_updates_are_lost() {
        let outbox = Outbox::new(MESSAGES_MAX, BYTES_MAX);
        outbox.answer("answer".into());
        let mut taken = Vec::new();
        for _ in 0..2 {
            outbox.lose(1);
            taken.extend(outbox.take());
        }
        let taken: Vec<&str> = taken.iter().map(Utf8Bytes::as_str).collect();
        assert_eq!(taken, ["answer", &message::resynchronize(2)]);
    }

    #[test]
    fn a_closed_outbox_takes_nothing() {
        let outbox = Outbox::new(MESSAGES_MAX, BYTES_MAX);
        outbox.put("a".into());
        outbox.close();
        assert_eq!(outbox.put("b".into()), Put::Closed);
        assert_eq!(outbox.take(), None);
    }
}
