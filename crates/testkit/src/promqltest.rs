//! Runs scripts in Prometheus' test language against our PromQL engine.
//!
//! A script loads series and states what expressions give. Each instant statement is evaluated at its moment, once
//! more as the middle step of a range query, and once more at other moments with its own moment pinned by `@`.

mod compare;
mod points;
mod script;
mod statement;

use std::fs;
use std::io;
use std::path::Path;

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
    /// The statements that did not.
    pub failures: Vec<Failure>,
}

/// A statement that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its line in the script.
    pub line: usize,
    /// The line itself.
    pub statement: String,
    /// What came instead.
    pub reason: String,
    /// Whether native histograms are involved, which the engine does not know yet.
    pub native_histograms: bool,
}

/// Runs all `*.test` files of a folder.
///
/// Errors: the folder or a file cannot be read.
pub fn run_folder(folder: &Path) -> io::Result<Report> {
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
        let mut file = run_script(&fs::read_to_string(&path)?);
        file.file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        report.files.push(file);
    }
    Ok(report)
}

/// Runs one script.
pub fn run_script(text: &str) -> FileReport {
    script::run(text)
}

#[cfg(test)]
mod tests;
