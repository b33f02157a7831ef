//! `campanile user`: people, their roles and passwords.

use std::sync::Arc;

use access::{Change, Directory, Role, User, UserName};
use anyhow::{Context as _, anyhow};
use document::nearest;
use model::Clock;
use serde_json::{Value, json};

use super::{Office, Said, password, table};
use crate::cli::{ListArgs, UserCommand};
use crate::config::Environment;

pub(super) async fn run(
    command: &UserCommand,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<Said> {
    match command {
        UserCommand::Add {
            name,
            role,
            password,
            place,
        } => {
            let name: UserName = parse(name)?;
            let role: Role = parse(role)?;
            let office = Office::open(place, clock, environment).await?;
            if office.store.directory().await?.users.contains_key(&name) {
                // Said before a password is asked for.
                return Err(anyhow!(access::StoreError::Exists(format!(
                    "user {:?}",
                    name.as_str()
                ))));
            }
            let hash = password::ask_and_hash(password.is_on_stdin)?;
            let user = User {
                name: name.clone(),
                role,
                password: Some(hash.into()),
                identity: None,
                is_disabled: false,
                epoch: User::first_epoch(),
                created: office.clock.now(),
            };
            let after = described(&user);
            office
                .apply(
                    Change::AddUser(user),
                    "user.add",
                    object(&name),
                    String::new(),
                    after,
                )
                .await?;
            office.close().await?;
            Ok(note(format!("user {name} was added, with the role {role}")))
        }
        UserCommand::Passwd {
            name,
            password,
            place,
        } => {
            let office = Office::open(place, clock, environment).await?;
            let before = find(&office.store.directory().await?, name)?;
            let hash = password::ask_and_hash(password.is_on_stdin)?;
            let after = User {
                password: Some(hash.into()),
                epoch: before.epoch + 1,
                ..before.clone()
            };
            replace(&office, "user.password", &before, after).await?;
            office.close().await?;
            Ok(note(format!(
                "user {name} has a new password; all their sessions have ended"
            )))
        }
        UserCommand::Role { name, role, place } => {
            let role: Role = parse(role)?;
            let office = Office::open(place, clock, environment).await?;
            let before = find(&office.store.directory().await?, name)?;
            let after = User {
                role,
                // What was issued to the greater role must not outlive it.
                epoch: before.epoch + u64::from(role < before.role),
                ..before.clone()
            };
            replace(&office, "user.role", &before, after).await?;
            office.close().await?;
            Ok(note(format!("user {name} has the role {role} now")))
        }
        UserCommand::Disable { name, place } => {
            let office = Office::open(place, clock, environment).await?;
            let before = find(&office.store.directory().await?, name)?;
            let after = User {
                is_disabled: true,
                epoch: before.epoch + 1,
                ..before.clone()
            };
            replace(&office, "user.disable", &before, after).await?;
            office.close().await?;
            Ok(note(format!("user {name} is kept out now")))
        }
        UserCommand::Enable { name, place } => {
            let office = Office::open(place, clock, environment).await?;
            let before = find(&office.store.directory().await?, name)?;
            let after = User {
                is_disabled: false,
                ..before.clone()
            };
            replace(&office, "user.enable", &before, after).await?;
            office.close().await?;
            Ok(note(format!("user {name} may come in again")))
        }
        UserCommand::List(arguments) => list(arguments, clock, environment).await,
        UserCommand::Remove { name, place } => {
            let office = Office::open(place, clock, environment).await?;
            let user = find(&office.store.directory().await?, name)?;
            let before = described(&user);
            let change = Change::RemoveUser(user.name.clone());
            office
                .apply(
                    change,
                    "user.remove",
                    object(&user.name),
                    before,
                    String::new(),
                )
                .await?;
            office.close().await?;
            Ok(note(format!("user {name} was removed")))
        }
    }
}

async fn replace(office: &Office, action: &str, before: &User, after: User) -> anyhow::Result<()> {
    let (was, is) = (described(before), described(&after));
    let object = object(&after.name);
    let change = Change::ReplaceUser(after);
    office.apply(change, action, object, was, is).await
}

async fn list(
    arguments: &ListArgs,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<Said> {
    let office = Office::look(&arguments.place, clock, environment).await?;
    let directory = office.store.directory().await?;
    office.close().await?;
    let answer = match arguments.json {
        true => format!(
            "{}\n",
            Value::from_iter(directory.users.values().map(|user| shown(&directory, user)))
        ),
        false => listed(&directory),
    };
    Ok(Said {
        answer,
        note: String::new(),
    })
}

fn listed(directory: &Directory) -> String {
    let rows = directory.users.values().map(|user| {
        let teams: Vec<&str> = teams(directory, user).collect();
        let ways = match (&user.password, &user.identity) {
            (Some(_), Some(_)) => "password, OpenID",
            (Some(_), None) => "password",
            (None, Some(_)) => "OpenID",
            (None, None) => "none",
        };
        let state = if user.is_disabled {
            "disabled"
        } else {
            "enabled"
        };
        [
            user.name.to_string(),
            directory.role(user).to_string(),
            ways.to_owned(),
            state.to_owned(),
            teams.join(", "),
            wire::time::format_rfc3339(user.created).to_string(),
        ]
    });
    let heading = ["NAME", "ROLE", "COMES BY", "STATE", "TEAMS", "CREATED"];
    match directory.users.is_empty() {
        true => "there is no user yet: campanile user add NAME --role admin\n".to_owned(),
        false => table(heading, rows.collect()),
    }
}

fn teams<'d>(directory: &'d Directory, user: &'d User) -> impl Iterator<Item = &'d str> {
    let teams = directory.teams.values();
    let own = teams.filter(|team| team.members.contains(&user.name));
    own.map(|team| &*team.name)
}

fn shown(directory: &Directory, user: &User) -> Value {
    json!({
        "name": user.name.as_str(),
        "role": user.role.name(),
        "effective_role": directory.role(user).name(),
        "teams": teams(directory, user).collect::<Vec<_>>(),
        "has_password": user.password.is_some(),
        "identity": user.identity,
        "is_disabled": user.is_disabled,
        "created": wire::time::format_rfc3339(user.created).to_string(),
    })
}

/// A user as the audit log keeps it.
pub(super) fn described(user: &User) -> String {
    json!({
        "role": user.role.name(),
        "has_password": user.password.is_some(),
        "is_disabled": user.is_disabled,
    })
    .to_string()
}

pub(super) fn object(name: &UserName) -> String {
    format!("user:{name}")
}

fn find(directory: &Directory, name: &str) -> anyhow::Result<User> {
    let known: UserName = parse(name)?;
    let hint = || {
        let names = directory.users.keys().map(UserName::as_str);
        match nearest(name, names) {
            Some(meant) => format!("there is no user {name:?}; did you mean {meant:?}?"),
            None => format!("there is no user {name:?}; campanile user list shows all"),
        }
    };
    directory.users.get(&known).cloned().with_context(hint)
}

fn parse<T: std::str::FromStr<Err = String>>(text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|error: String| anyhow!(error))
}

fn note(text: String) -> Said {
    Said {
        answer: String::new(),
        note: format!("{text}\n"),
    }
}
