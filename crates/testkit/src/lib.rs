//! What tests share and no release ships: simulated clock and disk, contract suites, builders.

mod clock;
mod memory_store;
pub mod promqltest;

pub use clock::SimulatedClock;
pub use memory_store::MemoryStore;
