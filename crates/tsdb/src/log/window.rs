//! Walks over the records of a file, with a part of it in memory.

use std::io;

use model::DiskRead;

use super::record::{
    FILE_HEADER, MARKER, PAYLOAD_MAX, RECORD_HEADER, RecordHeader, parse_record_header,
};

/// How much is read at once; a longer record is read as a whole.
const WINDOW: usize = 1 << 20;

/// A file, of which a part is in memory.
pub(crate) struct Window<'a> {
    file: &'a dyn DiskRead,
    length: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a dyn DiskRead, length: u64) -> Self {
        Self {
            file,
            length,
            start: 0,
            buffer: Vec::new(),
        }
    }

    /// The bytes from `offset` on: at least `count`, or all up to the end of the file.
    pub(crate) fn at(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let left = self.length.saturating_sub(offset);
        let count = left.min(count as u64) as usize;
        let skip = offset.checked_sub(self.start).unwrap_or(u64::MAX);
        let inside = skip
            .checked_add(count as u64)
            .is_some_and(|end| end <= self.buffer.len() as u64);
        if inside {
            return Ok(&self.buffer[skip as usize..]);
        }
        let size = left.min(count.max(WINDOW) as u64) as usize;
        self.buffer.resize(size, 0);
        self.start = offset;
        let read = self.file.read_at(offset, &mut self.buffer);
        if read.is_err() {
            self.buffer.clear();
        }
        read?;
        Ok(&self.buffer)
    }
}

/// A stretch of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// A record whose checksums are right; its payload is behind the header.
    Record {
        offset: u64,
        kind: u8,
        length: usize,
    },
    /// Bytes that are no whole record.
    Broken {
        offset: u64,
        length: u64,
        reason: &'static str,
    },
}

/// The stretches of a file, from its first record to its last byte.
pub(crate) struct Stretches<'a> {
    number: u64,
    window: Window<'a>,
    position: u64,
}

impl<'a> Stretches<'a> {
    /// Reads the file `number`.
    pub(crate) fn new(number: u64, window: Window<'a>) -> Self {
        let position = window.length.min(FILE_HEADER as u64);
        Self {
            number,
            window,
            position,
        }
    }

    /// The next stretch; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Stretch>> {
        let offset = self.position;
        if offset >= self.window.length {
            return Ok(None);
        }
        let Some(header) = self.header(offset)? else {
            return self.broken_to_next_header("no whole record header");
        };
        let end = offset + (RECORD_HEADER + header.length) as u64;
        if end > self.window.length {
            return self.broken_to_next_header("record is cut short");
        }
        self.position = end;
        if crc32fast::hash(self.payload(offset, header.length)?) != header.checksum {
            return Ok(Some(Stretch::Broken {
                offset,
                length: end - offset,
                reason: "checksum of the payload is wrong",
            }));
        }
        Ok(Some(Stretch::Record {
            offset,
            kind: header.kind,
            length: header.length,
        }))
    }

    /// The payload of the record at `offset`, of `length` bytes.
    pub(crate) fn payload(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        debug_assert!(length <= PAYLOAD_MAX);
        let whole = RECORD_HEADER + length;
        let bytes = self.window.at(offset, whole)?.get(RECORD_HEADER..whole);
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn header(&mut self, offset: u64) -> io::Result<Option<RecordHeader>> {
        let bytes = self.window.at(offset, RECORD_HEADER)?;
        Ok(parse_record_header(self.number, offset, bytes))
    }

    fn broken_to_next_header(&mut self, reason: &'static str) -> io::Result<Option<Stretch>> {
        let offset = self.position;
        self.position = self.next_header(offset + 1)?;
        Ok(Some(Stretch::Broken {
            offset,
            length: self.position - offset,
            reason,
        }))
    }

    /// The next place from `position` on with a whole header; the end of the file if there is none.
    fn next_header(&mut self, mut position: u64) -> io::Result<u64> {
        while position < self.window.length {
            let bytes = self.window.at(position, RECORD_HEADER)?;
            let Some(skip) = bytes.iter().position(|byte| *byte == MARKER[0]) else {
                position += bytes.len() as u64;
                continue;
            };
            position += skip as u64;
            if self.header(position)?.is_some() {
                return Ok(position);
            }
            position += 1;
        }
        Ok(self.window.length)
    }
}
