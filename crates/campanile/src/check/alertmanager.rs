//! A file in Alertmanager's format: the tree of routes and the names of its receivers.

use std::fmt;
use std::path::Path;

use alerts::Route;
use document::{Document, Options, Problem, Syntax};

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

/// Reads a file in Alertmanager's format. How its receivers send is not looked at yet.
///
/// Errors: all problems of the file.
pub(super) fn check_alertmanager(path: &Path) -> Result<Summary, Vec<Problem>> {
    let source = config::source(path).map_err(|problem| vec![problem])?;
    let syntax = Syntax::of_file(source.name());
    let document = Document::parse(&source, syntax, &Options::default())?;
    let mut section = document.section();
    let routing = alerts::config::read(&mut section);
    // They say how receivers send.
    section.value("global");
    section.value("templates");
    section.finish();
    let problems = document.into_problems();
    match routing {
        Some(routing) if problems.is_empty() => Ok(Summary {
            receivers: routing.receivers.len(),
            routes: count(&routing.root),
        }),
        _ => Err(problems),
    }
}

/// A route and all below it.
fn count(route: &Route) -> usize {
    1 + route.routes.iter().map(count).sum::<usize>()
}
