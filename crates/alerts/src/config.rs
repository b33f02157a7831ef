//! Routes and receivers from a section in Alertmanager's format: its keys, its defaults, its rules.
//!
//! What a receiver is made of belongs to whoever sends; here count only its name and whether it is told of ends.

use std::collections::BTreeMap;
use std::time::Duration;

use document::{Section, Value, nearest};
use model::{MatchKind, Matcher};

use crate::{GroupBy, Integration, Receiver, Route, Routing, Timing, parse_matchers};

/// Of the times that must not be zero, the shortest; the finest that can be written.
const SHORTEST: Duration = Duration::from_millis(1);

/// No time in a route is longer; ten years are for ever in a configuration, and far from any overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Of a route, what this version cannot do.
const ROUTE_UNSUPPORTED: [&str; 3] = ["active_time_intervals", "labels", "mute_time_intervals"];

/// Beside routes and receivers, what this version cannot do.
const UNSUPPORTED: [&str; 5] = [
    "event_recorder",
    "inhibit_rules",
    "mute_time_intervals",
    "time_intervals",
    "tracing",
];

/// The integrations that are told of ends only if `send_resolved` says so.
const SILENT_ABOUT_ENDS: [&str; 3] = ["email", "slack", "wechat"];

/// How the lists of a receiver's integrations end.
const CONFIGS: &str = "_configs";

/// Reads `route` and the names in `receivers` of a section; without cooldowns, which the format does not have.
///
/// Problems are noted with the document, and so are the keys of the format that this version cannot do once the caller
/// finishes the section. None if there is no route to speak of.
pub fn read(section: &mut Section<'_>) -> Option<Routing> {
    section.unsupported(UNSUPPORTED);
    let receivers = receivers(section);
    let route = section.required("route")?;
    let root = root(route, &receivers)?;
    Some(Routing {
        root,
        receivers,
        cooldowns: Vec::new(),
    })
}

/// The receivers by name.
fn receivers(section: &mut Section<'_>) -> BTreeMap<String, Receiver> {
    let mut receivers = BTreeMap::new();
    let Some(list) = section.required("receivers").and_then(Value::items) else {
        return receivers;
    };
    for item in list {
        let Some(mut receiver) = item.section() else {
            continue;
        };
        let Some(name_value) = receiver.required("name") else {
            continue;
        };
        let Some(name) = name_value.clone().text() else {
            continue;
        };
        if name.is_empty() {
            name_value.refuse("a receiver needs a name");
            continue;
        }
        let integrations = integrations(receiver);
        let receiver = Receiver { integrations };
        if receivers.insert(name.to_owned(), receiver).is_some() {
            let message = format!("the receiver {name:?} exists already; names must differ");
            name_value.refuse(message);
        }
    }
    receivers
}

/// The integrations of a receiver, and whether they are told of ends. What else is wrong with them is for those to say
/// who read them.
fn integrations(receiver: Section<'_>) -> BTreeMap<String, Integration> {
    let mut integrations = BTreeMap::new();
    for (key, value) in receiver.pairs() {
        let Some(kind) = key.strip_suffix(CONFIGS) else {
            continue;
        };
        if value.kind() != "list" {
            continue;
        }
        for (index, integration) in value.items().unwrap_or_default().into_iter().enumerate() {
            let send_resolved = sends_resolved(kind, &integration);
            integrations.insert(integration_name(kind, index), Integration { send_resolved });
        }
    }
    integrations
}

/// The name of the integration that stands at `index` among the `<kind>_configs` of its receiver.
pub fn integration_name(kind: &str, index: usize) -> String {
    format!("{kind}[{index}]")
}

fn sends_resolved(kind: &str, integration: &Value<'_>) -> bool {
    let default = !SILENT_ABOUT_ENDS.contains(&kind);
    if integration.kind() != "section" {
        return default;
    }
    let section = integration.clone().section();
    let pairs = section.map(Section::pairs).unwrap_or_default();
    let written = pairs
        .into_iter()
        .find(|(key, value)| *key == "send_resolved" && value.kind() == "text")
        .and_then(|(_, value)| value.text());
    written.map_or(default, |text| {
        matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on")
    })
}

/// The root: it must name a receiver and takes every alert.
fn root(value: Value<'_>, receivers: &BTreeMap<String, Receiver>) -> Option<Route> {
    let mut section = value.section()?;
    section.required("receiver");
    for key in ["matchers", "match", "match_re"] {
        let matchers = section.value(key);
        if let Some(value) = matchers.filter(|value| !is_empty(value)) {
            value.refuse("the root route takes every alert; move this to a route below it");
        }
    }
    if let Some(value) = section.value("continue")
        && value.clone().boolean() == Some(true)
    {
        value.refuse("nothing comes after the root route; remove it");
    }
    let mut root = Route::to("");
    read_route(section, &mut root, receivers);
    Some(root)
}

/// A route below another one, from which it has what it does not say.
fn child(
    value: Value<'_>,
    parent: &Route,
    receivers: &BTreeMap<String, Receiver>,
) -> Option<Route> {
    let mut section = value.section()?;
    let mut route = Route {
        receiver: parent.receiver.clone(),
        matchers: matchers(&mut section),
        continues: section.value("continue").and_then(Value::boolean) == Some(true),
        group_by: parent.group_by.clone(),
        timing: parent.timing,
        routes: Vec::new(),
    };
    read_route(section, &mut route, receivers);
    Some(route)
}

/// The keys that the root has too, and the routes below.
fn read_route(mut section: Section<'_>, route: &mut Route, receivers: &BTreeMap<String, Receiver>) {
    section.unsupported(ROUTE_UNSUPPORTED);
    if let Some(value) = section.value("receiver")
        && let Some(name) = value.clone().text()
    {
        if !receivers.contains_key(name) {
            let names = receivers.keys().map(String::as_str);
            value.refuse(unknown_receiver(name, names));
        }
        name.clone_into(&mut route.receiver);
    }
    if let Some(group_by) = section.value("group_by").and_then(group_by) {
        route.group_by = group_by;
    }
    let Timing {
        group_wait,
        group_interval,
        repeat_interval,
    } = &mut route.timing;
    for (key, least, place) in [
        ("group_wait", Duration::ZERO, group_wait),
        ("group_interval", SHORTEST, group_interval),
        ("repeat_interval", SHORTEST, repeat_interval),
    ] {
        let value = section.value(key);
        let duration = value.and_then(|value| value.duration_within(least..=LONGEST));
        if let Some(duration) = duration {
            *place = duration;
        }
    }
    let routes = section.value("routes").and_then(Value::items);
    for value in routes.unwrap_or_default() {
        let below = child(value, route, receivers);
        route.routes.extend(below);
    }
    section.finish();
}

fn unknown_receiver<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let names: Vec<&str> = known.clone().collect();
    let hint = match nearest(name, known) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if names.is_empty() => "there are none".to_owned(),
        None => format!("the receivers are {}", names.join(", ")),
    };
    format!("there is no receiver {name:?}; {hint}")
}

/// `matchers`, and the older `match` and `match_re`; all of them must be fulfilled.
fn matchers(section: &mut Section<'_>) -> Vec<Matcher> {
    let mut all = Vec::new();
    for (key, kind) in [("match", MatchKind::Equal), ("match_re", MatchKind::Regex)] {
        let pairs = section.section(key).pairs();
        for (name, value) in pairs {
            let Some(text) = value.clone().text() else {
                continue;
            };
            match Matcher::new(kind, name, text) {
                Ok(matcher) => all.push(matcher),
                Err(error) => value.refuse(error.to_string()),
            }
        }
    }
    let Some(value) = section.value("matchers") else {
        return all;
    };
    let texts = match value.kind() {
        "text" => vec![value],
        _ => value.items().unwrap_or_default(),
    };
    for value in texts {
        let Some(text) = value.clone().text() else {
            continue;
        };
        match parse_matchers(text) {
            Ok(matchers) => all.extend(matchers),
            Err(error) => {
                let shown = value.shown();
                value.refuse(format!("{shown} is no matcher: {error}"));
            }
        }
    }
    // The order in which they are written does not make another route.
    all.sort_by(|left, right| {
        (left.name(), left.kind(), left.value()).cmp(&(right.name(), right.kind(), right.value()))
    });
    all
}

fn group_by(value: Value<'_>) -> Option<GroupBy> {
    let mut names: Vec<String> = Vec::new();
    let items = value.clone().items()?;
    for item in items {
        let Some(name) = item.clone().text() else {
            continue;
        };
        if name.is_empty() {
            item.refuse("a label name is needed here");
        } else if names.iter().any(|known| known == name) {
            item.refuse(format!("the label {name} is listed twice"));
        } else {
            names.push(name.to_owned());
        }
    }
    if !names.iter().any(|name| name == "...") {
        return Some(GroupBy::Labels(names));
    }
    if names.len() > 1 {
        value.refuse("'...' already stands for all labels; write it alone");
    }
    Some(GroupBy::All)
}

fn is_empty(value: &Value<'_>) -> bool {
    match value.kind() {
        "list" => value.clone().items().is_some_and(|items| items.is_empty()),
        "section" => {
            let section = value.clone().section();
            section.is_some_and(|section| section.pairs().is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
