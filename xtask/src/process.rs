//! Starting other programs: what is started is printed, and a failure names it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The folder that holds the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").context("start this as `cargo xtask`")?;
    let root = PathBuf::from(package);
    let root = root.parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}

/// Runs a command line in the workspace's folder; its output goes where ours goes.
pub(crate) fn run(command_line: &str) -> Result<()> {
    println!("$ {command_line}");
    let status = prepare(command_line)?.status();
    let status = status.with_context(|| format!("cannot start `{command_line}`"))?;
    must_succeed(command_line, status)
}

/// Runs a command line as [`run`] does, in another folder.
pub(crate) fn run_in(folder: &Path, command_line: &str) -> Result<()> {
    println!("$ {command_line}");
    let status = prepare(command_line)?.current_dir(folder).status();
    let status = status.with_context(|| format!("cannot start `{command_line}`"))?;
    must_succeed(command_line, status)
}

/// Runs a command line as [`run`] does and hands every line of its standard output to `see` as well.
pub(crate) fn run_seeing(command_line: &str, mut see: impl FnMut(&str)) -> Result<()> {
    println!("$ {command_line}");
    let mut child = prepare(command_line)?
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{command_line}`"))?;
    let output = child.stdout.take().context("invariant: stdout is piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| format!("cannot read what `{command_line}` prints"))?;
        // A test may print anything; what is no UTF-8 must not end the others.
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    must_succeed(command_line, child.wait()?)
}

/// What a command line prints on its standard output; its errors go where ours go.
pub(crate) fn output(command_line: &str) -> Result<String> {
    let output = prepare(command_line)?
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{command_line}`"))?;
    must_succeed(command_line, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("`{command_line}` printed no UTF-8"))
}

/// The current moment, to tell how long a step took.
#[expect(
    clippy::disallowed_methods,
    reason = "the time that people wait is no simulated one"
)]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// How long ago `start` was, for people: `8.4 s`, `2 min 05 s`.
pub(crate) fn since(start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

/// Words are divided by blanks alone: no word of ours holds one, and there is no shell in between.
fn prepare(command_line: &str) -> Result<Command> {
    let mut words = command_line.split_whitespace();
    let mut command = Command::new(words.next().context("no program to start")?);
    command.args(words).current_dir(root()?);
    Ok(command)
}

fn must_succeed(command_line: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{command_line}` failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_line() {
        for command_line in ["false --quiet", "no-such-program --quiet"] {
            let error = run(command_line).unwrap_err().to_string();
            assert!(error.contains(command_line), "{error}");
        }
    }

    #[test]
    fn output_is_seen_line_by_line() {
        let mut lines = Vec::new();
        run_seeing("printf one\\ntwo\\n\\377", |line| {
            lines.push(line.to_owned())
        })
        .unwrap();
        assert_eq!(lines, ["one", "two", "\u{fffd}"]);
        assert_eq!(output("printf one").unwrap(), "one");
    }
}
