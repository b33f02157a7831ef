//! The journal of notifications over HTTP.

use std::collections::BTreeMap;

use expect_test::expect;
use model::{
    DeliveryState, Labels, NotificationQuery, NotificationRecord, RecordedAlert, Timestamp,
};

use super::{Bench, NOW};

/// What a journal gives for a query.
pub(super) fn select(
    entries: Vec<NotificationRecord>,
    query: &NotificationQuery,
) -> Vec<NotificationRecord> {
    let fits = |entry: &NotificationRecord| {
        query.before.is_none_or(|before| entry.id < before)
            && query.state.is_none_or(|state| entry.state == state)
            && (query.receiver.iter()).all(|receiver| *receiver == entry.receiver)
    };
    let fitting = entries.into_iter().filter(fits);
    fitting.take(query.limit as usize).collect()
}

pub(super) fn entry(id: u64, receiver: &str, state: DeliveryState) -> NotificationRecord {
    let at = |seconds: i64| Timestamp::from_millis(NOW + seconds * 1000);
    let is_failed = state == DeliveryState::Failed;
    let alert = |job: &str, ended_at| RecordedAlert {
        labels: Labels::from_pairs([("alertname", "Down"), ("job", job)]).unwrap(),
        annotations: BTreeMap::from([("summary".to_owned(), format!("\"{job}\" is down"))]),
        starts_at: at(-60),
        ended_at,
    };
    NotificationRecord {
        id,
        receiver: receiver.to_owned(),
        integration: "email[0]".to_owned(),
        target: "ops@example.org".to_owned(),
        group_key: "{}:{alertname=\"Down\"}".to_owned(),
        group_labels: Labels::from_pairs([("alertname", "Down")]).unwrap(),
        reason: "first".to_owned(),
        alerts: if is_failed {
            vec![alert("a", Some(at(-1)))]
        } else {
            vec![alert("a", None), alert("b", Some(at(-1)))]
        },
        decided_at: at(0),
        state,
        attempts: 2,
        parts_delivered: 0,
        error: if is_failed { "451 try again later" } else { "" }.to_owned(),
        finished_at: (state != DeliveryState::Pending).then(|| at(5)),
    }
}

fn filled(entries: impl IntoIterator<Item = NotificationRecord>) -> Bench {
    let bench = Bench::new();
    bench.behind.lock().unwrap().journal = Some(Ok(entries.into_iter().collect()));
    bench
}

async fn ids(bench: &Bench, uri: &str) -> (Vec<u64>, Option<u64>) {
    let answer = bench.get(uri).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    let shown = body["data"]["notifications"].as_array().unwrap();
    let ids = shown.iter().map(|entry| entry["id"].as_u64().unwrap());
    (ids.collect(), body["data"]["next"].as_u64())
}

#[tokio::test]
async fn a_notification_is_shown_with_its_alerts_and_its_outcome() {
    let bench = filled([
        entry(8, "mail", DeliveryState::Pending),
        entry(7, "mail", DeliveryState::Failed),
    ]);
    expect![[r#"200 {"status":"success","data":{"notifications":[{"id":8,"receiver":"mail","integration":"email[0]","target":"ops@example.org","groupKey":"{}:{alertname=\"Down\"}","groupLabels":{"alertname":"Down"},"reason":"first","status":"firing","alerts":[{"labels":{"alertname":"Down","job":"a"},"annotations":{"summary":"\"a\" is down"},"startsAt":"2025-10-09T08:52:20.123Z","endsAt":null},{"labels":{"alertname":"Down","job":"b"},"annotations":{"summary":"\"b\" is down"},"startsAt":"2025-10-09T08:52:20.123Z","endsAt":"2025-10-09T08:53:19.123Z"}],"decidedAt":"2025-10-09T08:53:20.123Z","state":"pending","attempts":2,"error":null,"finishedAt":null},{"id":7,"receiver":"mail","integration":"email[0]","target":"ops@example.org","groupKey":"{}:{alertname=\"Down\"}","groupLabels":{"alertname":"Down"},"reason":"first","status":"resolved","alerts":[{"labels":{"alertname":"Down","job":"a"},"annotations":{"summary":"\"a\" is down"},"startsAt":"2025-10-09T08:52:20.123Z","endsAt":"2025-10-09T08:53:19.123Z"}],"decidedAt":"2025-10-09T08:53:20.123Z","state":"failed","attempts":2,"error":"451 try again later","finishedAt":"2025-10-09T08:53:25.123Z"}],"next":null}}"#]]
        .assert_eq(&bench.get("/api/v1/notifications").await.shown());
    expect![[r#"200 {"status":"success","data":{"notifications":[],"next":null}}"#]]
        .assert_eq(&filled([]).get("/api/v1/notifications").await.shown());
}

#[tokio::test]
async fn notifications_are_chosen_by_receiver_and_state() {
    let bench = filled([
        entry(3, "mail", DeliveryState::Delivered),
        entry(2, "chat", DeliveryState::Delivered),
        entry(1, "mail", DeliveryState::Failed),
    ]);
    for (parameters, expected) in [
        ("receiver=mail", vec![3, 1]),
        ("state=delivered", vec![3, 2]),
        ("receiver=mail&state=failed", vec![1]),
        ("receiver=nobody", vec![]),
        ("before=3&receiver=", vec![2, 1]),
    ] {
        let uri = format!("/api/v1/notifications?{parameters}");
        assert_eq!(ids(&bench, &uri).await, (expected, None), "{parameters}");
    }
}

#[tokio::test]
async fn all_pages_together_show_each_notification_once() {
    let bench = filled(
        (1..=250)
            .rev()
            .map(|id| entry(id, "mail", DeliveryState::Delivered)),
    );
    for limit in [1, 99, 100, 101, 249, 250, 251, 1000] {
        let mut seen = Vec::new();
        let mut before = String::new();
        loop {
            let uri = format!("/api/v1/notifications?limit={limit}{before}");
            let (page, next) = ids(&bench, &uri).await;
            assert!(page.len() <= limit);
            seen.extend(page);
            let Some(next) = next else { break };
            assert_eq!(seen.last(), Some(&next), "{limit}");
            before = format!("&before={next}");
        }
        assert_eq!(seen, Vec::from_iter((1..=250).rev()), "{limit}");
    }
    let (page, next) = ids(&bench, "/api/v1/notifications").await;
    assert_eq!((page.len(), next), (100, Some(151)));
}

#[tokio::test]
async fn an_answer_that_grows_too_long_ends_early_but_never_empty() {
    let huge = |id| {
        let mut entry = entry(id, "mail", DeliveryState::Delivered);
        entry.error = "x".repeat(6 << 20);
        entry
    };
    let bench = filled([huge(3), huge(2), huge(1)]);
    assert_eq!(
        ids(&bench, "/api/v1/notifications").await,
        (vec![3, 2], Some(2))
    );
    assert_eq!(
        ids(&bench, "/api/v1/notifications?before=2").await,
        (vec![1], None)
    );
}

#[tokio::test]
async fn a_wrong_parameter_of_notifications_is_named() {
    let bench = filled([]);
    for (parameters, reason) in [
        (
            "limit=0",
            r#"invalid parameter \"limit\": \"0\" is no whole number from 1 to 1000"#,
        ),
        (
            "limit=1001",
            r#"invalid parameter \"limit\": \"1001\" is no whole number from 1 to 1000"#,
        ),
        (
            "before=x",
            r#"invalid parameter \"before\": \"x\" is no id of a notification"#,
        ),
        (
            "state=sent",
            r#"invalid parameter \"state\": \"sent\" is none: write pending, delivered or failed"#,
        ),
    ] {
        let answer = bench
            .get(&format!("/api/v1/notifications?{parameters}"))
            .await;
        let expected =
            format!(r#"400 {{"status":"error","errorType":"bad_data","error":"{reason}"}}"#);
        assert_eq!(answer.shown(), expected);
    }
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_is_the_servers_fault() {
    let bench = filled([]);
    bench.behind.lock().unwrap().journal = Some(Err("disk is full".to_owned()));
    expect![[r#"500 {"status":"error","errorType":"internal","error":"cannot read the journal of notifications: disk is full"}"#]].assert_eq(&bench.get("/api/v1/notifications").await.shown());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_does_not_answer_is_not_waited_for() {
    let bench = filled([]);
    bench.behind.lock().unwrap().journal = None;
    expect![[r#"503 {"status":"error","errorType":"timeout","error":"the journal of notifications did not answer within 2m"}"#]].assert_eq(&bench.get("/api/v1/notifications").await.shown());
}
