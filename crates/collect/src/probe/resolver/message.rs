//! DNS messages (RFC 1035, section 4): a question out, an answer in.
//!
//! An answer is read from anyone who can send us a datagram: every length is checked, and pointers in names only lead back.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

const HEADER_BYTES: usize = 12;
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;
/// A name of 255 bytes has at most 127 labels; more parts mean pointers that lead nowhere.
const NAME_PARTS_MAX: usize = 128;
/// Aliases that are followed, as far as other resolvers do.
const ALIASES_MAX: usize = 16;

/// The family of addresses that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// What a server says of a name; ordered by how much it is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Code {
    NoError,
    NoName,
    /// This server does not serve us.
    Refused,
    Failed,
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoError => "that the name has no address",
            Self::NoName => "that the name does not exist",
            Self::Refused => "a refusal",
            Self::Failed => "that the servers of its domain fail (SERVFAIL)",
        })
    }
}

/// An answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    /// It did not fit into a datagram.
    pub(super) is_cut: bool,
    pub(super) addresses: Vec<IpAddr>,
    /// For how long all of them hold.
    pub(super) time_to_live: Duration,
}

impl Family {
    fn record_type(self) -> u16 {
        match self {
            Self::V4 => TYPE_A,
            Self::V6 => TYPE_AAAA,
        }
    }
}

/// Whether a text can be asked for: labels of 1 to 63 bytes, not too many of them.
pub(super) fn is_host_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name
            .split('.')
            .all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()))
}

/// The question for the addresses of a name, which [`is_host_name`].
pub(super) fn encode(id: u16, name: &str, family: Family) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER_BYTES + name.len() + 6);
    message.extend(id.to_be_bytes());
    // A query that asks the server to ask others; one question.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(family.record_type().to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message
}

/// The answer to a question of that id, name (in lower case) and family; none if the bytes are no such answer.
pub(super) fn parse(bytes: &[u8], id: u16, name: &str, family: Family) -> Option<Answer> {
    let mut reader = Reader { bytes, at: 0 };
    let (own_id, flags) = (reader.number()?, reader.number()?);
    let (questions, answers) = (reader.number()?, reader.number()?);
    reader.skip(4)?;
    let is_response = flags & 0x8000 != 0;
    if own_id != id || !is_response || questions != 1 {
        return None;
    }
    let question = (reader.name()?, reader.number()?, reader.number()?);
    if question != (name.to_owned(), family.record_type(), CLASS_IN) {
        return None;
    }
    let code = match flags & 0xf {
        0 => Code::NoError,
        3 => Code::NoName,
        2 => Code::Failed,
        _ => Code::Refused,
    };
    let is_cut = flags & 0x0200 != 0;
    let mut records = Vec::new();
    for _ in 0..answers {
        match reader.record() {
            Some(record) => records.push(record),
            None if is_cut => break,
            None => return None,
        }
    }
    let (addresses, seconds) = addresses_of(&records, name, family);
    Some(Answer {
        code,
        is_cut,
        addresses,
        time_to_live: Duration::from_secs(u64::from(seconds)),
    })
}

/// The addresses to which a name leads over its aliases, and the least time to live on the way.
fn addresses_of(records: &[Record<'_>], name: &str, family: Family) -> (Vec<IpAddr>, u32) {
    let mut seconds = u32::MAX;
    let mut owner = name;
    for _ in 0..ALIASES_MAX {
        let alias = records
            .iter()
            .find(|record| record.owner == owner && record.alias.is_some());
        let Some(alias) = alias else { break };
        seconds = seconds.min(alias.seconds);
        owner = alias.alias.as_deref().unwrap_or(owner);
    }
    let mut addresses = Vec::new();
    for record in records.iter().filter(|record| record.owner == owner) {
        let address = match (record.kind == family.record_type(), family) {
            (false, _) => continue,
            (true, Family::V4) => <[u8; 4]>::try_from(record.data).map(IpAddr::from),
            (true, Family::V6) => <[u8; 16]>::try_from(record.data).map(IpAddr::from),
        };
        if let Ok(address) = address {
            seconds = seconds.min(record.seconds);
            addresses.push(address);
        }
    }
    (addresses, seconds)
}

struct Record<'a> {
    owner: String,
    kind: u16,
    seconds: u32,
    data: &'a [u8],
    /// Of an alias, what it stands for.
    alias: Option<String>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let owner = self.name()?;
        let (kind, class) = (self.number()?, self.number()?);
        let seconds = u32::from(self.number()?) << 16 | u32::from(self.number()?);
        let length = usize::from(self.number()?);
        let data_at = self.at;
        let data = self.take(length)?;
        let mut alias = None;
        if kind == TYPE_CNAME && class == CLASS_IN {
            let mut inner = Reader {
                bytes: self.bytes,
                at: data_at,
            };
            alias = Some(inner.name()?);
        }
        // The highest bit means nothing good (RFC 2181, section 8).
        let seconds = if seconds > i32::MAX as u32 {
            0
        } else {
            seconds
        };
        let kind = if class == CLASS_IN { kind } else { 0 };
        Some(Record {
            owner,
            kind,
            seconds,
            data,
            alias,
        })
    }

    /// A name in lower case, without the dot at its end.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut end = None;
        for _ in 0..NAME_PARTS_MAX {
            let length = *self.bytes.get(at)?;
            match length {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    return Some(name);
                }
                1..=63 => {
                    let label = self.bytes.get(at + 1..at + 1 + usize::from(length))?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    let lower = label.iter().map(|byte| byte.to_ascii_lowercase());
                    name.extend(lower.map(char::from));
                    at += 1 + usize::from(length);
                }
                0xC0.. => {
                    let low = *self.bytes.get(at + 1)?;
                    let to = usize::from(length & 0x3F) << 8 | usize::from(low);
                    end = end.or(Some(at + 2));
                    if to >= at {
                        return None;
                    }
                    at = to;
                }
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
