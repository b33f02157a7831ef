//! How full the mounted file systems are: `/proc/1/mounts` and statvfs(3) of each.
//!
//! A call on a dead mount never returns, so each has a deadline. While one hangs, `node_filesystem_device_error` of its
//! mount is 1, its other metrics are absent, and no second call is made. The labels are those of node_exporter up to 1.6.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use model::{InvalidLabels, MetricFamily, MetricKind};
use regex::Regex;

use super::collector::Collector;
use super::deadline::Workers;
use super::fields::{Fields, Parsed, Problems, lines};
use super::file::KernelFile;
use crate::{CollectError, Problem};

/// Mount points that are left out, as node_exporter does.
static EXCLUDED_MOUNTPOINTS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        "^/(dev|proc|run|sys|mnt|media|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
    Regex::new(pattern).expect("invariant: the pattern is valid")
});

/// Types that are left out, as node_exporter does: they hold no data of their own.
static EXCLUDED_TYPES: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|\
                   hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|\
                   securityfs|selinuxfs|squashfs|sysfs|tracefs)$";
    Regex::new(pattern).expect("invariant: the pattern is valid")
});

/// What statvfs(3) tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usage {
    pub(crate) size_bytes: f64,
    pub(crate) free_bytes: f64,
    pub(crate) avail_bytes: f64,
    pub(crate) files: f64,
    pub(crate) files_free: f64,
}

/// Asks how full the file system at a path is.
pub(crate) type Measure = dyn Fn(PathBuf) -> io::Result<Usage> + Send + Sync;

pub(crate) struct Filesystem {
    mounts: KernelFile,
    fallback: KernelFile,
    rootfs: PathBuf,
    deadline: Duration,
    workers: Workers<String, PathBuf, io::Result<Usage>>,
}

/// A mounted file system.
#[derive(Debug, PartialEq)]
pub(crate) struct Mount {
    pub(crate) device: String,
    pub(crate) mountpoint: String,
    pub(crate) kind: String,
    pub(crate) readonly: bool,
}

impl Filesystem {
    pub(crate) fn new(procfs: &Path, rootfs: &Path, deadline: Duration) -> Self {
        Self::measured_by(Arc::new(statvfs), procfs, rootfs, deadline)
    }

    /// The same with another way to measure.
    pub(crate) fn measured_by(
        measure: Arc<Measure>,
        procfs: &Path,
        rootfs: &Path,
        deadline: Duration,
    ) -> Self {
        Self {
            mounts: KernelFile::new(procfs.join("1/mounts")),
            fallback: KernelFile::new(procfs.join("mounts")),
            rootfs: rootfs.to_owned(),
            deadline,
            workers: Workers::new("host-statvfs", measure),
        }
    }

    /// The usage of each mount, in their order; none if it could not be told.
    fn usages(&mut self, mounts: &[Mount]) -> Vec<Option<Usage>> {
        drop(self.workers.take_late());
        let mut jobs = Vec::new();
        let mut keys = BTreeSet::new();
        for Mount { mountpoint, .. } in mounts {
            // Of several mounts on one point only the uppermost can be reached; one call serves them all.
            if self.workers.is_outstanding(mountpoint) || !keys.insert(mountpoint) {
                continue;
            }
            let path = self.rootfs.join(mountpoint.trim_start_matches('/'));
            jobs.push((mountpoint.clone(), path));
        }
        let answers = self.workers.run(jobs, self.deadline);
        let usages: BTreeMap<String, Usage> = answers
            .in_time
            .into_iter()
            .filter_map(|(mountpoint, answer)| Some((mountpoint, answer.ok()?)))
            .collect();
        let usage = |mount: &Mount| usages.get(&mount.mountpoint).copied();
        mounts.iter().map(usage).collect()
    }
}

impl Collector for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn read(&mut self, families: &mut Vec<MetricFamily>) -> Result<(), CollectError> {
        let rootfs = self.rootfs.clone();
        let parse = |text: &str| parse(text, &rootfs);
        let (mounts, outcome) = match self.mounts.parse(parse) {
            Ok(parsed) => parsed,
            // Process 1 may be hidden from us.
            Err(_) => self.fallback.parse(parse)?,
        };
        let usages = self.usages(&mounts);
        families.extend(mount_families(&mounts, &usages)?);
        outcome
    }
}

/// The mounts that are not left out. Mount points are as seen from `rootfs`.
pub(crate) fn parse(text: &str, rootfs: &Path) -> Parsed<Vec<Mount>> {
    let mut problems = Problems::default();
    let mut seen = BTreeSet::new();
    let mut mounts = Vec::new();
    for mut fields in lines(text) {
        let Some(mut mount) = problems.check(mount(&mut fields)) else {
            continue;
        };
        mount.mountpoint = without_prefix(mount.mountpoint, rootfs);
        let excluded = EXCLUDED_MOUNTPOINTS.is_match(&mount.mountpoint)
            || EXCLUDED_TYPES.is_match(&mount.kind);
        let identity = (
            mount.device.clone(),
            mount.mountpoint.clone(),
            mount.kind.clone(),
        );
        if !excluded && seen.insert(identity) {
            mounts.push(mount);
        }
    }
    problems.with(mounts)
}

fn mount(fields: &mut Fields<'_>) -> Result<Mount, Problem> {
    let device = unescape(fields.text("device")?);
    let mountpoint = unescape(fields.text("mount point")?);
    let kind = fields.text("file system type")?.to_owned();
    let readonly = fields
        .text("options")?
        .split(',')
        .any(|option| option == "ro");
    Ok(Mount {
        device,
        mountpoint,
        kind,
        readonly,
    })
}

/// Space, tab, newline, backslash and `#` stand in the file as `\` and three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4);
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 4..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// A path below `rootfs` as it looks from there.
fn without_prefix(mountpoint: String, rootfs: &Path) -> String {
    match Path::new(&mountpoint).strip_prefix(rootfs) {
        Ok(below) if rootfs != Path::new("/") => format!("/{}", below.display()),
        _ => mountpoint,
    }
}

fn mount_families(
    mounts: &[Mount],
    usages: &[Option<Usage>],
) -> Result<Vec<MetricFamily>, InvalidLabels> {
    let gauge = |name: &str, help: &str| {
        MetricFamily::new(format!("node_filesystem_{name}"), MetricKind::Gauge, help)
    };
    let mut error = gauge(
        "device_error",
        "Whether an error occurred while getting statistics for the given device.",
    );
    let mut readonly = gauge("readonly", "Filesystem read-only status.");
    let mut size = gauge("size_bytes", "Filesystem size in bytes.");
    let mut free = gauge("free_bytes", "Filesystem free space in bytes.");
    let mut avail = gauge(
        "avail_bytes",
        "Filesystem space available to non-root users in bytes.",
    );
    let mut files = gauge("files", "Filesystem total file nodes.");
    let mut files_free = gauge("files_free", "Filesystem total free file nodes.");
    for (mount, usage) in mounts.iter().zip(usages) {
        let labels = [
            ("device", mount.device.as_str()),
            ("fstype", mount.kind.as_str()),
            ("mountpoint", mount.mountpoint.as_str()),
        ];
        error.push(&labels, f64::from(usage.is_none()))?;
        let Some(usage) = usage else {
            continue;
        };
        readonly.push(&labels, f64::from(mount.readonly))?;
        size.push(&labels, usage.size_bytes)?;
        free.push(&labels, usage.free_bytes)?;
        avail.push(&labels, usage.avail_bytes)?;
        files.push(&labels, usage.files)?;
        files_free.push(&labels, usage.files_free)?;
    }
    Ok(vec![error, readonly, size, free, avail, files, files_free])
}

fn statvfs(path: PathBuf) -> io::Result<Usage> {
    let usage = rustix::fs::statvfs(&path)?;
    let bytes = |blocks: u64| blocks as f64 * usage.f_frsize as f64;
    Ok(Usage {
        size_bytes: bytes(usage.f_blocks),
        free_bytes: bytes(usage.f_bfree),
        avail_bytes: bytes(usage.f_bavail),
        files: usage.f_files as f64,
        files_free: usage.f_ffree as f64,
    })
}
