//! The first start, when nobody could log in yet: how the first admin comes in.
//!
//! 1. A password from the environment or from a file makes the user `admin`.
//! 2. Otherwise, at a terminal, a link that is good once is shown there, and nowhere else.
//! 3. Otherwise one warning says which command makes the first user.

use std::io::{IsTerminal as _, stderr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use access::{AccessStore, AuditEntry, Change, Directory, Principal, Role, Scope, Subject, User};
use anyhow::{Context as _, anyhow, bail};
use model::Clock;
use tracing::{debug, info, warn};

use super::{password, users};
use crate::config::{Config, Environment, Secret, source};

/// The name of the first user.
const ADMIN: &str = "admin";

const VARIABLE: &str = "CAMPANILE_ADMIN_PASSWORD";
const FILE_VARIABLE: &str = "CAMPANILE_ADMIN_PASSWORD_FILE";

/// How the first admin comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// There is nothing to do: somebody can log in, or nobody needs to.
    Known,
    /// By a link that is shown on the terminal.
    Link,
    /// Somebody must run a command first.
    Command,
}

/// Looks whether somebody can administer already, and if not, how they come in.
///
/// Errors: the password that was given cannot be used, or the catalog cannot.
pub(crate) async fn prepare(
    config: &Config,
    store: &Arc<dyn AccessStore>,
    clock: &dyn Clock,
    environment: &Environment,
) -> anyhow::Result<Way> {
    if !config.access.is_on {
        return Ok(Way::Known);
    }
    let directory = store.directory().await?;
    let is_given = [VARIABLE, FILE_VARIABLE]
        .iter()
        .any(|name| environment.get(name).is_some());
    if can_administer(&directory) {
        if is_given {
            debug!(
                "the users stay as they are, since there is an admin: {VARIABLE} is for the first start"
            );
        }
        return Ok(Way::Known);
    }
    if let Some(hash) = given_password(environment)? {
        let name = ADMIN.parse().map_err(|error: String| anyhow!(error))?;
        add_admin(&directory, name, hash, store, clock).await?;
        return Ok(Way::Known);
    }
    Ok(match stderr().is_terminal() {
        true => Way::Link,
        false => Way::Command,
    })
}

/// Whether an admin is known who has a way to log in.
fn can_administer(directory: &Directory) -> bool {
    directory.users.values().any(|user| {
        let has_way = user.password.is_some() || user.identity.is_some();
        has_way && !user.is_disabled && directory.role(user) == Role::Admin
    })
}

async fn add_admin(
    directory: &Directory,
    name: access::UserName,
    hash: String,
    store: &Arc<dyn AccessStore>,
    clock: &dyn Clock,
) -> anyhow::Result<()> {
    let known = directory.users.get(&name);
    let user = User {
        name: name.clone(),
        role: Role::Admin,
        password: Some(hash.into()),
        identity: None,
        is_disabled: false,
        epoch: known.map_or_else(User::first_epoch, |user| user.epoch + 1),
        created: known.map_or_else(|| clock.now(), |user| user.created),
    };
    let who = Principal {
        subject: Subject::CommandLine,
        scope: Scope::Role(Role::Admin),
    };
    let entry = AuditEntry {
        at: clock.now(),
        who: who.name(),
        address: String::new(),
        action: if known.is_some() {
            "user.password"
        } else {
            "user.add"
        }
        .to_owned(),
        object: users::object(&name),
        before: known.map(users::described).unwrap_or_default(),
        after: users::described(&user),
    };
    let change = match known {
        Some(_) => Change::ReplaceUser(user),
        None => Change::AddUser(user),
    };
    match store.apply(change, entry).await {
        // Another server on the same database was faster.
        Ok(_) | Err(access::StoreError::Exists(_)) => {
            info!(
                user = ADMIN,
                "the first user has the password that the environment gives"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// What is to be kept of the password that the environment gives; none if it gives none.
fn given_password(environment: &Environment) -> anyhow::Result<Option<String>> {
    let (text, name) = match (environment.get(VARIABLE), environment.get(FILE_VARIABLE)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            bail!("{VARIABLE} and {FILE_VARIABLE} say the same: unset one of the two")
        }
        (Some(text), None) => (text.to_owned(), VARIABLE),
        (None, Some(file)) => {
            let read = source(Path::new(file)).map_err(|problem| anyhow!("{problem}"));
            let read = read.with_context(|| format!("the file that {FILE_VARIABLE} names"))?;
            (read.text().to_owned(), FILE_VARIABLE)
        }
    };
    let password = password::of_input(&text).context(name)?;
    let hash = access::hash_password(password).map_err(|error| anyhow!(error));
    Ok(Some(hash.context(name)?))
}

/// The address that the first admin opens, where people reach this server.
pub(crate) fn link(config: &Config, address: SocketAddr, secret: &Secret) -> Secret {
    let place = config.place(reached(address));
    Secret::new(format!("{place}/auth/link/{}", secret.reveal()))
}

/// An address under which this machine reaches what listens on that one.
fn reached(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// How a command finds the catalog that a server with this configuration uses.
pub(crate) fn place(config: &Config) -> String {
    match config.database_url {
        Some(_) => "--config …".to_owned(),
        None => {
            let directory = std::path::absolute(&config.data_dir);
            let directory = directory.unwrap_or_else(|_| config.data_dir.clone());
            format!("--data-dir {}", directory.display())
        }
    }
}

/// Says what is to be done, if something is: the link on the terminal, or a warning in the log.
pub(crate) fn announce(way: Way, link: Option<&Secret>, place: &str) {
    match (way, link) {
        (Way::Known, _) => {}
        (Way::Link, Some(link)) => crate::print_error(&framed(link.reveal())),
        (Way::Link | Way::Command, _) => warn!(
            "nobody can log in yet: run `campanile user add {ADMIN} --role admin --password-stdin {place}`, or start once with \
             {VARIABLE} or {FILE_VARIABLE} set; samples of this machine are collected meanwhile"
        ),
    }
}

/// The link with what it is, so that nobody overlooks it among the lines of the log.
fn framed(link: &str) -> String {
    let rule = "-".repeat(72);
    format!(
        "\n{rule}\n\n  Nobody can log in yet. Open this address to come in as \"{ADMIN}\" and\n  choose a password:\n\n      {link}\n\n  \
         It is good once, for 24 hours, and only while this program runs.\n  Whoever has it is admin: keep it to yourself.\n\n{rule}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_leads_to_where_people_reach_the_server() {
        let secret = Secret::new("abc");
        let config = |external_url: &str| {
            let environment = [("CAMPANILE_EXTERNAL_URL", external_url)];
            let environment = environment.into_iter().collect();
            crate::config::load(None, &Default::default(), &environment).unwrap()
        };
        for (external_url, listen, expected) in [
            ("", "127.0.0.1:9595", "http://127.0.0.1:9595/auth/link/abc"),
            ("", "0.0.0.0:80", "http://127.0.0.1:80/auth/link/abc"),
            ("", "[::]:9595", "http://[::1]:9595/auth/link/abc"),
            (
                "https://watch.example.org/tower/",
                "0.0.0.0:80",
                "https://watch.example.org/tower/auth/link/abc",
            ),
        ] {
            let link = link(&config(external_url), listen.parse().unwrap(), &secret);
            assert_eq!(link.reveal(), expected);
        }
    }
}
