//! The house's own rules.

use document::{Document, Options, Source, Syntax};

use super::{World, minutes, shown};
use crate::{AlertState, Group, RuleHealth, Thresholds, host_rules};

fn thresholds(text: &str) -> Result<Thresholds, String> {
    let source = Source::new("c.yml", text);
    let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
    let thresholds = Thresholds::read(document.section());
    let problems = document.into_problems();
    if problems.is_empty() {
        Ok(thresholds)
    } else {
        Err(shown(&problems))
    }
}

/// A machine whose disk, memory and processors are used up.
fn full_machine(world: &World) {
    let root = [
        ("device", "/dev/sda1"),
        ("fstype", "ext4"),
        ("mountpoint", "/"),
    ];
    let with = |name, more: &[(&'static str, &'static str)]| {
        let mut pairs = vec![("__name__", name), ("instance", "host1")];
        pairs.extend_from_slice(more);
        pairs
    };
    for minute in 0..=40 {
        let at = minutes(minute);
        world.set(&with("node_memory_MemAvailable_bytes", &[]), at, 1.0);
        world.set(&with("node_memory_MemTotal_bytes", &[]), at, 100.0);
        let left = 100.0 - minute as f64 * 2.0;
        // A hundred more are kept for root, which no one else can use.
        world.set(&with("node_filesystem_avail_bytes", &root), at, left);
        world.set(&with("node_filesystem_free_bytes", &root), at, left + 100.0);
        world.set(&with("node_filesystem_size_bytes", &root), at, 1100.0);
        world.set(&with("node_filesystem_readonly", &root), at, 0.0);
        world.set(&with("node_filesystem_files", &root), at, 1000.0);
        world.set(&with("node_filesystem_files_free", &root), at, 1.0);
        for cpu in ["0", "1"] {
            let idle = [("cpu", cpu), ("mode", "idle")];
            world.set(&with("node_cpu_seconds_total", &idle), at, minute as f64);
        }
    }
}

#[test]
fn thresholds_become_rules_that_fire() {
    let thresholds = thresholds(
        "{cpu_percent: 80, memory_percent: 90, disk_percent: 85, for: 5m, cooldown: 30m}",
    );
    let mut world = World::new("groups: [{name: g}]");
    world.group = Group::new(thresholds.unwrap().group());
    full_machine(&world);
    world.step(minutes(30));
    let (evaluation, _) = world.step(minutes(35));
    assert_eq!(evaluation.errors, []);
    let mut summaries: Vec<&str> = evaluation
        .alerts
        .iter()
        .map(|alert| alert.annotations["summary"].as_str())
        .collect();
    summaries.sort_unstable();
    assert_eq!(
        summaries,
        [
            "/ on host1 is 97.0 % full",
            "The processors of host1 are 98.3 % busy",
            "host1 uses 99.0 % of its memory",
        ]
    );
}

#[test]
fn the_default_rules_of_a_host_can_all_be_evaluated() {
    let mut world = World::new("groups: [{name: g}]");
    world.group = Group::new(host_rules());
    full_machine(&world);
    world.step(minutes(8));
    world.step(minutes(39));
    for rule in world.group.rules() {
        let name = &rule.definition().name;
        assert_eq!(*rule.health(), RuleHealth::Good, "{name}");
        let expected = match name.as_str() {
            "HostFilesystemReadOnly" => AlertState::Inactive,
            _ => AlertState::Firing,
        };
        assert_eq!(rule.state(), expected, "{name}");
    }
}

#[test]
fn mistakes_in_thresholds_are_shown_at_once() {
    let shown =
        thresholds("{cpu_percent: 180, memory_percent: much, dsk_percent: 85}").unwrap_err();
    for part in [
        "\"180\" is no share in percent; write a number above 0, at most 100",
        "\"much\" is no number",
        "did you mean \"disk_percent\"?",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}
