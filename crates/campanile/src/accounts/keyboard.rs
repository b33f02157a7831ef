//! Reads a line from the terminal without showing it.
//!
//! While it is typed the terminal neither echoes nor edits nor sends signals: a signal would end the program and leave the
//! terminal mute. So the few keys that matter are heeded here.

use std::io::{BufRead, Write as _, stderr, stdin};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];
const ERASE_LINE: u8 = 0x15;

/// A longer line is not typed by a person.
const BYTES_MAX: usize = 4_000;

/// Asks on standard error and reads the answer from the terminal that standard input is.
///
/// Errors: it was interrupted, or the terminal is gone.
pub(super) fn ask(question: &str) -> anyhow::Result<String> {
    let before = tcgetattr(stdin()).context("the terminal cannot be read")?;
    let mut quiet = before.clone();
    quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    tcsetattr(stdin(), OptionalActions::Flush, &quiet)
        .context("the terminal cannot be made quiet")?;
    let mut output = stderr();
    // Only now, since nothing that was typed before is read. If nobody sees it, no answer will come either.
    let _ = output.write_all(question.as_bytes());
    let line = read_line(stdin().lock());
    tcsetattr(stdin(), OptionalActions::Now, &before)
        .context("the terminal cannot be made as before")?;
    let _ = output.write_all(b"\n");
    line
}

/// Reads keys until the end of the line.
fn read_line(keys: impl BufRead) -> anyhow::Result<String> {
    let mut line = Vec::new();
    for key in keys.bytes() {
        match key.context("the terminal cannot be read")? {
            b'\n' | b'\r' => {
                return String::from_utf8(line).context("this terminal does not write UTF-8");
            }
            INTERRUPT => bail!("interrupted; nothing is changed"),
            END_OF_INPUT if line.is_empty() => break,
            key if BACKSPACE.contains(&key) => {
                // The bytes that go on with a letter begin with the bits 10.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            ERASE_LINE => line.clear(),
            key if line.len() < BYTES_MAX => line.push(key),
            _ => bail!("the line is too long"),
        }
    }
    bail!("the terminal is gone; nothing is changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_the_keys_that_mend_it() {
        for (keys, line) in [
            ("hunter2\n", "hunter2"),
            ("hunter2\rmore", "hunter2"),
            ("hx\x7funter2\n", "hunter2"),
            ("ü\x08hunter2\n", "hunter2"),
            ("\x7f\x7fhunter2\n", "hunter2"),
            ("wrong\x15hunter2\n", "hunter2"),
            ("\n", ""),
        ] {
            assert_eq!(read_line(keys.as_bytes()).unwrap(), line, "{keys:?}");
        }
    }

    #[test]
    fn who_goes_away_has_given_nothing() {
        for keys in ["hunter2\x03\n", "\x04", "hunter2", ""] {
            assert!(read_line(keys.as_bytes()).is_err(), "{keys:?}");
        }
        assert!(read_line(vec![b'a'; BYTES_MAX + 1].as_slice()).is_err());
    }
}
