//! What is kept of a secret that we made ourselves.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 of a secret of at least 128 random bits, which needs no slow hash: nobody can guess it.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// What is kept of a secret.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether it is of this secret; takes the same time wherever they differ.
    pub fn is_of(&self, secret: &str) -> bool {
        *self == Self::of(secret)
    }

    /// The hash as it was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as it is kept.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    /// Takes the same time wherever they differ.
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_from_another() {
        let hash = SecretHash::of("abc");
        assert!(hash.is_of("abc") && !hash.is_of("abC") && !hash.is_of(""));
        assert_eq!(hash.as_bytes()[..3], [0xba, 0x78, 0x16]);
        assert_eq!(format!("{hash:?}"), "SecretHash(…)");
    }
}
