//! A file in Alertmanager's format: the tree of routes and the receivers, read as `serve` reads them.

use std::fmt;
use std::path::Path;

use alerts::Route;
use document::Problem;

use super::counted;
use crate::config;

/// How much such a file holds.
pub(super) struct Summary {
    receivers: usize,
    /// The root included.
    routes: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receivers = counted(self.receivers, "receiver");
        let routes = counted(self.routes, "route");
        write!(formatter, "{receivers}, {routes}")
    }
}

/// Reads a file in Alertmanager's format.
///
/// Errors: all problems of the file.
pub(super) fn check_alertmanager(path: &Path) -> Result<Summary, Vec<Problem>> {
    let routing = config::load_alertmanager(path)?.routing;
    Ok(Summary {
        receivers: routing.receivers.len(),
        routes: count(&routing.root),
    })
}

/// A route and all below it.
fn count(route: &Route) -> usize {
    1 + route.routes.iter().map(count).sum::<usize>()
}
