//! The files that `templates` names: paths with `*`, `?` and `[a-z]`, relative to the configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use document::Value;
use regex::Regex;
use template::{Parsed, Tree};

use super::{LANGUAGE, refuse_unknown};

/// How many files one configuration may have.
const FILES_MAX: usize = 500;

/// The longest file, in bytes.
const FILE_LENGTH_MAX: u64 = 1 << 20;

/// What the files define, by name; equal if the files' texts are.
#[derive(Clone, Default)]
pub(crate) struct Templates {
    trees: BTreeMap<String, Tree>,
    texts: Vec<String>,
}

impl Templates {
    /// Reads the files; notes what is wrong with them, by file and place.
    pub(crate) fn read(value: Option<Value<'_>>, directory: &Path) -> Self {
        let mut templates = Self::default();
        let Some(items) = value.and_then(Value::items) else {
            return templates;
        };
        let mut calls: Vec<(String, Value<'_>)> = Vec::new();
        for item in items {
            let Some(pattern) = item.clone().file_path(directory) else {
                continue;
            };
            for path in matching(&pattern) {
                if templates.texts.len() == FILES_MAX {
                    item.refuse(format!("more than {FILES_MAX} files of templates"));
                    return templates;
                }
                match load(&path) {
                    Ok((text, parsed)) => {
                        templates.texts.push(text);
                        let called = parsed.calls.into_iter();
                        calls.extend(called.map(|name| (name, item.clone())));
                        templates.trees.extend(parsed.defines);
                    }
                    Err(reason) => item.refuse(reason),
                }
            }
        }
        for (name, item) in calls {
            refuse_unknown(&name, &templates, &item);
        }
        templates
    }

    /// Whether a file defines this template.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    pub(crate) fn trees(&self) -> &BTreeMap<String, Tree> {
        &self.trees
    }
}

impl PartialEq for Templates {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.trees.keys()).finish()
    }
}

fn load(path: &Path) -> Result<(String, Parsed), String> {
    let shown = path.display();
    let unread = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let length = fs::metadata(path).map_err(unread)?.len();
    if length > FILE_LENGTH_MAX {
        return Err(format!("{shown} has more than {FILE_LENGTH_MAX} bytes"));
    }
    let text = fs::read_to_string(path).map_err(unread)?;
    let parsed = Parsed::parse(&LANGUAGE, &text).map_err(|broken| {
        let place = broken.place(&text);
        format!("{shown}, {place}: {}", broken.message)
    })?;
    Ok((text, parsed))
}

/// The files that a pattern matches, in order; a path without wildcards stands for itself, whether it exists or not.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            for path in &mut found {
                path.push(component);
            }
            continue;
        };
        let name = name.to_string_lossy();
        if !name.contains(['*', '?', '[']) {
            for path in &mut found {
                path.push(&*name);
            }
            continue;
        }
        let Some(regex) = regex_of(&name) else {
            return Vec::new();
        };
        found = found
            .iter()
            .flat_map(|path| entries(path, &regex))
            .collect();
    }
    found.retain(|path| path.is_file() || !has_wildcard(pattern));
    found
}

fn has_wildcard(pattern: &Path) -> bool {
    pattern.to_string_lossy().contains(['*', '?', '['])
}

fn entries(directory: &Path, regex: &Regex) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| regex.is_match(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// One component of a pattern.
fn regex_of(pattern: &str) -> Option<Regex> {
    let mut regex = String::from("^");
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                regex.push('[');
                if letters.next_if_eq(&'!').is_some() {
                    regex.push('^');
                }
                for inner in letters.by_ref() {
                    if matches!(inner, '\\' | '[' | '&' | '~') {
                        regex.push('\\');
                    }
                    regex.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    regex.push('$');
    Regex::new(&regex).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_files_that_it_matches() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.tmpl", "b.tmpl", "c.txt"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let found = |pattern: &str| {
            let paths = matching(&directory.path().join(pattern));
            let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            paths.into_iter().map(name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("*.tmpl"), "a.tmpl b.tmpl");
        assert_eq!(found("?.t*"), "a.tmpl b.tmpl c.txt");
        assert_eq!(found("[!a]*"), "b.tmpl c.txt");
        assert_eq!(found("none*"), "");
        assert_eq!(found("missing.tmpl"), "missing.tmpl");
    }
}
