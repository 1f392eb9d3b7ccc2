//! The schema: migrations, and whether a database has those of this binary.

use std::sync::Arc;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::OpenError;

static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

// Not in a `statements!` block: these two ask the engine about itself, and the third reads the migrator's own table, which may not exist.
const SQLITE_HAS_MIGRATIONS: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
const POSTGRES_HAS_MIGRATIONS: &str =
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'";
const CHECKSUMS: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";

/// Brings a SQLite database up to date, all migrations in one transaction: the migrator takes no lock on SQLite, and two processes may start at once.
pub(crate) async fn migrate_sqlite(connection: &mut SqliteConnection, target: Option<i64>) -> Result<(), OpenError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(connect_error)?;
    refuse_newer(&applied_sqlite(&mut transaction).await?, &SQLITE)?;
    run(&SQLITE, &mut *transaction, target).await?;
    transaction.commit().await.map_err(connect_error)
}

/// Brings a PostgreSQL database up to date. The migrator holds an advisory lock and runs each migration in its own transaction.
pub(crate) async fn migrate_postgres(connection: &mut PgConnection, target: Option<i64>) -> Result<(), OpenError> {
    refuse_newer(&applied_postgres(connection).await?, &POSTGRES)?;
    run(&POSTGRES, connection, target).await
}

pub(crate) async fn check_sqlite(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    check(&applied_sqlite(connection).await?, &SQLITE)
}

pub(crate) async fn check_postgres(connection: &mut PgConnection) -> Result<(), OpenError> {
    check(&applied_postgres(connection).await?, &POSTGRES)
}

/// The newest version that this binary knows.
pub(crate) fn newest_version() -> i64 {
    newest_known(&SQLITE)
}

/// What is wrong with the list of migrations that a SQLite file says it has had, newer ones aside.
pub(crate) async fn changed_migrations(connection: &mut SqliteConnection) -> Result<Vec<i64>, sqlx::Error> {
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(CHECKSUMS).fetch_all(connection).await?;
    let known = |version| SQLITE.iter().find(|migration| migration.version == version);
    let changed =
        |(version, checksum): &(i64, Vec<u8>)| known(*version).is_some_and(|migration| migration.checksum.as_ref() != checksum.as_slice());
    Ok(applied.into_iter().filter(changed).map(|(version, _)| version).collect())
}

/// Brings an empty SQLite database up to a version and no further.
pub(crate) async fn migrate_sqlite_to(version: i64, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    SQLITE.run_direct(Some(version), connection, false).await.map_err(|error| OpenError::Migrate(Arc::new(error)))
}

fn check(applied: &[i64], known: &Migrator) -> Result<(), OpenError> {
    refuse_newer(applied, known)?;
    let missing = known.iter().any(|migration| !applied.contains(&migration.version));
    if missing { Err(OpenError::OlderSchema { database: newest(applied), binary: newest_known(known) }) } else { Ok(()) }
}

fn refuse_newer(applied: &[i64], known: &Migrator) -> Result<(), OpenError> {
    let stranger = applied.iter().any(|version| !known.version_exists(*version));
    if stranger { Err(OpenError::NewerSchema { database: newest(applied), binary: newest_known(known) }) } else { Ok(()) }
}

/// The versions of this binary's migrations, in order; both engines have the same.
pub(crate) fn versions() -> Vec<i64> {
    SQLITE.iter().map(|migration| migration.version).collect()
}

fn newest(applied: &[i64]) -> i64 {
    applied.iter().copied().max().unwrap_or(0)
}

fn newest_known(known: &Migrator) -> i64 {
    known.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn applied_sqlite(connection: &mut SqliteConnection) -> Result<Vec<i64>, OpenError> {
    let tables: i64 = sqlx::query_scalar(SQLITE_HAS_MIGRATIONS).fetch_one(&mut *connection).await.map_err(connect_error)?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(APPLIED).fetch_all(connection).await.map_err(connect_error)
}

async fn applied_postgres(connection: &mut PgConnection) -> Result<Vec<i64>, OpenError> {
    let tables: i64 = sqlx::query_scalar(POSTGRES_HAS_MIGRATIONS).fetch_one(&mut *connection).await.map_err(connect_error)?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(APPLIED).fetch_all(connection).await.map_err(connect_error)
}

async fn run<C: Migrate>(migrator: &Migrator, connection: &mut C, target: Option<i64>) -> Result<(), OpenError> {
    migrator.run_direct(target, connection, false).await.map_err(|error| match error {
        MigrateError::VersionMismatch(version) => OpenError::ChangedMigration { version },
        // A process with a newer binary migrated between our look and the lock.
        MigrateError::VersionMissing(database) => OpenError::NewerSchema { database, binary: newest_known(migrator) },
        error => OpenError::Migrate(Arc::new(error)),
    })
}

fn connect_error(error: sqlx::Error) -> OpenError {
    OpenError::Connect(Arc::new(error))
}
