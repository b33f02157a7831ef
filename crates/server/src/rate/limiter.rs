//! Who has used how much of a rate: the generic cell rate algorithm, which keeps one moment for each.
//!
//! The moment is when all that was used will have come back. A request moves it on by one interval (a period divided by the
//! count); it is refused if the moment would then lie further ahead than a whole period. Whose moment has passed is as
//! somebody who was never here, and is forgotten when room is needed.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Class, Rate};

/// So that requests do not wait for each other.
const SHARDS: usize = 16;

/// In each shard; 16,384 in all, some 2 MB. A stranger with more addresses than that makes us forget those that were nearest
/// to being forgotten anyway.
const KEYS_MAX: usize = 1024;

/// Somebody, in one class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) class: Class,
    pub(crate) who: Who,
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    User(Arc<str>),
    /// By its identity.
    Token(Arc<str>),
    /// None for all that have no address.
    Address(Option<IpAddr>),
}

/// Whether a request may be answered, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) rate: Rate,
    /// How many more would be answered now.
    pub(crate) remaining: u32,
    /// After which time all have come back.
    pub(crate) reset: Duration,
    /// After which time it would be answered; none if it is.
    pub(crate) retry_after: Option<Duration>,
}

/// The moments, on the monotonic clock.
#[derive(Default)]
pub(crate) struct Limiter {
    shards: [Mutex<HashMap<Key, Duration>>; SHARDS],
    hasher: RandomState,
}

impl Limiter {
    /// Judges one request, and counts it if it may be answered.
    pub(crate) fn judge(&self, key: Key, rate: Rate, now: Duration) -> Verdict {
        let shard = self.hasher.hash_one(&key) as usize % SHARDS;
        let mut moments = self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (verdict, moment) = decide(rate, moments.get(&key).copied(), now);
        if let Some(moment) = moment {
            if moments.len() >= KEYS_MAX && !moments.contains_key(&key) {
                make_room(&mut moments, now);
            }
            moments.insert(key, moment);
        }
        verdict
    }

    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        let count = |shard: &Mutex<HashMap<Key, Duration>>| shard.lock().unwrap().len();
        self.shards.iter().map(count).sum()
    }
}

/// The verdict, and the moment that is to be kept; none if nothing was used.
fn decide(rate: Rate, moment: Option<Duration>, now: Duration) -> (Verdict, Option<Duration>) {
    let interval = rate.period / rate.count;
    let window = interval * rate.count;
    // The rate may have been a slower one when the moment was noted.
    let used_until = moment.unwrap_or(now).clamp(now, now + window);
    let next = used_until + interval;
    let ahead = next - now;
    let left = |ahead: Duration| {
        let left = window.saturating_sub(ahead).as_nanos() / interval.as_nanos();
        u32::try_from(left).unwrap_or(u32::MAX)
    };
    let mut verdict = Verdict {
        rate,
        remaining: left(ahead),
        reset: ahead,
        retry_after: None,
    };
    if ahead <= window {
        return (verdict, Some(next));
    }
    verdict.remaining = 0;
    verdict.reset = used_until - now;
    verdict.retry_after = Some(ahead - window);
    (verdict, None)
}

/// Forgets all whose moment has passed, and if there are none, the one whose passes next.
fn make_room(moments: &mut HashMap<Key, Duration>, now: Duration) {
    moments.retain(|_, moment| *moment > now);
    if moments.len() >= KEYS_MAX {
        let next = moments.iter().min_by_key(|(_, moment)| **moment);
        if let Some(key) = next.map(|(key, _)| key.clone()) {
            moments.remove(&key);
        }
    }
}
