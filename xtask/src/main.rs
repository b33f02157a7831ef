//! The project's own commands: `cargo xtask …`. Each command is one file, and [`COMMANDS`] is their only list.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to whoever started it"
)]

mod bench;
mod ci;
mod footprint;
mod package;
mod packages;
mod process;
mod promqltest;
mod release;
mod schemathesis;
mod tidy;
mod tree;
mod web;

use std::process::ExitCode;

struct Command {
    name: &'static str,
    arguments: &'static str,
    purpose: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

const COMMANDS: [Command; 9] = [
    Command {
        name: "ci",
        arguments: "",
        purpose: "everything a change must pass, as `make test` and .ci/run do it",
        run: ci::run,
    },
    Command {
        name: "tidy",
        arguments: "[--list]",
        purpose: "the rules of the house; --list shows where to look for long files and functions",
        run: tidy::run,
    },
    Command {
        name: "bench",
        arguments: "[NAME]",
        purpose: "the project's benchmarks, or those whose name contains NAME",
        run: bench::run,
    },
    Command {
        name: "promqltest",
        arguments: "DIR [--all | --http]",
        purpose: "scripts in Prometheus' test language; fails if one does not pass; --all shows every failure and what was left out, --http asks the whole program",
        run: promqltest::run,
    },
    Command {
        name: "schemathesis",
        arguments: "[--seconds N]",
        purpose: "random requests for ten minutes, or N seconds, against the program and its description; needs `pip install schemathesis`",
        run: schemathesis::run,
    },
    Command {
        name: "web",
        arguments: "",
        purpose: "builds the web pages into web/dist, which needs Node; `ci` proves that they fit their source",
        run: web::run,
    },
    Command {
        name: "release",
        arguments: "",
        purpose: "the stripped program in a tarball, with its size and checksum",
        run: release::run,
    },
    Command {
        name: "package",
        arguments: "",
        purpose: "the Debian package, with man page and completions; needs `cargo install cargo-deb`",
        run: package::run,
    },
    Command {
        name: "footprint",
        arguments: "",
        purpose: "cold build times and the size of the program, as a table",
        run: footprint::run,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        eprintln!("{}", usage());
        return ExitCode::from(2);
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: there is no command `{name}`{}\n", suggestion(&name));
        eprintln!("{}", usage());
        return ExitCode::from(2);
    };
    let arguments: Vec<String> = arguments.collect();
    match (command.run)(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask COMMAND\n");
    for command in &COMMANDS {
        let call = format!("{} {}", command.name, command.arguments);
        text.push_str(&format!("\n  {call:<22} {}", command.purpose));
    }
    text
}

/// ", did you mean `tidy`?" when some command is at most three keystrokes away.
fn suggestion(name: &str) -> String {
    COMMANDS
        .iter()
        .map(|command| (keystrokes_between(name, command.name), command.name))
        .min()
        .filter(|(distance, nearest)| *distance <= 3 && *distance < nearest.len())
        .map(|(_, nearest)| format!(", did you mean `{nearest}`?"))
        .unwrap_or_default()
}

/// Letters to insert, remove or replace to get from one word to the other (Levenshtein, one row at a time).
fn keystrokes_between(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// Refuses arguments that a command does not know.
fn no_arguments(arguments: &[String]) -> anyhow::Result<()> {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => anyhow::bail!("unexpected argument `{argument}`; there are none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_command_is_answered_with_the_nearest() {
        for (typed, expected) in [
            ("tydi", ", did you mean `tidy`?"),
            ("foot-print", ", did you mean `footprint`?"),
            ("releases", ", did you mean `release`?"),
            ("promenade", ""),
        ] {
            assert_eq!(suggestion(typed), expected, "{typed}");
        }
    }

    #[test]
    fn usage_names_every_command() {
        for command in &COMMANDS {
            assert!(usage().contains(command.name));
        }
    }
}
