//! The database as a whole: opening, transactions, closing.

mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::durability::{DurabilitySetting, WeakDurability};
use crate::health::Health;
use crate::record_writer::{self, RecordWriter};
use crate::tx::{Link, Tx};
use crate::{BackupError, OpenError, StoreError, backup, schema};

pub(crate) use postgres::PostgresPool;
pub(crate) use sqlite::{SqliteFile, WriteLane};

/// Which engine keeps the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the server.
    Sqlite,
    /// A server of its own, shared by several of ours.
    Postgres,
}

impl Engine {
    /// Its name, as URLs begin.
    pub fn as_str(self) -> &'static str {
        // Told, not used.
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A database, cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    source: Arc<Source>,
    records: RecordWriter,
    /// As they were read back when the database was opened.
    durability: Vec<DurabilitySetting>,
    /// The task of the record writer; dropped with the last clone, which ends it.
    tasks: Mutex<JoinSet<()>>,
}

/// Where connections come from, and what is known of their health.
pub(crate) struct Source {
    pub(crate) store: Store,
    pub(crate) health: Health,
    pub(crate) patience: Patience,
}

pub(crate) enum Store {
    Sqlite(SqliteFile),
    Postgres(PostgresPool),
}

/// How long to wait for what, in one place so that tests can be less patient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a free connection, and on SQLite for another process that writes.
    pub(crate) connection: Duration,
    /// For one group of session records, from the first statement to the commit.
    pub(crate) batch: Duration,
    /// Between two tries while the database can not be written.
    pub(crate) probe: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // Five seconds are the longest that a session may still wait after its payment service has answered: the default client gives up soon after. A probe twice a second brings writes back well within five seconds.
        Self { connection: Duration::from_secs(5), batch: Duration::from_secs(10), probe: Duration::from_millis(500) }
    }
}

/// Longest that closing waits for records that are being written; then the process ends anyway.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(10);

statements! {
    PROBE = "UPDATE write_probe SET tries = tries + 1 WHERE id = 1";
}

// === impl Database ===

impl Database {
    /// Opens `sqlite://PATH`, making the file if there is none, or `postgres://…`. Nothing is migrated.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_allowing(url, WeakDurability::Refused).await
    }

    /// The same, deciding what becomes of a database that can lose what it has acknowledged.
    pub async fn open_allowing(url: &str, weak: WeakDurability) -> Result<Self, OpenError> {
        Self::open_patiently(url, weak, Patience::default()).await
    }

    #[cfg(test)]
    pub(crate) async fn open_with(url: &str, patience: Patience) -> Result<Self, OpenError> {
        Self::open_patiently(url, WeakDurability::Refused, patience).await
    }

    async fn open_patiently(url: &str, weak: WeakDurability, patience: Patience) -> Result<Self, OpenError> {
        // The URL's scheme is the one thing that chooses an engine.
        let (store, durability) = if let Some(path) = url.strip_prefix("sqlite://") {
            let (file, durability) = SqliteFile::open(path, weak, patience).await?;
            (Store::Sqlite(file), durability)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let (pool, durability) = PostgresPool::open(url, weak, patience).await?;
            (Store::Postgres(pool), durability)
        } else {
            return Err(OpenError::Url("must begin with `sqlite://` or `postgres://`"));
        };
        let source = Arc::new(Source { store, health: Health::new(), patience });
        let mut tasks = JoinSet::new();
        let records = record_writer::start(Arc::clone(&source), &mut tasks);
        Ok(Self(Arc::new(Inner { source, records, durability, tasks: Mutex::new(tasks) })))
    }

    /// Brings the schema up to date; refuses a database that a newer binary has migrated.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        self.migrate_to(None).await
    }

    /// The same as an older binary would, up to a version.
    pub(crate) async fn migrate_to(&self, target: Option<i64>) -> Result<(), OpenError> {
        // Migrations are the one text that exists twice.
        match &self.0.source.store {
            Store::Sqlite(file) => {
                let mut lane = file.lane().await.map_err(open_error)?;
                schema::migrate_sqlite(lane.connection(), target).await?;
                lane.keep();
                Ok(())
            }
            Store::Postgres(pool) => schema::migrate_postgres(&mut pool.connect_patiently().await.map_err(open_error)?, target).await,
        }
    }

    /// Whether the schema is the one of this binary.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        // The engines are asked differently which tables they have.
        match &self.0.source.store {
            Store::Sqlite(file) => schema::check_sqlite(&mut *file.reader().await.map_err(open_error)?).await,
            Store::Postgres(pool) => schema::check_postgres(&mut *pool.connection().await.map_err(open_error)?).await,
        }
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        // Told, not used: nothing here behaves differently by it.
        match self.0.source.store {
            Store::Sqlite(_) => Engine::Sqlite,
            Store::Postgres(_) => Engine::Postgres,
        }
    }

    /// Copies one state of everything into an empty SQLite file, beside whoever reads and writes.
    pub(crate) async fn copy_into(&self, file: &Path) -> Result<(), BackupError> {
        match &self.0.source.store {
            // The engine copies its own file as a whole; no row has to be handed over.
            Store::Sqlite(source) => {
                let path = file.to_str().ok_or(OpenError::Url("the path of a file must be UTF-8 text"))?;
                Ok(source.copy_into(path).await.map_err(|error| StoreError::of("copy the database file", error))?)
            }
            Store::Postgres(_) => backup::copy_rows(&mut self.read().await?, file).await,
        }
    }

    /// Prepares for writing as many rows as a database may have.
    pub(crate) async fn expect_many_rows(&self) -> Result<(), StoreError> {
        // PostgreSQL has its memory by its own configuration.
        if let Store::Sqlite(file) = &self.0.source.store {
            file.expect_many_rows().await.map_err(|error| StoreError::of("prepare the writer", error))?;
        }
        Ok(())
    }

    /// The settings that decide whether what is acknowledged survives the loss of power, as they were read back when the database was opened.
    pub fn durability(&self) -> &[DurabilitySetting] {
        &self.0.durability
    }

    /// Begins a transaction that reads one state of the database. It need not be committed.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.0.source.read().await
    }

    /// Begins a transaction that may write. There is one at a time: on SQLite in the process and the file, on PostgreSQL among all instances.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        self.0.source.write().await
    }

    /// Begins a transaction that writes alongside others, for rows that belong to one request and of which no change of configuration depends: on PostgreSQL it does not wait for the row of the installation. On SQLite there is one writer all the same.
    ///
    /// What it reads may be changed by another before it ends, so its changes must say what they expect to find.
    pub async fn write_alongside(&self) -> Result<Tx, StoreError> {
        self.0.source.begin_write().await
    }

    /// The way for session records.
    pub fn records(&self) -> &RecordWriter {
        &self.0.records
    }

    /// Whether the last write came through. Never touches the database: after a failure a task of ours probes until writing works again.
    pub fn is_writable(&self) -> bool {
        self.0.source.health.is_writable()
    }

    /// For the tests that reach below.
    #[cfg(test)]
    pub(crate) fn source(&self) -> &Source {
        &self.0.source
    }

    /// Writes and commits something that nobody reads. It does not wait for a change of configuration that is under way on PostgreSQL.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        self.0.source.probe().await
    }

    /// Writes what is queued, then closes every connection. Later calls fail.
    pub async fn close(&self) {
        self.0.records.close().await;
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::time::timeout(CLOSE_TIME_MAX, async { while tasks.join_next().await.is_some() {} }).await;
        if joined.is_err() {
            tracing::error!("session records were still being written when the time to close was over");
            tasks.abort_all();
        }
        // Each engine closes in its own order.
        match &self.0.source.store {
            Store::Sqlite(file) => file.close().await,
            Store::Postgres(pool) => pool.close().await,
        }
    }
}

// === impl Source ===

impl Source {
    async fn read(&self) -> Result<Tx, StoreError> {
        // A transaction begins in each engine's own words.
        let link = match &self.store {
            Store::Sqlite(file) => file.begin_read().await.map(Link::SqliteReader),
            Store::Postgres(pool) => pool.begin_read().await.map(Link::Postgres),
        };
        link.map(Tx::reading).map_err(|error| StoreError::of("begin reading", error))
    }

    async fn write(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin_write().await?;
        // Only PostgreSQL has writers beside this one.
        if let Store::Postgres(_) = self.store {
            postgres::lock_instance(&mut tx).await?;
        }
        Ok(tx)
    }

    /// Begins to write without waiting for changes of configuration, where the engine has several writers.
    async fn begin_write(&self) -> Result<Tx, StoreError> {
        // As in `read`.
        let link = match &self.store {
            Store::Sqlite(file) => {
                // Waiting in vain for another writer of this process says nothing about the database.
                let mut lane = file.lane().await.map_err(|error| StoreError::of("wait for the writer", error))?;
                lane.begin().await.map(|()| Link::SqliteWriter(lane))
            }
            Store::Postgres(pool) => pool.begin_write().await.map(Link::Postgres),
        };
        let tx = link.map(|link| Tx::writing(link, self.health.clone())).map_err(|error| StoreError::of("begin writing", error));
        if let Err(error) = &tx {
            self.health.fails(error);
        }
        tx
    }

    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        run!(&mut tx, execute, PROBE)?;
        tx.commit().await
    }
}

fn open_error(error: sqlx::Error) -> OpenError {
    OpenError::Connect(Arc::new(error))
}
