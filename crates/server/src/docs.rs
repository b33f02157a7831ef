//! The page at `/docs`: the description of every route, for someone who writes a program against it.
//!
//! It is made of the same description as `/openapi.json`, and once. The list of all routes stands first; then comes what
//! each takes and answers. It needs nothing but its own style sheet; whoever looks for something uses the browser's search.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::answer;
use crate::openapi::{METHODS, Node, description};

/// Its own style and nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The style sheet.
const STYLE: &str = include_str!("../openapi/docs.css");

/// Characters of a line of an example from which on it is broken into several.
const LINE_LENGTH: usize = 100;

static PAGE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(Page::of(description()).out));

/// `GET /docs`
pub(crate) async fn page() -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = answer::typed(StatusCode::OK, kind, PAGE.clone());
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_POLICY),
    );
    response
}

/// `GET /docs.css`
pub(crate) async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    answer::typed(StatusCode::OK, kind, STYLE)
}

/// An operation and its place.
struct Operation<'n> {
    method: &'static str,
    path: &'n str,
    node: &'n Node,
}

struct Page<'n> {
    root: &'n Node,
    out: String,
}

impl<'n> Page<'n> {
    fn of(root: &'n Node) -> Self {
        let mut page = Self {
            root,
            out: String::new(),
        };
        let info = root.get("info").unwrap_or(&Node::Null);
        page.out.push_str(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Campanile: HTTP API</title>\n\
             <link rel=\"stylesheet\" href=\"docs.css\"></head><body>\n<h1>",
        );
        page.text(info.str_at("title"));
        page.out.push(' ');
        page.text(info.str_at("version"));
        page.out.push_str("</h1>\n");
        page.paragraph(info.str_at("description"));
        page.out.push_str(
            "<p>The same for programs: <a href=\"openapi.json\">openapi.json</a>. \
             <a href=\"licenses.txt\">Licences of what the web pages are made with</a>.</p>\n",
        );
        page.contents();
        page.credentials();
        for tag in root.get("tags").unwrap_or(&Node::Null).items() {
            page.group(tag);
        }
        page.schemas();
        page.out.push_str("</body></html>\n");
        page
    }

    /// Every operation of a group; without one, of all.
    fn operations(&self, tag: Option<&str>) -> Vec<Operation<'n>> {
        let mut operations = Vec::new();
        for (path, route) in self.root.get("paths").unwrap_or(&Node::Null).entries() {
            for method in METHODS {
                let Some(node) = route.get(method) else {
                    continue;
                };
                let of_tag = node.get("tags").and_then(|tags| tags.items().first());
                if tag.is_none_or(|tag| of_tag.is_some_and(|own| own.as_str() == tag)) {
                    operations.push(Operation { method, path, node });
                }
            }
        }
        operations
    }

    /// The list of all routes.
    fn contents(&mut self) {
        self.out.push_str("<table>\n");
        let mut operations = self.operations(None).into_iter().peekable();
        while let Some(first) = operations.next() {
            let mut all = vec![first];
            while let Some(next) = operations.next_if(|next| next.path == all[0].path) {
                all.push(next);
            }
            let Operation { path, node, .. } = all[0];
            self.out.push_str("<tr><td>");
            for (index, one) in all.iter().enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                let (id, method) = (anchor(one), one.method.to_uppercase());
                self.write(format_args!("{separator}<a href=\"#{id}\">{method}</a>"));
            }
            self.out.push_str("<td><code>");
            let opens = all[0].method == "get" && !path.contains('{');
            if opens {
                // Relative, so that it holds below a path of a proxy; an empty one would lead back here.
                self.out.push_str("<a href=\"./");
                self.text(&path[1..]);
                self.out.push_str("\">");
            }
            self.text(path);
            self.out.push_str(if opens {
                "</a></code><td>"
            } else {
                "</code><td>"
            });
            self.text(node.str_at("summary"));
            self.out.push('\n');
        }
        self.out.push_str("</table>\n");
    }

    /// How a caller says who they are.
    fn credentials(&mut self) {
        let schemes = self.root.at(&["components", "securitySchemes"]);
        self.out
            .push_str("<h2>Credentials</h2>\n<p>One of these, but for the routes that say that they need none.</p>\n<table>\n");
        for (_, scheme) in schemes.unwrap_or(&Node::Null).entries() {
            self.out.push_str("<tr><td><code>");
            let form = match (scheme.str_at("type"), scheme.str_at("scheme")) {
                ("http", "basic") => "Authorization: Basic …".to_owned(),
                ("http", _) => format!("Authorization: Bearer {}", scheme.str_at("bearerFormat")),
                _ => format!("Cookie: {}=…", scheme.str_at("name")),
            };
            self.text(&form);
            self.out.push_str("</code><td>");
            self.text(scheme.str_at("description"));
            self.out.push('\n');
        }
        self.out.push_str("</table>\n");
    }

    fn group(&mut self, tag: &Node) {
        self.out.push_str("<h2>");
        self.text(tag.str_at("name"));
        self.out.push_str("</h2>\n");
        self.paragraph(tag.str_at("description"));
        for operation in self.operations(Some(tag.str_at("name"))) {
            self.operation(&operation);
        }
    }

    fn operation(&mut self, operation: &Operation<'n>) {
        let Operation { method, path, node } = *operation;
        let id = anchor(operation);
        self.write(format_args!(
            "<h3 id=\"{id}\"><b>{}</b> ",
            method.to_uppercase()
        ));
        self.text(path);
        self.out.push_str("</h3>\n");
        self.paragraph(node.str_at("summary"));
        self.paragraph(node.str_at("description"));
        match node.str_at("x-permission") {
            "" if node
                .get("security")
                .is_some_and(|all| all.items().is_empty()) =>
            {
                self.out.push_str("<p>Needs no credentials.</p>\n");
            }
            "" => {}
            permission => {
                self.out.push_str("<p>Needs the permission <code>");
                self.text(permission);
                self.out.push_str("</code>.</p>\n");
            }
        }
        self.parameters(node);
        self.body(node);
        self.out.push_str("<pre>");
        let curl = curl(operation, self.root);
        self.text(&curl);
        self.out.push_str("</pre>\n");
        self.answers(node);
    }

    fn parameters(&mut self, operation: &'n Node) {
        let parameters = operation.get("parameters").map_or(&[][..], Node::items);
        if parameters.is_empty() {
            return;
        }
        self.out
            .push_str("<table>\n<tr><th>Parameter<th>Where<th>Type<th>Meaning<th>Example\n");
        for parameter in parameters {
            let parameter = parameter.resolve(self.root);
            let example = parameter.get("example").map(shown).unwrap_or_default();
            let schema = parameter.get("schema").unwrap_or(&Node::Null);
            self.row(
                parameter.str_at("name"),
                parameter.str_at("in"),
                parameter.str_at("required") == "true",
                schema,
                parameter.str_at("description"),
                &example,
            );
        }
        self.out.push_str("</table>\n");
    }

    fn row(
        &mut self,
        name: &str,
        place: &str,
        is_required: bool,
        schema: &Node,
        meaning: &str,
        example: &str,
    ) {
        self.out.push_str("<tr><td><code>");
        self.text(name);
        self.out.push_str("</code><td>");
        self.text(place);
        if is_required {
            self.out.push_str(", required");
        }
        self.out.push_str("<td>");
        let kind = self.kind(schema);
        self.text(&kind);
        self.out.push_str("<td>");
        self.text(meaning);
        self.out.push_str("<td><code>");
        self.text(example);
        self.out.push_str("</code>\n");
    }

    fn body(&mut self, operation: &'n Node) {
        let content = operation.at(&["requestBody", "content"]);
        for (kind, content) in content.unwrap_or(&Node::Null).entries() {
            self.out.push_str("<p>Body: <code>");
            self.text(kind);
            self.out.push_str("</code></p>\n");
            let written = content.get("schema").unwrap_or(&Node::Null);
            let schema = written.resolve(self.root);
            let Some(properties) = schema.get("properties") else {
                let kind = self.kind(written);
                self.paragraph(&kind);
                continue;
            };
            let required = schema.get("required").map_or(&[][..], Node::items);
            self.out
                .push_str("<table>\n<tr><th>Field<th>Where<th>Type<th>Meaning<th>Example\n");
            for (name, property) in properties.entries() {
                let example = content.at(&["example", name]).map(shown);
                let is_required = required.iter().any(|one| one.as_str() == name);
                let meaning = property.str_at("description");
                let example = example.unwrap_or_default();
                self.row(name, "body", is_required, property, meaning, &example);
            }
            self.out.push_str("</table>\n");
        }
    }

    fn answers(&mut self, operation: &'n Node) {
        self.out.push_str("<table>\n");
        for (status, written) in operation.get("responses").unwrap_or(&Node::Null).entries() {
            let response = written.resolve(self.root);
            self.write(format_args!("<tr><td>{status}<td>"));
            self.text(response.str_at("description"));
            for (name, header) in response.get("headers").unwrap_or(&Node::Null).entries() {
                self.out.push_str("<br><code>");
                self.text(name);
                self.out.push_str(": ");
                self.text(header.str_at("example"));
                self.out.push_str("</code>");
            }
            for (kind, content) in response.get("content").unwrap_or(&Node::Null).entries() {
                let schema = content.get("schema").unwrap_or(&Node::Null);
                if schema.str_at("$ref").ends_with("/Error") {
                    continue;
                }
                self.out.push_str("<br><code>");
                self.text(kind);
                self.out.push_str("</code>");
                if let Some(example) = content.get("example") {
                    self.out.push_str("<pre>");
                    let example = match example {
                        Node::Text(text) => text.clone(),
                        other => spread(other, 0),
                    };
                    self.text(&example);
                    self.out.push_str("</pre>");
                }
            }
            self.out.push('\n');
        }
        self.out.push_str("</table>\n");
    }

    /// What the types are that have a name.
    fn schemas(&mut self) {
        self.out.push_str("<h2>Types</h2>\n");
        let schemas = self.root.at(&["components", "schemas"]);
        for (name, schema) in schemas.unwrap_or(&Node::Null).entries() {
            self.out.push_str("<h3 id=\"type-");
            self.text(name);
            self.out.push_str("\">");
            self.text(name);
            self.out.push_str("</h3>\n");
            self.paragraph(schema.str_at("description"));
            self.out.push_str("<pre>");
            self.text(&spread(schema, 0));
            self.out.push_str("</pre>\n");
        }
    }

    /// A type in a few words.
    fn kind(&self, schema: &Node) -> String {
        if let Some(target) = schema.get("$ref") {
            let name = target.as_str().rsplit('/').next().unwrap_or("");
            let description = schema.resolve(self.root).str_at("description");
            return match name.strip_suffix("Parameter") {
                Some(_) if !description.is_empty() => description.to_owned(),
                _ => name.to_owned(),
            };
        }
        if let Some(values) = schema.get("enum") {
            let values: Vec<&str> = values.items().iter().map(Node::as_str).collect();
            return values.join(", ");
        }
        let mut kind = match schema.str_at("type") {
            "array" => {
                let items = schema.get("items").unwrap_or(&Node::Null);
                format!("list of {}", self.kind(items))
            }
            "" => schema.to_json(),
            other => other.to_owned(),
        };
        for (key, words) in [("minimum", "from"), ("maximum", "to"), ("format", "as")] {
            if let Some(value) = schema.get(key) {
                kind.push_str(&format!(" {words} {}", value.as_str()));
            }
        }
        kind
    }

    fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.out.push_str("<p class=\"lines\">");
            self.text(text.trim_end());
            self.out.push_str("</p>\n");
        }
    }

    /// Text, with what means something in HTML escaped.
    fn text(&mut self, text: &str) {
        push_escaped(&mut self.out, text);
    }

    /// Text of our own that needs no escapes.
    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.out
            .write_fmt(arguments)
            .expect("invariant: a string takes everything");
    }
}

fn anchor(operation: &Operation<'_>) -> String {
    operation.node.str_at("operationId").to_owned()
}

/// An example of a parameter as it is written in an address.
fn shown(example: &Node) -> String {
    match example {
        Node::List(items) => items
            .iter()
            .map(Node::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        Node::Map(_) => example.to_json(),
        scalar => scalar.as_str().to_owned(),
    }
}

/// The example request of an operation, with the parameters that it must have, as a command for a shell.
fn curl(operation: &Operation<'_>, root: &Node) -> String {
    let Operation { method, path, node } = *operation;
    let mut path = path.to_owned();
    let mut options = String::new();
    let parameters = node.get("parameters").map_or(&[][..], Node::items);
    for parameter in parameters {
        let parameter = parameter.resolve(root);
        let name = parameter.str_at("name");
        let Some(example) = parameter.get("example") else {
            continue;
        };
        if parameter.str_at("in") == "path" {
            path = path.replace(&format!("{{{name}}}"), example.as_str());
        } else if parameter.str_at("required") == "true" {
            push_pairs(&mut options, "--url-query", name, example);
        }
    }
    let content = node.at(&["requestBody", "content"]);
    if let Some((kind, content)) = content.and_then(|content| content.entries().first()) {
        let example = content.get("example").unwrap_or(&Node::Null);
        if kind.contains("form") {
            for (name, value) in example.entries() {
                push_pairs(&mut options, "--data-urlencode", name, value);
            }
        } else {
            options.push_str(&format!(" -H 'Content-Type: {kind}'"));
            options.push_str(&match example {
                Node::Null => " --data-binary @request".to_owned(),
                json => format!(" -d {}", quoted(&json.to_json())),
            });
        }
    }
    let has_body = options.contains(" -d ") || options.contains(" --data");
    let is_default = method == "get" || method == "post" && has_body;
    let request = match is_default {
        true => String::new(),
        false => format!(" -X {}", method.to_uppercase()),
    };
    format!("curl{request}{options} http://127.0.0.1:9595{path}")
}

fn push_pairs(options: &mut String, option: &str, name: &str, example: &Node) {
    let values = match example {
        Node::List(items) => items.iter().collect(),
        one => vec![one],
    };
    for value in values {
        let pair = format!("{name}={}", value.as_str());
        options.push_str(&format!(" {option} {}", quoted(&pair)));
    }
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// JSON over as many lines as it needs.
fn spread(node: &Node, depth: usize) -> String {
    let line = node.to_json();
    if line.len() + 2 * depth <= LINE_LENGTH {
        return line;
    }
    let indent = "  ".repeat(depth + 1);
    let (open, close, items): (_, _, Vec<String>) = match node {
        Node::List(items) => {
            let items = items.iter().map(|item| spread(item, depth + 1));
            ('[', ']', items.collect())
        }
        Node::Map(entries) => {
            let entries = entries.iter().map(|(name, node)| {
                let name = Node::text(name.clone()).to_json();
                format!("{name}: {}", spread(node, depth + 1))
            });
            ('{', '}', entries.collect())
        }
        _ => return line,
    };
    let items = items.join(&format!(",\n{indent}"));
    format!("{open}\n{indent}{items}\n{}{close}", "  ".repeat(depth))
}

pub(crate) fn push_escaped(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_escaped() {
        let mut page = String::new();
        push_escaped(&mut page, "<a b=\"c\" d='e'>&");
        assert_eq!(page, "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
    }

    #[test]
    fn markup_anywhere_in_a_description_is_escaped() {
        let evil = || Node::text("<script>");
        let parameter = Node::map([
            ("name", evil()),
            ("in", evil()),
            ("description", evil()),
            ("example", evil()),
            ("schema", Node::map([("type", evil()), ("format", evil())])),
        ]);
        let response = Node::map([
            ("description", evil()),
            (
                "headers",
                Node::map([("<script>", Node::map([("example", evil())]))]),
            ),
            (
                "content",
                Node::map([("<script>", Node::map([("example", evil())]))]),
            ),
        ]);
        let operation = Node::map([
            ("tags", Node::List(vec![evil()])),
            ("summary", evil()),
            ("description", evil()),
            ("x-permission", evil()),
            ("parameters", Node::List(vec![parameter])),
            (
                "requestBody",
                Node::map([(
                    "content",
                    Node::map([("<script>", Node::map([("schema", evil())]))]),
                )]),
            ),
            ("responses", Node::map([("200", response)])),
        ]);
        let root = Node::map([
            (
                "info",
                Node::map([("title", evil()), ("description", evil())]),
            ),
            ("tags", Node::List(vec![Node::map([("name", evil())])])),
            (
                "paths",
                Node::map([("/<script>", Node::map([("get", operation)]))]),
            ),
            (
                "components",
                Node::map([
                    ("schemas", Node::map([("<script>", evil())])),
                    (
                        "securitySchemes",
                        Node::map([("a", Node::map([("description", evil())]))]),
                    ),
                ]),
            ),
        ]);
        let page = Page::of(&root).out;
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
    }

    #[test]
    fn a_command_for_a_shell_quotes_what_it_must() {
        let operation = Operation {
            method: "put",
            path: "/a/{id}",
            node: &Node::map([(
                "parameters",
                Node::List(vec![
                    Node::map([
                        ("name", Node::text("id")),
                        ("in", Node::text("path")),
                        ("example", Node::text("7")),
                    ]),
                    Node::map([
                        ("name", Node::text("q")),
                        ("in", Node::text("query")),
                        ("required", Node::Boolean(true)),
                        ("example", Node::text("it's")),
                    ]),
                ]),
            )]),
        };
        let expected = r"curl -X PUT --url-query 'q=it'\''s' http://127.0.0.1:9595/a/7";
        assert_eq!(curl(&operation, &Node::Null), expected);
    }
}
