//! Slots, phases, lateness and jumps of the clock.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn names(count: usize) -> Vec<Arc<str>> {
    (0..count)
        .map(|index| Arc::from(format!("site-{index}")))
        .collect()
}

fn schedule(names: &[Arc<str>], interval: Duration, now: Timestamp) -> Schedule {
    let mut schedule = Schedule::default();
    for name in names {
        schedule.insert(name, interval, None, None, now);
    }
    schedule
}

/// Runs whatever is due until `until`, each check ending at once; calls `seen` with the time and the run.
fn run_until(schedule: &mut Schedule, until: Timestamp, mut seen: impl FnMut(Timestamp, &Run)) {
    while let Some(now) = schedule.next_due().filter(|due| *due < until) {
        for run in schedule.due(now) {
            seen(now, &run);
            schedule.finish(&run.monitor, None, now);
        }
    }
}

#[test]
fn the_phase_of_a_name_never_changes() {
    let phases =
        ["shop", "site-0", "Müller & Söhne"].map(|name| Grid::new(name, 60 * SECOND).phase);
    assert_eq!(phases, [40614, 33408, 43089]);
}

#[test]
fn every_slot_is_run_once_and_in_time_and_nothing_drifts() {
    let names = names(50);
    let mut schedule = schedule(&names, 10 * SECOND, at(1_000));
    let mut last: BTreeMap<Arc<str>, Timestamp> = BTreeMap::new();
    let mut count = 0;
    run_until(&mut schedule, at(2_000), |now, run| {
        assert_eq!((run.due, run.slot, run.attempt), (now, now, 0));
        if let Some(last) = last.insert(Arc::clone(&run.monitor), run.slot) {
            assert_eq!(run.slot, last + 10 * SECOND);
        }
        count += 1;
    });
    assert_eq!((count, schedule.skipped()), (50 * 100, 0));
}

#[test]
fn a_thousand_names_are_spread_evenly_over_the_interval() {
    for interval in [10, 60, 3_600] {
        let mut parts = [0; 20];
        for name in names(1_000) {
            let grid = Grid::new(&name, interval * SECOND);
            parts[usize::try_from(grid.phase * 20 / grid.interval).unwrap()] += 1;
        }
        // 50 each; a fair die leaves this range once in a million throws.
        assert!(
            parts.iter().all(|count| (20..85).contains(count)),
            "{parts:?}"
        );
    }
}

#[test]
fn a_check_that_takes_long_skips_slots_and_is_never_run_twice_at_once() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), 10 * SECOND, at(1_000));
    let first = schedule.due(schedule.next_due().unwrap()).remove(0);
    assert_eq!(schedule.next_due(), None);
    assert_eq!(schedule.due(first.slot + 10 * SECOND), []);
    schedule.finish(&name, None, first.slot + 35 * SECOND);
    assert_eq!(schedule.skipped(), 3);
    assert_eq!(schedule.next_due(), Some(first.slot + 40 * SECOND));
}

#[test]
fn a_slot_that_a_check_and_then_its_retry_outlast_is_counted_once() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), 10 * SECOND, at(1_000));
    let first = schedule.due(schedule.next_due().unwrap()).remove(0);
    schedule.finish(&name, Some(2 * SECOND), first.slot + 35 * SECOND);
    assert_eq!(schedule.skipped(), 3);
    let retry = schedule.due(first.slot + 37 * SECOND).remove(0);
    assert_eq!((retry.slot, retry.attempt), (first.slot, 1));
    schedule.finish(&name, None, first.slot + 55 * SECOND);
    assert_eq!(schedule.skipped(), 5, "at 10, 20, 30, 40 and 50 seconds");
}

#[test]
fn a_check_that_outlasts_a_change_of_its_interval_skips_the_new_slots_since() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), 60 * SECOND, at(1_000));
    let first = schedule.due(schedule.next_due().unwrap()).remove(0);
    schedule.insert(&name, 10 * SECOND, None, None, first.slot + 25 * SECOND);
    schedule.finish(&name, None, first.slot + 45 * SECOND);
    assert_eq!(
        schedule.skipped(),
        2,
        "one in each of two times ten seconds"
    );
}

#[test]
fn a_check_that_ends_at_the_next_slot_is_run_again_at_once() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), 10 * SECOND, at(1_000));
    let first = schedule.due(schedule.next_due().unwrap()).remove(0);
    schedule.finish(&name, None, first.slot + 10 * SECOND);
    assert_eq!(schedule.next_due(), Some(first.slot + 10 * SECOND));
    assert_eq!(schedule.skipped(), 0);
}

#[test]
fn a_retry_comes_before_the_next_slot_or_is_that_slot() {
    let name = names(1).remove(0);
    for (wait, expected) in [(3, (3, 1)), (9, (9, 1)), (10, (10, 0)), (25, (10, 0))] {
        let mut schedule = schedule(std::slice::from_ref(&name), 10 * SECOND, at(1_000));
        let first = schedule.due(schedule.next_due().unwrap()).remove(0);
        schedule.finish(&name, Some(wait * SECOND), first.slot);
        let due = schedule.next_due().unwrap();
        let run = schedule.due(due).remove(0);
        assert_eq!((due.since(first.slot).as_secs(), run.attempt), expected);
        assert_eq!(run.slot == first.slot, run.attempt == 1);
    }
}

#[test]
fn waking_up_starts_no_storm() {
    for (interval, count) in [(10, 1_000), (60, 1_000), (3_600, 1_000), (86_400, 10_000)] {
        let names = names(count);
        let mut schedule = schedule(&names, interval * SECOND, at(1_000_000));
        run_until(&mut schedule, at(1_000_700), |_, _| {});
        let woken = at(1_000_700) + 3 * 3_600 * SECOND;
        let mut in_second = BTreeMap::new();
        let mut checked = BTreeSet::new();
        assert!(schedule.due(woken).len() < count / 10);
        run_until(&mut schedule, woken + 61 * SECOND, |now, run| {
            *in_second.entry(now.as_millis() / 1000).or_insert(0) += 1;
            checked.insert(Arc::clone(&run.monitor));
        });
        let most = in_second.values().max().copied().unwrap_or(0);
        let fair = count / usize::try_from(interval).unwrap().min(60);
        assert!(
            most <= fair * 2 + 20,
            "{most} checks in a second of {count}"
        );
        let slept_through = count * 3 * 3_600 / usize::try_from(interval).unwrap().max(3 * 3_600);
        assert!(
            checked.len() >= slept_through * 9 / 10,
            "{} of {slept_through} are checked within a minute",
            checked.len()
        );
    }
}

#[test]
fn a_clock_that_is_set_back_delays_nobody() {
    let names = names(200);
    let mut schedule = schedule(&names, 30 * SECOND, at(1_000_000));
    run_until(&mut schedule, at(1_001_000), |_, _| {});
    let back = at(900_000);
    assert_eq!(schedule.due(back), []);
    let mut checked = BTreeSet::new();
    run_until(&mut schedule, back + 31 * SECOND, |now, run| {
        assert_eq!(run.due, now);
        assert!(checked.insert(Arc::clone(&run.monitor)) || now >= back + 30 * SECOND);
    });
    assert_eq!(checked.len(), 200);
}

#[test]
fn a_clock_that_is_set_back_by_little_runs_no_slot_twice() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), 10 * SECOND, at(1_000));
    let mut slots = BTreeSet::new();
    for _ in 0..100 {
        let due = schedule.next_due().unwrap();
        for run in schedule.due(due) {
            assert!(slots.insert(run.slot));
            schedule.finish(&run.monitor, None, due);
        }
        schedule.due(due - 2 * SECOND);
    }
}

#[test]
fn a_new_monitor_is_checked_within_a_minute_whatever_its_interval() {
    for interval in [1, 10, 60, 61, 3_600, 86_400] {
        let now = at(1_000_000_000);
        for name in names(100) {
            let schedule = schedule(std::slice::from_ref(&name), interval * SECOND, now);
            let due = schedule.next_due().unwrap();
            assert!(
                (now..=now + 60 * SECOND).contains(&due),
                "{interval}: {due}"
            );
        }
    }
}

#[test]
fn slots_that_were_slept_through_are_counted() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), 10 * SECOND, at(1_000));
    let first = schedule.due(schedule.next_due().unwrap()).remove(0);
    schedule.finish(&name, None, first.slot);
    assert_eq!(schedule.due(first.slot + 67 * SECOND), []);
    assert_eq!(schedule.skipped(), 6);
    assert_eq!(schedule.next_due(), Some(first.slot + 70 * SECOND));
}

#[test]
fn a_busy_machine_runs_the_latest_of_the_slots_that_have_passed() {
    let name = names(1).remove(0);
    let mut schedule = schedule(std::slice::from_ref(&name), SECOND, at(1_000));
    let first = schedule.due(schedule.next_due().unwrap()).remove(0);
    schedule.finish(&name, None, first.slot);
    let now = first.slot + Duration::from_millis(4_500);
    let run = schedule.due(now).remove(0);
    assert_eq!((run.slot, run.due), (first.slot + 4 * SECOND, run.slot));
    assert_eq!(schedule.skipped(), 3);
}
