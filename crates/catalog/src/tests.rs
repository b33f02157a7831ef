//! The catalog as its users find it.

mod crashes;
mod fixture;
mod keeping;
mod model_based;
mod opening;
mod trouble;
