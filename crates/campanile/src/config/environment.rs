//! The environment: what `${NAME}` and the `CAMPANILE_` variables are looked up in, and which of these are mistakes.

use std::collections::BTreeMap;

use document::{Problem, Source, nearest};

use super::settings::{LATER, ONLY_IN_FILE, SETTINGS, variable};

/// Variables that are no settings: they name the file, belong to other commands, or hold a first password.
const OTHERS: &[&str] = &[
    "CAMPANILE_ADMIN_PASSWORD",
    "CAMPANILE_ADMIN_PASSWORD_FILE",
    "CAMPANILE_CONFIG",
    "CAMPANILE_SERVER",
    "CAMPANILE_TOKEN",
    "CAMPANILE_TOKEN_FILE",
];

const PREFIX: &str = "CAMPANILE_";

/// Environment variables by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| {
                let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
                (text(name), text(value))
            })
            .collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let pairs = pairs.into_iter();
        Self(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// A problem for each `CAMPANILE_` variable that sets nothing, since a typing error would otherwise pass unseen.
pub(super) fn unknown_variables(environment: &Environment) -> Vec<Problem> {
    let known: Vec<String> = SETTINGS
        .iter()
        .flat_map(|setting| setting.variables())
        .collect();
    let mut problems = Vec::new();
    for name in environment.0.keys() {
        let is_known = known.contains(name) || OTHERS.contains(&name.as_str());
        if !name.starts_with(PREFIX) || is_known || is_of_an_orchestrator(name) {
            continue;
        }
        // A variable may also mean a key inside of such a section.
        let means = |path: &&&str| {
            let rest = name.strip_prefix(&variable(path));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let later = LATER.iter().find(means);
        let in_file = ONLY_IN_FILE.iter().find(means);
        let message = match (later, in_file) {
            (Some(path), _) => format!("{path} is not supported yet; unset the variable"),
            (_, Some(path)) => {
                format!("{path} has no variable; write it into the configuration file")
            }
            (None, None) => match nearest(own(name), known.iter().map(|known| own(known))) {
                Some(meant) => {
                    format!("no setting has this name; did you mean {PREFIX}{meant}?")
                }
                None => "no setting has this name; unset the variable, \
                         or see docs/configuration.md for all names"
                    .to_owned(),
            },
        };
        let source = Source::without_lines(format!("environment variable {name}"));
        problems.push(Problem::of_source(&source, message));
    }
    problems
}

/// A name without its prefix, which would make all of them look alike.
fn own(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// Kubernetes and Docker set such variables for every service, and a service may well be named `campanile`.
fn is_of_an_orchestrator(name: &str) -> bool {
    name == "CAMPANILE_PORT"
        || name.starts_with("CAMPANILE_PORT_")
        || name.starts_with("CAMPANILE_SERVICE_")
}
