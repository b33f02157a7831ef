//! Late beats, stops and sleeps.

use model::Timestamp;
use testkit::SimulatedClock;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn clock() -> SimulatedClock {
    SimulatedClock::new(Timestamp::from_millis(1_000_000))
}

fn beat_for(pulse: &Pulse, clock: &SimulatedClock, beats: u32) {
    for _ in 0..beats {
        clock.advance(BEAT);
        pulse.beat(clock);
    }
}

#[test]
fn a_steady_pulse_is_not_late() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    beat_for(&pulse, &clock, 100);
    assert_eq!(
        pulse.lateness_since(Duration::ZERO, &clock).worst,
        Duration::ZERO
    );
}

#[test]
fn a_late_beat_counts_for_all_that_ran_then_and_for_nothing_later() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    clock.advance(2 * SECOND);
    pulse.beat(&clock);
    let then = clock.monotonic();
    beat_for(&pulse, &clock, 10);
    let late = 2 * SECOND - BEAT;
    assert_eq!(pulse.lateness_since(Duration::ZERO, &clock).worst, late);
    assert_eq!(pulse.lateness_since(then, &clock).worst, late);
    assert_eq!(
        pulse.lateness_since(then + BEAT, &clock).worst,
        Duration::ZERO
    );
    assert_eq!(pulse.late_seconds(), late.as_secs_f64());
}

#[test]
fn a_check_that_wakes_before_the_pulse_knows_of_the_stop() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    clock.advance(60 * SECOND);
    let worst = pulse.lateness_since(59 * SECOND, &clock).worst;
    assert_eq!(worst, 60 * SECOND - BEAT);
}

#[test]
fn a_machine_that_slept_shows_in_the_wall_clock() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    clock.set(clock.now() + 3600 * SECOND);
    assert_eq!(
        pulse.lateness_since(Duration::ZERO, &clock).worst,
        3600 * SECOND
    );
    beat_for(&pulse, &clock, 1);
    assert_eq!(
        pulse.lateness_since(Duration::ZERO, &clock).worst,
        3600 * SECOND
    );
    // A clock that is set back says nothing of sleep.
    let awake = clock.monotonic() + BEAT;
    clock.set(Timestamp::from_millis(0));
    beat_for(&pulse, &clock, 2);
    assert_eq!(pulse.lateness_since(awake, &clock).worst, Duration::ZERO);
}

#[test]
fn a_pulse_that_has_ended_is_never_late() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    pulse.end();
    clock.advance(60 * SECOND);
    assert_eq!(
        pulse.lateness_since(Duration::ZERO, &clock).worst,
        Duration::ZERO
    );
    pulse.beat(&clock);
    assert_eq!(
        pulse.lateness_since(Duration::ZERO, &clock).worst,
        Duration::ZERO
    );
}

#[test]
fn late_beats_are_forgotten_the_oldest_first() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    clock.advance(10 * SECOND);
    pulse.beat(&clock);
    for _ in 0..NOTED_MAX {
        clock.advance(SECOND);
        pulse.beat(&clock);
    }
    assert_eq!(
        pulse.lateness_since(Duration::ZERO, &clock).worst,
        SECOND - BEAT
    );
}

#[test]
fn beats_that_are_all_a_little_late_add_up() {
    let (pulse, clock) = (Pulse::default(), clock());
    pulse.beat(&clock);
    for _ in 0..5 {
        clock.advance(BEAT + NOTED_FROM);
        pulse.beat(&clock);
    }
    clock.advance(BEAT + NOTED_FROM);
    let lateness = pulse.lateness_since(Duration::ZERO, &clock);
    assert_eq!(lateness.worst, NOTED_FROM);
    assert_eq!(lateness.total, 6 * NOTED_FROM);
}
