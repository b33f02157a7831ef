//! Writes anew what can be read of a broken block or log, in the place of the broken file.
//!
//! 1. What can be read is written beside it under a temporary name, and made durable.
//! 2. The broken file gets a second name in the quarantine.
//! 3. What was saved gets the name of the file. It has the same number and the same generations, so everything else in
//!    the store stands to it as before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Disk, DiskFile, Labels, Metadata};

use super::blocks::CACHE_BYTES;
use super::quarantine::{Quarantine, sync_parent};
use crate::block::{Block, BlockHeader, BlockProblem, BlockWriter, PageCache, SeriesView};
use crate::codec::Effort;
use crate::error::Error;
use crate::files::{BROKEN_SUFFIX, disk_error};
use crate::log::{
    self, LogContents, LogEncoder, Pairs, ReplayError, ReplayReport, Run, file_header, file_name,
    replay,
};
use crate::shared::block_name;

/// Encoded records are written when they are as long as this.
const PENDING_MAX: usize = 4 << 20;

/// What was done with a file, and whether all is well now.
type Outcome = (String, bool);

/// Saves what can be saved of a block or a log, which may have been set aside.
pub(super) fn salvage(
    disk: &Arc<dyn Disk>,
    quarantine: &Quarantine,
    path: &Path,
) -> Result<Outcome, Error> {
    let name = super::name(path);
    let former = name.strip_suffix(BROKEN_SUFFIX).unwrap_or(name);
    match log::parse_file_name(former) {
        Some(number) => salvage_log(disk, quarantine, path, number),
        None => salvage_block(disk, quarantine, path),
    }
}

fn salvage_block(
    disk: &Arc<dyn Disk>,
    quarantine: &Quarantine,
    path: &Path,
) -> Result<Outcome, Error> {
    let cache = Arc::new(PageCache::new(CACHE_BYTES));
    // What is wrong with a file that is no block at all is said better by who wants all of one.
    let opened = Block::open(&**disk, path, Arc::clone(&cache));
    let opened =
        opened.or_else(|error| Block::open_remains(&**disk, path, cache).map_err(|_| error));
    let block = match opened {
        Ok(block) => block,
        Err(error) => match &error.problem {
            BlockProblem::Version(_) => return Ok((format!("left as it is: {error}"), false)),
            BlockProblem::Disk(reason) => {
                return Ok((format!("left as it is: it cannot be read: {reason}"), false));
            }
            BlockProblem::Damaged(_) => {
                let aside = quarantine.take(path)?;
                let (why, aside) = (error.within(), aside.display());
                let action =
                    format!("moved to {aside}, since none of its samples can be found: {why}");
                return Ok((action, true));
            }
        },
    };
    let number = block.meta().header.number;
    let target = path.with_file_name(block_name(number));
    if target != path && exists(disk, &target)? {
        let aside = quarantine.take(path)?;
        let aside = aside.display();
        return Ok((
            format!("moved to {aside}, since there is another block {number}"),
            true,
        ));
    }
    let mut saved = SavedBlock::new(disk, &target, &block);
    saved.copy(&block)?;
    let SavedBlock {
        writer,
        samples,
        attachments,
        first_error,
        ..
    } = saved;
    let lost = block.meta().samples.saturating_sub(samples);
    let why = first_error.map_or(String::new(), |error| format!(" ({error})"));
    let Some(writer) = writer else {
        let aside = quarantine.take(path)?;
        return Ok((
            format!(
                "moved to {}: none of its {lost} samples could be saved{why}",
                aside.display()
            ),
            true,
        ));
    };
    let aside = quarantine.keep(path)?;
    writer.finish().map_err(disk_error("write", &target))?;
    remove_former(disk, path, &target)?;
    let attached = match attachments {
        0 => String::new(),
        count => format!(" and {count} attachments"),
    };
    Ok((
        format!(
            "written anew as {} with {samples} samples{attached}, {lost} samples are lost{why}; the broken file is {}",
            super::name(&target),
            aside.display()
        ),
        true,
    ))
}

/// A block that takes what can be read of another.
struct SavedBlock<'a> {
    disk: &'a Arc<dyn Disk>,
    path: &'a Path,
    header: BlockHeader,
    writer: Option<BlockWriter>,
    previous: Option<Labels>,
    samples: u64,
    attachments: u64,
    first_error: Option<String>,
}

impl<'a> SavedBlock<'a> {
    fn new(disk: &'a Arc<dyn Disk>, path: &'a Path, block: &Block) -> Self {
        let header = BlockHeader {
            // What it replaced is more than what is left of it.
            replaces: Vec::new(),
            ..block.meta().header.clone()
        };
        Self {
            disk,
            path,
            header,
            writer: None,
            previous: None,
            samples: 0,
            attachments: 0,
            first_error: None,
        }
    }

    /// Errors: the disk refuses to write.
    fn copy(&mut self, block: &Block) -> Result<(), Error> {
        let mut scan = block.scan();
        loop {
            match scan.next() {
                Ok(Some(series)) => self.add(&series).map_err(disk_error("write", self.path))?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.first_error.get_or_insert_with(|| error.within());
                }
            }
        }
    }

    fn add(&mut self, series: &SeriesView<'_>) -> io::Result<()> {
        let data = series.data();
        let labels = Labels::from_packed(series.labels.as_bytes()).ok();
        let labels =
            labels.filter(|labels| self.previous.as_ref().is_none_or(|last| last < labels));
        let rises = data.timestamps.is_sorted_by(|left, right| left < right);
        let (Some(labels), true) = (labels, rises) else {
            let what = format!("series {} makes no sense", series.ordinal);
            self.first_error.get_or_insert(what);
            return Ok(());
        };
        if data.timestamps.is_empty() && data.attachments.is_empty() {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(BlockWriter::create(
                self.disk,
                self.path,
                self.header.clone(),
                Effort::Thorough,
            )?),
        };
        writer.series(series.labels, &data)?;
        self.samples += data.timestamps.len() as u64;
        self.attachments += data.attachments.len() as u64;
        self.previous = Some(labels);
        Ok(())
    }
}

fn salvage_log(
    disk: &Arc<dyn Disk>,
    quarantine: &Quarantine,
    path: &Path,
    number: u64,
) -> Result<Outcome, Error> {
    let target = path.with_file_name(file_name(number));
    let is_aside = target != path;
    if is_aside && exists(disk, &target)? {
        let aside = quarantine.take(path)?;
        let aside = aside.display();
        return Ok((
            format!("moved to {aside}, since there is another log {number}"),
            true,
        ));
    }
    let mut copy = SavedLog::new(disk, &target, number)?;
    let report = match replay(&**disk, path, number, &mut copy) {
        Ok(report) => report,
        Err(error @ (ReplayError::Version { .. } | ReplayError::Disk { .. })) => {
            copy.discard();
            return Ok((format!("left as it is: {error}"), false));
        }
    };
    if is_aside && report.broken.count > 0 {
        // Putting it back would only bring back what was deleted since.
        copy.discard();
        let aside = quarantine.take(path)?;
        let aside = aside.display();
        return Ok((
            format!(
                "moved to {aside}; what is whole in it went into blocks before it was set aside"
            ),
            true,
        ));
    }
    if report.samples + report.attachments + report.descriptions == 0 {
        copy.discard();
        let aside = quarantine.take(path)?;
        let (aside, lost) = (aside.display(), lost(&report));
        return Ok((
            format!("moved to {aside}: nothing could be saved, {lost}"),
            true,
        ));
    }
    let temporary = copy.finish()?;
    let aside = quarantine.keep(path)?;
    disk.rename(&temporary, &target)
        .map_err(disk_error("rename", &temporary))?;
    sync_parent(&**disk, &target)?;
    remove_former(disk, path, &target)?;
    let attached = match report.attachments {
        0 => String::new(),
        count => format!(" and {count} attachments"),
    };
    Ok((
        format!(
            "written anew as {} with {} samples{attached}, {}; the broken file is {}",
            super::name(&target),
            report.samples,
            lost(&report),
            aside.display()
        ),
        true,
    ))
}

/// What could not be read of a log, as far as it tells.
fn lost(report: &ReplayReport) -> String {
    let samples = report.samples_undefined + report.samples_untrusted;
    let bytes = report.broken.bytes + report.torn_bytes;
    format!(
        "{samples} samples that need lost records and what stood in {bytes} broken bytes are lost"
    )
}

/// A log that takes what can be read of another.
struct SavedLog<'a> {
    disk: &'a Arc<dyn Disk>,
    temporary: PathBuf,
    file: Box<dyn DiskFile>,
    encoder: LogEncoder,
    /// By the reference in the broken log: that in this one, and what was logged last in which epoch.
    series: Vec<Option<SavedSeries>>,
    failure: Option<io::Error>,
}

#[derive(Clone, Copy)]
struct SavedSeries {
    reference: u32,
    epoch: u32,
    bits: u64,
}

impl<'a> SavedLog<'a> {
    fn new(disk: &'a Arc<dyn Disk>, target: &Path, number: u64) -> Result<Self, Error> {
        let mut temporary = target.as_os_str().to_owned();
        temporary.push(super::UNFINISHED);
        let temporary = PathBuf::from(temporary);
        let begin = || {
            match disk.remove(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = disk.open_append(&temporary)?;
            file.append(&file_header(number))?;
            Ok(file)
        };
        let file = begin().map_err(disk_error("write", &temporary))?;
        Ok(Self {
            disk,
            temporary,
            file,
            encoder: LogEncoder::new(number),
            series: Vec::new(),
            failure: None,
        })
    }

    fn write(&mut self) {
        if self.failure.is_some() {
            return;
        }
        let bytes = self.encoder.finish();
        let written = self.file.append(bytes);
        bytes.clear();
        self.failure = written.err();
    }

    fn write_if_much(&mut self) {
        if self.encoder.pending_bytes() >= PENDING_MAX {
            self.write();
        }
    }

    /// Makes it durable under its temporary name.
    fn finish(mut self) -> Result<PathBuf, Error> {
        self.write();
        let synced = match self.failure.take() {
            Some(error) => Err(error),
            None => self.file.sync(),
        };
        if let Err(error) = synced {
            let temporary = self.temporary.clone();
            self.discard();
            return Err(disk_error("write", &temporary)(error));
        }
        Ok(self.temporary)
    }

    fn discard(self) {
        // Whoever repairs next removes it otherwise.
        let _ = self.disk.remove(&self.temporary);
    }
}

impl LogContents for SavedLog<'_> {
    fn define(&mut self, reference: u32, labels: Pairs<'_>) {
        let at = reference as usize;
        if self.series.len() <= at {
            self.series.resize(at + 1, None);
        }
        // What was in a log fits into one.
        let defined = self.encoder.define(labels).ok();
        self.series[at] = defined.map(|reference| SavedSeries {
            reference,
            epoch: 0,
            bits: 0,
        });
        self.write_if_much();
    }

    fn samples(&mut self, run: Run<'_>) {
        let epoch = self.encoder.epoch();
        for (reference, bits) in (run.reference..).zip(run.bits) {
            let Some(Some(series)) = self.series.get_mut(reference as usize) else {
                continue;
            };
            let previous = match series.epoch == epoch {
                true => series.bits,
                false => 0,
            };
            self.encoder
                .sample(series.reference, run.timestamp, *bits, previous);
            (series.epoch, series.bits) = (epoch, *bits);
        }
        self.write_if_much();
    }

    fn attachment(&mut self, reference: u32, kind: u8, timestamp: i64, bytes: &[u8]) {
        if let Some(Some(series)) = self.series.get(reference as usize) {
            // As above.
            let _ = self
                .encoder
                .attachment(series.reference, kind, timestamp, bytes);
        }
        self.write_if_much();
    }

    fn describe(&mut self, name: &str, metadata: Metadata) {
        // As above.
        let _ = self.encoder.describe(name, &metadata);
        self.write_if_much();
    }
}

fn exists(disk: &Arc<dyn Disk>, path: &Path) -> Result<bool, Error> {
    match disk.length(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(disk_error("look at", path)(error)),
    }
}

/// Takes away the name of a file that has come back under another.
fn remove_former(disk: &Arc<dyn Disk>, path: &Path, target: &Path) -> Result<(), Error> {
    if path == target {
        return Ok(());
    }
    disk.remove(path).map_err(disk_error("remove", path))?;
    sync_parent(&**disk, path)
}
