//! The change of the key that signs access tokens: a new one signs at once, and what an older one has signed holds until it is over.

use model::Timestamp;

use crate::family::later;
use crate::{Change, Directory, SigningKey, TokenPolicy};

/// Why there is no new key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// So many keys were made of late that tokens of all of them still hold.
    #[error("there are {0} keys whose tokens still hold: wait until some are over")]
    TooMany(usize),
}

impl Directory {
    /// As many keys as there may be.
    pub const KEYS_MAX: usize = 32;

    /// The change that brings a new key.
    ///
    /// Keys go whose tokens are all over: a key has signed until the next one was made, and its last token holds for a
    /// lifetime from then on. The key that signs now always stays.
    ///
    /// Errors: there are too many that have to stay.
    pub fn rotation(&self, now: Timestamp, policy: TokenPolicy) -> Result<Change, RotationError> {
        let mut created: Vec<Timestamp> = self.keys.values().map(|key| key.created).collect();
        created.sort_unstable();
        let mut key = SigningKey::generate(now);
        if let Some(newest) = created.last() {
            // A clock that went back must not make a key that never signs.
            let next = Timestamp::from_millis(newest.as_millis().saturating_add(1));
            key.created = key.created.max(next);
        }
        let holds_for = policy.lifetime + 2 * policy.leeway;
        let made = key.created;
        let superseded = created.iter().skip(1).chain([&made]);
        let mut kept = created.iter().zip(superseded);
        let oldest = kept.position(|(_, until)| later(*until, holds_for) > now);
        let oldest = oldest.unwrap_or(created.len());
        if created.len() - oldest >= Self::KEYS_MAX {
            return Err(RotationError::TooMany(created.len() - oldest));
        }
        let keep_from = created.get(oldest).copied().unwrap_or(key.created);
        Ok(Change::AddKey { key, keep_from })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::AccessToken;

    const POLICY: TokenPolicy = TokenPolicy {
        lifetime: Duration::from_secs(900),
        leeway: Duration::from_secs(30),
    };

    fn rotate(directory: &mut Directory, now: Timestamp) -> bool {
        let Ok(Change::AddKey { key, keep_from }) = directory.rotation(now, POLICY) else {
            return false;
        };
        directory.keys.retain(|_, old| old.created >= keep_from);
        directory.keys.insert(key.id.clone(), key);
        true
    }

    proptest! {
        #[test]
        fn whatever_was_signed_holds_until_it_is_over(pauses in prop::collection::vec(0_i64..700, 1..60)) {
            let mut directory = Directory::default();
            let mut now = Timestamp::from_millis(1_000_000_000_000);
            prop_assert!(rotate(&mut directory, now));
            let mut issued = Vec::new();
            for pause in pauses {
                now = Timestamp::from_millis(now.as_millis() + pause * 1000);
                let key = directory.signing_key().unwrap().clone();
                let text = AccessToken::issue(&key, &"ann".parse().unwrap(), 0, now, POLICY);
                issued.push((now, text));
                let before = directory.keys.len();
                let is_rotated = rotate(&mut directory, now);
                prop_assert!(is_rotated || before == Directory::KEYS_MAX);
                if is_rotated {
                    prop_assert_ne!(&directory.signing_key().unwrap().id, &key.id);
                }
                prop_assert!(directory.keys.len() <= Directory::KEYS_MAX);
                for (at, text) in &issued {
                    let is_over = now.since(*at) >= Duration::from_secs(930);
                    let read = AccessToken::verify(text, &directory, now, POLICY);
                    prop_assert_eq!(read.is_err(), is_over, "{:?}", read);
                }
            }
        }
    }

    #[test]
    fn keys_go_when_nothing_of_theirs_holds() {
        let mut directory = Directory::default();
        let mut now = 1_000_000_000_000;
        for _ in 0..5 {
            assert!(rotate(&mut directory, Timestamp::from_millis(now)));
            now += 2_000_000;
        }
        // The one that signs, and the one that has signed until a moment ago.
        assert_eq!(directory.keys.len(), 2);
    }

    #[test]
    fn a_clock_that_went_back_makes_a_key_that_signs() {
        let mut directory = Directory::default();
        assert!(rotate(&mut directory, Timestamp::from_millis(2_000_000)));
        let first = directory.signing_key().unwrap().id.clone();
        assert!(rotate(&mut directory, Timestamp::from_millis(1_000_000)));
        assert_ne!(directory.signing_key().unwrap().id, first);
    }
}
