//! Every route of the server, in one table, and what happens to a request that fits none.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};

use crate::error::{ApiError, ErrorType};
use crate::prometheus::{
    admin, buildinfo, exemplars, explain, features, federate, idle, labels, metadata, query, read,
    rules, status, syntax, tsdb, write,
};
use crate::{
    Server, active_queries, answer, compression, docs, exposition, feed, guard, health, ingest,
    monitors, notifications, observe, pages,
};

/// All routes behind the layers that every request passes.
pub(crate) fn router(server: Server) -> Router {
    let pages = pages::PATHS.iter().fold(Router::new(), |router, path| {
        router.route(path, get(pages::page))
    });
    pages
        .route("/assets/{name}", get(pages::asset))
        .route("/graph", get(pages::graph))
        .route("/docs", get(docs::page))
        .route("/metrics", get(exposition::metrics))
        .route("/metrics/live", get(exposition::live))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/detailed", get(health::detailed))
        .route("/-/healthy", get(health::live))
        .route("/-/ready", get(health::ready))
        .route("/-/reload", post(reload).put(reload))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/series", get(labels::series).post(labels::series))
        .route("/api/v1/labels", get(labels::names).post(labels::names))
        .route("/api/v1/label/{name}/values", get(labels::values))
        .route(
            "/api/v1/query_exemplars",
            get(exemplars::exemplars).post(exemplars::exemplars),
        )
        .route(
            "/api/v1/format_query",
            get(syntax::format).post(syntax::format),
        )
        .route(
            "/api/v1/parse_query",
            get(syntax::parse).post(syntax::parse),
        )
        .route(
            "/api/v1/explain_query",
            get(explain::explain).post(explain::explain),
        )
        .route("/api/v1/read", post(read::read))
        .route("/federate", get(federate::federate))
        .route("/api/v1/metadata", get(metadata::metadata))
        .route("/api/v1/features", get(features::features))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/monitors", get(monitors::list))
        .route("/api/v1/monitors/{name}", get(monitors::one))
        .route("/api/v1/notifications", get(notifications::list))
        .route("/api/v1/status/buildinfo", get(buildinfo::buildinfo))
        .route("/api/v1/status/runtimeinfo", get(status::runtime))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/walreplay", get(idle::log_replay))
        .route("/api/v1/targets", get(idle::targets))
        .route("/api/v1/targets/metadata", get(idle::target_metadata))
        .route("/api/v1/scrape_pools", get(idle::scrape_pools))
        .route("/api/v1/alertmanagers", get(idle::alertmanagers))
        .route("/api/v1/status/tsdb", get(tsdb::status))
        .route("/api/v1/status/active_queries", get(active_queries::list))
        .route(
            "/api/v1/status/active_queries/{id}",
            delete(active_queries::cancel),
        )
        .route("/api/v1/status/top_queries", get(active_queries::top))
        .route(
            "/api/v1/admin/tsdb/delete_series",
            post(admin::delete_series).put(admin::delete_series),
        )
        .route(
            "/api/v1/admin/tsdb/clean_tombstones",
            post(admin::clean_tombstones).put(admin::clean_tombstones),
        )
        .route(
            "/api/v1/admin/tsdb/snapshot",
            post(admin::snapshot).put(admin::snapshot),
        )
        .route("/ws/metrics", get(feed::upgrade::upgrade))
        .route("/api/v1/write", post(write::write))
        .route("/api/v1/metrics/ingest", post(ingest::one))
        .route("/api/v1/metrics/batch", post(ingest::batch))
        .route("/api/v1/metrics/latest/{name}", get(ingest::latest))
        .route("/api/v1/metrics/query/instant", get(query::instant))
        .route("/api/v1/metrics/query/range", get(query::range))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        // Bodies are read by `body`, which has its own limits.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(server.clone(), compression::compress))
        .layer(from_fn_with_state(server.clone(), guard::guard))
        .layer(from_fn_with_state(server.clone(), observe::observe))
        .with_state(server)
}

/// `POST /-/reload`: as Prometheus, 500 with the reason when the new configuration is refused.
async fn reload(State(server): State<Server>) -> Result<Response, ApiError> {
    let reload = server.ports().reload.clone();
    let result = server.blocking(move || reload()).await?;
    result.map_err(|reason| ApiError::internal(format!("configuration not changed: {reason}")))?;
    Ok(answer::text(StatusCode::OK, "Configuration reloaded.\n"))
}

async fn unknown_route(request: Request) -> Response {
    let path = request.uri().path();
    if let Some(file) = pages::beside_the_page(&request) {
        return file;
    }
    let message = format!("no route {path:?}: /docs lists the routes");
    ApiError::new(ErrorType::NotFound, message).into_response()
}

async fn wrong_method(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::bad_data(format!(
        "{path:?} does not take the method {method:?}, see the Allow header"
    ))
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
}
