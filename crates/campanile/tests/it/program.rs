//! Starts the real program on a free port with an empty data directory, and stops it when the test ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is normally done in a fraction of a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `campanile serve`.
pub(crate) struct Program {
    child: Child,
    log: Receiver<Value>,
    /// Lines that came before one that was waited for.
    passed_over: Vec<Value>,
    url: String,
}

impl Program {
    /// Starts `campanile serve` on a free port of the loopback address, where everybody may do everything, and waits until
    /// it says that it listens.
    pub(crate) fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut serve = serve(data_dir);
        serve.args(["--auth", "off"]).args(arguments);
        Self::start_as(serve)
    }

    /// As [`Program::start`], where everybody must say who they are.
    pub(crate) fn start_guarded(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut serve = serve(data_dir);
        serve.args(arguments);
        Self::start_as(serve)
    }

    /// Starts a command that is `campanile serve` and logs in JSON, and waits until it says that it listens.
    pub(crate) fn start_as(mut command: Command) -> Self {
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("log line {line:?} is no JSON: {error}"));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut program = Self {
            child,
            log,
            passed_over: Vec::new(),
            url: String::new(),
        };
        let listening = program.wait_for_event("listening");
        program.url = format!("http://{}", listening["address"].as_str().unwrap());
        program
    }

    /// The URL of a path on the running program.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log line with that event.
    pub(crate) fn wait_for_event(&mut self, event: &str) -> Value {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line["event"] == event => return line,
                Ok(line) => self.passed_over.push(line),
                Err(error) => {
                    let seen = &self.passed_over;
                    panic!("no event {event:?} ({error}); seen:\n{seen:#?}")
                }
            }
        }
    }

    /// The log lines of the start, and others that came before a line that was waited for.
    pub(crate) fn passed_over(&self) -> &[Value] {
        &self.passed_over
    }

    /// The log lines that have come since they were asked for last.
    pub(crate) fn new_lines(&self) -> Vec<Value> {
        self.log.try_iter().collect()
    }

    /// Waits until `/-/ready` answers 200.
    pub(crate) fn wait_until_ready(&self) {
        until("the program is ready", || {
            get(&self.url("/-/ready")).0 == 200
        });
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Kills the process at once, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `campanile serve` on a free port of the loopback address, with its log in JSON.
pub(crate) fn serve(data_dir: &Path) -> Command {
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    serve.arg("--data-dir").arg(data_dir);
    serve
}

/// The program with arguments, in an environment without settings of ours.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_campanile"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAMPANILE_")) {
        command.env_remove(name);
    }
    // A manager that started the tests is told nothing by the programs under test.
    command
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Runs the program to its end with something on its standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// An empty directory that vanishes with the test.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Tries again, up to [`PATIENCE`], until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let attempts = PATIENCE.as_millis() / 20;
    for _ in 0..attempts {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("after {PATIENCE:?} it is still not so that {what}");
}

/// Status and body of a GET request; status 0 if the server cannot be reached.
pub(crate) fn get(url: &str) -> (u16, String) {
    send(reqwest::Method::GET, url, &[], Vec::new())
}

/// Status and body of a request; status 0 and the reason if the server cannot be reached.
pub(crate) fn send(
    method: reqwest::Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, String) {
    let (status, body) = send_for_bytes(method, url, headers, body);
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// What a server answers, its headers included; redirects are not followed.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// A header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .unwrap_or_else(|| panic!("no {name}: {:?}", self.headers))
            .to_str()
            .unwrap()
    }
}

/// As [`send`], with the headers of the answer, and without following redirects.
pub(crate) fn send_for_answer(
    method: reqwest::Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // It may have been set by another test, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut request = client.request(method, url).body(body).timeout(PATIENCE);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    })
}

/// As [`send`], for a body that is no text.
pub(crate) fn send_for_bytes(
    method: reqwest::Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // It may have been set by another test, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut request = client.request(method, url).body(body).timeout(PATIENCE);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return (0, format!("{error:?}").into_bytes()),
        };
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap_or_default();
        (status, body.to_vec())
    })
}

/// The JSON body of a GET request that must succeed.
pub(crate) fn get_json(url: &str) -> Value {
    let (status, body) = get(url);
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{url}: {error}: {body}"))
}

/// The value of an instant query that yields one series; none if it yields none.
pub(crate) fn query_value(program: &Program, expression: &str) -> Option<f64> {
    let url = program.url(&format!("/api/v1/query?query={}", escape(expression)));
    let answer = get_json(&url);
    let result = answer["data"]["result"].as_array().unwrap().clone();
    assert!(
        result.len() <= 1,
        "{expression} yields {} series",
        result.len()
    );
    result
        .first()
        .map(|series| series["value"][1].as_str().unwrap().parse().unwrap())
}

/// A text as it may stand in a URL's query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
