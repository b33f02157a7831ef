//! Mends what is broken, and loses nothing by it: what is moved, replaced or cut off lies in `quarantine/` afterwards.
//!
//! Each step leaves a store that can be opened, and a repair that is interrupted is simply begun again: the broken file is
//! kept under its second name before its first one is given to what was saved of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Disk;

use super::quarantine::{Quarantine, sync_parent};
use super::{Cure, Depth, FileKind, FileReport, Progress, examine, formerly, salvage};
use crate::error::Error;
use crate::files::disk_error;
use crate::store::LOCK_FILE;

/// What was done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairStep {
    /// The file.
    pub path: PathBuf,
    /// What was done, for people.
    pub action: String,
    /// Whether nothing is wrong with it, or in its place, any more.
    pub is_mended: bool,
}

/// Examines the store in `directory` and mends what can be mended: of all files, or of those in `only` if it names any.
///
/// Errors: a server has the store open, there is none, or the disk refuses. What was done before an error stays done.
pub fn repair(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    only: &[PathBuf],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<RepairStep>, Error> {
    // Before the lock, whose file is created where there is none.
    super::files(disk, directory).map_err(disk_error("examine", directory))?;
    let lock_path = directory.join(LOCK_FILE);
    let _lock = match disk.lock(&lock_path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(Error::Locked { path: lock_path });
        }
        Err(error) => return Err(disk_error("lock", &lock_path)(error)),
    };
    let mut reports = examine(disk, directory, Depth::Full, progress)
        .map_err(disk_error("examine", directory))?;
    reports.retain(|report| only.is_empty() || only.contains(&report.path));
    let quarantine = Quarantine::new(disk, directory);
    let mut steps = Vec::new();
    for report in &reports {
        steps.extend(mend(disk, &quarantine, report)?);
    }
    Ok(steps)
}

fn mend(
    disk: &Arc<dyn Disk>,
    quarantine: &Quarantine,
    report: &FileReport,
) -> Result<Option<RepairStep>, Error> {
    let path = &report.path;
    let (action, is_mended) = match report.cure {
        None if report.is_sound() => return Ok(None),
        None => ("left as it is".to_owned(), false),
        Some(Cure::SetAside) => {
            let aside = quarantine.take(path)?;
            let action = format!("moved to {}{}", aside.display(), consequence(report));
            (action, true)
        }
        Some(Cure::Salvage) => salvage::salvage(disk, quarantine, path)?,
        Some(Cure::Cut(at)) => {
            let aside = quarantine.keep_tail(path, at)?;
            disk.truncate(path, at).map_err(disk_error("cut", path))?;
            let length = report.bytes - at;
            let aside = aside.display();
            (
                format!("cut behind its last whole record; the {length} bytes are in {aside}"),
                true,
            )
        }
        Some(Cure::Remove) => {
            match disk.remove(path) {
                // What was saved of another file took its name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(disk_error("remove", path))?,
            }
            sync_parent(&**disk, path)?;
            ("removed: it was never finished".to_owned(), true)
        }
    };
    Ok(Some(RepairStep {
        path: path.clone(),
        action,
        is_mended,
    }))
}

/// What it means that a file is gone.
fn consequence(report: &FileReport) -> &'static str {
    match (report.kind, formerly(&report.path)) {
        (FileKind::Tombstones, _) | (_, Some(FileKind::Tombstones)) => {
            "; deleted samples that were still in blocks are back: delete them again"
        }
        _ => "",
    }
}
