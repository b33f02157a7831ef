//! The same targets as blackbox_exporter sees them: names, labels and values must agree.
//!
//! It needs `prometheus-blackbox-exporter` in the path and says so if it is not there.
//!
//! Known differences from Debian's 0.23, and why:
//! - `probe_tls_cipher_info`, and the label `serialnumber` of `probe_ssl_last_chain_info`: later versions have them.
//! - Help texts are our own words.
//! - A host with several addresses: it tries the first only, we try the others too, so `probe_ip_protocol` and
//!   `probe_ip_addr_hash` may differ if the first is broken.
//! - HTTP/2 is not offered, so `probe_http_version` is at most 1.1.
//! - Bodies are read up to a limit, and are not asked for in a compressed form.
//! - A connection that stands counts for the phase connect even if TLS fails on it; there it does not.
//! - The body of a redirect that is not followed is read, so it can be looked at for a keyword; there it is not.
//! - After own trouble there are no samples, where it has `probe_success 0`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::certificates::Authority;
use super::server::{Reaction, Server};
use super::*;

const BINARY: &str = "prometheus-blackbox-exporter";

/// What only we have.
const OWN: [&str; 1] = ["probe_tls_cipher_info"];
const OWN_LABELS: [&str; 1] = ["serialnumber"];

/// What a redirect that is not followed leaves at 0 there.
const BODY: &str = "probe_http_uncompressed_body_length";

/// Each tells how long its own work took.
const TIMES: [&str; 3] = [
    "probe_duration_seconds",
    "probe_dns_lookup_time_seconds",
    "probe_http_duration_seconds",
];

/// Values by series, as the exposition writes those.
type Values = BTreeMap<String, f64>;

#[tokio::test]
async fn targets_look_as_blackbox_exporter_sees_them() {
    let authority = Authority::new();
    let Some(peer) = Peer::start(&authority.pem()) else {
        return;
    };
    let page = |head: &str| {
        let text = format!("HTTP/1.1 {head}\r\n\r\nhello");
        move |_: &str| Reaction::Answer(text.clone().into_bytes())
    };
    let modified = "200 OK\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 5";
    let ok = Server::start(page(modified)).await;
    let missing = Server::start(page("404 Not Found\r\nContent-Length: 5")).await;
    let unannounced =
        Server::start(|_| Reaction::Answer(b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec())).await;
    let tls = Server::start_tls(authority.config("localhost", 2080), page(modified)).await;
    let expired = Server::start_tls(authority.config("localhost", 2021), page(modified)).await;
    let secure = format!("https://localhost:{}/", tls.address.port());
    let to_secure = Server::start(page(&format!(
        "302 Found\r\nLocation: {secure}\r\nContent-Length: 5"
    )))
    .await;
    let looping = Server::start(page("302 Found\r\nLocation: /again\r\nContent-Length: 5")).await;
    let closed = closed_port();
    for (module, url, settings) in [
        ("plain", format!("http://{}/", ok.address), ""),
        ("plain", format!("http://{}/", missing.address), ""),
        ("plain", format!("http://{}/", unannounced.address), ""),
        ("plain", secure, ""),
        (
            "plain",
            format!("https://localhost:{}/", expired.address.port()),
            "",
        ),
        ("plain", format!("http://{}/", to_secure.address), ""),
        ("plain", format!("http://{}/", looping.address), ""),
        ("plain", format!("http://{closed}/"), ""),
        (
            "plain",
            "http://name.that.does.not.exist.invalid/".to_owned(),
            "",
        ),
        (
            "here",
            format!("http://{}/", looping.address),
            ", follow_redirects: false",
        ),
        (
            "keyword",
            format!("http://{}/", ok.address),
            ", keyword: goodbye",
        ),
        (
            "keyword",
            format!("http://{}/", missing.address),
            ", keyword: goodbye",
        ),
    ] {
        let prober = prober_with(authority.options());
        let monitor = monitor(&format!("url: '{url}'{settings}"));
        let probe = prober.check(&monitor).await;
        if let Outcome::OwnTrouble(trouble) = &probe.outcome {
            // It has no state for this, so there is nothing to compare.
            println!("skipped {url}: {trouble}");
            continue;
        }
        let mut ours = own_values(&probe.samples(&Series::of(&monitor)));
        let mut theirs = peer.probe(module, &url).await;
        if module == "here" {
            ours.remove(BODY);
            theirs.remove(BODY);
        }
        let differences = compare(&ours, &theirs);
        assert!(
            differences.is_empty(),
            "{url} {settings}:\n{}",
            differences.join("\n")
        );
    }
}

fn compare(ours: &Values, theirs: &Values) -> Vec<String> {
    let mut differences = Vec::new();
    for (series, their) in theirs {
        let Some(our) = ours.get(series) else {
            differences.push(format!("{series}: only they have it"));
            continue;
        };
        let is_time = TIMES.iter().any(|time| series.starts_with(time));
        // A lookup without a question to anybody may be shorter than a clock can tell.
        let is_lookup = series.contains("resolve") || series.contains("lookup");
        let is_connect = series.contains("connect") && *our > 0.0;
        let is_same = match is_time {
            true => (*our > 0.0) == (*their > 0.0) || is_lookup || is_connect,
            false => our == their,
        };
        if !is_same {
            differences.push(format!("{series}: {our} here, {their} there"));
        }
    }
    for series in ours.keys().filter(|series| !theirs.contains_key(*series)) {
        differences.push(format!("{series}: only we have it"));
    }
    differences
}

fn own_values(samples: &[(Labels, Timestamp, f64)]) -> Values {
    let known = samples
        .iter()
        .filter(|(labels, _, _)| !OWN.contains(&labels.metric_name()));
    let shown = known.map(|(labels, _, value)| {
        let labels = labels.filtered(|name| name != "monitor" && !OWN_LABELS.contains(&name));
        (labels.to_string(), *value)
    });
    shown.collect()
}

/// The program, until it is dropped.
struct Peer {
    child: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// None without the program, which only a desk may be.
    fn start(root: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let root_file = directory.path().join("root.pem");
        std::fs::write(&root_file, root).unwrap();
        let http = format!(
            "preferred_ip_protocol: ip4, tls_config: {{ca_file: {}}}",
            root_file.display()
        );
        let config = format!(
            "modules:
  plain: {{prober: http, timeout: 5s, http: {{{http}}}}}
  here: {{prober: http, timeout: 5s, http: {{{http}, follow_redirects: false}}}}
  keyword: {{prober: http, timeout: 5s, http: {{{http}, fail_if_body_not_matches_regexp: [goodbye]}}}}
"
        );
        let file = directory.path().join("blackbox.yml");
        std::fs::write(&file, config).unwrap();
        let started = Command::new(BINARY)
            .arg(format!("--config.file={}", file.display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "{BINARY}: {error}");
                println!("skipped: {BINARY} is not installed");
                return None;
            }
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("address=")?;
            Some(address.trim_matches('"').to_owned())
        });
        // Who does not read what it says stops it when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address: address.expect("it says where it listens"),
            _directory: directory,
        })
    }

    async fn probe(&self, module: &str, url: &str) -> Values {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET /probe?module={module}&target={url} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let samples = body
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let parsed = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        let values: Values = parsed.collect();
        assert!(values.contains_key("probe_success"), "{answer}");
        values
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
