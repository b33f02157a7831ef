//! Protobuf's wire format, as far as a walk over a message needs it.
//!
//! A message is a sequence of fields: a tag (field number and wire type) as a varint, then a value whose length
//! follows from the wire type. Faults are told with their offset in the whole message.

pub(crate) mod write;

use crate::remote_write::DecodeError;

pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH_DELIMITED: u8 = 2;
pub(crate) const FIXED32: u8 = 5;

/// The tag of a field as it stands in the message when its number is below 16.
pub(crate) const fn tag(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

/// Reads the fields of one message that lies in `bytes` from `at` to `end`.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Equal to the length of `bytes`, which are cut there; nested messages share the beginning, and so the offsets.
    end: usize,
}

/// A field's number and wire type.
pub(crate) type Tag = (u64, u8);

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self {
            bytes: message,
            at: 0,
            end: message.len(),
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes on at a place where a field starts.
    pub(crate) fn jump(&mut self, position: usize) {
        self.at = position;
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    /// The next byte, if there is one: the tag, if the field's number is below 16.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The bytes of this message from one position to another.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        &self.bytes[start..end]
    }

    pub(crate) fn fault(&self, offset: usize, reason: &'static str) -> DecodeError {
        DecodeError::Protobuf { offset, reason }
    }

    pub(crate) fn tag(&mut self) -> Result<Tag, DecodeError> {
        let start = self.at;
        let tag = self.varint()?;
        let field = tag >> 3;
        if field == 0 || field > 0x1fff_ffff {
            return Err(self.fault(start, "a field's number is out of range"));
        }
        Ok((field, (tag & 7) as u8))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let start = self.at;
        let mut value = 0;
        for (index, byte) in self.bytes[start..].iter().take(10).enumerate() {
            // The tenth byte has room for one bit only.
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.at = start + index + 1;
                return Ok(value);
            }
        }
        let reason = if self.end - start < 10 {
            "the message ends inside a number"
        } else {
            "a number is longer than 64 bits"
        };
        Err(self.fault(start, reason))
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, DecodeError> {
        let Some(bytes) = self.bytes[self.at..].first_chunk::<8>() else {
            return Err(self.fault(self.at, "the message ends inside a number of 8 bytes"));
        };
        self.at += 8;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// The bytes of a string or nested message.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let (start, end) = self.span()?;
        Ok(&self.bytes[start..end])
    }

    /// A nested message.
    #[inline]
    pub(crate) fn message(&mut self) -> Result<Fields<'a>, DecodeError> {
        let (start, end) = self.span()?;
        Ok(Fields {
            bytes: &self.bytes[..end],
            at: start,
            end,
        })
    }

    #[inline]
    fn span(&mut self) -> Result<(usize, usize), DecodeError> {
        let length_at = self.at;
        let length = self.varint()?;
        let start = self.at;
        if length > (self.end - start) as u64 {
            return Err(self.fault(length_at, "a length reaches beyond the end"));
        }
        self.at = start + length as usize;
        Ok((start, self.at))
    }

    /// Passes a field's value.
    pub(crate) fn skip(&mut self, wire_type: u8) -> Result<(), DecodeError> {
        match wire_type {
            VARINT => self.varint().map(|_| ()),
            FIXED64 => self.fixed64().map(|_| ()),
            LENGTH_DELIMITED => self.span().map(|_| ()),
            FIXED32 if self.end - self.at >= 4 => {
                self.at += 4;
                Ok(())
            }
            FIXED32 => Err(self.fault(self.at, "the message ends inside a number of 4 bytes")),
            _ => Err(self.fault(self.at, "groups and unknown wire types are not allowed")),
        }
    }
}
