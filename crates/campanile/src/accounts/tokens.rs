//! `campanile token`: what machines show instead of a password.

use std::sync::Arc;

use access::{ApiToken, Change, Scope};
use anyhow::{Context as _, anyhow, bail};
use document::nearest;
use model::{Clock, Timestamp, duration};
use serde_json::{Value, json};

use super::{Office, Said, table};
use crate::cli::{ListArgs, TokenCommand};
use crate::config::Environment;

/// As long as a name may be; longer ones are no help in a list.
const NAME_CHARACTERS_MAX: usize = 100;

pub(super) async fn run(
    command: &TokenCommand,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<Said> {
    match command {
        TokenCommand::Create {
            name,
            scope,
            expires,
            place,
        } => {
            check_name(name)?;
            let scope: Scope = scope.parse().map_err(|error: String| anyhow!(error))?;
            let now = clock.now();
            let expires = match expires {
                None => None,
                Some(text) => Some(end(text, now)?),
            };
            let office = Office::open(place, clock, environment).await?;
            let (id, text) = ApiToken::generate();
            let token = ApiToken {
                id: id.clone(),
                name: name.as_str().into(),
                scope,
                hash: ApiToken::hash_of(&text),
                created_by: "command line".into(),
                created: now,
                expires,
            };
            let after = described(&token);
            let change = Change::AddToken(token);
            office
                .apply(change, "token.create", object(&id), String::new(), after)
                .await?;
            office.close().await?;
            let end = match expires {
                Some(end) => format!("until {}", wire::time::format_rfc3339(end)),
                None => "until it is revoked".to_owned(),
            };
            Ok(Said {
                answer: format!("{text}\n"),
                note: format!(
                    "token {name} ({id}) with the scope {scope} is good {end}; it is shown this once, so keep it now\n"
                ),
            })
        }
        TokenCommand::List(arguments) => list(arguments, clock, environment).await,
        TokenCommand::Revoke { id, place } => {
            // People have the whole token at hand rather than its ID.
            let id = ApiToken::id_in(id).unwrap_or(id);
            let office = Office::open(place, clock, environment).await?;
            let directory = office.store.directory().await?;
            let token = directory.tokens.get(id).with_context(|| {
                let known = directory.tokens.keys().map(|id| &**id);
                match nearest(id, known) {
                    Some(meant) => format!("there is no token {id:?}; did you mean {meant:?}?"),
                    None => format!("there is no token {id:?}; campanile token list shows all"),
                }
            })?;
            let before = described(token);
            let change = Change::RevokeToken(token.id.clone());
            office
                .apply(change, "token.revoke", object(id), before, String::new())
                .await?;
            office.close().await?;
            Ok(Said {
                answer: String::new(),
                note: format!("token {} ({id}) is worth nothing any more\n", token.name),
            })
        }
    }
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let count = name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&count) || name.contains(char::is_control) {
        bail!("the name of a token has 1 to {NAME_CHARACTERS_MAX} characters in one line");
    }
    Ok(())
}

/// The moment a duration after now.
fn end(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let lifetime = duration::parse(text).with_context(|| format!("--expires: {text:?}"))?;
    if lifetime.is_zero() {
        bail!("--expires: a token that is never good helps nobody; write for example 90d");
    }
    Ok(now + lifetime)
}

async fn list(
    arguments: &ListArgs,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<Said> {
    let now = clock.now();
    let office = Office::look(&arguments.place, clock, environment).await?;
    let directory = office.store.directory().await?;
    office.close().await?;
    let mut tokens: Vec<&ApiToken> = directory.tokens.values().collect();
    tokens.sort_by_key(|token| (token.created, token.id.clone()));
    let answer = match arguments.json {
        true => format!("{}\n", Value::from_iter(tokens.into_iter().map(shown))),
        false if tokens.is_empty() => {
            "there is no token yet: campanile token create NAME --scope ingest\n".to_owned()
        }
        false => listed(&tokens, now),
    };
    Ok(Said {
        answer,
        note: String::new(),
    })
}

fn listed(tokens: &[&ApiToken], now: Timestamp) -> String {
    let rows = tokens.iter().map(|token| {
        let expires = match token.expires {
            None => "never".to_owned(),
            Some(end) if end <= now => format!("expired {}", wire::time::format_rfc3339(end)),
            Some(end) => wire::time::format_rfc3339(end).to_string(),
        };
        [
            token.id.to_string(),
            token.name.to_string(),
            token.scope.to_string(),
            expires,
            wire::time::format_rfc3339(token.created).to_string(),
            token.created_by.to_string(),
        ]
    });
    let heading = ["ID", "NAME", "SCOPE", "EXPIRES", "CREATED", "BY"];
    table(heading, rows.collect())
}

fn shown(token: &ApiToken) -> Value {
    json!({
        "id": &*token.id,
        "name": &*token.name,
        "scope": token.scope.name(),
        "created_by": &*token.created_by,
        "created": wire::time::format_rfc3339(token.created).to_string(),
        "expires": token.expires.map(|end| wire::time::format_rfc3339(end).to_string()),
    })
}

/// A token as the audit log keeps it.
fn described(token: &ApiToken) -> String {
    json!({
        "name": &*token.name,
        "scope": token.scope.name(),
        "expires": token.expires.map(|end| wire::time::format_rfc3339(end).to_string()),
    })
    .to_string()
}

fn object(id: &str) -> String {
    format!("token:{id}")
}
