//! Both engines have the same schema, every statement fits it, and a schema that does not fit the binary is refused.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};

use super::{PATIENT, Place, each_engine, on_postgres, sqlite_url};
use crate::statement::Statement;
use crate::{Database, OpenError};

fn every_statement() -> Vec<Statement> {
    [
        crate::api_key_pairs::ALL,
        crate::audit_log::ALL,
        crate::audit_log::chain::ALL,
        crate::audit_log::journal::ALL,
        crate::backup::ALL,
        &crate::copy::statements(),
        crate::data_keys::ALL,
        crate::database::ALL,
        crate::idempotency_keys::ALL,
        crate::merchant_accounts::ALL,
        crate::payment_services::ALL,
        crate::record_writer::inserts(),
        crate::roles::ALL,
        crate::session_records::ALL,
        crate::snapshot::ALL,
        crate::tx::ALL,
    ]
    .concat()
}

async fn sqlite(place: &Place) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}", place.sqlite_path())).await.unwrap()
}

/// Runs SQL beside the server, as another program would.
async fn execute(place: &Place, sql: &str) {
    let sql = AssertSqlSafe(sql);
    if place.is_sqlite() {
        sqlite(place).await.execute(sql).await.unwrap();
    } else {
        PgConnection::connect(&place.url).await.unwrap().execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    each_engine(|place| async move {
        let mut statements = every_statement();
        assert!(statements.len() > 50, "{}", statements.len());
        if place.is_sqlite() {
            statements.extend(crate::record_writer::inserts_for_sqlite());
        }
        let mut file = if place.is_sqlite() { Some(sqlite(&place).await) } else { None };
        let mut server = if place.is_sqlite() { None } else { Some(PgConnection::connect(&place.url).await.unwrap()) };
        for statement in statements {
            let sql = statement.text.into_sql_str();
            let outcome = match (&mut file, &mut server) {
                (Some(file), _) => file.prepare(sql).await.map(|_| ()),
                (_, Some(server)) => server.prepare(sql).await.map(|_| ()),
                (None, None) => unreachable!("a place is on one engine"),
            };
            assert!(outcome.is_ok(), "{}: {:?}\n{}", statement.name, outcome, statement.text);
        }
    })
    .await;
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    each_engine(|place| async move {
        place.db.migrate().await.unwrap();
        let place = place.reopened().await;
        place.db.migrate().await.unwrap();
        place.db.check_schema().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_a_reason() {
    each_engine(|place| async move {
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     SELECT 9, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        execute(&place, newer).await;
        for outcome in [place.db.migrate().await, place.db.check_schema().await] {
            let error = outcome.unwrap_err();
            assert!(matches!(error, OpenError::NewerSchema { database: 9, binary: 3 }), "{error:?}");
            assert!(error.to_string().contains("this binary is too old"), "{error}");
        }
        // Nothing was changed by the refusal, and what is open goes on.
        place.db.probe_write().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_migration_of_another_build_is_refused() {
    each_engine(|place| async move {
        let other = if place.is_sqlite() { "x'00'" } else { "'\\x00'" };
        execute(&place, &format!("UPDATE _sqlx_migrations SET checksum = {other}")).await;
        let error = place.db.migrate().await.unwrap_err();
        assert!(matches!(error, OpenError::ChangedMigration { version: 1 }), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn an_empty_database_is_told_apart_from_a_migrated_one() {
    let directory = tempfile::tempdir().unwrap();
    check_empty(&sqlite_url(&directory)).await;
    on_postgres(async |url| check_empty(&url).await).await;
}

async fn check_empty(url: &str) {
    let db = Database::open_with(url, PATIENT).await.unwrap();
    let error = db.check_schema().await.unwrap_err();
    assert!(matches!(error, OpenError::OlderSchema { database: 0, binary: 3 }), "{error:?}");
    assert!(error.to_string().contains("tollhouse migrate"), "{error}");
    db.close().await;
}

#[tokio::test]
async fn two_processes_may_migrate_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite_url(&directory);
    let one = Database::open_with(&url, PATIENT).await.unwrap();
    let two = Database::open_with(&url, PATIENT).await.unwrap();
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn urls_that_are_not_ours_are_refused() {
    for url in ["mysql://x", "sqlite:", "sqlite://", "sqlite://:memory:", "sqlite://x.db?mode=memory", "/tmp/x.db", "postgres://[::1"] {
        let error = Database::open(url).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Url(_)), "{url}: {error:?}");
    }
    let error = Database::open("sqlite:///no/such/folder/x.db").await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder/x.db"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_companions_are_readable_by_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    place.db.probe_write().await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{}{suffix}", place.sqlite_path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

/// What a schema consists of, in words that both engines share.
#[derive(Debug, Default, PartialEq, Eq)]
struct Schema {
    /// Table to columns in order: name, type, `null` or `not null`.
    tables: BTreeMap<String, Vec<(String, String, &'static str)>>,
    /// Table, `unique` or `index`, and columns.
    indexes: Vec<(String, &'static str, Vec<String>)>,
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let directory = tempfile::tempdir().unwrap();
    let file = Place::migrated(sqlite_url(&directory)).await;
    on_postgres(async |url| {
        let here = sqlite_schema(&mut sqlite(&file).await).await;
        let place = Place::migrated(url).await;
        let there = postgres_schema(&mut PgConnection::connect(&place.url).await.unwrap()).await;
        assert!(here.tables.len() >= 12, "{:?}", here.tables.keys());
        for (table, columns) in &here.tables {
            assert_eq!(Some(columns), there.tables.get(table), "{table}");
        }
        assert_eq!(here, there);
    })
    .await;
}

async fn sqlite_schema(connection: &mut SqliteConnection) -> Schema {
    let mut schema = Schema::default();
    let columns: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT t.name, c.name, c.type, c.\"notnull\" FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
         WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.cid",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (table, column, kind, not_null) in columns {
        let null = if not_null == 1 { "not null" } else { "null" };
        schema.tables.entry(table).or_default().push((column, kind.to_lowercase(), null));
    }
    for table in schema.tables.keys() {
        let indexes: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, \"unique\" FROM pragma_index_list($1)").bind(table).fetch_all(&mut *connection).await.unwrap();
        for (index, unique) in indexes {
            let columns: Vec<(String,)> = sqlx::query_as("SELECT name FROM pragma_index_info($1) ORDER BY seqno")
                .bind(&index)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
            let kind = if unique == 1 { "unique" } else { "index" };
            schema.indexes.push((table.clone(), kind, columns.into_iter().map(|(name,)| name).collect()));
        }
        // A primary key of one integer is the row id and has no index of its own.
        let key: Vec<(String, String)> = sqlx::query_as("SELECT name, type FROM pragma_table_info($1) WHERE pk > 0")
            .bind(table)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        if let [(name, kind)] = key.as_slice()
            && kind == "INTEGER"
        {
            schema.indexes.push((table.clone(), "unique", vec![name.clone()]));
        }
    }
    schema.indexes.sort();
    schema
}

async fn postgres_schema(connection: &mut PgConnection) -> Schema {
    let mut schema = Schema::default();
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' ORDER BY table_name, ordinal_position",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (table, column, kind, nullable) in columns {
        let kind = match kind.as_str() {
            "bigint" | "boolean" => "integer",
            "uuid" | "bytea" => "blob",
            other => other,
        };
        let null = if nullable == "NO" { "not null" } else { "null" };
        schema.tables.entry(table).or_default().push((column, kind.to_owned(), null));
    }
    let indexes: Vec<(String, bool, Vec<String>)> = sqlx::query_as(
        "SELECT t.relname::text, i.indisunique, ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY k(number, place) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number ORDER BY k.place) \
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
         WHERE n.nspname = 'public' AND t.relname <> '_sqlx_migrations'",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    schema.indexes =
        indexes.into_iter().map(|(table, unique, columns)| (table, if unique { "unique" } else { "index" }, columns)).collect();
    schema.indexes.sort();
    schema
}
