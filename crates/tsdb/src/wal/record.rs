//! How records stand in a segment, and how they are found again when some are broken.
//!
//! Header and payload have checksums of their own. Behind a broken payload the next record is where the header says;
//! behind a broken header it is the next place at which a header is whole. The header's checksum covers the
//! segment's number and the record's offset too, so that bytes which once were a record elsewhere are none here.

/// Bytes of a segment before its first record.
pub(crate) const SEGMENT_HEADER: usize = 24;

/// Bytes of a record before its payload.
pub(crate) const RECORD_HEADER: usize = 16;

/// The largest payload in bytes; a longer one is taken for a broken header.
pub(crate) const PAYLOAD_MAX: usize = 16 << 20;

/// The version of the format that is written.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"campwal\n";

/// No UTF-8 text contains these two bytes, so no label can look like a record.
const MARKER: [u8; 2] = [0xca, 0x4d];

/// What the head of a segment says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SegmentHeader {
    /// It is whole and of this version.
    Current,
    /// It is whole and was written by another version.
    OtherVersion(u32),
    /// It is not whole.
    Broken,
}

/// The first bytes of a segment.
pub(crate) fn segment_header(number: u64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads the first bytes of the segment `number`.
pub(crate) fn parse_segment_header(number: u64, segment: &[u8]) -> SegmentHeader {
    let Some(header) = segment.first_chunk::<SEGMENT_HEADER>() else {
        return SegmentHeader::Broken;
    };
    let whole = header[..8] == MAGIC && crc32fast::hash(&header[..20]) == read_u32(header, 20);
    match read_u32(header, 8) {
        _ if !whole => SegmentHeader::Broken,
        VERSION if *header == segment_header(number) => SegmentHeader::Current,
        VERSION => SegmentHeader::Broken,
        other => SegmentHeader::OtherVersion(other),
    }
}

/// Appends a record to `buffer`, whose first byte will stand at `base` in the segment; `fill` writes the payload.
pub(crate) fn put_record(
    buffer: &mut Vec<u8>,
    number: u64,
    base: u64,
    kind: u8,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; RECORD_HEADER]);
    fill(buffer);
    finish_record(buffer, start, number, base, kind);
}

/// Writes the header of a record that starts at `start`, once its payload stands behind it.
pub(crate) fn finish_record(buffer: &mut [u8], start: usize, number: u64, base: u64, kind: u8) {
    let (header, payload) = buffer[start..].split_at_mut(RECORD_HEADER);
    debug_assert!(payload.len() <= PAYLOAD_MAX);
    header[..2].copy_from_slice(&MARKER);
    header[2] = kind;
    header[3] = 0;
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..12].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let checksum = header_checksum(number, base + start as u64, &header[..12]);
    header[12..].copy_from_slice(&checksum.to_le_bytes());
}

fn header_checksum(number: u64, offset: u64, fields: &[u8]) -> u32 {
    let mut place = [0; 28];
    place[..8].copy_from_slice(&number.to_le_bytes());
    place[8..16].copy_from_slice(&offset.to_le_bytes());
    place[16..].copy_from_slice(fields);
    crc32fast::hash(&place)
}

/// A stretch of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stretch<'a> {
    /// A record whose checksums are right.
    Record {
        offset: usize,
        kind: u8,
        payload: &'a [u8],
    },
    /// Bytes that are no whole record.
    Broken {
        offset: usize,
        length: usize,
        reason: &'static str,
    },
}

/// The stretches of a segment, from its first record to its last byte.
pub(crate) struct Stretches<'a> {
    number: u64,
    segment: &'a [u8],
    position: usize,
}

impl<'a> Stretches<'a> {
    /// Reads `segment`, the whole content of the segment `number`.
    pub(crate) fn new(number: u64, segment: &'a [u8]) -> Self {
        let position = SEGMENT_HEADER.min(segment.len());
        Self {
            number,
            segment,
            position,
        }
    }

    /// The next place from `from` on with a whole header; the segment's end if there is none.
    fn next_header(&self, from: usize) -> usize {
        let mut position = from;
        while let Some(rest) = self.segment.get(position..) {
            let Some(skip) = rest.iter().position(|byte| *byte == MARKER[0]) else {
                break;
            };
            position += skip;
            if parse_header(self.number, self.segment, position).is_some() {
                return position;
            }
            position += 1;
        }
        self.segment.len()
    }

    fn broken(&mut self, end: usize, reason: &'static str) -> Stretch<'a> {
        let offset = std::mem::replace(&mut self.position, end);
        Stretch::Broken {
            offset,
            length: end - offset,
            reason,
        }
    }
}

impl<'a> Iterator for Stretches<'a> {
    type Item = Stretch<'a>;

    fn next(&mut self) -> Option<Stretch<'a>> {
        let offset = self.position;
        if offset == self.segment.len() {
            return None;
        }
        let Some(header) = parse_header(self.number, self.segment, offset) else {
            let end = self.next_header(offset + 1);
            return Some(self.broken(end, "no whole record header"));
        };
        let start = offset + RECORD_HEADER;
        let Some(payload) = self.segment.get(start..start + header.length) else {
            let end = self.next_header(offset + 1);
            return Some(self.broken(end, "record is cut short"));
        };
        if crc32fast::hash(payload) != header.payload_checksum {
            return Some(self.broken(start + header.length, "checksum of the payload is wrong"));
        }
        self.position = start + header.length;
        Some(Stretch::Record {
            offset,
            kind: header.kind,
            payload,
        })
    }
}

struct Header {
    kind: u8,
    length: usize,
    payload_checksum: u32,
}

fn parse_header(number: u64, segment: &[u8], offset: usize) -> Option<Header> {
    let header = segment.get(offset..)?.first_chunk::<RECORD_HEADER>()?;
    let length = read_u32(header, 4) as usize;
    let whole = header[..2] == MARKER
        && length <= PAYLOAD_MAX
        && read_u32(header, 12) == header_checksum(number, offset as u64, &header[..12]);
    whole.then(|| Header {
        kind: header[2],
        length,
        payload_checksum: read_u32(header, 8),
    })
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests;
