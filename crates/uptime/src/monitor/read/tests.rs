//! Good monitors with their defaults, and what is said of mistakes.

use document::{Document, Options, Source, Syntax};
use proptest::prelude::*;

use super::*;
use crate::Outcome;

fn read(text: &str) -> (MonitorList, Vec<String>) {
    let source = Source::new("test.yml", text);
    let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
    let list = read_monitors(document.root());
    let shown = |problem: Problem| {
        let (line, column) = problem.position().unwrap();
        format!("{line}:{column} {}: {}", problem.path(), problem.message())
    };
    let problems = document.into_problems().into_iter().map(shown).collect();
    (list, problems)
}

#[test]
fn what_is_left_out_has_defaults() {
    let (list, problems) = read("- {name: shop, type: http, url: 'https://shop.example.org/'}");
    assert_eq!(problems, [""; 0]);
    assert_eq!(list.warnings, []);
    let [shop] = list.monitors.as_slice() else {
        panic!("one monitor: {list:?}");
    };
    let expected = Monitor {
        name: Arc::from("shop"),
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        retries: 1,
        retry_interval: Duration::from_secs(10),
        labels: Labels::empty(),
        check: HttpCheck {
            url: "https://shop.example.org/".parse().unwrap(),
            method: Method::GET,
            headers: HeaderMap::new(),
            body: String::new(),
            follow_redirects: true,
            accepted_statuses: vec![SUCCESS],
            keyword: None,
            keyword_absent: None,
        },
    };
    assert_eq!(shop, &expected);
}

#[test]
fn everything_that_is_written_counts() {
    let (list, problems) = read(
        "- name: Login API
  type: http
  url: http://[::1]:8080/login?a=b
  interval: 5s
  timeout: 2s
  retries: 3
  retry_interval: 1s
  method: POST
  headers: {Authorization: Bearer secret, X-Trace: \"1\"}
  body: '{}'
  follow_redirects: false
  accepted_statuses: [200, 301-308]
  keyword: welcome
  keyword_absent: error
  labels: {team: web, severity: page}
",
    );
    assert_eq!(problems, [""; 0]);
    let monitor = &list.monitors[0];
    assert_eq!(monitor.retries, 3);
    assert_eq!(monitor.timeout, Duration::from_secs(2));
    assert_eq!(monitor.retry_interval, Duration::from_secs(1));
    assert_eq!(
        monitor.series_labels().to_string(),
        r#"{monitor="Login API",severity="page",team="web"}"#
    );
    let check = &monitor.check;
    assert_eq!((check.method.as_str(), check.body.as_str()), ("POST", "{}"));
    assert!(!check.follow_redirects);
    assert_eq!(check.headers["authorization"], "Bearer secret");
    assert!(!format!("{monitor:?}").contains("secret"));
    for (status, body, expected) in [
        (200, "you are welcome", None),
        (308, "welcome", None),
        (309, "welcome", Some("the status is 309")),
        (200, "go away", Some("the answer does not hold \"welcome\"")),
        (200, "", Some("the answer does not hold \"welcome\"")),
        (200, "welcome, error", Some("the answer holds \"error\"")),
    ] {
        let expected =
            expected.map_or(Outcome::Success, |cause| Outcome::Failure(cause.to_owned()));
        assert_eq!(check.judge(status, body.as_bytes()), expected);
    }
    let [warning] = list.warnings.as_slice() else {
        panic!("a short interval is warned of: {:?}", list.warnings);
    };
    assert_eq!(warning.position(), Some((4, 13)));
    assert_eq!(
        warning.message(),
        "checking every 5s is a load for the target; 10s is enough for most"
    );
}

#[test]
fn a_default_timeout_is_less_than_a_short_interval() {
    for (interval, timeout) in [("1s", 800), ("10s", 8_000), ("12s", 9_600), ("13s", 10_000)] {
        let text = format!("- {{name: a, type: http, url: 'http://a', interval: {interval}}}");
        let (list, problems) = read(&text);
        assert_eq!(problems, [""; 0]);
        assert_eq!(list.monitors[0].timeout.as_millis(), timeout);
    }
}

#[test]
fn all_mistakes_come_at_once_each_with_its_place() {
    let (list, problems) = read(
        "- name: shop
  type: tcp
  url: ftp://shop.example.org
  intervall: 30s
- name: shop
  type: htpp
  url: https://user:secret@shop.example.org/
  interval: 500ms
  timeout: 10s
  retries: -1
- type: http
  url: https:///path
  interval: 10s
  timeout: 10s
  retry_interval: soon
  method: get
- name: ''
  type: http
  url: http://shop.example.org:99999/
  method: HEAD
  body: x
  keyword: y
  headers: {Content-Length: 1, 'a b': c, X-A: 1, x-a: 2}
  accepted_statuses: [200, 2xx, 299-200, 99]
  labels: {monitor: x, __a: b, a-b: c, team: [web]}
- name: fine
  type: http
  url: http://shop
  accepted_statuses: []
  keyword: ''
- just a text
",
    );
    assert_eq!(list.monitors, []);
    expect_test::expect![[r#"
        2:9 [0].type: the type tcp is not supported yet; http is the only one
        3:8 [0].url: "ftp://shop.example.org" is no URL to check: it begins with https:// or http://
        4:3 [0].intervall: unknown key "intervall"; did you mean "interval"?
        5:9 [1].name: another monitor is named "shop" already; names are unique
        6:9 [1].type: "htpp" is not known here; write http; did you mean http?
        7:8 [1].url: a login does not belong into a URL; write headers: {Authorization: …}
        8:13 [1].interval: "500ms" is too small; the least is 1s (allowed: 1s to 1d)
        10:12 [1].retries: "-1" is too small; the least is 0 (allowed: 0 to 100)
        11:3 [2].name: the key "name" is missing here
        12:8 [2].url: "https:///path" is no URL to check: write for example https://shop.example.org/, with other characters percent-encoded
        14:12 [2].timeout: the timeout must be less than the interval (10s)
        15:19 [2].retry_interval: "soon" is no duration: a whole number and a unit are needed, for example 30s or 1h30m
        16:11 [2].method: "get" is not known here; write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS; did you mean GET?
        17:9 [3].name: a name is a line of text that is not empty; write for example shop, or Main site
        19:8 [3].url: "http://shop.example.org:99999/" is no URL to check: its port is a number from 1 to 65535
        21:9 [3].body: a HEAD request has no body; remove it, or write method: POST
        22:12 [3].keyword: the answer to HEAD has no body; write method: GET
        23:29 [3].headers.Content-Length: the header content-length is set by campanile; remove it
        23:39 [3].headers.a b: "a b" is no name of a header; write for example X-Token
        23:55 [3].headers.x-a: the header x-a is given twice; upper and lower case are the same
        24:28 [3].accepted_statuses[1]: "2xx" is no status: write a code from 100 to 599, or a range such as 200-299
        24:33 [3].accepted_statuses[2]: "299-200" is no status: write a code from 100 to 599, or a range such as 200-299
        24:42 [3].accepted_statuses[3]: "99" is no status: write a code from 100 to 599, or a range such as 200-299
        25:21 [3].labels.monitor: the label monitor is set by campanile; choose another name
        25:29 [3].labels.__a: "__a" is no name for a label: use letters, digits and _, and do not begin with a digit or with __
        25:37 [3].labels.a-b: "a-b" is no name for a label: use letters, digits and _, and do not begin with a digit or with __
        25:46 [3].labels.team: a text is needed here, not a list
        29:22 [4].accepted_statuses: 1 to 100 codes or ranges are needed, for example [200, 301-308]
        30:12 [4].keyword: an empty text is in every answer; write the text to look for
        31:3 [5]: a section (lines such as key: value) is needed here, not "just a text""#]].assert_eq(&problems.join("\n"));
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let text: String = (0..=MONITORS_MAX)
        .map(|index| format!("- {{name: m{index}, type: http, url: 'http://a'}}\n"))
        .collect();
    let (_, problems) = read(&text);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("10001 monitors, at most 10000"),
        "{problems:?}"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        key in "name|type|url|interval|timeout|retries|retry_interval|accepted_statuses|keyword|method|body",
        value in ".{0,40}",
    ) {
        let quoted = serde_json::to_string(&value).unwrap();
        let text = format!("[{{\"{key}\": {quoted}}}]");
        let source = Source::new("test.json", text);
        let document = Document::parse(&source, Syntax::Json, &Options::default()).unwrap();
        read_monitors(document.root());
        prop_assert!(!document.into_problems().is_empty(), "something else is missing");
    }

    #[test]
    fn a_url_that_is_taken_has_a_scheme_and_a_host(url in "(https?|ftp)?(:|://)?[a-z0-9.@:/\\[\\]?#%-]{0,20}") {
        let text = format!("[{{\"name\": \"a\", \"type\": \"http\", \"url\": {}}}]", serde_json::to_string(&url).unwrap());
        let (list, problems) = read(&text);
        prop_assert_eq!(list.monitors.len() + problems.len(), 1);
        if let Some(monitor) = list.monitors.first() {
            let url = &monitor.check.url;
            prop_assert!(matches!(url.scheme_str(), Some("http" | "https")));
            prop_assert!(!url.host().unwrap().is_empty());
        }
    }
}
