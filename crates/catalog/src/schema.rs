//! The version of what is in the database, and the way from each older one.
//!
//! A version's statements stand in `migrations/` and never change once they are released. All that are missing run in
//! one transaction, so that a crash leaves the old version or the new one.

use sqlx::AnyConnection;
use sqlx::AssertSqlSafe;

use crate::error::Fault;

/// The statements that lead to each version, from 1.
const MIGRATIONS: [&str; 2] = [
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_access.sql"),
];

/// The version that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Of processes that migrate one PostgreSQL database at once, all but one wait here; it is let go with the transaction. The
/// number is "campanil" in ASCII.
const QUEUE_UP: &str = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '600s'; \
                        DO $$ BEGIN PERFORM pg_advisory_xact_lock(7161125211934189932); END $$";

/// The version of what is there: 0 for an empty database, none for one that is not ours.
pub(crate) async fn version(connection: &mut AnyConnection) -> Result<Option<i64>, Fault> {
    const SQLITE: &str = "SELECT COUNT(*), COUNT(CASE WHEN name = 'schema_version' THEN 1 END) \
                          FROM sqlite_master WHERE type = 'table'";
    const POSTGRES: &str = "SELECT COUNT(*), COUNT(CASE WHEN table_name = 'schema_version' THEN 1 END) \
                            FROM information_schema.tables \
                            WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'";
    let tables = if is_postgres(connection) {
        POSTGRES
    } else {
        SQLITE
    };
    let (tables, own): (i64, i64) = sqlx::query_as(tables).fetch_one(&mut *connection).await?;
    if own == 0 {
        return Ok((tables == 0).then_some(0));
    }
    let version = sqlx::query_scalar("SELECT MAX(version) FROM schema_version")
        .fetch_one(connection)
        .await?;
    Ok(version)
}

/// The version of a database that can be used, perhaps after [`migrate`].
///
/// Errors: it is another program's, or a newer one's.
pub(crate) fn usable(version: Option<i64>) -> Result<i64, Fault> {
    match version {
        None => Err(Fault::Unusable(
            "it is a database of another program: move it away, or choose another data_dir or database_url".to_owned(),
        )),
        Some(version) if version > VERSION => Err(Fault::Unusable(format!(
            "it has version {version}, this program knows versions up to {VERSION}: use a newer program; nothing was changed"
        ))),
        Some(version) => Ok(version),
    }
}

/// The version of a database that is only read.
///
/// Errors: it is not this program's; none if nothing is there yet.
pub(crate) fn readable(version: Option<i64>) -> Result<Option<()>, Fault> {
    match usable(version)? {
        0 => Ok(None),
        VERSION => Ok(Some(())),
        version => Err(Fault::Unusable(format!(
            "it has version {version}, this program reads version {VERSION}: start `campanile serve` once, which brings it up to date"
        ))),
    }
}

/// Brings the database to [`VERSION`], within the transaction that is under way; `after` is told how many statements have
/// run, each time one has.
pub(crate) async fn migrate(
    connection: &mut AnyConnection,
    after: &mut (dyn FnMut(usize) + Send),
) -> Result<(), Fault> {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
    if is_postgres(connection) {
        sqlx::raw_sql(QUEUE_UP).execute(&mut *connection).await?;
    }
    // Again, since another process may have done it since the file was looked at.
    let present = usable(version(connection).await?)?;
    if present == VERSION {
        return Ok(());
    }
    let mut statements = vec![TABLE.to_owned()];
    for migration in MIGRATIONS
        .iter()
        .skip(usize::try_from(present).unwrap_or(0))
    {
        statements.extend(split(migration, is_postgres(connection)));
    }
    statements.push("DELETE FROM schema_version".to_owned());
    statements.push(format!(
        "INSERT INTO schema_version (version) VALUES ({VERSION})"
    ));
    for (number, statement) in statements.into_iter().enumerate() {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
        after(number + 1);
    }
    Ok(())
}

/// The statements of a migration, none of which has a semicolon within. PostgreSQL is told to compare texts by their bytes, as
/// SQLite does, for what is sorted by name must not depend on the language of a server.
fn split(migration: &str, is_postgres: bool) -> Vec<String> {
    let lines = migration
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let mut statements = lines.collect::<Vec<_>>().join("\n");
    if is_postgres {
        statements = statements.replace(" TEXT", " TEXT COLLATE \"C\"");
    }
    let statements = statements.split(';').map(str::trim);
    let statements = statements.filter(|statement| !statement.is_empty());
    statements.map(str::to_owned).collect()
}

fn is_postgres(connection: &AnyConnection) -> bool {
    connection.backend_name() == "PostgreSQL"
}
