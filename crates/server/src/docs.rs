//! The page at `/docs`: what this address answers, for someone who writes a program against it.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::{Server, answer};

/// What a person may want to open or call.
pub(crate) const ROUTES: [(&str, &str, &str); 50] = [
    (
        "GET",
        "/",
        "the web pages: /monitors, /monitor, /alerts, /notifications, /explore",
    ),
    ("GET", "/docs", "this page"),
    ("GET", "/metrics", "own and host metrics, for a scraper"),
    ("GET", "/metrics/live", "this machine's latest figures"),
    ("GET", "/health", "is it well?"),
    (
        "GET",
        "/health/detailed",
        "each part, with its state, age and reason",
    ),
    ("GET", "/health/live", "does it live? (also /-/healthy)"),
    ("GET", "/health/ready", "may traffic come? (also /-/ready)"),
    ("POST", "/-/reload", "read the configuration anew"),
    (
        "GET, POST",
        "/api/v1/query",
        "instant query: query, time, timeout, limit, lookback_delta, stats",
    ),
    (
        "GET, POST",
        "/api/v1/query_range",
        "range query: query, start, end, step, timeout, limit, lookback_delta, stats",
    ),
    (
        "GET, POST",
        "/api/v1/query_exemplars",
        "exemplars of the series in an expression: query, start, end",
    ),
    (
        "GET, POST",
        "/api/v1/series",
        "series: match[], start, end, limit",
    ),
    (
        "GET, POST",
        "/api/v1/labels",
        "label names: match[], start, end, limit",
    ),
    (
        "GET",
        "/api/v1/label/{name}/values",
        "label values: match[], start, end, limit",
    ),
    (
        "GET, POST",
        "/api/v1/format_query",
        "an expression spread over lines: query",
    ),
    (
        "GET, POST",
        "/api/v1/explain_query",
        "the plan of a query, with the series and samples of each part: as query, or as query_range",
    ),
    (
        "GET, POST",
        "/api/v1/parse_query",
        "the tree of an expression: query",
    ),
    (
        "POST",
        "/api/v1/read",
        "Prometheus remote read: samples or streamed chunks",
    ),
    (
        "GET",
        "/federate",
        "the latest samples of series, for another Prometheus to scrape: match[]",
    ),
    (
        "GET",
        "/api/v1/metadata",
        "types and help: metric, limit, limit_per_metric",
    ),
    (
        "GET",
        "/api/v1/rules",
        "rules and their state: type, rule_name[], rule_group[], file[], match[], exclude_alerts, group_limit",
    ),
    (
        "GET",
        "/graph",
        "the page of an expression, where links of alerts lead: g0.expr",
    ),
    ("GET", "/api/v1/alerts", "alerts that are pending or firing"),
    (
        "GET",
        "/api/v1/monitors",
        "monitors with their state, latency and uptime",
    ),
    (
        "GET",
        "/api/v1/monitors/{name}",
        "one monitor, and its changes of state",
    ),
    (
        "GET",
        "/api/v1/notifications",
        "who was told what: limit, before, receiver, state",
    ),
    ("GET", "/api/v1/features", "what of Prometheus works here"),
    ("GET", "/api/v1/status/buildinfo", "what is running"),
    (
        "GET",
        "/api/v1/status/active_queries",
        "the queries that run, and who asked for them",
    ),
    (
        "DELETE",
        "/api/v1/status/active_queries/{id}",
        "end a query",
    ),
    (
        "GET",
        "/api/v1/status/top_queries",
        "what is asked most, and what takes the most time: limit",
    ),
    (
        "GET",
        "/api/v1/status/runtimeinfo",
        "when it was started and configured",
    ),
    ("GET", "/api/v1/status/flags", "every setting and its value"),
    (
        "GET",
        "/api/v1/status/config",
        "the configuration, without secrets",
    ),
    (
        "GET",
        "/api/v1/status/walreplay",
        "nothing is left of the log when this answers",
    ),
    (
        "GET",
        "/api/v1/targets",
        "empty, since nothing is scraped; so are /metadata below it and scrape_pools",
    ),
    ("GET", "/api/v1/targets/metadata", "empty"),
    ("GET", "/api/v1/scrape_pools", "empty"),
    (
        "GET",
        "/api/v1/alertmanagers",
        "empty, since alerts go to no other one",
    ),
    (
        "GET",
        "/api/v1/status/tsdb",
        "what the store holds, and what there is most of: limit",
    ),
    (
        "POST, PUT",
        "/api/v1/admin/tsdb/delete_series",
        "delete samples, if storage.admin_api allows it: match[], start, end",
    ),
    (
        "POST, PUT",
        "/api/v1/admin/tsdb/clean_tombstones",
        "give the room of deleted samples back",
    ),
    (
        "POST, PUT",
        "/api/v1/admin/tsdb/snapshot",
        "copy the store: skip_head",
    ),
    (
        "GET",
        "/ws/metrics",
        "samples, alerts, monitors and queries as they change, over a WebSocket",
    ),
    ("POST", "/api/v1/write", "Prometheus remote write 1.0"),
    ("POST", "/api/v1/metrics/ingest", "one metric as JSON"),
    ("POST", "/api/v1/metrics/batch", "many metrics as JSON"),
    (
        "GET",
        "/api/v1/metrics/latest/{name}",
        "a metric's latest values",
    ),
    (
        "GET",
        "/api/v1/metrics/query/instant",
        "as /api/v1/query; /range as /api/v1/query_range",
    ),
];

pub(crate) async fn page(State(server): State<Server>) -> Response {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Campanile</title>\n<h1>Campanile ",
    );
    push_escaped(&mut page, &server.build().version);
    page.push_str("</h1>\n<table>\n");
    for (methods, path, purpose) in ROUTES {
        page.push_str("<tr><td>");
        page.push_str(methods);
        page.push_str("<td><code>");
        if methods.starts_with("GET") && !path.contains('{') {
            // Relative, so that it holds below a path of a proxy; an empty one would lead back here.
            page.push_str("<a href=\"./");
            page.push_str(&path[1..]);
            page.push_str("\">");
            page.push_str(path);
            page.push_str("</a>");
        } else {
            page.push_str(path);
        }
        page.push_str("</code><td>");
        push_escaped(&mut page, purpose);
        page.push('\n');
    }
    page.push_str(
        "</table>\n<p><a href=\"licenses.txt\">Licences of what the web pages are made with</a></p>\n</html>\n",
    );
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = answer::typed(StatusCode::OK, kind, page);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

fn push_escaped(page: &mut String, text: &str) {
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
}
