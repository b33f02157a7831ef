//! The identity of a series: label names and values, packed into one string.
//!
//! Each name and each value stands behind one `char` whose code point is the length in bytes of what
//! follows: `Labels` is valid UTF-8 as a whole, takes one allocation, one more byte for each short string, and
//! compares for equality and hashes as one run of bytes. Names are sorted and distinct; values are never empty.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use thiserror::Error;

use crate::quoted;

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";

/// The longest name or value in bytes.
const LENGTH_MAX: usize = 1_000_000;

/// Surrogates are no characters, so lengths from here on are moved past them.
const SURROGATES_START: usize = 0xD800;
const SURROGATES: usize = 0x800;

/// A sorted set of labels; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

/// Why a set of labels is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidLabels {
    /// Two labels have one name.
    #[error("label {0:?} is given twice")]
    Duplicate(String),
    /// A name or value is longer than a megabyte.
    #[error("label {name:?} is {length} bytes long, at most {LENGTH_MAX} are allowed")]
    TooLong {
        /// The label's name, cut.
        name: String,
        /// The length of the name or of the value, whichever is too long.
        length: usize,
    },
    /// Any other fault, in words.
    #[error("{0}")]
    Malformed(String),
}

impl Labels {
    /// The empty set.
    pub fn empty() -> Self {
        Self(Arc::from(""))
    }

    /// The set of the given pairs, in any order; those with an empty value are left out.
    ///
    /// Errors: a name that occurs twice, a name or value that is too long.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvalidLabels> {
        pack(pairs.into_iter().collect())
    }

    /// The value of a label; none if it is absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        for (candidate, value) in self.iter() {
            match candidate.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return Some(value),
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// The value of `__name__`, or "" if there is none.
    pub fn metric_name(&self) -> &str {
        self.get(NAME).unwrap_or("")
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        Pairs { rest: &self.0 }
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The packed form, equal exactly for equal sets; [`Labels::from_packed`] reads it back.
    pub fn as_packed(&self) -> &str {
        &self.0
    }

    /// Reads the packed form.
    ///
    /// Errors: bytes that [`Labels::as_packed`] cannot have written.
    pub fn from_packed(packed: &[u8]) -> Result<Self, InvalidLabels> {
        let malformed = |what: &str| InvalidLabels::Malformed(format!("packed labels {what}"));
        let text = std::str::from_utf8(packed).map_err(|_| malformed("are not UTF-8"))?;
        let mut rest = text;
        let mut previous: Option<&str> = None;
        while !rest.is_empty() {
            let (name, after_name) = split_packed(rest).ok_or_else(|| malformed("end early"))?;
            let (value, after) = split_packed(after_name).ok_or_else(|| malformed("end early"))?;
            if previous.is_some_and(|previous| previous >= name) || value.is_empty() {
                return Err(malformed("are not sorted or hold an empty value"));
            }
            previous = Some(name);
            rest = after;
        }
        Ok(Self(Arc::from(text)))
    }

    /// Adds a label to a packed form that is being built; names must rise and values must not be empty, else
    /// [`Labels::from_packed`] refuses the result.
    ///
    /// Panics if the name or value is longer than a megabyte.
    pub fn pack_next(packed: &mut String, name: &str, value: &str) {
        push_packed(packed, name);
        push_packed(packed, value);
    }

    /// The set without the labels for which `keep` is false.
    pub fn filtered(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        let mut packed = String::with_capacity(self.0.len());
        for (name, value) in self.iter() {
            if keep(name) {
                push_packed(&mut packed, name);
                push_packed(&mut packed, value);
            }
        }
        Self(Arc::from(packed))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl Ord for Labels {
    /// By the first label that differs: its name, then its value; a prefix comes first. As Prometheus orders.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As PromQL writes a series: `name{a="b"}`; a name that is no plain identifier stands quoted in the braces.
impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric_name = self.metric_name();
        let plain = is_plain_metric_name(metric_name);
        if plain {
            formatter.write_str(metric_name)?;
        }
        let mut first = true;
        let mut separate = |formatter: &mut fmt::Formatter<'_>| {
            let separator = if std::mem::take(&mut first) { '{' } else { ',' };
            formatter.write_char(separator)
        };
        if !plain && !metric_name.is_empty() {
            separate(formatter)?;
            write!(formatter, "{}", quoted(metric_name))?;
        }
        for (name, value) in self.iter().filter(|(name, _)| *name != NAME) {
            separate(formatter)?;
            if is_plain_label_name(name) {
                formatter.write_str(name)?;
            } else {
                write!(formatter, "{}", quoted(name))?;
            }
            formatter.write_char('=')?;
            write!(formatter, "{}", quoted(value))?;
        }
        match (first, metric_name.is_empty()) {
            (false, _) => formatter.write_char('}'),
            (true, true) => formatter.write_str("{}"),
            (true, false) => Ok(()),
        }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Collects labels in any order; a name set twice with [`LabelsBuilder::set`] has its last value.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Without labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `__name__`.
    pub fn with_name(metric_name: &str) -> Self {
        let mut builder = Self::new();
        builder.push(NAME, metric_name);
        builder
    }

    /// With the labels of a set, to be changed.
    pub fn from_labels(labels: &Labels) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            pairs: labels.iter().map(own).collect(),
        }
    }

    /// Adds a label; [`LabelsBuilder::build`] refuses a name that was added twice.
    pub fn push(&mut self, name: &str, value: &str) {
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    /// Sets a label, replacing what had that name; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(present, _)| present != name);
        self.push(name, value);
    }

    /// The value that a label has now.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(present, _)| present == name)
            .map(|(_, value)| value.as_str())
    }

    /// The finished set.
    ///
    /// Errors: a name that was pushed twice, a name or value that is too long.
    pub fn build(self) -> Result<Labels, InvalidLabels> {
        pack(self.pairs)
    }
}

/// Sorts and packs pairs, owned or borrowed.
fn pack<N: AsRef<str>, V: AsRef<str>>(mut pairs: Vec<(N, V)>) -> Result<Labels, InvalidLabels> {
    pairs.sort_by(|left, right| left.0.as_ref().cmp(right.0.as_ref()));
    // Each length takes a byte or two.
    let size = |(name, value): &(N, V)| name.as_ref().len() + value.as_ref().len() + 3;
    let mut packed = String::with_capacity(pairs.iter().map(size).sum());
    let mut previous = None;
    for (name, value) in &pairs {
        let (name, value) = (name.as_ref(), value.as_ref());
        if previous.replace(name) == Some(name) {
            return Err(InvalidLabels::Duplicate(name.to_owned()));
        }
        let length = name.len().max(value.len());
        if length > LENGTH_MAX {
            let name = name.chars().take(64).collect();
            return Err(InvalidLabels::TooLong { name, length });
        }
        if !value.is_empty() {
            push_packed(&mut packed, name);
            push_packed(&mut packed, value);
        }
    }
    Ok(Labels(Arc::from(packed)))
}

/// Names and values of labels in the packed form of [`Labels::as_packed`]; ends early where the text is none.
pub fn packed_pairs(packed: &str) -> impl Iterator<Item = (&str, &str)> + Clone {
    Pairs { rest: packed }
}

#[derive(Clone)]
struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = split_packed(self.rest)?;
        let (value, rest) = split_packed(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

fn push_packed(packed: &mut String, text: &str) {
    let length = text.len();
    let code = if length < SURROGATES_START {
        length
    } else {
        length + SURROGATES
    };
    let code = u32::try_from(code).ok().and_then(char::from_u32);
    packed.push(code.expect("invariant: a label is at most LENGTH_MAX bytes long"));
    packed.push_str(text);
}

fn split_packed(packed: &str) -> Option<(&str, &str)> {
    let code = packed.chars().next()?;
    let length = match code as usize {
        code if code < SURROGATES_START => code,
        code => code - SURROGATES,
    };
    packed.get(code.len_utf8()..)?.split_at_checked(length)
}

/// See [`crate::KeyEncoding::next`].
pub(crate) fn next_packed_label<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (name, after) = split_packed_bytes(rest)?;
    let (value, after) = split_packed_bytes(after)?;
    if value.is_empty() {
        return None;
    }
    *rest = after;
    Some((name, value))
}

/// As [`split_packed`], without asking whether all is UTF-8.
#[inline]
fn split_packed_bytes(packed: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *packed.first()?;
    if first < 0x80 {
        return packed[1..].split_at_checked(usize::from(first));
    }
    let width = first.leading_ones() as usize;
    let code = std::str::from_utf8(packed.get(..width)?).ok()?;
    let length = match code.chars().next()? as usize {
        code if code < SURROGATES_START => code,
        code => code - SURROGATES,
    };
    packed[width..].split_at_checked(length)
}

/// Whether a metric name needs no quotes in PromQL and in the exposition format.
pub fn is_plain_metric_name(name: &str) -> bool {
    let plain = |index: usize, byte: u8| {
        byte == b'_'
            || byte == b':'
            || byte.is_ascii_alphabetic()
            || index > 0 && byte.is_ascii_digit()
    };
    !name.is_empty()
        && name
            .bytes()
            .enumerate()
            .all(|(index, byte)| plain(index, byte))
}

/// Whether a label name needs no quotes in PromQL and in the exposition format.
pub fn is_plain_label_name(name: &str) -> bool {
    !name.contains(':') && is_plain_metric_name(name)
}

#[cfg(test)]
mod tests;
