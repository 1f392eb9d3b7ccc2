//! PostgreSQL: a pool, and a connection of its own for the record writer.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _, Executor, PgConnection, PgPool, Postgres, Transaction};

use super::{Patience, open_error};
use crate::durability::{DurabilitySetting, WeakDurability, judge};
use crate::statement::{limited, within};
use crate::tx::{Connection, Tx};
use crate::{OpenError, StoreError};

/// Connections for everything but session records. Ten instances of the server stay below PostgreSQL's default of 100.
const CONNECTIONS_MAX: u32 = 8;

/// Limits that the server keeps: a process that is stopped or cut off must not hold locks, and waiting for one ends while somebody still waits for the answer.
const SESSION_SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '4s'; SET idle_in_transaction_session_timeout = '60s'";

/// The row lock that makes write transactions follow one another, as on SQLite: what a change has read stays true until it commits, and the audit log is numbered in the order of the commits.
const LOCK_INSTANCE: &str = "SELECT version FROM instance WHERE id = 1 FOR UPDATE";

/// Connections to one database.
pub(crate) struct PostgresPool {
    pool: PgPool,
    options: PgConnectOptions,
    patience: Duration,
}

impl PostgresPool {
    pub(super) async fn open(url: &str, weak: WeakDurability, patience: Patience) -> Result<(Self, Vec<DurabilitySetting>), OpenError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| {
                OpenError::Url("`postgres://` must be followed by user, host and database, such as `postgres://user@host/tollhouse`")
            })?
            .application_name("tollhouse")
            .disable_statement_logging();
        let limit = patience.connection;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(limit)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION_SETTINGS).await.map(|_| ()) }))
            // A connection whose other end has gone would hold its place in the pool until the system gives up, many minutes later.
            .after_release(move |connection, _| Box::pin(async move { within(limit, connection.ping()).await.map(|()| true) }))
            .connect_lazy_with(options.clone());
        let store = Self { pool, options, patience: limit };
        // Not through the pool, which would try again and then only say that its time was over.
        let mut connection = store.connect_patiently().await.map_err(open_error)?;
        let durability = judge(durability(&mut connection).await.map_err(open_error)?, weak)?;
        connection.close().await.map_err(open_error)?;
        Ok((store, durability))
    }

    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        within(self.patience, self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await
    }

    pub(super) async fn begin_write(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        within(self.patience, self.pool.begin()).await
    }

    pub(super) async fn connection(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.pool.acquire().await
    }

    /// A connection outside the pool.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = within(self.patience, self.options.connect()).await?;
        connection.execute(SESSION_SETTINGS).await?;
        Ok(connection)
    }

    /// A connection outside the pool that waits as long as it takes: a migration may, and another instance may be migrating.
    pub(super) async fn connect_patiently(&self) -> Result<PgConnection, sqlx::Error> {
        within(self.patience, self.options.connect()).await
    }

    pub(super) async fn close(&self) {
        if tokio::time::timeout(self.patience, self.pool.close()).await.is_err() {
            tracing::warn!("transactions were still open when the time to close the database was over");
        }
    }
}

/// Waits until no other change of configuration is under way.
pub(super) async fn lock_instance(tx: &mut Tx) -> Result<(), StoreError> {
    let Connection::Postgres(connection) = tx.connection() else { return Ok(()) };
    // Its failure is not kept as one of the database: sessions are written without this lock.
    let locked = limited(sqlx::query(LOCK_INSTANCE).execute(connection)).await;
    locked.map(|_| ()).map_err(|error| StoreError::of("wait for another change", error))
}

/// `remote_apply`, `remote_write` and `local` all wait for the local disk; only `off` acknowledges what may be lost. Without `fsync` there is no disk to wait for.
async fn durability(connection: &mut PgConnection) -> Result<Vec<DurabilitySetting>, sqlx::Error> {
    let commit: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *connection).await?;
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(connection).await?;
    Ok(vec![
        DurabilitySetting { name: "synchronous_commit", holds: commit != "off", value: commit, wanted: "on" },
        DurabilitySetting { name: "fsync", holds: fsync != "off", value: fsync, wanted: "on" },
    ])
}
