//! The same machine as node_exporter sees it: names, types, label sets and values must agree.
//!
//! It needs `prometheus-node-exporter` in the path and says so if it is not there. Counters move on while one looks, so
//! a reading is taken before the peer's and one after, and the peer's value must lie between the two.
//!
//! Known differences from Debian's 1.5.0, none of which can be seen on the machines compared here: irq pressure; serial
//! numbers as later versions find them (`SCSI_IDENT_SERIAL`, then `ID_SERIAL_SHORT`, then `ID_SERIAL`); bytes of file
//! systems in fragments, as df counts, not in preferred blocks; every octal escape in mount points; one malformed line
//! costs that line, not the collector; no `node_cpu_core_throttles_total`, `node_cpu_package_throttles_total`,
//! `node_cpu_isolated`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant, SystemTime};

use model::{Clock, Labels, MetricFamily, Timestamp};

use super::{config_of, procfs_of};
use crate::host::{Config, Host};

const BINARY: &str = "prometheus-node-exporter";

/// That of Debian 12; others have other metrics.
const VERSION: &str = "1.5.0";

/// The collectors that both have.
const COLLECTORS: [&str; 11] = [
    "cpu",
    "diskstats",
    "filefd",
    "filesystem",
    "loadavg",
    "meminfo",
    "netdev",
    "pressure",
    "stat",
    "time",
    "uname",
];

/// What only one of the two has, and why.
const ONE_SIDED: [&str; 2] = [
    // It describes the other program.
    "node_exporter_build_info",
    // Debian's 1.5.0 is older than this file of the kernel; later versions have it.
    "node_pressure_irq_stalled_seconds_total",
];

/// Their help begins with "node_exporter:" there.
const OWN_HELP: [&str; 2] = [DURATION, "node_scrape_collector_success"];

/// Each tells how long its own work took.
const DURATION: &str = "node_scrape_collector_duration_seconds";

/// How far the peer's value may be from what lies between ours.
#[derive(Clone, Copy)]
struct Slack {
    absolute: f64,
    relative: f64,
}

/// Arithmetic in another order.
const ROUNDING: Slack = Slack {
    absolute: 0.0,
    relative: 1e-12,
};

/// Gauges of a live machine go up and down between two readings.
const MOVING_GAUGE: Slack = Slack {
    absolute: 16.0,
    relative: 0.05,
};

/// A metric as an exposition shows it: type, help, and values by label set.
#[derive(Debug, Default, PartialEq)]
struct Metric {
    kind: String,
    help: String,
    values: BTreeMap<String, f64>,
}

type Metrics = BTreeMap<String, Metric>;

#[test]
fn this_machine_looks_as_node_exporter_sees_it() {
    let Some(mut peer) = Peer::start(&COLLECTORS, &[]) else {
        return;
    };
    let host = Host::new(Config::default(), Arc::new(SystemClock::new()));
    // The peer's first scrape opens files that its later ones need no more.
    peer.scrape();
    let before = own_metrics(&host.collect().families);
    let theirs = parse_exposition(&peer.scrape());
    let after = own_metrics(&host.collect().families);
    let differences = compare(&before, &theirs, &after, MOVING_GAUGE);
    let shown = differences.join("\n");
    assert!(differences.is_empty(), "differences:\n{shown}");
}

/// Collectors and the beginnings of their metrics' names that say nothing about a fixture: these ask the system.
const OF_THE_SYSTEM: [(&str, &str); 3] = [
    ("filesystem", "node_filesystem_"),
    ("time", "node_time_"),
    ("uname", "node_uname_"),
];

/// Seen from a container, the machine's network is that of process 1; the peer shows the container's own.
const OF_THE_CONTAINER: (&str, &str) = ("netdev", "node_network_");

/// The files do not move, so one reading is enough, and the values are equal.
#[test]
fn other_machines_look_as_node_exporter_sees_them() {
    let mut skipped = OF_THE_SYSTEM.to_vec();
    for machine in ["virtual-machine", "arm-board", "server-256", "old-kernel"] {
        check_machine(machine, &skipped);
    }
    skipped.push(OF_THE_CONTAINER);
    check_machine("container", &skipped);
}

fn check_machine(machine: &str, skipped: &[(&str, &str)]) {
    let mut config = config_of(procfs_of(machine));
    config.sysfs = config.procfs.clone();
    config.rootfs = config.procfs.with_file_name("rootfs");
    let udev = config.rootfs.join("run/udev/data");
    let arguments = [
        format!("--path.procfs={}", config.procfs.display()),
        format!("--path.sysfs={}", config.sysfs.display()),
        format!("--path.udev.data={}", udev.display()),
        "--no-collector.netdev.netlink".to_owned(),
    ];
    let mut collectors = COLLECTORS.to_vec();
    collectors.retain(|name| !skipped.iter().any(|(collector, _)| name == collector));
    let Some(mut peer) = Peer::start(&collectors, &arguments) else {
        return;
    };
    let host = Host::new(config, Arc::new(SystemClock::new()));
    let mut families = host.collect().families;
    families.retain(|family| {
        !skipped
            .iter()
            .any(|(_, prefix)| family.name.starts_with(prefix))
    });
    for family in &mut families {
        family.points.retain(|point| {
            let collector = point.labels.get("collector").unwrap_or("");
            !skipped.iter().any(|(name, _)| *name == collector)
        });
    }
    let ours = own_metrics(&families);
    let theirs = parse_exposition(&peer.scrape());
    let differences = compare(&ours, &theirs, &ours, ROUNDING);
    let shown = differences.join("\n");
    assert!(differences.is_empty(), "{machine} differs:\n{shown}");
}

/// What is different between two own readings and the peer's in the middle, line by line.
fn compare(before: &Metrics, theirs: &Metrics, after: &Metrics, gauge: Slack) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, their) in theirs {
        let (Some(early), Some(late)) = (before.get(name), after.get(name)) else {
            differences.push(format!("{name}: only node_exporter has it"));
            continue;
        };
        if early.kind != their.kind {
            let (ours, theirs) = (&early.kind, &their.kind);
            differences.push(format!("{name}: {ours} here, {theirs} there"));
        }
        if early.help != their.help && !OWN_HELP.contains(&&**name) {
            let (ours, theirs) = (&early.help, &their.help);
            differences.push(format!("{name}: help {ours:?} here, {theirs:?} there"));
        }
        if !early.values.keys().eq(their.values.keys()) {
            let (ours, theirs) = (early.values.keys(), their.values.keys());
            differences.push(format!("{name}: labels {ours:?} here, {theirs:?} there"));
            continue;
        }
        let slack = if their.kind == "gauge" {
            gauge
        } else {
            ROUNDING
        };
        for (labels, value) in &their.values {
            let early = early.values[labels];
            let late = late.values.get(labels).copied().unwrap_or(f64::NAN);
            if name != DURATION && !is_between([early, late], *value, slack) {
                differences.push(format!(
                    "{name}{labels}: {early} and {late} here, {value} there"
                ));
            }
        }
    }
    for name in before.keys().filter(|name| !theirs.contains_key(*name)) {
        differences.push(format!("{name}: only we have it"));
    }
    differences
}

fn is_between([early, late]: [f64; 2], value: f64, slack: Slack) -> bool {
    let magnitude = value.abs().max(early.abs()).max(late.abs());
    let slack = slack.absolute + slack.relative * magnitude;
    (early.min(late) - slack..=early.max(late) + slack).contains(&value)
}

fn own_metrics(families: &[MetricFamily]) -> Metrics {
    let mut metrics = Metrics::new();
    for family in families {
        if ONE_SIDED.contains(&&*family.name) {
            continue;
        }
        let values = family.points.iter().map(|point| {
            let labels = point.labels.filtered(|name| name != model::NAME);
            (labels.to_string(), point.value)
        });
        let metric = Metric {
            kind: family.metadata.kind.to_string(),
            help: family.metadata.help.clone(),
            values: values.collect(),
        };
        metrics.insert(family.name.clone(), metric);
    }
    metrics
}

/// Reads what node_exporter writes: plain names, label values without escapes but `\\` and `\"`.
fn parse_exposition(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            metrics.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            metrics.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = parse_labels(labels.strip_suffix('}').unwrap());
            let values = &mut metrics.entry(name.to_owned()).or_default().values;
            values.insert(labels.to_string(), value.parse().unwrap());
        }
    }
    metrics.retain(|name, _| name.starts_with("node_") && !ONE_SIDED.contains(&&**name));
    metrics
}

fn parse_labels(mut text: &str) -> Labels {
    let mut pairs = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => value.push(characters.next().unwrap().1),
                (_, character) => value.push(character),
            }
        };
        pairs.push((name.trim_start_matches(',').to_owned(), value));
        text = &rest[end + 1..];
    }
    Labels::from_pairs(pairs).unwrap()
}

/// Whether the peer is there, in the version whose names are written down here.
fn check_version() -> Result<(), String> {
    let Ok(output) = Command::new(BINARY).arg("--version").output() else {
        return Err(format!("{BINARY} is not installed"));
    };
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    if told.contains(&format!("version {VERSION}")) {
        return Ok(());
    }
    let line = told.lines().next().unwrap_or("nothing");
    Err(format!(
        "{BINARY} is not of version {VERSION} but says {line:?}"
    ))
}

/// A node_exporter with only the collectors that we have; it ends with this value.
struct Peer {
    process: Child,
    address: String,
}

impl Peer {
    /// None if it is not installed or of another version, and says so.
    fn start(collectors: &[&str], arguments: &[String]) -> Option<Self> {
        let mut command = Command::new(BINARY);
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--collector.disable-defaults")
            .arg("--web.disable-exporter-metrics");
        for collector in collectors {
            command.arg(format!("--collector.{collector}"));
        }
        command.args(arguments).stderr(Stdio::piped());
        if let Err(reason) = check_version() {
            // Past the test's captured output, so that it is seen although the test passes.
            let note = format!("skipped: {reason}, so nothing was compared with it\n");
            static SAID: Once = Once::new();
            SAID.call_once(|| std::io::stderr().write_all(note.as_bytes()).unwrap());
            return None;
        }
        let mut process = command.spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        // It logs the address once it listens there.
        let mut lines = log.lines();
        let address = loop {
            let line = lines.next().expect("it logs its address").unwrap();
            if let Some((_, address)) = line.split_once("address=127.0.0.1:") {
                break format!("127.0.0.1:{}", address.trim());
            }
        };
        // Someone has to read the rest, or it stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, address })
    }

    fn scrape(&mut self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("200 OK"), "{head}");
        body.to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The system's clock; only here, where another program reads it too.
struct SystemClock {
    start: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the peer reads the real clock too"
)]
impl SystemClock {
    fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the peer reads the real clock too"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp::from_millis(since.unwrap().as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
