//! The files of the tree that people wrote, as text in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that programs fill: build output, history, and what `serve` stores.
const NOT_OURS: [&str; 4] = ["target", ".git", "node_modules", "corpus"];

/// Where `campanile serve` keeps its data when it is started in the tree.
const DATA: &str = "data";

/// Every text file by its path from the root, with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
    /// Files that are no UTF-8 text, such as recorded requests: only their names are checked.
    pub(crate) binary: Vec<String>,
}

impl Tree {
    /// Reads the tree below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.load_folder(root, "")?;
        Ok(tree)
    }

    /// A tree of the given files, for tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self {
            files: files.collect(),
            binary: Vec::new(),
        }
    }

    /// The text of a file; empty if there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// Whether a file or folder of this name exists.
    pub(crate) fn contains(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path)
            || self
                .binary
                .iter()
                .any(|file| file == path || file.starts_with(&folder))
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(file, _)| file.starts_with(&folder))
    }

    /// The names of the folders in `crates/` that hold a manifest.
    pub(crate) fn crates(&self) -> Vec<String> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    fn load_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let cannot = || format!("cannot list {}", folder.display());
        for entry in fs::read_dir(folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if NOT_OURS.contains(&name.as_str()) || path == DATA {
                continue;
            }
            let kind = entry.file_type().with_context(cannot)?;
            if kind.is_dir() {
                self.load_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                let bytes =
                    fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                match String::from_utf8(bytes) {
                    Ok(text) => drop(self.files.insert(path, text)),
                    Err(_) => self.binary.push(path),
                }
            }
        }
        Ok(())
    }
}
