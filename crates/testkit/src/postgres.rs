//! A PostgreSQL server of a test's own: Debian's package `postgresql`, on a free port of the loopback address.
//!
//! A script starts and stops it on commands that it reads from a pipe. When the pipe closes, because the test has ended or was
//! killed, the script stops the server and removes its files. It is in a session of its own and deaf to signals, so that
//! whoever ends the tests with all that they have started does not end it first, nor an answer that nobody hears any more;
//! nothing is left behind whatever happens.
//! Texts are sorted in the order of English by default, for whoever relies on another order must have asked for it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
};

use crate::Certificate;

/// Where Debian has the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How long a command may take: `pg_ctl` gives up after a minute, and the first one waits for `initdb`.
const ANSWER_MAX: Duration = Duration::from_secs(180);

/// The server does not run as root.
const AS_ITSELF: &str = r#"
trap '' HUP INT PIPE QUIT TERM
cd /
if [ "$(id -u)" = 0 ]; then exec setsid runuser -u postgres -- sh -c "$0" sh "$1"; fi
exec setsid sh -c "$0" sh "$1"
"#;

const SCRIPT: &str = r#"
bin=$1
trap '' HUP INT PIPE QUIT TERM
directory=$(mktemp -d) || exit 1
cd "$directory" || exit 1
export PGPASSWORD=s3cret
echo "$PGPASSWORD" > password
umask 077
printf %s "$TLS_CERT" > server.crt
printf %s "$TLS_KEY" > server.key
"$bin/initdb" --pgdata data --username campanile --pwfile password --auth scram-sha-256 --encoding UTF8 \
    --locale C.UTF-8 --locale-provider icu --icu-locale en --no-sync > log 2>&1 || cat log >&2
while read -r command argument; do
    case $command in
    start) "$bin/pg_ctl" --pgdata data --log log --wait --options "-c listen_addresses=127.0.0.1 -c port=$argument \
        -c unix_socket_directories='$directory' -c fsync=off -c max_connections=200 \
        -c ssl=on -c ssl_cert_file='$directory/server.crt' -c ssl_key_file='$directory/server.key'" start ;;
    stop) "$bin/pg_ctl" --pgdata data --mode immediate --wait stop ;;
    create) "$bin/psql" --host "$directory" --port "${argument%/*}" --username campanile --dbname postgres \
        --command "CREATE SCHEMA ${argument#*/}" ;;
    esac > said 2>&1 < /dev/null && echo yes || { cat said log >&2; echo no; }
done
"$bin/pg_ctl" --pgdata data --mode immediate --wait stop > said 2>&1
cd / && rm -rf "$directory"
"#;

/// A PostgreSQL server that ends with its value, or at the latest with the process.
pub struct Postgres {
    script: Mutex<Script>,
    port: Port,
    certificate: Certificate,
    schemas: AtomicU64,
}

struct Script {
    child: Child,
    commands: Option<ChildStdin>,
    /// Closed when the script has ended.
    answers: Receiver<String>,
}

/// A port of the loopback address that is the server's even while it is away.
struct Port {
    number: u16,
    /// Bound to it, but not listening: nobody else gets it, the server does, and whoever connects meanwhile is refused.
    _reserved: OwnedFd,
}

impl Postgres {
    /// Starts a server. None, with a line that says so, if the package is not installed; where it must be (`CI=true`), that
    /// fails the test.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(
                !required,
                "postgresql is not installed: `make test` as root installs it"
            );
            skipped();
            return None;
        };
        let certificate = Certificate::for_names(&["localhost"]);
        let pem = |file| std::fs::read_to_string(file).expect("a certificate is read");
        let mut child = Command::new("sh")
            .args(["-c", AS_ITSELF, SCRIPT])
            .arg(programs)
            .env("TLS_CERT", pem(&certificate.cert_file))
            .env("TLS_KEY", pem(&certificate.key_file))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh is started");
        let commands = child.stdin.take();
        let said = child.stdout.take().expect("invariant: it is piped");
        let (sender, answers) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(said).lines().map_while(Result::ok);
            // Whoever does not listen any more has ended the script.
            let _ = lines.into_iter().try_for_each(|line| sender.send(line));
        });
        let mut script = Script {
            child,
            commands,
            answers,
        };
        let port = Port::reserve();
        let started = script.command(&format!("start {}", port.number));
        assert!(started, "postgres does not start");
        Some(Self {
            script: Mutex::new(script),
            port,
            certificate,
            schemas: AtomicU64::new(0),
        })
    }

    /// The server that all tests of this process share; as [`Postgres::start`].
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// The URL of a new, empty schema, which is as good as a database of its own and made in a moment.
    pub fn database(&self) -> String {
        let name = format!("s{}", self.schemas.fetch_add(1, Relaxed));
        self.command(&format!("create {}/{name}", self.port.number));
        let url = self.url("postgres");
        format!("{url}?sslmode=disable&options=-c%20search_path%3D{name}")
    }

    /// The URL of a database of this server, whether it is there or not. Its user is `campanile`, whose password is `s3cret`.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://campanile:s3cret@127.0.0.1:{}/{database}",
            self.port.number
        )
    }

    /// The URL of a database as `localhost`, over TLS with a certificate that must be the server's.
    pub fn url_with_tls(&self, database: &str) -> String {
        let url = self.url(database).replace("127.0.0.1", "localhost");
        let authority = self.certificate.ca_file.display();
        format!("{url}?sslmode=verify-full&sslrootcert={authority}")
    }

    /// Stops it as a crash does: all connections break.
    pub fn halt(&self) {
        self.command("stop");
    }

    /// Starts it again, on the same port.
    pub fn resume(&self) {
        self.command(&format!("start {}", self.port.number));
    }

    fn command(&self, command: &str) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(script.command(command), "{command} failed");
    }
}

impl Script {
    /// Whether a command went well.
    fn command(&mut self, command: &str) -> bool {
        let commands = self.commands.as_mut();
        let commands = commands.expect("invariant: it is there until the server is dropped");
        writeln!(commands, "{command}").expect("the script reads");
        match self.answers.recv_timeout(ANSWER_MAX) {
            Ok(answer) => answer == "yes",
            Err(RecvTimeoutError::Timeout) => panic!("{command} takes more than {ANSWER_MAX:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the script ended before {command}"),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.commands = None;
        // A late answer may come first.
        while let Ok(_late) = self.answers.recv_timeout(ANSWER_MAX) {}
        // However it ended, it has ended; or it never will.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Port {
    fn reserve() -> Self {
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("a socket");
        // Without it the server, which sets it too, could not share the port.
        sockopt::set_socket_reuseaddr(&socket, true).expect("an address may be reused");
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port is free");
        let address = getsockname(&socket).expect("it has an address");
        let address = SocketAddr::try_from(address).expect("invariant: it is of the internet");
        Self {
            number: address.port(),
            _reserved: socket,
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests sees what was not tested"
)]
fn skipped() {
    eprintln!("SKIPPED: postgresql is not installed (`make test` as root installs it)");
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    let versions = versions.filter_map(|version| version.ok()?.file_name().into_string().ok());
    let newest = versions.max_by_key(|version| version.parse::<u32>().unwrap_or(0))?;
    let programs = PathBuf::from(VERSIONS).join(newest).join("bin");
    programs.join("initdb").exists().then_some(programs)
}
