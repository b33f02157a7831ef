//! Texts that nobody may see: passwords, tokens, addresses that hold one.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use document::{Section, Value};

/// A longer file is no secret but a mistake.
const FILE_MAX: u64 = 64 << 10;

/// A shorter text stands everywhere; hiding it would make messages unreadable.
const HIDDEN_MIN: usize = 4;

/// A text that is shown as `<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A text of others without this one.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        if self.0.len() < HIDDEN_MIN {
            return text.to_owned();
        }
        text.replace(&*self.0, "<secret>")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<secret>")
    }
}

/// A secret and the value at which it is written, directly or as the path of a file that holds it.
pub(crate) struct Written<'d> {
    pub(crate) secret: Secret,
    pub(crate) value: Value<'d>,
}

/// Reads a key, or the key that names a file; both at once are refused.
pub(crate) fn read<'d>(
    section: &mut Section<'d>,
    key: &'static str,
    file_key: &'static str,
    directory: &Path,
) -> Option<Written<'d>> {
    let direct = section.value(key);
    let file = section.value(file_key);
    match (direct, file) {
        (Some(_), Some(file)) => {
            file.refuse(format!("either {key} or {file_key} is needed, not both"));
            None
        }
        (Some(value), None) => {
            let text = value.clone().text()?;
            let secret = Secret::new(text);
            Some(Written { secret, value })
        }
        (None, Some(value)) => {
            let path = value.clone().file_path(directory)?;
            match read_file(&path) {
                Ok(text) => {
                    let secret = Secret::new(text.trim());
                    Some(Written { secret, value })
                }
                Err(reason) => {
                    value.refuse(format!("cannot read {}: {reason}", path.display()));
                    None
                }
            }
        }
        (None, None) => None,
    }
}

/// A small file as text.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_MAX {
        return Err(format!("it has more than {FILE_MAX} bytes"));
    }
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter22");
        assert_eq!(format!("{secret:?}"), "<secret>");
        assert_eq!(
            secret.hide_in("no such user hunter22!"),
            "no such user <secret>!"
        );
    }
}
