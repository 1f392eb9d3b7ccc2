//! Databases of a test's own on a PostgreSQL server. For tests, here and in other crates.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

use crate::OpenError;

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
    execute(&admin, format!("CREATE DATABASE {name}")).await?;
    let url = admin.clone().database(&name).to_url_lossy().to_string();
    Ok(ScratchDatabase { url, name, admin })
}

impl ScratchDatabase {
    /// Removes the database, closing what is still connected to it.
    pub async fn drop(self) -> Result<(), OpenError> {
        execute(&self.admin, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }
}

async fn execute(admin: &PgConnectOptions, sql: String) -> Result<(), OpenError> {
    let run = async {
        let mut connection: PgConnection = admin.connect().await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        connection.close().await
    };
    run.await.map_err(|error| OpenError::Connect(Arc::new(error)))
}
