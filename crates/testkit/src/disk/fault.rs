//! Which operations fail, and what of them is done nevertheless.

use std::io;

/// What a disk is asked to do, and what can therefore fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creating a file, or opening it for appending.
    Open,
    /// Appending bytes.
    Append,
    /// Taking room for bytes to come.
    Reserve,
    /// Syncing a file or a directory.
    Sync,
    /// Cutting, linking, renaming or removing a file.
    Change,
    /// Reading a file, or a part of it.
    Read,
}

/// How many kinds of operations there are.
const KINDS: usize = Operation::Read as usize + 1;

/// The faults to come, and the random numbers that choose them.
pub(super) struct Faults {
    random: u64,
    waiting: Vec<Fault>,
    counts: [u64; KINDS],
    failures: [u64; KINDS],
    deaths: u64,
    dead: bool,
}

pub(super) struct Fault {
    /// Any operation but reads if none.
    pub(super) operation: Option<Operation>,
    pub(super) when: When,
    pub(super) effect: Effect,
}

pub(super) enum When {
    /// Once, after so many others.
    After(u64),
    /// Again and again, one in so many.
    OneIn(u64),
}

#[derive(Clone, Copy)]
pub(super) enum Effect {
    Die,
    Fail(io::ErrorKind),
}

/// What becomes of an operation.
pub(super) struct Attempt {
    /// The share of it that is done even if it fails; of what cannot be torn, nothing or all.
    pub(super) done: u64,
    pub(super) result: io::Result<()>,
}

impl Attempt {
    /// The share that is the whole.
    pub(super) const ALL: u64 = 256;
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: seed,
            waiting: Vec::new(),
            counts: [0; KINDS],
            failures: [0; KINDS],
            deaths: 0,
            dead: false,
        }
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Another process, for which nothing is wrong yet.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        self.dead = false;
    }

    pub(super) fn count(&self, operation: Operation) -> u64 {
        self.counts[operation as usize]
    }

    pub(super) fn changing(&self) -> u64 {
        let all: u64 = self.counts.iter().sum();
        all - self.count(Operation::Read)
    }

    pub(super) fn failures(&self, operation: Operation) -> u64 {
        self.failures[operation as usize]
    }

    pub(super) fn happened(&self) -> u64 {
        self.deaths + self.failures.iter().sum::<u64>()
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.dead { Err(dead()) } else { Ok(()) }
    }

    /// Counts an operation and decides whether it goes well.
    pub(super) fn attempt(&mut self, operation: Operation) -> Attempt {
        if let Err(error) = self.alive() {
            return Attempt {
                done: 0,
                result: Err(error),
            };
        }
        self.counts[operation as usize] += 1;
        let Some(effect) = self.due(operation) else {
            return Attempt {
                done: Attempt::ALL,
                result: Ok(()),
            };
        };
        let whole = match self.next() % 2 {
            0 => 0,
            _ => Attempt::ALL,
        };
        let share = match self.next() % 4 {
            0 => whole,
            _ => self.next() % (Attempt::ALL + 1),
        };
        let (done, error) = match (effect, operation) {
            (Effect::Die, Operation::Append) => (share, dead()),
            (Effect::Die, _) => (whole, dead()),
            (Effect::Fail(error), Operation::Append) => (share, fault(error)),
            (Effect::Fail(error), _) => (0, fault(error)),
        };
        match effect {
            Effect::Fail(_) => self.failures[operation as usize] += 1,
            Effect::Die => {
                self.deaths += 1;
                self.dead = true;
            }
        }
        Attempt {
            done,
            result: Err(error),
        }
    }

    fn due(&mut self, operation: Operation) -> Option<Effect> {
        let mut due = None;
        let random = &mut self.random;
        self.waiting.retain_mut(|fault| {
            let meant = match fault.operation {
                Some(only) => only == operation,
                None => operation != Operation::Read,
            };
            if !meant {
                return true;
            }
            match &mut fault.when {
                When::After(0) => {
                    due = Some(fault.effect);
                    false
                }
                When::After(left) => {
                    *left -= 1;
                    true
                }
                When::OneIn(number) => {
                    if next(random).is_multiple_of(*number) {
                        due = Some(fault.effect);
                    }
                    true
                }
            }
        });
        due
    }

    /// The next random number.
    pub(super) fn next(&mut self) -> u64 {
        next(&mut self.random)
    }
}

/// What a dead process is told.
pub(super) fn dead() -> io::Error {
    io::Error::other("the simulated process is dead")
}

fn fault(error: io::ErrorKind) -> io::Error {
    io::Error::new(error, "simulated fault")
}

/// The next number of the sequence (SplitMix64).
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
