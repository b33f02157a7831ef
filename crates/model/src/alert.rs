//! What is wrong, about whom, and since when: the word that rules and monitors say and receivers hear.

use std::collections::BTreeMap;

use crate::{Labels, Timestamp};

/// An alert; its labels are its identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Who raised it about what, `alertname` among them.
    pub labels: Labels,
    /// What a person should know, by name: summary, description …
    pub annotations: BTreeMap<String, String>,
    /// What was measured when it was raised last, if that is a number.
    pub value: Option<f64>,
    /// Since when it fires.
    pub starts_at: Timestamp,
    /// When it ended, or when it is taken to have ended unless it is raised again.
    pub ends_at: Timestamp,
    /// Where its cause can be looked at; may be empty.
    pub generator_url: String,
}

impl Alert {
    /// Whether it is over.
    pub fn is_resolved(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }

    /// The alert's identity as Alertmanager's API and webhooks show it, in 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", fingerprint(&self.labels))
    }
}

/// FNV-1a over names and values in order of the names, each followed by the byte 255.
fn fingerprint(labels: &Labels) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    for part in labels.iter().flat_map(|(name, value)| [name, value]) {
        for byte in part.bytes().chain([255]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    hash
}
