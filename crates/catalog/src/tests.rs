//! The catalog as its users find it.

mod crashes;
mod entering;
mod fixture;
mod keeping;
mod migrating;
mod model_based;
mod opening;
mod random_entering;
mod server;
mod silence;
mod trouble;
