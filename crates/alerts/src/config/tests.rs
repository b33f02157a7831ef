//! Alertmanager's files, good and bad.

use document::{Document, Options, Problem, Source, Syntax};
use model::Labels;

use super::*;

fn parsed(text: &str) -> (Option<Routing>, Vec<String>) {
    let source = Source::new("a.yml", text);
    let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
    let mut section = document.section();
    let routing = read(&mut section);
    section.finish();
    let shown = |problem: &Problem| {
        let (line, column) = problem.position().unwrap();
        format!("{line}:{column} {}: {}", problem.path(), problem.message())
    };
    let problems = document.into_problems().iter().map(shown).collect();
    (routing, problems)
}

#[test]
fn a_tree_inherits_what_it_does_not_say() {
    let (routing, problems) = parsed(
        r#"
route:
  receiver: mail
  group_by: [alertname, job]
  group_wait: 0s
  repeat_interval: 1d
  routes:
    - matchers: ['severity="page"', team =~ "web|shop"]
      receiver: pager
      group_by: ['...']
      continue: true
      routes:
        - matchers: '{ b != c, "x y" = z }'
          group_interval: 90s
    - match: {old: way}
      match_re: {older: w.*}
      group_by: []
receivers:
  - name: mail
    email_configs: [{to: a@example.org}]
  - name: pager
    webhook_configs: [{url: "http://example.org/"}]
  - name: chat
    slack_configs: [{channel: x, send_resolved: yes}, {channel: y}]
    telegram_configs: [{chat_id: 1}]
  - name: nobody
"#,
    );
    assert_eq!(problems, [""; 0]);
    let routing = routing.unwrap();
    let told: Vec<String> = routing
        .receivers
        .iter()
        .flat_map(|(name, receiver)| {
            let integrations = receiver.integrations.iter();
            integrations.map(move |(integration, told)| {
                format!("{name} {integration} {}", told.send_resolved)
            })
        })
        .collect();
    assert_eq!(
        told,
        [
            "chat slack[0] true",
            "chat slack[1] false",
            "chat telegram[0] true",
            "mail email[0] false",
            "pager webhook[0] true"
        ]
    );
    assert!(routing.receivers["nobody"].integrations.is_empty());
    let seconds = Duration::from_secs;
    let root = &routing.root;
    assert_eq!(root.timing.group_wait, Duration::ZERO);
    assert_eq!(root.timing.group_interval, seconds(300));
    assert_eq!(root.timing.repeat_interval, seconds(86_400));
    let [page, old] = &root.routes[..] else {
        panic!("{root:?}")
    };
    assert!(page.continues && !old.continues);
    assert_eq!(page.group_by, GroupBy::All);
    assert_eq!(old.group_by, GroupBy::Labels(vec![]));
    assert_eq!((&*page.receiver, &*old.receiver), ("pager", "mail"));
    assert_eq!(old.matchers.len(), 2);
    let deep = &page.routes[0];
    assert_eq!(
        (&*deep.receiver, deep.timing.group_interval),
        ("pager", seconds(90))
    );
    assert_eq!(deep.timing.repeat_interval, seconds(86_400));
    let alert = [("severity", "page"), ("team", "web"), ("x y", "z")];
    let found = routing.destinations(&Labels::from_pairs(alert).unwrap());
    assert_eq!(
        found[0]
            .group
            .key
            .split(':')
            .next()
            .unwrap()
            .matches('/')
            .count(),
        2
    );
}

#[test]
fn all_mistakes_are_named_at_once_with_their_place() {
    let (_, problems) = parsed(
        r#"route:
  receiver: mial
  matchers: [a=b]
  continue: true
  group_interval: 0s
  mute_time_intervals: [night]
  routes:
    - matchers: ['a~"b"', a=~"(", 'a=b']
      reciever: mail
      group_by: [a, a]
      active_time_intervals: [x]
    - group_by: ['...', a]
      match_re: {a: "("}
      group_wait: 5
receivers:
  - name: mail
  - name: mail
  - email_configs: []
inhibit_rules: []
time_intervals: []
mute_time_intervals: []
"#,
    );
    let expected = [
        r#"2:13 route.receiver: there is no receiver "mial"; did you mean "mail"?"#,
        "3:13 route.matchers: the root route takes every alert; move this to a route below it",
        "4:13 route.continue: nothing comes after the root route; remove it",
        r#"5:19 route.group_interval: "0s" is too small"#,
        "6:3 route.mute_time_intervals: mute_time_intervals is not supported yet",
        r#"8:18 route.routes[0].matchers[0]: "a~\"b\"" is no matcher: column 2: one of"#,
        r#"8:27 route.routes[0].matchers[1]: "a=~\"(\"" is no matcher: column 4: invalid regular"#,
        r#"9:7 route.routes[0].reciever: unknown key "reciever"; did you mean "receiver"?"#,
        "10:21 route.routes[0].group_by[1]: the label a is listed twice",
        "11:7 route.routes[0].active_time_intervals: active_time_intervals is not",
        "12:17 route.routes[1].group_by: '...' already stands for all labels",
        "13:21 route.routes[1].match_re.a: invalid regular expression",
        r#"14:19 route.routes[1].group_wait: "5" is no duration: a unit is missing"#,
        r#"17:11 receivers[1].name: the receiver "mail" exists already"#,
        r#"18:5 receivers[2].name: the key "name" is missing here"#,
        "19:1 inhibit_rules: inhibit_rules is not supported yet; remove it",
        "20:1 time_intervals: time_intervals is not supported yet",
        "21:1 mute_time_intervals: mute_time_intervals is not supported yet",
    ];
    for (found, expected) in problems.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn a_route_and_receivers_are_needed() {
    let (routing, problems) = parsed("global: {}");
    assert_eq!(routing, None);
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains(r#""route" is missing"#)),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains(r#""receivers" is missing"#))
    );
    let (_, problems) = parsed("route: {}\nreceivers: []");
    assert_eq!(
        problems,
        [r#"1:8 route.receiver: the key "receiver" is missing here"#]
    );
}
