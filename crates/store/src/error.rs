//! What can go wrong, sorted by who can do something about it.

use std::error::Error;
use std::sync::Arc;

/// The driver's own error. Behind an [`Arc`], since one failed commit of the record writer is told to every waiter.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why a statement or a transaction failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can not be reached, is full, read-only, busy or too slow. It may work again later.
    #[error("the database is not available: {action}: {cause}")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// What the driver said.
        cause: Cause,
    },
    /// The database refused these values: a constraint or a limit. The same write fails again.
    #[error("the database refused the values: {action}: {cause}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What the driver said.
        cause: Cause,
    },
    /// A mistake of ours, such as a statement that does not fit the schema.
    #[error("unexpected database error: {action}: {cause}")]
    Unexpected {
        /// What was tried.
        action: &'static str,
        /// What the driver said.
        cause: Cause,
    },
    /// A row holds something that it can not hold.
    #[error("table {table}, column {column}, id {id}: the stored value can not be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// The cursor was made for a list with another sort order.
    #[error("the cursor belongs to another list")]
    ForeignCursor,
}

/// Why a database can not be used at all. The messages are for the operator who starts the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of ours. It is not repeated, since it may hold a password.
    #[error("database URL: {0}")]
    Url(&'static str),
    /// The file can not be opened or made.
    #[error("database file {path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The engine can not be reached or refuses us.
    #[error("the database can not be opened: {0}")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
    /// A setting that would lose acknowledged writes.
    #[error(
        "the database runs with {setting} = {value}, which can lose acknowledged writes: it must be {wanted}, unless --unsafe-durability accepts the loss"
    )]
    WeakDurability {
        /// Its name.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A newer binary has migrated this database.
    #[error(
        "the database has schema version {database}, this binary knows {binary}: this binary is too old, start the version that migrated the database, or a newer one"
    )]
    NewerSchema {
        /// The version that the database has.
        database: i64,
        /// The newest version that this binary has.
        binary: i64,
    },
    /// Migrations are missing.
    #[error("the database has schema version {database}, this binary needs {binary}: run `tollhouse migrate`")]
    OlderSchema {
        /// The version that the database has; 0 when it is empty.
        database: i64,
        /// The version that this binary needs.
        binary: i64,
    },
    /// A migration that was applied had another text.
    #[error("migration {version} of this database is not the one in this binary: it was migrated by another build")]
    ChangedMigration {
        /// Its number.
        version: i64,
    },
    /// A migration failed. It was rolled back.
    #[error("the migration failed: {0}")]
    Migrate(#[source] Arc<dyn Error + Send + Sync>),
}

// === impl StoreError ===

/// A cause that no driver reports.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Message(&'static str);

impl StoreError {
    /// Sorts a driver's error.
    pub(crate) fn of(action: &'static str, error: sqlx::Error) -> Self {
        let kind = kind(&error);
        let cause: Cause = Arc::new(error);
        match kind {
            Kind::Unavailable => Self::Unavailable { action, cause },
            Kind::Refused => Self::Refused { action, cause },
            Kind::Unexpected => Self::Unexpected { action, cause },
        }
    }

    /// Something took too long, or is closing.
    pub(crate) fn unavailable(action: &'static str, message: &'static str) -> Self {
        Self::Unavailable { action, cause: Arc::new(Message(message)) }
    }

    /// Whether it is the database and not the values that stands in the way of writing.
    pub(crate) fn stops_writing(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Unexpected { .. } => true,
            Self::Refused { .. } | Self::Corrupt { .. } | Self::ForeignCursor => false,
        }
    }
}

enum Kind {
    Unavailable,
    Refused,
    Unexpected,
}

fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Kind::Unavailable,
        sqlx::Error::Database(error) => error.code().map_or(Kind::Unexpected, |code| kind_of_code(&code)),
        // The driver's other errors are about our own text and types; its enum may grow.
        _ => Kind::Unexpected,
    }
}

/// Both engines answer with codes that say what kind of failure it was: PostgreSQL five characters, of which the first two are a class; SQLite a number whose low byte is the primary code.
fn kind_of_code(code: &str) -> Kind {
    if code.len() == 5 {
        return match code.get(..2).unwrap_or_default() {
            // Data exception, integrity constraint violation.
            "22" | "23" => Kind::Refused,
            // Connection, read-only transaction, invalid authorisation, no such database, rollback, resources, limits, lock, operator, system.
            "08" | "25" | "28" | "3D" | "40" | "53" | "54" | "55" | "57" | "58" => Kind::Unavailable,
            _ => Kind::Unexpected,
        };
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH.
        Ok(18..=20) => Kind::Refused,
        // SQLITE_PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL, NOLFS.
        Ok(3 | 5..=10 | 13..=15 | 22) => Kind::Unavailable,
        _ => Kind::Unexpected,
    }
}
