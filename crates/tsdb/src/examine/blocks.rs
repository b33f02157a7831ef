//! A block: its footer tells what is in it; with all its pages read it is known to be sound.

use std::io;
use std::sync::Arc;

use model::date::format_rfc3339;
use model::{Disk, Timestamp};

use super::{Cure, Depth, FileReport, Problems};
use crate::block::{Block, PageCache, VERSION};
use crate::shared::block_number;

/// Memory for pages of a block that is read once from its beginning to its end.
pub(super) const CACHE_BYTES: usize = 4 << 20;

/// Reads what a block says of itself, and all the rest if that is wanted.
pub(super) fn read(disk: &Arc<dyn Disk>, depth: Depth, report: &mut FileReport) -> io::Result<()> {
    let cache = Arc::new(PageCache::new(CACHE_BYTES));
    let block = match Block::open(&**disk, &report.path, cache) {
        Ok(block) => block,
        Err(error) => {
            // A server that runs may have removed it.
            disk.length(&report.path)?;
            report.version = error.version();
            if report.version.is_none() {
                report.cure = Some(Cure::Salvage);
            }
            report.problems.push(error.within());
            return Ok(());
        }
    };
    let meta = block.meta();
    let header = &meta.header;
    report.version = Some(VERSION);
    report.detail("number", header.number);
    report.detail(
        "generations",
        match (header.first_generation, header.last_generation) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first} to {last}"),
        },
    );
    report.detail("level", header.level);
    let created = Timestamp::from_millis(header.created);
    report.detail("written", format_rfc3339(created));
    report.detail("series", meta.series);
    report.detail("samples", meta.samples);
    report.range((meta.first <= meta.last).then_some((meta.first, meta.last)));
    for (section, bytes) in block.section_bytes() {
        report.detail(&format!("bytes of {section}"), bytes);
    }
    if !header.replaces.is_empty() {
        let numbers: Vec<_> = header.replaces.iter().map(u64::to_string).collect();
        report.detail("made of", numbers.join(", "));
    }
    let mut problems = Problems::default();
    if block_number(report.name()) != Some(header.number) {
        problems.add(format!("it says that it is block {}", header.number));
    }
    if depth == Depth::Full {
        let prefix = format!("{}: ", report.path.display());
        block.verify(&mut |problem| {
            let problem = problem.strip_prefix(&prefix).unwrap_or(&problem);
            problems.add(problem.to_owned());
        });
    }
    report.problems = problems.into_lines();
    if !report.is_sound() {
        report.cure = Some(Cure::Salvage);
    }
    Ok(())
}
