//! What must become of one monitor, from the list of all results so far, each time looked at anew.
//!
//! All times are milliseconds. Nothing is remembered but what happened: results, slots that were begun, and what the
//! monitor waits for. A restart that has lost the last results is a shorter list.

use std::collections::BTreeSet;

use uptime::State;

/// As the crate has it: later than this was slept through.
const LATE_MAX: i64 = 5_000;
const CATCH_UP: i64 = 60_000;

/// How a monitor is set up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) interval: i64,
    pub(crate) retries: u32,
    pub(crate) retry_interval: i64,
    pub(crate) labels: Vec<(String, String)>,
}

/// A result; the mark is `+`, `-` or `?`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) at: i64,
    pub(crate) mark: u8,
    /// The retries that were set when it came.
    pub(crate) retries: u8,
}

/// A change of state that must be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) at: i64,
    pub(crate) since: i64,
}

/// An outage that must be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trouble {
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) cause: String,
    pub(crate) labels: Vec<(String, String)>,
}

/// What comes next for a monitor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plan {
    Waits { due: i64, slot: i64, attempt: u32 },
    Runs { slot: i64, attempt: u32 },
}

/// One monitor, from when it was first configured to its removal.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) setting: Setting,
    pub(crate) results: Vec<Seen>,
    pub(crate) changes: Vec<Change>,
    pub(crate) troubles: Vec<Trouble>,
    /// The last slot that was begun, and written down.
    pub(crate) slot: Option<i64>,
    pub(crate) plan: Plan,
    /// Since the slots of this process or interval are counted: the first that was waited for, and those begun.
    pub(crate) first_slot: i64,
    pub(crate) begun: BTreeSet<i64>,
    /// The slot that comes after those that were begun or have passed.
    pub(crate) upcoming: i64,
}

/// Of a list of results: what the last one makes of the monitor.
pub(crate) fn state_after(results: &[Seen]) -> State {
    match results.last().map(|last| last.mark) {
        None => State::Pending,
        Some(b'+') => State::Up,
        Some(b'?') => State::Unknown,
        Some(_) if has_outage(results) => State::Down,
        Some(_) => State::Pending,
    }
}

/// Whether an outage lasts after these results: since the last success more failures than retries stood in a row.
pub(crate) fn has_outage(results: &[Seen]) -> bool {
    let segment = since_success(results);
    segment.split(|seen| seen.mark == b'?').any(|row| {
        let mut numbered = row.iter().zip(1..);
        numbered.any(|(seen, number)| number > u32::from(seen.retries))
    })
}

fn since_success(results: &[Seen]) -> &[Seen] {
    let last = results.iter().rposition(|seen| seen.mark == b'+');
    &results[last.map_or(0, |last| last + 1)..]
}

/// The first failure of the row with which the results end.
fn row_start(results: &[Seen]) -> i64 {
    let before = results.iter().rposition(|seen| seen.mark != b'-');
    results[before.map_or(0, |before| before + 1)].at
}

pub(crate) fn cause(seen: Seen) -> String {
    match seen.mark {
        b'+' => "the check succeeded".to_owned(),
        b'-' => format!("the status is {}", 500 + seen.at % 10),
        _ => "no DNS server answers".to_owned(),
    }
}

/// The change that the last result makes, given the changes before it.
pub(crate) fn change(results: &[Seen], changes: &[Change]) -> Option<Change> {
    let (last, before) = results.split_last()?;
    let (from, to) = (state_after(before), state_after(results));
    if from == to {
        return None;
    }
    let since = match to {
        State::Down => row_start(results),
        State::Up => {
            // Nothing but failures that came to nothing since it was up: it always was.
            let segment = since_success(before);
            let nothing = segment.iter().all(|seen| seen.mark == b'-') && !has_outage(before);
            let up = changes.iter().rev().find(|change| change.to == State::Up);
            match up {
                Some(up) if nothing => up.since,
                _ => last.at,
            }
        }
        State::Unknown | State::Pending => last.at,
    };
    Some(Change {
        from,
        to,
        at: last.at,
        since,
    })
}

/// What a result must lead to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) change: Option<Change>,
    pub(crate) raised: bool,
    pub(crate) resolved: bool,
}

impl Life {
    pub(crate) fn new(setting: Setting, now: i64) -> Self {
        let grid = Grid::of(&setting);
        let plan = grid.first(None, now);
        let mut life = Self {
            setting,
            results: Vec::new(),
            changes: Vec::new(),
            troubles: Vec::new(),
            slot: None,
            plan,
            first_slot: 0,
            begun: BTreeSet::new(),
            upcoming: 0,
        };
        life.count_from(now);
        life
    }

    /// The process starts again, knowing what this says.
    pub(crate) fn restart(&mut self, setting: Setting, now: i64) {
        self.setting = setting;
        self.plan = Grid::of(&self.setting).first(self.slot, now);
        self.count_from(now);
        self.resume_retry(now);
    }

    /// Other settings, in the same process; slots that were skipped before must have been counted already.
    pub(crate) fn reconfigure(&mut self, setting: Setting, now: i64) {
        let is_same = setting.interval == self.setting.interval;
        self.setting = setting;
        if is_same {
            return;
        }
        if !matches!(self.plan, Plan::Runs { .. }) {
            self.plan = Grid::of(&self.setting).first(self.slot, now);
        }
        self.count_from(now);
        self.resume_retry(now);
    }

    /// Whether the next result may change the state by itself, after failures that are not an outage.
    fn is_failing(&self) -> bool {
        let failed = self.results.last().is_some_and(|last| last.mark == b'-');
        failed && !has_outage(&self.results)
    }

    fn resume_retry(&mut self, now: i64) {
        if self.is_failing()
            && let (Plan::Waits { due, .. }, Some(slot)) = (self.plan, self.slot)
            && now + self.setting.retry_interval < due
        {
            self.plan = Plan::Waits {
                due: now + self.setting.retry_interval,
                slot,
                attempt: 1,
            };
        }
    }

    fn count_from(&mut self, now: i64) {
        self.first_slot = match self.plan {
            Plan::Waits { slot, .. } => slot,
            Plan::Runs { .. } => Grid::of(&self.setting).at_or_after(now),
        };
        self.upcoming = self.first_slot;
        self.begun.clear();
    }

    /// Slots that stood and passed without a check.
    pub(crate) fn skipped(&self) -> u64 {
        let passed = (self.upcoming - self.first_slot) / self.setting.interval;
        passed.unsigned_abs() - self.begun.len() as u64
    }

    /// When it is to be looked at next.
    pub(crate) fn due(&self) -> Option<i64> {
        match self.plan {
            Plan::Waits { due, .. } => Some(due),
            Plan::Runs { .. } => None,
        }
    }

    /// The check that must be run at a moment: slot, attempt, and when it was due.
    pub(crate) fn tick(&mut self, now: i64) -> Option<(i64, u32, i64)> {
        let grid = Grid::of(&self.setting);
        while let Plan::Waits { due, slot, attempt } = self.plan
            && due <= now
        {
            if attempt > 0 {
                self.plan = Plan::Runs { slot, attempt };
                return Some((slot, attempt, due));
            }
            let latest = grid.at_or_before(now).max(slot);
            if now - due > LATE_MAX {
                self.plan = grid.after_sleep(latest, now);
                if let Plan::Waits { slot, .. } = self.plan {
                    self.upcoming = slot;
                }
                continue;
            }
            assert!(
                self.slot.is_none_or(|before| before < latest) || self.begun.is_empty(),
                "a slot is begun once"
            );
            self.slot = Some(latest);
            self.begun.insert(latest);
            self.upcoming = latest + self.setting.interval;
            self.plan = Plan::Runs {
                slot: latest,
                attempt: 0,
            };
            return Some((latest, 0, due.max(latest)));
        }
        None
    }

    /// The check that was run has ended like this.
    pub(crate) fn finish(&mut self, mark: u8, now: i64) -> Expected {
        let retries = self.setting.retries;
        let before = has_outage(&self.results);
        self.results.push(Seen {
            at: now,
            mark,
            retries: u8::try_from(retries).unwrap(),
        });
        let lasts = has_outage(&self.results);
        let expected = Expected {
            change: change(&self.results, &self.changes),
            raised: lasts && !before,
            resolved: before && !lasts,
        };
        self.changes.extend(expected.change.clone());
        if expected.raised {
            self.troubles.push(Trouble {
                started: row_start(&self.results),
                ended: None,
                cause: cause(self.results[self.results.len() - 1]),
                labels: self.setting.labels.clone(),
            });
        }
        if expected.resolved {
            self.end_trouble(now);
        }
        let Plan::Runs { slot, attempt } = self.plan else {
            panic!("{} is not being checked", self.setting.name);
        };
        let mut next = Grid::of(&self.setting).at_or_after(now);
        if next == slot {
            next += self.setting.interval;
        }
        self.upcoming = next;
        let again = self.is_failing() || mark == b'?' && attempt < retries;
        let retry = now + self.setting.retry_interval;
        self.plan = if again && retry < next {
            Plan::Waits {
                due: retry,
                slot,
                attempt: attempt + 1,
            }
        } else {
            Plan::at_slot(next)
        };
        expected
    }

    /// Nobody sees its end any more; whether there was something to end.
    pub(crate) fn end_trouble(&mut self, now: i64) -> bool {
        match self.troubles.last_mut() {
            Some(trouble) if trouble.ended.is_none() => {
                trouble.ended = Some(now.max(trouble.started));
                true
            }
            _ => false,
        }
    }
}

impl Plan {
    fn at_slot(slot: i64) -> Self {
        Self::Waits {
            due: slot,
            slot,
            attempt: 0,
        }
    }
}

/// The moments `phase + n * interval`.
struct Grid {
    interval: i64,
    phase: i64,
    catch_up: i64,
}

impl Grid {
    /// Written once more, since the slots of an installation must never move.
    fn of(setting: &Setting) -> Self {
        let mut hash: u64 = 14_695_981_039_346_656_037;
        for byte in setting.name.bytes() {
            hash ^= u64::from(byte);
            hash = hash.wrapping_mul(1_099_511_628_211);
        }
        for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
            hash ^= hash
                >> if factor == 0xbf58_476d_1ce4_e5b9 {
                    30
                } else {
                    27
                };
            hash = hash.wrapping_mul(factor);
        }
        hash ^= hash >> 31;
        let swapped = hash.rotate_left(32);
        Self {
            interval: setting.interval,
            phase: (hash % setting.interval.unsigned_abs()).cast_signed(),
            catch_up: (swapped % CATCH_UP.unsigned_abs()).cast_signed(),
        }
    }

    fn at_or_before(&self, now: i64) -> i64 {
        now - (now - self.phase).rem_euclid(self.interval)
    }

    fn at_or_after(&self, now: i64) -> i64 {
        now + (self.phase - now).rem_euclid(self.interval)
    }

    fn first(&self, known: Option<i64>, now: i64) -> Plan {
        let latest = self.at_or_before(now);
        match known {
            Some(known) if known >= latest => {
                let next = self.at_or_after(now);
                Plan::at_slot(if next == known {
                    next + self.interval
                } else {
                    next
                })
            }
            _ => self.after_sleep(latest, now),
        }
    }

    fn after_sleep(&self, latest: i64, now: i64) -> Plan {
        let next = latest + self.interval;
        if next - now <= CATCH_UP {
            return Plan::at_slot(next);
        }
        Plan::Waits {
            due: now + self.catch_up,
            slot: latest,
            attempt: 0,
        }
    }
}
