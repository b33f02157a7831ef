//! What answers mean, and what is told of those that are none.

use super::server::{Reaction, Server};
use super::*;
use crate::probe::until;
use tokio::time::Instant;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";

fn url(server: &Server) -> String {
    format!("url: 'http://{}/path?key=secret'", server.address)
}

#[tokio::test]
async fn a_good_answer_is_a_success_with_all_its_series() {
    let server = Server::answering(OK).await;
    let monitor = monitor(&format!("{}, keyword: 'lo wor'", url(&server)));
    let probe = prober().check(&monitor).await;
    assert_eq!(probe.outcome, Outcome::Success);
    let samples = samples(&probe);
    for (series, expected) in [
        ("probe_success", 1.0),
        ("probe_http_status_code", 200.0),
        ("probe_http_content_length", 11.0),
        ("probe_http_uncompressed_body_length", 11.0),
        ("probe_http_version", 1.1),
        ("probe_http_ssl", 0.0),
        ("probe_http_redirects", 0.0),
        ("probe_ip_protocol", 4.0),
        ("probe_failed_due_to_regex", 0.0),
        ("probe_http_duration_seconds{phase=\"tls\"}", 0.0),
    ] {
        assert_eq!(value(&samples, series), Some(expected), "{series}");
    }
    let request = &server.asked()[0];
    let expected = format!(
        "GET /path?key=secret HTTP/1.1\r\nhost: {}\r\nuser-agent: campanile/{}\r\naccept: */*\r\naccept-encoding: identity\r\nconnection: close\r\n\r\n",
        server.address,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(request, &expected);
}

#[tokio::test]
async fn silence_is_a_failure_that_says_where_and_how_long() {
    let server = Server::start(|_| Reaction::Hang(Vec::new())).await;
    let monitor = monitor(&format!("{}, timeout: 200ms", url(&server)));
    let probe = prober().check(&monitor).await;
    let expected = format!(
        "{} at 127.0.0.1 takes the request, but does not answer within 200ms",
        server.address
    );
    assert!(
        failure(&probe).starts_with(&expected),
        "{}",
        failure(&probe)
    );
    assert!(!failure(&probe).contains("secret"));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_failure() {
    let address = closed_port();
    let probe = prober()
        .check(&monitor(&format!("url: 'http://{address}'")))
        .await;
    let expected = format!("cannot connect to {address} (127.0.0.1: connection refused)");
    assert_eq!(failure(&probe), expected);
    assert_eq!(value(&samples(&probe), "probe_success"), Some(0.0));
}

#[tokio::test]
async fn what_is_no_whole_answer_is_a_failure_that_says_what_is_wrong() {
    for (answer, expected) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not answer in HTTP/1"),
        ("", "closes the connection before it has answered"),
        (
            "HTTP/1.1 200 OK\r\nContent-",
            "closes the connection before it has answered",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            "closes the connection in the middle of its answer",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "closes the connection in the middle of its answer",
        ),
    ] {
        let server = Server::answering(answer).await;
        let probe = prober().check(&monitor(&url(&server))).await;
        let text = failure(&probe);
        assert!(text.contains(expected), "{answer:?}: {text}");
        assert!(text.contains(&server.address.to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_is_a_failure() {
    let server = Server::start(|_| Reaction::Reset).await;
    let probe = prober().check(&monitor(&url(&server))).await;
    let text = failure(&probe);
    assert!(
        text.contains("breaks off before it has answered: connection reset"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_without_end_is_told_with_what_has_come() {
    let server = Server::start(|_| {
        Reaction::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec())
    })
    .await;
    let probe = prober()
        .check(&monitor(&format!("{}, timeout: 200ms", url(&server))))
        .await;
    let text = failure(&probe);
    assert!(
        text.contains("begins to answer, but does not end within 200ms"),
        "{text}"
    );
    assert!(text.ends_with("4 bytes of the body have come"), "{text}");
    assert_eq!(
        value(&samples(&probe), "probe_http_status_code"),
        Some(200.0)
    );
}

#[tokio::test]
async fn chunks_are_put_together_and_have_no_announced_length() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwel\r\n4\r\ncome\r\n0\r\n\r\n",
    )
    .await;
    let probe = prober()
        .check(&monitor(&format!("{}, keyword: welcome", url(&server))))
        .await;
    assert_eq!(probe.outcome, Outcome::Success);
    let samples = samples(&probe);
    assert_eq!(value(&samples, "probe_http_content_length"), Some(-1.0));
    assert_eq!(
        value(&samples, "probe_http_uncompressed_body_length"),
        Some(7.0)
    );
}

#[tokio::test]
async fn a_wrong_status_or_text_is_told_with_its_place() {
    let server = Server::answering("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nsorry").await;
    let probe = prober().check(&monitor(&url(&server))).await;
    let place = format!("({} at 127.0.0.1)", server.address);
    assert_eq!(failure(&probe), format!("the status is 503 {place}"));
    assert_eq!(
        value(&samples(&probe), "probe_failed_due_to_regex"),
        Some(0.0)
    );

    let settings = format!("{}, accepted_statuses: [503], keyword: hello", url(&server));
    let probe = prober().check(&monitor(&settings)).await;
    assert_eq!(
        failure(&probe),
        format!("the answer does not hold \"hello\" {place}")
    );
    assert_eq!(
        value(&samples(&probe), "probe_failed_due_to_regex"),
        Some(1.0)
    );
}

#[tokio::test]
async fn a_long_body_is_read_up_to_the_limit_and_no_further() {
    let server = Server::start(|_| {
        let body = "a".repeat(100) + "needle";
        Reaction::Hang(
            format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{body}").into_bytes(),
        )
    })
    .await;
    let options = Options {
        body_bytes_max: 104,
        ..Options::default()
    };
    let prober = prober_with(options);
    let probe = prober
        .check(&monitor(&format!(
            "{}, keyword_absent: needle",
            url(&server)
        )))
        .await;
    assert_eq!(probe.outcome, Outcome::Success);
    assert_eq!(
        value(&samples(&probe), "probe_http_uncompressed_body_length"),
        Some(104.0)
    );
    let probe = prober
        .check(&monitor(&format!("{}, keyword: need", url(&server))))
        .await;
    assert_eq!(probe.outcome, Outcome::Success);
}

#[tokio::test]
async fn head_waits_for_no_body() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
    let probe = prober()
        .check(&monitor(&format!("{}, method: HEAD", url(&server))))
        .await;
    assert_eq!(probe.outcome, Outcome::Success);
    assert!(server.asked()[0].starts_with("HEAD /path?key=secret HTTP/1.1\r\n"));
    assert_eq!(
        value(&samples(&probe), "probe_http_content_length"),
        Some(1000.0)
    );
}

#[tokio::test]
async fn what_the_user_writes_is_sent_and_overrides_our_own() {
    let server = Server::answering(OK).await;
    let settings = format!(
        "{}, method: POST, body: a=b, headers: {{Authorization: Bearer secret, User-Agent: mine, Host: shop.example.org, Content-Type: text/plain}}",
        url(&server)
    );
    let probe = prober().check(&monitor(&settings)).await;
    assert_eq!(probe.outcome, Outcome::Success);
    let request = &server.asked()[0];
    for line in [
        "authorization: Bearer secret",
        "user-agent: mine",
        "host: shop.example.org",
        "content-type: text/plain",
        "content-length: 3",
    ] {
        assert!(
            request.contains(&format!("\r\n{line}\r\n")),
            "{line}: {request}"
        );
    }
    assert!(request.ends_with("\r\n\r\na=b"));
}

#[tokio::test]
async fn more_checks_than_are_allowed_at_once_are_own_trouble() {
    let server = Server::start(|_| Reaction::Hang(Vec::new())).await;
    let options = Options {
        checks_max: 1,
        ..Options::default()
    };
    let prober = prober_with(options);
    let long = monitor(&format!("{}, timeout: 30s", url(&server)));
    let short = monitor(&format!("{}, timeout: 100ms", url(&server)));
    let mut first = std::pin::pin!(prober.check(&long));
    let second = tokio::select! {
        biased;
        probe = &mut first => panic!("it hangs: {probe:?}"),
        probe = prober.check(&short) => probe,
    };
    assert_eq!(
        own_trouble(&second),
        "1 checks are running already, which is the most at once"
    );
    let metrics = prober.metrics();
    let in_flight = metrics
        .iter()
        .find(|family| family.name == "campanile_checks_in_flight");
    assert_eq!(in_flight.unwrap().points[0].value, 1.0);
}

/// The server lets the time of this machine pass, as if the process had been stopped, and then keeps silent.
async fn check_timeout(timeout: &str, held_up: Duration, with_pulse: bool) -> Probe {
    let clock = Arc::new(testkit::SimulatedClock::new(Timestamp::from_millis(
        1_000_000,
    )));
    let prober = Prober::new(Options::default(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let server = Server::start(move |_| {
        clock.advance(held_up);
        Reaction::Hang(Vec::new())
    })
    .await;
    let monitor = monitor(&format!("{}, timeout: {timeout}", url(&server)));
    let check = prober.check(&monitor);
    if !with_pulse {
        return check.await;
    }
    tokio::select! {
        biased;
        () = prober.pulse(stop) => panic!("it beats until it is stopped"),
        probe = check => probe,
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_while_this_process_was_held_up_is_own_trouble() {
    let probe = check_timeout("10s", Duration::from_millis(3_000), true).await;
    let text = own_trouble(&probe);
    assert!(
        text.starts_with("this machine was too busy or asleep for 2.9 s during the check"),
        "{text}"
    );
    // A tenth of the timeout is the target's risk.
    let probe = check_timeout("10s", Duration::from_millis(1_000), true).await;
    assert!(failure(&probe).contains("within 10s"));
    let probe = check_timeout("10s", Duration::from_millis(3_000), false).await;
    assert!(failure(&probe).contains("within 10s"));
    // Of a short one it is a quarter.
    let probe = check_timeout("400ms", Duration::from_millis(250), true).await;
    assert!(own_trouble(&probe).contains("within 400ms"));
    let probe = check_timeout("400ms", Duration::from_millis(190), true).await;
    assert!(failure(&probe).contains("within 400ms"));
}

#[tokio::test(start_paused = true)]
async fn silence_shortly_after_there_was_no_way_to_the_target_is_own_trouble() {
    let clock = Arc::new(testkit::SimulatedClock::new(Timestamp::from_millis(0)));
    let prober = Prober::new(Options::default(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let server = Server::start(|_| Reaction::Hang(Vec::new())).await;
    let monitor = monitor(&url(&server));
    prober.cut_off.note(server.address.ip(), clock.monotonic());
    let probe = prober.check(&monitor).await;
    assert!(own_trouble(&probe).starts_with("this machine had trouble of its own a moment ago"));
    clock.advance(Duration::from_secs(30));
    let probe = prober.check(&monitor).await;
    assert!(failure(&probe).contains("within 10s"));
}

#[tokio::test]
async fn an_own_trouble_ends_the_series_and_the_next_check_begins_them_again() {
    let server = Server::answering(OK).await;
    let monitor = monitor(&url(&server));
    let series = Series::of(&monitor);
    let good = prober().check(&monitor).await;
    let trouble = Probe {
        outcome: Outcome::OwnTrouble("no route".to_owned()),
        ..good.clone()
    };
    let count = good.samples(&series).len();
    let ends = trouble.samples(&series);
    assert_eq!(ends.len(), count);
    assert!(ends.iter().all(|(_, _, value)| model::is_stale(*value)));
    assert_eq!(trouble.samples(&series), []);
    assert_eq!(good.samples(&series).len(), count);
    assert_eq!(series.end(good.started).len(), count);
    assert!(series.all().len() >= count);
}

#[tokio::test(start_paused = true)]
async fn a_pulse_that_nobody_lets_beat_any_more_is_no_excuse() {
    let clock = Arc::new(testkit::SimulatedClock::new(Timestamp::from_millis(0)));
    let prober = Prober::new(Options::default(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let beaten = tokio::time::timeout(Duration::from_secs(1), prober.pulse(stop)).await;
    assert!(beaten.is_err(), "it beats until it is stopped");
    clock.advance(Duration::from_secs(60));
    let server = Server::start(|_| Reaction::Hang(Vec::new())).await;
    let probe = prober.check(&monitor(&url(&server))).await;
    assert!(failure(&probe).contains("within 10s"));
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_when_the_time_is_over_counts_and_what_is_not_does_not() {
    let deadline = Instant::now() + Duration::from_secs(10);
    for (after, expected) in [(0, Some(())), (10, Some(())), (100, None)] {
        let ready = tokio::time::sleep_until(deadline + Duration::from_millis(after));
        assert_eq!(until(deadline, ready).await, expected, "{after} ms");
    }
}
