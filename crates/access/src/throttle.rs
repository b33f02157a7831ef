//! Failed logins are slowed down: who guesses waits, and nobody else does.
//!
//! Three counts are kept, each in a table of its own, and each allows some failures before it asks to wait 1 s, 2 s, 4 s and so on:
//!
//! | count of | free failures | longest wait | against |
//! |---|---|---|---|
//! | an account from one address | 5 | 15 min | whoever guesses one password |
//! | an address | 20 | 15 min | whoever tries one password on many accounts |
//! | an account from anywhere | 50 | 1 min | whoever guesses from many addresses |
//!
//! Whoever has logged in from an address before is never held up by what others do to their account from elsewhere: the third
//! count does not hold there. So an attacker can slow the owner down only from the owner's own address, or at the first login from a
//! new one, by a minute at most.
//!
//! An attempt counts as failed as soon as it begins, so that many at once are no way around; success takes it back. What has not
//! failed for an hour is forgotten. An IPv6 address stands for its /64 network, which one customer has for himself.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

mod table;

use table::Table;

/// Entries in each table; beyond, the one goes that has failed least recently.
const ENTRIES_MAX: usize = 10_000;

/// Bytes of an account's name that are looked at: no account has more.
const ACCOUNT_BYTES: usize = 64;

/// An account's count from one address.
const PAIR: Rule = Rule {
    free: 5,
    longest: Duration::from_mins(15),
};

/// An address's count: an office behind one address mistypes more often than a person.
const ADDRESS: Rule = Rule {
    free: 20,
    longest: Duration::from_mins(15),
};

/// An account's count from anywhere, whose wait is short since it may hit its owner.
const ACCOUNT: Rule = Rule {
    free: 50,
    longest: Duration::from_mins(1),
};

/// After so much time without a failure nothing is left of them.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// What happens to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginEvent {
    /// Somebody wants to know whether they may try; nothing changes.
    Asked,
    /// A password is about to be compared, unless the answer is to wait. It counts as wrong for now.
    Begun,
    /// It was right after all.
    Succeeded,
    /// It was not compared after all, which is nobody's fault.
    GivenUp,
}

/// Counts failed logins.
#[derive(Debug)]
pub struct Throttle {
    pairs: Table<(Arc<str>, IpAddr)>,
    addresses: Table<IpAddr>,
    accounts: Table<Arc<str>>,
    /// From where whom has logged in.
    known: Table<(Arc<str>, IpAddr)>,
}

/// How many failures are free, and how long the longest wait is.
#[derive(Clone, Copy, Debug)]
struct Rule {
    free: u32,
    longest: Duration,
}

impl Throttle {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::with_room(ENTRIES_MAX)
    }

    fn with_room(entries: usize) -> Self {
        Self {
            pairs: Table::new(entries),
            addresses: Table::new(entries),
            accounts: Table::new(entries),
            known: Table::new(entries),
        }
    }

    /// Notes what happens to the login of an account from an address; `now` is a time that never goes back.
    ///
    /// Errors: how long to wait before the next attempt. Nothing was counted then.
    pub fn apply(
        &mut self,
        event: LoginEvent,
        account: &str,
        address: IpAddr,
        now: Duration,
    ) -> Result<(), Duration> {
        let account: Arc<str> = cut(account).into();
        let address = network(address);
        let pair = (account.clone(), address);
        match event {
            LoginEvent::Asked | LoginEvent::Begun => {
                let mut wait = self.pairs.wait(&pair, PAIR, now);
                wait = wait.max(self.addresses.wait(&address, ADDRESS, now));
                if !self.known.has(&pair) {
                    wait = wait.max(self.accounts.wait(&account, ACCOUNT, now));
                }
                if !wait.is_zero() {
                    return Err(wait);
                }
                if event == LoginEvent::Begun {
                    self.pairs.fail(pair, now);
                    self.addresses.fail(address, now);
                    self.accounts.fail(account, now);
                }
            }
            LoginEvent::Succeeded => {
                self.pairs.forget(&pair);
                self.accounts.forget(&account);
                // An attacker with an account of his own must not clear what he has tried on others.
                self.addresses.take_back(&address);
                self.known.fail(pair, now);
            }
            LoginEvent::GivenUp => {
                self.pairs.take_back(&pair);
                self.addresses.take_back(&address);
                self.accounts.take_back(&account);
            }
        }
        Ok(())
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl Rule {
    /// How long to wait after so many failures.
    fn wait(self, failures: u32) -> Duration {
        let Some(beyond) = failures.checked_sub(self.free) else {
            return Duration::ZERO;
        };
        // 2^20 seconds are longer than any wait.
        Duration::from_secs(1 << beyond.min(20)).min(self.longest)
    }
}

fn cut(account: &str) -> &str {
    let mut end = account.len().min(ACCOUNT_BYTES);
    while !account.is_char_boundary(end) {
        end -= 1;
    }
    &account[..end]
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests;
