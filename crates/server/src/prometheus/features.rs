//! `/api/v1/features`: what works here, in Prometheus' words, so that a client need not guess from a version.

use axum::extract::State;
use axum::response::Response;
use promql::{AggregateOperator, Features, Function};

use super::{SUCCESS, finish, ok};
use crate::{Server, json};

/// A feature and whether it is on.
type Feature = (&'static str, bool);

/// The operators that are no aggregations, and the kinds of matchers.
const OPERATORS: [&str; 19] = [
    "!=", "!~", "%", "*", "+", "-", "/", "<", "<=", "==", "=~", ">", ">=", "@", "^", "and",
    "atan2", "or", "unless",
];

/// `GET /api/v1/features`
pub(crate) async fn features(State(server): State<Server>) -> Response {
    let experimental = server.limits().evaluation.experimental;
    let functions = Function::all().iter();
    let functions = functions.map(|one| (one.name, experimental || !one.experimental));
    let aggregations = AggregateOperator::ALL.iter();
    let aggregations =
        aggregations.map(|one| (one.as_str(), experimental || !one.is_experimental()));
    let operators = OPERATORS.iter().map(|name| (*name, true));
    let mut body = String::from(SUCCESS);
    let categories: [(&str, Vec<Feature>); 7] = [
        ("api", api(&server)),
        (
            "prometheus",
            vec![("agent_mode", false), ("server_mode", true)],
        ),
        (
            "promql",
            language(&Features::new(experimental), experimental),
        ),
        ("promql_functions", functions.collect()),
        ("promql_operators", operators.chain(aggregations).collect()),
        (
            "rules",
            vec![
                ("concurrent_rule_eval", false),
                ("keep_firing_for", true),
                ("query_offset", true),
            ],
        ),
        (
            "tsdb",
            vec![
                ("exemplar_storage", true),
                ("isolation", true),
                ("native_histograms", true),
            ],
        ),
    ];
    for (index, (category, mut features)) in categories.into_iter().enumerate() {
        body.push(if index == 0 { '{' } else { ',' });
        json::push_string(&mut body, category);
        body.push(':');
        features.sort_unstable();
        for (index, (name, is_on)) in features.into_iter().enumerate() {
            body.push(if index == 0 { '{' } else { ',' });
            json::push_string(&mut body, name);
            body.push(':');
            json::push_display(&mut body, is_on);
        }
        body.push('}');
    }
    body.push('}');
    finish(&mut body, &[""; 0], &[""; 0]);
    ok(body)
}

fn api(server: &Server) -> Vec<Feature> {
    vec![
        ("admin", server.has_admin_api()),
        ("exclude_alerts", true),
        ("label_values_match", true),
        ("lifecycle", true),
        ("otlp_write_receiver", false),
        ("query_stats", true),
        ("query_warnings", true),
        ("remote_write_receiver", true),
        ("time_range_labels", true),
        ("time_range_series", true),
    ]
}

fn language(features: &Features, experimental: bool) -> Vec<Feature> {
    let always = [
        "at_modifier",
        "bool",
        "by",
        "group_left",
        "group_right",
        "ignoring",
        "negative_offset",
        "offset",
        "on",
        "per_query_lookback_delta",
        "subqueries",
        "without",
    ];
    let switched = [
        ("anchored", features.extended_selectors),
        ("delayed_name_removal", experimental),
        ("duration_expr", features.duration_expressions),
        ("fill", features.fill),
        ("fill_left", features.fill),
        ("fill_right", features.fill),
        ("per_step_stats", false),
        ("smoothed", features.extended_selectors),
        ("type_and_unit_labels", experimental),
    ];
    let always = always.into_iter().map(|name| (name, true));
    always.chain(switched).collect()
}
