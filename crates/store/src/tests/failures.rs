//! A database that fails is noticed by the next write, told to everyone who waits, and used again when it works.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tokio::task::JoinSet;

use super::fixtures::{record, scope};
use super::{PATIENT, Place, each_engine, eventually, postgres_server, sqlite_url};
use crate::database::{Patience, Store};
use crate::session_records;
use crate::{Database, StoreError};

/// Long enough for a busy machine, short enough to wait for in a test.
const IMPATIENT: Patience = Patience { connection: Duration::from_secs(1), ..PATIENT };

/// Something that keeps a database from being written, until it is lifted.
enum Fault {
    /// Another process holds the file's one lock for writing.
    Locked(SqliteConnection),
    /// The server has cut every connection and takes none.
    Unreachable { admin: PgConnection, name: String },
}

impl Fault {
    async fn on(place: &Place) -> Self {
        if place.is_sqlite() {
            let mut other = SqliteConnection::connect(&format!("sqlite:{}", place.sqlite_path())).await.unwrap();
            other.execute("BEGIN IMMEDIATE").await.unwrap();
            return Self::Locked(other);
        }
        let mut admin = PgConnection::connect(&postgres_server().unwrap()).await.unwrap();
        let name = place.url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
        admin.execute(AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))).await.unwrap();
        admin
            .execute(AssertSqlSafe(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")))
            .await
            .unwrap();
        Self::Unreachable { admin, name }
    }

    async fn lift(self) {
        match self {
            Self::Locked(other) => other.close().await.unwrap(),
            Self::Unreachable { mut admin, name } => {
                admin.execute(AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))).await.unwrap();
            }
        }
    }
}

/// The same database, opened by someone with less patience.
async fn impatient(place: &Place) -> Database {
    Database::open_with(&place.url, IMPATIENT).await.unwrap()
}

/// Writes some records at once and answers how each went.
async fn write_together(db: &Database, numbers: std::ops::RangeInclusive<u128>) -> Vec<Result<(), StoreError>> {
    let mut writes = JoinSet::new();
    for number in numbers {
        let records = db.records().clone();
        writes.spawn(async move { records.write(record(number, "default")).await });
    }
    writes.join_all().await
}

async fn count(db: &Database) -> usize {
    let mut tx = db.read().await.unwrap();
    let request = super::fixtures::first_page(100);
    session_records::list(&mut tx, &scope("default"), &request, &Default::default()).await.unwrap().items.len()
}

#[tokio::test]
async fn r19_a_database_that_can_not_be_written_is_noticed_and_recovers() {
    each_engine(|place| async move {
        let db = impatient(&place).await;
        db.records().write(record(1, "default")).await.unwrap();
        assert!(db.is_writable());
        let fault = Fault::on(&place).await;
        for outcome in write_together(&db, 2..=20).await {
            assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
        }
        assert!(!db.is_writable());
        assert!(db.probe_write().await.is_err());
        if place.is_sqlite() {
            assert_eq!(count(&db).await, 1, "reads go on");
        }
        fault.lift().await;
        let watched = db.clone();
        eventually("writable again without any write of ours", move || watched.is_writable()).await;
        for outcome in write_together(&db, 2..=20).await {
            outcome.unwrap();
        }
        assert_eq!(count(&db).await, 20);
    })
    .await;
}

#[tokio::test]
async fn a_failing_change_of_configuration_is_noticed_too() {
    each_engine(|place| async move {
        let db = impatient(&place).await;
        let fault = Fault::on(&place).await;
        assert!(matches!(db.write().await.map(|_| ()), Err(StoreError::Unavailable { .. })));
        assert!(!db.is_writable());
        fault.lift().await;
        let watched = db.clone();
        eventually("writable again", move || watched.is_writable()).await;
        db.write().await.unwrap().bump_version().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_write_that_comes_through_ends_the_failure_at_once() {
    each_engine(|place| async move {
        // A probe that never comes, so that only the write can find out.
        let patience = Patience { probe: Duration::from_secs(3600), ..IMPATIENT };
        let db = Database::open_with(&place.url, patience).await.unwrap();
        let fault = Fault::on(&place).await;
        assert!(db.records().write(record(1, "default")).await.is_err());
        assert!(!db.is_writable());
        fault.lift().await;
        db.records().write(record(1, "default")).await.unwrap();
        assert!(db.is_writable());
    })
    .await;
}

/// SQLite rolls a transaction back by itself when the disk is full; the connection must not be used as if it were still open.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    let full = async |place: &Place| {
        let mut lane = match &place.db.source().store {
            Store::Sqlite(file) => file.lane().await.unwrap(),
            Store::Postgres(_) => unreachable!(),
        };
        // The connection that has this limit is closed by the first failure.
        lane.connection().execute("PRAGMA max_page_count = 1").await.unwrap();
        lane.keep();
    };
    full(&place).await;
    let outcomes = write_together(&place.db, 1..=90).await;
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(StoreError::Unavailable { .. }))), "{outcomes:?}");
    let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(count(&place.db).await, acknowledged);

    full(&place).await;
    let mut tx = place.db.write().await.unwrap();
    let mut failed = false;
    for number in 0..200_u128 {
        let entry = super::fixtures::audit_entry(number, None);
        failed |= crate::audit_log::append(&mut tx, &entry).await.is_err();
        if failed {
            break;
        }
    }
    assert!(failed);
    assert!(!place.db.is_writable());
    drop(tx);
    let db = place.db.clone();
    eventually("writable again", move || db.is_writable()).await;
    place.db.probe_write().await.unwrap();
    place.db.records().write(record(1000, "default")).await.unwrap();
}

#[tokio::test]
async fn a_writer_does_not_wait_for_ever() {
    each_engine(|place| async move {
        let db = impatient(&place).await;
        let held = db.write().await.unwrap();
        let second = db.write().await.map(|_| ());
        assert!(matches!(second, Err(StoreError::Unavailable { .. })), "{second:?}");
        assert!(db.is_writable(), "a change that takes long is not a database that fails");
        if !place.is_sqlite() {
            db.probe_write().await.unwrap();
            db.records().write(record(1, "default")).await.unwrap();
        }
        held.commit().await.unwrap();
        db.write().await.unwrap().commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_either() {
    each_engine(|place| async move {
        let db = impatient(&place).await;
        let _reader = db.read().await.unwrap();
        let _writer = db.write().await.unwrap();
        db.close().await;
        assert!(db.read().await.is_err());
        assert!(db.records().write(record(1, "default")).await.is_err());
        assert!(!db.is_writable());
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_writer_usable() {
    each_engine(|place| async move {
        let mut tx = place.db.write().await.unwrap();
        begin_and_give_up(tx.bump_version()).await;
        drop(tx);
        place.db.probe_write().await.unwrap();
        begin_and_give_up(place.db.records().write(record(1, "default"))).await;
        // It was queued, so it is written although nobody waits.
        place.db.records().write(record(2, "default")).await.unwrap();
        assert!(stored(&place, 1).await);
    })
    .await;
}

/// Begins something and drops it before its end.
async fn begin_and_give_up<T>(work: impl Future<Output = T>) {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| std::task::Poll::Ready(work.as_mut().poll(context).map(|_| ()))).await.is_ready();
}

async fn stored(place: &Place, number: u128) -> bool {
    let mut tx = place.db.read().await.unwrap();
    session_records::get(&mut tx, &scope("default"), record(number, "default").id).await.unwrap().is_some()
}
