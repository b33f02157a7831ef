//! Runs scripts in Prometheus' test language against our PromQL engine, or against whatever else is an [`Engine`].
//!
//! A script loads series and states what expressions give. Each instant statement is evaluated at its moment, once
//! more as the middle step of a range query, and both once more at other moments with its own moment pinned by `@`.
//! Where one of these does not exist for a statement, the report says so.

mod compare;
mod engine;
mod expectations;
mod literal;
mod load;
mod memory;
mod pinned;
mod points;
mod script;
mod statement;

use std::fs;
use std::io;
use std::path::Path;

pub use engine::{
    Answer, Engine, Found, LoadedSample, LoadedSeries, Moment, Refusal, Series, ShownBucket,
    ShownHistogram, Value,
};
pub use memory::InMemory;

/// What became of all scripts of a folder.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each script, sorted by name.
    pub files: Vec<FileReport>,
}

impl Report {
    /// How many statements passed.
    pub fn passed(&self) -> usize {
        self.files.iter().map(|file| file.passed).sum()
    }

    /// How many statements there are.
    pub fn statements(&self) -> usize {
        let failed: usize = self.files.iter().map(|file| file.failures.len()).sum();
        self.passed() + failed
    }
}

/// What became of one script.
#[derive(Debug, Default)]
pub struct FileReport {
    /// The script's file name.
    pub file: String,
    /// How many statements passed.
    pub passed: usize,
    /// The statements that did not, and what could not be loaded.
    pub failures: Vec<Failure>,
    /// What could not be done with statements, whether they passed or not.
    pub omissions: Vec<Omission>,
}

/// A statement that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its line in the script.
    pub line: usize,
    /// The line itself.
    pub statement: String,
    /// What was expected and what came instead.
    pub reason: String,
}

/// A way to evaluate a statement again that does not exist for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// The statement's line in the script.
    pub line: usize,
    /// Which way, and why it does not exist.
    pub reason: String,
}

/// Runs all `*.test` files of a folder.
///
/// Errors: the folder or a file cannot be read.
pub fn run_folder(folder: &Path, engine: &mut dyn Engine) -> io::Result<Report> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "test")
        {
            names.push(path);
        }
    }
    names.sort();
    let mut report = Report::default();
    for path in names {
        let mut file = run_script(&fs::read_to_string(&path)?, engine);
        file.file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        report.files.push(file);
    }
    Ok(report)
}

/// Runs one script, of whose data nothing is there at first.
pub fn run_script(text: &str, engine: &mut dyn Engine) -> FileReport {
    script::run(text, engine)
}

#[cfg(test)]
mod tests;
