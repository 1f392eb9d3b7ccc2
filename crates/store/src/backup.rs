//! Backups: one SQLite file, whatever engine it was made from, so that it can be looked at anywhere and restored into either.
//!
//! Making one disturbs nobody: SQLite copies its own file at one moment, and on PostgreSQL one transaction reads every row as it was when it began. The file holds what the database held and the two tables that describe it, [`Info`].

mod examine;

use std::path::Path;
use std::sync::Arc;

use domain::Timestamp;
use sqlx::SqliteConnection;

use crate::copy::{self, Copied, TABLES};
use crate::database::SqliteFile;
use crate::health::Health;
use crate::tx::{Link, Tx};
use crate::{Database, Engine, OpenError, StoreError, schema};

pub use examine::{Examination, examine};

/// The form of the file. A reader refuses a higher one than it knows.
pub const FORMAT_VERSION: i64 = 1;

/// What a backup says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The form of the file.
    pub format_version: i64,
    /// The version of Tollhouse that made it.
    pub tollhouse_version: String,
    /// The version of its schema.
    pub schema_version: i64,
    /// The engine of the database it is of: `sqlite` or `postgres`.
    pub engine: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The ids of the root keys that wrap its data keys: without them its credentials stay closed.
    pub root_key_ids: Vec<String>,
    /// Each table and how many rows it has.
    pub tables: Vec<(String, i64)>,
}

/// Who makes a backup, and when.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// The version of Tollhouse.
    pub tollhouse_version: &'static str,
    /// The present moment.
    pub now: Timestamp,
}

/// Why a backup can not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A database or file can not be used at all.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// A statement failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// There is something where a backup should be restored.
    #[error(
        "the database is not empty, and a backup is never mixed with what is there (rows in {}): name a new, empty database in `database.url`",
        .0.join(", ")
    )]
    Occupied(Vec<&'static str>),
}

/// A finished backup with the schema of this binary.
pub struct Backup(SqliteFile);

// Not in `statements!` blocks here and below: these run on backup files alone, which are always SQLite's.
const DESCRIBE: [&str; 2] = [
    "CREATE TABLE backup_info (format_version INTEGER NOT NULL, tollhouse_version TEXT NOT NULL, schema_version INTEGER NOT NULL, \
     engine TEXT NOT NULL, created_at INTEGER NOT NULL, root_key_ids TEXT NOT NULL) STRICT",
    "CREATE TABLE backup_tables (name TEXT NOT NULL PRIMARY KEY, \"rows\" INTEGER NOT NULL) STRICT",
];
const INSERT_INFO: &str = "INSERT INTO backup_info VALUES ($1, $2, $3, $4, $5, $6)";
const INSERT_TABLE: &str = "INSERT INTO backup_tables VALUES ($1, $2)";
const ROOT_KEY_IDS: &str = "SELECT DISTINCT root_key_id FROM data_keys ORDER BY root_key_id";

statements! {
    ADVANCE_VERSION = "UPDATE instance SET version = version + $1 WHERE id = 1";
}

/// How far the version of the configuration moves when a backup is restored: further than changes can have moved it since the backup was made, so that an instance that saw the database before does not take what is restored for what it knows.
const VERSION_STEP: i64 = 1_000_000_000;

/// Writes a backup of a database with the schema of this binary into a file that is there and empty. The file is not synced, and worthless unless this succeeds.
pub async fn create(database: &Database, file: &Path, maker: Maker) -> Result<Info, BackupError> {
    database.check_schema().await?;
    database.copy_into(file).await?;
    let target = SqliteFile::in_the_making(file);
    let info = describe(&target, database.engine(), maker).await.map_err(|error| StoreError::of("describe the backup", error))?;
    target.close().await;
    Ok(info)
}

/// Copies every row that a transaction sees into a new SQLite file.
pub(crate) async fn copy_rows(from: &mut Tx, file: &Path) -> Result<(), BackupError> {
    let target = SqliteFile::in_the_making(file);
    let opened = |error| OpenError::Connect(Arc::new(error));
    let mut lane = target.lane().await.map_err(opened)?;
    schema::migrate_sqlite(lane.connection(), None).await?;
    lane.begin().await.map_err(opened)?;
    let mut to = Tx::writing(Link::SqliteWriter(lane), Health::new());
    copy::everything(from, &mut to).await?;
    to.commit().await?;
    target.close().await;
    Ok(())
}

/// Writes the tables that describe a backup.
async fn describe(file: &SqliteFile, engine: Engine, maker: Maker) -> Result<Info, sqlx::Error> {
    let mut lane = file.lane().await?;
    let connection = lane.connection();
    let root_key_ids = sqlx::query_scalar(ROOT_KEY_IDS).fetch_all(&mut *connection).await?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        tables.push((table.name.to_owned(), count(connection, table.name).await?));
    }
    let info = Info {
        format_version: FORMAT_VERSION,
        tollhouse_version: maker.tollhouse_version.to_owned(),
        schema_version: schema::newest_version(),
        engine: engine.as_str().to_owned(),
        created_at: maker.now,
        root_key_ids,
        tables,
    };
    for statement in DESCRIBE {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    sqlx::query(INSERT_INFO)
        .bind(info.format_version)
        .bind(&info.tollhouse_version)
        .bind(info.schema_version)
        .bind(&info.engine)
        .bind(info.created_at.micros())
        .bind(crate::row::list(info.root_key_ids.iter().map(String::as_str)))
        .execute(&mut *connection)
        .await?;
    for (name, rows) in &info.tables {
        sqlx::query(INSERT_TABLE).bind(name).bind(rows).execute(&mut *connection).await?;
    }
    lane.keep();
    Ok(info)
}

/// How many rows a table of ours has.
async fn count(connection: &mut SqliteConnection, table: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"))).fetch_one(connection).await
}

/// Brings a copy of a backup up to the schema of this binary. The backup itself is never changed.
pub async fn migrate_copy(file: &Path) -> Result<(), OpenError> {
    let copy = SqliteFile::in_the_making(file);
    let mut lane = copy.lane().await.map_err(|error| OpenError::Connect(Arc::new(error)))?;
    schema::migrate_sqlite(lane.connection(), None).await?;
    lane.keep();
    copy.close().await;
    Ok(())
}

/// Puts everything that a backup holds into an empty database, whichever engine it is: in one transaction, so that the database is empty or whole, whatever happens. Migrates it first if need be.
pub async fn restore(backup: &Backup, database: &Database) -> Result<Vec<Copied>, BackupError> {
    database.migrate().await?;
    database.expect_many_rows().await?;
    let mut to = database.write().await?;
    let occupied = copy::occupied(&mut to).await?;
    if !occupied.is_empty() {
        return Err(BackupError::Occupied(occupied));
    }
    let copied = copy::everything(&mut backup.read().await?, &mut to).await?;
    run!(&mut to, execute, ADVANCE_VERSION, VERSION_STEP)?;
    to.commit().await?;
    Ok(copied)
}

// === impl Backup ===

impl Backup {
    /// Opens a finished backup, or a migrated copy of an older one. The schema must be the one of this binary.
    pub async fn open(file: &Path) -> Result<Self, OpenError> {
        let file = SqliteFile::finished(file);
        schema::check_sqlite(&mut *file.reader().await.map_err(|error| OpenError::Connect(Arc::new(error)))?).await?;
        Ok(Self(file))
    }

    /// Begins a transaction that reads it.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.0
            .begin_read()
            .await
            .map(|link| Tx::reading(Link::SqliteReader(link)))
            .map_err(|error| StoreError::of("read the backup", error))
    }

    /// Where its rows contradict one another, in words: the log of changes has gaps, or something points at what is not there. A state that a transaction saw has none.
    pub async fn contradictions(&self) -> Result<Vec<String>, StoreError> {
        let look = async { examine::contradictions(&mut *self.0.reader().await?).await };
        look.await.map_err(|error| StoreError::of("read the backup", error))
    }
}
