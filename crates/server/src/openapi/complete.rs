//! From what people write to OpenAPI: the short forms written out, and what holds for all routes added.
//!
//! 1. A parameter that is a name stands for the one of that name in `components/parameters`.
//! 2. `errors: [400, 422]` stands for the responses `Status400` and `Status422` of `components/responses`.
//! 3. In a response, `json: SCHEMA` and `data: SCHEMA` (the latter within Prometheus' envelope), `text:` and `html:` stand
//!    for `content`, with `example` beside them.
//! 4. `post: {form: get}` is the same route with its parameters as a form in the body; `put: {same: post}` is the same.
//! 5. Each operation gets its name, its tag, what it requires of its caller, and the errors that come from what every
//!    request passes: the guard, access control, and whatever reads a body.

use axum::http::Method;

use super::Node;
use crate::guard;
use crate::rate::Class;
use crate::router::{Needs, Requirements};

/// The methods that a route may have, as a path's description names them.
pub(crate) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Ways to say who one is, by their names in `components/securitySchemes`.
const SCHEMES: [&str; 4] = ["jwt", "api_token", "basic", "session"];

const FORM: &str = "application/x-www-form-urlencoded";

/// Puts all parts together.
pub(super) fn join(mut whole: Node, parts: Vec<Node>, requirements: &Requirements) -> Node {
    let mut tags = Vec::new();
    let mut paths = Vec::new();
    let mut components = whole.take("components").unwrap_or(Node::Null);
    for mut part in parts {
        let tag = part.take("tag").unwrap_or(Node::Null);
        for (kind, named) in part.take("components").unwrap_or(Node::Null).entries() {
            let mut all = components.take(kind).unwrap_or(Node::Map(Vec::new()));
            for (name, node) in named.entries() {
                all.set(name, node.clone());
            }
            components.set(kind, all);
        }
        let routes = part.take("paths").unwrap_or(Node::Null);
        for (path, route) in routes.entries() {
            let route = complete_path(path, route, tag.str_at("name"), &components, requirements);
            paths.push((path.clone(), route));
        }
        tags.push(tag);
    }
    if let Some(responses) = components.take("responses") {
        let complete = responses.entries().iter().map(|(name, response)| {
            let mut response = response.clone();
            complete_response(&mut response);
            (name.clone(), response)
        });
        components.set("responses", Node::Map(complete.collect()));
    }
    whole.set("tags", Node::List(tags));
    whole.set("paths", Node::Map(paths));
    whole.set("components", components);
    whole
}

fn complete_path(
    path: &str,
    route: &Node,
    tag: &str,
    components: &Node,
    requirements: &Requirements,
) -> Node {
    let mut complete = Vec::new();
    for (method, written) in route.entries() {
        let other = ["form", "same"].iter().find_map(|key| written.get(key));
        let mut operation = match other {
            Some(other) => {
                let mut same = route.get(other.as_str()).cloned().unwrap_or(Node::Null);
                for (key, node) in written.entries() {
                    same.set(key, node.clone());
                }
                same.take("same");
                same
            }
            None => written.clone(),
        };
        let parameters = operation.take("parameters").unwrap_or(Node::Null);
        let mut parameters: Vec<Node> = parameters.items().iter().map(named_parameter).collect();
        if operation.take("form").is_some() {
            let (form, others) = form(&parameters, components);
            operation.set("requestBody", form);
            parameters = others;
        }
        if !parameters.is_empty() {
            operation.set("parameters", Node::List(parameters));
        }
        complete_operation(method, path, tag, &mut operation, requirements);
        complete.push((method.clone(), operation));
    }
    Node::Map(complete)
}

fn named_parameter(parameter: &Node) -> Node {
    match parameter {
        Node::Text(name) => Node::reference("parameters", name),
        other => other.clone(),
    }
}

/// A body with the parameters of an address, and the parameters that stay where they are.
fn form(parameters: &[Node], components: &Node) -> (Node, Vec<Node>) {
    let root = Node::map([("components", components.clone())]);
    let (mut properties, mut required, mut example) = (Vec::new(), Vec::new(), Vec::new());
    let mut others = Vec::new();
    for parameter in parameters {
        let resolved = parameter.resolve(&root);
        if resolved.str_at("in") != "query" {
            others.push(parameter.clone());
            continue;
        }
        let name = resolved.str_at("name").to_owned();
        if resolved.str_at("required") == "true" {
            required.push(Node::text(name.clone()));
            if let Some(value) = resolved.get("example") {
                example.push((name.clone(), value.clone()));
            }
        }
        let mut schema = resolved.get("schema").cloned().unwrap_or(Node::Null);
        if schema.str_at("type") == "array" {
            // A field that is there once is a list of one, which nobody can tell from a text.
            let one = schema.get("items").cloned().unwrap_or(Node::Null);
            schema = Node::map([("anyOf", Node::List(vec![schema, one]))]);
        }
        if let Some(description) = resolved.get("description") {
            schema.set("description", description.clone());
        }
        properties.push((name, schema));
    }
    let mut schema = Node::map([
        ("type", Node::text("object")),
        ("properties", Node::Map(properties)),
    ]);
    let is_required = !required.is_empty();
    if is_required {
        schema.set("required", Node::List(required));
    }
    let content = Node::map([("schema", schema), ("example", Node::Map(example))]);
    let body = Node::map([
        ("required", Node::Boolean(is_required)),
        ("content", Node::map([(FORM, content)])),
    ]);
    (body, others)
}

fn complete_operation(
    method: &str,
    path: &str,
    tag: &str,
    operation: &mut Node,
    requirements: &Requirements,
) {
    let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
    let needs = requirements.of(path, &verb);
    let mut responses = operation.take("responses").unwrap_or(Node::Map(Vec::new()));
    if let Node::Map(entries) = &mut responses {
        for (_, response) in entries.iter_mut() {
            complete_response(response);
        }
    }
    let errors = operation.take("errors").unwrap_or(Node::Null);
    let errors = errors.items().iter().map(Node::as_str);
    for status in errors.chain(implied(&verb, path, operation, needs)) {
        if responses.get(status).is_none() {
            responses.set(
                status,
                Node::reference("responses", &format!("Status{status}")),
            );
        }
    }
    if let Node::Map(entries) = &mut responses {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let mut complete = Node::map([
        ("tags", Node::List(vec![Node::text(tag)])),
        ("operationId", Node::text(operation_id(method, path))),
    ]);
    for key in ["summary", "description"] {
        if let Some(node) = operation.take(key) {
            complete.set(key, node);
        }
    }
    let security = match needs {
        Needs::Nothing => Vec::new(),
        Needs::Anyone | Needs::Permission(_) => SCHEMES
            .map(|scheme| Node::map([(scheme, Node::List(Vec::new()))]))
            .to_vec(),
    };
    complete.set("security", Node::List(security));
    if let Needs::Permission(permission) = needs {
        complete.set("x-permission", Node::text(permission.name()));
    }
    for (key, node) in operation.entries() {
        complete.set(key, node.clone());
    }
    complete.set("responses", responses);
    *operation = complete;
}

/// The errors that come from what every request passes before its handler, and from reading a body.
fn implied(verb: &Method, path: &str, operation: &Node, needs: Needs) -> Vec<&'static str> {
    let mut statuses = vec!["421"];
    if path.contains('{') {
        statuses.push("414");
    }
    if Class::of(verb, path).is_some() {
        statuses.push("429");
    }
    if !guard::is_probe(path) {
        statuses.extend(["500", "503"]);
    }
    if verb != Method::GET {
        statuses.push("403");
    }
    if verb == Method::POST || verb == Method::PUT || operation.get("requestBody").is_some() {
        statuses.extend(["408", "413", "415"]);
        if operation.get("requestBody").is_some() || operation.get("parameters").is_some() {
            statuses.push("400");
        }
    }
    if needs != Needs::Nothing {
        statuses.extend(["401", "403", "429"]);
        if verb == Method::GET {
            statuses.push("303");
        }
    }
    statuses
}

fn complete_response(response: &mut Node) {
    let example = response.take("example");
    let mut content = None;
    for (key, kind) in [
        ("json", "application/json"),
        ("data", "application/json"),
        ("text", "text/plain"),
        ("html", "text/html"),
    ] {
        let Some(written) = response.take(key) else {
            continue;
        };
        let schema = match key {
            "json" => written,
            "data" => envelope(written),
            _ => Node::map([("type", Node::text("string"))]),
        };
        let mut body = Node::map([("schema", schema)]);
        if let Some(example) = &example {
            body.set("example", example.clone());
        }
        content = Some(Node::map([(kind, body)]));
    }
    if let Some(content) = content {
        response.set("content", content);
    }
}

/// Prometheus' frame of a successful answer.
fn envelope(data: Node) -> Node {
    let texts = || {
        Node::map([
            ("type", Node::text("array")),
            ("items", Node::map([("type", Node::text("string"))])),
        ])
    };
    Node::map([
        ("type", Node::text("object")),
        (
            "required",
            Node::List(vec![Node::text("status"), Node::text("data")]),
        ),
        (
            "properties",
            Node::map([
                ("status", Node::map([("const", Node::text("success"))])),
                ("data", data),
                ("warnings", texts()),
                ("infos", texts()),
            ]),
        ),
        ("additionalProperties", Node::Boolean(false)),
    ])
}

/// `get /api/v1/label/{name}/values` → `getApiV1LabelNameValues`
fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_owned();
    for word in path.split(|one: char| !one.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            id.push(first.to_ascii_uppercase());
            id.push_str(letters.as_str());
        }
    }
    id
}
