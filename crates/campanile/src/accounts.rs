//! `campanile user` and `campanile token`: who may come in, kept in the catalog, beside a running server or without one.
//!
//! Each command makes one change, which the catalog enters into its audit log as `command line`; a running server asks
//! for changes every second.

pub(crate) mod first_start;
mod keyboard;
mod password;
mod tokens;
mod users;

use std::path::Path;
use std::sync::Arc;

use access::{AccessStore, AuditEntry, Change, Principal, Role, Scope, Subject};
use anyhow::Context as _;
use catalog::Catalog;
use model::Clock;

use crate::cli::{TokenCommand, UserCommand, WhereArgs};
use crate::config::{self, Config, Environment, Overrides};

/// What a command has to say.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What was asked for, for standard output.
    pub(crate) answer: String,
    /// What people want to know besides, for standard error.
    pub(crate) note: String,
}

/// Carries out `campanile user`.
///
/// Errors: why nothing was changed, for people.
pub(crate) async fn user(
    command: &UserCommand,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<Said> {
    users::run(command, clock, environment).await
}

/// Carries out `campanile token`.
///
/// Errors: why nothing was changed, for people.
pub(crate) async fn token(
    command: &TokenCommand,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<Said> {
    tokens::run(command, clock, environment).await
}

/// The catalog, open for one command.
struct Office {
    catalog: Catalog,
    store: Arc<dyn AccessStore>,
    clock: Arc<dyn Clock>,
}

impl Office {
    /// Opens the catalog that the server with this configuration uses.
    ///
    /// Errors: the configuration is wrong, or the catalog cannot be used.
    async fn open(
        place: &WhereArgs,
        clock: Arc<dyn Clock>,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let config = load(place, environment)?;
        let catalog = open_catalog(&config, clock.clone())
            .await
            .context("the catalog cannot be opened")?;
        if config.database_url.is_none() {
            hand_over(&config.data_dir)
                .with_context(|| format!("{} cannot be looked at", config.data_dir.display()))?;
        }
        let store: Arc<dyn AccessStore> = Arc::new(catalog.clone());
        Ok(Self {
            catalog,
            store,
            clock,
        })
    }

    /// Opens it for reading only; nothing is made where there is nothing.
    ///
    /// Errors: as for [`Office::open`], or there is none.
    async fn look(
        place: &WhereArgs,
        clock: Arc<dyn Clock>,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let config = load(place, environment)?;
        let catalog = match &config.database_url {
            Some(url) => Catalog::connect_read_only(url.reveal(), clock.clone()).await?,
            None => Catalog::open_read_only(&config.data_dir, clock.clone()).await?,
        };
        let store: Arc<dyn AccessStore> = Arc::new(catalog.clone());
        Ok(Self {
            catalog,
            store,
            clock,
        })
    }

    /// Makes a change in the name of the command line.
    async fn apply(
        &self,
        change: Change,
        action: &str,
        object: String,
        before: String,
        after: String,
    ) -> anyhow::Result<()> {
        let who = Principal {
            subject: Subject::CommandLine,
            scope: Scope::Role(Role::Admin),
        };
        let entry = AuditEntry {
            at: self.clock.now(),
            who: who.name(),
            address: String::new(),
            action: action.to_owned(),
            object,
            before,
            after,
        };
        self.store.apply(change, entry).await?;
        Ok(())
    }

    async fn close(self) -> anyhow::Result<()> {
        self.catalog.close().await?;
        Ok(())
    }
}

/// Opens the catalog where a configuration says that it lies.
pub(crate) async fn open_catalog(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Catalog, catalog::Error> {
    match &config.database_url {
        Some(url) => Catalog::connect(url.reveal(), clock).await,
        None => Catalog::open(&config.data_dir, clock).await,
    }
}

fn load(place: &WhereArgs, environment: &Environment) -> anyhow::Result<Config> {
    let overrides = Overrides {
        data_dir: place.data_dir.clone(),
        ..Overrides::default()
    };
    config::load(place.config.as_deref(), &overrides, environment)
        .map_err(|problems| anyhow::anyhow!("{problems}"))
}

/// Gives the files of a new catalog to whom the data directory belongs: root has run the command, and the server is
/// somebody else. The files of one that was there already belong to them and stay so.
fn hand_over(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = std::fs::metadata(directory)?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let is_of_catalog = entry
            .file_name()
            .to_string_lossy()
            .starts_with("catalog.sqlite");
        if is_of_catalog && entry.metadata()?.uid() != owner.uid() {
            std::os::unix::fs::lchown(entry.path(), Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// A table with a heading; columns are two spaces apart.
fn table<const N: usize>(heading: [&str; N], rows: Vec<[String; N]>) -> String {
    let heading = heading.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(heading).chain(rows).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
