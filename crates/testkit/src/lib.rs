//! What tests share and no release ships: simulated clock and disk, a naive store and a naive PromQL
//! evaluator, contract suites, script runners, a mail server.

mod certificate;
mod clock;
pub mod contract;
mod disk;
pub mod disk_contract;
mod memory_store;
pub mod naive;
pub mod promqltest;
mod smtp;
mod watched_disk;

pub use certificate::Certificate;
pub use clock::SimulatedClock;
pub use disk::{Operation, ReadFault, SimulatedDisk};
pub use memory_store::MemoryStore;
pub use smtp::{Mail, Smtp, SmtpTls};
pub use watched_disk::{Moment, WatchedDisk};
