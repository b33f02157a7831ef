//! The catalog as its users find it.

mod fixture;
mod keeping;
mod opening;
