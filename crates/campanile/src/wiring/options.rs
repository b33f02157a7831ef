//! From the configuration to what each room wants to know of it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use collect::{host, probe};
use outbound::Allowed;
use server::{AccessMode, AccessSettings, Hidden, Limits, OidcSettings, TlsSettings};
use tracing::level_filters::LevelFilter;

use crate::config::{Config, LogLevel, MemoryLimit, Secret};

/// What the store may take of the memory: series, samples that are not on disk yet, pages that were read.
const STORE_SHARE_PERCENT: u64 = 60;

/// What all questions together may take of the memory; a quarter of it is for rules alone. The rest is for requests, the
/// program itself and spare.
const QUESTIONS_SHARE_PERCENT: u64 = 24;

/// What the bodies of all requests together may take of the memory, as they were sent.
const BODIES_SHARE_PERCENT: u64 = 6;

/// What is assumed where the machine does not say how much memory it has.
const MEMORY_FALLBACK: u64 = 1 << 30;

/// The options of the store.
pub(super) fn store(config: &Config) -> tsdb::Config {
    let memory = memory(config);
    let (storage, limits) = (&config.storage, &config.limits);
    tsdb::Config {
        retention: storage.retention,
        retention_bytes: storage.retention_size,
        retention_share: storage
            .retention_disk
            .map(|percent| f64::from(percent) / 100.0),
        selector_retention: storage.selector_retention.clone(),
        out_of_order_window: storage.out_of_order_window,
        acknowledge: storage.acknowledge,
        active_series: size(limits.active_series),
        new_series_per_hour: limits.new_series_per_hour,
        labels_per_series: size(limits.labels_per_series),
        label_name_bytes: size(limits.label_name_bytes),
        label_value_bytes: size(limits.label_value_bytes),
        cardinality_label: limits.cardinality_label.clone(),
        cardinality_series: size(limits.cardinality_series),
        memory_max: share(memory, STORE_SHARE_PERCENT),
        questions_max: share(memory, QUESTIONS_SHARE_PERCENT),
        ..tsdb::Config::default()
    }
}

/// The options of the collectors of this machine; none if they are off.
pub(super) fn host(config: &Config) -> Option<host::Config> {
    let host = &config.host;
    host.enabled.then(|| host::Config {
        interval: host.interval,
        procfs: host.procfs.clone(),
        sysfs: host.sysfs.clone(),
        rootfs: host.rootfs.clone(),
    })
}

/// The options of the checks of sites.
pub(super) fn checks(config: &Config) -> probe::Options {
    probe::Options {
        allowed: Allowed::new(config.outbound_allow.clone()),
        ..probe::Options::default()
    }
}

/// The options of the server, for the address on which it really listens.
pub(super) fn server(
    config: &Config,
    address: SocketAddr,
    first_link: Option<&str>,
) -> server::Config {
    let hosts = match address.ip().is_loopback() {
        true => server::Config::loopback_hosts(address.ip()),
        false => Vec::new(),
    };
    server::Config {
        concurrent_queries: size(config.limits.concurrent_queries),
        request_body_max: size(config.limits.request_body),
        decompressed_max: size(config.limits.request_body_decompressed),
        request_bodies_total_max: bodies(config),
        hosts,
        access: access(config, first_link),
        shutdown_delay: config.shutdown_delay,
        admin_api: config.storage.admin_api,
        limits: limits(config),
        ..server::Config::default()
    }
}

/// Who may come in, which may change while the program runs; the link is that of the first start.
pub(super) fn access(config: &Config, first_link: Option<&str>) -> AccessSettings {
    let access = &config.access;
    let hidden = |secret: &Secret| Hidden::new(secret.reveal());
    let oidc = &access.oidc;
    let oidc = (!oidc.issuer.is_empty()).then(|| OidcSettings {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret.as_ref().map(hidden),
        name: oidc.name.clone(),
        scopes: oidc.scopes.clone(),
        role_claim: (!oidc.role_claim.is_empty()).then(|| oidc.role_claim.clone()),
        roles: oidc.roles.clone(),
        default_role: oidc.default_role,
    });
    AccessSettings {
        mode: match access.is_on {
            true => AccessMode::On,
            false => AccessMode::Off,
        },
        anonymous: access.anonymous,
        metrics_open: access.open_metrics,
        jwt_secret: access.jwt_secret.as_ref().map(hidden),
        first_link: first_link.map(Hidden::new),
        oidc,
        ..AccessSettings::default()
    }
}

/// The certificate with which connections are encrypted; none if they are not.
pub(super) fn tls(config: &Config) -> Option<TlsSettings> {
    let tls = &config.tls;
    Some(TlsSettings {
        cert_file: tls.cert_file.clone()?,
        key_file: tls.key_file.clone()?,
        client_ca_file: tls.client_ca_file.clone(),
    })
}

/// Bytes of all bodies of requests at once: a part of the memory, but at least one body.
fn bodies(config: &Config) -> usize {
    let most = server::Config::default().request_bodies_total_max;
    let part = size(share(memory(config), BODIES_SHARE_PERCENT));
    part.min(most).max(size(config.limits.request_body))
}

/// The limits of queries, which may change while the program runs.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        query_timeout: config.query.timeout,
        evaluation: promql::Limits {
            samples_max: size(config.query.max_samples),
            series_max: size(config.query.max_series),
            bytes_max: size(config.query.max_memory),
            lookback_delta: config.query.lookback_delta,
            experimental: config.query.experimental,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            ..promql::Limits::default()
        },
    }
}

/// The least severe events that are logged.
pub(crate) fn level(config: &Config) -> LevelFilter {
    match config.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// The keys that differ between two configurations and take effect only after a restart.
pub(super) fn restart_needed(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut differs = |key, is_equal: bool| {
        if !is_equal {
            keys.push(key);
        }
    };
    differs("listen", old.listen == new.listen);
    differs("data_dir", old.data_dir == new.data_dir);
    differs("database_url", old.database_url == new.database_url);
    differs("outbound.allow", old.outbound_allow == new.outbound_allow);
    differs("shutdown_delay", old.shutdown_delay == new.shutdown_delay);
    differs("log.format", old.log.format == new.log.format);
    let (limits, were) = (&new.limits, &old.limits);
    differs("limits.memory", were.memory == limits.memory);
    differs(
        "limits.request_body",
        were.request_body == limits.request_body,
    );
    differs(
        "limits.request_body_decompressed",
        were.request_body_decompressed == limits.request_body_decompressed,
    );
    differs(
        "limits.concurrent_queries",
        were.concurrent_queries == limits.concurrent_queries,
    );
    let (storage, was) = (&new.storage, &old.storage);
    differs(
        "storage.out_of_order_window",
        was.out_of_order_window == storage.out_of_order_window,
    );
    differs(
        "storage.acknowledge",
        was.acknowledge == storage.acknowledge,
    );
    keys
}

/// Bytes of memory to plan with.
fn memory(config: &Config) -> u64 {
    match config.limits.memory {
        MemoryLimit::Bytes(bytes) => bytes,
        MemoryLimit::Share(percent) => share(memory_of_machine(), u64::from(percent)),
    }
}

fn share(whole: u64, percent: u64) -> u64 {
    whole / 100 * percent
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Bytes of memory that this machine has, or that its container or service may use if that is less.
fn memory_of_machine() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|path| {
        // Without a limit the file holds the word "max", or a number beyond any memory.
        fs::read_to_string(path).ok()?.trim().parse().ok()
    });
    limits.chain(machine).min().unwrap_or(MEMORY_FALLBACK)
}

/// Where the limits of a process stand that is in these groups (/proc/self/cgroup): in each of its groups, and in those
/// above. A container sees its own group as the root; a service of systemd sees the whole tree.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let below = Path::new(group.trim_start_matches('/')).ancestors();
        files.extend(below.map(|group| Path::new(root).join(group).join(file)));
    }
    files
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_service_and_of_the_groups_above_it_count() {
        let files = |groups| -> Vec<String> {
            let files = limit_files(groups).into_iter();
            files.map(|file| file.display().to_string()).collect()
        };
        assert_eq!(
            files("0::/system.slice/campanile.service\n"),
            [
                "/sys/fs/cgroup/system.slice/campanile.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        let first_version = "5:devices:/a\n4:cpu,memory:/a:b\n0::/\nnonsense\n";
        assert_eq!(
            files(first_version),
            [
                "/sys/fs/cgroup/memory/a:b/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory.max",
            ]
        );
    }

    #[test]
    fn the_machine_s_memory_is_read() {
        assert_eq!(
            total("MemTotal:       24689764 kB\nMemFree: 1 kB\n"),
            Some(24_689_764 * 1024)
        );
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(memory_of_machine() > 16 << 20);
    }
}
