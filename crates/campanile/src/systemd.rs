//! What the service manager is told about this process: that it is ready, reads its configuration again, stops, and is
//! still alive. Where nobody set `NOTIFY_SOCKET`, nothing is told.
//!
//! Each message is one datagram of lines `NAME=value` (sd_notify(3)); crate `sd-notify` knows the words. The way is ours,
//! since that crate knows sockets with a path only, and would wait for a manager that does not read.
//!
//! The phases come one after another, so that a reload that ends late cannot declare a program ready that stops already.

mod life;

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::{debug, warn};

pub(crate) use life::Signs;

/// How long a message may wait for a manager that does not read; it always reads, unless the machine is at its end.
const PATIENCE: Duration = Duration::from_secs(1);

/// A status is one line for people; what is longer is in the log.
const STATUS_MAX: usize = 300;

/// The service manager, or nobody.
pub(crate) struct Systemd {
    address: Option<SocketAddr>,
    /// Within this time it wants to hear that the program is alive.
    watchdog: Option<Duration>,
    phase: Mutex<Phase>,
    /// Whether it is known that messages do not arrive.
    is_deaf: AtomicBool,
}

/// How far the program is.
#[derive(Debug, PartialEq)]
enum Phase {
    Starting,
    /// Ready, with the status that says so.
    Ready(String),
    Stopping,
}

impl Systemd {
    /// The manager that the environment names.
    pub(crate) fn of_process() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty());
        let address = address.and_then(|socket| match address_of(socket.as_bytes()) {
            Ok(address) => Some(address),
            Err(error) => {
                warn!(?socket, %error, "NOTIFY_SOCKET cannot be used: the service manager learns nothing");
                None
            }
        });
        let watchdog = sd_notify::watchdog_enabled().filter(|within| !within.is_zero());
        Self::new(address, watchdog)
    }

    fn new(address: Option<SocketAddr>, watchdog: Option<Duration>) -> Self {
        Self {
            address,
            watchdog,
            phase: Mutex::new(Phase::Starting),
            is_deaf: AtomicBool::new(false),
        }
    }

    /// Says in words what the program does.
    fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(&line(status))]);
    }

    /// The program does its work from now on.
    fn ready(&self, status: &str) {
        let mut phase = self.phase();
        if *phase == Phase::Starting {
            *phase = Phase::Ready(status.to_owned());
            self.tell(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
        }
    }

    /// Does the work of a reload and tells its beginning and its end. A manager that began it by a signal waits for both.
    pub(crate) fn reloading(
        &self,
        reload: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        if matches!(*self.phase(), Phase::Ready(_)) {
            let status = NotifyState::Status("reading the configuration again");
            match NotifyState::monotonic_usec_now() {
                Ok(now) => self.tell(&[NotifyState::Reloading, now, status]),
                // Without the time the manager would take the message for one from before its signal.
                Err(error) => debug!(%error, "a reload cannot be announced"),
            }
        }
        let done = reload();
        let phase = self.phase();
        let status = match (&done, &*phase) {
            (Ok(()), Phase::Ready(status)) => status.clone(),
            (Ok(()), _) => "the configuration was read again".to_owned(),
            (Err(problem), _) => {
                format!("reload refused, the configuration is as before: {problem}")
            }
        };
        match *phase {
            Phase::Starting => self.status(&status),
            Phase::Ready(_) => {
                self.tell(&[NotifyState::Ready, NotifyState::Status(&line(&status))]);
            }
            Phase::Stopping => {}
        }
        done
    }

    /// The program ends from now on.
    pub(crate) fn stopping(&self, reason: &str) {
        *self.phase() = Phase::Stopping;
        let status = format!("stopping: {reason}");
        self.tell(&[NotifyState::Stopping, NotifyState::Status(&line(&status))]);
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        // The phase is written as a whole.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, words: &[NotifyState<'_>]) {
        let Some(address) = &self.address else {
            return;
        };
        let message: String = words.iter().map(|word| format!("{word}\n")).collect();
        match send(address, &message) {
            Ok(()) => self.is_deaf.store(false, Ordering::Relaxed),
            Err(error) if !self.is_deaf.swap(true, Ordering::Relaxed) => {
                warn!(%error, message = message.trim_end(), "the service manager cannot be told");
            }
            Err(_) => {}
        }
    }
}

/// A socket with a path, or one whose name begins with `@` and is in no file system.
fn address_of(socket: &[u8]) -> io::Result<SocketAddr> {
    match socket {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(socket)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is neither a path nor a name that begins with @",
        )),
    }
}

fn send(address: &SocketAddr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to_addr(message.as_bytes(), address)?;
    Ok(())
}

/// The first line of a text, not too long; a second one would be read as another word.
fn line(text: &str) -> String {
    let first = text.trim().lines().next().unwrap_or_default();
    match first.char_indices().nth(STATUS_MAX) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
}

#[cfg(test)]
mod tests;
