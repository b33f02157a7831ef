//! Limits of texts: what is for people is cut, what is a name is refused.

use crate::error::Fault;

/// The longest name of anything, in bytes. Names are keys, which cannot be cut; a rule group's holds a path.
const NAME_BYTES_MAX: usize = 8 * 1024;

/// The text, cut to so many characters, and without NUL, which PostgreSQL does not keep in texts.
pub(crate) fn cut(text: &str, characters_max: usize) -> String {
    let end = text.char_indices().nth(characters_max);
    if end.is_none() && !text.contains('\0') {
        return text.to_owned();
    }
    let end = end.map(|(end, _)| end);
    let mut kept = text[..end.unwrap_or(text.len())].replace('\0', "\u{fffd}");
    if end.is_some() {
        kept.push('…');
    }
    kept
}

/// Errors: a text that is no name, or too long to be one. `what` says whose name it is.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Fault> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Fault::Refused(format!(
            "{what} has {} bytes, at most {NAME_BYTES_MAX} are allowed: {}",
            name.len(),
            cut(name, 64)
        )));
    }
    if name.contains('\0') {
        return Err(Fault::Refused(format!("{what} {name:?} has a NUL in it")));
    }
    Ok(())
}

/// A number as it is kept, for SQL has no unsigned ones.
pub(crate) fn number(what: &str, number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| {
        Fault::Refused(format!(
            "{what} {number} is too great, the greatest is {}",
            i64::MAX
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character_and_says_so() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("a\0b", 9), "a\u{fffd}b");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        assert!(check_name("a state", &"x".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(check_name("a state", &"x".repeat(NAME_BYTES_MAX + 1)).is_err());
        assert!(check_name("a state", "a\0b").is_err());
        assert!(number("notification", u64::MAX).is_err());
    }
}
