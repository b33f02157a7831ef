//! The throttle against a naive model that remembers everything, and what attackers may try.

use proptest::prelude::*;

use super::LoginEvent::{Asked, Begun, GivenUp, Succeeded};
use super::*;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn address(number: u32) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn five_mistakes_are_free_and_then_each_wait_is_twice_as_long() {
    let mut throttle = Throttle::new();
    let mut now = seconds(10);
    for _ in 0..5 {
        assert_eq!(throttle.apply(Begun, "ann", HOME, now), Ok(()));
    }
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        assert_eq!(throttle.apply(Begun, "ann", HOME, now), Err(seconds(wait)));
        assert_eq!(throttle.apply(Asked, "ann", HOME, now), Err(seconds(wait)));
        now += seconds(wait);
        assert_eq!(throttle.apply(Begun, "ann", HOME, now), Ok(()));
    }
    assert_eq!(throttle.apply(Begun, "bob", HOME, now), Ok(()));
    now += FORGOTTEN_AFTER;
    for _ in 0..5 {
        assert_eq!(throttle.apply(Begun, "ann", HOME, now), Ok(()));
    }
}

#[test]
fn success_forgets_the_accounts_mistakes_but_not_the_addresss() {
    let mut throttle = Throttle::new();
    let now = seconds(1);
    // He has an account of his own, and logs in between.
    for number in 0..20 {
        let account = format!("user{number}");
        assert_eq!(throttle.apply(Begun, &account, HOME, now), Ok(()));
        if number % 2 == 0 && throttle.apply(Begun, "mallory", HOME, now).is_ok() {
            throttle.apply(Succeeded, "mallory", HOME, now).unwrap();
        }
    }
    assert_eq!(throttle.apply(Begun, "user20", HOME, now), Err(seconds(1)));
}

#[test]
fn nobody_is_locked_out_by_who_guesses_elsewhere() {
    let mut throttle = Throttle::new();
    let mut now = seconds(1);
    throttle.apply(Begun, "ann", HOME, now).unwrap();
    throttle.apply(Succeeded, "ann", HOME, now).unwrap();
    for number in 0..50_000 {
        let _ = throttle.apply(Begun, "ann", address(number), now);
        now += Duration::from_millis(20);
    }
    assert_eq!(
        throttle.apply(Asked, "ann", HOME, now),
        Ok(()),
        "known here"
    );
    let wait = throttle.apply(Asked, "ann", address(99_999), now);
    assert!(wait.is_err_and(|wait| wait <= seconds(60)), "{wait:?}");
    assert_eq!(throttle.apply(Asked, "bob", address(99_999), now), Ok(()));
}

#[test]
fn many_at_once_are_no_way_around() {
    let mut throttle = Throttle::new();
    let begun = (0..1000).filter(|_| throttle.apply(Begun, "ann", HOME, seconds(1)).is_ok());
    assert_eq!(begun.count(), 5);
}

#[test]
fn what_was_given_up_counts_for_nothing() {
    let mut throttle = Throttle::new();
    for _ in 0..100 {
        throttle.apply(Begun, "ann", HOME, seconds(1)).unwrap();
        throttle.apply(GivenUp, "ann", HOME, seconds(1)).unwrap();
    }
    assert_eq!(
        throttle.pairs.len() + throttle.addresses.len() + throttle.accounts.len(),
        0
    );
}

#[test]
fn a_network_of_one_customer_is_one_address() {
    let mut throttle = Throttle::new();
    let from = |text: &str| text.parse().unwrap();
    for number in 0..5 {
        let address = from(&format!("2001:db8::{number}"));
        throttle.apply(Begun, "ann", address, seconds(1)).unwrap();
    }
    let apply =
        |throttle: &mut Throttle, text| throttle.apply(Asked, "ann", from(text), seconds(1));
    assert!(apply(&mut throttle, "2001:db8::ffff:1").is_err());
    assert!(apply(&mut throttle, "2001:db8:0:1::1").is_ok());
    // One address has two forms.
    for _ in 0..5 {
        throttle.apply(Begun, "bob", HOME, seconds(1)).unwrap();
    }
    assert!(
        throttle
            .apply(Asked, "bob", from("::ffff:192.0.2.1"), seconds(1))
            .is_err()
    );
}

#[test]
fn the_tables_have_an_end() {
    let mut throttle = Throttle::with_room(100);
    for number in 0..1000 {
        let account = format!("{}{number}", "ü".repeat(100));
        let _ = throttle.apply(Begun, &account, address(number), seconds(1));
        let _ = throttle.apply(Succeeded, &account, address(number), seconds(1));
        let _ = throttle.apply(Begun, &number.to_string(), address(number), seconds(1));
    }
    assert_eq!(throttle.pairs.len(), 100);
    assert_eq!(throttle.addresses.len(), 100);
    assert_eq!(throttle.accounts.len(), 100);
    assert_eq!(throttle.known.len(), 100);
    assert!(throttle.accounts.has(&"999".into()) && !throttle.accounts.has(&"0".into()));
}

#[derive(Clone, Debug)]
struct Step {
    event: LoginEvent,
    account: u8,
    address: u8,
    after: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let event =
        prop_oneof![12 => Just(Begun), 1 => Just(Succeeded), 1 => Just(GivenUp), 1 => Just(Asked)];
    let after = prop_oneof![6 => 0_u64..2, 3 => 0_u64..100, 1 => 0_u64..4000];
    (event, 0_u8..3, 0_u8..3, after).prop_map(|(event, account, address, after)| Step {
        event,
        account,
        address,
        after,
    })
}

/// Failures by a key of any kind, in a list: the naive model.
#[derive(Default)]
struct Naive(Vec<(String, u32, u64)>);

impl Naive {
    fn wait(&self, key: &str, free: u32, longest: u64, now: u64) -> u64 {
        let entry = self.0.iter().find(|(known, ..)| known == key);
        entry.map_or(0, |(_, failures, last)| match failures.checked_sub(free) {
            Some(beyond) => (last + longest.min(2_u64.pow(beyond.min(30)))).saturating_sub(now),
            None => 0,
        })
    }

    fn fail(&mut self, key: &str, now: u64) {
        let (failures, last) = self.count(key);
        let failures = if now - last.unwrap_or(now) >= 3600 {
            0
        } else {
            failures
        };
        self.0.retain(|(known, ..)| known != key);
        self.0.push((key.to_owned(), failures + 1, now));
    }

    fn count(&self, key: &str) -> (u32, Option<u64>) {
        let entry = self.0.iter().find(|(known, ..)| known == key);
        entry.map_or((0, None), |(_, failures, last)| (*failures, Some(*last)))
    }

    fn take_back(&mut self, key: &str) {
        for entry in self.0.iter_mut().filter(|(known, ..)| known == key) {
            entry.1 -= 1;
        }
        self.0.retain(|(_, failures, _)| *failures > 0);
    }

    fn forget(&mut self, key: &str) {
        self.0.retain(|(known, ..)| known != key);
    }
}

proptest! {
    #[test]
    fn it_answers_as_the_naive_model(steps in prop::collection::vec(step(), 1..300)) {
        let mut throttle = Throttle::new();
        let (mut naive, mut known, mut now) = (Naive::default(), Vec::new(), 0);
        for Step { event, account, address: number, after } in steps {
            now += after;
            let account = format!("user{account}");
            let from = address(number.into());
            let pair = format!("{account} {number}");
            let place = format!("address {number}");
            let came = throttle.apply(event, &account, from, seconds(now));
            let mut wait = naive.wait(&pair, 5, 900, now).max(naive.wait(&place, 20, 900, now));
            if !known.contains(&pair) {
                wait = wait.max(naive.wait(&account, 50, 60, now));
            }
            match event {
                Asked | Begun => {
                    prop_assert_eq!(came, if wait == 0 { Ok(()) } else { Err(seconds(wait)) });
                    if event == Begun && wait == 0 {
                        for key in [&pair, &place, &account] {
                            naive.fail(key, now);
                        }
                    }
                }
                Succeeded => {
                    naive.forget(&pair);
                    naive.forget(&account);
                    naive.take_back(&place);
                    known.push(pair);
                }
                GivenUp => {
                    for key in [&pair, &place, &account] {
                        naive.take_back(key);
                    }
                }
            }
        }
    }
}
