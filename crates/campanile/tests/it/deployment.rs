//! What `deploy/` holds fits the program: its files are whole, start the program as it wants to be started, and keep
//! what they promise about its rights.

mod image;
mod unit;

use std::path::PathBuf;

/// A file or folder of the project, by its path from the root.
fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
        .canonicalize()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text of a file of the project.
fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
