//! Everything that can be set: key, default, type, where it is put, what it means. The only list of it.

use std::time::Duration;

use access::Role;

use super::kind::Kind;
use super::{Acknowledge, LogFormat, LogLevel};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
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

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        path: "listen",
        default: "127.0.0.1:9595",
        kind: Kind::Address(|draft, address| draft.config.listen = address),
        flag: Some("--listen"),
        meaning: "The address and port of the web pages and all HTTP APIs.",
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
        path: "trusted_proxies",
        default: "",
        kind: Kind::Networks(|draft, networks| draft.config.trusted_proxies = networks),
        flag: None,
        meaning: "The proxies before this server, as in `[10.0.0.0/8]`: only what they say of the client is believed.",
    },
    Setting {
        path: "trusted_proxies_header",
        default: "x-forwarded",
        kind: Kind::Choice(&[
            ("x-forwarded", |draft| {
                draft.config.is_forwarded_standard = false;
            }),
            ("forwarded", |draft| {
                draft.config.is_forwarded_standard = true;
            }),
        ]),
        flag: None,
        meaning: "Where these proxies say it: in `X-Forwarded-For`, `-Proto` and `-Host`, or in `Forwarded` (RFC 7239). The other is not \
                  read, since a proxy passes on what a client has written there.",
    },
    Setting {
        path: "outbound.allow",
        default: "",
        kind: Kind::Networks(|draft, networks| draft.config.outbound_allow = networks),
        flag: None,
        meaning: "Networks that are not public, as in `[10.0.0.0/8]`, to which a check may follow the redirect of a public host. What \
                  `monitors` and `receivers` name themselves may be anywhere.",
    },
    Setting {
        path: "shutdown_delay",
        default: "0s",
        kind: Kind::Duration(Duration::ZERO, HOUR, |draft, delay| {
            draft.config.shutdown_delay = delay;
        }),
        flag: None,
        meaning: "How long requests are still taken after SIGTERM, while readiness says no already; in Kubernetes 5s, so that nobody \
                  is sent here any more when the door closes.",
    },
    Setting {
        path: "data_dir",
        default: "./data",
        kind: Kind::Path(|draft, path| draft.config.data_dir = path),
        flag: Some("--data-dir"),
        meaning: "The directory that holds everything that is kept.",
    },
    Setting {
        path: "database_url",
        default: "",
        kind: Kind::Secret(|draft, url| draft.config.database_url = url),
        flag: None,
        meaning: "The PostgreSQL database that holds users, tokens, the journal of notifications and the states of monitors; without it they \
                  lie in `data_dir`.",
    },
    Setting {
        path: "database_url_file",
        default: "",
        kind: Kind::File(|draft, file| draft.secret_files.database_url = file),
        flag: None,
        meaning: "A file that holds `database_url`.",
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
        default: "on",
        kind: Kind::Switch(|draft, on| draft.config.access.is_on = on),
        flag: Some("--auth"),
        meaning: "Whether everybody must say who they are ([access](access.md)). With `off` everybody who reaches the listen address \
                  may do everything.",
    },
    Setting {
        path: "auth.anonymous",
        default: "none",
        kind: Kind::Choice(&[
            ("none", |draft| draft.config.access.anonymous = None),
            ("viewer", |draft| {
                draft.config.access.anonymous = Some(Role::Viewer)
            }),
        ]),
        flag: None,
        meaning: "What those may do who do not say who they are: nothing, or see everything that is no secret.",
    },
    Setting {
        path: "auth.metrics",
        default: "protected",
        kind: Kind::Choice(&[
            ("protected", |draft| {
                draft.config.access.open_metrics = false
            }),
            ("open", |draft| draft.config.access.open_metrics = true),
        ]),
        flag: None,
        meaning: "Whether `/metrics` is read without credentials.",
    },
    Setting {
        path: "auth.cors_origins",
        default: "",
        kind: Kind::Origins(|draft, origins| draft.config.access.cors_origins = origins),
        flag: None,
        meaning: "The web pages of others whose scripts may ask this server from a browser, as in `[https://grafana.example.org]`.",
    },
    Setting {
        path: "auth.jwt_secret",
        default: "",
        kind: Kind::Secret(|draft, secret| draft.config.access.jwt_secret = secret),
        flag: None,
        meaning: "What signs access tokens, at least 32 characters. Without it a key is made at the first start and kept with the users.",
    },
    Setting {
        path: "auth.jwt_secret_file",
        default: "",
        kind: Kind::File(|draft, file| draft.secret_files.jwt_secret = file),
        flag: None,
        meaning: "A file that holds `auth.jwt_secret`.",
    },
    Setting {
        path: "auth.oidc.issuer",
        default: "",
        kind: Kind::Url(|draft, url| draft.config.access.oidc.issuer = url),
        flag: None,
        meaning: "The OpenID provider with which people may log in, as its URL; needs `external_url`, to which the provider sends them back.",
    },
    Setting {
        path: "auth.oidc.client_id",
        default: "",
        kind: Kind::Text(|draft, id| draft.config.access.oidc.client_id = id),
        flag: None,
        meaning: "The name under which the provider knows this server.",
    },
    Setting {
        path: "auth.oidc.client_secret",
        default: "",
        kind: Kind::Secret(|draft, secret| draft.config.access.oidc.client_secret = secret),
        flag: None,
        meaning: "What the provider gave to this server; may be left out where it gives none.",
    },
    Setting {
        path: "auth.oidc.client_secret_file",
        default: "",
        kind: Kind::File(|draft, file| draft.secret_files.client_secret = file),
        flag: None,
        meaning: "A file that holds `auth.oidc.client_secret`.",
    },
    Setting {
        path: "auth.oidc.name",
        default: "OpenID",
        kind: Kind::Text(|draft, name| draft.config.access.oidc.name = name),
        flag: None,
        meaning: "How the login page calls the provider.",
    },
    Setting {
        path: "auth.oidc.scopes",
        default: "openid, profile, email",
        kind: Kind::Words(|draft, scopes| draft.config.access.oidc.scopes = scopes),
        flag: None,
        meaning: "What the provider is asked for.",
    },
    Setting {
        path: "auth.oidc.role_claim",
        default: "",
        kind: Kind::Text(|draft, claim| draft.config.access.oidc.role_claim = claim),
        flag: None,
        meaning: "The claim that says what somebody may do, such as `groups`; `auth.oidc.roles` gives each of its values a role, as in \
                  `{operators: editor}`.",
    },
    Setting {
        path: "auth.oidc.default_role",
        default: "none",
        kind: Kind::Choice(&[
            ("none", |draft| draft.config.access.oidc.default_role = None),
            ("viewer", |draft| {
                draft.config.access.oidc.default_role = Some(Role::Viewer)
            }),
            ("editor", |draft| {
                draft.config.access.oidc.default_role = Some(Role::Editor)
            }),
            ("admin", |draft| {
                draft.config.access.oidc.default_role = Some(Role::Admin)
            }),
        ]),
        flag: None,
        meaning: "The role of whoever comes from the provider without a value in `auth.oidc.roles`; with `none` they are kept out.",
    },
    Setting {
        path: "tls.cert_file",
        default: "",
        kind: Kind::File(|draft, file| draft.config.tls.cert_file = file),
        flag: None,
        meaning: "The certificate, with those between it and its root, in PEM; with it connections are encrypted. A changed file is \
                  read within seconds.",
    },
    Setting {
        path: "tls.key_file",
        default: "",
        kind: Kind::File(|draft, file| draft.config.tls.key_file = file),
        flag: None,
        meaning: "The key that belongs to the certificate, in PEM.",
    },
    Setting {
        path: "tls.client_ca_file",
        default: "",
        kind: Kind::File(|draft, file| draft.config.tls.client_ca_file = file),
        flag: None,
        meaning: "Certificates of those whose signature every client must show on a certificate of its own.",
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
        path: "limits.login_rate",
        // A person mistypes a few times; who tries passwords out needs millions.
        default: "10/m",
        kind: Kind::Rate(|draft, rate| draft.config.limits.rates.login = rate),
        flag: None,
        meaning: "How often one address may try to log in; more is answered with 429. Failed logins slow an account down besides.",
    },
    Setting {
        path: "limits.ingest_rate",
        default: "0",
        kind: Kind::Rate(|draft, rate| draft.config.limits.rates.ingest = rate),
        flag: None,
        meaning: "How many requests with samples each token, user or address may send; 0 is no limit.",
    },
    Setting {
        path: "limits.query_rate",
        default: "0",
        kind: Kind::Rate(|draft, rate| draft.config.limits.rates.query = rate),
        flag: None,
        meaning: "How many queries each token, user or address may send; 0 is no limit.",
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
    "auth.oidc.roles",
];

/// Keys and sections that have their name already and come with later versions.
pub(super) const LATER: &[&str] = &[
    "prometheus_config",
    "scrape",
    "remote_write",
    "otlp_grpc_listen",
    "graphite_listen",
    "statsd_listen",
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
