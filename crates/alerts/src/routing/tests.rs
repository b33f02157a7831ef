//! Which receivers an alert reaches, as `amtool config routes test` says it.

use super::*;
use crate::{Integration, Receiver, parse_matchers};

fn labels(text: &str) -> Labels {
    let pairs = text
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap());
    Labels::from_pairs(pairs).unwrap()
}

fn route(receiver: &str, matchers: &str, routes: Vec<Route>) -> Route {
    Route {
        matchers: parse_matchers(matchers).unwrap(),
        routes,
        ..Route::to(receiver)
    }
}

fn continuing(route: Route) -> Route {
    Route {
        continues: true,
        ..route
    }
}

fn by(names: &[&str], route: Route) -> Route {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Route {
        group_by: GroupBy::Labels(names),
        ..route
    }
}

fn routing(root: Route) -> Routing {
    let mut receivers = BTreeMap::new();
    let mut routes = vec![&root];
    while let Some(route) = routes.pop() {
        let integration = Integration {
            send_resolved: true,
        };
        let integrations = BTreeMap::from([("webhook[0]".to_owned(), integration)]);
        receivers.insert(route.receiver.clone(), Receiver { integrations });
        routes.extend(&route.routes);
    }
    Routing {
        root,
        receivers,
        cooldowns: Vec::new(),
    }
}

/// Receiver and key of each group, one per line.
fn reached(routing: &Routing, text: &str) -> Vec<String> {
    let destinations = routing.destinations(&labels(text));
    destinations
        .iter()
        .map(|destination| format!("{} {}", destination.group.receiver, destination.group.key))
        .collect()
}

#[test]
fn the_deepest_matching_route_takes_an_alert_and_the_first_of_siblings() {
    let routing = routing(route(
        "default",
        "",
        vec![
            continuing(route("log", "", vec![])),
            route(
                "web",
                "team=web",
                vec![
                    route("pager", r#"severity=~"page|critical""#, vec![]),
                    route("never", "team!=web", vec![]),
                ],
            ),
            route("empty", r#"team="""#, vec![]),
            route("shadowed", "team=web", vec![]),
        ],
    ));
    for (alert, expected) in [
        ("team=web", vec!["log", "web"]),
        ("team=web severity=page", vec!["log", "pager"]),
        ("team=web severity=pages", vec!["log", "web"]),
        ("team=data", vec!["log"]),
        ("a=b", vec!["log", "empty"]),
    ] {
        let destinations = routing.destinations(&labels(alert));
        let found: Vec<&str> = destinations
            .iter()
            .map(|destination| &*destination.group.receiver)
            .collect();
        assert_eq!(found, expected, "{alert}");
    }
}

#[test]
fn the_root_takes_what_no_child_does() {
    let routing = routing(route("default", "", vec![route("web", "team=web", vec![])]));
    assert_eq!(reached(&routing, "team=data"), ["default {}:{}"]);
}

#[test]
fn a_group_is_named_by_its_route_and_its_labels() {
    let root = by(&["job"], route("a", "", vec![]));
    let tree = Route {
        routes: vec![
            continuing(by(&["b", "a"], route("x", "team=~web|shop,b!=9", vec![]))),
            Route {
                group_by: GroupBy::All,
                ..route("y", "team=web", vec![])
            },
        ],
        ..root
    };
    let routing = routing(tree);
    assert_eq!(
        reached(&routing, "a=1 b=2 team=web"),
        [
            r#"x {}/{team=~"web|shop",b!="9"}:{a="1",b="2"}"#,
            r#"y {}/{team="web"}:{a="1",b="2",team="web"}"#
        ]
    );
    assert_eq!(reached(&routing, "job=j c=1"), [r#"a {}:{job="j"}"#]);
    assert_eq!(reached(&routing, "c=1"), ["a {}:{}"]);
}

#[test]
fn the_same_group_is_reached_once() {
    let twice = || continuing(route("x", "a=1", vec![]));
    let routing = routing(route("d", "", vec![twice(), twice()]));
    assert_eq!(reached(&routing, "a=1"), [r#"x {}/{a="1"}:{}"#]);
}

#[test]
fn the_first_cooldown_that_fits_counts() {
    let cooldown = |text: &str, seconds| Cooldown {
        matchers: parse_matchers(text).unwrap(),
        duration: Duration::from_secs(seconds),
    };
    let routing = Routing {
        cooldowns: vec![cooldown("a=1", 60), cooldown("b=~.+", 30)],
        ..routing(Route::to("d"))
    };
    for (alert, seconds) in [("a=1 b=1", 60), ("b=1", 30), ("c=1", 0)] {
        assert_eq!(
            routing.cooldown(&labels(alert)).as_secs(),
            seconds,
            "{alert}"
        );
    }
}
