//! What the program tells the service manager; the test plays systemd.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use reqwest::Method;

use crate::program::{PATIENCE, Program, command, directory, get, send, until};

/// What the manager wants to hear something in; it is told twice as often.
const WATCHDOG: Duration = Duration::from_millis(400);

/// How long nothing must come for the test to believe that nothing more will.
const SILENCE: Duration = Duration::from_secs(2);

/// The manager's end of the socket.
struct Systemd {
    socket: UnixDatagram,
}

impl Systemd {
    fn at(path: &Path) -> Self {
        Self {
            socket: UnixDatagram::bind(path).unwrap(),
        }
    }

    /// The next message that is no beat.
    fn hear(&self) -> String {
        loop {
            let message = self.receive(PATIENCE).expect("the program says nothing");
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    /// Hears until a message begins so.
    fn hear_until(&self, beginning: &str) -> String {
        loop {
            let message = self.hear();
            if message.starts_with(beginning) {
                return message;
            }
            let is_of_the_start = message.starts_with("STATUS=starting: ")
                || message.starts_with("EXTEND_TIMEOUT_USEC=");
            assert!(is_of_the_start, "before {beginning} came {message:?}");
        }
    }

    fn receive(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }
}

/// The program as systemd would start it.
fn start(data: &Path, socket: &str, watchdog: Option<Duration>, arguments: &[&str]) -> Program {
    let mut serve = command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--auth",
        "off",
    ]);
    serve.arg("--data-dir").arg(data).args(arguments);
    serve.env("NOTIFY_SOCKET", socket);
    if let Some(watchdog) = watchdog {
        serve.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    }
    Program::start_as(serve)
}

#[test]
fn ready_reloads_beats_and_the_end_are_told_in_order() {
    let data = directory();
    let file = data.path().join("campanile.yml");
    std::fs::write(&file, "host: {interval: 1s}\n").unwrap();
    let socket = data.path().join("notify");
    let systemd = Systemd::at(&socket);
    let arguments = ["--config", file.to_str().unwrap()];
    let program = start(
        data.path(),
        socket.to_str().unwrap(),
        Some(WATCHDOG),
        &arguments,
    );

    let ready = systemd.hear_until("READY=1\n");
    assert_eq!(get(&program.url("/-/ready")).0, 200);
    let status = format!("STATUS=listening on {}\n", program.url("/"));
    assert_eq!(ready, format!("READY=1\n{status}"));
    assert_eq!(systemd.receive(PATIENCE).unwrap(), "WATCHDOG=1\n");

    program.signal("HUP");
    assert_reloading(&systemd.hear());
    assert_eq!(systemd.hear(), format!("READY=1\n{status}"));

    std::fs::write(&file, "host:\n  intervall: 5s\n").unwrap();
    let (code, _) = send(Method::POST, &program.url("/-/reload"), &[], Vec::new());
    assert_eq!(code, 500);
    assert_reloading(&systemd.hear());
    let refused = systemd.hear();
    assert!(
        refused.starts_with("READY=1\nSTATUS=reload refused"),
        "{refused}"
    );
    assert!(refused.contains("campanile.yml:2:3"), "{refused}");
    assert_eq!(refused.lines().count(), 2, "{refused}");

    program.signal("TERM");
    assert_eq!(systemd.hear(), "STOPPING=1\nSTATUS=stopping: SIGTERM\n");
    assert_eq!(program.wait().code(), Some(0));
    while let Some(message) = systemd.receive(Duration::from_millis(1)) {
        assert_eq!(message, "WATCHDOG=1\n", "nothing follows the end but beats");
    }
}

/// The manager compares the moment with that of its signal.
fn assert_reloading(message: &str) {
    let mut lines = message.lines();
    assert_eq!(lines.next(), Some("RELOADING=1"), "{message}");
    let moment = lines
        .next()
        .and_then(|line| line.strip_prefix("MONOTONIC_USEC="));
    let moment: u64 = moment.unwrap().parse().unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let seconds = moment as f64 / 1e6;
    // Since the boot, without the time in which the machine slept.
    assert!(
        seconds > 0.0 && seconds <= uptime + 1.0,
        "{seconds} s, up {uptime} s"
    );
}

#[test]
fn a_program_that_is_stopped_beats_no_more() {
    let data = directory();
    let name = format!("campanile-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let systemd = Systemd {
        socket: UnixDatagram::bind_addr(&address).unwrap(),
    };
    let program = start(data.path(), &format!("@{name}"), Some(WATCHDOG), &[]);
    systemd.hear_until("READY=1\n");
    assert_eq!(systemd.receive(PATIENCE).unwrap(), "WATCHDOG=1\n");

    program.signal("STOP");
    let stat = format!("/proc/{}/stat", program.id());
    until("the program is stopped", || {
        std::fs::read_to_string(&stat).unwrap().contains(") T ")
    });
    while systemd.receive(Duration::from_millis(1)).is_some() {}
    assert_eq!(systemd.receive(SILENCE), None);

    program.signal("CONT");
    assert_eq!(systemd.receive(PATIENCE).unwrap(), "WATCHDOG=1\n");
}

#[test]
fn nobody_is_told_anything_who_did_not_ask() {
    let data = directory();
    let socket = data.path().join("notify");
    let systemd = Systemd::at(&socket);
    // Without a watchdog: ready and the end, and no beats between them.
    let program = start(data.path(), socket.to_str().unwrap(), None, &[]);
    systemd.hear_until("READY=1\n");
    program.signal("TERM");
    let next = systemd.receive(PATIENCE).unwrap();
    assert!(next.starts_with("STOPPING=1\n"), "{next}");
    drop(program);

    // Without a socket: nothing.
    let mut serve = command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--auth",
        "off",
    ]);
    serve
        .arg("--data-dir")
        .arg(data.path())
        .env("WATCHDOG_USEC", "1000");
    let program = Program::start_as(serve);
    program.wait_until_ready();
    program.signal("HUP");
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert_eq!(systemd.receive(Duration::from_millis(1)), None);
}
