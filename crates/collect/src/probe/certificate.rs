//! What is told of a certificate: names, number, the end of its time, its fingerprint (X.509, RFC 5280, in DER).
//!
//! Whether to believe it is rustls' business; here the few fields are read that dashboards and alerts on expiry need, as Go
//! and so blackbox_exporter writes them. The bytes are anybody's: what cannot be read is none.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `version [0]` and `extensions [3]` of a certificate.
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
/// `dNSName [2]` of a general name.
const DNS_NAME: u8 = 0x82;
/// 2.5.29.17
const SUBJECT_ALTERNATIVE: [u8; 3] = [0x55, 0x1D, 0x11];

/// Go writes these in this order, backwards, whatever the order in the certificate: the last part of 2.5.4.x and its name.
const ATTRIBUTES: [(u8, &str); 9] = [
    (5, "SERIALNUMBER"),
    (3, "CN"),
    (17, "POSTALCODE"),
    (9, "STREET"),
    (8, "ST"),
    (7, "L"),
    (11, "OU"),
    (10, "O"),
    (6, "C"),
];

/// Some fields of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// SHA-256 of the whole, in hex.
    pub(crate) fingerprint: [u8; 32],
    /// In seconds since 1970.
    pub(crate) not_after: i64,
    /// Both as they stand there, to be compared.
    pub(crate) subject_der: Vec<u8>,
    pub(crate) issuer_der: Vec<u8>,
    serial: Vec<u8>,
    dns_names: Vec<String>,
}

impl Certificate {
    /// Reads a certificate; none if the bytes are not one.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut outer = Reader(bytes);
        let mut certificate = Reader(outer.expect(SEQUENCE)?);
        let mut fields = Reader(certificate.expect(SEQUENCE)?);
        fields.skip_if(VERSION)?;
        let serial = fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?; // algorithm
        let issuer = fields.expect(SEQUENCE)?;
        let mut validity = Reader(fields.expect(SEQUENCE)?);
        validity.next()?;
        let (kind, time) = validity.next()?;
        let not_after = parse_time(kind, time)?;
        let subject = fields.expect(SEQUENCE)?;
        let mut dns_names = Vec::new();
        while let Some((tag, contents)) = fields.next() {
            if tag == EXTENSIONS {
                dns_names = alternative_names(contents).unwrap_or_default();
            }
        }
        let fingerprint = digest(&SHA256, bytes);
        Some(Self {
            fingerprint: fingerprint.as_ref().try_into().ok()?,
            not_after,
            subject_der: subject.to_vec(),
            issuer_der: issuer.to_vec(),
            serial: serial
                .iter()
                .copied()
                .skip_while(|byte| *byte == 0)
                .collect(),
            dns_names,
        })
    }

    /// The labels under which it is told.
    pub(crate) fn labels(&self) -> [(&'static str, String); 5] {
        [
            ("fingerprint_sha256", hex(&self.fingerprint)),
            ("issuer", name_text(&self.issuer_der)),
            ("serialnumber", hex(&self.serial)),
            ("subject", name_text(&self.subject_der)),
            ("subjectalternative", self.dns_names.join(",")),
        ]
    }
}

/// The DNS names of the extension that holds them.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut list = Reader(Reader(extensions).expect(SEQUENCE)?);
    while let Some((SEQUENCE, extension)) = list.next() {
        let mut extension = Reader(extension);
        if extension.expect(OBJECT)? != SUBJECT_ALTERNATIVE {
            continue;
        }
        let mut value = extension.next()?;
        if value.0 != OCTETS {
            // "critical" stands before it
            value = extension.next()?;
        }
        let mut names = Reader(Reader(value.1).expect(SEQUENCE)?);
        let mut found = Vec::new();
        while let Some((tag, name)) = names.next() {
            if tag == DNS_NAME {
                found.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        return Some(found);
    }
    None
}

/// `CN=shop.example.org,O=Example`, as Go writes a name (RFC 2253): known attributes in Go's order, others before them by
/// their number.
fn name_text(name: &[u8]) -> String {
    let mut known: [Vec<String>; ATTRIBUTES.len()] = Default::default();
    let mut others = Vec::new();
    let mut sets = Reader(name);
    while let Some((SET, set)) = sets.next() {
        let mut attributes = Reader(set);
        while let Some((SEQUENCE, attribute)) = attributes.next() {
            let mut attribute = Reader(attribute);
            let Some(object) = attribute.expect(OBJECT) else {
                continue;
            };
            let whole = attribute.0;
            let Some((tag, value)) = attribute.next() else {
                continue;
            };
            let place = match object {
                [0x55, 0x04, last] => ATTRIBUTES.iter().position(|(known, _)| known == last),
                _ => None,
            };
            match place {
                Some(place) => known[place].push(escape(&text_of(tag, value))),
                None => others.push(format!("{}=#{}", object_text(object), hex(whole))),
            }
        }
    }
    let known = ATTRIBUTES
        .iter()
        .zip(&known)
        .filter(|(_, values)| !values.is_empty());
    let known = known.map(|((_, name), values)| {
        let values: Vec<String> = values
            .iter()
            .map(|value| format!("{name}={value}"))
            .collect();
        values.join("+")
    });
    let parts: Vec<String> = known.chain(others.into_iter().rev()).collect();
    parts.join(",")
}

/// Of the kinds of text only one has two bytes for a character.
fn text_of(tag: u8, value: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1E;
    if tag == BMP_STRING {
        let units: Vec<u16> = value
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        return String::from_utf16_lossy(&units);
    }
    String::from_utf8_lossy(value).into_owned()
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let is_special = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            '#' => index == 0,
            ' ' => index == 0 || index == last,
            _ => false,
        };
        if is_special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn object_text(object: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number: u64 = 0;
    for byte in object {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let Some((first, rest)) = numbers.split_first() else {
        return String::new();
    };
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for number in rest {
        // A string takes everything.
        let _ = write!(text, ".{number}");
    }
    text
}

/// Seconds since 1970 of `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn parse_time(kind: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let number = |text: &str| -> Option<i64> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let field = |at: usize| number(rest.get(at..at + 2)?);
    let (month, day) = (field(0)?, field(2)?);
    let (hours, minutes, seconds) = (field(4)?, field(6)?, field(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = model::date::days_from_date(year, month, day);
    Some(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Walks over the values of DER.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The tag and the contents of the next value.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7F))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            rest = after;
            bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next value if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, contents) = self.next()?;
        (found == tag).then_some(contents)
    }

    /// Passes over the next value if it has this tag.
    fn skip_if(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.next()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
