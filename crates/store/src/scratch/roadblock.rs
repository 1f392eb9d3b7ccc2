//! Stopping a migration in its midst, from outside.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::OpenError;

/// The number of the lock that the migration waits for.
const LOCK: i64 = 4711;

/// Makes whoever changes the schema of a PostgreSQL database wait after so many statements, for as long as this lives.
///
/// The server does it by itself, in a trigger that counts: the program that migrates knows nothing of it.
pub struct Roadblock {
    connection: PgConnection,
}

// === impl Roadblock ===

impl Roadblock {
    /// Puts it behind a statement, counted from 1.
    pub async fn behind(url: &str, statement: i64) -> Result<Self, OpenError> {
        let put = async {
            let mut connection = PgConnection::connect(url).await?;
            let sql = format!(
                "SELECT pg_advisory_lock({LOCK}); CREATE SCHEMA roadblock; CREATE SEQUENCE roadblock.statements; \
                 CREATE FUNCTION roadblock.count() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('roadblock.statements') = {statement} THEN PERFORM pg_advisory_lock({LOCK}); END IF; END $$; \
                 CREATE EVENT TRIGGER roadblock ON ddl_command_end EXECUTE FUNCTION roadblock.count()"
            );
            connection.execute(AssertSqlSafe(sql)).await?;
            Ok(Self { connection })
        };
        put.await.map_err(connect)
    }

    /// Whether somebody waits there.
    pub async fn is_reached(&mut self) -> Result<bool, OpenError> {
        let sql = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let waiting: i64 = sqlx::query_scalar(sql).bind(LOCK).fetch_one(&mut self.connection).await.map_err(connect)?;
        Ok(waiting > 0)
    }

    /// How many statements have changed the schema.
    pub async fn statements(&mut self) -> Result<i64, OpenError> {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM roadblock.statements";
        sqlx::query_scalar(sql).fetch_one(&mut self.connection).await.map_err(connect)
    }

    /// Takes it away. Waits until a migration that was held up has ended, which it does by itself when its program is gone.
    pub async fn lift(mut self) -> Result<(), OpenError> {
        let sql = format!("SELECT pg_advisory_unlock({LOCK}); DROP EVENT TRIGGER roadblock");
        let lift = async {
            self.connection.execute(AssertSqlSafe(sql)).await?;
            // In a transaction of its own: it waits for the sequence, which the migration holds.
            self.connection.execute("DROP SCHEMA roadblock CASCADE").await?;
            self.connection.close().await
        };
        lift.await.map_err(connect)
    }
}

fn connect(error: sqlx::Error) -> OpenError {
    OpenError::Connect(Arc::new(error))
}
