//! Deletions that are not yet carried out in the files.
//!
//! A deletion concerns what was written before it: every block below a number. Readers leave out what it
//! covers, compaction takes it out of the files, and when no block is left that it covers, it is forgotten. The file is
//! written anew with each change: `docs/formats/tombstones.md`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Disk, Labels, MatchKind, Matcher};

use crate::coding::{Cursor, put_signed, put_varint};

/// The file's name in the directory of the blocks.
pub(crate) const FILE: &str = "tombstones";

/// The version of the format.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"camptomb";

/// Each is looked up in each block that it may concern with each query.
pub(crate) const TOMBSTONES_MAX: usize = 1000;

/// Series and a time of which the samples are deleted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tombstone {
    /// A series is deleted that fulfils all matchers of any of these.
    pub(crate) selectors: Vec<Vec<Matcher>>,
    /// The first timestamp.
    pub(crate) start: i64,
    /// The last timestamp.
    pub(crate) end: i64,
    /// Blocks from this number on are younger than the deletion, or had it carried out.
    pub(crate) before_block: u64,
}

impl Tombstone {
    /// Whether it concerns the series with these labels.
    pub(crate) fn selects(&self, labels: &Labels) -> bool {
        let all = |matchers: &Vec<Matcher>| matchers.iter().all(|it| it.matches_labels(labels));
        self.selectors.iter().any(all)
    }
}

/// What is wrong with the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A newer program wrote it.
    Version(u32),
    /// It is damaged.
    Broken,
}

/// Writes the file anew, or removes it if there are none; when it returns the change is durable.
pub(crate) fn store(
    disk: &dyn Disk,
    directory: &Path,
    tombstones: &[Arc<Tombstone>],
) -> io::Result<()> {
    let path = directory.join(FILE);
    if tombstones.is_empty() {
        match disk.remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        return disk.sync_directory(directory);
    }
    let temporary = PathBuf::from(format!("{}.tmp", path.display()));
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.open_append(&temporary)?;
    file.append(&encode(tombstones))?;
    file.sync()?;
    disk.rename(&temporary, &path)?;
    disk.sync_directory(directory)
}

/// Reads the file; without one there are none.
pub(crate) fn load(
    disk: &dyn Disk,
    directory: &Path,
) -> io::Result<Result<Vec<Arc<Tombstone>>, Unreadable>> {
    match disk.read(&directory.join(FILE)) {
        Ok(bytes) => Ok(parse(&bytes).map(|all| all.into_iter().map(Arc::new).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ok(Vec::new())),
        Err(error) => Err(error),
    }
}

fn encode(tombstones: &[Arc<Tombstone>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    put_varint(&mut bytes, tombstones.len() as u64);
    for tombstone in tombstones {
        put_varint(&mut bytes, tombstone.before_block);
        put_signed(&mut bytes, tombstone.start);
        put_signed(&mut bytes, tombstone.end);
        put_varint(&mut bytes, tombstone.selectors.len() as u64);
        for matchers in &tombstone.selectors {
            put_varint(&mut bytes, matchers.len() as u64);
            for matcher in matchers {
                bytes.push(match matcher.kind() {
                    MatchKind::Equal => 0,
                    MatchKind::NotEqual => 1,
                    MatchKind::Regex => 2,
                    MatchKind::NotRegex => 3,
                });
                for text in [matcher.name(), matcher.value()] {
                    put_varint(&mut bytes, text.len() as u64);
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads what the file says. Any bytes may be given.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Tombstone>, Unreadable> {
    let (content, checksum) = bytes.split_last_chunk::<4>().ok_or(Unreadable::Broken)?;
    let body = content.strip_prefix(&MAGIC).ok_or(Unreadable::Broken)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return Err(Unreadable::Broken);
    }
    let (version, body) = body.split_first_chunk::<4>().ok_or(Unreadable::Broken)?;
    match u32::from_le_bytes(*version) {
        VERSION => parse_body(body).ok_or(Unreadable::Broken),
        other => Err(Unreadable::Version(other)),
    }
}

/// Reads bytes as the file of the deletions; how many there are, none if it is not such a file. For whoever looks for
/// bytes that cannot be withstood.
pub fn inspect_tombstones(bytes: &[u8]) -> Option<usize> {
    parse(bytes).ok().map(|all| all.len())
}

fn parse_body(body: &[u8]) -> Option<Vec<Tombstone>> {
    let mut cursor = Cursor::new(body);
    let mut tombstones = Vec::new();
    for _ in 0..cursor.varint()? {
        let before_block = cursor.varint()?;
        let (start, end) = (cursor.signed()?, cursor.signed()?);
        let mut selectors = Vec::new();
        for _ in 0..cursor.varint()? {
            let mut matchers = Vec::new();
            for _ in 0..cursor.varint()? {
                let kind = match cursor.byte()? {
                    0 => MatchKind::Equal,
                    1 => MatchKind::NotEqual,
                    2 => MatchKind::Regex,
                    3 => MatchKind::NotRegex,
                    _ => return None,
                };
                let name = std::str::from_utf8(cursor.prefixed()?).ok()?;
                let value = std::str::from_utf8(cursor.prefixed()?).ok()?;
                matchers.push(Matcher::new(kind, name, value).ok()?);
            }
            // A selector without conditions would delete everything.
            if matchers.is_empty() {
                return None;
            }
            selectors.push(matchers);
        }
        tombstones.push(Tombstone {
            selectors,
            start,
            end,
            before_block,
        });
    }
    cursor.is_empty().then_some(tombstones)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> Vec<Arc<Tombstone>> {
        let regex = Matcher::new(MatchKind::NotRegex, "job", "a|b").unwrap();
        let one = Tombstone {
            selectors: vec![vec![Matcher::equal("__name__", "up"), regex]],
            start: i64::MIN,
            end: 5,
            before_block: 3,
        };
        let other = Tombstone {
            start: -7,
            ..one.clone()
        };
        vec![Arc::new(one), Arc::new(other)]
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let disk = testkit::SimulatedDisk::new(1);
        let directory = Path::new("/blocks");
        disk.create_directory(directory).unwrap();
        assert_eq!(load(&disk, directory).unwrap(), Ok(Vec::new()));
        for tombstones in [some(), some()[..1].to_vec(), Vec::new(), Vec::new(), some()] {
            store(&disk, directory, &tombstones).unwrap();
            disk.lose_power();
            assert_eq!(load(&disk, directory).unwrap(), Ok(tombstones));
        }
        disk.flip_bit(&directory.join(FILE), 300);
        assert_eq!(load(&disk, directory).unwrap(), Err(Unreadable::Broken));
    }

    #[test]
    fn a_later_version_is_told_apart_from_damage() {
        let mut bytes = encode(&some());
        bytes.truncate(bytes.len() - 4);
        bytes[8] = 9;
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        assert_eq!(parse(&bytes), Err(Unreadable::Version(9)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_panic(noise: Vec<u8>) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend_from_slice(&VERSION.to_le_bytes());
            bytes.extend(noise);
            let checksum = crc32fast::hash(&bytes);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            let parsed = parse(&bytes).map_or(0, |all| all.len());
            prop_assert!(parsed <= bytes.len());
        }
    }
}
