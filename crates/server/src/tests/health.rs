//! Liveness, readiness and health.

use std::time::Duration;

use expect_test::expect;
use model::{Clock as _, HealthState};

use super::{Bench, part};

#[tokio::test]
async fn health_is_the_worst_of_all_parts() {
    let bench = Bench::new();
    expect![[r#"200 {"status":"healthy","timestamp":1760000000.123,"version":"0.1.0"}"#]]
        .assert_eq(&bench.get("/health").await.shown());

    let degraded = part("host", HealthState::Degraded, "diskstats hangs");
    bench.behind.lock().unwrap().health.push(degraded);
    expect![[r#"200 {"status":"degraded","timestamp":1760000000.123,"version":"0.1.0"}"#]]
        .assert_eq(&bench.get("/health").await.shown());

    let dead = part("wal", HealthState::Unhealthy, "disk \"full\"");
    bench.behind.lock().unwrap().health.push(dead);
    expect![[r#"503 {"status":"unhealthy","timestamp":1760000000.123,"version":"0.1.0"}"#]]
        .assert_eq(&bench.get("/health").await.shown());
    expect![[r#"503 {"status":"unhealthy","timestamp":1760000000.123,"version":"0.1.0","ready":true,"components":[{"component":"store","status":"healthy","since":1759999909.623,"age_seconds":90.5,"reason":""},{"component":"host","status":"degraded","since":1759999909.623,"age_seconds":90.5,"reason":"diskstats hangs"},{"component":"wal","status":"unhealthy","since":1759999909.623,"age_seconds":90.5,"reason":"disk \"full\""}]}"#]]
        .assert_eq(&bench.get("/health/detailed").await.shown());
}

#[tokio::test]
async fn a_store_that_cannot_write_says_why_and_asks_senders_to_repeat() {
    let bench = Bench::new();
    let reason = "no space left on device: make room";
    *bench.store.broken.lock().unwrap() = Some(reason.to_owned());
    bench.behind.lock().unwrap().health = vec![part("store", HealthState::Unhealthy, reason)];
    expect![[r#"503 {"status":"unhealthy","timestamp":1760000000.123,"version":"0.1.0","ready":true,"components":[{"component":"store","status":"unhealthy","since":1759999909.623,"age_seconds":90.5,"reason":"no space left on device: make room"}]}"#]]
        .assert_eq(&bench.get("/health/detailed").await.shown());
    let metric = r#"{"name":"up","type":"gauge","value":1}"#;
    let answer = bench
        .post("/api/v1/metrics/ingest", "application/json", metric)
        .await;
    expect![[r#"503 {"status":"error","errorType":"unavailable","error":"cannot write to the log: no space left on device: make room"}"#]].assert_eq(&answer.shown());
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(bench.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn an_age_grows_with_time() {
    let bench = Bench::new();
    bench.clock.advance(Duration::from_millis(500));
    assert_eq!(bench.clock.monotonic(), Duration::from_millis(500));
    let answer = bench.get("/health/detailed").await;
    assert!(
        answer.text().contains(r#""age_seconds":91,"#),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let bench = Bench::new();
    bench.behind.lock().unwrap().ready = Err("the log is being replayed".to_owned());
    for path in ["/-/ready", "/health/ready"] {
        expect![[r#"
            503 Campanile is not ready: the log is being replayed.
        "#]]
        .assert_eq(&bench.get(path).await.shown());
    }
    for path in ["/-/healthy", "/health/live"] {
        assert_eq!(bench.get(path).await.status, 200);
    }
    bench.behind.lock().unwrap().ready = Ok(());
    for path in ["/-/ready", "/health/ready"] {
        assert_eq!(bench.get(path).await.status, 200);
    }
    bench.server.start_draining();
    for path in ["/-/ready", "/health/ready"] {
        expect![[r#"
            503 Campanile is not ready: it is shutting down.
        "#]]
        .assert_eq(&bench.get(path).await.shown());
    }
}
