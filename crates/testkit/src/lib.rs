//! What tests share and no release ships: simulated clock and disk, contract suites, builders.

mod clock;
pub mod contract;
mod disk;
mod memory_store;
pub mod promqltest;

pub use clock::SimulatedClock;
pub use disk::{Operation, SimulatedDisk};
pub use memory_store::MemoryStore;
