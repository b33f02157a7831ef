//! Type, help and unit of the metrics.

use std::collections::BTreeMap;

use model::Metadata;

/// Bytes that all descriptions may take together; each segment of the log repeats them.
const BYTES_MAX: usize = 8 << 20;

/// A longer help text is cut.
const HELP_BYTES_MAX: usize = 4 << 10;

/// The longest name or unit; what is longer is not remembered.
const NAME_BYTES_MAX: usize = 1 << 10;

/// Descriptions by metric name, bounded.
#[derive(Default)]
pub(crate) struct Descriptions {
    by_name: BTreeMap<String, Metadata>,
    bytes: usize,
}

/// What became of a description.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Described {
    /// It is new or differs from what was known.
    Changed,
    /// It was known.
    Known,
    /// There is no room for it.
    Refused,
}

impl Descriptions {
    /// Remembers a description in place of an earlier one.
    pub(crate) fn set(&mut self, name: &str, metadata: &Metadata) -> Described {
        if self
            .by_name
            .get(name)
            .is_some_and(|known| equal_but_cut(known, metadata))
        {
            return Described::Known;
        }
        let mut metadata = metadata.clone();
        metadata
            .help
            .truncate(metadata.help.floor_char_boundary(HELP_BYTES_MAX));
        let bytes = size(name, &metadata);
        let replaced = self.by_name.get(name).map_or(0, |known| size(name, known));
        if name.len().max(metadata.unit.len()) > NAME_BYTES_MAX
            || self.bytes - replaced + bytes > BYTES_MAX
        {
            return Described::Refused;
        }
        self.bytes = self.bytes - replaced + bytes;
        self.by_name.insert(name.to_owned(), metadata);
        Described::Changed
    }

    /// All descriptions.
    pub(crate) fn by_name(&self) -> &BTreeMap<String, Metadata> {
        &self.by_name
    }
}

fn equal_but_cut(known: &Metadata, metadata: &Metadata) -> bool {
    let cut = metadata.help.floor_char_boundary(HELP_BYTES_MAX);
    (known.kind, &known.unit, known.help.as_str())
        == (metadata.kind, &metadata.unit, &metadata.help[..cut])
}

fn size(name: &str, metadata: &Metadata) -> usize {
    name.len() + metadata.help.len() + metadata.unit.len() + 128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helpful(help: &str) -> Metadata {
        Metadata {
            help: help.to_owned(),
            ..Metadata::default()
        }
    }

    #[test]
    fn a_description_is_new_known_or_changed() {
        let mut descriptions = Descriptions::default();
        assert_eq!(descriptions.set("a", &helpful("x")), Described::Changed);
        assert_eq!(descriptions.set("a", &helpful("x")), Described::Known);
        assert_eq!(descriptions.set("a", &helpful("y")), Described::Changed);
        let long = "é".repeat(HELP_BYTES_MAX);
        assert_eq!(descriptions.set("a", &helpful(&long)), Described::Changed);
        assert_eq!(descriptions.set("a", &helpful(&long)), Described::Known);
        assert_eq!(descriptions.by_name()["a"].help.len(), HELP_BYTES_MAX);
    }

    #[test]
    fn ever_new_descriptions_take_bounded_memory() {
        let mut descriptions = Descriptions::default();
        let help = helpful(&"x".repeat(HELP_BYTES_MAX));
        let kept = (0..10_000)
            .filter(|name| descriptions.set(&name.to_string(), &help) == Described::Changed);
        let kept = kept.count();
        assert!(kept > 1_000 && kept < 2_100, "{kept}");
        assert_eq!(descriptions.set("0", &helpful("short")), Described::Changed);
    }
}
