//! The description of the routes against the routes themselves.

mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use access::{Directory, Role, Scope, SigningKey, Team};
use axum::body::Body;
use axum::http::Request;
use model::{
    DeliveryState, Exemplar, HostSummary, Labels, Metadata, MetricKind, SampleSink as _, Timestamp,
};
use serde_json::Value;
use uptime::{State, Transition};
use wire::remote_write::{compress, encode, encode_exemplars};

use super::{Answer, Bench, NOW, monitors, notifications, rules, table};
use crate::{AccessSettings, Asker, Config, Hidden, QueryKind, RunningQuery};

const FORM: &str = "application/x-www-form-urlencoded";

/// Bodies that are not JSON and therefore no examples in the description.
const PROTOBUF: &str = "application/x-protobuf";

/// Examples that cannot be answered as they would be over a connection.
const ELSEWHERE: [(&str, u16); 5] = [
    ("get /ws/metrics", 400),
    // Each refresh token is another one.
    ("post /auth/refresh", 401),
    // There is no provider.
    ("get /auth/oidc", 404),
    ("get /auth/oidc/callback", 404),
    // Nobody is anybody while access control is off.
    ("put /auth/password", 403),
];

/// Routes of which no person needs to know.
const UNTOLD: [&str; 2] = ["/assets/{name}", "/docs.css"];

fn description() -> Value {
    serde_json::from_str(&crate::openapi::description().to_json()).unwrap()
}

/// Every operation by `method path`.
fn operations(root: &Value) -> BTreeMap<String, &Value> {
    let mut operations = BTreeMap::new();
    for (path, route) in root["paths"].as_object().unwrap() {
        for (method, operation) in route.as_object().unwrap() {
            operations.insert(format!("{method} {path}"), operation);
        }
    }
    operations
}

fn resolved<'r>(root: &'r Value, node: &'r Value) -> &'r Value {
    match node.get("$ref") {
        Some(target) => {
            let pointer = target.as_str().unwrap().trim_start_matches('#');
            root.pointer(pointer)
                .unwrap_or_else(|| panic!("{target} leads nowhere"))
        }
        None => node,
    }
}

/// The routes as the router has them.
fn routes() -> BTreeSet<String> {
    let routes = crate::router::routes();
    let rows = routes.iter().flat_map(|route| {
        let methods = route.verbs.iter().map(|verb| verb.method());
        methods.map(|method| format!("{} {}", method.as_str().to_lowercase(), route.path))
    });
    rows.collect()
}

#[test]
fn every_route_is_described_and_no_other() {
    let root = description();
    let described: BTreeSet<String> = operations(&root).into_keys().collect();
    let routes = routes();
    assert!(routes.len() > 60, "{routes:?}");
    let undescribed: Vec<_> = routes.difference(&described).collect();
    assert_eq!(undescribed, Vec::<&String>::new(), "without description");
    let invented: Vec<_> = described.difference(&routes).collect();
    assert_eq!(invented, Vec::<&String>::new(), "without route");
}

#[test]
fn every_route_stands_in_the_guide() {
    let guide = include_str!("../../../../docs/http-api.md");
    let root = description();
    for path in root["paths"].as_object().unwrap().keys() {
        let ends = ["`", "?", ",", " "].map(|end| format!("{path}{end}"));
        let is_there = ends.iter().any(|text| guide.contains(text.as_str()));
        assert!(is_there || UNTOLD.contains(&path.as_str()), "{path}");
    }
}

#[test]
fn every_description_is_complete() {
    let root = description();
    let mut ids = BTreeSet::new();
    let mut faults = Vec::new();
    for (name, operation) in operations(&root) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let mut require = |what: &str, is_there: bool| {
            if !is_there {
                faults.push(format!("{name}: {what}"));
            }
        };
        require("summary", operation["summary"].is_string());
        require("security", operation["security"].is_array());
        let known = [
            "tags",
            "operationId",
            "summary",
            "description",
            "security",
            "x-permission",
            "parameters",
            "requestBody",
            "responses",
        ];
        for key in operation.as_object().unwrap().keys() {
            require(&format!("unknown key {key}"), known.contains(&key.as_str()));
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(&root, parameter);
            for key in ["name", "in", "description", "schema"] {
                require(&format!("{key} of {parameter}"), !parameter[key].is_null());
            }
            let is_required = parameter["required"] == true;
            require(
                &format!("example of {parameter}"),
                !is_required || !parameter["example"].is_null(),
            );
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(&root, response);
            require(
                &format!("description of {status}"),
                response["description"].is_string(),
            );
            for key in response.as_object().unwrap().keys() {
                require(
                    &format!("unknown key {key} of {status}"),
                    ["description", "content", "headers"].contains(&key.as_str()),
                );
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn examples_are_as_their_schemas_say() {
    let root = description();
    let mut faults = Vec::new();
    let mut count = 0;
    let mut check = |at: &str, schema: &Value, example: &Value| {
        count += 1;
        schema::validate(&root, schema, example, at, &mut faults);
    };
    for (name, operation) in operations(&root) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(&root, parameter);
            if let Some(example) = parameter.get("example") {
                check(
                    &format!("{name} {}", parameter["name"]),
                    &parameter["schema"],
                    example,
                );
            }
        }
        let mut bodies = vec![("request".to_owned(), &operation["requestBody"])];
        for (status, response) in operation["responses"].as_object().unwrap() {
            bodies.push((status.clone(), resolved(&root, response)));
        }
        for (of, body) in bodies {
            for (kind, content) in body["content"].as_object().into_iter().flatten() {
                if let Some(example) = content.get("example") {
                    check(&format!("{name} {of} {kind}"), &content["schema"], example);
                }
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(count > 300, "{count}");
}

/// A server that has something of everything, and the query with the id of the example.
async fn furnished(access: AccessSettings) -> (Bench, Vec<RunningQuery>) {
    let bench = Bench::asking(Config {
        admin_api: true,
        access: AccessSettings {
            first_link: Some(Hidden::new("3mWbA7Qd0c1XvN2k")),
            ..access
        },
        ..Config::default()
    });
    bench.accounts.edit(people);
    bench.server.load_access().await.unwrap();
    let up = [("__name__", "up"), ("instance", "vm"), ("job", "node")];
    bench.fill(&[(&up, &[(60, 1.0), (0, 1.0)])]);
    let labels = Labels::from_pairs(up).unwrap();
    let exemplar = Exemplar {
        labels: Labels::from_pairs([("trace_id", "4711")]).unwrap(),
        timestamp: Timestamp::from_millis(NOW),
        value: 6.0,
    };
    let message = encode_exemplars(&labels, &[exemplar]);
    let written = bench
        .post("/api/v1/write", PROTOBUF, compress(&message))
        .await;
    assert_eq!(
        written.header("x-prometheus-remote-write-exemplars-written"),
        "1"
    );
    let described = Metadata {
        kind: MetricKind::Gauge,
        help: "whether it answers".to_owned(),
        unit: String::new(),
    };
    bench
        .store
        .describe(&[("up".to_owned(), described)])
        .unwrap();
    let at = Timestamp::from_millis(NOW);
    {
        let mut behind = bench.behind.lock().unwrap();
        behind.monitors = vec![monitors::shop(), monitors::blog()];
        behind.rules = rules::evaluated("rules/nodes.yml", rules::FILE);
        behind.transitions = Ok(vec![Transition {
            monitor: "shop".into(),
            number: 2,
            from: State::Pending,
            to: State::Up,
            at,
            since: at,
            cause: "the check succeeded".to_owned(),
        }]);
        let states = [
            DeliveryState::Pending,
            DeliveryState::Delivered,
            DeliveryState::Failed,
        ];
        let entries = states.into_iter().zip([3, 2, 1]);
        let entries = entries.map(|(state, id)| notifications::entry(id, "web-team", state));
        behind.journal = Some(Ok(entries.collect()));
        behind.host = Some(HostSummary {
            timestamp: at,
            host: "vm".to_owned(),
            cpu_percent: Some(1.7),
            memory_percent: None,
            memory_used_bytes: Some(824_074_240),
            load: Some([0.98, 0.72, 0.85]),
            disks: Vec::new(),
            network: Vec::new(),
        });
    }
    let queries = &bench.server.ports().queries;
    let running = (1..=17).map(|_| queries.start(QueryKind::Instant, "up", Asker::default()));
    let running = running.collect();
    (bench, running)
}

/// The users, the team and the token of the examples.
fn people(directory: &mut Directory) {
    static HASH: LazyLock<String> =
        LazyLock::new(|| access::hash_password("correct horse battery").unwrap());
    let mut ann = table::user("ann", Role::Editor);
    ann.password = Some(HASH.as_str().into());
    let members = [ann.name.clone()].into();
    directory.users.insert(ann.name.clone(), ann);
    let admin = table::user("admin", Role::Admin);
    directory.users.insert(admin.name.clone(), admin);
    let team = Team {
        name: "web".into(),
        role: Some(Role::Viewer),
        members,
    };
    directory.teams.insert(team.name.clone(), team);
    let key = SigningKey::generate(Timestamp::from_millis(NOW));
    directory.keys.insert(key.id.clone(), key);
    table::token(directory, "prometheus", Scope::Ingest, None);
    let (_, mut token) = directory.tokens.drain().next().unwrap();
    token.id = "k3v9q0z7m2xa".into();
    directory.tokens.insert(token.id.clone(), token);
}

/// The example request of an operation; with all parameters, or with those that it must have.
fn request(root: &Value, name: &str, operation: &Value, with_all: bool) -> Request<Body> {
    let (method, path) = name.split_once(' ').unwrap();
    let mut path = path.to_owned();
    let mut query = form_urlencoded::Serializer::new(String::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolved(root, parameter);
        let (name, example) = (parameter["name"].as_str().unwrap(), &parameter["example"]);
        match parameter["in"].as_str().unwrap() {
            "path" => path = path.replace(&format!("{{{name}}}"), &plain(example)),
            _ if with_all || parameter["required"] == true => push(&mut query, name, example),
            _ => {}
        }
    }
    let query = query.finish();
    let uri = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    let request = Request::builder()
        .method(method.to_uppercase().as_str())
        .uri(uri);
    let content = operation["requestBody"]["content"].as_object();
    let Some((kind, content)) = content.and_then(|content| content.iter().next()) else {
        return request.body(Body::empty()).unwrap();
    };
    let example = &content["example"];
    let body = match kind.as_str() {
        FORM => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in example.as_object().unwrap() {
                push(&mut form, name, value);
            }
            Body::from(form.finish())
        }
        PROTOBUF => Body::from(compress(&encode([]))),
        _ => Body::from(example.to_string()),
    };
    request
        .header("content-type", kind.as_str())
        .body(body)
        .unwrap()
}

fn push(query: &mut form_urlencoded::Serializer<'_, String>, name: &str, example: &Value) {
    match example {
        Value::Null => {}
        Value::Array(items) => {
            for item in items {
                query.append_pair(name, &plain(item));
            }
        }
        one => {
            query.append_pair(name, &plain(one));
        }
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// What is wrong with an answer, by its description.
fn faults(root: &Value, name: &str, operation: &Value, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let status = answer.status.as_str();
    let Some(response) = operation["responses"].get(status) else {
        return vec![format!(
            "{name}: {status} is not described: {}",
            answer.text()
        )];
    };
    let response = resolved(root, response);
    let kind = answer.header("content-type");
    let content = response["content"].as_object();
    let described = content.into_iter().flatten();
    let mut described = described.filter(|(one, _)| kind.starts_with(one.as_str()));
    match described.next() {
        None if content.is_some() || !answer.body.is_empty() && status != "304" => {
            faults.push(format!(
                "{name} {status}: the type {kind:?} is not described"
            ));
        }
        Some((one, content)) if one == "application/json" => {
            let body: Value = serde_json::from_str(answer.text()).unwrap();
            let at = format!("{name} {status}");
            schema::validate(root, &content["schema"], &body, &at, &mut faults);
        }
        _ => {}
    }
    for (header, described) in response["headers"].as_object().into_iter().flatten() {
        if described["required"] == true && answer.header(header).is_empty() {
            faults.push(format!("{name} {status}: the header {header} is missing"));
        }
    }
    faults
}

#[tokio::test]
async fn example_requests_are_answered_as_described() {
    let root = description();
    let mut all = Vec::new();
    for (name, operation) in operations(&root) {
        for with_all in [false, true] {
            let (bench, _running) = furnished(AccessSettings::off()).await;
            let answer = bench.send(request(&root, &name, operation, with_all)).await;
            all.extend(faults(&root, &name, operation, &answer));
            let mut described = operation["responses"].as_object().unwrap().keys();
            let elsewhere = ELSEWHERE.iter().find(|(one, _)| *one == name);
            let expected = elsewhere.map_or_else(
                || described.next().unwrap().parse().unwrap(),
                |(_, status)| *status,
            );
            // What no example can name: a file with a hash, and series to match beyond what there is.
            if answer.status != expected && name != "get /assets/{name}" {
                all.push(format!(
                    "{name}: {} and not {expected}",
                    answer.shown_briefly()
                ));
            }
        }
    }
    assert_eq!(all, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_wrong_is_answered_as_described() {
    let root = description();
    let mut all = Vec::new();
    for (name, operation) in operations(&root) {
        let (method, path) = name.split_once(' ').unwrap();
        let path = path.replace("{name}", "%FF").replace("{id}", "x");
        for (kind, body) in [
            (FORM, "limit=x&time=x&start=x"),
            ("application/json", "{"),
            (PROTOBUF, "x"),
            ("text/csv", "1,2"),
        ] {
            let (bench, _running) = furnished(AccessSettings::off()).await;
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(format!("{path}?limit=-1&state=x&type=x&group_limit=0"))
                .header("content-type", kind)
                .header(
                    "content-encoding",
                    if kind == PROTOBUF {
                        "snappy"
                    } else {
                        "identity"
                    },
                );
            let answer = bench.send(request.body(Body::from(body)).unwrap()).await;
            all.extend(faults(&root, &name, operation, &answer));
        }
        let (bench, _running) = furnished(AccessSettings::off()).await;
        *bench.store.broken.lock().unwrap() = Some("the disk is gone".to_owned());
        let answer = bench.send(request(&root, &name, operation, false)).await;
        all.extend(faults(&root, &name, operation, &answer));
    }
    assert_eq!(all, Vec::<String>::new());
}

#[tokio::test]
async fn who_may_not_is_answered_as_described() {
    let root = description();
    let mut all = Vec::new();
    let (bench, sent) = table::populated(Config::default()).await;
    for (name, operation) in operations(&root) {
        let is_open = operation["security"].as_array().unwrap().is_empty();
        for authorization in &sent {
            let mut request = request(&root, &name, operation, false);
            let is_nobody = authorization.is_none();
            if let Some(value) = authorization {
                let value = value.parse().unwrap();
                request.headers_mut().insert("authorization", value);
            }
            let answer = bench.send(request).await;
            all.extend(faults(&root, &name, operation, &answer));
            if is_nobody && !is_open && answer.status != 401 {
                all.push(format!("{name}: {} and not 401", answer.shown_briefly()));
            }
        }
        let mut request = request(&root, &name, operation, false);
        let accept = "text/html".parse().unwrap();
        request.headers_mut().insert("accept", accept);
        let answer = bench.send(request).await;
        all.extend(faults(&root, &name, operation, &answer));
    }
    assert_eq!(all, Vec::<String>::new());
}

#[tokio::test]
async fn the_description_is_served() {
    let answer = Bench::new().get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let served: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(served, description());
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
    let bench = Bench::new();
    let external = "https://watch.example.org/campanile/";
    bench.server.set_external_url(external);
    let answer = bench.get("/campanile/openapi.json").await;
    let served: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(served["servers"][0]["url"], "/campanile");
}

#[tokio::test]
async fn the_page_shows_every_operation_and_needs_nothing_from_elsewhere() {
    let bench = Bench::new();
    let answer = bench.get("/docs").await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';"),
        "{policy}"
    );
    let page = answer.text();
    assert!(!page.contains("<script") && !page.contains("style=\"") && !page.contains("src="));
    let root = description();
    for (name, operation) in operations(&root) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{name}");
        assert!(page.contains(&format!("<a href=\"#{id}\">")), "{name}");
    }
    let style = bench.get("/docs.css").await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    let licences = bench.get("/licenses.txt").await;
    assert!(page.contains("href=\"licenses.txt\"") && licences.status == 200);
    assert!(!style.text().contains("url(") && !style.text().contains("@import"));
}

impl Answer {
    fn shown_briefly(&self) -> String {
        let text: String = self.text().chars().take(200).collect();
        format!("{} {text}", self.status.as_u16())
    }
}
