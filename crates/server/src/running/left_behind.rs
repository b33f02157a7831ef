//! The file of the queries that are evaluated, for after a crash: `queries.active` in the data directory.
//!
//! 1. It has a slot of fixed size for each of so many queries. A query that begins is written into a free one in one
//!    piece, and when it ends the slot's first byte is cleared. Nothing is synced: what was written survives the death of the
//!    process, and costs no more than a copy into the page cache.
//! 2. At the next start whatever still stands there is logged, and the file is written anew.
//!
//! A slot is: 1 for "taken", the length of its text (2 bytes, little-endian), the CRC-32 of the text (4 bytes), the text. The
//! text is kind, start in milliseconds since 1970, and expression, with a space between.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use model::Timestamp;

use super::QueryKind;

/// Its name; the format is in `docs/formats/queries.md`.
const NAME: &str = "queries.active";

/// The first slot holds no query but says what the file is.
const MAGIC: &[u8] = b"campanile queries 1\n";

const SLOT_BYTES: usize = 1024;

/// Queries that stand in the file at once; further ones run without. By default 20 run, and 2 groups of rules.
const SLOTS: usize = 64;

const HEADER_BYTES: usize = 7;
const TAKEN: u8 = 1;

/// The open file.
pub(super) struct SlotFile {
    file: File,
    free: Mutex<Vec<usize>>,
}

/// A place in the file.
#[derive(Debug)]
pub(super) struct Slot(usize);

/// A query that ran when the program ended.
#[derive(Debug, PartialEq, Eq)]
struct LeftBehind {
    kind: QueryKind,
    started: Timestamp,
    expression: String,
}

impl SlotFile {
    /// Logs what was left behind and empties the file; none if it cannot be written.
    pub(super) fn open(directory: &Path) -> Option<Self> {
        let path = directory.join(NAME);
        for query in read(&path) {
            tracing::warn!(
                expression = query.expression,
                kind = query.kind.as_str(),
                started = %wire::time::format_rfc3339(query.started),
                "this query was running when the program ended"
            );
        }
        match create(&path) {
            Ok(file) => Some(Self {
                file,
                free: Mutex::new((1..=SLOTS).rev().collect()),
            }),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "queries that run are not written down: after a crash nobody will know them");
                None
            }
        }
    }

    /// Writes a query down; none if there is no free slot.
    pub(super) fn put(
        &self,
        kind: QueryKind,
        started: Timestamp,
        expression: &str,
    ) -> Option<Slot> {
        let slot = self.free().pop()?;
        let text = format!("{} {} {expression}", kind.as_str(), started.as_millis());
        let text = &text.as_bytes()[..text.len().min(SLOT_BYTES - HEADER_BYTES)];
        let mut bytes = Vec::with_capacity(HEADER_BYTES + text.len());
        bytes.push(TAKEN);
        bytes.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(checksum(text).to_le_bytes());
        bytes.extend(text);
        // What cannot be written is missing after a crash, and nothing else.
        let _ = self.file.write_all_at(&bytes, offset(slot));
        Some(Slot(slot))
    }

    /// Forgets it.
    pub(super) fn clear(&self, Slot(slot): Slot) {
        let _ = self.file.write_all_at(&[0], offset(slot));
        self.free().push(slot);
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn offset(slot: usize) -> u64 {
    (slot * SLOT_BYTES) as u64
}

/// What stands in the file; what is no slot is passed over.
fn read(path: &Path) -> Vec<LeftBehind> {
    let whole = ((SLOTS + 1) * SLOT_BYTES) as u64;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(whole).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "which queries ran when the program ended cannot be read");
            return Vec::new();
        }
    }
    if !bytes.starts_with(MAGIC) {
        return Vec::new();
    }
    let slots = bytes.chunks(SLOT_BYTES).skip(1);
    slots.filter_map(parse).collect()
}

fn parse(slot: &[u8]) -> Option<LeftBehind> {
    let (&[taken, a, b, c, d, e, f], rest) = slot.split_first_chunk::<HEADER_BYTES>()?;
    let text = rest.get(..usize::from(u16::from_le_bytes([a, b])))?;
    if taken != TAKEN || checksum(text) != u32::from_le_bytes([c, d, e, f]) {
        return None;
    }
    // The last letter may be cut.
    let text = String::from_utf8_lossy(text);
    let mut words = text.splitn(3, ' ');
    let kind = words.next()?;
    Some(LeftBehind {
        kind: QueryKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)?,
        started: Timestamp::from_millis(words.next()?.parse().ok()?),
        expression: words.next()?.to_owned(),
    })
}

/// A file of free slots, in the place of what was there.
fn create(path: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    // Slots come with their first query: few run at once as a rule.
    file.write_all_at(MAGIC, 0)?;
    Ok(file)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::tempdir;

    use super::*;

    fn left(directory: &Path) -> Vec<String> {
        let left = read(&directory.join(NAME)).into_iter();
        left.map(|query| format!("{} {}", query.kind.as_str(), query.expression))
            .collect()
    }

    #[test]
    fn what_has_begun_and_not_ended_is_known_after_the_program() {
        let directory = tempdir().unwrap();
        let file = SlotFile::open(directory.path()).unwrap();
        let started = Timestamp::from_millis(1_760_000_000_123);
        let ended = file.put(QueryKind::Range, started, "sum(up)").unwrap();
        file.put(QueryKind::Rule, started, "a  +\u{e4} b").unwrap();
        file.clear(ended);
        file.put(QueryKind::Instant, started, "up").unwrap();
        assert_eq!(left(directory.path()), ["instant up", "rule a  +\u{e4} b"]);
        let found = read(&directory.path().join(NAME));
        assert_eq!(found[0].started, started);
        // The next start empties it.
        SlotFile::open(directory.path()).unwrap();
        assert_eq!(left(directory.path()), [""; 0]);
    }

    #[test]
    fn no_more_stand_in_it_than_it_has_slots_and_long_ones_are_cut() {
        let directory = tempdir().unwrap();
        let file = SlotFile::open(directory.path()).unwrap();
        let long = "\u{e4}".repeat(5000);
        let now = Timestamp::from_millis(0);
        let put = (0..100).filter_map(|_| file.put(QueryKind::Live, now, &long));
        assert_eq!(put.count(), SLOTS);
        let left = left(directory.path());
        assert_eq!(left.len(), SLOTS);
        assert!(
            left.iter()
                .all(|text| text.starts_with("live \u{e4}\u{e4}"))
        );
        let length = fs::metadata(directory.path().join(NAME)).unwrap().len();
        assert_eq!(length, ((SLOTS + 1) * SLOT_BYTES) as u64);
    }

    #[test]
    fn it_is_no_longer_than_what_ran_at_once() {
        let directory = tempdir().unwrap();
        let file = SlotFile::open(directory.path()).unwrap();
        for _ in 0..100 {
            let one = file.put(QueryKind::Instant, Timestamp::from_millis(0), "up");
            file.clear(one.unwrap());
        }
        let length = fs::metadata(directory.path().join(NAME)).unwrap().len();
        assert!(length < 2 * SLOT_BYTES as u64, "{length} bytes");
    }

    #[test]
    fn where_it_cannot_be_written_there_is_none() {
        let directory = tempdir().unwrap();
        fs::create_dir(directory.path().join(NAME)).unwrap();
        assert!(SlotFile::open(directory.path()).is_none());
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_file_can_be_opened(
            bytes: Vec<u8>,
            magic: bool,
            flipped in proptest::option::of((0..3000_usize, 0..8_u32)),
        ) {
            let directory = tempdir().unwrap();
            let path = directory.path().join(NAME);
            if magic {
                let file = SlotFile::open(directory.path()).unwrap();
                file.put(QueryKind::Rule, Timestamp::from_millis(1), "up").unwrap();
                let mut whole = fs::read(&path).unwrap();
                whole.resize((SLOTS + 1) * SLOT_BYTES, 0);
                whole.splice(2048..2048 + bytes.len().min(1024), bytes.iter().copied().take(1024));
                if let Some((at, bit)) = flipped {
                    whole[at] ^= 1 << bit;
                }
                fs::write(&path, &whole).unwrap();
                let read = read(&path);
                prop_assert!(read.len() <= 1);
                prop_assert!(read.iter().all(|query| query.expression == "up"));
            } else {
                fs::write(&path, &bytes).unwrap();
            }
            prop_assert!(SlotFile::open(directory.path()).is_some());
            prop_assert!(read(&path).is_empty());
        }
    }
}
