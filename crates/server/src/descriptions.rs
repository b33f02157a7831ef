//! What metrics of the JSON routes are described as: a push that leaves out help or unit does not erase them.
//!
//! The store tells all descriptions at once, which is too much for each push; the last ones are remembered here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use model::{Metadata, SeriesSource, SourceError};

/// Descriptions that are remembered; when there are more, the memory begins anew.
const REMEMBERED_MAX: usize = 10_000;

/// Bytes of a description that is worth remembering.
const BYTES_MAX: usize = 1024;

/// The descriptions that were pushed or asked for last.
#[derive(Default)]
pub(crate) struct Descriptions {
    remembered: Mutex<HashMap<String, Metadata>>,
}

impl Descriptions {
    /// The descriptions with what they leave out taken from the known ones, without those that then say nothing new.
    ///
    /// Errors: the store cannot tell what it knows.
    pub(crate) fn complete(
        &self,
        source: &dyn SeriesSource,
        pushed: Vec<(String, Metadata)>,
    ) -> Result<Vec<(String, Metadata)>, SourceError> {
        // Asked only once for each push, and only when something is missing that is not remembered.
        let mut stored: Option<BTreeMap<String, Metadata>> = None;
        let mut completed = Vec::new();
        for (name, mut metadata) in pushed {
            let says_all = !metadata.help.is_empty() && !metadata.unit.is_empty();
            if !says_all {
                let known = match self.remembered(&name) {
                    Some(known) => Some(known),
                    None => {
                        if stored.is_none() {
                            stored = Some(source.metadata()?);
                        }
                        stored.as_ref().and_then(|all| all.get(&name).cloned())
                    }
                };
                let says_nothing = metadata.help.is_empty() && metadata.unit.is_empty();
                if let Some(known) = known {
                    fill(&mut metadata, &known);
                    if says_nothing && metadata == known {
                        self.remember(&name, known);
                        continue;
                    }
                }
            }
            self.remember(&name, metadata.clone());
            completed.push((name, metadata));
        }
        Ok(completed)
    }

    fn remembered(&self, name: &str) -> Option<Metadata> {
        self.lock().get(name).cloned()
    }

    fn remember(&self, name: &str, metadata: Metadata) {
        let mut remembered = self.lock();
        if name.len() + metadata.help.len() + metadata.unit.len() > BYTES_MAX {
            remembered.remove(name);
            return;
        }
        if remembered.len() == REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(name.to_owned(), metadata);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Metadata>> {
        self.remembered
            .lock()
            .expect("invariant: no one panics while holding the descriptions")
    }
}

fn fill(metadata: &mut Metadata, known: &Metadata) {
    if metadata.help.is_empty() {
        metadata.help.clone_from(&known.help);
    }
    if metadata.unit.is_empty() {
        metadata.unit.clone_from(&known.unit);
    }
}
