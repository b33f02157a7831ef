//! What the owner of a session shows: `ID.GENERATION.SECRET`, in a cookie or as a refresh token.

use std::fmt;
use std::sync::Arc;

use crate::SecretHash;
use crate::random::{SECRET_LETTERS, is_letters, random_letters};

/// Letters of a session's identity: 95 bits, since whoever knows it may end the session.
const ID_LETTERS: usize = 16;

/// What the owner of a session shows.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    /// Which session it is of.
    pub id: Arc<str>,
    /// Which of the session's secrets it is.
    pub generation: u64,
    secret: String,
}

impl SessionToken {
    /// That of a new session.
    pub fn generate() -> Self {
        Self {
            id: random_letters(ID_LETTERS).into(),
            generation: 0,
            secret: random_letters(SECRET_LETTERS),
        }
    }

    /// The next one of the same session.
    pub fn next(&self) -> Self {
        Self {
            id: self.id.clone(),
            generation: self.generation + 1,
            secret: random_letters(SECRET_LETTERS),
        }
    }

    /// Reads what was shown; none if it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, rest) = text.split_once('.')?;
        let (generation, secret) = rest.split_once('.')?;
        // One number has one form.
        let number: u64 = generation.parse().ok()?;
        let is_one = is_letters(id, ID_LETTERS) && is_letters(secret, SECRET_LETTERS);
        (is_one && number.to_string() == generation && number < u64::MAX).then(|| Self {
            id: id.into(),
            generation: number,
            secret: secret.to_owned(),
        })
    }

    /// What is kept of its secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.secret)
    }

    /// The text that its owner shows.
    pub fn text(&self) -> String {
        format!("{}.{}.{}", self.id, self.generation, self.secret)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionToken({}.{}.…)", self.id, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        let first = SessionToken::generate();
        let next = first.next();
        for token in [&first, &next] {
            assert_eq!(SessionToken::parse(&token.text()).as_ref(), Some(token));
        }
        assert_eq!((next.generation, &next.id), (1, &first.id));
        assert_ne!(next.hash(), first.hash());
        let shown = format!("{first:?}");
        assert!(!shown.contains(&first.secret), "{shown}");
    }

    proptest! {
        #[test]
        fn nothing_else_is_one(text in "[a-zA-Z0-9._+-]{0,80}") {
            if let Some(token) = SessionToken::parse(&text) {
                prop_assert_eq!(token.text(), text);
            }
        }
    }

    #[test]
    fn a_number_of_another_form_is_refused() {
        let text = SessionToken::generate().text();
        for number in [
            "",
            "00",
            "+0",
            "-1",
            "18446744073709551615",
            "18446744073709551616",
        ] {
            let other = text.replacen(".0.", &format!(".{number}."), 1);
            assert_eq!(SessionToken::parse(&other), None, "{other}");
        }
    }
}
