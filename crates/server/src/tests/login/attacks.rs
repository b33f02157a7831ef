//! What attackers may try.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{PASSWORD, basic, bench, enter, get, json_request, log_in, post};
use crate::origin::Peer;

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_ends_its_family() {
    let bench = bench().await;
    let (_, first) = log_in(&bench, "ann").await;
    let next = post(&bench, "/auth/refresh", json!({"refresh_token": first}))
        .await
        .json();
    let replayed = post(&bench, "/auth/refresh", json!({"refresh_token": first})).await;
    assert_eq!(replayed.status, 401);
    let second = &next["refresh_token"];
    let after = post(&bench, "/auth/refresh", json!({"refresh_token": second})).await;
    assert_eq!(after.status, 401, "the whole family is over");
    let audited = bench.audited();
    assert!(
        audited.contains(&"anonymous session.revoke user:ann".to_owned()),
        "{audited:?}"
    );
}

#[tokio::test]
async fn of_two_uses_at_once_one_wins_and_the_family_ends() {
    let bench = bench().await;
    let (_, first) = log_in(&bench, "ann").await;
    let shown = json!({"refresh_token": first});
    let (a, b) = tokio::join!(
        post(&bench, "/auth/refresh", shown.clone()),
        post(&bench, "/auth/refresh", shown.clone())
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(bench.accounts.sessions(), 0);
}

#[tokio::test]
async fn what_was_given_to_somebody_who_is_gone_is_worth_nothing_to_a_namesake() {
    let bench = bench().await;
    let root = basic("root", PASSWORD);
    let admin = [("authorization", root.as_str())];
    let add = |password: &str| {
        let body = json!({"name": "bob", "role": "viewer", "password": password});
        json_request("POST", "/api/v1/users", &admin, &body)
    };
    assert_eq!(bench.send(add(PASSWORD)).await.status, 201);
    let bob = basic("bob", PASSWORD);
    let (bearer, _) = log_in(&bench, "bob").await;
    for shown in [&bob, &bearer] {
        let answer = get(&bench, "/auth/me", &[("authorization", shown)]).await;
        assert_eq!(answer.status, 200);
    }
    let gone = json_request("DELETE", "/api/v1/users/bob", &admin, &json!(null));
    assert_eq!(bench.send(gone).await.status, 204);
    assert_eq!(bench.send(add("another horse")).await.status, 201);
    for shown in [&bob, &bearer] {
        let answer = get(&bench, "/auth/me", &[("authorization", shown)]).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_the_login_of_its_visitor() {
    let bench = bench().await;
    let cookie = enter(&bench, "root").await;
    let body = json!({"name": "mallory", "role": "admin"});
    for (headers, status) in [
        (&[("origin", "https://evil.example")][..], 403),
        (&[("origin", "http://watch.example:81")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[], 403),
        (
            &[
                ("origin", "https://evil.example"),
                ("x-requested-with", "campanile"),
            ],
            403,
        ),
        (&[("x-requested-with", "XMLHttpRequest")], 403),
        (&[("origin", "http://watch.example")], 201),
        (&[("x-requested-with", "campanile")], 409),
    ] {
        let mut all = vec![("cookie", cookie.as_str()), ("host", "watch.example")];
        all.extend(headers);
        let answer = bench
            .send(json_request("POST", "/api/v1/users", &all, &body))
            .await;
        assert_eq!(answer.status, status, "{headers:?} {}", answer.text());
    }
    // A form can be sent by any page; it is no JSON.
    let form = Request::post("/api/v1/users")
        .header("cookie", &cookie)
        .header("host", "watch.example")
        .header("origin", "http://watch.example")
        .header("content-type", "text/plain");
    let answer = bench
        .send(form.body(Body::from(body.to_string())).unwrap())
        .await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn a_web_socket_of_another_site_cannot_use_the_login_of_its_visitor() {
    let bench = bench().await;
    let cookie = enter(&bench, "ann").await;
    for (origin, status) in [
        (Some("https://evil.example"), 403),
        (None, 403),
        // It comes through; this bench has no connection to upgrade.
        (Some("http://watch.example"), 426),
    ] {
        let mut request = Request::get("/ws/metrics")
            .header("cookie", &cookie)
            .header("host", "watch.example")
            .header("x-requested-with", "campanile")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{origin:?} {}", answer.text());
    }
}

fn from(address: IpAddr, name: &str, password: &str) -> Request<Body> {
    let body = json!({"username": name, "password": password});
    let mut request = json_request("POST", "/auth/login", &[], &body);
    request.extensions_mut().insert(Peer {
        address: Some(address),
        is_tls: false,
    });
    request
}

#[tokio::test]
async fn a_flood_of_logins_is_slowed_down_and_the_owner_is_not() {
    let bench = bench().await;
    let home = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let evil = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    let mut statuses = Vec::new();
    for number in 0..8 {
        let answer = bench
            .send(from(evil, "ann", &format!("guess number {number}")))
            .await;
        statuses.push(answer.status.as_u16());
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), "1");
            assert!(answer.text().contains(r#""errorType":"too_many_requests""#));
        }
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let right = bench.send(from(evil, "ann", PASSWORD)).await;
    assert_eq!(
        right.status, 429,
        "he does not learn that it would be right"
    );
    assert_eq!(bench.send(from(home, "ann", PASSWORD)).await.status, 200);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(
        bench.send(from(evil, "ann", "guess number 9")).await.status,
        401
    );
    let refused = bench.audited();
    let refused = refused
        .iter()
        .filter(|entry| entry.contains("login.refused"));
    assert_eq!(refused.count(), 6);
}

#[tokio::test]
async fn what_was_typed_stands_nowhere() {
    let bench = bench().await;
    let typed = "my-password-in-the-wrong-field\r\nx: y";
    post(
        &bench,
        "/auth/login",
        json!({"username": typed, "password": "hunter2hunter2"}),
    )
    .await;
    post(
        &bench,
        "/auth/login",
        json!({"username": "ann", "password": "hunter2hunter2"}),
    )
    .await;
    enter(&bench, "ann").await;
    let text = format!("{:?}", bench.accounts.audit_log());
    for secret in ["hunter2", "wrong-field", PASSWORD, "argon2"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let audited = bench.audited();
    assert!(
        audited.contains(&"anonymous login.refused user:ann".to_owned()),
        "{audited:?}"
    );
}

#[tokio::test]
async fn a_header_cannot_be_smuggled_in() {
    let bench = bench().await;
    let browser = [("accept", "text/html")];
    for (uri, location) in [
        (
            "/monitors?x=%0d%0aset-cookie:%20a=b",
            "./login?next=%2Fmonitors%3Fx%3D%250d%250aset-cookie%3A%2520a%3Db",
        ),
        (
            "/%0d%0aset-cookie:a=b",
            "./login?next=%2F%250d%250aset-cookie%3Aa%3Db",
        ),
        ("//evil.example/", "../../login"),
        ("/\\evil.example", "./login"),
        (
            "/a/b?next=//evil.example",
            "../login?next=%2Fa%2Fb%3Fnext%3D%2F%2Fevil.example",
        ),
        ("/", "./login"),
    ] {
        let Ok(request) = Request::get(uri)
            .header("accept", "text/html")
            .body(Body::empty())
        else {
            continue;
        };
        let answer = bench.send(request).await;
        assert_eq!(answer.status, 303, "{uri}");
        assert_eq!(answer.header("location"), location, "{uri}");
        assert_eq!(answer.header("set-cookie"), "", "{uri}");
    }
    let (admin, _) = log_in(&bench, "root").await;
    for name in [
        "ann\r\nx: y",
        "ann\nx",
        "",
        "a b",
        "ann;x=1",
        "../ann",
        "ann\u{0}",
        "änn",
    ] {
        let body = json!({"name": name, "role": "viewer"});
        let headers = [("authorization", admin.as_str())];
        let answer = bench
            .send(json_request("POST", "/api/v1/users", &headers, &body))
            .await;
        assert_eq!(answer.status, 400, "{name:?}");
        let body = json!({"name": name, "scope": "query"});
        let answer = bench
            .send(json_request("POST", "/api/v1/tokens", &headers, &body))
            .await;
        let has_control = name.is_empty() || name.chars().any(char::is_control);
        assert_eq!(
            answer.status,
            if has_control { 400 } else { 201 },
            "{name:?}"
        );
    }
    assert_eq!(get(&bench, "/nothing", &browser).await.status, 303);
}

#[tokio::test]
async fn a_path_leads_nowhere_but_to_its_route() {
    let bench = bench().await;
    for path in [
        "/assets/../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/....//etc/passwd",
        "/assets/index.html",
        "/..%2fetc%2fpasswd",
        "/%2e%2e/index.html",
        "/health/../api/v1/users",
        "/health/..%2fapi/v1/users",
        "/assets/%2e%2e%2fapi%2fv1%2fusers",
        "/login/../metrics",
        "/API/V1/USERS",
        "/api/v1/users/",
        "/api//v1/users",
        "/api/v1/users%00",
        "/login/",
        "/health/",
    ] {
        let answer = get(&bench, path, &[]).await;
        let is_refused = [401, 404, 400].contains(&answer.status.as_u16());
        assert!(is_refused, "{path}: {}", answer.status);
        assert!(!answer.text().contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn who_is_thrown_out_is_out_at_once() {
    let bench = bench().await;
    let (bearer, refresh) = log_in(&bench, "ann").await;
    let cookie = enter(&bench, "ann").await;
    let (admin, _) = log_in(&bench, "root").await;
    let headers = [("authorization", admin.as_str())];
    let disabled = json!({"is_disabled": true});
    let answer = bench
        .send(json_request(
            "PATCH",
            "/api/v1/users/ann",
            &headers,
            &disabled,
        ))
        .await;
    assert_eq!(answer.status, 200);
    for headers in [
        ("authorization", bearer.as_str()),
        ("cookie", cookie.as_str()),
    ] {
        assert_eq!(get(&bench, "/auth/me", &[headers]).await.status, 401);
    }
    assert_eq!(
        post(&bench, "/auth/refresh", json!({"refresh_token": refresh}))
            .await
            .status,
        401
    );
    let login = post(
        &bench,
        "/auth/login",
        json!({"username": "ann", "password": PASSWORD}),
    )
    .await;
    assert_eq!(login.status, 401);
    // Nobody is left to undo this.
    let answer = bench
        .send(json_request(
            "PATCH",
            "/api/v1/users/root",
            &headers,
            &disabled,
        ))
        .await;
    assert_eq!(answer.status, 409);
    let audited = bench.audited();
    assert!(
        audited.contains(&"user:root user.change user:ann".to_owned()),
        "{audited:?}"
    );
}

#[tokio::test]
async fn a_window_of_the_browsers_own_is_not_opened_over_our_page() {
    let bench = bench().await;
    let own = get(
        &bench,
        "/api/v1/labels",
        &[("x-requested-with", "campanile")],
    )
    .await;
    assert_eq!(
        (own.status.as_u16(), own.header("www-authenticate")),
        (401, "")
    );
    let program = get(&bench, "/api/v1/labels", &[]).await;
    assert_eq!(
        program.header("www-authenticate"),
        r#"Basic realm="Campanile", charset="UTF-8""#
    );
    assert!(program.text().contains(r#""errorType":"unauthorized""#));
}
