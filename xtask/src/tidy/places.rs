//! The tree builds anywhere: it names no folder of one machine and no registry but the public ones.

use super::Finding;

/// Written in two parts, so that this file does not find itself.
const FOLDERS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

const PUBLIC_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Tables of cargo's configuration that lead to another registry.
const REGISTRY_TABLES: [&str; 4] = ["[source", "[registries", "[registry", "[net"];

/// No path of one machine in any file, no foreign registry in lock files and cargo's configuration.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(folder) = FOLDERS.iter().find(|folder| has_absolute(line, folder)) {
            let problem = format!("`{folder}` exists on one machine only; write a relative path");
            findings.push(Finding::new(path, index + 1, problem));
        }
        if names_foreign_registry(path, line) {
            let problem = "names a registry that others cannot reach; use the public one";
            findings.push(Finding::new(path, index + 1, problem));
        }
    }
    findings
}

/// Whether `folder` stands in the line as the beginning of a path, not as a part of one, such as `src/work/`.
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(offset, _)| {
        let before = line[..offset].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || "._-})*~".contains(letter))
    })
}

fn names_foreign_registry(path: &str, line: &str) -> bool {
    let line = line.trim();
    match path.rsplit('/').next().unwrap_or(path) {
        "Cargo.lock" => line
            .strip_prefix("source = ")
            .is_some_and(|source| source.trim_matches('"') != PUBLIC_REGISTRY),
        "package-lock.json" => line
            .strip_prefix("\"resolved\": \"")
            .is_some_and(|source| !source.starts_with("https://registry.npmjs.org/")),
        "config.toml" if path.ends_with(".cargo/config.toml") => {
            REGISTRY_TABLES.iter().any(|table| line.starts_with(table))
        }
        ".npmrc" | "pip.conf" => line.contains("registry") || line.contains("index-url"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for folder in FOLDERS {
            for text in [
                format!("cd {folder}campanile"),
                format!("\"{folder}x\""),
                format!("file://{folder}x"),
            ] {
                assert_eq!(check("a.md", &text).len(), 1, "{text}");
            }
            let part = format!("crates{folder}x and $HOME{folder}x");
            assert_eq!(check("a.md", &part), [], "{part}");
        }
        assert_eq!(check("a.md", "the mounts / and /home are full"), []);
    }

    #[test]
    fn a_foreign_registry_is_found() {
        for (path, line) in [
            (
                "Cargo.lock",
                "source = \"registry+https://registry.example.org/index\"",
            ),
            ("Cargo.lock", "source = \"git+https://example.org/x\""),
            (
                "web/package-lock.json",
                "  \"resolved\": \"https://example.org/x.tgz\",",
            ),
            (".cargo/config.toml", "[source.crates-io]"),
            ("web/.npmrc", "registry=https://example.org/"),
        ] {
            assert_eq!(check(path, line).len(), 1, "{path}: {line}");
        }
        let public = format!("source = \"{PUBLIC_REGISTRY}\"");
        assert_eq!(check("Cargo.lock", &public), []);
        assert_eq!(check(".cargo/config.toml", "[alias]"), []);
    }
}
