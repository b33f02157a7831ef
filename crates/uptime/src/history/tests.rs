//! A history against the walk over all transitions.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::availability::tests::{at, state};
use crate::{Transition, availability};

proptest! {
    #[test]
    fn it_says_what_all_transitions_say(
        steps in prop::collection::vec((0_i64..1_000, state()), 0..20),
        from in 0_i64..1_000,
        length in 0_i64..1_000,
        forgotten in 0_i64..1_000,
    ) {
        let mut history = History::default();
        let mut transitions = Vec::new();
        for (number, (since, to)) in (1..).zip(&steps) {
            history.push(at(*since), *to);
            transitions.push(Transition {
                monitor: Arc::from("shop"),
                number,
                from: State::Pending,
                to: *to,
                at: at(*since),
                since: at(*since),
                cause: String::new(),
            });
        }
        history.forget_before(at(forgotten.min(from)));
        let (from, until) = (at(from), at(from + length));
        let expected = availability(&transitions, from, until);
        prop_assert_eq!(history.availability(from, until), expected);
    }
}

#[test]
fn a_bar_has_a_share_for_each_slot_that_is_known() {
    let mut history = History::default();
    history.push(at(150), State::Up);
    history.push(at(225), State::Down);
    history.push(at(300), State::Up);
    history.push(at(420), State::Unknown);
    let bar = history.bar(at(0), Duration::from_millis(100), 6, at(450));
    assert_eq!(
        bar,
        [None, Some(1.0), Some(0.25), Some(1.0), Some(1.0), None]
    );
}

#[test]
fn a_monitor_that_never_rests_has_a_shorter_history() {
    let mut history = History::default();
    for second in 0..10_000 {
        let state = [State::Up, State::Down][second as usize % 2];
        history.push(at(second * 1_000), state);
    }
    assert_eq!(history.spans.len(), SPANS_MAX);
    let known = history.availability(at(0), at(10_000_000));
    assert_eq!(known.up + known.down, Duration::from_secs(SPANS_MAX as u64));
}
