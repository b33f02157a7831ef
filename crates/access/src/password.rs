//! Passwords: Argon2id, kept as PHC strings.
//!
//! One takes some 20 ms and 19 MiB, so whoever calls this bounds how many run at once.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::random::random_bytes;

/// Memory in KiB, passes and lanes, as OWASP recommends for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Memory in KiB beyond which a hash is not computed: it was not made by us, and would take the machine down.
const MEMORY_KIB_MAX: u32 = 1 << 20;

/// A password has at least so many characters; NIST allows no less.
pub const PASSWORD_CHARACTERS_MIN: usize = 8;

/// A password has at most so many characters, so that hashing it takes no longer than usual.
pub const PASSWORD_CHARACTERS_MAX: usize = 1000;

/// What came of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is the right one.
    Right,
    /// It is the right one, and its hash was made with other parameters than today's: keep a new one.
    Outdated,
    /// It is not.
    Wrong,
}

/// Says whether it may become somebody's password.
///
/// Errors: what is wrong with it, without the password.
pub fn check_password(password: &str) -> Result<(), String> {
    let characters = password.chars().count();
    if !(PASSWORD_CHARACTERS_MIN..=PASSWORD_CHARACTERS_MAX).contains(&characters) {
        return Err(format!(
            "a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters, not {characters}"
        ));
    }
    Ok(())
}

/// What is kept of a password, `$argon2id$…`.
///
/// Errors: it may not become a password, see [`check_password`].
pub fn hash_password(password: &str) -> Result<String, String> {
    check_password(password)?;
    let salt = random_bytes::<16>();
    let hash = hasher().hash_password_with_salt(password.as_bytes(), &salt);
    let hash = hash.map_err(|error| format!("the password cannot be hashed: {error}"))?;
    Ok(hash.to_string())
}

/// Compares a password with what is kept of one.
///
/// Without anything kept it takes as long and is wrong, so that the time does not tell who has a password.
pub fn verify_password(password: &str, kept: Option<&str>) -> Verified {
    if password.len() > 4 * PASSWORD_CHARACTERS_MAX {
        return Verified::Wrong;
    }
    let known = kept.and_then(|kept| PasswordHash::new(kept).ok());
    let known = known.filter(|hash| {
        Params::try_from(hash).is_ok_and(|params| params.m_cost() <= MEMORY_KIB_MAX)
    });
    let Some(hash) = known else {
        if let Ok(nobodys) = PasswordHash::new(&NOBODYS) {
            let _ = hasher().verify_password(password.as_bytes(), &nobodys);
        }
        return Verified::Wrong;
    };
    if hasher()
        .verify_password(password.as_bytes(), &hash)
        .is_err()
    {
        return Verified::Wrong;
    }
    let params = Params::try_from(&hash);
    let is_todays = params.is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    });
    match is_todays && hash.algorithm.as_str() == Algorithm::Argon2id.as_str() {
        true => Verified::Right,
        false => Verified::Outdated,
    }
}

/// The hash with which those are compared who have none.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    let password = crate::random_secret();
    hash_password(&password).expect("invariant: a secret may be a password")
});

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.expect("invariant: the parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_from_another() {
        let kept = hash_password("correct horse").unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert_eq!(
            verify_password("correct horse", Some(&kept)),
            Verified::Right
        );
        assert_eq!(
            verify_password("correct hors", Some(&kept)),
            Verified::Wrong
        );
        assert_eq!(verify_password("", Some(&kept)), Verified::Wrong);
        assert_ne!(
            hash_password("correct horse").unwrap(),
            kept,
            "the salt is new"
        );
    }

    #[test]
    fn who_has_no_password_has_no_right_one() {
        assert_eq!(verify_password("correct horse", None), Verified::Wrong);
        for broken in ["", "plain", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"] {
            assert_eq!(verify_password(broken, Some(broken)), Verified::Wrong);
        }
    }

    #[test]
    fn a_hash_of_other_parameters_is_to_be_made_anew() {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let kept = weak.hash_password_with_salt(b"correct horse", b"0123456789abcdef");
        let kept = kept.unwrap().to_string();
        assert_eq!(
            verify_password("correct horse", Some(&kept)),
            Verified::Outdated
        );
        assert_eq!(verify_password("wrong horse", Some(&kept)), Verified::Wrong);
    }

    #[test]
    fn a_hash_that_would_take_all_memory_is_not_computed() {
        let kept = hash_password("correct horse").unwrap();
        let greedy = kept.replace("m=19456", "m=2097152");
        assert_eq!(
            verify_password("correct horse", Some(&greedy)),
            Verified::Wrong
        );
    }

    #[test]
    fn a_password_is_neither_short_nor_endless() {
        for (password, is_fit) in [
            ("1234567".to_owned(), false),
            ("12345678".to_owned(), true),
            ("ü".repeat(1000), true),
            ("ü".repeat(1001), false),
        ] {
            assert_eq!(check_password(&password).is_ok(), is_fit);
        }
        let error = hash_password("hunter2").unwrap_err();
        assert!(
            error.contains("8 to 1000") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
