//! Logins that are under way: begun here, not yet back from the provider.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use access::SecretHash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Time for a person to log in at the provider.
pub(super) const GOOD_FOR: Duration = Duration::from_mins(10);

/// Logins under way at once; the one that was begun first has to begin again.
const FLOWS_MAX: usize = 1000;

/// Logins under way, by the hash of their state.
#[derive(Default)]
pub(in crate::auth) struct Flows(Mutex<Under>);

#[derive(Default)]
struct Under {
    flows: HashMap<[u8; 32], (u64, Duration, Flow)>,
    order: BTreeMap<u64, [u8; 32]>,
    next: u64,
}

/// A login under way.
pub(super) struct Flow {
    /// What the cookie of its browser holds.
    pub(super) browser: SecretHash,
    /// What the provider's token must repeat.
    pub(super) nonce: String,
    /// What proves to the provider that whoever shows the code has begun the login.
    pub(super) verifier: String,
    /// Where the provider sends the browser back to.
    pub(super) redirect: String,
    /// Where its person wants to go, an address of ours.
    pub(super) next: String,
}

impl Flow {
    /// What the provider is shown first of the verifier: its hash.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

impl Flows {
    pub(super) fn put(&self, state: &str, flow: Flow, now: Duration) {
        let mut under = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, place) = (*SecretHash::of(state).as_bytes(), under.next);
        under.next += 1;
        under.flows.insert(key, (place, now, flow));
        under.order.insert(place, key);
        if under.flows.len() > FLOWS_MAX
            && let Some((_, oldest)) = under.order.pop_first()
        {
            under.flows.remove(&oldest);
        }
    }

    /// A login that has come back in time; it is not under way any more.
    pub(super) fn take(&self, state: &str, now: Duration) -> Option<Flow> {
        let mut under = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, begun, flow) = under.flows.remove(SecretHash::of(state).as_bytes())?;
        under.order.remove(&place);
        (now.saturating_sub(begun) < GOOD_FOR).then_some(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(next: &str) -> Flow {
        Flow {
            browser: SecretHash::of("browser"),
            nonce: String::new(),
            // The example of RFC 7636, appendix B.
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            redirect: String::new(),
            next: next.to_owned(),
        }
    }

    #[test]
    fn a_login_comes_back_once_and_in_time() {
        let flows = Flows::default();
        flows.put("a", flow("/a"), Duration::ZERO);
        flows.put("b", flow("/b"), Duration::ZERO);
        assert!(flows.take("c", Duration::ZERO).is_none());
        assert_eq!(
            flows.take("a", Duration::from_secs(599)).unwrap().next,
            "/a"
        );
        assert!(flows.take("a", Duration::from_secs(599)).is_none());
        assert!(flows.take("b", Duration::from_secs(600)).is_none());
    }

    #[test]
    fn there_are_no_more_than_there_may_be() {
        let flows = Flows::default();
        for number in 0..FLOWS_MAX + 10 {
            flows.put(&number.to_string(), flow("/"), Duration::ZERO);
        }
        assert!(flows.take("9", Duration::ZERO).is_none());
        assert!(flows.take("10", Duration::ZERO).is_some());
    }

    #[test]
    fn the_challenge_is_the_hash_of_the_verifier() {
        let challenge = flow("/").challenge();
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
