//! Secrets and identities that nobody can guess, in letters that need no escape in URLs, headers and shells.

/// Digits and letters: 62 signs, so that each is worth 5.95 bits.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Letters of a secret: 256 bits.
pub(crate) const SECRET_LETTERS: usize = 43;

/// A secret of 256 random bits, as 43 letters and digits.
pub fn random_secret() -> String {
    random_letters(SECRET_LETTERS)
}

/// So many random letters and digits.
pub(crate) fn random_letters(count: usize) -> String {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        for byte in random_bytes::<64>() {
            // 248 is four times 62; what lies above would favour some letters.
            if byte < 248 && text.len() < count {
                text.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    text
}

/// So many random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // A system without random numbers can keep no secret; there is nothing to go on with.
    getrandom::fill(&mut bytes).expect("invariant: the system has random numbers");
    bytes
}

/// Whether a text has the form of what [`random_letters`] makes.
pub(crate) fn is_letters(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn secrets_have_all_letters_and_never_come_again() {
        let secrets: BTreeSet<String> = (0..200).map(|_| random_secret()).collect();
        assert_eq!(secrets.len(), 200);
        assert!(secrets.iter().all(|secret| is_letters(secret, 43)));
        let letters: BTreeSet<char> = secrets.iter().flat_map(|secret| secret.chars()).collect();
        assert_eq!(letters.len(), LETTERS.len());
    }
}
