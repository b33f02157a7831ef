//! Every route of the server, in one table with what it asks of whoever calls it, and what happens to a request that fits none.
//!
//! A route is added as a row, which has no default for what it asks; there is no other way in. `tests/table.rs` walks the table and shows
//! what each row answers to whom.

use std::collections::HashMap;
use std::sync::Arc;

use access::Permission::{self, Administer, Edit, Ingest, Query, View};
use axum::Extension;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter};

use crate::accounts::{audit, keys, teams, tokens, users};
use crate::auth::visitor::Visitor;
use crate::auth::{Audit, first_link, layer, login, oidc};
use crate::error::{ApiError, ErrorType};
use crate::prometheus::{
    admin, buildinfo, exemplars, explain, features, federate, idle, labels, metadata, query, read,
    rules, status, syntax, tsdb, write,
};
use crate::{
    Server, active_queries, answer, bounds, compression, docs, exposition, feed, guard, health,
    ingest, monitors, notifications, observe, openapi, pages,
};

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it answers everybody.
    Nothing,
    /// That it is known who they are.
    Anyone,
    /// That they may do this.
    Permission(Permission),
}

/// A method that some route takes; GET takes HEAD too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A row of the table.
pub(crate) struct Route {
    pub(crate) verbs: &'static [Verb],
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
    methods: MethodRouter<Server>,
}

/// What each route asks for, by path and method.
#[derive(Clone)]
pub(crate) struct Requirements {
    by_path: Arc<HashMap<&'static str, Vec<(Verb, Needs)>>>,
}

const GET: &[Verb] = &[Verb::Get];
const POST: &[Verb] = &[Verb::Post];
const PUT: &[Verb] = &[Verb::Put];
const PATCH: &[Verb] = &[Verb::Patch];
const DELETE: &[Verb] = &[Verb::Delete];
const GET_POST: &[Verb] = &[Verb::Get, Verb::Post];
const POST_PUT: &[Verb] = &[Verb::Post, Verb::Put];

/// The table.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let pages = pages::PATHS.iter();
    routes.extend(pages.map(|path| needs(View, GET, path, pages::page)));
    routes.extend([
        // Whoever asks how it is, and whoever wants to come in.
        open(GET, "/health", health::health),
        open(GET, "/health/live", health::live),
        open(GET, "/health/ready", health::ready),
        open(GET, "/-/healthy", health::live),
        open(GET, "/-/ready", health::ready),
        open(GET, "/assets/{name}", pages::asset),
        open(GET, "/login", pages::page),
        open(GET, "/auth/ways", login::ways),
        open(POST, "/auth/login", login::login),
        open(POST, "/auth/refresh", login::refresh),
        open(POST, "/auth/logout", login::logout),
        open(POST, "/auth/session", login::session),
        open(GET, "/auth/link/{secret}", first_link::enter),
        open(GET, "/auth/oidc", oidc::start),
        open(GET, "/auth/oidc/callback", oidc::callback),
        needs(View, GET, "/auth/me", login::me),
        needs(View, PUT, "/auth/password", login::password),
        // What is no secret.
        needs(View, GET, "/graph", pages::graph),
        needs(View, GET, "/docs", docs::page),
        needs(View, GET, "/docs.css", docs::style),
        needs(View, GET, "/openapi.json", openapi::openapi),
        needs(View, GET, "/metrics", exposition::metrics),
        needs(View, GET, "/metrics/live", exposition::live),
        needs(View, GET, "/health/detailed", health::detailed),
        needs(View, GET, "/api/v1/monitors", monitors::list),
        needs(View, GET, "/api/v1/monitors/{name}", monitors::one),
        needs(View, GET, "/api/v1/notifications", notifications::list),
        needs(View, GET, "/api/v1/status/runtimeinfo", status::runtime),
        needs(View, GET, "/api/v1/status/flags", status::flags),
        needs(View, GET, "/api/v1/status/config", status::config),
        needs(View, GET, "/api/v1/status/walreplay", idle::log_replay),
        needs(View, GET, "/api/v1/status/tsdb", tsdb::status),
        needs(View, GET, "/ws/metrics", feed::upgrade::upgrade),
    ]);
    let active = "/api/v1/status/active_queries";
    let top = "/api/v1/status/top_queries";
    let one = "/api/v1/status/active_queries/{id}";
    routes.extend([
        needs(View, GET, active, active_queries::list),
        needs(View, GET, top, active_queries::top),
        needs(Edit, DELETE, one, active_queries::cancel),
    ]);
    // Samples, in both directions.
    let exemplars = exemplars::exemplars;
    routes.extend([
        needs(Query, GET_POST, "/api/v1/query", query::instant),
        needs(Query, GET_POST, "/api/v1/query_range", query::range),
        needs(Query, GET_POST, "/api/v1/query_exemplars", exemplars),
        needs(Query, GET_POST, "/api/v1/series", labels::series),
        needs(Query, GET_POST, "/api/v1/labels", labels::names),
        needs(Query, GET, "/api/v1/label/{name}/values", labels::values),
        needs(Query, GET_POST, "/api/v1/format_query", syntax::format),
        needs(Query, GET_POST, "/api/v1/parse_query", syntax::parse),
        needs(Query, GET_POST, "/api/v1/explain_query", explain::explain),
        needs(Query, POST, "/api/v1/read", read::read),
        needs(Query, GET, "/federate", federate::federate),
        needs(Query, GET, "/api/v1/metadata", metadata::metadata),
        needs(Query, GET, "/api/v1/targets", idle::targets),
        needs(
            Query,
            GET,
            "/api/v1/targets/metadata",
            idle::target_metadata,
        ),
        needs(Query, GET, "/api/v1/scrape_pools", idle::scrape_pools),
        needs(Query, GET, "/api/v1/alertmanagers", idle::alertmanagers),
        needs(Query, GET, "/api/v1/features", features::features),
        needs(Query, GET, "/api/v1/rules", rules::rules),
        needs(Query, GET, "/api/v1/alerts", rules::alerts),
        needs(Query, GET, "/api/v1/status/buildinfo", buildinfo::buildinfo),
        needs(Query, GET, "/api/v1/metrics/latest/{name}", ingest::latest),
        needs(Query, GET, "/api/v1/metrics/query/instant", query::instant),
        needs(Query, GET, "/api/v1/metrics/query/range", query::range),
        needs(Ingest, POST, "/api/v1/write", write::write),
        needs(Ingest, POST, "/api/v1/metrics/ingest", ingest::one),
        needs(Ingest, POST, "/api/v1/metrics/batch", ingest::batch),
    ]);
    // The store, the program, and who may come in.
    let (delete, clean, snapshot) = (
        "/api/v1/admin/tsdb/delete_series",
        "/api/v1/admin/tsdb/clean_tombstones",
        "/api/v1/admin/tsdb/snapshot",
    );
    routes.extend([
        needs(Administer, POST_PUT, "/-/reload", reload),
        needs(Administer, POST_PUT, delete, admin::delete_series),
        needs(Administer, POST_PUT, clean, admin::clean_tombstones),
        needs(Administer, POST_PUT, snapshot, admin::snapshot),
        needs(Administer, GET, "/api/v1/users", users::list),
        needs(Administer, POST, "/api/v1/users", users::add),
        needs(Administer, GET, "/api/v1/users/{name}", users::one),
        needs(Administer, PATCH, "/api/v1/users/{name}", users::change),
        needs(Administer, DELETE, "/api/v1/users/{name}", users::remove),
        needs(Administer, GET, "/api/v1/teams", teams::list),
        needs(Administer, POST, "/api/v1/teams", teams::add),
        needs(Administer, PATCH, "/api/v1/teams/{name}", teams::change),
        needs(Administer, DELETE, "/api/v1/teams/{name}", teams::remove),
        needs(Administer, GET, "/api/v1/tokens", tokens::list),
        needs(Administer, POST, "/api/v1/tokens", tokens::add),
        needs(Administer, DELETE, "/api/v1/tokens/{id}", tokens::revoke),
        needs(Administer, POST, "/api/v1/keys/rotate", keys::rotate),
        needs(Administer, GET, "/api/v1/audit", audit::list),
    ]);
    routes
}

/// All routes behind the layers that every request passes.
pub(crate) fn router(server: Server) -> Router {
    let routes = routes();
    let requirements = Requirements::new(&routes);
    let rows = routes.into_iter();
    let router = rows.fold(Router::new(), |router, row| {
        router.route(row.path, row.methods)
    });
    let identified = (server.clone(), requirements);
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        // Bodies are read by `body`, which has its own limits.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(server.clone(), bounds::bound))
        .layer(from_fn_with_state(server.clone(), compression::compress))
        .layer(from_fn_with_state(identified, layer::authenticate))
        .layer(from_fn_with_state(server.clone(), guard::guard))
        .layer(from_fn_with_state(server.clone(), observe::observe))
        .with_state(server)
}

/// A row that answers everybody.
fn open<H, T>(verbs: &'static [Verb], path: &'static str, handler: H) -> Route
where
    H: Handler<T, Server>,
    T: 'static,
{
    row(Needs::Nothing, verbs, path, handler)
}

/// A row that asks for a permission.
fn needs<H, T>(
    permission: Permission,
    verbs: &'static [Verb],
    path: &'static str,
    handler: H,
) -> Route
where
    H: Handler<T, Server>,
    T: 'static,
{
    row(Needs::Permission(permission), verbs, path, handler)
}

fn row<H, T>(needs: Needs, verbs: &'static [Verb], path: &'static str, handler: H) -> Route
where
    H: Handler<T, Server>,
    T: 'static,
{
    // One after the other, since that is the order in which `Allow` names them.
    let methods = verbs.iter().fold(MethodRouter::new(), |methods, verb| {
        methods.on(verb.filter(), handler.clone())
    });
    Route {
        verbs,
        path,
        needs,
        methods,
    }
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// The method as it stands in a request; that of GET is taken for HEAD too.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

impl Requirements {
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut by_path: HashMap<&'static str, Vec<(Verb, Needs)>> = HashMap::new();
        for route in routes {
            let needs = route.verbs.iter().map(|verb| (*verb, route.needs));
            by_path.entry(route.path).or_default().extend(needs);
        }
        Self {
            by_path: Arc::new(by_path),
        }
    }

    /// What the route of a path asks for. A method that it does not take is refused to everybody, but only those are told so who may
    /// know that there is something.
    pub(crate) fn of(&self, path: &str, method: &Method) -> Needs {
        let Some(rows) = self.by_path.get(path) else {
            return Needs::Anyone;
        };
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let row = rows.iter().find(|(verb, _)| verb.method() == method);
        if let Some((_, needs)) = row {
            return *needs;
        }
        let is_open = rows.iter().all(|(_, needs)| *needs == Needs::Nothing);
        if is_open {
            Needs::Nothing
        } else {
            Needs::Anyone
        }
    }
}

/// `POST /-/reload`: as Prometheus, 500 with the reason when the new configuration is refused.
async fn reload(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, ApiError> {
    let reload = server.ports().reload.clone();
    let result = server.blocking(move || reload()).await?;
    result.map_err(|reason| ApiError::internal(format!("configuration not changed: {reason}")))?;
    let audit = Audit::of("configuration.reload", "configuration");
    server.audit(&visitor, audit).await;
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
