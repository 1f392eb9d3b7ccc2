//! What a server has stored, column by column, whichever database it has.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use testkit::server::Plan;

/// One row: the names of its columns, and their values as the database writes them.
pub(crate) type Row = BTreeMap<String, String>;

/// All tables with all their rows, in the order of the database.
pub(crate) async fn stored(plan: &Plan) -> BTreeMap<String, Vec<Row>> {
    let url = plan.database_url();
    if url.starts_with("postgres") { of_postgres(url).await } else { of_sqlite(url).await }
}

async fn of_postgres(url: &str) -> BTreeMap<String, Vec<Row>> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let names = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
    let mut found = BTreeMap::new();
    for table in tables {
        let rows = format!("SELECT to_jsonb(t)::text FROM \"{table}\" t");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap();
        found.insert(table, rows.iter().map(|row| row_of(row)).collect());
    }
    connection.close().await.unwrap();
    found
}

async fn of_sqlite(url: &str) -> BTreeMap<String, Vec<Row>> {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let names = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let tables: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
    let mut found = BTreeMap::new();
    for table in tables {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_all(&mut connection).await.unwrap();
        let members: Vec<String> = columns.iter().map(|column| format!("'{column}', quote(\"{column}\")")).collect();
        let rows = format!("SELECT json_object({}) FROM \"{table}\"", members.join(", "));
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap();
        found.insert(table, rows.iter().map(|row| row_of(row)).collect());
    }
    connection.close().await.unwrap();
    found
}

fn row_of(json: &str) -> Row {
    let row: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    row.into_iter().map(|(name, value)| (name, text(value))).collect()
}
