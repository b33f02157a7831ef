//! A file of the log: its records are read as opening a store does.

use std::io;
use std::path::Path;
use std::sync::Arc;

use model::Disk;

use super::{Cure, FileReport, Problems};
use crate::log::{self, ReplayError, inspect_log, parse_file_name};

/// Reads all of a log.
pub(super) fn read(disk: &Arc<dyn Disk>, report: &mut FileReport) -> io::Result<()> {
    let Some(number) = parse_file_name(report.name()) else {
        return Ok(());
    };
    let file = disk.read(&report.path)?;
    report.bytes = file.len() as u64;
    let found = match inspect_log(number, &file) {
        Ok(found) => found,
        Err(ReplayError::Version { version, .. }) => {
            report.version = Some(version);
            report.problems.push(format!(
                "has format version {version}, this program reads version {}: use the program that wrote it",
                log::VERSION
            ));
            return Ok(());
        }
        Err(ReplayError::Disk { source, .. }) => return Err(source),
    };
    let is_newest = is_newest(disk, &report.path, number)?;
    let is_begun = found.bytes <= log::FILE_HEADER as u64;
    if is_newest && is_begun && found.records == 0 && found.end == 0 {
        report.detail("torn end", "it was just begun");
        report.cure = Some(Cure::Remove);
        return Ok(());
    }
    if found.records == 0 && found.end == 0 {
        let name = report.name().to_owned();
        report
            .problems
            .push(format!("is no log, or not the one that {name} should be"));
        report.cure = Some(Cure::SetAside);
        return Ok(());
    }
    report.version = Some(log::VERSION);
    report.detail("records", found.records);
    report.detail("samples", found.samples);
    report.detail("series", found.definitions);
    report.range(found.time);
    for (name, count) in [
        ("attachments", found.attachments),
        ("descriptions of metrics", found.descriptions),
        ("records of later types", found.records_unknown),
    ] {
        if count > 0 {
            report.detail(name, count);
        }
    }
    if found.torn_bytes > 0 {
        let end = format!("{} bytes from byte {} on", found.torn_bytes, found.end);
        match is_newest {
            // The end of the newest file is where a running server writes, and where a crash has interrupted one.
            true => report.detail("torn end", end),
            false => report.problems.push(format!("{end} are no records")),
        }
        report.cure = Some(Cure::Cut(found.end));
    }
    let mut problems = Problems::default();
    for place in &found.broken.first {
        problems.add(format!(
            "{} bytes from byte {} on are broken: {}",
            place.length, place.offset, place.reason
        ));
    }
    problems.others += found.broken.count - found.broken.first.len() as u64;
    report.problems.extend(problems.into_lines());
    let lost = found.samples_undefined + found.samples_untrusted;
    if lost > 0 {
        report
            .problems
            .push(format!("{lost} samples need records that are lost"));
    }
    if found.broken.count > 0 || lost > 0 {
        report.cure = Some(Cure::Salvage);
    }
    Ok(())
}

fn is_newest(disk: &Arc<dyn Disk>, path: &Path, number: u64) -> io::Result<bool> {
    let Some(directory) = path.parent() else {
        return Ok(true);
    };
    let names = disk.list(directory)?;
    let newest = names.iter().filter_map(|name| parse_file_name(name)).max();
    Ok(newest.is_none_or(|newest| newest <= number))
}
