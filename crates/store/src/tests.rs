//! Tests on real databases: SQLite files, and PostgreSQL where `TOLLHOUSE_TEST_POSTGRES` names a server.

mod audit_chain;
mod backup;
mod configuration;
mod data_keys;
mod failures;
mod fixtures;
mod idempotency_keys;
mod key_pairs;
mod paging;
mod records;
mod schema;

use std::time::Duration;

use crate::database::Patience;
use crate::{Database, Engine, scratch};

/// As in production, but for the time between two probes.
const PATIENT: Patience = Patience { connection: Duration::from_secs(5), batch: Duration::from_secs(10), probe: Duration::from_millis(20) };

/// One migrated database of one engine, for one test.
struct Place {
    url: String,
    db: Database,
}

/// Runs a test on a SQLite file, and on PostgreSQL where there is one.
async fn each_engine<F>(test: impl Fn(Place) -> F)
where
    F: Future<Output = ()>,
{
    let directory = tempfile::tempdir().unwrap();
    test(Place::migrated(sqlite_url(&directory)).await).await;
    on_postgres(async |url| test(Place::migrated(url).await).await).await;
}

/// Runs a test on an empty PostgreSQL database, if there is a server, and drops the database whatever happens.
async fn on_postgres(test: impl AsyncFnOnce(String)) {
    let Some(server) = postgres_server() else { return };
    let scratch = scratch::create_postgres(&server).await.unwrap();
    let mut test = std::pin::pin!(test(scratch.url.clone()));
    let outcome =
        std::future::poll_fn(|context| match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        })
        .await;
    scratch.drop().await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn sqlite_url(directory: &tempfile::TempDir) -> String {
    format!("sqlite://{}", directory.path().join("tollhouse.db").display())
}

#[expect(clippy::disallowed_methods, reason = "the one way to tell the tests about a server")]
fn postgres_server() -> Option<String> {
    std::env::var("TOLLHOUSE_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

impl Place {
    async fn migrated(url: String) -> Self {
        let db = Database::open_with(&url, PATIENT).await.unwrap();
        db.migrate().await.unwrap();
        db.check_schema().await.unwrap();
        Self { url, db }
    }

    /// The same database after the process has ended in order.
    async fn reopened(self) -> Self {
        self.db.close().await;
        let db = Database::open_with(&self.url, PATIENT).await.unwrap();
        Self { url: self.url, db }
    }

    fn sqlite_path(&self) -> &str {
        self.url.strip_prefix("sqlite://").unwrap()
    }

    fn is_sqlite(&self) -> bool {
        self.db.engine() == Engine::Sqlite
    }
}

/// Waits for a condition, with a deadline.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !condition() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}
