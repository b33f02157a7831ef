//! A month in the life of an installation, in a minute: 200 monitors, 100 rules and their alerts, with outages, stops,
//! crashes and changes of the configuration, against naive models that look at what happened and nothing else.
//!
//! A run is repeated by its seed, which is printed: `CAMPANILE_TEST_SEED`. `CAMPANILE_TEST_DAYS` says how long it is:
//! `CAMPANILE_TEST_DAYS=30 cargo test --release -p alerts --test month -- --nocapture`.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test, also where no function is marked as one"
)]

mod monitors;
mod random;
mod rules;
mod told;

use model::Alert;
use monitors::Monitors;
use random::Random;
use rules::Rules;
use told::Told;

/// As much as a debug build does in some seconds.
const DAYS_DEFAULT: f64 = 0.25;

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
    let until = START + (days * DAY as f64) as i64;
    let mut world = World::new(seed, until);
    world.run(until);
    world.settle();
    assert!(world.monitors.totals.checks > 0);
    eprintln!("{}\nCAMPANILE_TEST_SEED={seed}", world.summary());
}

/// An installation, and what happens to it.
struct World {
    random: Random,
    now: i64,
    monitors: Monitors,
    rules: Rules,
    told: Told,
    next_fault: i64,
    next_look: i64,
    has_faults: bool,
    stops: u64,
    crashes: u64,
    freezes: u64,
    reconfigurations: u64,
}

impl World {
    fn new(seed: u64, until: i64) -> Self {
        let mut random = Random::new(seed);
        Self {
            monitors: Monitors::new(random.fork(), START),
            rules: Rules::new(random.fork(), START, until),
            told: Told::new(random.fork(), START, until),
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
            let monitors = self.monitors.next().unwrap_or(i64::MAX);
            let rules = self.rules.next().unwrap_or(i64::MAX);
            let own = self.next_fault.min(self.next_look);
            let told = self.told.next().unwrap_or(i64::MAX);
            let next = monitors.min(rules).min(told).min(own);
            if next.max(self.now) >= until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next + self.lateness());
            if next == self.next_look {
                self.next_look += 6 * HOUR;
                self.monitors.check_availability(self.now);
                self.told.check_known();
            } else if next == self.next_fault {
                self.next_fault = self.now + self.random.long_tailed(10 * MINUTE, 6 * HOUR);
                if self.has_faults {
                    self.fault();
                }
            } else if next == monitors {
                let alerts = self.monitors.act(self.now);
                if self.tell(alerts) {
                    self.monitors.told();
                }
            } else if next == rules {
                let alerts = self.rules.act(self.now);
                self.tell(alerts);
            } else {
                self.told.act(self.now);
            }
            if self.told.is_delicate() && self.has_faults && self.random.chance(1) {
                self.crash();
            }
        }
    }

    /// Hands alerts on, one by one; false if the process dies before it is done: what they follow from is written
    /// down, but not all of them are known.
    fn tell(&mut self, alerts: Vec<Alert>) -> bool {
        for alert in alerts {
            if self.has_faults && self.random.chance(1) && self.random.chance(300) {
                self.crash();
                return false;
            }
            self.told.take(alert, self.now);
        }
        true
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
            0..2 => {
                self.stops += 1;
                self.monitors.stop();
                self.rules.stop();
                self.start_again();
            }
            2..3 => self.crash(),
            3..5 => {
                self.freezes += 1;
                self.now += self.random.long_tailed(2 * SECOND, 30 * MINUTE);
                self.told.frozen(self.now);
            }
            _ => {
                self.reconfigurations += 1;
                let mut alerts = self.monitors.reconfigure(self.now);
                alerts.extend(self.rules.reconfigure(self.now));
                if self.random.chance(200) {
                    self.crash();
                } else if self.tell(alerts) {
                    self.monitors.told();
                }
            }
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.start_again();
    }

    fn start_again(&mut self) {
        self.now += self.random.long_tailed(SECOND, HOUR);
        let is_changed = self.random.chance(250);
        let alerts = self.monitors.start(is_changed, self.now);
        self.rules.start(is_changed, self.now);
        self.told.start(self.now);
        for alert in alerts {
            self.told.take(alert, self.now);
        }
        self.monitors.told();
    }

    /// All is well again, and nothing breaks any more: in the end everyone knows.
    fn settle(&mut self) {
        self.has_faults = false;
        self.monitors.heal();
        self.run(self.now + 4 * HOUR);
        self.monitors.check_all();
        self.told.check_end();
    }

    fn summary(&self) -> String {
        let (monitors, rules, told) =
            (&self.monitors.totals, &self.rules.totals, &self.told.totals);
        let lines = [
            format!(
                "{:.2} days: {} restarts ({} of them crashes), {} freezes, {} reconfigurations",
                (self.now - START) as f64 / DAY as f64,
                self.stops + self.crashes,
                self.crashes,
                self.freezes,
                self.reconfigurations,
            ),
            format!(
                "monitors: {} checks, {} transitions, {} outages, {} slots skipped, {} windows of availability",
                monitors.checks,
                monitors.transitions,
                monitors.raised,
                monitors.skipped,
                monitors.windows,
            ),
            format!(
                "rules: {} evaluations ({} failed), {} samples, {} alerts given out, {} ended without their rule",
                rules.evaluations, rules.failures, rules.samples, rules.given_out, rules.ended,
            ),
            format!(
                "alerts: {} taken in, {} notifications ({} repetitions), {} tries failed, {} given up, {} heard twice, {} ends never told",
                told.alerts,
                told.notifications,
                told.repeats,
                told.failed,
                told.given_up,
                told.doubles,
                told.hopeless,
            ),
        ];
        lines.join("\n")
    }
}

/// What an environment variable says.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
