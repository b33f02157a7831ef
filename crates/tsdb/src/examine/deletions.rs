//! The list of what was deleted.

use std::io;
use std::sync::Arc;

use model::{Disk, Matcher};

use super::{Cure, Depth, FileReport};
use crate::tombstones::{self, Tombstone, Unreadable};

/// How many deletions are told one by one.
const NAMED_MAX: usize = 20;

/// Reads all of it: it is short.
pub(super) fn read(disk: &Arc<dyn Disk>, _: Depth, report: &mut FileReport) -> io::Result<()> {
    let bytes = disk.read(&report.path)?;
    report.bytes = bytes.len() as u64;
    match tombstones::parse(&bytes) {
        Ok(all) => {
            report.version = Some(tombstones::VERSION);
            report.detail("deletions", all.len());
            for (index, tombstone) in all.iter().take(NAMED_MAX).enumerate() {
                report.detail(&format!("deletion {}", index + 1), shown(tombstone));
            }
        }
        Err(Unreadable::Version(version)) => {
            report.version = Some(version);
            report.problems.push(format!(
                "has format version {version}, this program reads version {}: use the program that wrote it",
                tombstones::VERSION
            ));
        }
        Err(Unreadable::Broken) => {
            let problem = "is damaged: it is not known what was deleted and is still in the blocks";
            report.problems.push(problem.to_owned());
            report.cure = Some(Cure::SetAside);
        }
    }
    Ok(())
}

fn shown(tombstone: &Tombstone) -> String {
    let selector = |matchers: &Vec<Matcher>| {
        let matchers: Vec<_> = matchers.iter().map(Matcher::to_string).collect();
        format!("{{{}}}", matchers.join(","))
    };
    let selectors: Vec<_> = tombstone.selectors.iter().map(selector).collect();
    format!(
        "{} from {} to {}, in blocks before number {}",
        selectors.join(" or "),
        tombstone.start,
        tombstone.end,
        tombstone.before_block
    )
}
