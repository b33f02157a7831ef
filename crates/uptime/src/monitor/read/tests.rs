//! Good monitors with their defaults, and what is said of mistakes.

use document::{Document, Options, Source, Syntax};

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
