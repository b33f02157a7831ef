//! Windows over histories.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Transitions from `(at, since, to)`.
fn history(steps: &[(i64, i64, State)]) -> Vec<Transition> {
    let mut from = State::Pending;
    let mut number = 0;
    let mut make = |(found, since, to): &(i64, i64, State)| {
        number += 1;
        Transition {
            monitor: Arc::from("shop"),
            number,
            from: std::mem::replace(&mut from, *to),
            to: *to,
            at: at(*found),
            since: at(*since),
            cause: String::new(),
        }
    };
    steps.iter().map(&mut make).collect()
}

#[test]
fn a_window_is_divided_exactly() {
    use State::{Down, Pending, Unknown, Up};
    let steady = [(100, 100, Up), (400, 400, Down), (500, 500, Up)];
    let retried = [(100, 100, Up), (400, 400, Pending), (450, 400, Down)];
    let hiccup = [(100, 100, Up), (400, 400, Pending), (450, 100, Up)];
    let blind = [(100, 100, Down), (200, 200, Unknown), (300, 300, Down)];
    let undecided = [(100, 100, Up), (400, 400, Pending), (450, 450, Unknown)];
    let set_back = [(500, 500, Up), (200, 200, Down), (300, 300, Up)];
    for (steps, from, until, expected) in [
        (&[][..], 0, 1000, [0, 0, 0, 0]),
        (&steady, 0, 1000, [800, 100, 0, 0]),
        (&steady, 450, 470, [0, 20, 0, 0]),
        (&steady, 600, 700, [100, 0, 0, 0]),
        (&steady, 0, 50, [0, 0, 0, 0]),
        (&retried, 0, 1000, [300, 600, 0, 0]),
        (&hiccup, 0, 1000, [900, 0, 0, 0]),
        (&blind, 0, 1000, [0, 800, 100, 0]),
        (&undecided, 0, 1000, [300, 0, 550, 50]),
        (&set_back, 0, 1000, [700, 100, 0, 0]),
    ] {
        let parts = availability(&history(steps), at(from), at(until));
        let millis =
            [parts.up, parts.down, parts.unknown, parts.pending].map(|part| part.as_millis());
        assert_eq!(millis, expected, "{steps:?} {from} {until}");
    }
}

#[test]
fn the_ratio_is_of_the_time_that_is_known() {
    let parts = Availability {
        up: Duration::from_secs(3),
        down: Duration::from_secs(1),
        unknown: Duration::from_secs(100),
        pending: Duration::ZERO,
    };
    assert_eq!(parts.ratio(), Some(0.75));
    assert_eq!(Availability::default().ratio(), None);
}

pub(crate) fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Up),
        Just(State::Down),
        Just(State::Unknown),
        Just(State::Pending)
    ]
}

proptest! {
    /// The model paints every millisecond from `since` on, transition over transition.
    #[test]
    fn each_millisecond_belongs_to_the_last_transition_that_claims_it(
        steps in prop::collection::vec((0i64..300, state()), 0..20),
        from in 0i64..300,
        length in 0i64..300,
    ) {
        let steps: Vec<_> = steps.into_iter().map(|(since, to)| (since, since, to)).collect();
        let transitions = history(&steps);
        let parts = availability(&transitions, at(from), at(from + length));
        let mut painted = Availability::default();
        for moment in from..from + length {
            let last = steps.iter().rev().find(|(since, ..)| *since <= moment);
            let part = match last {
                None => continue,
                Some((.., State::Up)) => &mut painted.up,
                Some((.., State::Down)) => &mut painted.down,
                Some((.., State::Unknown)) => &mut painted.unknown,
                Some((.., State::Pending)) => &mut painted.pending,
            };
            *part += Duration::from_millis(1);
        }
        prop_assert_eq!(parts, painted);
    }
}
