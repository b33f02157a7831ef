//! The `campanile` program.

#[expect(dead_code, reason = "the command line that reads it is not there yet")]
mod config;

fn main() {}
