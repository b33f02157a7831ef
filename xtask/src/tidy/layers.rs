//! The layers of the house: a crate depends only on those below it, and the pure ones stay free of async and network.
//!
//! The facts come from `cargo tree`, which resolves features for one crate at a time, as its own build does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Finding;
use crate::process;

/// A crate's place; the order is that of the house, from the ground up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Model,
    Pure,
    /// Only dev-dependencies lead here.
    Testkit,
    Store,
    /// What the edges share of the network.
    Outbound,
    Edge,
    Program,
}

const LAYERS: [(&str, Layer); 18] = [
    ("model", Layer::Model),
    ("testkit", Layer::Testkit),
    ("wire", Layer::Pure),
    ("promql", Layer::Pure),
    ("document", Layer::Pure),
    ("template", Layer::Pure),
    ("rules", Layer::Pure),
    ("alerts", Layer::Pure),
    ("uptime", Layer::Pure),
    ("access", Layer::Pure),
    ("tsdb", Layer::Store),
    ("outbound", Layer::Outbound),
    ("collect", Layer::Edge),
    ("notify", Layer::Edge),
    ("catalog", Layer::Edge),
    ("cluster", Layer::Edge),
    ("server", Layer::Edge),
    ("campanile", Layer::Program),
];

/// What a crate without I/O must not reach, by whatever way.
const NOT_PURE: [&str; 5] = ["tokio", "reqwest", "axum", "sqlx", "rdkafka"];

/// What nothing may reach: C libraries that a bare machine cannot build or that rustls with ring replaces.
const NOWHERE: [&str; 2] = ["openssl-sys", "aws-lc-sys"];

/// Who depends on whom.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    /// For each crate of ours its direct dependencies, those of build scripts too.
    direct: BTreeMap<String, BTreeSet<String>>,
    /// For each crate of ours the direct dependencies of its tests.
    dev: BTreeMap<String, BTreeSet<String>>,
    /// For each crate of ours everything that its build reaches.
    reached: BTreeMap<String, BTreeSet<String>>,
    /// Everything that any build or test of the workspace reaches.
    everything: BTreeSet<String>,
}

impl Dependencies {
    /// Asks cargo.
    pub(crate) fn load(crates: &[String]) -> Result<Self> {
        let mut loaded = Self::default();
        for name in crates {
            let reached = cargo_tree(&format!("--package {name} --edges normal,build"))?;
            loaded.direct.insert(name.clone(), at_depth_one(&reached));
            loaded.reached.insert(name.clone(), names(&reached));
            let dev = cargo_tree(&format!("--package {name} --edges dev --depth 1"))?;
            loaded.dev.insert(name.clone(), at_depth_one(&dev));
        }
        loaded.everything = names(&cargo_tree("--workspace --edges all")?);
        Ok(loaded)
    }
}

/// All rules about dependencies.
pub(crate) fn check(dependencies: &Dependencies) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, direct) in &dependencies.direct {
        let Some(layer) = layer_of(name) else {
            let problem = format!("`{name}` has no layer: give it one in xtask/src/tidy/layers.rs");
            findings.push(in_manifest(name, problem));
            continue;
        };
        for dependency in direct {
            findings.extend(check_arrow(name, layer, dependency));
        }
        let reached = &dependencies.reached[name];
        if layer <= Layer::Store {
            for banned in NOT_PURE.iter().filter(|banned| reached.contains(**banned)) {
                let problem = format!(
                    "`{name}` is pure, yet it reaches `{banned}`; see `cargo tree -p {name} -i {banned}`"
                );
                findings.push(in_manifest(name, problem));
            }
        }
        if name != "testkit" && reached.contains("testkit") {
            let problem = format!("`{name}` ships testkit; make it a dev-dependency");
            findings.push(in_manifest(name, problem));
        }
    }
    for (name, dev) in &dependencies.dev {
        let Some(layer) = layer_of(name) else {
            continue;
        };
        for dependency in dev.iter().filter(|dependency| *dependency != "testkit") {
            findings.extend(check_arrow(name, layer, dependency));
        }
    }
    for banned in NOWHERE {
        if dependencies.everything.contains(banned) {
            let problem = format!("`{banned}` is in the tree; see `cargo tree -i {banned}`");
            findings.push(Finding::new("Cargo.lock", 0, problem));
        }
    }
    findings
}

/// An arrow between two crates of ours points down, and never from edge to edge; the store and the pure do not know each other.
fn check_arrow(from: &str, layer: Layer, to: &str) -> Option<Finding> {
    let target = layer_of(to)?;
    let problem = match (layer, target) {
        (_, Layer::Testkit) => return None, // has its own rule
        (Layer::Pure, Layer::Pure) => return None,
        (Layer::Edge, Layer::Edge) => {
            format!("the edge `{from}` depends on the edge `{to}`; they meet at a port in model")
        }
        (Layer::Store, Layer::Pure) => {
            format!("the store `{from}` depends on `{to}`; it knows only model")
        }
        _ if target < layer => return None,
        _ => format!("`{from}` depends on `{to}`, which is above it"),
    };
    Some(in_manifest(from, problem))
}

fn layer_of(name: &str) -> Option<Layer> {
    LAYERS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, layer)| *layer)
}

fn in_manifest(name: &str, problem: String) -> Finding {
    Finding::new(&format!("crates/{name}/Cargo.toml"), 0, problem)
}

/// Only for this machine's platform: the others would cost the download of libraries that nobody here builds.
fn cargo_tree(arguments: &str) -> Result<String> {
    process::output(&format!(
        "cargo tree --prefix depth --format @{{p}} {arguments}"
    ))
}

/// Every package of a listing whose lines are `2@serde v1.0.0 (…)`.
fn names(listing: &str) -> BTreeSet<String> {
    listing
        .lines()
        .filter_map(|line| line.split_once('@')?.1.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn at_depth_one(listing: &str) -> BTreeSet<String> {
    let direct: Vec<&str> = listing
        .lines()
        .filter(|line| line.starts_with("1@"))
        .collect();
    names(&direct.join("\n"))
}

#[cfg(test)]
mod tests;
