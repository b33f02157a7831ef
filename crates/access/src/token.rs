//! What machines show instead of a password, and what our own tokens are signed with.

use std::fmt;
use std::sync::Arc;

use model::Timestamp;

use crate::random::{SECRET_LETTERS, is_letters, random_bytes, random_letters};
use crate::{Scope, SecretHash};

/// What is kept of a token for a machine; its secret was shown once, when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its identity, which stands in the token itself and is no secret.
    pub id: Arc<str>,
    /// What it is for, in the words of whoever made it.
    pub name: Arc<str>,
    /// What its bearer may do.
    pub scope: Scope,
    /// The hash of its secret.
    pub hash: SecretHash,
    /// Who made it, as [`crate::Principal::name`] writes it.
    pub created_by: Arc<str>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing; none if it is never so.
    pub expires: Option<Timestamp>,
}

impl ApiToken {
    /// How every token begins, so that people and scanners of code know one when they see it.
    pub const PREFIX: &'static str = "cmp_";

    /// Letters of an identity.
    const ID_LETTERS: usize = 12;

    /// A new identity and its secret's text, `cmp_ID_SECRET`, which is shown once.
    pub fn generate() -> (Arc<str>, String) {
        let id = random_letters(Self::ID_LETTERS);
        let secret = random_letters(SECRET_LETTERS);
        let text = format!("{}{id}_{secret}", Self::PREFIX);
        (id.into(), text)
    }

    /// What is kept of the text of a token.
    pub fn hash_of(text: &str) -> SecretHash {
        SecretHash::of(text)
    }

    /// The identity in the text of a token; none if it has not the form of one.
    pub fn id_in(text: &str) -> Option<&str> {
        let (id, secret) = text.strip_prefix(Self::PREFIX)?.split_once('_')?;
        let is_one = is_letters(id, Self::ID_LETTERS) && is_letters(secret, SECRET_LETTERS);
        is_one.then_some(id)
    }

    /// Whether it is worth something.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// A key with which access tokens are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its identity, the `kid` of what it has signed.
    pub id: Arc<str>,
    /// The key itself: 32 random bytes.
    pub secret: Arc<[u8]>,
    /// When it was made; the newest one signs, older ones still verify.
    pub created: Timestamp,
}

impl SigningKey {
    /// A new key.
    pub fn generate(now: Timestamp) -> Self {
        Self {
            id: random_letters(ApiToken::ID_LETTERS).into(),
            secret: Arc::new(random_bytes::<32>()),
            created: now,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("id", &self.id)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_token_tells_its_identity() {
        let (id, text) = ApiToken::generate();
        assert_eq!(ApiToken::id_in(&text), Some(&*id));
        assert_eq!(text.len(), 4 + 12 + 1 + 43);
        for other in [
            "",
            "cmp_",
            "cmp_a_b",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}x"),
        ] {
            assert_eq!(ApiToken::id_in(other), None, "{other}");
        }
        assert_eq!(ApiToken::id_in(&text.replace(&*id, "../../../etc")), None);
    }
}
