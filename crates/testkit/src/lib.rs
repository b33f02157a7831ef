//! What tests share and no release ships: simulated clock and disk, a naive store, contract suites, script runners.

mod clock;
pub mod contract;
mod disk;
mod memory_store;
pub mod promqltest;

pub use clock::SimulatedClock;
pub use disk::{Operation, SimulatedDisk};
pub use memory_store::MemoryStore;
