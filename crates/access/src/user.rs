//! A person who may come in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use model::Timestamp;

use crate::Role;
use crate::random::random_bytes;

/// A person who may come in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// How they are known.
    pub name: UserName,
    /// What they may do; their teams may allow them more.
    pub role: Role,
    /// The hash of their password in PHC form (`$argon2id$…`); none if they come in another way only.
    pub password: Option<Arc<str>>,
    /// Whose identity at the OpenID provider it is, as `ISSUER#SUBJECT`; none for who was made here.
    pub identity: Option<Arc<str>>,
    /// Whether they are kept out for now.
    pub is_disabled: bool,
    /// Begins at [`User::first_epoch`] and grows whenever what they may do shrinks or their password changes: what was issued under
    /// another one is void.
    pub epoch: u64,
    /// When they were made.
    pub created: Timestamp,
}

/// A user's name: 1 to 64 letters, digits and `. _ - @ +`, so that it fits into URLs and logs, and neither `.` nor
/// `..`, which are no names in a URL; upper and lower case differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

impl User {
    /// The epoch of a new user: 48 random bits. With a fixed one, what was issued to somebody who is gone would be good again as soon as
    /// somebody else gets their name.
    pub fn first_epoch() -> u64 {
        let [a, b, c, d, e, f] = random_bytes();
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-@+".contains(letter);
        if text.is_empty() || text.len() > 64 {
            return Err("a name has 1 to 64 characters".to_owned());
        }
        if text == "." || text == ".." {
            return Err(format!("{text:?} is no name"));
        }
        match text.chars().find(|letter| !fits(*letter)) {
            Some(letter) => Err(format!(
                "a name has no {letter:?}: only letters, digits and . _ - @ +"
            )),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl fmt::Debug for User {
    // Its hash is nobody's business.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("User")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("has_password", &self.password.is_some())
            .field("identity", &self.identity)
            .field("is_disabled", &self.is_disabled)
            .field("epoch", &self.epoch)
            .field("created", &self.created)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_url_can_hold() {
        for good in ["ann", "a.b", "...", ".ann", "ann@example.org", "a+b_c-d"] {
            assert!(good.parse::<UserName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a\n"] {
            assert!(bad.parse::<UserName>().is_err(), "{bad}");
        }
        assert!("x".repeat(64).parse::<UserName>().is_ok());
        assert!("x".repeat(65).parse::<UserName>().is_err());
    }
}
