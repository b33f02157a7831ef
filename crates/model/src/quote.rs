//! How PromQL writes a string.

use std::fmt::{self, Write as _};

/// Shows a text as a PromQL string in double quotes, with escapes.
pub fn quoted(text: &str) -> impl fmt::Display {
    fmt::from_fn(move |formatter| {
        formatter.write_char('"')?;
        for character in text.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                '\t' => formatter.write_str("\\t")?,
                '\r' => formatter.write_str("\\r")?,
                other if other.is_control() => write!(formatter, "\\u{:04x}", u32::from(other))?,
                other => formatter.write_char(other)?,
            }
        }
        formatter.write_char('"')
    })
}
