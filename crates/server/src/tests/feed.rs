//! The live feed over a real socket, with a real WebSocket client.

use std::time::Duration;

use expect_test::{Expect, expect};
use futures_util::{SinkExt as _, StreamExt as _};
use model::{
    Appended, KeyEncoding, Labels, RejectReason, Rejected, Row, RowKind, SampleBatch, Timestamp,
    stale_marker,
};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{self, Message};

use super::monitors::{blog, shop};
use super::socket::{Listening, until};
use super::table::populated;
use super::{NOW, Pairs};
use crate::{AlertChange, AlertPhase, Config, Feed, FeedLimits};

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the feed.
struct Follower(WebSocketStream<TcpStream>);

impl Follower {
    async fn new(listening: &Listening) -> Self {
        Self::try_new(listening, None).await.unwrap().0
    }

    async fn try_new(
        listening: &Listening,
        origin: Option<&str>,
    ) -> Result<(Self, Response), tungstenite::Error> {
        let origin = origin.map(|origin| origin.replace("HERE", &listening.address.to_string()));
        let headers = origin.as_deref().map(|origin| ("origin", origin));
        Self::showing(listening, headers).await
    }

    /// One that sends a header.
    async fn showing(
        listening: &Listening,
        header: Option<(&'static str, &str)>,
    ) -> Result<(Self, Response), tungstenite::Error> {
        let url = format!("ws://{}/ws/metrics", listening.address);
        let mut request = url.into_client_request()?;
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(listening.address).await?;
        let (socket, response) = tokio_tungstenite::client_async(request, stream).await?;
        Ok((Self(socket), response))
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message; how the connection was closed if it was.
    async fn hear(&mut self) -> String {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match next.expect("a message is there in time") {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Close(frame))) => {
                    return frame.map_or("closed".to_owned(), |frame| {
                        format!("closed {}: {}", u16::from(frame.code), frame.reason)
                    });
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return format!("broken: {error}"),
                None => return "closed".to_owned(),
            }
        }
    }

    async fn ask(&mut self, text: &str) -> String {
        self.say(text).await;
        self.hear().await
    }

    /// Subscribes, and expects that to succeed.
    async fn subscribe(&mut self, data: &str) {
        let answer = self
            .ask(&format!(r#"{{"type":"subscribe","data":{data}}}"#))
            .await;
        assert!(answer.starts_with(r#"{"type":"subscribed""#), "{answer}");
    }
}

impl Listening {
    fn feed(&self) -> &Feed {
        self.bench.server.feed()
    }

    /// The first value of one of the server's own metrics.
    fn figure(&self, name: &str) -> f64 {
        let families = self.bench.server.metrics();
        let mut families = families.iter();
        let family = families.find(|it| it.name.strip_suffix("_total").unwrap_or(&it.name) == name);
        family.unwrap().points[0].value
    }

    /// Messages to and from all clients so far.
    fn messages(&self) -> (f64, f64) {
        let families = self.bench.server.metrics();
        let mut families = families.iter();
        let family = families.find(|it| {
            it.name.starts_with("campanile_websocket_messages") && !it.name.contains("dropped")
        });
        let count = |direction: &str| {
            let mut points = family.unwrap().points.iter();
            let point =
                points.find(|point| point.labels.iter().any(|(_, value)| value == direction));
            point.map_or(0.0, |point| point.value)
        };
        (count("sent"), count("received"))
    }

    /// Publishes samples as if all of them had been accepted.
    fn publish(&self, samples: &[(Pairs<'_>, f64)]) {
        self.publish_but(samples, Appended::default());
    }

    fn publish_but(&self, samples: &[(Pairs<'_>, f64)], appended: Appended) {
        let samples: Vec<(Labels, f64)> = samples
            .iter()
            .map(|(pairs, value)| (Labels::from_pairs(pairs.iter().copied()).unwrap(), *value))
            .collect();
        let rows = samples
            .iter()
            .map(|(labels, value)| (labels, Timestamp::from_millis(NOW), *value));
        self.feed().samples(&SampleBatch::packed(rows), &appended);
    }
}

async fn listening() -> Listening {
    Listening::new(Config::default()).await
}

async fn limited(limits: FeedLimits) -> Listening {
    Listening::new(Config {
        feed: limits,
        ..Config::default()
    })
    .await
}

fn check(actual: &str, expected: Expect) {
    if actual.starts_with('{') {
        serde_json::from_str::<serde_json::Value>(actual).expect(actual);
    }
    expected.assert_eq(actual);
}

const UP: Pairs<'_> = &[("__name__", "up"), ("job", "node")];

#[tokio::test]
async fn samples_are_told_as_they_arrive() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    let subscribed = follower
        .ask(r#"{"type":"subscribe","data":{"subscription":"metrics","id":"a"}}"#)
        .await;
    check(
        &subscribed,
        expect![[r#"{"type":"subscribed","data":{"id":"a","subscription":"metrics"}}"#]],
    );
    let no_name: Pairs<'_> = &[("a", "\"")];
    listening.publish(&[
        (UP, 1.5),
        (UP, f64::NAN),
        (no_name, f64::INFINITY),
        (no_name, f64::NEG_INFINITY),
        (no_name, 1e300),
    ]);
    check(
        &follower.hear().await,
        expect![[
            r#"{"type":"metric_update","data":{"id":"a","metrics":[{"name":"up","labels":{"job":"node"},"value":1.5,"timestamp":1760000000.123},{"name":"up","labels":{"job":"node"},"value":"NaN","timestamp":1760000000.123},{"name":"","labels":{"a":"\""},"value":"+Inf","timestamp":1760000000.123},{"name":"","labels":{"a":"\""},"value":"-Inf","timestamp":1760000000.123},{"name":"","labels":{"a":"\""},"value":1e+300,"timestamp":1760000000.123}]}}"#
        ]],
    );
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    for data in [
        r#"{"subscription":"metrics","name":"up","id":"name"}"#,
        r#"{"subscription":"metrics","labels":{"job":"shop"},"id":"label"}"#,
        r#"{"subscription":"metrics","name":"up","labels":{"job":"shop","zone":""},"id":"both"}"#,
    ] {
        follower.subscribe(data).await;
    }
    let up_shop: Pairs<'_> = &[("__name__", "up"), ("job", "shop")];
    let up_zone: Pairs<'_> = &[("__name__", "up"), ("job", "shop"), ("zone", "x")];
    let load: Pairs<'_> = &[("__name__", "load"), ("job", "shop")];
    let other: Pairs<'_> = &[("__name__", "load"), ("job", "node")];
    listening.publish(&[
        (UP, 1.0),
        (up_shop, 2.0),
        (up_zone, 3.0),
        (load, 4.0),
        (other, 5.0),
    ]);
    let mut heard = std::collections::BTreeMap::new();
    for _ in 0..3 {
        let message: serde_json::Value = serde_json::from_str(&follower.hear().await).unwrap();
        let metrics = message["data"]["metrics"].as_array().unwrap();
        let values: Vec<f64> = metrics
            .iter()
            .map(|it| it["value"].as_f64().unwrap())
            .collect();
        heard.insert(message["data"]["id"].as_str().unwrap().to_owned(), values);
    }
    assert_eq!(heard["name"], [1.0, 2.0, 3.0]);
    assert_eq!(heard["label"], [2.0, 3.0, 4.0]);
    assert_eq!(heard["both"], [2.0]);
}

#[tokio::test]
async fn neither_refused_samples_nor_the_ends_of_series_are_told() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    follower.subscribe(r#"{"subscription":"metrics"}"#).await;
    let refused = |kind, row| Rejected {
        kind,
        row,
        reason: RejectReason::SeriesLimit { limit: 1 },
    };
    let appended = Appended {
        accepted: 2,
        rejected: vec![
            refused(RowKind::Sample, 0),
            refused(RowKind::Sample, 2),
            refused(RowKind::Histogram, 1),
        ],
        ..Appended::default()
    };
    listening.publish_but(
        &[(UP, 1.0), (UP, 2.0), (UP, 3.0), (UP, stale_marker())],
        appended,
    );
    let heard = follower.hear().await;
    assert_eq!(heard.matches("\"value\"").count(), 1, "{heard}");
    assert!(heard.contains("\"value\":2,"), "{heard}");
}

#[tokio::test]
async fn what_comes_thick_and_fast_is_told_together() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    follower.subscribe(r#"{"subscription":"metrics"}"#).await;
    for value in [1.0, 2.0, 3.0] {
        listening.publish(&[(UP, value)]);
    }
    let heard = follower.hear().await;
    assert_eq!(heard.matches("\"value\"").count(), 3, "{heard}");
}

#[tokio::test]
async fn many_samples_are_told_in_messages_that_fit() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    follower.subscribe(r#"{"subscription":"metrics"}"#).await;
    let samples: Vec<(Pairs<'_>, f64)> = (0..5_000).map(|value| (UP, f64::from(value))).collect();
    listening.publish(&samples);
    let mut values = Vec::new();
    while values.len() < samples.len() {
        let heard = follower.hear().await;
        assert!(heard.len() < 70_000, "{}", heard.len());
        let heard: serde_json::Value = serde_json::from_str(&heard).unwrap();
        let metrics = heard["data"]["metrics"].as_array().unwrap();
        values.extend(
            metrics
                .iter()
                .map(|sample| sample["value"].as_f64().unwrap()),
        );
    }
    assert!(values.is_sorted());
}

fn change(phase: AlertPhase) -> AlertChange {
    AlertChange {
        labels: Labels::from_pairs([("alertname", "Down"), ("job", "a")]).unwrap(),
        annotations: [("summary".to_owned(), "it is down".to_owned())].into(),
        phase,
        active_at: Timestamp::from_millis(NOW),
        value: 0.0,
        rule: Some("Down".to_owned()),
        resolved_at: (phase == AlertPhase::Resolved).then_some(Timestamp::from_millis(NOW + 1000)),
    }
}

#[tokio::test]
async fn alerts_are_told() {
    let listening = listening().await;
    assert!(!listening.feed().wants_alerts());
    let mut follower = Follower::new(&listening).await;
    follower
        .subscribe(r#"{"subscription":"alerts","id":"x"}"#)
        .await;
    assert!(listening.feed().wants_alerts());
    listening.feed().alert(change(AlertPhase::Firing));
    check(
        &follower.hear().await,
        expect![[
            r#"{"type":"alert","data":{"id":"x","labels":{"alertname":"Down","job":"a"},"annotations":{"summary":"it is down"},"state":"firing","activeAt":"2025-10-09T08:53:20.123Z","value":"0e+00","rule":"Down"}}"#
        ]],
    );
    listening.feed().alert(change(AlertPhase::Resolved));
    check(
        &follower.hear().await,
        expect![[
            r#"{"type":"alert","data":{"id":"x","labels":{"alertname":"Down","job":"a"},"annotations":{"summary":"it is down"},"state":"resolved","activeAt":"2025-10-09T08:53:20.123Z","value":"0e+00","rule":"Down","resolvedAt":"2025-10-09T08:53:21.123Z"}}"#
        ]],
    );
}

#[tokio::test]
async fn monitors_are_told_and_also_that_one_is_gone() {
    let listening = listening().await;
    let mut all = Follower::new(&listening).await;
    all.subscribe(r#"{"subscription":"monitors","id":"m"}"#)
        .await;
    let mut one = Follower::new(&listening).await;
    one.subscribe(r#"{"subscription":"monitors","name":"a/b","id":"m"}"#)
        .await;
    listening.feed().monitor(shop().status);
    listening.feed().monitor(blog().status);
    listening.feed().monitor_removed("shop".into());
    check(
        &all.hear().await,
        expect![[
            r#"{"type":"monitor","data":{"id":"m","monitor":{"name":"shop","type":"http","url":"https://shop.test/?…","labels":{"team":"web"},"interval_seconds":30,"state":"up","since":"2025-10-09T07:53:20.123Z","cause":"the check succeeded","last_check":{"at":"2025-10-09T08:53:15.123Z","duration_seconds":0.012345,"outcome":"success","cause":""}}}}"#
        ]],
    );
    assert!(all.hear().await.contains(r#""name":"a/b""#));
    check(
        &all.hear().await,
        expect![[r#"{"type":"monitor","data":{"id":"m","removed":"shop"}}"#]],
    );
    assert!(one.hear().await.contains(r#""name":"a/b""#));
    // It heard of no other monitor, or that would come first.
    listening.feed().monitor_removed("a/b".into());
    check(
        &one.hear().await,
        expect![[r#"{"type":"monitor","data":{"id":"m","removed":"a/b"}}"#]],
    );
}

#[tokio::test]
async fn a_query_is_evaluated_once_for_all_at_whole_multiples_of_its_step() {
    let listening = listening().await;
    listening.bench.fill(&[(UP, &[(10, 7.0)])]);
    let data = r#"{"subscription":"query","query":"up*2","step":"10s"}"#;
    let mut first = Follower::new(&listening).await;
    let subscribed = first
        .ask(&format!(r#"{{"type":"subscribe","data":{data}}}"#))
        .await;
    check(
        &subscribed,
        expect![[
            r#"{"type":"subscribed","data":{"id":"1","subscription":"query","query":"up*2","step":"10s"}}"#
        ]],
    );
    let update = first.hear().await;
    check(
        &update,
        expect![[
            r#"{"type":"query_update","data":{"id":"1","query":"up*2","time":1760000000,"resultType":"vector","result":[{"metric":{"job":"node"},"value":[1760000000,"14"]}]}}"#
        ]],
    );
    let mut second = Follower::new(&listening).await;
    second.subscribe(data).await;
    assert_eq!(second.hear().await, update);
    listening
        .until_shown(r#"campanile_query_requests_total{kind="live",result="success"} 1"#)
        .await;
    listening.bench.clock.advance(Duration::from_secs(25));
    for follower in [&mut first, &mut second] {
        let later = follower.hear().await;
        assert!(later.contains(r#""time":1760000020,"#), "{later}");
    }
    listening
        .until_shown(r#"campanile_query_requests_total{kind="live",result="success"} 2"#)
        .await;
}

#[tokio::test]
async fn a_query_that_fails_says_so_with_its_id_and_goes_on() {
    let listening = listening().await;
    *listening.bench.store.broken.lock().unwrap() = Some("gone".to_owned());
    let mut follower = Follower::new(&listening).await;
    follower
        .subscribe(r#"{"subscription":"query","query":"up","id":"q"}"#)
        .await;
    check(
        &follower.hear().await,
        expect![[
            r#"{"type":"error","data":{"id":"q","errorType":"internal","error":"cannot read stored samples: gone"}}"#
        ]],
    );
    *listening.bench.store.broken.lock().unwrap() = None;
    listening.bench.clock.advance(Duration::from_secs(5));
    let later = follower.hear().await;
    assert!(later.contains("query_update"), "{later}");
}

#[tokio::test]
async fn a_query_that_nobody_follows_any_more_is_broken_off() {
    let listening = listening().await;
    listening.bench.store.hold();
    let mut follower = Follower::new(&listening).await;
    follower
        .subscribe(r#"{"subscription":"query","query":"up","id":"q"}"#)
        .await;
    until(|| listening.bench.store.holds()).await;
    listening
        .until_shown("campanile_websocket_live_queries 1")
        .await;
    drop(follower);
    listening
        .until_shown(r#"campanile_query_requests_total{kind="live",result="canceled"} 1"#)
        .await;
    listening
        .until_shown("campanile_websocket_live_queries 0")
        .await;
    listening.bench.store.release();
}

#[tokio::test]
async fn a_query_passes_the_gate_before_it_is_read() {
    let listening = Listening::new(Config {
        concurrent_queries: 1,
        queued_queries: 0,
        ..Config::default()
    })
    .await;
    let held = listening.bench.server.queries().slot().await.unwrap();
    let mut follower = Follower::new(&listening).await;
    let subscribe = r#"{"type":"subscribe","data":{"subscription":"query","query":"up","id":"q"}}"#;
    check(
        &follower.ask(subscribe).await,
        expect![[
            r#"{"type":"error","data":{"id":"q","errorType":"unavailable","error":"1 queries run and 0 wait already: try again later, or raise limits.concurrent_queries"}}"#
        ]],
    );
    drop(held);
    let answer = follower.ask(subscribe).await;
    assert!(answer.contains("subscribed"), "{answer}");
}

#[tokio::test]
async fn mistakes_are_answered_and_end_nothing() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    for (message, expected) in [
        (
            "{",
            expect![[
                r#"{"type":"error","data":{"errorType":"bad_data","error":"this { is not closed; } is missing"}}"#
            ]],
        ),
        (
            r#"{"type":"subscripe"}"#,
            expect![[
                r#"{"type":"error","data":{"errorType":"bad_data","error":"type: \"subscripe\" is not known here; write subscribe, unsubscribe or ping; did you mean subscribe?"}}"#
            ]],
        ),
        (
            r#"{"type":"subscribe","data":{"subscription":"metrics","nane":"up","id":"i"}}"#,
            expect![[
                r#"{"type":"error","data":{"id":"i","errorType":"bad_data","error":"data.nane: unknown key \"nane\"; did you mean \"name\"?"}}"#
            ]],
        ),
        (
            r#"{"type":"subscribe","data":{"subscription":"query","query":"sum(","id":"i"}}"#,
            expect![[
                r#"{"type":"error","data":{"id":"i","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}}"#
            ]],
        ),
        (
            r#"{"type":"subscribe","data":{"subscription":"query","query":"up","step":"1ms","id":"i"}}"#,
            expect![[
                r#"{"type":"error","data":{"id":"i","errorType":"bad_data","error":"data.step: \"1ms\" is too small; the least is 1s (allowed: 1s to 1h)"}}"#
            ]],
        ),
        (
            r#"{"type":"unsubscribe","data":{"id":"i"}}"#,
            expect![[
                r#"{"type":"error","data":{"id":"i","errorType":"bad_data","error":"no subscription has the id \"i\": it is the one in `subscribed`"}}"#
            ]],
        ),
        (r#"{"type":"ping"}"#, expect![[r#"{"type":"pong"}"#]]),
    ] {
        check(&follower.ask(message).await, expected);
    }
}

#[tokio::test]
async fn who_sends_what_is_not_ours_ten_times_is_told_to_go() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    for _ in 0..9 {
        let answer = follower.ask("hello").await;
        assert!(answer.contains(r#""errorType":"bad_data""#), "{answer}");
    }
    follower.0.send(Message::binary(vec![1])).await.unwrap();
    check(
        &follower.hear().await,
        expect![[r#"closed 1008: too many messages that are no requests of the live feed"#]],
    );
    listening
        .until_shown("campanile_websocket_connections 0")
        .await;
}

#[tokio::test]
async fn ids_are_the_client_s_or_else_the_server_s() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    for (data, id) in [
        (r#"{"subscription":"alerts","id":"1"}"#, "1"),
        (r#"{"subscription":"alerts"}"#, "2"),
        (r#"{"subscription":"alerts"}"#, "3"),
    ] {
        let answer = follower
            .ask(&format!(r#"{{"type":"subscribe","data":{data}}}"#))
            .await;
        assert!(answer.contains(&format!(r#""id":"{id}""#)), "{answer}");
    }
    check(
        &follower
            .ask(r#"{"type":"subscribe","data":{"subscription":"monitors","id":"2"}}"#)
            .await,
        expect![[
            r#"{"type":"error","data":{"id":"2","errorType":"bad_data","error":"the id \"2\" is taken by another subscription: end it first, or choose another"}}"#
        ]],
    );
    listening.feed().alert(change(AlertPhase::Pending));
    for _ in 0..3 {
        assert!(follower.hear().await.contains("pending"));
    }
}

#[tokio::test]
async fn a_subscription_that_ended_is_silent() {
    let listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    let mut other = Follower::new(&listening).await;
    for follower in [&mut follower, &mut other] {
        follower
            .subscribe(r#"{"subscription":"metrics","id":"a"}"#)
            .await;
    }
    check(
        &follower
            .ask(r#"{"type":"unsubscribe","data":{"id":"a"}}"#)
            .await,
        expect![[r#"{"type":"unsubscribed","data":{"id":"a"}}"#]],
    );
    listening.publish(&[(UP, 1.0)]);
    assert!(other.hear().await.contains("metric_update"));
    // Had it been told, that would come before the answer.
    follower
        .subscribe(r#"{"subscription":"metrics","id":"a"}"#)
        .await;
    listening.publish(&[(UP, 2.0)]);
    let heard = follower.hear().await;
    assert!(heard.contains(r#""value":2,"#), "{heard}");
}

#[tokio::test]
async fn subscriptions_queries_and_clients_are_limited() {
    let limits = FeedLimits {
        clients: 1,
        client_subscriptions: 2,
        live_queries: 1,
        sample_topics: 1,
        request_bytes: 1000,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut follower = Follower::new(&listening).await;
    let refused = Follower::try_new(&listening, None).await;
    match refused {
        Err(tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 503);
            let body = response.body().clone().unwrap_or_default();
            check(
                &String::from_utf8(body).unwrap(),
                expect![[
                    r#"{"status":"error","errorType":"unavailable","error":"1 clients, as many as are allowed at once, follow the live feed: try again later"}"#
                ]],
            );
        }
        other => panic!("{:?}", other.map(|(_, response)| response)),
    }
    listening
        .until_shown("campanile_websocket_clients_refused_total 1")
        .await;

    follower
        .subscribe(r#"{"subscription":"query","query":"up"}"#)
        .await;
    follower.hear().await;
    let refused = follower
        .ask(r#"{"type":"subscribe","data":{"subscription":"query","query":"down"}}"#)
        .await;
    assert!(
        refused.contains("1 queries, as many as are allowed"),
        "{refused}"
    );
    follower
        .subscribe(r#"{"subscription":"query","query":"up"}"#)
        .await;
    follower.hear().await;
    let refused = follower
        .ask(r#"{"type":"subscribe","data":{"subscription":"alerts"}}"#)
        .await;
    assert!(
        refused.contains("a client may have 2 subscriptions"),
        "{refused}"
    );

    follower
        .ask(r#"{"type":"unsubscribe","data":{"id":"2"}}"#)
        .await;
    let metrics = r#"{"subscription":"metrics","name":"up"}"#;
    follower.subscribe(metrics).await;
    follower
        .ask(r#"{"type":"unsubscribe","data":{"id":"1"}}"#)
        .await;
    let refused = follower
        .ask(r#"{"type":"subscribe","data":{"subscription":"metrics","name":"down"}}"#)
        .await;
    assert!(
        refused.contains("1 different names and labels of samples, as many as are allowed"),
        "{refused}"
    );
    // An equal one costs nothing more, and the place is free again when nobody asks any more.
    follower.subscribe(metrics).await;
    for id in ["1", "2"] {
        let text = format!(r#"{{"type":"unsubscribe","data":{{"id":"{id}"}}}}"#);
        follower.ask(&text).await;
    }
    follower
        .subscribe(r#"{"subscription":"metrics","name":"down"}"#)
        .await;

    let long = format!(r#"{{"type":"ping","data":"{}"}}"#, "x".repeat(1000));
    let end = follower.ask(&long).await;
    assert!(!end.starts_with('{'), "{end}");
    listening
        .until_shown("campanile_websocket_connections 0")
        .await;
    // The place is free again.
    while Follower::try_new(&listening, None).await.is_err() {}
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let listening = listening().await;
    listening
        .bench
        .server
        .set_external_url("https://watch.example.org/campanile/");
    for (origin, is_welcome) in [
        ("http://HERE", true),
        ("https://HERE", true),
        ("https://watch.example.org", true),
        ("http://watch.example.org", false),
        ("https://watch.example.org.evil.example", false),
        ("http://evil.example", false),
        ("http://evil.example:9595", false),
        ("http://localhost:1", false),
        ("null", false),
        ("", false),
    ] {
        match Follower::try_new(&listening, Some(origin)).await {
            Ok(_) => assert!(is_welcome, "{origin}"),
            Err(tungstenite::Error::Http(response)) => {
                assert!(!is_welcome, "{origin}");
                assert_eq!(response.status(), 403, "{origin}");
            }
            Err(error) => panic!("{origin}: {error}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_upgrade_is_told_what_is_here() {
    let listening = listening().await;
    check(
        &listening.bench.get("/ws/metrics").await.shown(),
        expect![[
            r#"400 {"status":"error","errorType":"bad_data","error":"this address speaks WebSocket: Connection header did not include 'upgrade'"}"#
        ]],
    );
    let config = Config {
        hosts: vec!["campanile.example".to_owned()],
        ..Config::default()
    };
    let guarded = Listening::new(config).await;
    match Follower::try_new(&guarded, None).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 421),
        other => panic!("{:?}", other.map(|(_, response)| response)),
    }
}

#[tokio::test]
async fn a_client_holds_no_slot_of_a_request() {
    let listening = Listening::new(Config {
        concurrent_requests: 1,
        ..Config::default()
    })
    .await;
    let mut follower = Follower::new(&listening).await;
    assert_eq!(
        follower.ask(r#"{"type":"ping"}"#).await,
        r#"{"type":"pong"}"#
    );
    assert_eq!(listening.bench.get("/metrics").await.status, 200);
    listening
        .until_shown("campanile_websocket_connections 1")
        .await;
    let counted =
        r#"campanile_http_requests_total{method="GET",route="/ws/metrics",status="101"} 1"#;
    listening.until_shown(counted).await;
}

#[tokio::test]
async fn a_slow_client_is_told_to_fetch_anew_and_holds_up_no_one() {
    let limits = FeedLimits {
        queue_messages: 4,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut slow = Follower::new(&listening).await;
    let mut quick = Follower::new(&listening).await;
    for follower in [&mut slow, &mut quick] {
        follower
            .subscribe(r#"{"subscription":"alerts","id":"a"}"#)
            .await;
    }
    let mut large = change(AlertPhase::Firing);
    large
        .annotations
        .insert("text".to_owned(), "x".repeat(200_000));
    let dropped = || listening.figure("campanile_websocket_messages_dropped");
    // The slow one reads nothing, so that the buffers of its socket fill first, then its queue.
    let mut told = 0;
    while dropped() == 0.0 {
        listening.feed().alert(large.clone());
        assert!(quick.hear().await.contains(r#""state":"firing""#));
        told += 1;
        assert!(told < 1000);
    }
    listening
        .until_shown("campanile_websocket_resynchronizations_total 1")
        .await;
    let mut heard = 0;
    let resynchronize = loop {
        let message = slow.hear().await;
        if message.contains("resynchronize") {
            break message;
        }
        heard += 1;
    };
    let message: serde_json::Value = serde_json::from_str(&resynchronize).unwrap();
    assert_eq!(message["type"], "resynchronize");
    assert_eq!(message["data"]["dropped"].as_u64(), Some(told - heard));
    listening.feed().alert(change(AlertPhase::Resolved));
    for follower in [&mut slow, &mut quick] {
        assert!(follower.hear().await.contains("resolved"));
    }
}

#[tokio::test]
async fn no_request_is_read_before_the_answer_to_the_last_one_is_sent() {
    let limits = FeedLimits {
        queue_bytes: 64 << 20,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut slow = Follower::new(&listening).await;
    let mut quick = Follower::new(&listening).await;
    for follower in [&mut slow, &mut quick] {
        follower
            .subscribe(r#"{"subscription":"alerts","id":"a"}"#)
            .await;
    }
    // The first does not fit into the buffers of the slow one's socket, so that all others wait behind it.
    let mut large = change(AlertPhase::Firing);
    let text = "x".repeat(12 << 20);
    large.annotations.insert("text".to_owned(), text);
    listening.feed().alert(large);
    for _ in 0..200 {
        listening.feed().alert(change(AlertPhase::Firing));
    }
    for _ in 0..201 {
        assert!(quick.hear().await.contains("firing"));
    }
    for _ in 0..50 {
        slow.say(r#"{"type":"ping"}"#).await;
    }
    let mut looks = 0;
    for _ in 0..201 {
        assert!(slow.hear().await.contains("firing"));
        // Both clients: two answers and all alerts sent, two subscriptions received.
        let (sent, received) = listening.messages();
        if sent < 2.0 + 2.0 * 201.0 {
            looks += 1;
            assert!(received <= 2.0 + 1.0, "{received}");
        }
    }
    assert!(looks > 0);
    for _ in 0..50 {
        assert_eq!(slow.hear().await, r#"{"type":"pong"}"#);
    }
}

#[tokio::test]
async fn what_is_published_too_fast_is_made_up_for_by_fetching_anew() {
    let limits = FeedLimits {
        waiting_rows: 2,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut samples = Follower::new(&listening).await;
    samples.subscribe(r#"{"subscription":"metrics"}"#).await;
    let mut alerts = Follower::new(&listening).await;
    alerts.subscribe(r#"{"subscription":"alerts"}"#).await;
    listening.publish(&[(UP, 1.0), (UP, 2.0), (UP, 3.0)]);
    check(
        &samples.hear().await,
        expect![[r#"{"type":"resynchronize","data":{"dropped":3}}"#]],
    );
    listening.publish(&[(UP, 1.0)]);
    assert!(samples.hear().await.contains("metric_update"));
    listening.feed().alert(change(AlertPhase::Firing));
    let first = alerts.hear().await;
    assert!(first.contains("firing"), "{first}");
    listening
        .until_shown("campanile_websocket_published_lost_total 3")
        .await;
}

#[tokio::test]
async fn nothing_older_than_what_was_lost_is_told_after_it() {
    let limits = FeedLimits {
        waiting_rows: 2,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut follower = Follower::new(&listening).await;
    follower.subscribe(r#"{"subscription":"alerts"}"#).await;
    for phase in [
        AlertPhase::Pending,
        AlertPhase::Firing,
        AlertPhase::Resolved,
    ] {
        listening.feed().alert(change(phase));
    }
    // Over HTTP the alert is gone by now: that it fires must not come after this.
    check(
        &follower.hear().await,
        expect![[r#"{"type":"resynchronize","data":{"dropped":3}}"#]],
    );
    listening.feed().alert(change(AlertPhase::Inactive));
    let next = follower.hear().await;
    assert!(next.contains("inactive"), "{next}");
}

#[tokio::test]
async fn others_have_their_turn_while_a_flood_is_told() {
    let limits = FeedLimits {
        queue_messages: 1,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut follower = Follower::new(&listening).await;
    let dropped = || listening.figure("campanile_websocket_messages_dropped");
    follower.subscribe(r#"{"subscription":"alerts"}"#).await;
    follower.subscribe(r#"{"subscription":"monitors"}"#).await;
    let mut before = 0.0;
    for kind in ["alerts", "monitors"] {
        for _ in 0..5_000 {
            match kind {
                "alerts" => listening.feed().alert(change(AlertPhase::Firing)),
                _ => listening.feed().monitor(shop().status),
            }
        }
        let turns = std::cell::Cell::new(0);
        let (some, most) = (before + 10.0, before + 4_500.0);
        until(|| {
            let is_between = (some..most).contains(&dropped());
            turns.set(turns.get() + u32::from(is_between));
            dropped() >= most
        })
        .await;
        assert!(turns.get() > 0, "{kind}");
        // The rest, and its last turn.
        while dropped() > before {
            before = dropped();
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_shutdown_is_told_to_clients() {
    let mut listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    follower
        .subscribe(r#"{"subscription":"query","query":"up"}"#)
        .await;
    follower.hear().await;
    // One that does not answer the farewell holds up nothing either.
    let silent = Follower::new(&listening).await;
    listening.shutdown.cancel();
    check(
        &follower.hear().await,
        expect![[r#"closed 1001: the server stops"#]],
    );
    assert_eq!(follower.hear().await, "closed");
    let ended = tokio::time::timeout(PATIENCE, listening.tasks.join_next()).await;
    ended.unwrap().unwrap().unwrap().unwrap();
    drop(silent);
}

#[tokio::test]
async fn a_server_whose_feed_has_died_ends_with_an_error() {
    let mut listening = listening().await;
    let mut follower = Follower::new(&listening).await;
    follower.subscribe(r#"{"subscription":"metrics"}"#).await;
    let row = Row {
        key: &[],
        timestamp: Timestamp::from_millis(NOW),
        value: 1.0,
    };
    let encoding = KeyEncoding::opaque(u8::MAX, |_| panic!("as the test wants it"));
    let mut batch = SampleBatch::new(encoding);
    batch.rows.push(row);
    listening.feed().samples(&batch, &Appended::default());
    check(
        &follower.hear().await,
        expect!["closed 1001: the server stops"],
    );
    let ended = tokio::time::timeout(PATIENCE, listening.tasks.join_next()).await;
    let error = ended.unwrap().unwrap().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("the live feed ended: "), "{error}");
}

#[tokio::test]
async fn a_feed_serves_one_server() {
    let listening = listening().await;
    // Its hub has begun.
    Follower::new(&listening)
        .await
        .subscribe(r#"{"subscription":"alerts"}"#)
        .await;
    let second = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listening.bench.server.clone();
    let ended = tokio::time::timeout(PATIENCE, server.run(second, listening.shutdown.clone()));
    let error = ended.await.unwrap().unwrap_err();
    check(&error.to_string(), expect!["the live feed ended by itself"]);
}

/// A connection that has become a WebSocket and then reads nothing.
async fn mute(listening: &Listening) -> TcpStream {
    let head = "GET /ws/metrics HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let stream = listening.send(head.as_bytes()).await;
    until(|| {
        let families = listening.bench.server.metrics();
        let mut families = families.iter();
        let open = families.find(|family| family.name == "campanile_websocket_connections");
        open.unwrap().points[0].value > 0.0
    })
    .await;
    stream
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_cut() {
    let listening = listening().await;
    let started = tokio::time::Instant::now();
    let stream = mute(&listening).await;
    let heard = read_all_bytes(stream).await;
    assert_eq!(started.elapsed().as_secs(), 90);
    assert!(heard.ends_with(&[0x89, 0, 0x89, 0]), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_cut() {
    let limits = FeedLimits {
        queue_bytes: 64 << 20,
        ..FeedLimits::default()
    };
    let listening = limited(limits).await;
    let mut stream = mute(&listening).await;
    // A masked frame, with a mask of zeros.
    let text = br#"{"type":"subscribe","data":{"subscription":"alerts"}}"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(text);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &frame)
        .await
        .unwrap();
    until(|| listening.feed().wants_alerts()).await;
    let mut large = change(AlertPhase::Firing);
    large
        .annotations
        .insert("text".to_owned(), "x".repeat(16 << 20));
    listening.feed().alert(large.clone());
    listening.feed().alert(large);
    let started = tokio::time::Instant::now();
    while started.elapsed() < Duration::from_secs(59) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let is_open = |line: &str| {
        let families = listening.bench.server.metrics();
        let text = wire::exposition::encode(&families, wire::exposition::Format::Text);
        text.lines().any(|shown| shown == line)
    };
    assert!(is_open("campanile_websocket_connections 1"));
    while started.elapsed() < Duration::from_secs(62) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(is_open("campanile_websocket_connections 0"));
    drop(stream);
}

async fn read_all_bytes(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await;
    bytes
}

#[tokio::test(start_paused = true)]
async fn who_follows_is_shown_out_when_the_token_ends() {
    let (bench, sent) = populated(Config::default()).await;
    let listening = Listening::over(bench).await;
    let viewer = sent[1].as_deref().unwrap();
    let refused = Follower::showing(&listening, None).await.err().unwrap();
    assert!(refused.to_string().contains("401"), "{refused}");
    let mut token = String::new();
    listening.bench.accounts.edit(|directory| {
        let scope = access::Scope::Role(access::Role::Viewer);
        let expires = Timestamp::from_millis(NOW + 90_000);
        token = super::table::token(directory, "wall", scope, Some(expires));
    });
    listening.bench.server.load_access().await.unwrap();
    let follow = async |authorization: &str| {
        let header = Some(("authorization", authorization));
        let (mut follower, _) = Follower::showing(&listening, header).await.unwrap();
        follower.subscribe(r#"{"subscription":"monitors"}"#).await;
        follower
    };
    let (mut wall, mut person) = (follow(&token).await, follow(viewer).await);
    // Another process disables the person.
    listening.bench.accounts.edit(|directory| {
        for user in directory.users.values_mut() {
            user.is_disabled = true;
        }
    });
    let over = "closed 1008: your login or token has ended";
    assert_eq!(hear_end(&mut person).await, over);
    // The token runs out.
    listening.bench.clock.advance(Duration::from_secs(90));
    assert_eq!(hear_end(&mut wall).await, over);
}

/// How the connection is closed, whatever comes before.
async fn hear_end(follower: &mut Follower) -> String {
    loop {
        let heard = follower.hear().await;
        if !heard.starts_with('{') {
            return heard;
        }
    }
}
