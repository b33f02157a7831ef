//! The configuration file: read, parsed, and each of its keys brought to its setting.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use document::{Document, Options, Problem, Section, Source, Syntax};

use super::settings::{LATER, ONLY_IN_FILE, SETTINGS, section_and_key};
use super::{Draft, Environment, Origin, access, alerting, storage};

/// A larger file is no configuration of ours.
const BYTES_MAX: usize = 16 << 20;

/// Reads and parses a file; `${NAME}` is taken from the environment.
pub(super) fn parse(path: &Path, environment: &Environment) -> Result<Document, Vec<Problem>> {
    if path.as_os_str().is_empty() {
        let source = Source::without_lines("--config or CAMPANILE_CONFIG");
        let message = "the name of the file is empty; write a name, or leave it out";
        return Err(vec![Problem::of_source(&source, message)]);
    }
    let source = source(path).map_err(|problem| vec![problem])?;
    let lookup = |variable: &str| environment.get(variable).map(str::to_owned);
    let options = Options {
        variables: Some(&lookup),
        ..Options::default()
    };
    Document::parse(&source, Syntax::of_file(source.name()), &options)
}

/// Reads a file that people write, of whatever format.
///
/// Errors: it cannot be read, is too large or no text.
pub(crate) fn source(path: &Path) -> Result<Arc<Source>, Problem> {
    let name = path.display().to_string();
    let unreadable = |error: &io::Error| {
        let message = match error.kind() {
            io::ErrorKind::NotFound => {
                "this file does not exist; create it, or name another".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "this file cannot be read: permission denied; allow it to the user that runs campanile"
                    .to_owned()
            }
            io::ErrorKind::IsADirectory => {
                "this is a directory; name a file in it".to_owned()
            }
            _ => format!("this file cannot be read: {error}"),
        };
        Problem::of_source(&Source::without_lines(name.as_str()), message)
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    Source::from_bytes(&name, &bytes, BYTES_MAX)
}

/// Reads every key of a parsed file; `directory` is where its relative paths begin.
pub(super) fn read<'d>(document: &'d Document, directory: &Path, draft: &mut Draft<'d>) {
    let mut root = document.section();
    draft.read = alerting::read(&mut root, directory);
    read_section(root, "", directory, draft);
}

fn read_section<'d>(
    mut section: Section<'d>,
    name: &'static str,
    directory: &Path,
    draft: &mut Draft<'d>,
) {
    for setting in SETTINGS {
        let (of, key) = setting.section_and_key();
        if of == name
            && let Some(value) = section.value(key)
        {
            draft.read(setting, value, Origin::Written(directory));
        }
    }
    for child in section_names() {
        let (parent, key) = section_and_key(child);
        if parent == name {
            read_section(section.section(key), child, directory, draft);
        }
    }
    if name == "storage"
        && let Some(value) = section.value("selector_retention")
    {
        storage::read_selector_retention(value, draft);
    }
    if name == "auth.oidc"
        && let Some(value) = section.value("roles")
    {
        access::read_roles(value, draft);
    }
    let later = LATER.iter().map(|path| section_and_key(path));
    section.unsupported(later.filter(|(of, _)| *of == name).map(|(_, key)| key));
    section.finish_with(|key| misplaced(name, key));
}

/// Where a key belongs that is known, but not here; mostly its indentation is wrong.
fn misplaced(section: &str, key: &str) -> Option<String> {
    let paths = SETTINGS
        .iter()
        .map(|setting| setting.path)
        .chain(LATER.iter().copied())
        .chain(ONLY_IN_FILE.iter().copied());
    for path in paths {
        let (of, own) = section_and_key(path);
        if key == path && !of.is_empty() {
            return Some(format!(
                "write \"{of}:\" and, indented below it, \"{own}: …\""
            ));
        }
        if key != own || of == section {
            continue;
        }
        return Some(if of.is_empty() {
            format!("it belongs to the top level, not into {section:?}: do not indent it")
        } else {
            format!("it belongs into the section {of:?}: indent it below \"{of}:\"")
        });
    }
    None
}

fn section_names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for setting in SETTINGS {
        let (section, _) = setting.section_and_key();
        if !section.is_empty() && !names.contains(&section) {
            names.push(section);
        }
    }
    names
}
