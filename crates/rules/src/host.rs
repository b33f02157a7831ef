//! The rules that watch a machine without being asked, over node_exporter's names.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{GroupDefinition, RuleDefinition, RuleKind, Template};

/// How often; a few queries cost little, and nobody wants to wait a minute for the first look.
const INTERVAL: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_secs(60);

/// The default rules of a host; each is about something that a person has to do something about.
pub fn host_rules() -> GroupDefinition {
    let rules = vec![
        rule::cpu(95.0, 30 * MINUTE),
        rule::memory(95.0, 10 * MINUTE),
        rule::disk(90.0, 10 * MINUTE),
        rule::disk_will_fill(30 * MINUTE),
        rule::inodes(95.0, 10 * MINUTE),
        rule::read_only(5 * MINUTE),
    ];
    group("host", rules)
}

/// A group that no file holds.
pub(crate) fn group(name: &str, rules: Vec<RuleDefinition>) -> GroupDefinition {
    GroupDefinition {
        file: String::new(),
        name: name.to_owned(),
        interval: Some(INTERVAL),
        limit: 0,
        query_offset: None,
        rules,
    }
}

pub(crate) mod rule {
    //! One function is one rule.

    use super::{Duration, RuleDefinition, alert};

    /// File systems that hold data; the others are full by nature or of no size.
    const REAL: &str = r#"fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660|erofs|autofs|devtmpfs""#;

    /// How full a file system is in percent, as `df` shows it: what is kept for root is neither used nor free.
    fn disk_used() -> String {
        let of = |name| format!("node_filesystem_{name}_bytes{{{REAL}}}");
        let (size, free, available) = (of("size"), of("free"), of("avail"));
        format!("100 * ({size} - {free}) / ({size} - {free} + {available})")
    }

    pub(crate) fn cpu(percent: f64, hold: Duration) -> RuleDefinition {
        alert(
            "HostHighCpu",
            "warning",
            &format!(
                r#"100 * (1 - avg without (cpu, mode) (rate(node_cpu_seconds_total{{mode="idle"}}[5m]))) > {percent}"#
            ),
            hold,
            "The processors of {{ $labels.instance }} are {{ printf \"%.1f\" $value }} % busy",
            "See which program it is with top, and whether it is meant to run now.",
        )
    }

    pub(crate) fn memory(percent: f64, hold: Duration) -> RuleDefinition {
        alert(
            "HostLowMemory",
            "warning",
            &format!(
                "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) > {percent}"
            ),
            hold,
            "{{ $labels.instance }} uses {{ printf \"%.1f\" $value }} % of its memory",
            "When it is used up, the system ends programs. See which one takes it with top.",
        )
    }

    pub(crate) fn disk(percent: f64, hold: Duration) -> RuleDefinition {
        alert(
            "HostDiskFull",
            "critical",
            &format!(
                "{} > {percent} and node_filesystem_readonly{{{REAL}}} == 0",
                disk_used()
            ),
            hold,
            "{{ $labels.mountpoint }} on {{ $labels.instance }} is {{ printf \"%.1f\" $value }} % full",
            "Delete what is not needed on {{ $labels.device }}, or make it larger.",
        )
    }

    pub(crate) fn disk_will_fill(hold: Duration) -> RuleDefinition {
        alert(
            "HostDiskWillFill",
            "warning",
            &format!(
                "predict_linear(node_filesystem_avail_bytes{{{REAL}}}[6h], 86400) < 0 \
                 and {} > 60 and node_filesystem_readonly{{{REAL}}} == 0",
                disk_used()
            ),
            hold,
            "{{ $labels.mountpoint }} on {{ $labels.instance }} will be full within a day",
            "At the pace of the last six hours, {{ $labels.device }} is full within 24 hours.",
        )
    }

    pub(crate) fn inodes(percent: f64, hold: Duration) -> RuleDefinition {
        alert(
            "HostOutOfInodes",
            "critical",
            &format!(
                "100 * (1 - node_filesystem_files_free{{{REAL}}} / (node_filesystem_files{{{REAL}}} > 0)) > {percent}"
            ),
            hold,
            "{{ $labels.mountpoint }} on {{ $labels.instance }} has no room for more files",
            "{{ printf \"%.1f\" $value }} % of the inodes are used; look for a directory with very many small files.",
        )
    }

    pub(crate) fn read_only(hold: Duration) -> RuleDefinition {
        alert(
            "HostFilesystemReadOnly",
            "critical",
            &format!(
                "node_filesystem_readonly{{{REAL}}} == 1 and node_filesystem_readonly{{{REAL}}} offset 1h == 0"
            ),
            hold,
            "{{ $labels.mountpoint }} on {{ $labels.instance }} can no longer be written to",
            "It could an hour ago; the kernel does this when {{ $labels.device }} has errors, see dmesg.",
        )
    }
}

fn alert(
    name: &str,
    severity: &str,
    expr: &str,
    hold: Duration,
    summary: &str,
    description: &str,
) -> RuleDefinition {
    let template = |text: &str| {
        Template::parse(text).expect("invariant: the house's own templates are tested")
    };
    let annotations = [("summary", summary), ("description", description)];
    RuleDefinition {
        name: name.to_owned(),
        expr: promql::parse(expr).expect("invariant: the house's own expressions are tested"),
        labels: BTreeMap::from([("severity".to_owned(), template(severity))]),
        kind: RuleKind::Alerting {
            hold,
            keep_firing_for: Duration::ZERO,
            annotations: annotations
                .map(|(name, text)| (name.to_owned(), template(text)))
                .into(),
        },
    }
}
