//! How a log's file begins, and how records stand in it.
//!
//! Header and payload have checksums of their own. Behind a broken payload the next record is where the header says;
//! behind a broken header it is the next place at which a header is whole. The header's checksum covers the file's
//! number and the record's offset too, so that bytes which once were a record elsewhere are none here.

/// Bytes of a file before its first record.
pub(crate) const FILE_HEADER: usize = 24;

/// Bytes of a record before its payload.
pub(crate) const RECORD_HEADER: usize = 16;

/// The largest payload in bytes; a longer one is taken for a broken header.
pub(crate) const PAYLOAD_MAX: usize = 16 << 20;

/// The version of the format that is written.
pub(crate) const VERSION: u32 = 2;

/// A record with definitions of series.
pub(crate) const DEFINITIONS: u8 = 1;
/// A record with samples and attachments.
pub(crate) const SAMPLES: u8 = 2;
/// A record with type, help and unit of metrics.
pub(crate) const DESCRIPTIONS: u8 = 3;

const MAGIC: [u8; 8] = *b"campwal\n";

/// No UTF-8 text contains these two bytes, so no label can look like a record.
pub(crate) const MARKER: [u8; 2] = [0xca, 0x4d];

/// What the head of a file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileHeader {
    /// It is whole and of this version.
    Current,
    /// It is whole and was written by another version.
    OtherVersion(u32),
    /// It is not whole, or that of another file.
    Broken,
}

/// The first bytes of the file `number`.
pub(crate) fn file_header(number: u64) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads the first bytes of the file `number`.
pub(crate) fn parse_file_header(number: u64, file: &[u8]) -> FileHeader {
    let Some(header) = file.first_chunk::<FILE_HEADER>() else {
        return FileHeader::Broken;
    };
    let whole = header[..8] == MAGIC && crc32fast::hash(&header[..20]) == read_u32(header, 20);
    match read_u32(header, 8) {
        _ if !whole => FileHeader::Broken,
        VERSION if *header == file_header(number) => FileHeader::Current,
        VERSION => FileHeader::Broken,
        other => FileHeader::OtherVersion(other),
    }
}

/// Writes the header of a record, whose payload stands behind room for it; the record will stand at `offset` in the
/// file `number`.
pub(crate) fn seal(record: &mut [u8], kind: u8, number: u64, offset: u64) {
    let (header, payload) = record.split_at_mut(RECORD_HEADER);
    debug_assert!(payload.len() <= PAYLOAD_MAX);
    header[..2].copy_from_slice(&MARKER);
    header[2] = kind;
    header[3] = 0;
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..12].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let checksum = header_checksum(number, offset, &header[..12]);
    header[12..].copy_from_slice(&checksum.to_le_bytes());
}

/// What the header of a record says.
#[derive(Clone, Copy)]
pub(crate) struct RecordHeader {
    pub(crate) kind: u8,
    /// Of the payload.
    pub(crate) length: usize,
    pub(crate) checksum: u32,
}

/// Reads the header of the record at `offset` in the file `number`; none if it is not whole.
pub(crate) fn parse_record_header(number: u64, offset: u64, bytes: &[u8]) -> Option<RecordHeader> {
    let header = bytes.first_chunk::<RECORD_HEADER>()?;
    let length = read_u32(header, 4) as usize;
    let whole = header[..2] == MARKER
        && length <= PAYLOAD_MAX
        && read_u32(header, 12) == header_checksum(number, offset, &header[..12]);
    whole.then(|| RecordHeader {
        kind: header[2],
        length,
        checksum: read_u32(header, 8),
    })
}

fn header_checksum(number: u64, offset: u64, fields: &[u8]) -> u32 {
    let mut place = [0; 28];
    place[..8].copy_from_slice(&number.to_le_bytes());
    place[8..16].copy_from_slice(&offset.to_le_bytes());
    place[16..].copy_from_slice(fields);
    crc32fast::hash(&place)
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}
