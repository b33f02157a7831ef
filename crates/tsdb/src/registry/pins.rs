//! Who may still know the numbers of retired series.
//!
//! A pin notes the time at which it was taken, counted in retirements. A series that was retired at that time or later
//! stays as it is while the pin is held; one that was retired earlier could not be found any more. So nobody waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// While it is held, the numbers found through the index keep their meaning.
pub(crate) struct Pin {
    pins: Arc<Pins>,
    time: u64,
}

/// The pins that are held.
#[derive(Default)]
pub(super) struct Pins(Mutex<Held>);

#[derive(Default)]
struct Held {
    now: u64,
    /// How many pins were taken at each time.
    counts: BTreeMap<u64, usize>,
}

impl Pins {
    pub(super) fn pin(self: &Arc<Self>) -> Pin {
        let mut held = self.held();
        let time = held.now;
        *held.counts.entry(time).or_default() += 1;
        Pin {
            pins: self.clone(),
            time,
        }
    }

    /// Ends the present, in which series were retired; gives its time.
    pub(super) fn advance(&self) -> u64 {
        let mut held = self.held();
        held.now += 1;
        held.now - 1
    }

    /// The time of the oldest pin; without pins the present.
    pub(super) fn oldest(&self) -> u64 {
        let held = self.held();
        held.counts.keys().next().map_or(held.now, |time| *time)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut held = self.pins.held();
        if let Some(count) = held.counts.get_mut(&self.time) {
            *count -= 1;
            if *count == 0 {
                held.counts.remove(&self.time);
            }
        }
    }
}
