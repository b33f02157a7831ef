//! Sizes in bytes: `512MiB`, `1GB`, `4096`; all units are powers of 1024, as in Prometheus.

use std::fmt;

/// Units from large to small; `KB` and `KiB` are the same.
const UNITS: [(&str, u32); 7] = [
    ("EiB", 60),
    ("PiB", 50),
    ("TiB", 40),
    ("GiB", 30),
    ("MiB", 20),
    ("KiB", 10),
    ("B", 0),
];

/// Why a text is no size, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSize(
    /// The reason, to be put behind the text.
    pub &'static str,
);

/// Reads a whole number of bytes with an optional unit: `0`, `64KiB`, `64KB`, `1 GiB`.
pub fn parse_size(text: &str) -> Result<u64, InvalidSize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(InvalidSize(
            "write a whole number and a unit, for example 512MiB",
        ));
    }
    let unit = unit.trim();
    let shift = if unit.is_empty() {
        0
    } else {
        let short = |name: &str| name.replace('i', "");
        UNITS
            .iter()
            .find(|(name, _)| unit.eq_ignore_ascii_case(name) || unit.eq_ignore_ascii_case(&short(name)))
            .map(|(_, shift)| *shift)
            .ok_or(InvalidSize(
                "its unit is unknown, the units are B, KiB, MiB, GiB, TiB (a number before them is whole)",
            ))?
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or(InvalidSize("it is larger than 16EiB"))
}

/// Shows a size as [`parse_size`] reads it, in the largest unit that divides it.
pub fn show_size(bytes: u64) -> impl fmt::Display {
    fmt::from_fn(move |formatter| {
        for (unit, shift) in UNITS {
            if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) && shift > 0 {
                return write!(formatter, "{}{unit}", bytes >> shift);
            }
        }
        write!(formatter, "{bytes}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        for (text, bytes, shown) in [
            ("0", 0, "0"),
            ("4096", 4096, "4KiB"),
            ("64KiB", 65536, "64KiB"),
            ("64kb", 65536, "64KiB"),
            ("1 GB", 1 << 30, "1GiB"),
            ("100B", 100, "100"),
            ("15EiB", 15 << 60, "15EiB"),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
            assert_eq!(show_size(bytes).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for (text, reason) in [
            ("", "whole number"),
            ("-1", "whole number"),
            ("1.5GiB", "unknown"),
            ("5 apples", "unknown"),
            ("16EiB", "larger"),
            ("99999999999999999999", "larger"),
        ] {
            let InvalidSize(found) = parse_size(text).unwrap_err();
            assert!(found.contains(reason), "{text}: {found}");
        }
    }
}
