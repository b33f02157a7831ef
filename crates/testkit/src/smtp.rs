//! A mail server that is not ours: Debian's aiosmtpd, with a password and, unless it is told otherwise, encryption.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::Certificate;

/// Debian's own, which finds Debian's package; another one in the path would not.
const PYTHON: &str = "/usr/bin/python3";

const SCRIPT: &str = include_str!("smtp/server.py");

/// How long a mail may take that is on its way; far more than it needs, so that a slow machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the server speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// After STARTTLS, without which it takes no mail.
    Starttls,
    /// From the first byte.
    Implicit,
    /// Never.
    Never,
}

/// A running mail server; it ends with this value.
///
/// It takes mail of [`Smtp::USER`] alone. Recipients whose address begins with `busy` are refused for now (451), those
/// with `gone` for ever (550).
pub struct Smtp {
    /// `localhost:PORT`.
    pub address: String,
    /// What to trust, in PEM.
    pub ca_file: PathBuf,
    process: Child,
    mails: Receiver<Mail>,
    _certificate: Certificate,
}

/// A mail that the server has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender of its envelope.
    pub from: String,
    /// The recipients of its envelope.
    pub to: Vec<String>,
    /// Headers and body as they came.
    pub text: String,
}

impl Smtp {
    /// Who may send.
    pub const USER: &str = "campanile";

    /// With which password.
    pub const PASSWORD: &str = "not-so-secret";

    /// None if the package `python3-aiosmtpd` is not installed, and says so; with `CI` set it panics instead.
    pub fn start(tls: SmtpTls) -> Option<Self> {
        let known = Command::new(PYTHON)
            .args(["-c", "import aiosmtpd"])
            .output();
        if !known.is_ok_and(|output| output.status.success()) {
            let reason = "the package python3-aiosmtpd is not installed";
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            // Past the test's captured output, so that it is seen although the test passes.
            let note = format!("skipped: {reason}, so no mail was sent\n");
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                let _ = std::io::stderr().write_all(note.as_bytes());
            });
            return None;
        }
        let certificate = Certificate::for_names(&["localhost", "127.0.0.1"]);
        let mode = match tls {
            SmtpTls::Starttls => "starttls",
            SmtpTls::Implicit => "implicit",
            SmtpTls::Never => "never",
        };
        let mut process = Command::new(PYTHON)
            .args(["-c", SCRIPT, mode, Self::USER, Self::PASSWORD])
            .args([&certificate.cert_file, &certificate.key_file])
            // It ends when this is closed, also if the test is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let output = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port = lines.next().expect("it says its port once it listens");
        let (sender, mails) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let _ = sender.send(parse(&line));
            }
        });
        Some(Self {
            address: format!("localhost:{port}"),
            ca_file: certificate.ca_file.clone(),
            process,
            mails,
            _certificate: certificate,
        })
    }

    /// The next mail that it takes, in order; waits for it.
    pub fn next_mail(&self) -> Mail {
        let mail = self.mails.recv_timeout(PATIENCE);
        mail.expect("a mail arrives")
    }

    /// The mails that are there and that nobody has read; does not wait.
    pub fn new_mails(&self) -> Vec<Mail> {
        self.mails.try_iter().collect()
    }

    /// Whether no mail is there that nobody has read.
    ///
    /// A mail of which the sender knows that it was taken may come a moment later.
    pub fn has_none(&self) -> bool {
        self.mails.try_recv().is_err()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn parse(line: &str) -> Mail {
    let mail: Value = serde_json::from_str(line).expect("the script writes JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let to = mail["to"].as_array().into_iter().flatten();
    Mail {
        from: text(&mail["from"]),
        to: to.map(text).collect(),
        text: text(&mail["text"]),
    }
}
