//! Databases of a test's own, and what a test has to do below them: older schemas, comparisons, obstacles. For tests, here and in other crates.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};

use crate::OpenError;

mod roadblock;
mod schemas;

pub use roadblock::Roadblock;
pub use schemas::{HeldOpen, copy_data, integrity, migrate_to, run, schema, versions};

/// An empty database that lives until [`ScratchDatabase::drop`].
#[must_use = "it stays on the server until it is dropped"]
pub struct ScratchDatabase {
    /// Opens it.
    pub url: String,
    name: String,
    admin: PgConnectOptions,
}

/// Makes an empty database with a name that nobody else has.
pub async fn create_postgres(admin_url: &str) -> Result<ScratchDatabase, OpenError> {
    let admin = PgConnectOptions::from_str(admin_url).map_err(|_| OpenError::Url("not a `postgres://` URL"))?.disable_statement_logging();
    #[expect(clippy::disallowed_methods, reason = "the name of a test's database need not be the same twice")]
    let name = format!("tollhouse_scratch_{}", uuid::Uuid::new_v4().simple());
    administer(&admin, format!("CREATE DATABASE {name}")).await?;
    let url = admin.clone().database(&name).to_url_lossy().to_string();
    Ok(ScratchDatabase { url, name, admin })
}

impl ScratchDatabase {
    /// Removes the database, closing what is still connected to it.
    pub async fn drop(self) -> Result<(), OpenError> {
        administer(&self.admin, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }
}

/// Runs SQL on the database of a URL as another program would: several statements, separated by semicolons.
pub async fn execute(url: &str, sql: &str) -> Result<(), OpenError> {
    let sql = AssertSqlSafe(sql.to_owned());
    let run = async {
        match sqlite_options(url) {
            Some(options) => {
                let mut connection: SqliteConnection = options.connect().await?;
                connection.execute(sql).await?;
                connection.close().await
            }
            None => {
                let mut connection = PgConnection::connect(url).await?;
                connection.execute(sql).await?;
                connection.close().await
            }
        }
    };
    run.await.map_err(|error| OpenError::Connect(Arc::new(error)))
}

/// The whole numbers that a query answers, one per row.
pub async fn numbers(url: &str, sql: &str) -> Result<Vec<i64>, OpenError> {
    let sql = AssertSqlSafe(sql.to_owned());
    let run = async {
        match sqlite_options(url) {
            Some(options) => {
                let mut connection: SqliteConnection = options.connect().await?;
                let numbers = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
                connection.close().await.map(|()| numbers)
            }
            None => {
                let mut connection = PgConnection::connect(url).await?;
                let numbers = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
                connection.close().await.map(|()| numbers)
            }
        }
    };
    run.await.map_err(|error| OpenError::Connect(Arc::new(error)))
}

/// How to open the file behind an SQLite URL beside a server that writes it.
fn sqlite_options(url: &str) -> Option<SqliteConnectOptions> {
    const PATIENCE: Duration = Duration::from_secs(10);
    url.strip_prefix("sqlite://").map(|path| SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE))
}

async fn administer(admin: &PgConnectOptions, sql: String) -> Result<(), OpenError> {
    let run = async {
        let mut connection: PgConnection = admin.connect().await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        connection.close().await
    };
    run.await.map_err(|error| OpenError::Connect(Arc::new(error)))
}
