//! A text that is shown nowhere, and the files that hold such texts.

use std::fmt;
use std::path::Path;

use document::Value;

use super::file::source;
use super::{Draft, Reading};

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Fewer letters can be tried out by whoever has a signed token.
const JWT_SECRET_MIN: usize = 32;

/// Takes the secrets out of the files that are named in their place, and looks at each of them.
pub(super) fn read_files(draft: &mut Draft<'_>) {
    let files = std::mem::take(&mut draft.secret_files);
    let read = |path: &str, file: Option<&Path>, given: &mut Option<Secret>| {
        let file_key = format!("{path}_file");
        let Some(file) = file else {
            return;
        };
        let Some(place) = draft.values.get(&*file_key) else {
            return;
        };
        match given {
            Some(_) => place
                .value
                .refuse(format!("{path} says the same; remove one of the two")),
            None => *given = read_file(file, &place.value),
        }
    };
    let access = &draft.config.access;
    let mut database_url = draft.config.database_url.clone();
    let mut jwt_secret = access.jwt_secret.clone();
    let mut client_secret = access.oidc.client_secret.clone();
    read(
        "database_url",
        files.database_url.as_deref(),
        &mut database_url,
    );
    read(
        "auth.jwt_secret",
        files.jwt_secret.as_deref(),
        &mut jwt_secret,
    );
    read(
        "auth.oidc.client_secret",
        files.client_secret.as_deref(),
        &mut client_secret,
    );
    check(
        draft,
        "database_url",
        database_url.as_ref(),
        is_database,
        "an address such as postgres://campanile@db.example.org/campanile is needed",
    );
    check(
        draft,
        "auth.jwt_secret",
        jwt_secret.as_ref(),
        |text| text.len() >= JWT_SECRET_MIN,
        "at least 32 characters are needed; `openssl rand -base64 32` makes some",
    );
    draft.config.database_url = database_url;
    draft.config.access.jwt_secret = jwt_secret;
    draft.config.access.oidc.client_secret = client_secret;
}

fn read_file(file: &Path, place: &Value<'_>) -> Option<Secret> {
    match source(file) {
        Ok(source) => {
            let text = source.text().trim_end_matches(['\n', '\r']);
            if text.is_empty() {
                place.refuse(format!(
                    "{} is empty; a secret is needed in it",
                    file.display()
                ));
                return None;
            }
            Some(Secret::new(text))
        }
        Err(problem) => {
            place.refuse(problem.to_string());
            None
        }
    }
}

fn is_database(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Refuses a secret where it was given, or the file that holds it.
fn check(
    draft: &Draft<'_>,
    path: &str,
    secret: Option<&Secret>,
    is_good: impl Fn(&str) -> bool,
    message: &str,
) {
    let Some(secret) = secret.filter(|secret| !is_good(secret.reveal())) else {
        return;
    };
    let _ = secret;
    let file = format!("{path}_file");
    let written = |path: &str| draft.good(path).filter(|reading| !reading.is_default);
    let place: Option<&Reading<'_>> = written(path).or_else(|| written(&file));
    if let Some(place) = place {
        place.value.refuse(message);
    }
}
