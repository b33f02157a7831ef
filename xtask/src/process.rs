//! Starting other programs: what is started is printed, and a failure names it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The folder that holds the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").context("start this as `cargo xtask`")?;
    let root = PathBuf::from(package);
    let root = root.parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}

/// Runs a program in the workspace's folder; its output goes where ours goes.
pub(crate) fn run(command_line: &[&str]) -> Result<()> {
    let shown = show(command_line);
    let status = prepare(command_line)?
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a program as [`run`] does and hands every line of its standard output to `see` as well.
pub(crate) fn run_seeing(command_line: &[&str], mut see: impl FnMut(&str)) -> Result<()> {
    let shown = show(command_line);
    let mut child = prepare(command_line)?
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let output = child.stdout.take().context("invariant: stdout is piped")?;
    for line in BufReader::new(output).lines() {
        let line = line.with_context(|| format!("cannot read what `{shown}` prints"))?;
        println!("{line}");
        see(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// What a program prints on its standard output; its errors go where ours go.
pub(crate) fn output(command_line: &[&str]) -> Result<String> {
    let shown = command_line.join(" ");
    let output = prepare(command_line)?
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
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

fn show(command_line: &[&str]) -> String {
    let shown = command_line.join(" ");
    println!("$ {shown}");
    shown
}

fn prepare(command_line: &[&str]) -> Result<Command> {
    let (program, arguments) = command_line.split_first().context("no program to start")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()?);
    Ok(command)
}
