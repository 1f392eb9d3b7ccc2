//! Databases for tests: a SQLite file, and PostgreSQL where `TOLLHOUSE_TEST_POSTGRES` names a server.

use store::{Database, scratch};
use tempfile::TempDir;

use crate::sessions::without_unwinding;

/// Runs a test on a migrated database of each engine, in a directory of its own.
pub(crate) async fn on_each_database(test: impl AsyncFn(Database, TempDir)) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    test(migrated(&url).await, directory).await;
    let Some(server) = postgres_server() else { return };
    let scratch = scratch::create_postgres(&server).await.unwrap();
    let database = migrated(&scratch.url).await;
    let outcome = without_unwinding(test(database, tempfile::tempdir().unwrap())).await;
    // The database goes whatever the test has found.
    scratch.drop().await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

async fn migrated(url: &str) -> Database {
    let database = Database::open(url).await.unwrap();
    database.migrate().await.unwrap();
    database
}

#[expect(clippy::disallowed_methods, reason = "the one way to tell the tests about a server")]
fn postgres_server() -> Option<String> {
    std::env::var("TOLLHOUSE_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}
