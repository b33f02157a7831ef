//! Every route, and what it answers to whom: the router's own table, walked, so that no route can be added without a row here.

use std::fmt::Write as _;
use std::time::Duration;

use access::{AccessToken, ApiToken, Directory, Role, Scope, TokenPolicy, User};
use axum::body::Body;
use axum::http::{Method, Request};
use expect_test::expect_file;
use model::Timestamp;

use super::{Bench, NOW};
use crate::Config;
use crate::router::{Needs, routes};

/// Those who come, and what they may do; none if nobody knows them.
const VISITORS: [(&str, Option<Scope>); 8] = [
    ("nothing", None),
    ("viewer", Some(Scope::Role(Role::Viewer))),
    ("editor", Some(Scope::Role(Role::Editor))),
    ("admin", Some(Scope::Role(Role::Admin))),
    ("ingest token", Some(Scope::Ingest)),
    ("query token", Some(Scope::Query)),
    ("expired token", None),
    ("expired login", None),
];

/// A bench with a user of each role, and what each visitor sends as `Authorization`.
pub(super) async fn populated(config: Config) -> (Bench, Vec<Option<String>>) {
    let bench = Bench::asking(config);
    let now = Timestamp::from_millis(NOW);
    bench.server.load_access().await.unwrap();
    let mut sent = Vec::new();
    bench.accounts.edit(|directory| {
        let policy = TokenPolicy {
            lifetime: Duration::from_mins(15),
            leeway: Duration::from_secs(30),
        };
        let key = directory.signing_key().unwrap().clone();
        for (name, scope) in VISITORS {
            sent.push(match (name, scope) {
                ("nothing", _) => None,
                ("expired token", _) => {
                    Some(token(directory, "old", Scope::Role(Role::Admin), Some(now)))
                }
                ("expired login", _) => {
                    let long_ago = Timestamp::from_millis(NOW - 3_600_000);
                    let admin = "admin".parse().unwrap();
                    let text = AccessToken::issue(&key, &admin, 0, long_ago, policy);
                    Some(format!("Bearer {text}"))
                }
                (_, Some(Scope::Role(role))) => {
                    let user = user(name, role);
                    let text = AccessToken::issue(&key, &user.name, 0, now, policy);
                    directory.users.insert(user.name.clone(), user);
                    Some(format!("Bearer {text}"))
                }
                (_, Some(scope)) => Some(token(directory, name, scope, None)),
                (_, None) => unreachable!("each of them is named above"),
            });
        }
    });
    bench.server.load_access().await.unwrap();
    (bench, sent)
}

pub(super) fn user(name: &str, role: Role) -> User {
    User {
        name: name.parse().unwrap(),
        role,
        password: None,
        identity: None,
        is_disabled: false,
        epoch: 0,
        created: Timestamp::from_millis(NOW),
    }
}

pub(super) fn token(
    directory: &mut Directory,
    name: &str,
    scope: Scope,
    expires: Option<Timestamp>,
) -> String {
    let (id, text) = ApiToken::generate();
    let token = ApiToken {
        id: id.clone(),
        name: name.into(),
        scope,
        hash: ApiToken::hash_of(&text),
        created_by: "user:admin".into(),
        created: Timestamp::from_millis(NOW),
        expires,
    };
    directory.tokens.insert(id, token);
    format!("Bearer {text}")
}

async fn status(bench: &Bench, method: &Method, path: &str, authorization: Option<&String>) -> u16 {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let answer = bench.send(request.body(Body::empty()).unwrap()).await;
    let status = answer.status.as_u16();
    let asks = answer.header("www-authenticate");
    assert_eq!(
        status == 401,
        asks.starts_with("Basic realm="),
        "{method} {path}"
    );
    status
}

#[tokio::test]
async fn every_route_answers_only_those_who_may() {
    let (bench, sent) = populated(Config::default()).await;
    let mut table = format!("{:6} {:45} {:10}", "", "", "needs");
    for (name, _) in VISITORS {
        write!(table, " | {name}").unwrap();
    }
    table.push('\n');
    let mut lines = Vec::new();
    for route in routes() {
        for verb in route.verbs {
            lines.push((verb.method(), route.path, Some(route.needs)));
        }
    }
    // What is in no row.
    let beside = [
        (Method::HEAD, "/metrics", None),
        (Method::GET, "/licenses.txt", None),
        (Method::GET, "/nothing", None),
        (Method::GET, "/api/v1/nothing", None),
        (Method::GET, "//", None),
        (Method::GET, "/index.html", None),
        (Method::GET, "/metrics/", None),
        (Method::DELETE, "/api/v1/query", None),
        (Method::OPTIONS, "/api/v1/users", None),
        (Method::POST, "/health", None),
        (Method::from_bytes(b"BREW").unwrap(), "/metrics", None),
    ];
    lines.extend(beside);
    for (method, path, needs) in lines {
        let place = path
            .replace("{name}", "up")
            .replace("{id}", "1")
            .replace("{secret}", "x");
        let shown = match needs {
            Some(Needs::Nothing) => "nothing",
            Some(Needs::Anyone) => "anyone",
            Some(Needs::Permission(permission)) => permission.name(),
            None => "",
        };
        write!(table, "{:6} {path:45} {shown:10}", method.as_str()).unwrap();
        for ((name, scope), authorization) in VISITORS.iter().zip(&sent) {
            let status = status(&bench, &method, &place, authorization.as_ref()).await;
            write!(table, " | {status:<width$}", width = name.len()).unwrap();
            let Some(Needs::Permission(permission)) = needs else {
                continue;
            };
            let expected = match scope {
                None => Some(401),
                Some(scope) if !scope.allows(permission) => Some(403),
                Some(_) => None,
            };
            match expected {
                Some(expected) => assert_eq!(status, expected, "{method} {path} for {name}"),
                None => assert!(
                    ![401, 403].contains(&status),
                    "{method} {path} for {name}: {status}"
                ),
            }
        }
        table.push('\n');
    }
    expect_file!["table/routes.txt"].assert_eq(&table);
}

#[tokio::test]
async fn with_access_control_off_every_route_answers_everybody() {
    let bench = Bench::new();
    for route in routes() {
        for verb in route.verbs {
            let place = route.path.replace("{name}", "up").replace("{id}", "1");
            let request = Request::builder().method(verb.method()).uri(&place);
            let answer = bench.send(request.body(Body::empty()).unwrap()).await;
            let refused = answer.status == 401 || answer.text().contains("needs the permission");
            assert!(!refused, "{place}: {}", answer.text());
        }
    }
}
