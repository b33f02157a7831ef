//! `campanile storage`: what the files of a store are, what is in them, whether they are sound; and their repair.
//!
//! Looking works beside a running server, mending does not: the store's lock says so.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use model::Disk;
use serde_json::json;
use tsdb::{Depth, FileKind, FileReport, OsDisk, Progress};

use crate::cli::{ExamineArgs, StorageCommand};
use crate::config::Environment;
use crate::notifications::data_directory;

/// Carries out a command; what is to be printed, and whether all is well.
pub(crate) fn run(
    command: &StorageCommand,
    environment: &Environment,
) -> anyhow::Result<(String, bool)> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    match command {
        StorageCommand::Verify(arguments) => {
            let reports = examine(&disk, arguments, Depth::Full, environment)?;
            let text = match arguments.json {
                true => as_json(&reports),
                false => verified(&reports),
            };
            Ok((text, reports.iter().all(FileReport::is_sound)))
        }
        StorageCommand::Inspect(arguments) => {
            let reports = examine(&disk, arguments, Depth::Overview, environment)?;
            let text = match arguments.json {
                true => as_json(&reports),
                false => inspected(&reports),
            };
            Ok((text, true))
        }
        StorageCommand::Repair { paths, place } => {
            let directory = data_directory(place, environment)?;
            repair(&disk, &directory, paths)
        }
    }
}

fn examine(
    disk: &Arc<dyn Disk>,
    arguments: &ExamineArgs,
    depth: Depth,
    environment: &Environment,
) -> anyhow::Result<Vec<FileReport>> {
    let mut line = Line::new();
    if arguments.paths.is_empty() {
        let directory = data_directory(&arguments.place, environment)?;
        return store(disk, &directory, depth, &mut line);
    }
    let mut reports = Vec::new();
    for path in &arguments.paths {
        if path.is_dir() {
            reports.extend(store(disk, path, depth, &mut line)?);
        } else {
            let report = tsdb::examine_file(disk, path, depth);
            reports.push(report.with_context(|| path.display().to_string())?);
        }
    }
    Ok(reports)
}

fn store(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    depth: Depth,
    line: &mut Line,
) -> anyhow::Result<Vec<FileReport>> {
    let reports = tsdb::examine(disk, directory, depth, &mut |progress| line.show(progress));
    line.clear();
    reports.with_context(|| directory.display().to_string())
}

fn repair(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    paths: &[PathBuf],
) -> anyhow::Result<(String, bool)> {
    // A file may be named from anywhere; the store knows it below its directory.
    let mut only = Vec::new();
    let root = fs::canonicalize(directory).with_context(|| directory.display().to_string())?;
    for path in paths {
        let full = fs::canonicalize(path).with_context(|| path.display().to_string())?;
        let inside = full.strip_prefix(&root);
        let inside = inside.with_context(|| {
            let (path, directory) = (path.display(), directory.display());
            format!("{path} is not in {directory}: name its store with --data-dir")
        })?;
        only.push(directory.join(inside));
    }
    let mut line = Line::new();
    let steps = tsdb::repair(disk, directory, &only, &mut |progress| line.show(progress));
    line.clear();
    let steps = steps?;
    let mut text = String::new();
    for step in &steps {
        writeln!(text, "{}: {}", step.path.display(), step.action)?;
    }
    if steps.is_empty() {
        text.push_str("nothing needs to be mended\n");
    }
    Ok((text, steps.iter().all(|step| step.is_mended)))
}

/// One line for each file, those that are wrong with it below, and a sum.
fn verified(reports: &[FileReport]) -> String {
    let mut text = String::new();
    for report in reports {
        let state = match report.kind {
            FileKind::Unknown => "not read".to_owned(),
            FileKind::SetAside | FileKind::Unfinished => {
                "not part of the store any more".to_owned()
            }
            _ if report.is_sound() => "sound".to_owned(),
            _ => "BROKEN".to_owned(),
        };
        push(&mut text, &format!("{}: {state}", heading(report)));
        for problem in &report.problems {
            push(&mut text, &format!("    {problem}"));
        }
    }
    push(&mut text, &sum(reports));
    text
}

/// Each file with all that is in it.
fn inspected(reports: &[FileReport]) -> String {
    let mut text = String::new();
    for report in reports {
        push(&mut text, &heading(report));
        let widths = report.details.iter().map(|(name, _)| name.chars().count());
        let width = widths.max().unwrap_or(0);
        for (name, value) in &report.details {
            push(&mut text, &format!("    {name:<width$}  {value}"));
        }
        for problem in &report.problems {
            push(&mut text, &format!("    broken: {problem}"));
        }
    }
    push(&mut text, &sum(reports));
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn heading(report: &FileReport) -> String {
    let path = report.path.display();
    let kind = report.kind.as_str();
    let version = report.version.map(|version| format!(", version {version}"));
    let version = version.unwrap_or_default();
    format!("{path}: {kind}{version}, {}", size(report.bytes))
}

fn sum(reports: &[FileReport]) -> String {
    let bytes = reports.iter().map(|report| report.bytes).sum();
    let broken = reports.iter().filter(|report| !report.is_sound()).count();
    let files = match reports.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let state = match broken {
        0 => "none is broken".to_owned(),
        1 => "1 is broken".to_owned(),
        count => format!("{count} are broken"),
    };
    format!("{files}, {}: {state}", size(bytes))
}

/// A size for people.
fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB"].into_iter();
    for unit in &mut units {
        if amount < 1024.0 {
            return match unit {
                "B" => format!("{bytes} B"),
                _ => format!("{amount:.1} {unit}"),
            };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} TiB")
}

fn as_json(reports: &[FileReport]) -> String {
    let report = |report: &FileReport| {
        let details = report.details.iter();
        let details = details.map(|(name, value)| (name.clone(), json!(value)));
        json!({
            "path": report.path.display().to_string(),
            "kind": report.kind.as_str(),
            "version": report.version,
            "bytes": report.bytes,
            "sound": report.is_sound(),
            "details": serde_json::Value::from_iter(details),
            "problems": report.problems,
        })
    };
    let list = serde_json::Value::from_iter(reports.iter().map(report));
    format!("{list}\n")
}

/// The line on a terminal that tells how far it is; elsewhere there is none.
struct Line {
    is_shown: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, progress: Progress<'_>) {
        let Progress { path, done, files } = progress;
        self.write(&format!(
            "\r\x1b[Kreading {} of {files}: {}",
            done + 1,
            path.display()
        ));
    }

    fn clear(&mut self) {
        self.write("\r\x1b[K");
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            // Without it nothing is missing.
            let mut terminal = io::stderr().lock();
            let _ = terminal.write_all(text.as_bytes());
            let _ = terminal.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_for_people() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
