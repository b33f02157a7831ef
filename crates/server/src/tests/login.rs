//! Coming in: passwords, tokens, cookies, and what attackers may try with them.

mod attacks;
mod oidc;
mod ways;

use access::{Role, hash_password};
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use serde_json::{Value, json};

use super::table::user;
use super::{Answer, Bench};
use crate::Config;

const PASSWORD: &str = "correct horse";

/// A bench where `ann`, an editor, and `root`, an admin, have a password.
async fn bench() -> Bench {
    with(Config::default()).await
}

async fn with(config: Config) -> Bench {
    let bench = Bench::asking(config);
    let hash: std::sync::Arc<str> = hash_password(PASSWORD).unwrap().into();
    bench.accounts.edit(|directory| {
        for (name, role) in [("ann", Role::Editor), ("root", Role::Admin)] {
            let mut user = user(name, role);
            user.password = Some(hash.clone());
            directory.users.insert(user.name.clone(), user);
        }
    });
    bench.server.load_access().await.unwrap();
    bench
}

/// A request with a JSON body, and headers.
fn json_request(method: &str, uri: &str, headers: &[(&str, &str)], body: &Value) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

async fn post(bench: &Bench, uri: &str, body: Value) -> Answer {
    bench.send(json_request("POST", uri, &[], &body)).await
}

async fn get(bench: &Bench, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.send(request.body(Body::empty()).unwrap()).await
}

/// Logs in as a program; the access token as a header's value, and the refresh token.
async fn log_in(bench: &Bench, name: &str) -> (String, String) {
    let answer = post(
        bench,
        "/auth/login",
        json!({"username": name, "password": PASSWORD}),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let bearer = format!("Bearer {}", body["access_token"].as_str().unwrap());
    (bearer, body["refresh_token"].as_str().unwrap().to_owned())
}

/// Logs in as a browser; the cookie as it sends it.
async fn enter(bench: &Bench, name: &str) -> String {
    let answer = post(
        bench,
        "/auth/session",
        json!({"username": name, "password": PASSWORD}),
    )
    .await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    cookie(&answer)
}

fn basic(name: &str, password: &str) -> String {
    let text = format!("{name}:{password}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

fn cookie(answer: &Answer) -> String {
    answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}
