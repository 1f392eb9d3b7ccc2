//! Moves what the write-ahead log of SQLite holds into the database file, beside whoever writes.
//!
//! Left to itself the engine does this within the commit that makes the log too long, and every session that waits for that commit waits for all of it. Done by another connection it holds up nobody; the log then becomes short within a commit that has little left to move.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

/// Pages of 4 KiB in the log before a commit itself moves them.
pub(super) const LOG_PAGES_MAX: u32 = 4096;

/// From the first commit to the next move: pages that are written again and again in between are moved once.
const PAUSE: Duration = Duration::from_millis(250);

/// The task that moves pages, while there are commits. It ends when this is dropped.
pub(super) struct Checkpointer {
    task: Mutex<Option<(oneshot::Sender<()>, JoinSet<()>)>>,
}

// === impl Checkpointer ===

impl Checkpointer {
    /// `written` is told of every commit.
    pub(super) fn start(options: SqliteConnectOptions, written: Arc<Notify>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(run(options, written, stopped));
        Self { task: Mutex::new(Some((stop, task))) }
    }

    /// Waits until its connection is closed.
    pub(super) async fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((stop, mut task)) = task else { return };
        drop(stop);
        if let Some(Err(error)) = task.join_next().await {
            tracing::error!(%error, "the task that moves pages out of the write-ahead log did not end in order");
        }
    }
}

async fn run(options: SqliteConnectOptions, written: Arc<Notify>, mut stopped: oneshot::Receiver<()>) {
    let mut connection = None;
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = async {
                written.notified().await;
                tokio::time::sleep(PAUSE).await;
            } => {}
        }
        match moved(&options, connection.take()).await {
            Ok(used) => connection = Some(used),
            // A commit does it then.
            Err(error) => tracing::debug!(%error, "the write-ahead log could not be moved into the database file"),
        }
    }
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::debug!(%error, "the connection that moves pages was not closed in order");
    }
}

/// Moves what can be moved without waiting for anybody.
async fn moved(options: &SqliteConnectOptions, kept: Option<SqliteConnection>) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => options.connect().await?,
    };
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await?;
    Ok(connection)
}
