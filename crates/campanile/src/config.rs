//! The program's configuration: defaults, then the file, then the environment, then flags; the last one wins.
//!
//! Every source is read in full, so that all problems of all of them come at once. The one list of what can be
//! set is in [`settings`]; from it follow the keys of the file, the environment variables and the reference page.

mod access;
mod alerting;
mod environment;
mod file;
mod kind;
mod lists;
pub(crate) mod reference;
mod rules;
mod secret;
mod settings;
mod storage;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Document, Problem, Value};
use model::{Matcher, Network};
use server::RateLimits;

pub(crate) use access::{Access, Tls};
pub(crate) use alerting::{Alerting, load_alertmanager};
pub(crate) use environment::Environment;
pub(crate) use file::source;
pub(crate) use secret::Secret;
use settings::{SETTINGS, Setting};
pub(crate) use tsdb::Acknowledge;

/// What `serve` runs with; every value is checked, every path that stood in a file is joined to the file's directory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where people reach the server, without a slash at its end; empty if nobody said it.
    pub(crate) external_url: String,
    /// Whose word about the address of a client is believed.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Whether that word stands in `Forwarded`.
    pub(crate) is_forwarded_standard: bool,
    /// Addresses that are not public, to which a public host may lead.
    pub(crate) outbound_allow: Vec<Network>,
    /// How long requests are taken after the end was asked for.
    pub(crate) shutdown_delay: Duration,
    pub(crate) data_dir: PathBuf,
    /// The database of the catalog; it lies in the data directory if it is none.
    pub(crate) database_url: Option<Secret>,
    pub(crate) access: Access,
    pub(crate) tls: Tls,
    pub(crate) log: Log,
    pub(crate) limits: Limits,
    /// Whether own metrics are stored, as `job="campanile"`.
    pub(crate) store_own_metrics: bool,
    pub(crate) host: Host,
    pub(crate) storage: Storage,
    pub(crate) query: Query,
    pub(crate) alerting: Alerting,
    /// What is allowed, but should be thought over.
    pub(crate) warnings: Vec<Problem>,
    /// The settings by their place and the text of the file, as they may be shown: without secrets.
    pub(crate) shown: Shown,
}

/// A configuration for people.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shown {
    /// The value that counts for each setting that has a place of its own.
    pub(crate) settings: BTreeMap<String, String>,
    /// The file as it is written; empty if there is none.
    pub(crate) file: String,
}

/// What is written to the log, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Log {
    pub(crate) level: LogLevel,
    pub(crate) format: LogFormat,
}

/// The least severe events that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What the program may use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    pub(crate) memory: MemoryLimit,
    /// Series in the head; 0 is no limit.
    pub(crate) active_series: u64,
    /// Series that begin within an hour; 0 is no limit.
    pub(crate) new_series_per_hour: u64,
    /// Labels of one series; 0 is no limit.
    pub(crate) labels_per_series: u64,
    /// Bytes of a label's name; 0 is no limit.
    pub(crate) label_name_bytes: u64,
    /// Bytes of a label's value; 0 is no limit.
    pub(crate) label_value_bytes: u64,
    /// The label of which each value has its own budget of series …
    pub(crate) cardinality_label: String,
    /// … which is this; 0 is no limit.
    pub(crate) cardinality_series: u64,
    /// Bytes of a request's body as it comes.
    pub(crate) request_body: u64,
    /// Bytes of a request's body after decompression.
    pub(crate) request_body_decompressed: u64,
    pub(crate) concurrent_queries: u64,
    /// How often somebody may ask.
    pub(crate) rates: RateLimits,
}

/// How much memory may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryLimit {
    /// Percent of the machine's or the container's memory.
    Share(u8),
    Bytes(u64),
}

/// The metrics of this machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Host {
    pub(crate) enabled: bool,
    pub(crate) interval: Duration,
    pub(crate) procfs: PathBuf,
    pub(crate) sysfs: PathBuf,
    pub(crate) rootfs: PathBuf,
}

/// What the store keeps and takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Storage {
    pub(crate) retention: Duration,
    /// Bytes of the store's files; 0 is no limit.
    pub(crate) retention_size: u64,
    /// Percent of the file system that may be in use; none is no limit.
    pub(crate) retention_disk: Option<u8>,
    /// How long samples of certain series are kept, shorter than the others.
    pub(crate) selector_retention: Vec<(Vec<Matcher>, Duration)>,
    pub(crate) out_of_order_window: Duration,
    pub(crate) acknowledge: Acknowledge,
    /// Whether samples can be deleted and snapshots made by HTTP.
    pub(crate) admin_api: bool,
}

/// What a query may cost, and how far it looks back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) timeout: Duration,
    pub(crate) max_samples: u64,
    /// 0 is no limit.
    pub(crate) max_series: u64,
    /// In bytes; 0 is no limit of its own.
    pub(crate) max_memory: u64,
    /// Zero logs none.
    pub(crate) log_slower_than: Duration,
    pub(crate) lookback_delta: Duration,
    pub(crate) experimental: bool,
}

/// What was given by flags, as texts; their variables are read from the [`Environment`], not by the flags' parser.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<String>,
    pub(crate) data_dir: Option<String>,
    pub(crate) auth: Option<String>,
    pub(crate) log_format: Option<String>,
    pub(crate) role: Option<String>,
}

impl Overrides {
    fn of(&self, flag: &str) -> Option<&str> {
        match flag {
            "--listen" => self.listen.as_deref(),
            "--data-dir" => self.data_dir.as_deref(),
            "--auth" => self.auth.as_deref(),
            "--log-format" => self.log_format.as_deref(),
            "--role" => self.role.as_deref(),
            _ => None,
        }
    }
}

/// Everything that is wrong with a configuration; `Display` shows each problem with its excerpt, and their number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConfigProblems(pub(crate) Vec<Problem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(formatter, "{problem}")?;
        }
        match self.0.len() {
            1 => formatter.write_str("1 problem in the configuration"),
            count => write!(formatter, "{count} problems in the configuration"),
        }
    }
}

impl std::error::Error for ConfigProblems {}

/// Reads the configuration for `serve`; without a file, `CAMPANILE_CONFIG` may name one.
///
/// Errors: all problems of the file, the variables and the flags.
pub(crate) fn load(
    file: Option<&Path>,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Config, ConfigProblems> {
    let file = file.or_else(|| environment.get("CAMPANILE_CONFIG").map(Path::new));
    let mut problems = Vec::new();
    let document = match file.map(|path| file::parse(path, environment)) {
        None => None,
        Some(Ok(document)) => Some(document),
        Some(Err(found)) => {
            problems.extend(found);
            None
        }
    };
    let directory = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let given = given_texts(overrides, environment);

    let defaults: Vec<_> = SETTINGS.iter().map(default_text).collect();
    let mut draft = Draft::blank();
    for (setting, text) in &defaults {
        draft.read(setting, text.root().at(setting.path), Origin::Default);
    }
    if let Some(document) = &document {
        file::read(document, directory, &mut draft);
    }
    for (setting, text) in &given {
        draft.read(
            setting,
            text.root().at(setting.path),
            Origin::Written(Path::new("")),
        );
    }
    secret::read_files(&mut draft);
    rules::check(&draft);
    let shown = Shown {
        settings: draft.shown(),
        file: document
            .as_ref()
            .map_or_else(String::new, |document| document.source().without_secrets()),
    };
    let Draft {
        mut config, read, ..
    } = draft;
    config.shown = shown;
    let read = read.complete(config.host.enabled);
    config.alerting = read.alerting;
    config.warnings = read.warnings;

    problems.extend(read.problems);
    problems.extend(document.into_iter().flat_map(Document::into_problems));
    problems.extend(environment::unknown_variables(environment));
    for (_, text) in given.into_iter().chain(defaults) {
        problems.extend(text.into_problems());
    }
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(ConfigProblems(problems))
    }
}

/// A configuration while its sources are read, one over the other.
struct Draft<'d> {
    config: Config,
    role: &'static str,
    secret_files: access::SecretFiles,
    read: alerting::Read,
    /// How long certain series are kept, and where that stands.
    selector_retention: Vec<(Value<'d>, Duration)>,
    /// The value that counts for each setting, and whether it could be read.
    values: HashMap<&'static str, Reading<'d>>,
}

struct Reading<'d> {
    value: Value<'d>,
    is_default: bool,
    is_good: bool,
}

impl Config {
    /// Where a server with this configuration is reached that listens on an address, without a slash at its end.
    pub(crate) fn place(&self, address: SocketAddr) -> String {
        match (self.external_url.is_empty(), &self.tls.cert_file) {
            (false, _) => self.external_url.clone(),
            (true, Some(_)) => format!("https://{address}"),
            (true, None) => format!("http://{address}"),
        }
    }
}

/// Whose value is read.
#[derive(Clone, Copy)]
enum Origin<'p> {
    Default,
    /// Someone wrote it; a relative path is taken from this directory.
    Written(&'p Path),
}

impl<'d> Draft<'d> {
    /// Before the defaults have been read, nothing in it has a meaning.
    fn blank() -> Self {
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            external_url: String::new(),
            trusted_proxies: Vec::new(),
            is_forwarded_standard: false,
            outbound_allow: Vec::new(),
            shutdown_delay: Duration::ZERO,
            data_dir: PathBuf::new(),
            database_url: None,
            access: Access::default(),
            tls: Tls::default(),
            log: Log {
                level: LogLevel::Info,
                format: LogFormat::Text,
            },
            limits: Limits {
                memory: MemoryLimit::Bytes(0),
                active_series: 0,
                new_series_per_hour: 0,
                labels_per_series: 0,
                label_name_bytes: 0,
                label_value_bytes: 0,
                cardinality_label: String::new(),
                cardinality_series: 0,
                request_body: 0,
                request_body_decompressed: 0,
                concurrent_queries: 0,
                rates: RateLimits::default(),
            },
            store_own_metrics: false,
            host: Host {
                enabled: false,
                interval: Duration::ZERO,
                procfs: PathBuf::new(),
                sysfs: PathBuf::new(),
                rootfs: PathBuf::new(),
            },
            storage: Storage {
                retention: Duration::ZERO,
                retention_size: 0,
                retention_disk: None,
                selector_retention: Vec::new(),
                out_of_order_window: Duration::ZERO,
                acknowledge: Acknowledge::Synced,
                admin_api: false,
            },
            query: Query {
                timeout: Duration::ZERO,
                max_samples: 0,
                max_series: 0,
                max_memory: 0,
                log_slower_than: Duration::ZERO,
                lookback_delta: Duration::ZERO,
                experimental: false,
            },
            alerting: Alerting::default(),
            warnings: Vec::new(),
            shown: Shown::default(),
        };
        Self {
            config,
            role: "",
            secret_files: access::SecretFiles::default(),
            read: alerting::Read::default(),
            selector_retention: Vec::new(),
            values: HashMap::new(),
        }
    }

    fn read(&mut self, setting: &Setting, value: Value<'d>, origin: Origin<'_>) {
        let (directory, is_default) = match origin {
            Origin::Default => (Path::new(""), true),
            Origin::Written(directory) => (directory, false),
        };
        let is_good = setting.kind.read(value.clone(), directory, self).is_some();
        let reading = Reading {
            value,
            is_default,
            is_good,
        };
        self.values.insert(setting.path, reading);
    }
}

impl Draft<'_> {
    fn shown(&self) -> BTreeMap<String, String> {
        let texts = self.values.iter().map(|(path, reading)| {
            let shown = match reading.value.kind() {
                "list" => list(&reading.value),
                _ => reading.value.shown(),
            };
            let quoted = shown
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            let text = match quoted {
                Some(text) => text.to_owned(),
                None if shown == "an empty text" => String::new(),
                // So a message calls what it must not repeat.
                None if shown == "this" => "<secret>".to_owned(),
                None => shown,
            };
            ((*path).to_owned(), text)
        });
        texts.collect()
    }
}

/// The items of a list, as a variable would give them.
fn list(value: &Value<'_>) -> String {
    let items = value.clone().items().into_iter().flatten();
    let texts = items.filter_map(Value::text);
    texts.collect::<Vec<_>>().join(", ")
}

fn default_text(setting: &'static Setting) -> (&'static Setting, Document) {
    let name = format!("the default of {}", setting.path);
    (setting, Document::of_text(&name, setting.default))
}

/// The settings that variables and flags give; flags last, since they win.
fn given_texts(
    overrides: &Overrides,
    environment: &Environment,
) -> Vec<(&'static Setting, Document)> {
    let mut given = Vec::new();
    for setting in SETTINGS {
        for variable in setting.variables() {
            if let Some(text) = environment.get(&variable) {
                let name = format!("environment variable {variable}");
                given.push((setting, Document::of_text(&name, text)));
            }
        }
    }
    for setting in SETTINGS {
        let Some(flag) = setting.flag else { continue };
        if let Some(text) = overrides.of(flag) {
            given.push((setting, Document::of_text(flag, text)));
        }
    }
    given
}
