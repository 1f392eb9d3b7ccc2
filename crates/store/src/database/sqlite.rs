//! SQLite: one file, one connection that writes, a few that read.

mod checkpointer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

use self::checkpointer::{Checkpointer, LOG_PAGES_MAX};
use super::{Patience, open_error};
use crate::OpenError;
use crate::durability::{DurabilitySetting, WeakDurability, judge};
use crate::statement::within;

/// Readers: lists and snapshots, never sessions. Each one is a thread.
const READERS_MAX: u32 = 4;

/// Memory for the pages of a file that is filled from its beginning to its end, in KiB. With SQLite's own 2 MiB the indexes of a large table would be written over and over.
const FILLING_CACHE_KIB: u32 = 64 * 1024;

/// An open database file.
pub(crate) struct SqliteFile {
    readers: SqlitePool,
    options: SqliteConnectOptions,
    /// The connection that writes; empty until it is needed, and after a transaction that did not end well.
    writer: Arc<Mutex<Option<SqliteConnection>>>,
    /// Told of every commit.
    written: Arc<Notify>,
    /// None for files that are not served from.
    checkpointer: Option<Checkpointer>,
    patience: Duration,
}

/// The right to write, with the connection for it.
pub(crate) struct WriteLane {
    connection: SqliteConnection,
    slot: OwnedMutexGuard<Option<SqliteConnection>>,
    written: Arc<Notify>,
}

// === impl SqliteFile ===

impl SqliteFile {
    pub(super) async fn open(path: &str, weak: WeakDurability, patience: Patience) -> Result<(Self, Vec<DurabilitySetting>), OpenError> {
        if path.is_empty() || path.starts_with(':') {
            return Err(OpenError::Url("`sqlite://` must be followed by the path of a file"));
        }
        if path.contains('?') {
            return Err(OpenError::Url("`sqlite://PATH` takes no options"));
        }
        make_private(path).await.map_err(|cause| OpenError::File { path: path.to_owned(), cause })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(patience.connection)
            .foreign_keys(true)
            // Statements of all modules, with room.
            .statement_cache_capacity(200)
            .disable_statement_logging();
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(patience.connection)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.clone().read_only(true));
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", LOG_PAGES_MAX.to_string())
            // What undoes half a statement of several rows; else a file is made and removed for each.
            .pragma("temp_store", "MEMORY");
        let written = Arc::new(Notify::new());
        let checkpointer = Some(Checkpointer::start(options.clone(), Arc::clone(&written)));
        let file = Self { readers, options, writer: Arc::new(Mutex::new(None)), written, checkpointer, patience: patience.connection };
        let mut lane = file.lane().await.map_err(open_error)?;
        let durability = judge(durability(lane.connection()).await.map_err(open_error)?, weak)?;
        lane.keep();
        Ok((file, durability))
    }

    /// A new file that is worthless until it is whole: whoever makes it syncs it at the end, and throws it away after a failure. So nothing waits for the disk.
    pub(crate) fn in_the_making(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
        let options = options.journal_mode(SqliteJournalMode::Memory).synchronous(SqliteSynchronous::Off);
        Self::of(options.pragma("cache_size", format!("-{FILLING_CACHE_KIB}")))
    }

    /// A finished file that nobody writes any more: nothing is locked, and nothing is made beside it.
    pub(crate) fn finished(path: &Path) -> Self {
        // What a stranger has put into the schema of the file is not run by looking at it.
        let options = SqliteConnectOptions::new().filename(path).disable_statement_logging().pragma("trusted_schema", "OFF");
        Self::of(options.immutable(true))
    }

    fn of(options: SqliteConnectOptions) -> Self {
        let patience = Patience::default().connection;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(patience)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().read_only(true));
        Self { readers, options, writer: Arc::new(Mutex::new(None)), written: Arc::default(), checkpointer: None, patience }
    }

    /// Copies the file as it is at one moment into an empty one, without holding up anybody who writes. No journal is kept, and nothing waits for the disk.
    pub(crate) async fn copy_into(&self, path: &str) -> Result<(), sqlx::Error> {
        sqlx::query("VACUUM INTO $1").bind(path).execute(&mut *self.reader().await?).await.map(|_| ())
    }

    /// Lets a connection that is going to fill the file keep more of it in memory.
    pub(crate) async fn expect_many_rows(&self) -> Result<(), sqlx::Error> {
        let mut lane = self.lane().await?;
        sqlx::query(AssertSqlSafe(format!("PRAGMA cache_size = -{FILLING_CACHE_KIB}"))).execute(lane.connection()).await?;
        lane.keep();
        Ok(())
    }

    /// Waits for the right to write, first come, first served.
    pub(crate) async fn lane(&self) -> Result<WriteLane, sqlx::Error> {
        let mut slot = within(self.patience, async { Ok(Arc::clone(&self.writer).lock_owned().await) }).await?;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(WriteLane { connection, slot, written: Arc::clone(&self.written) })
    }

    pub(crate) async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.readers.begin().await
    }

    pub(crate) async fn reader(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.readers.acquire().await
    }

    /// The writer goes last, so that it is the one that tidies the write-ahead log away.
    pub(crate) async fn close(&self) {
        let closed = within(self.patience, async {
            self.readers.close().await;
            if let Some(checkpointer) = &self.checkpointer {
                checkpointer.stop().await;
            }
            match self.writer.lock().await.take() {
                Some(connection) => connection.close().await,
                None => Ok(()),
            }
        });
        if let Err(error) = closed.await {
            tracing::warn!(%error, "the database file was not closed in order; the next start will tidy up");
        }
    }
}

// === impl WriteLane ===

impl WriteLane {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Takes the lock of the file at once: a transaction that reads first and then wants to write can be refused without recourse.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await.map(|_| ())
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        self.keep();
        Ok(())
    }

    /// Gives the connection to the next writer. Without this it is closed, which rolls back whatever is open.
    pub(crate) fn keep(self) {
        let Self { connection, mut slot, written } = self;
        *slot = Some(connection);
        written.notify_one();
    }
}

/// Makes the file if there is none, readable by its owner alone. SQLite gives its companions (`-wal`, `-shm`) the same mode.
async fn make_private(path: impl AsRef<Path>) -> std::io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await.map(|_| ())
}

/// What `PRAGMA synchronous` means by its numbers, weakest first.
const SYNCHRONOUS: [&str; 4] = ["off", "normal", "full", "extra"];

/// Reads back what was asked for: a file system without shared memory, for one, gives no write-ahead log.
async fn durability(connection: &mut SqliteConnection) -> Result<Vec<DurabilitySetting>, sqlx::Error> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(connection).await?;
    let word = usize::try_from(synchronous).ok().and_then(|number| SYNCHRONOUS.get(number).copied());
    Ok(vec![
        DurabilitySetting { name: "journal_mode", holds: mode == "wal", value: mode, wanted: "wal" },
        DurabilitySetting {
            name: "synchronous",
            holds: matches!(word, Some("full" | "extra")),
            value: word.map_or_else(|| synchronous.to_string(), str::to_owned),
            wanted: "full",
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system without shared memory is played by a part of SQLite that uses none.
    #[tokio::test]
    async fn r20_a_file_without_a_write_ahead_log_is_refused_unless_that_is_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("without.db"))
            .create_if_missing(true)
            .vfs("unix-dotfile")
            .journal_mode(SqliteJournalMode::Wal);
        let mut connection = options.clone().synchronous(SqliteSynchronous::Full).connect().await.unwrap();
        let read = durability(&mut connection).await.unwrap();
        let error = judge(read.clone(), WeakDurability::Refused).unwrap_err().to_string();
        assert!(error.contains("journal_mode = delete") && error.contains("--unsafe-durability"), "{error}");
        assert_eq!(judge(read.clone(), WeakDurability::Accepted).unwrap(), read);
        connection.close().await.unwrap();

        let mut connection = options.vfs("unix").synchronous(SqliteSynchronous::Normal).connect().await.unwrap();
        let read = durability(&mut connection).await.unwrap();
        let error = judge(read, WeakDurability::Refused).unwrap_err().to_string();
        assert!(error.contains("synchronous = normal") && error.contains("must be full"), "{error}");
    }
}
