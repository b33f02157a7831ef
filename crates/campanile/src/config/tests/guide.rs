//! docs/monitoring-and-alerting.md and the README stay true: examples are read, and the lists of metrics are whole.
//!
//! A block of YAML begins with the name of its file. All files lie in one directory, and each `campanile.yml` is read there.

use collect::probe::Prober;
use model::{Alert, Labels, Timestamp};

use super::*;
use crate::alerting::metrics::AlertingMetrics;

/// Where the guide's own templates stand.
const TEMPLATES: &str = "templates/house.tmpl";

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring-and-alerting.md");
    fs::read_to_string(path).unwrap()
}

/// The blocks in a language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let behind = page.split(opening.as_str()).skip(1);
    behind
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect()
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn every_example_of_the_guide_is_read_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let page = guide();
    let secrets = ["hook", "slack-bot", "smtp"].map(|name| (name, "secret"));
    let shaped = [
        ("slack", "https://hooks.slack.com/services/T0/B0/secret"),
        ("telegram", "123456:secret"),
    ];
    for (name, secret) in secrets.into_iter().chain(shaped) {
        write(directory.path(), &format!("secrets/{name}"), secret);
    }
    let [templates] = blocks(&page, "gotmpl")[..] else {
        panic!("there is one block of templates");
    };
    write(directory.path(), TEMPLATES, templates);
    let mut configurations = Vec::new();
    for block in blocks(&page, "yaml") {
        let first = block.lines().next().unwrap();
        match first.strip_prefix("# ") {
            Some("campanile.yml") => configurations.push(block),
            Some(name) => write(directory.path(), name, block),
            None => panic!("{first:?} is no name of a file"),
        }
    }
    let environment: Environment = [("SHOP_TOKEN", "secret"), ("TELEGRAM_TOKEN", "123456:x")]
        .into_iter()
        .collect();
    let mut receivers = Vec::new();
    let mut rules = Vec::new();
    for block in &configurations {
        write(directory.path(), "campanile.yml", block);
        let file = directory.path().join("campanile.yml");
        let config = load(Some(&file), &Overrides::default(), &environment)
            .unwrap_or_else(|problems| panic!("{block}\n{problems}"));
        assert_eq!(config.warnings, [], "{block}");
        receivers.extend(config.alerting.receivers.names().map(str::to_owned));
        let groups = config.alerting.groups.into_iter();
        rules.extend(groups.flat_map(|group| group.rules).map(|rule| rule.name));
    }
    assert_eq!(configurations.len(), 4);
    let told = ["ops", "nobody", "on-call", "ops", "on-call"];
    assert_eq!(receivers, told);
    assert!(rules.contains(&"disk:used:ratio".to_owned()), "{rules:?}");
}

#[test]
fn the_example_of_the_readme_is_read_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let page = fs::read_to_string(path).unwrap();
    let [example] = blocks(&page, "yaml")[..] else {
        panic!("there is one example");
    };
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "campanile.yml", example);
    let file = directory.path().join("campanile.yml");
    let config = load(Some(&file), &Overrides::default(), &Environment::default()).unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.alerting.monitors.len(), 1);
    assert_eq!(config.alerting.groups[0].rules[0].name, "HostDiskFull");
}

#[test]
fn the_guide_names_the_rules_of_a_host_every_series_and_every_own_metric() {
    let page = guide();
    let own = used_metrics().families();
    let own = own.into_iter().map(|family| family.name);
    let series = Prober::descriptions().into_iter().map(|(name, _)| name);
    let rules = ::rules::host_rules().rules;
    let rules = rules.into_iter().map(|rule| rule.name);
    let names: Vec<String> = own.chain(series).chain(rules).collect();
    assert_eq!(names.len(), 11 + 19 + 6, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

/// A family without a series does not show itself, so each gets one.
fn used_metrics() -> AlertingMetrics {
    let metrics = AlertingMetrics::default();
    let alert = Alert {
        labels: Labels::empty(),
        annotations: [].into(),
        value: None,
        starts_at: Timestamp::MIN,
        ends_at: Timestamp::MAX,
        generator_url: String::new(),
    };
    metrics.set_active(&[alert], Timestamp::MIN);
    metrics.set_monitors([uptime::State::Up].into_iter(), 0);
    metrics.attempt(("ops", "email[0]"), true);
    metrics.finished("ops", true, Duration::ZERO);
    metrics
}
