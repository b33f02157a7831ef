//! Where a new password comes from: from standard input, or from whoever sits at the keyboard, twice and unseen.

use std::io::{IsTerminal as _, Read as _, stdin};

use access::{check_password, hash_password};
use anyhow::{Context as _, anyhow, bail};

use super::keyboard;

/// Four bytes for each of as many characters as a password may have, and the end of the line.
const BYTES_MAX: u64 = 4_002;

/// Asks for a new password and gives what is kept of it.
///
/// Errors: there is nobody to ask, it was not the same twice, or it may not be a password.
pub(super) fn ask_and_hash(is_on_stdin: bool) -> anyhow::Result<String> {
    let password = if is_on_stdin {
        let mut text = String::new();
        let read = stdin().lock().take(BYTES_MAX + 1).read_to_string(&mut text);
        read.context("the password cannot be read from standard input")?;
        of_input(&text)?.to_owned()
    } else if stdin().is_terminal() {
        let first = keyboard::ask("Password: ")?;
        // Said before it is asked for again.
        check_password(&first).map_err(|error| anyhow!(error))?;
        if keyboard::ask("The same again: ")? != first {
            bail!("the two passwords differ; nothing is changed");
        }
        first
    } else {
        bail!(
            "a password is needed, and there is no terminal to ask for it: write it to standard input and give --password-stdin"
        );
    };
    hash_password(&password).map_err(|error| anyhow!(error))
}

/// The password in what was written to standard input: one line, whose end does not belong to it.
pub(super) fn of_input(text: &str) -> anyhow::Result<&str> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r', '\0']) {
        bail!("a password is one line");
    }
    check_password(line).map_err(|error| anyhow!(error))?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_line_does_not_belong_to_the_password() {
        for text in ["12345678", "12345678\n", "12345678\r\n"] {
            assert_eq!(of_input(text).unwrap(), "12345678");
        }
        assert_eq!(of_input(" 1234567 \n").unwrap(), " 1234567 ");
        for text in ["", "1234567", "1234567\n", "1234\n5678\n", "12345678\n\n"] {
            let error = of_input(text).unwrap_err().to_string();
            assert!(!error.contains("1234"), "{error}");
        }
    }
}
