//! Rates against a naive model, and what is kept of a crowd.

use proptest::prelude::*;

use super::*;

fn key(number: u32) -> Key {
    Key {
        class: Class::Query,
        who: Who::Address(Some(IpAddr::V4(number.into()))),
    }
}

#[test]
fn a_rate_is_written_as_a_number_in_a_unit() {
    for (text, count, seconds) in [("10/s", 10, 1), ("600/m", 600, 60), ("5/h", 5, 3600)] {
        let rate: Rate = text.parse().unwrap();
        assert_eq!((rate.count, rate.period.as_secs()), (count, seconds));
        assert_eq!(rate.to_string(), text);
    }
    assert_eq!(Rate::parse("0"), Ok(None));
    for text in [
        "",
        "10",
        "/s",
        "0/s",
        "+1/s",
        "-1/s",
        "1/d",
        "1/ s",
        "1.5/s",
        "1000001/s",
        "99999999999/s",
    ] {
        let error = Rate::parse(text).unwrap_err().to_string();
        assert!(error.contains("write for example 10/s"), "{error}");
    }
}

#[test]
fn a_login_is_slowed_after_ten_and_comes_back_one_by_one() {
    let limiter = Limiter::default();
    let rate = RateLimits::default().login.unwrap();
    let at = |seconds| limiter.judge(key(1), rate, Duration::from_secs(seconds));
    for remaining in (0..10).rev() {
        let verdict = at(100);
        assert_eq!((verdict.remaining, verdict.retry_after), (remaining, None));
    }
    let refused = at(100);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(6)));
    assert_eq!(refused.reset, Duration::from_secs(60));
    assert_eq!(at(105).retry_after, Some(Duration::from_secs(1)));
    assert_eq!(at(106).retry_after, None);
    assert_eq!(at(106).retry_after, Some(Duration::from_secs(6)));
    // Somebody else is not concerned.
    let other = limiter.judge(key(2), rate, Duration::from_secs(106));
    assert_eq!(other.remaining, 9);
}

#[test]
fn a_crowd_takes_no_more_room_than_there_is() {
    let limiter = Limiter::default();
    let rate: Rate = "5/m".parse().unwrap();
    let now = Duration::from_secs(1);
    for number in 0..50_000 {
        assert_eq!(limiter.judge(key(number), rate, now).retry_after, None);
    }
    assert!(limiter.keys() <= 16_384, "{}", limiter.keys());
    // When their time is over, all make room for one.
    let later = now + Duration::from_secs(60);
    for number in 50_000..60_000 {
        limiter.judge(key(number), rate, later);
    }
    assert!(limiter.keys() <= 10_000, "{}", limiter.keys());
}

#[test]
fn a_token_is_counted_wherever_it_comes_from() {
    let rates = Rates::default();
    rates.set(RateLimits {
        query: Some("2/m".parse().unwrap()),
        ..RateLimits::default()
    });
    let ask = |id: &str, class: Class| {
        let mut request = Request::new(axum::body::Body::empty());
        let subject = Subject::Token {
            id: Arc::from(id),
            name: Arc::from("agent"),
        };
        let scope = access::Scope::Role(access::Role::Viewer);
        let visitor = Visitor::anybody(subject, scope, request.extensions());
        request.extensions_mut().insert(visitor);
        let verdict = rates.judge(class, &request, Duration::from_secs(1));
        verdict.map(|verdict| verdict.retry_after.is_none())
    };
    assert_eq!(ask("a", Class::Query), Some(true));
    assert_eq!(ask("a", Class::Query), Some(true));
    assert_eq!(ask("a", Class::Query), Some(false));
    assert_eq!(ask("b", Class::Query), Some(true));
    assert_eq!(ask("a", Class::Ingest), None);
    // At a login nobody is anybody yet.
    for _ in 0..10 {
        assert_eq!(ask("a", Class::Login), Some(true));
    }
    assert_eq!(ask("c", Class::Login), Some(false));
}

#[test]
fn what_is_asked_most_has_its_class() {
    for (method, path, class) in [
        (Method::POST, "/auth/login", Some(Class::Login)),
        (Method::POST, "/auth/session", Some(Class::Login)),
        (Method::GET, "/auth/link/abc", Some(Class::Login)),
        (Method::PUT, "/auth/password", Some(Class::Login)),
        (Method::POST, "/auth/refresh", None),
        (Method::GET, "/auth/me", None),
        (Method::POST, "/api/v1/write", Some(Class::Ingest)),
        (Method::GET, "/api/v1/label/up/values", Some(Class::Query)),
        (Method::GET, "/federate", Some(Class::Query)),
        (Method::GET, "/health", None),
        (Method::GET, "/api/v1/rules", None),
    ] {
        assert_eq!(Class::of(&method, path), class, "{path}");
    }
}

proptest! {
    /// The naive model: a bucket that is filled drop by drop, and from which each request takes what one interval fills.
    #[test]
    fn who_is_answered_is_as_a_bucket_says(
        count in 1_u32..50,
        unit in prop::sample::select(vec!["s", "m", "h"]),
        steps in prop::collection::vec((0_u32..4, 0_u64..3_000_000_000), 1..200),
    ) {
        let rate: Rate = format!("{count}/{unit}").parse().unwrap();
        let interval = (rate.period / count).as_nanos();
        let full = interval * u128::from(count);
        let limiter = Limiter::default();
        let mut buckets = [(full, Duration::ZERO); 4];
        let mut now = Duration::from_secs(10);
        for (who, later) in steps {
            now += Duration::from_nanos(later);
            let (level, seen) = &mut buckets[who as usize];
            *level = full.min(*level + (now - *seen).as_nanos());
            *seen = now;
            let verdict = limiter.judge(key(who), rate, now);
            let is_answered = *level >= interval;
            prop_assert_eq!(verdict.retry_after.is_none(), is_answered);
            if is_answered {
                *level -= interval;
                prop_assert_eq!(u128::from(verdict.remaining), *level / interval);
                prop_assert_eq!(verdict.reset.as_nanos(), full - *level);
            } else {
                let wait = verdict.retry_after.unwrap().as_nanos();
                prop_assert_eq!(wait, interval - *level);
            }
        }
    }
}
