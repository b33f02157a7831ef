//! Everything that can be set: key, default, type, where it is put, what it means. The only list of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Amount, Value, show_size};
use http::Uri;

use super::{Acknowledge, Draft, LogFormat, LogLevel, MemoryLimit};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const PIB: u64 = 1 << 50;

/// One thing that can be set.
pub(super) struct Setting {
    /// `section.key`, or `key` at the top level.
    pub(super) path: &'static str,
    /// As it would be written.
    pub(super) default: &'static str,
    pub(super) kind: Kind,
    /// The flag of `serve`, if it has one.
    pub(super) flag: Option<&'static str>,
    pub(super) meaning: &'static str,
}

/// What a setting takes, and where it is put.
pub(super) enum Kind {
    Address(fn(&mut Draft<'_>, SocketAddr)),
    Boolean(fn(&mut Draft<'_>, bool)),
    /// Words, each with what it does.
    Choice(&'static [(&'static str, Choose)]),
    Duration(Duration, Duration, fn(&mut Draft<'_>, Duration)),
    Integer(u32, u64, fn(&mut Draft<'_>, u64)),
    /// The name of a label.
    LabelName(fn(&mut Draft<'_>, String)),
    Memory(fn(&mut Draft<'_>, MemoryLimit)),
    Path(fn(&mut Draft<'_>, PathBuf)),
    /// An address of web pages; empty if it is not given.
    Url(fn(&mut Draft<'_>, String)),
    /// A share of something, or none.
    Share(fn(&mut Draft<'_>, Option<u8>)),
    Size(u64, u64, fn(&mut Draft<'_>, u64)),
    /// `on` or `off`.
    Switch(fn(&mut Draft<'_>, bool)),
}

/// Does what one word of a [`Kind::Choice`] says.
type Choose = fn(&mut Draft<'_>);

/// The least and most memory that can be given in bytes.
const MEMORY: (u64, u64) = (64 * MIB, 1024 * 1024 * GIB);

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        path: "listen",
        default: "127.0.0.1:9595",
        kind: Kind::Address(|draft, address| draft.config.listen = address),
        flag: Some("--listen"),
        meaning: "The address and port of the web pages and all HTTP APIs. An address that other machines reach \
                  needs `auth.mode` written out.",
    },
    Setting {
        path: "external_url",
        default: "",
        kind: Kind::Url(|draft, url| draft.config.external_url = url),
        flag: None,
        meaning: "Where people reach this server, for the links in messages; it may have a path. Without it links lead \
                  to the listen address.",
    },
    Setting {
        path: "data_dir",
        default: "./data",
        kind: Kind::Path(|draft, path| draft.config.data_dir = path),
        flag: Some("--data-dir"),
        meaning: "The directory that holds everything that is kept.",
    },
    Setting {
        path: "role",
        default: "all",
        kind: Kind::Choice(&[
            ("all", |draft| draft.role = "all"),
            ("collect", |draft| draft.role = "collect"),
            ("process", |draft| draft.role = "process"),
            ("alert", |draft| draft.role = "alert"),
            ("query", |draft| draft.role = "query"),
        ]),
        flag: Some("--role"),
        meaning: "The part of the work that this process does; only `all` is supported yet.",
    },
    Setting {
        path: "log.level",
        default: "info",
        kind: Kind::Choice(&[
            ("error", |draft| draft.config.log.level = LogLevel::Error),
            ("warn", |draft| draft.config.log.level = LogLevel::Warn),
            ("info", |draft| draft.config.log.level = LogLevel::Info),
            ("debug", |draft| draft.config.log.level = LogLevel::Debug),
            ("trace", |draft| draft.config.log.level = LogLevel::Trace),
        ]),
        flag: None,
        meaning: "The least severe events that are logged.",
    },
    Setting {
        path: "log.format",
        default: "text",
        kind: Kind::Choice(&[
            ("text", |draft| draft.config.log.format = LogFormat::Text),
            ("json", |draft| draft.config.log.format = LogFormat::Json),
        ]),
        flag: Some("--log-format"),
        meaning: "Log lines for people, or one JSON object per line.",
    },
    Setting {
        path: "auth.mode",
        default: "off",
        kind: Kind::Switch(|draft, on| draft.auth = on),
        flag: Some("--auth"),
        meaning: "Access control. It does not exist yet in this version: only `off` is accepted.",
    },
    Setting {
        path: "limits.memory",
        default: "60%",
        kind: Kind::Memory(|draft, limit| draft.config.limits.memory = limit),
        flag: None,
        meaning: "The memory to plan with: a share of the machine's or the container's, or a size. The store takes at most 60 % of it, \
                  all queries together 24 %; what does not fit is refused ([how it is divided](operations.md#limits-and-memory)).",
    },
    Setting {
        path: "limits.active_series",
        default: "0",
        kind: Kind::Integer(0, 1_000_000_000, |draft, count| {
            draft.config.limits.active_series = count;
        }),
        flag: None,
        meaning: "The most series with samples within the retention; 0 is no limit.",
    },
    Setting {
        path: "limits.new_series_per_hour",
        default: "0",
        kind: Kind::Integer(0, 1_000_000_000, |draft, count| {
            draft.config.limits.new_series_per_hour = count;
        }),
        flag: None,
        meaning: "How many series may begin within an hour; samples of further new ones are refused until it is over. 0 is \
                  no limit.",
    },
    Setting {
        path: "limits.labels_per_series",
        // Metrics of Kubernetes objects with all their labels have a few dozen; four times that is a mistake.
        default: "256",
        kind: Kind::Integer(0, 1_000_000, |draft, count| {
            draft.config.limits.labels_per_series = count;
        }),
        flag: None,
        meaning: "How many labels a series may have, its name among them; 0 is no limit.",
    },
    Setting {
        path: "limits.label_name_bytes",
        // Long names come from keys of Kubernetes, which end at 317 bytes, with a prefix.
        default: "512",
        kind: Kind::Integer(0, 1_000_000, |draft, bytes| {
            draft.config.limits.label_name_bytes = bytes;
        }),
        flag: None,
        meaning: "How long the name of a label may be, in bytes; 0 is no limit.",
    },
    Setting {
        path: "limits.label_value_bytes",
        // Addresses of web pages and statements of databases stand in labels; a whole document does not.
        default: "65536",
        kind: Kind::Integer(0, 1_000_000, |draft, bytes| {
            draft.config.limits.label_value_bytes = bytes;
        }),
        flag: None,
        meaning: "How long the value of a label may be, in bytes; 0 is no limit.",
    },
    Setting {
        path: "limits.cardinality.label",
        default: "job",
        kind: Kind::LabelName(|draft, name| draft.config.limits.cardinality_label = name),
        flag: None,
        meaning: "The label of which each value has a budget of series of its own, so that one job cannot take the room of all.",
    },
    Setting {
        path: "limits.cardinality.series",
        default: "0",
        kind: Kind::Integer(0, 1_000_000_000, |draft, count| {
            draft.config.limits.cardinality_series = count;
        }),
        flag: None,
        meaning: "How many series there may be with each value of that label; samples of further ones are refused. 0 is no limit.",
    },
    Setting {
        path: "limits.request_body",
        default: "16MiB",
        kind: Kind::Size(1024, GIB, |draft, size| {
            draft.config.limits.request_body = size;
        }),
        flag: None,
        meaning: "The largest body of a request, as it is sent.",
    },
    Setting {
        path: "limits.request_body_decompressed",
        default: "64MiB",
        kind: Kind::Size(1024, 4 * GIB, |draft, size| {
            draft.config.limits.request_body_decompressed = size;
        }),
        flag: None,
        meaning: "The largest body of a request after it is decompressed; not less than `limits.request_body`.",
    },
    Setting {
        path: "limits.concurrent_queries",
        default: "20",
        kind: Kind::Integer(1, 10_000, |draft, count| {
            draft.config.limits.concurrent_queries = count;
        }),
        flag: None,
        meaning: "Queries that are evaluated at the same time; more of them wait.",
    },
    Setting {
        path: "self",
        default: "true",
        kind: Kind::Boolean(|draft, enabled| draft.config.store_own_metrics = enabled),
        flag: None,
        meaning: "Whether Campanile's own metrics are stored too, with `job=\"campanile\"`.",
    },
    Setting {
        path: "host.enabled",
        default: "true",
        kind: Kind::Boolean(|draft, enabled| draft.config.host.enabled = enabled),
        flag: None,
        meaning: "Whether this machine is measured.",
    },
    Setting {
        path: "host.interval",
        default: "5s",
        kind: Kind::Duration(SECOND, HOUR, |draft, interval| {
            draft.config.host.interval = interval;
        }),
        flag: None,
        meaning: "How often this machine is measured.",
    },
    Setting {
        path: "host.procfs",
        default: "/proc",
        kind: Kind::Path(|draft, path| draft.config.host.procfs = path),
        flag: None,
        meaning: "Where the machine's `/proc` is mounted; in a container, for example `/host/proc`.",
    },
    Setting {
        path: "host.sysfs",
        default: "/sys",
        kind: Kind::Path(|draft, path| draft.config.host.sysfs = path),
        flag: None,
        meaning: "Where the machine's `/sys` is mounted.",
    },
    Setting {
        path: "host.rootfs",
        default: "/",
        kind: Kind::Path(|draft, path| draft.config.host.rootfs = path),
        flag: None,
        meaning: "Where the machine's root directory is mounted; it is cut off from mount points.",
    },
    Setting {
        path: "storage.retention",
        default: "30d",
        kind: Kind::Duration(HOUR, YEAR.saturating_mul(100), |draft, retention| {
            draft.config.storage.retention = retention;
        }),
        flag: None,
        meaning: "How long samples are kept.",
    },
    Setting {
        path: "storage.retention_size",
        default: "0",
        kind: Kind::Size(0, 1024 * PIB, |draft, size| {
            draft.config.storage.retention_size = size;
        }),
        flag: None,
        meaning: "How large the files of the store may be in all, as in `50GB`; beyond it the oldest samples go before their \
                  `storage.retention`. 0 is no limit.",
    },
    Setting {
        path: "storage.retention_disk",
        default: "0",
        kind: Kind::Share(|draft, share| draft.config.storage.retention_disk = share),
        flag: None,
        meaning: "How full the file system below `data_dir` may be, by whatever fills it, as in `80%`; beyond it the oldest \
                  samples go before their `storage.retention`. 0 is no limit.",
    },
    Setting {
        path: "storage.out_of_order_window",
        default: "1h",
        kind: Kind::Duration(Duration::ZERO, YEAR, |draft, window| {
            draft.config.storage.out_of_order_window = window;
        }),
        flag: None,
        meaning: "How much older than the newest sample of its series a sample may be; \
                  not more than `storage.retention`.",
    },
    Setting {
        path: "storage.acknowledge",
        default: "synced",
        kind: Kind::Choice(&[
            ("synced", |draft| {
                draft.config.storage.acknowledge = Acknowledge::Synced
            }),
            ("written", |draft| {
                draft.config.storage.acknowledge = Acknowledge::Written
            }),
        ]),
        flag: None,
        meaning: "When a sender is told that its samples are stored: once they are `synced` to the disk and survive a loss of \
                  power, or once they are `written` and survive the death of the process. What is written is synced within a \
                  moment too, without anyone waiting for it.",
    },
    Setting {
        path: "storage.admin_api",
        default: "false",
        kind: Kind::Boolean(|draft, enabled| draft.config.storage.admin_api = enabled),
        flag: None,
        meaning: "Whether samples can be deleted and snapshots made by requests to `/api/v1/admin/tsdb/…`.",
    },
    Setting {
        path: "query.timeout",
        default: "2m",
        kind: Kind::Duration(SECOND, HOUR, |draft, timeout| {
            draft.config.query.timeout = timeout;
        }),
        flag: None,
        meaning: "How long a query may take, waiting for its turn included.",
    },
    Setting {
        path: "query.max_samples",
        default: "50000000",
        kind: Kind::Integer(1, 1_000_000_000_000, |draft, count| {
            draft.config.query.max_samples = count;
        }),
        flag: None,
        meaning: "How many samples a query may hold in memory.",
    },
    Setting {
        path: "query.max_series",
        default: "5000000",
        kind: Kind::Integer(0, 1_000_000_000, |draft, count| {
            draft.config.query.max_series = count;
        }),
        flag: None,
        meaning: "How many series a query may select, and hold in memory; 0 is no limit.",
    },
    Setting {
        path: "query.max_memory",
        default: "0",
        kind: Kind::Size(0, PIB, |draft, bytes| {
            draft.config.query.max_memory = bytes;
        }),
        flag: None,
        meaning: "How much memory a query may take. 0 is as much as there is for all queries \
                  ([how it is divided](operations.md#limits-and-memory)).",
    },
    Setting {
        path: "query.experimental",
        default: "false",
        kind: Kind::Boolean(|draft, enabled| draft.config.query.experimental = enabled),
        flag: None,
        meaning: "Whether that of PromQL may be used which Prometheus calls experimental. Names of metrics are dropped at the end of \
                  a query then, and start timestamps count.",
    },
    Setting {
        path: "query.log_slower_than",
        default: "10s",
        kind: Kind::Duration(Duration::ZERO, HOUR, |draft, duration| {
            draft.config.query.log_slower_than = duration;
        }),
        flag: None,
        meaning: "Queries that take longer are logged with what they read and held; 0s logs none.",
    },
    Setting {
        path: "query.lookback_delta",
        default: "5m",
        kind: Kind::Duration(SECOND, DAY, |draft, delta| {
            draft.config.query.lookback_delta = delta;
        }),
        flag: None,
        meaning: "How old the newest sample of a series may be to count as its present value.",
    },
];

/// Lists and trees: they stand in the file and have no variables.
pub(super) const ONLY_IN_FILE: &[&str] = &[
    "monitors",
    "thresholds",
    "rule_files",
    "alerting",
    "alertmanager_config",
    "storage.selector_retention",
];

/// Keys and sections that have their name already and come with later versions.
pub(super) const LATER: &[&str] = &[
    "trusted_proxies",
    "tls",
    "prometheus_config",
    "scrape",
    "remote_write",
    "database_url",
    "otlp_grpc_listen",
    "graphite_listen",
    "statsd_listen",
    "auth.anonymous",
    "auth.jwt_secret_file",
];

impl Setting {
    /// The section of the key, empty at the top level, and the key within it.
    pub(super) fn section_and_key(&self) -> (&'static str, &'static str) {
        section_and_key(self.path)
    }

    /// The environment variables that set it; the last one wins.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        let of_flag = self
            .flag
            .map(|flag| flag.trim_start_matches('-').replace('-', "_"))
            .map(|name| variable(&name));
        let of_path = variable(self.path);
        let of_flag = of_flag.filter(|name| *name != of_path);
        [of_path].into_iter().chain(of_flag)
    }
}

/// Splits `host.interval` into `host` and `interval`; a section may lie in another, as `limits.cardinality` does.
pub(super) fn section_and_key(path: &'static str) -> (&'static str, &'static str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The environment variable of a key: `CAMPANILE_HOST_INTERVAL` for `host.interval`.
pub(super) fn variable(path: &str) -> String {
    format!("CAMPANILE_{}", path.replace('.', "_").to_uppercase())
}

impl Kind {
    /// Puts a value where it belongs; gives nothing if the value was refused.
    pub(super) fn read(
        &self,
        value: Value<'_>,
        directory: &Path,
        draft: &mut Draft<'_>,
    ) -> Option<()> {
        match self {
            Self::Address(put) => put(draft, value.socket_address()?),
            Self::Boolean(put) => put(draft, value.boolean()?),
            Self::Choice(choices) => {
                let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
                let chosen = value.choice(&words)?;
                let (_, put) = choices.iter().find(|(word, _)| *word == chosen)?;
                put(draft);
            }
            Self::Duration(least, most, put) => put(draft, value.duration_within(*least..=*most)?),
            Self::Integer(least, most, put) => {
                let most = i64::try_from(*most).unwrap_or(i64::MAX);
                let number = value.integer(i64::from(*least)..=most)?;
                put(draft, number.unsigned_abs());
            }
            Self::LabelName(put) => put(draft, label_name(value)?),
            Self::Memory(put) => {
                let limit = match value.amount(MEMORY.0..=MEMORY.1)? {
                    Amount::Percent(share) => MemoryLimit::Share(share),
                    Amount::Bytes(size) => MemoryLimit::Bytes(size),
                };
                put(draft, limit);
            }
            Self::Path(put) => put(draft, value.file_path(directory)?),
            Self::Share(put) => put(draft, share(value)?),
            Self::Url(put) => put(draft, url(value)?),
            Self::Size(least, most, put) => put(draft, value.size(*least..=*most)?),
            Self::Switch(put) => put(draft, value.switch()?),
        }
        Some(())
    }

    /// The type in words, for the reference.
    pub(super) fn description(&self) -> String {
        let duration = |duration: &Duration| model::duration::format(*duration).to_string();
        match self {
            Self::Address(_) => "IP address and port".to_owned(),
            Self::Boolean(_) => "`true` or `false`".to_owned(),
            Self::Choice(choices) => {
                let words: Vec<_> = choices
                    .iter()
                    .map(|(word, _)| format!("`{word}`"))
                    .collect();
                words.join(", ")
            }
            Self::Duration(least, most, _) => {
                format!("duration, `{}` to `{}`", duration(least), duration(most))
            }
            Self::Integer(least, most, _) => format!("whole number, {least} to {most}"),
            Self::LabelName(_) => "name of a label".to_owned(),
            Self::Memory(_) => format!(
                "share, `1%` to `100%`, or size, `{}` to `{}`",
                show_size(MEMORY.0),
                show_size(MEMORY.1)
            ),
            Self::Path(_) => "path".to_owned(),
            Self::Share(_) => "share, `1%` to `100%`, or `0`".to_owned(),
            Self::Url(_) => "URL".to_owned(),
            Self::Size(least, most, _) => {
                format!("size, `{}` to `{}`", show_size(*least), show_size(*most))
            }
            Self::Switch(_) => "`on`, `off`".to_owned(),
        }
    }
}

fn label_name(value: Value<'_>) -> Option<String> {
    let name = value.clone().text()?;
    if name.is_empty() {
        value.refuse("the name of a label is needed here, such as job");
        return None;
    }
    Some(name.to_owned())
}

/// Reads a share; 0 is none.
fn share(value: Value<'_>) -> Option<Option<u8>> {
    let text = value.clone().text()?;
    if text == "0" {
        return Some(None);
    }
    if !text.ends_with('%') {
        let shown = value.shown();
        value.refuse(format!(
            "{shown} is no share: write it as in 80%, or 0 for no limit"
        ));
        return None;
    }
    match value.amount(0..=0)? {
        Amount::Percent(share) => Some(Some(share)),
        Amount::Bytes(_) => None,
    }
}

/// Reads an address of web pages, without a slash at its end.
fn url(value: Value<'_>) -> Option<String> {
    let text = value.clone().text()?;
    if text.is_empty() {
        return Some(String::new());
    }
    let url = text.parse::<Uri>().ok().filter(|url| {
        let is_web = matches!(url.scheme_str(), Some("http" | "https"));
        let has_login = url
            .authority()
            .is_some_and(|host| host.as_str().contains('@'));
        is_web
            && url.host().is_some_and(|host| !host.is_empty())
            && url.query().is_none()
            && !has_login
    });
    if url.is_none() {
        let shown = value.shown();
        value.refuse(format!(
            "{shown} is no address of web pages; write it as in https://watch.example.org/path, without login and query"
        ));
    }
    url.map(|_| text.trim_end_matches('/').to_owned())
}
