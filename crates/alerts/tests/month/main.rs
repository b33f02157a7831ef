//! A month in the life of an installation, in a minute: 200 monitors, 100 rules and their alerts, with outages, stops,
//! crashes and changes of the configuration, against naive models that look at what happened and nothing else.
//!
//! A run is repeated by its seed, which is printed: `CAMPANILE_TEST_SEED`. `CAMPANILE_TEST_DAYS` says how long it is:
//! `CAMPANILE_TEST_DAYS=30 cargo test --release -p alerts --test month -- --nocapture`.

mod monitors;
mod random;

use monitors::Monitors;
use random::Random;

/// As much as a debug build does in some seconds.
const DAYS_DEFAULT: f64 = 1.0;

/// The first moment, in milliseconds since 1970.
const START: i64 = 1_800_000_000_000;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

#[test]
fn a_month_goes_as_naive_models_say() {
    let seed = setting("CAMPANILE_TEST_SEED").unwrap_or_else(Random::seed);
    let days = setting("CAMPANILE_TEST_DAYS").unwrap_or(DAYS_DEFAULT);
    eprintln!("CAMPANILE_TEST_SEED={seed} CAMPANILE_TEST_DAYS={days}");
    let mut world = World::new(seed);
    world.run(START + (days * DAY as f64) as i64);
    world.settle();
    assert!(world.monitors.totals.checks > 0);
    world.print();
}

/// An installation, and what happens to it.
struct World {
    random: Random,
    now: i64,
    monitors: Monitors,
    next_fault: i64,
    next_look: i64,
    has_faults: bool,
    stops: u64,
    crashes: u64,
    freezes: u64,
    reconfigurations: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            monitors: Monitors::new(random.fork(), START),
            random,
            now: START,
            next_fault: START + HOUR,
            next_look: START + 6 * HOUR,
            has_faults: true,
            stops: 0,
            crashes: 0,
            freezes: 0,
            reconfigurations: 0,
        }
    }

    fn run(&mut self, until: i64) {
        loop {
            let due = self.monitors.next();
            let next = due.into_iter().chain([self.next_fault, self.next_look]);
            let next = next.min().unwrap();
            if next.max(self.now) >= until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next + self.lateness());
            if next == self.next_look {
                self.next_look += 6 * HOUR;
                self.monitors.check_availability(self.now);
            } else if next == self.next_fault {
                self.next_fault = self.now + self.random.long_tailed(10 * MINUTE, 6 * HOUR);
                if self.has_faults {
                    self.fault();
                }
            } else {
                let alerts = self.monitors.act(self.now);
                // Written down, but not told yet: the worst moment to die.
                if self.has_faults && !alerts.is_empty() && self.random.chance(10) {
                    self.crash();
                    continue;
                }
                self.monitors.told();
            }
        }
    }

    /// How late the machine is: mostly by nothing, seldom by seconds.
    fn lateness(&mut self) -> i64 {
        match self.random.within(0, 9_999) {
            0..8_000 => 0,
            8_000..9_990 => self.random.within(1, 200),
            _ => self.random.within(200, 8 * SECOND),
        }
    }

    fn fault(&mut self) {
        match self.random.within(0, 9) {
            0..3 => {
                self.stops += 1;
                self.monitors.stop();
                self.start_again();
            }
            3..5 => self.crash(),
            5..7 => {
                self.freezes += 1;
                self.now += self.random.long_tailed(2 * SECOND, 30 * MINUTE);
            }
            _ => {
                self.reconfigurations += 1;
                let alerts = self.monitors.reconfigure(self.now);
                if !alerts.is_empty() && self.random.chance(200) {
                    self.crash();
                }
            }
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.start_again();
    }

    fn start_again(&mut self) {
        self.now += self.random.long_tailed(SECOND, 2 * HOUR);
        let is_changed = self.random.chance(250);
        let _alerts = self.monitors.start(is_changed, self.now);
        self.monitors.told();
    }

    /// All is well again, and nothing breaks any more: in the end everyone knows.
    fn settle(&mut self) {
        self.has_faults = false;
        self.monitors.heal();
        self.run(self.now + 12 * HOUR);
        self.monitors.check_all();
    }

    fn print(&self) {
        let monitors = &self.monitors.totals;
        eprintln!(
            "{:.2} days: {} restarts ({} of them crashes), {} freezes, {} reconfigurations",
            (self.now - START) as f64 / DAY as f64,
            self.stops + self.crashes,
            self.crashes,
            self.freezes,
            self.reconfigurations,
        );
        eprintln!(
            "monitors: {} checks, {} transitions, {} outages raised, {} slots skipped, {} windows of availability",
            monitors.checks,
            monitors.transitions,
            monitors.raised,
            monitors.skipped,
            monitors.windows,
        );
    }
}

/// What an environment variable says.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
