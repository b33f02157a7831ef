//! Why a check did not succeed, and who is to blame: the target, or this machine.
//!
//! What the system says is classified here, in one place. The rule: an error that every target would give us now is our
//! own; an error that needs the target's machine to answer, or to keep silent, is the target's.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use rustix::io::Errno;
use uptime::Outcome;

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The target, whatever happened here.
    Target,
    /// The target, unless this machine was held up meanwhile: silence, and connections that break.
    TargetUnlessHeldUp,
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

    /// An error of the system, said after `doing`, such as "cannot connect to …".
    pub(crate) fn of(doing: &str, error: &io::Error) -> Self {
        let blame = classify(error, has_network);
        Self::new(blame, format!("{doing}: {}", in_words(error)))
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        match fault.blame {
            Blame::Own => Self::OwnTrouble(fault.text),
            Blame::Target | Blame::TargetUnlessHeldUp => Self::Failure(fault.text),
        }
    }
}

/// Whose error this is. `has_network` is only asked when a host cannot be reached: without an address of our own that is
/// no wonder.
pub(crate) fn classify(error: &io::Error, has_network: impl FnOnce() -> bool) -> Blame {
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
        Some(Errno::HOSTUNREACH) if !has_network() => return Blame::Own,
        _ => {}
    }
    match error.kind() {
        Kind::TimedOut
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected
        | Kind::UnexpectedEof => Blame::TargetUnlessHeldUp,
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

/// Whether any interface but loopback is up with an address. Where the kernel does not tell, we assume so.
pub(crate) fn has_network() -> bool {
    let read = |name: &str| std::fs::read_to_string(Path::new("/proc/net").join(name));
    match (read("route"), read("if_inet6")) {
        (Err(_), Err(_)) => true,
        (routes, addresses) => {
            any_interface(&routes.unwrap_or_default(), &addresses.unwrap_or_default())
        }
    }
}

/// Every address of IPv4 has a route to its own network in /proc/net/route; /proc/net/if_inet6 lists those of IPv6 with
/// their scope, of which 20 is one link only.
fn any_interface(routes: &str, addresses: &str) -> bool {
    let mut routes = routes
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    let mut addresses = addresses.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [_, _, _, scope, _, interface] if *scope != "20" => Some(*interface),
            _ => None,
        }
    });
    routes.any(|interface| interface != "lo") || addresses.any(|interface| interface != "lo")
}

#[cfg(test)]
mod tests;
