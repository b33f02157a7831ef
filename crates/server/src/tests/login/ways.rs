//! The ways in, when all is well.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{PASSWORD, basic, bench, cookie, enter, get, json_request, log_in, post, with};
use crate::{AccessSettings, Config, Hidden};

#[tokio::test]
async fn a_program_logs_in_and_gets_new_tokens_before_the_old_are_over() {
    let bench = bench().await;
    let (bearer, refresh) = log_in(&bench, "ann").await;
    let me = get(&bench, "/auth/me", &[("authorization", &bearer)]).await;
    assert_eq!(
        me.json(),
        json!({"name": "ann", "kind": "user", "role": "editor", "teams": [], "must_set_password": false})
    );
    bench.clock.advance(Duration::from_secs(931));
    let late = get(&bench, "/auth/me", &[("authorization", &bearer)]).await;
    assert_eq!(late.status, 401);
    assert!(late.text().contains("/auth/refresh"), "{}", late.text());
    let next = post(&bench, "/auth/refresh", json!({"refresh_token": refresh}))
        .await
        .json();
    let bearer = format!("Bearer {}", next["access_token"].as_str().unwrap());
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", &bearer)])
            .await
            .status,
        200
    );
    let refresh = next["refresh_token"].as_str().unwrap();
    let out = post(&bench, "/auth/logout", json!({"refresh_token": refresh})).await;
    assert_eq!(out.status, 204);
    let gone = post(&bench, "/auth/refresh", json!({"refresh_token": refresh})).await;
    assert_eq!(gone.status, 401);
    assert_eq!(bench.accounts.sessions(), 0);
    assert_eq!(
        bench.audited(),
        ["server key.rotate key", "user:ann login user:ann"]
    );
}

#[tokio::test]
async fn a_browser_logs_in_by_cookie_and_out() {
    let bench = bench().await;
    let answer = post(
        &bench,
        "/auth/session",
        json!({"username": "ann", "password": PASSWORD}),
    )
    .await;
    let set = answer.header("set-cookie").to_owned();
    assert!(
        set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000"),
        "{set}"
    );
    let cookie = cookie(&answer);
    assert_eq!(get(&bench, "/", &[("cookie", &cookie)]).await.status, 200);
    let own = [
        ("cookie", cookie.as_str()),
        ("x-requested-with", "campanile"),
    ];
    let out = bench
        .send(json_request("POST", "/auth/logout", &own, &json!({})))
        .await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").starts_with("campanile_session=; "));
    assert!(out.header("set-cookie").ends_with("Max-Age=0"));
    assert_eq!(
        get(&bench, "/auth/me", &[("cookie", &cookie)]).await.status,
        401
    );
}

#[tokio::test]
async fn a_cookie_is_for_our_path_and_for_https_where_it_came_so() {
    let bench = bench().await;
    bench
        .server
        .set_external_url("https://watch.example.org/campanile/");
    let body = json!({"username": "ann", "password": PASSWORD});
    let mut request = json_request("POST", "/auth/session", &[], &body);
    request.extensions_mut().insert(crate::origin::Peer {
        address: None,
        is_tls: true,
    });
    let set = bench.send(request).await;
    let set = set.header("set-cookie");
    assert!(
        set.ends_with("; Path=/campanile/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure"),
        "{set}"
    );
}

#[tokio::test]
async fn a_cookie_is_for_https_where_a_proxy_has_taken_it_off() {
    let bench = bench().await;
    bench.server.set_external_url("https://watch.example.org/");
    let body = json!({"username": "ann", "password": PASSWORD});
    for (host, is_secure) in [
        ("watch.example.org", true),
        ("watch.example.org:443", true),
        ("watch.example.org:9595", false),
        ("localhost:9595", false),
    ] {
        let set = bench
            .send(json_request(
                "POST",
                "/auth/session",
                &[("host", host)],
                &body,
            ))
            .await;
        let set = set.header("set-cookie").to_owned();
        assert_eq!(set.ends_with("; Secure"), is_secure, "{host} {set}");
    }
}

#[tokio::test]
async fn a_session_goes_on_as_long_as_it_is_used() {
    let bench = bench().await;
    let cookie = enter(&bench, "ann").await;
    let day = Duration::from_hours(24);
    for _ in 0..40 {
        bench.clock.advance(day);
        let answer = get(&bench, "/auth/me", &[("cookie", &cookie)]).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.header("set-cookie").starts_with(&cookie),
            "it is kept on"
        );
    }
    let again = get(&bench, "/auth/me", &[("cookie", &cookie)]).await;
    assert_eq!(again.header("set-cookie"), "");
    bench.clock.advance(30 * day);
    let late = get(&bench, "/auth/me", &[("cookie", &cookie)]).await;
    assert_eq!(late.status, 401);
}

#[tokio::test]
async fn programs_that_know_only_basic_come_in() {
    let bench = bench().await;
    let right = basic("ann", PASSWORD);
    for _ in 0..50 {
        let answer = get(&bench, "/api/v1/labels", &[("authorization", &right)]).await;
        assert_eq!(answer.status, 200);
    }
    let wrong = basic("ann", "wrong horse");
    assert_eq!(
        get(&bench, "/api/v1/labels", &[("authorization", &wrong)])
            .await
            .status,
        401
    );
    let body = json!({"name": "grafana", "scope": "query", "expires_in": "90d"});
    let (admin, _) = log_in(&bench, "root").await;
    let request = json_request(
        "POST",
        "/api/v1/tokens",
        &[("authorization", &admin)],
        &body,
    );
    let made = bench.send(request).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let token = basic("anything", made["data"]["token"].as_str().unwrap());
    assert_eq!(
        get(&bench, "/api/v1/labels", &[("authorization", &token)])
            .await
            .status,
        200
    );
    assert_eq!(
        get(&bench, "/api/v1/monitors", &[("authorization", &token)])
            .await
            .status,
        403
    );
    let uri = format!("/api/v1/tokens/{}", made["data"]["id"].as_str().unwrap());
    let revoke = Request::delete(uri).header("authorization", &admin);
    assert_eq!(
        bench.send(revoke.body(Body::empty()).unwrap()).await.status,
        204
    );
    assert_eq!(
        get(&bench, "/api/v1/labels", &[("authorization", &token)])
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn who_shows_nothing_is_let_in_where_it_is_wanted_but_not_with_something_wrong() {
    let access = AccessSettings {
        anonymous: Some(access::Role::Viewer),
        ..AccessSettings::default()
    };
    let bench = with(Config {
        access,
        ..Config::default()
    })
    .await;
    let me = get(&bench, "/auth/me", &[]).await.json();
    assert_eq!(
        (&me["kind"], &me["role"]),
        (&json!("anonymous"), &json!("viewer"))
    );
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", "Bearer x")])
            .await
            .status,
        401
    );
    assert_eq!(post(&bench, "/-/reload", json!({})).await.status, 403);
    // A browser cannot help keeping a cookie that is over.
    let stale = format!(
        "campanile_session={}",
        access::SessionToken::generate().text()
    );
    let answer = get(&bench, "/auth/me", &[("cookie", &stale)]).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("set-cookie")
            .starts_with("campanile_session=;")
    );
}

#[tokio::test]
async fn metrics_answer_everybody_where_it_is_wanted() {
    let bench = bench().await;
    assert_eq!(get(&bench, "/metrics", &[]).await.status, 401);
    bench.server.set_access(AccessSettings {
        metrics_open: true,
        ..AccessSettings::default()
    });
    assert_eq!(get(&bench, "/metrics", &[]).await.status, 200);
    assert_eq!(get(&bench, "/metrics/live", &[]).await.status, 401);
}

#[tokio::test]
async fn the_first_link_makes_an_admin_once() {
    let access = AccessSettings {
        first_link: Some(Hidden::new("one-time-secret")),
        ..AccessSettings::default()
    };
    let config = Config {
        access,
        ..Config::default()
    };
    let bench = crate::tests::Bench::asking(config.clone());
    bench.server.load_access().await.unwrap();
    assert_eq!(get(&bench, "/auth/link/another", &[]).await.status, 403);
    let head = Request::head("/auth/link/one-time-secret").body(Body::empty());
    assert_eq!(bench.send(head.unwrap()).await.status, 403);
    let came = get(&bench, "/auth/link/one-time-secret", &[]).await;
    assert_eq!(
        (came.status.as_u16(), came.header("location")),
        (303, "../../password")
    );
    let cookie = cookie(&came);
    let me = get(&bench, "/auth/me", &[("cookie", &cookie)]).await.json();
    assert_eq!(
        me,
        json!({"name": "admin", "kind": "user", "role": "admin", "teams": [], "must_set_password": true})
    );
    let again = get(&bench, "/auth/link/one-time-secret", &[]).await;
    assert_eq!(again.status, 403);
    let own = [
        ("cookie", cookie.as_str()),
        ("x-requested-with", "campanile"),
    ];
    let body = json!({"new_password": PASSWORD});
    let set = bench
        .send(json_request("PUT", "/auth/password", &own, &body))
        .await;
    assert_eq!(set.status, 204, "{}", set.text());
    let next = super::cookie(&set);
    assert_eq!(
        get(&bench, "/auth/me", &[("cookie", &cookie)]).await.status,
        401
    );
    let me = get(&bench, "/auth/me", &[("cookie", &next)]).await.json();
    assert_eq!(me["must_set_password"], json!(false));
    // The same link after a restart, over the same store.
    let bench = with(config).await;
    let late = get(&bench, "/auth/link/one-time-secret", &[]).await;
    assert_eq!(late.status, 403);
    assert!(
        late.text().contains("an admin has a password already"),
        "{}",
        late.text()
    );
}

#[tokio::test]
async fn the_first_link_makes_nobody_admin_who_has_taken_the_name_by_the_provider() {
    let settings = AccessSettings {
        first_link: Some(Hidden::new("one-time-secret")),
        ..AccessSettings::default()
    };
    let bench = super::super::Bench::asking(Config {
        access: settings,
        ..Config::default()
    });
    bench.accounts.edit(|directory| {
        let mut mallory = super::user("admin", access::Role::Viewer);
        mallory.identity = Some("https://id.example.org#mallory".into());
        directory.users.insert(mallory.name.clone(), mallory);
    });
    bench.server.load_access().await.unwrap();
    let came = get(&bench, "/auth/link/one-time-secret", &[]).await;
    assert_eq!(came.status, 303);
    let known = bench.server.access().known();
    let admin = known.directory.users.values().next().unwrap();
    assert_eq!(
        (admin.role, admin.identity.as_deref()),
        (access::Role::Admin, None)
    );
}

#[tokio::test]
async fn the_first_link_is_good_for_a_day() {
    let access = AccessSettings {
        first_link: Some(Hidden::new("one-time-secret")),
        ..AccessSettings::default()
    };
    let bench = crate::tests::Bench::asking(Config {
        access,
        ..Config::default()
    });
    bench.server.load_access().await.unwrap();
    bench.clock.advance(Duration::from_hours(24));
    assert_eq!(
        get(&bench, "/auth/link/one-time-secret", &[]).await.status,
        403
    );
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let bench = bench().await;
    let (bearer, refresh) = log_in(&bench, "ann").await;
    let (mine, other) = (enter(&bench, "ann").await, enter(&bench, "ann").await);
    let own = [("cookie", mine.as_str()), ("x-requested-with", "campanile")];
    let change = async |current: &str| {
        let body = json!({"current_password": current, "new_password": "new password"});
        bench
            .send(json_request("PUT", "/auth/password", &own, &body))
            .await
    };
    assert_eq!(change("wrong horse").await.status, 403);
    let changed = change(PASSWORD).await;
    assert_eq!(changed.status, 204, "{}", changed.text());
    for cookie in [&mine, &other] {
        assert_eq!(
            get(&bench, "/auth/me", &[("cookie", cookie)]).await.status,
            401
        );
    }
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", &bearer)])
            .await
            .status,
        401
    );
    assert_eq!(
        post(&bench, "/auth/refresh", json!({"refresh_token": refresh}))
            .await
            .status,
        401
    );
    let next = cookie(&changed);
    assert_eq!(
        get(&bench, "/auth/me", &[("cookie", &next)]).await.status,
        200
    );
}

#[tokio::test]
async fn while_the_store_is_broken_what_was_known_last_holds() {
    let bench = bench().await;
    let (bearer, _) = log_in(&bench, "ann").await;
    let cookie = enter(&bench, "ann").await;
    assert_eq!(
        get(&bench, "/auth/me", &[("cookie", &cookie)]).await.status,
        200
    );
    bench.accounts.break_down();
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", &bearer)])
            .await
            .status,
        200
    );
    assert_eq!(
        get(&bench, "/auth/me", &[("cookie", &cookie)]).await.status,
        200
    );
    let basic = basic("ann", PASSWORD);
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", &basic)])
            .await
            .status,
        200
    );
    let login = post(
        &bench,
        "/auth/login",
        json!({"username": "ann", "password": PASSWORD}),
    )
    .await;
    assert_eq!(login.status, 503);
    assert_eq!(login.header("retry-after"), "5");
}

#[tokio::test]
async fn keys_rotate_and_old_logins_hold() {
    let bench = bench().await;
    let (admin, _) = log_in(&bench, "root").await;
    let rotate = async || {
        let request = Request::post("/api/v1/keys/rotate").header("authorization", &admin);
        bench
            .send(request.body(Body::empty()).unwrap())
            .await
            .json()
    };
    let (first, second) = (rotate().await, rotate().await);
    assert_ne!(first["data"]["kid"], second["data"]["kid"]);
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", &admin)])
            .await
            .status,
        200
    );
    let (bearer, _) = log_in(&bench, "ann").await;
    assert_eq!(
        get(&bench, "/auth/me", &[("authorization", &bearer)])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn before_users_were_ever_read_nobody_is_told_to_have_the_wrong_password() {
    let bench = crate::tests::Bench::asking(Config::default());
    bench.accounts.break_down();
    assert!(bench.server.load_access().await.is_err());
    for value in ["Bearer x", &basic("ann", PASSWORD)] {
        let answer = get(&bench, "/auth/me", &[("authorization", value)]).await;
        assert_eq!(answer.status, 503, "{value}");
    }
    let login = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(post(&bench, "/auth/login", login).await.status, 503);
    assert_eq!(get(&bench, "/auth/me", &[]).await.status, 401);
    assert_eq!(get(&bench, "/health", &[]).await.status, 200);
}
