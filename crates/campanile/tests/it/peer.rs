//! Programs of other projects beside which ours is tested.

use std::process::{Child, Command, Stdio};

/// A peer's process, killed when the test ends.
pub(crate) struct Peer(Child);

impl Peer {
    /// Starts a peer's program.
    pub(crate) fn start(program: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("cannot start {program}: {error}")),
        )
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a program is installed. Where it must be (CI=true), its absence fails the test; elsewhere the test
/// says that it was skipped.
pub(crate) fn installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(
        found || !required,
        "{program} is not installed: `make test` as root installs it"
    );
    if !found {
        eprintln!("SKIPPED: {program} is not installed (`make test` as root installs it)");
    }
    found
}

/// A port of the loopback address that nobody uses now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
