//! From when to when a certificate is good (X.509, RFC 5280, in DER): the only part of it that rustls does not judge for
//! us, since the server's own certificate is judged by its clients.

use std::time::Duration;

use model::Timestamp;
use model::date::{days_from_date, format_rfc3339};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `version [0]`, which may be missing.
const VERSION: u8 = 0xA0;

/// The time of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Validity {
    /// Reads the dates of a certificate; none if the bytes are not one.
    pub(super) fn parse(certificate: &[u8]) -> Option<Self> {
        let mut rest = certificate;
        let mut signed = expect(&mut rest, SEQUENCE)?;
        let mut fields = expect(&mut signed, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            next(&mut fields)?;
        }
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            next(&mut fields)?;
        }
        let mut dates = expect(&mut fields, SEQUENCE)?;
        Some(Self {
            not_before: moment(next(&mut dates)?)?,
            not_after: moment(next(&mut dates)?)?,
        })
    }

    /// Why no client believes it now; none if they may.
    pub(super) fn trouble_at(&self, now: Timestamp) -> Option<String> {
        if now > self.not_after {
            let end = format_rfc3339(self.not_after);
            return Some(format!("the certificate has expired at {end}"));
        }
        if now < self.not_before {
            let begin = format_rfc3339(self.not_before);
            return Some(format!("the certificate is not good before {begin}"));
        }
        None
    }
}

/// The tag and the contents of the next value.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7F))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        rest = after;
        length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit));
    }
    let (contents, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((tag, contents))
}

fn expect<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, contents) = next(bytes)?;
    (found == tag).then_some(contents)
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn moment((tag, text): (u8, &[u8])) -> Option<Timestamp> {
    let text = text.strip_suffix(b"Z")?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let pairs: Vec<i64> = text
        .chunks(2)
        .map(|pair| {
            pair.iter()
                .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
        })
        .collect();
    let (year, month, day, hours, minutes, seconds) = match (tag, pairs.as_slice()) {
        (UTC_TIME, &[year, a, b, c, d, e]) => (
            if year < 50 { 2000 + year } else { 1900 + year },
            a,
            b,
            c,
            d,
            e,
        ),
        (GENERALIZED_TIME, &[century, year, a, b, c, d, e]) => {
            (century * 100 + year, a, b, c, d, e)
        }
        _ => return None,
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_from_date(year, month, day);
    let seconds = days * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    Some(Timestamp::from_millis(0) + since)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_dates_are_those_that_it_was_made_with() {
        for (year, text) in [
            (2031, "2031-05-06T00:00:00Z"),
            (2051, "2051-05-06T00:00:00Z"),
        ] {
            let mut made = CertificateParams::new(["a.example.org".to_owned()]).unwrap();
            made.not_before = date_time_ymd(1999, 12, 31);
            made.not_after = date_time_ymd(year, 5, 6);
            let certificate = made.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let validity = Validity::parse(certificate.der()).unwrap();
            let end = format_rfc3339(validity.not_after).to_string();
            assert_eq!(end.replace(".000Z", "Z"), text);
            let begin = Timestamp::from_millis(946_598_400_000);
            assert_eq!(validity.not_before, begin);
            assert_eq!(validity.trouble_at(begin), None);
            assert!(validity.trouble_at(Timestamp::from_millis(0)).is_some());
            assert!(validity.trouble_at(Timestamp::MAX).is_some());
        }
    }

    proptest! {
        #[test]
        fn nothing_in_the_bytes_makes_it_panic(bytes: Vec<u8>, tag: u8) {
            let _ = Validity::parse(&bytes);
            let _ = moment((tag, &bytes));
        }
    }
}
