//! What a person woken at night reads.

use super::*;
use crate::tests::{alert, notification, resolved};

const URL: &str = "https://watch.example.org/";

#[test]
fn the_subject_says_first_whether_something_burns() {
    let mut notification = notification();
    let subject = |notification: &Notification| DefaultText::new(notification, URL).subject();
    assert_eq!(subject(&notification), "[FIRING:2] MonitorDown shop (web)");
    for alert in &mut notification.alerts {
        alert.status = alerts::Status::Resolved;
    }
    assert_eq!(subject(&notification), "[RESOLVED] MonitorDown shop (web)");
    notification.group_labels = model::Labels::empty();
    notification.alerts = vec![
        alert(&[("alertname", "A")], &[]),
        alert(&[("alertname", "B")], &[]),
    ];
    assert_eq!(subject(&notification), "[FIRING:2] 2 alerts");
}

#[test]
fn a_long_subject_is_cut_and_stays_one_line() {
    let mut notification = notification();
    let long = format!("a\r\nBcc: x@example.org {}", "long ".repeat(200));
    notification.alerts = vec![alert(&[("alertname", &long)], &[])];
    let subject = DefaultText::new(&notification, URL).subject();
    assert!(subject.chars().count() <= SUBJECT_MAX);
    assert!(!subject.contains(['\r', '\n']));
}

#[test]
fn the_text_says_what_where_since_when_and_where_to_look() {
    let notification = notification();
    let text = DefaultText::new(&notification, URL).plain();
    let expected = "\
[FIRING:2] MonitorDown shop (web)

monitor=shop, team=web

Firing (2)
• shop is down
  connection refused
  Value: 0
  since 2026-11-21 08:35:40 UTC, for 12m 5s
  path=/a
  Runbook: https://wiki.example.org/shop?a=1&b=2
  Source: https://watch.example.org/graph?x=1
• MonitorDown
  since 2026-11-21 08:35:40 UTC, for 12m 5s
  path=/b

Campanile: https://watch.example.org/";
    assert_eq!(text, expected);
}

#[test]
fn an_end_says_how_long_it_lasted() {
    let mut notification = notification();
    notification.alerts = vec![resolved(alert(&[("alertname", "MonitorDown")], &[]))];
    let text = DefaultText::new(&notification, URL).plain();
    assert!(
        text.contains("from 2026-11-21 08:35:40 UTC to 2026-11-21 08:47:40 UTC, lasted 12m"),
        "{text}"
    );
}

#[test]
fn many_alerts_are_counted_but_not_all_listed() {
    let mut notification = notification();
    notification.alerts = (0..40)
        .map(|index| alert(&[("alertname", "A"), ("n", &index.to_string())], &[]))
        .collect();
    let text = DefaultText::new(&notification, URL).plain();
    assert!(
        text.contains("Firing (40)") && text.contains("… and 15 more"),
        "{text}"
    );
}

#[test]
fn what_alerts_say_is_no_markup() {
    let mut notification = notification();
    let evil = "<!channel> <b>&\" <a href=x>";
    notification.alerts = vec![alert(
        &[("alertname", evil)],
        &[("summary", evil), ("runbook_url", "javascript:alert(1)")],
    )];
    let text = DefaultText::new(&notification, URL);
    assert!(!text.slack().contains("<!"), "{}", text.slack());
    for marked in [text.html(), text.telegram()] {
        assert!(!marked.contains("<!channel"), "{marked}");
        assert!(!marked.contains("<a href=x"), "{marked}");
        assert!(!marked.contains("javascript:"), "{marked}");
    }
}

#[test]
fn a_rule_tells_its_value_in_six_digits_unless_its_author_wrote_one() {
    for (value, shown) in [
        (97.253_417_9, "Value: 97.2534"),
        (1.0, "Value: 1"),
        (0.0, "Value: 0"),
        (1_234_567_890.0, "Value: 1234567890"),
        (1.5e-9, "Value: 1.5e-9"),
        (6.02e23, "Value: 6.02e23"),
        (f64::INFINITY, "Value: inf"),
        (f64::NAN, "Value: NaN"),
    ] {
        let mut notification = notification();
        let mut told = alert(&[("alertname", "A")], &[]);
        told.alert.value = Some(value);
        notification.alerts = vec![told.clone()];
        let text = DefaultText::new(&notification, URL).plain();
        assert!(text.lines().any(|line| line.trim() == shown), "{text}");
        told.alert
            .annotations
            .insert("value".to_owned(), "full".to_owned());
        notification.alerts = vec![told];
        let text = DefaultText::new(&notification, URL).plain();
        assert!(text.contains("Value: full"), "{text}");
    }
}
