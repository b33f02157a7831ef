//! `/openapi.json`: what each route takes and answers, in OpenAPI 3.1.
//!
//! People write it in `openapi/*.yaml`, one file for each group of routes; `api.yaml` holds what all share. It is
//! OpenAPI but for a few short forms, which `openapi/complete.rs` writes out. What a route requires of its caller is not
//! written there: it is taken from the router. The whole is made once, when it is first asked for.

mod complete;
mod node;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use document::{Document, Options, Source, Syntax};

use crate::router::{Requirements, routes};
use crate::{Server, answer};

pub(crate) use complete::METHODS;
pub(crate) use node::Node;

/// What all groups share, and then the groups in the order in which they are shown.
const PARTS: [(&str, &str); 12] = [
    ("api.yaml", include_str!("../openapi/api.yaml")),
    ("queries.yaml", include_str!("../openapi/queries.yaml")),
    ("ingestion.yaml", include_str!("../openapi/ingestion.yaml")),
    ("alerts.yaml", include_str!("../openapi/alerts.yaml")),
    ("monitors.yaml", include_str!("../openapi/monitors.yaml")),
    ("live.yaml", include_str!("../openapi/live.yaml")),
    ("health.yaml", include_str!("../openapi/health.yaml")),
    ("status.yaml", include_str!("../openapi/status.yaml")),
    ("store.yaml", include_str!("../openapi/store.yaml")),
    ("login.yaml", include_str!("../openapi/login.yaml")),
    ("accounts.yaml", include_str!("../openapi/accounts.yaml")),
    ("pages.yaml", include_str!("../openapi/pages.yaml")),
];

static DESCRIPTION: LazyLock<Node> = LazyLock::new(|| {
    let [(name, api), parts @ ..] = PARTS;
    let parts = parts.map(|(name, text)| read(name, text));
    let requirements = Requirements::new(&routes());
    complete::join(read(name, api), Vec::from(parts), &requirements)
});

static JSON: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(DESCRIPTION.to_json()));

/// The description of every route.
pub(crate) fn description() -> &'static Node {
    &DESCRIPTION
}

/// `GET /openapi.json`
pub(crate) async fn openapi(State(server): State<Server>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let external = server.external_url();
    let json = match external.base_path() {
        "" => JSON.clone(),
        base => below(base),
    };
    answer::typed(StatusCode::OK, kind, json)
}

/// The description of a server that answers below a path.
fn below(base: &str) -> Bytes {
    let mut description = DESCRIPTION.clone();
    let server = Node::map([("url", Node::text(base))]);
    description.set("servers", Node::List(vec![server]));
    Bytes::from(description.to_json())
}

fn read(name: &str, text: &str) -> Node {
    let source = Source::new(name, text);
    let parsed = Document::parse(&source, Syntax::Yaml, &Options::default());
    let document = parsed.expect("invariant: a test has read the description");
    let node = Node::read(document.root());
    let problems = document.into_problems();
    assert!(problems.is_empty(), "invariant: {problems:?}");
    node
}
