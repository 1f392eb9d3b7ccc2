//! Transactions.

use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use crate::StoreError;
use crate::database::WriteLane;
use crate::health::Health;
use crate::statement::{Statement, limited};

/// An open transaction. Dropped without [`Tx::commit`] it is rolled back.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Tx {
    link: Link,
    /// Told about failures; reads do not tell.
    health: Option<Health>,
}

/// What holds the transaction open.
pub(crate) enum Link {
    /// One of SQLite's read-only connections.
    SqliteReader(Transaction<'static, Sqlite>),
    /// The one connection that writes. If the transaction does not end well, it is closed, which rolls back, and the next writer opens another: SQLite may have rolled back by itself, and then the driver's count of open transactions is wrong for ever.
    SqliteWriter(WriteLane),
    /// A connection of the pool.
    Postgres(Transaction<'static, Postgres>),
}

/// The driver's connection, for `run!`.
pub(crate) enum Connection<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

statements! {
    BUMP_VERSION = "UPDATE instance SET version = version + 1 WHERE id = 1 RETURNING version";
}

impl Tx {
    pub(crate) fn reading(link: Link) -> Self {
        Self { link, health: None }
    }

    pub(crate) fn writing(link: Link, health: Health) -> Self {
        Self { link, health: Some(health) }
    }

    /// Ends the transaction. What it wrote is durable when this returns.
    pub async fn commit(self) -> Result<(), StoreError> {
        // The link itself decides how it ends.
        let outcome = match self.link {
            Link::SqliteReader(transaction) => limited(transaction.commit()).await,
            Link::SqliteWriter(lane) => limited(lane.commit()).await,
            Link::Postgres(transaction) => limited(transaction.commit()).await,
        };
        let outcome = outcome.map_err(|error| StoreError::of("commit", error));
        if let Some(health) = &self.health {
            health.note(&outcome);
        }
        outcome
    }

    /// Says that the configuration has changed, so that every process loads its snapshot again; answers the new version.
    pub async fn bump_version(&mut self) -> Result<i64, StoreError> {
        let (version,) = run!(self, one(i64,), BUMP_VERSION)?;
        Ok(version)
    }

    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match &mut self.link {
            Link::SqliteReader(transaction) => Connection::Sqlite(&mut *transaction),
            Link::SqliteWriter(lane) => Connection::Sqlite(lane.connection()),
            Link::Postgres(transaction) => Connection::Postgres(&mut *transaction),
        }
    }

    /// Names the statement that failed, and remembers that writing fails.
    pub(crate) fn noted<T>(&self, statement: Statement, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        outcome.map_err(|error| {
            let error = StoreError::of(statement.name, error);
            if let Some(health) = &self.health
                && error.stops_writing()
            {
                health.fails(&error);
            }
            error
        })
    }
}
