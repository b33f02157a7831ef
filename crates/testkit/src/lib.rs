//! What tests share and no release ships: simulated clock and disk, a naive store and a naive PromQL
//! evaluator, contract suites, script runners, a mail server, a PostgreSQL server.

mod access_contract;
mod certificate;
mod clock;
pub mod contract;
mod disk;
pub mod disk_contract;
mod memory_access;
mod memory_store;
pub mod naive;
mod postgres;
pub mod promqltest;
mod smtp;
mod watched_disk;

pub use access_contract::check_access;
pub use certificate::Certificate;
pub use clock::SimulatedClock;
pub use disk::{Operation, ReadFault, SimulatedDisk};
pub use memory_access::MemoryAccess;
pub use memory_store::MemoryStore;
pub use postgres::Postgres;
pub use smtp::{Mail, Smtp, SmtpTls};
pub use watched_disk::{Moment, WatchedDisk};
