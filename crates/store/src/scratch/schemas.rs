//! Schemas of other versions, and the comparison of what is there.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};

use crate::{Database, OpenError};

/// Commits that make a write-ahead log longer than the file that SQLite keeps beside it to find its way (32 KiB), at one page each.
const LONG_LOG_COMMITS: usize = 16;

/// The versions of this binary's migrations, in order.
pub fn versions() -> Vec<i64> {
    crate::schema::versions()
}

/// Makes or brings a database to the schema that a binary of this version had.
pub async fn migrate_to(url: &str, version: i64) -> Result<(), OpenError> {
    let database = Database::open(url).await?;
    let done = database.migrate_to(Some(version)).await;
    database.close().await;
    done
}

/// Runs SQL beside the server, as another program would. Several statements are separated by semicolons.
pub async fn run(url: &str, sql: &str) -> Result<(), OpenError> {
    let sql = AssertSqlSafe(sql.to_owned());
    let run = async {
        if is_sqlite(url) {
            let mut connection = file(url).await?;
            connection.execute(sql).await?;
            connection.close().await
        } else {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute(sql).await?;
            connection.close().await
        }
    };
    run.await.map_err(connect)
}

/// What SQLite says of the integrity of a file: one line, `ok`.
pub async fn integrity(url: &str) -> Result<Vec<String>, OpenError> {
    let check = async {
        let mut connection = file(url).await?;
        let lines = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(lines)
    };
    check.await.map_err(connect)
}

/// Everything that a schema consists of, the migrations that made it, and how many rows each table has, as lines that can be compared.
pub async fn schema(url: &str) -> Result<Vec<String>, OpenError> {
    let read = async {
        if is_sqlite(url) {
            sqlite_schema(&mut file(url).await?).await
        } else {
            postgres_schema(&mut PgConnection::connect(url).await?).await
        }
    };
    read.await.map_err(connect)
}

/// Fills a database with the rows of another one of the same engine, which may have tables and columns more. What was there goes.
pub async fn copy_data(from: &str, to: &str) -> Result<(), OpenError> {
    let copy = async { if is_sqlite(to) { copy_sqlite(from, &mut file(to).await?).await } else { copy_postgres(from, to).await } };
    copy.await.map_err(connect)
}

/// A SQLite file that somebody else has open. So its write-ahead log stays, and is long: a file-size limit can then be put anywhere in what is written next.
#[must_use = "dropped it no longer holds the file"]
pub struct HeldOpen(SqliteConnection);

// === impl HeldOpen ===

impl HeldOpen {
    /// Opens it, making it where there is none.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Database::open(url).await?.close().await;
        let mut connection = file(url).await.map_err(connect)?;
        for number in (0..LONG_LOG_COMMITS).rev() {
            let sql = format!("PRAGMA user_version = {number}");
            connection.execute(AssertSqlSafe(sql)).await.map_err(connect)?;
        }
        Ok(Self(connection))
    }

    /// Lets go.
    pub async fn close(self) -> Result<(), OpenError> {
        self.0.close().await.map_err(connect)
    }
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

async fn file(url: &str) -> Result<SqliteConnection, sqlx::Error> {
    // Rows are copied table by table, so a row may come before the one that it points at.
    SqliteConnectOptions::from_str(url)?.foreign_keys(false).disable_statement_logging().connect().await
}

async fn sqlite_tables(connection: &mut SqliteConnection, place: &str) -> Result<Vec<String>, sqlx::Error> {
    let sql = format!("SELECT name FROM {place}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await
}

async fn sqlite_schema(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let sql = "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_schema ORDER BY type, name";
    let mut lines: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
    for table in sqlite_tables(connection, "main").await? {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        lines.push(format!("{table}: {rows} rows"));
    }
    Ok(lines)
}

async fn postgres_tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename").fetch_all(connection).await
}

async fn postgres_schema(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut lines = Vec::new();
    for sql in [
        "SELECT concat_ws(' ', 'column', table_name, column_name, data_type, collation_name, is_nullable, column_default) \
         FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
        "SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef",
        "SELECT concat_ws(' ', 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid)) \
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "SELECT 'function ' || proname || ' ' || prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    ] {
        let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
        lines.extend(found);
    }
    for table in postgres_tables(connection).await? {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        lines.push(format!("{table}: {rows} rows"));
    }
    Ok(lines)
}

/// The migrator's own table: it tells which schema it is, so it is not copied.
const MIGRATIONS: &str = "_sqlx_migrations";

async fn copy_sqlite(from: &str, to: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let path = from.trim_start_matches("sqlite://").replace('\'', "''");
    to.execute(AssertSqlSafe(format!("ATTACH DATABASE '{path}' AS source"))).await?;
    let sources = sqlite_tables(to, "source").await?;
    for table in sqlite_tables(to, "main").await?.into_iter().filter(|table| table != MIGRATIONS && sources.contains(table)) {
        let sql = format!(
            "SELECT name FROM pragma_table_info('{table}', 'main') INTERSECT SELECT name FROM pragma_table_info('{table}', 'source')"
        );
        let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *to).await?;
        let columns = columns.join(", ");
        let sql = format!("DELETE FROM main.{table}; INSERT INTO main.{table} ({columns}) SELECT {columns} FROM source.{table}");
        to.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}

/// Rows travel as JSON, which the server reads into the columns that there are.
async fn copy_postgres(from: &str, to: &str) -> Result<(), sqlx::Error> {
    let (mut from, mut to) = (PgConnection::connect(from).await?, PgConnection::connect(to).await?);
    to.execute("SET session_replication_role = replica").await?;
    let sources = postgres_tables(&mut from).await?;
    for table in postgres_tables(&mut to).await?.into_iter().filter(|table| table != MIGRATIONS && sources.contains(table)) {
        let sql = format!("SELECT COALESCE(json_agg(row), '[]')::text FROM {table} row");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut from).await?;
        to.execute(AssertSqlSafe(format!("DELETE FROM {table}"))).await?;
        let sql = format!("INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, CAST($1 AS JSON))");
        sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut to).await?;
    }
    Ok(())
}

fn connect(error: sqlx::Error) -> OpenError {
    OpenError::Connect(Arc::new(error))
}
