//! What tests share and no release ships: simulated clock and disk, contract suites, builders.

mod clock;

pub use clock::SimulatedClock;
