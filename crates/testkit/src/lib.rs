//! What tests share and no release ships: simulated clock and disk, contract suites, builders.

mod clock;
pub mod contract;
mod disk;

pub use clock::SimulatedClock;
pub use disk::{Operation, SimulatedDisk};
