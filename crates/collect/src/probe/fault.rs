//! Why a check did not succeed, and who is to blame: the target, or this machine.
//!
//! What the system says is classified here, in one place. The rule: an error that every target would give us now is our
//! own; an error that needs the target's machine to answer, or to keep silent, is the target's.

use std::fmt::Write as _;
use std::io;

use rustix::io::Errno;
use uptime::Outcome;

use super::network::leads_out;

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The target, whatever happened here.
    Target,
    /// The target, unless this machine was held up meanwhile or had no way to it: silence, and connections that break.
    TargetUnlessOurs,
    /// This machine.
    Own,
}

/// Why a check did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) blame: Blame,
    /// What a person needs to know; without secrets.
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn target(text: impl Into<String>) -> Self {
        Self::new(Blame::Target, text)
    }

    pub(crate) fn own(text: impl Into<String>) -> Self {
        Self::new(Blame::Own, text)
    }

    pub(crate) fn new(blame: Blame, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { blame, text }
    }

    /// An error of the system on a connection that stood, said after `doing`, such as "the handshake fails".
    pub(crate) fn of(doing: &str, error: &io::Error) -> Self {
        let blame = classify(error, leads_out);
        Self::new(blame, format!("{doing}: {}", in_words(error)))
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        match fault.blame {
            Blame::Own => Self::OwnTrouble(fault.text),
            Blame::Target | Blame::TargetUnlessOurs => Self::Failure(fault.text),
        }
    }
}

/// Whose error this is. Whether a way leads there is only asked when a host cannot be reached: without one that is no
/// wonder.
pub(crate) fn classify(error: &io::Error, leads_there: impl FnOnce() -> bool) -> Blame {
    use io::ErrorKind as Kind;
    match Errno::from_io_error(error) {
        Some(
            Errno::NETUNREACH
            | Errno::NETDOWN
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::NOBUFS
            | Errno::ADDRNOTAVAIL
            | Errno::ADDRINUSE
            | Errno::ACCESS
            | Errno::PERM
            | Errno::AFNOSUPPORT,
        ) => return Blame::Own,
        Some(Errno::HOSTUNREACH) if !leads_there() => return Blame::Own,
        // Nobody has answered, which is a kind of silence.
        Some(Errno::HOSTUNREACH) => return Blame::TargetUnlessOurs,
        _ => {}
    }
    match error.kind() {
        Kind::TimedOut
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected
        | Kind::UnexpectedEof => Blame::TargetUnlessOurs,
        Kind::OutOfMemory => Blame::Own,
        _ => Blame::Target,
    }
}

/// The error without its number, and what to do about it where that is ours.
pub(crate) fn in_words(error: &io::Error) -> String {
    let hint = match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => " (raise the limit of open files)",
        Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => " (all local ports are taken)",
        Some(Errno::ACCESS | Errno::PERM) => " (a firewall or policy of this machine forbids it)",
        Some(Errno::NETUNREACH | Errno::NETDOWN) => " (this machine has no route to it)",
        Some(Errno::HOSTUNREACH) => " (no machine answers at this address)",
        _ => "",
    };
    let shown = error.to_string();
    let shown = shown.split(" (os error ").next().unwrap_or(&shown);
    let mut words = shown.trim_end_matches('.').to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    // A string takes everything.
    let _ = write!(words, "{hint}");
    words
}

#[cfg(test)]
mod tests;
