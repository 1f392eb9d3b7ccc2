//! Backups: everything is in them, whichever engines are at the two ends, and what is wrong with a file is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::idempotency::UsedKey;
use domain::payment_service::FieldSet;
use domain::session::RecordedFacts;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _, SqliteConnection};

use super::fixtures::{account, audit_entry, data_key, field, key_pair, moment, record, role, scope, service, two_accounts};
use super::idempotency_keys::{answer, used};
use super::{PATIENT, Place, each_engine, on_postgres, sqlite_url};
use crate::backup::{self, Backup, BackupError, Info, Maker, examine};
use crate::copy::{FILLED_BY_MIGRATIONS, Kind, TABLES};
use crate::merchant_accounts::SealedSecret;
use crate::{Database, OpenError, api_key_pairs, audit_log, data_keys, idempotency_keys, merchant_accounts, payment_services, roles};

/// More than fit into one statement, and no multiple of one.
const RECORDS: u128 = 300;

fn maker() -> Maker {
    Maker { tollhouse_version: "1.2.3", now: moment(5) }
}

/// A backup of a database, in a file of that name.
async fn back_up(db: &Database, directory: &tempfile::TempDir, name: &str) -> (PathBuf, Info) {
    let file = directory.path().join(name);
    std::fs::write(&file, "").unwrap();
    let info = backup::create(db, &file, maker()).await.unwrap();
    (file, info)
}

/// Something in every table, with and without what may be null.
async fn fill(db: &Database) {
    two_accounts(db).await;
    let mut tx = db.write().await.unwrap();
    let secret = SealedSecret { key: "loon_secret_key".into(), data_key_version: 1, sealed: vec![0, 255, 7] };
    assert!(merchant_accounts::insert(&mut tx, &account("full", 3), &[secret]).await.unwrap());
    assert!(data_keys::insert(&mut tx, &data_key("full")).await.unwrap());
    for number in [1, 2] {
        payment_services::insert(&mut tx, &scope("default"), &service(number, "default")).await.unwrap();
        for set in [FieldSet::Credentials, FieldSet::Reporting] {
            let field = field(set, "api_key", b"\0sealed");
            payment_services::put_field(&mut tx, &scope("default"), service(number, "default").id, &field).await.unwrap();
        }
        assert!(roles::insert(&mut tx, &role(number, &format!("role-{number}"))).await.unwrap());
    }
    api_key_pairs::insert(&mut tx, &key_pair(1, &["default", "other"])).await.unwrap();
    let mut bare = key_pair(2, &[]);
    (bare.creator, bare.last_used_at, bare.active) = (None, Some(moment(9)), false);
    api_key_pairs::insert(&mut tx, &bare).await.unwrap();
    for number in 1..=3 {
        audit_log::append(&mut tx, &audit_entry(number, (number == 2).then_some("default"))).await.unwrap();
    }
    for (number, answer) in [(1, None), (2, Some(answer()))] {
        let key = UsedKey { answer, ..used(&format!("key-{number}"), number) };
        assert!(idempotency_keys::insert(&mut tx, &scope("default"), &key).await.unwrap());
    }
    tx.bump_version().await.unwrap();
    tx.commit().await.unwrap();
    let mut records = tokio::task::JoinSet::new();
    for number in 1..=RECORDS {
        let mut record = record(number, "default");
        if number % 2 == 0 {
            record.facts = RecordedFacts::default();
        }
        let writer = db.records().clone();
        records.spawn(async move { writer.write(record).await.unwrap() });
    }
    records.join_all().await;
}

/// Every row of a backup as text, by table.
async fn rows(file: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let mut rows = BTreeMap::new();
    for table in TABLES {
        let columns: Vec<String> = table.columns.iter().map(|(column, _)| format!("quote({column})")).collect();
        // How often writing was tried, and the version, which moves on purpose, are not part of what is kept.
        let sql = match table.name {
            "instance" => {
                "SELECT audit_sequence || ' ' || audit_chained || ' ' || hex(audit_head) || ' ' || hex(installation_id) FROM instance"
                    .to_owned()
            }
            "write_probe" => "SELECT id || '' FROM write_probe".to_owned(),
            name => format!("SELECT {} FROM {name} ORDER BY 1", columns.join(" || ',' || ")),
        };
        rows.insert(table.name, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap());
    }
    rows
}

async fn version(db: &Database) -> i64 {
    crate::snapshot::version(&mut db.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_backup_holds_everything_and_can_be_restored_into_either_engine() {
    each_engine(|place| async move {
        fill(&place.db).await;
        let directory = tempfile::tempdir().unwrap();
        let (file, info) = back_up(&place.db, &directory, "first").await;
        assert_eq!((info.engine.as_str(), info.root_key_ids.as_slice()), (place.db.engine().as_str(), ["r1".to_owned()].as_slice()));
        assert_eq!(
            info.tables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            TABLES.iter().map(|table| table.name).collect::<Vec<_>>()
        );
        assert!(info.tables.iter().all(|(_, rows)| *rows > 0), "every table has a row in this test: {:?}", info.tables);
        let found = examine(&file).await;
        assert_eq!(found.problems, Vec::<String>::new());
        let told = found.info.unwrap();
        assert_eq!((told.created_at, told.tollhouse_version.as_str(), told.tables.len()), (moment(5), "1.2.3", TABLES.len()));
        let held = rows(&file).await;
        assert_eq!(held["session_records"].len(), 300);

        let check = async |url: String| {
            let target = Database::open_with(&url, PATIENT).await.unwrap();
            let backup = Backup::open(&file).await.unwrap();
            assert_eq!(backup.contradictions().await.unwrap(), Vec::<String>::new());
            let copied = backup::restore(&backup, &target).await.unwrap();
            assert_eq!(copied.iter().find(|copied| copied.table == "session_records").unwrap().rows, 300);
            assert!(version(&target).await > version(&place.db).await + 1_000_000, "no instance takes it for what it knows");
            let again = tempfile::tempdir().unwrap();
            let (copy, _) = back_up(&target, &again, "second").await;
            assert_eq!(rows(&copy).await, held);
            // A second one is refused, and changes nothing.
            let error = backup::restore(&backup, &target).await.unwrap_err();
            assert!(matches!(&error, BackupError::Occupied(tables) if tables.len() == TABLES.len() - 2), "{error}");
            assert!(error.to_string().contains("merchant_accounts"), "{error}");
            target.close().await;
        };
        let elsewhere = tempfile::tempdir().unwrap();
        check(sqlite_url(&elsewhere)).await;
        on_postgres(check).await;
    })
    .await;
}

/// The two commands that a second connection interleaves with must not see half of a change.
#[tokio::test]
async fn what_is_committed_while_a_backup_is_made_is_in_it_whole_or_not_at_all() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let directory = tempfile::tempdir().unwrap();
        let change = async {
            for number in 1..=60 {
                let mut tx = place.db.write().await.unwrap();
                payment_services::insert(&mut tx, &scope("default"), &service(number, "default")).await.unwrap();
                let credentials = field(FieldSet::Credentials, "api_key", b"x");
                payment_services::put_field(&mut tx, &scope("default"), service(number, "default").id, &credentials).await.unwrap();
                audit_log::append(&mut tx, &audit_entry(number, None)).await.unwrap();
                tx.commit().await.unwrap();
                let mut record = record(number, "default");
                record.payment_service_id = service(number, "default").id;
                place.db.records().write(record).await.unwrap();
            }
        };
        let copies = async {
            for number in 0..5 {
                let (file, _) = back_up(&place.db, &directory, &format!("copy-{number}")).await;
                assert_eq!(examine(&file).await.problems, Vec::<String>::new());
                let backup = Backup::open(&file).await.unwrap();
                assert_eq!(backup.contradictions().await.unwrap(), Vec::<String>::new());
                let held = rows(&file).await;
                assert_eq!(held["payment_services"].len(), held["payment_service_fields"].len());
                assert_eq!(held["payment_services"].len(), held["audit_log"].len());
            }
        };
        tokio::join!(change, copies);
    })
    .await;
}

/// Runs SQL on a backup, as somebody who tampers with it, and says what is found then.
async fn found_after(file: &Path, sql: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let changed = directory.path().join("changed");
    std::fs::copy(file, &changed).unwrap();
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", changed.display())).await.unwrap();
    connection.execute("PRAGMA foreign_keys = OFF").await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
    let mut problems = examine(&changed).await.problems;
    if let Ok(backup) = Backup::open(&changed).await {
        problems.extend(backup.contradictions().await.unwrap_or_else(|error| vec![error.to_string()]));
    }
    problems
}

#[tokio::test]
async fn what_is_wrong_with_a_backup_is_told_and_all_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    fill(&place.db).await;
    let (file, _) = back_up(&place.db, &directory, "good").await;
    for (sql, wanted) in [
        ("DELETE FROM session_records WHERE id = (SELECT MIN(id) FROM session_records)", vec!["session_records has 299 rows and had 300"]),
        (
            "DELETE FROM roles; DELETE FROM audit_log WHERE sequence = 2",
            vec!["roles has 0 rows", "audit_log has 2 rows", "the audit log has 2 entries numbered from 1 to 3"],
        ),
        ("UPDATE instance SET audit_sequence = 9", vec!["installation counts 9"]),
        (
            "DELETE FROM payment_services; UPDATE backup_tables SET \"rows\" = 0 WHERE name = 'payment_services'",
            vec![
                "payment_service_fields: 4 rows point at rows of payment_services that are not there",
                "300 rows belong to payment services that are not there",
            ],
        ),
        (
            "ALTER TABLE roles ADD COLUMN more TEXT; DROP INDEX session_records_newest",
            vec!["roles is missing or is not", "session_records_newest is missing or is not"],
        ),
        ("DELETE FROM backup_tables WHERE name = 'roles'", vec!["does not say how many rows roles has"]),
        ("UPDATE backup_tables SET name = 'roles; --' WHERE name = 'roles'", vec!["holds a table roles; --"]),
        ("DROP TABLE backup_info", vec!["no backup or a damaged one"]),
        ("UPDATE backup_info SET format_version = 2", vec!["its form has version 2, this binary knows 1: use Tollhouse 1.2.3"]),
        (
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
            vec!["migration 1 of this database is not the one in this binary"],
        ),
        ("UPDATE _sqlx_migrations SET version = 999 WHERE version = 1", vec!["schema version 999", "this binary is too old"]),
        ("DROP TABLE _sqlx_migrations", vec!["its schema can not be told"]),
    ] {
        let found = found_after(&file, sql).await;
        for wanted in wanted {
            assert!(found.iter().any(|problem| problem.contains(wanted)), "{sql}: {wanted}: {found:?}");
        }
    }
    assert_eq!(found_after(&file, "CREATE INDEX of_an_operator ON session_records (currency)").await, Vec::<String>::new());
    std::fs::write(&file, "no database at all, only words that are long enough to look at").unwrap();
    assert!(!examine(&file).await.problems.is_empty());
    assert!(!examine(&directory.path().join("nowhere")).await.problems.is_empty());
    assert!(!directory.path().join("nowhere").exists(), "looking makes nothing");
}

#[tokio::test]
async fn a_database_whose_schema_is_not_ours_is_not_backed_up() {
    let directory = tempfile::tempdir().unwrap();
    let empty = Database::open_with(&sqlite_url(&directory), PATIENT).await.unwrap();
    let file = directory.path().join("copy");
    std::fs::write(&file, "").unwrap();
    let error = backup::create(&empty, &file, maker()).await.unwrap_err();
    assert!(matches!(error, BackupError::Open(OpenError::OlderSchema { database: 0, .. })), "{error}");
}

/// The first release's schema, with a row, described as its backups are.
async fn backup_of_the_first_schema(file: &Path) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.unwrap();
    crate::schema::migrate_sqlite_to(1, &mut connection).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let describe = "CREATE TABLE backup_info (format_version, tollhouse_version, schema_version, engine, created_at, root_key_ids); \
                    CREATE TABLE backup_tables (name, \"rows\"); INSERT INTO backup_info VALUES (1, '0.1.0', 1, 'sqlite', 1, '[]'); \
                    INSERT INTO roles VALUES (x'00000000000000000000000000000001', 'Old', 'old', '', '[]', 1);";
    connection.execute(describe).await.unwrap();
    for name in names {
        let sql = format!("INSERT INTO backup_tables SELECT '{name}', COUNT(*) FROM {name}");
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn r23_an_older_backup_is_brought_up_to_date_on_the_way_and_stays_as_it_is() {
    each_engine(|target| async move {
        let directory = tempfile::tempdir().unwrap();
        let (file, copy) = (directory.path().join("old"), directory.path().join("copy"));
        backup_of_the_first_schema(&file).await;
        let before = std::fs::read(&file).unwrap();
        let found = examine(&file).await;
        assert_eq!((found.problems, found.is_older), (Vec::new(), true));
        assert!(matches!(Backup::open(&file).await.map(|_| ()), Err(OpenError::OlderSchema { database: 1, .. })));
        std::fs::copy(&file, &copy).unwrap();
        backup::migrate_copy(&copy).await.unwrap();
        backup::restore(&Backup::open(&copy).await.unwrap(), &target.db).await.unwrap();
        let kept = roles::all(&mut target.db.read().await.unwrap()).await.unwrap();
        assert_eq!(kept.iter().map(|role| role.slug.as_str()).collect::<Vec<_>>(), ["old"]);
        assert_eq!(std::fs::read(&file).unwrap(), before);
    })
    .await;
}

#[tokio::test]
async fn a_restore_that_is_given_up_leaves_an_empty_database() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    fill(&place.db).await;
    let (file, _) = back_up(&place.db, &directory, "copy").await;
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    // One of the last rows to be copied is one that no database takes.
    connection.execute("PRAGMA ignore_check_constraints = ON; UPDATE instance SET audit_sequence = 3; UPDATE session_records SET id = x'ff' WHERE id = (SELECT MAX(id) FROM session_records)").await.unwrap();
    connection.close().await.unwrap();
    each_engine(|target| {
        let file = file.clone();
        async move {
            let backup = Backup::open(&file).await.unwrap();
            backup::restore(&backup, &target.db).await.unwrap_err();
            let mut tx = target.db.write().await.unwrap();
            assert_eq!(crate::copy::occupied(&mut tx).await.unwrap(), Vec::<&str>::new());
        }
    })
    .await;
}

/// The list of tables and columns is written by hand; a migration that adds one must add it there too.
#[tokio::test]
async fn the_list_of_what_is_copied_is_the_schema() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", place.sqlite_path())).await.unwrap();
    let sql = "SELECT t.name, c.name, lower(c.type), c.pk FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
               WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.cid";
    let there: Vec<(String, String, String, i64)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    let mut listed: Vec<(String, String, String, i64)> = Vec::new();
    for table in TABLES {
        for (column, kind) in table.columns {
            let kind = match kind {
                Kind::Integer | Kind::Boolean => "integer",
                Kind::Text => "text",
                Kind::Uuid | Kind::Bytes => "blob",
            };
            let key = table.key.iter().position(|key| key == column).map_or(0, |place| i64::try_from(place).unwrap() + 1);
            listed.push((table.name.to_owned(), (*column).to_owned(), kind.to_owned(), key));
        }
    }
    // Sorted by table alone: the order of the columns counts.
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(listed, there, "the list in copy.rs, and the schema");
    let mut filled: Vec<&str> = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT COUNT(*) FROM {}", table.name);
        if connection.fetch_one(AssertSqlSafe(sql)).await.unwrap().get::<i64, _>(0) > 0 {
            filled.push(table.name);
        }
    }
    assert_eq!(filled, FILLED_BY_MIGRATIONS);
}

/// Booleans and UUIDs are told apart on PostgreSQL alone.
#[tokio::test]
async fn the_kinds_of_what_is_copied_are_those_of_postgres() {
    on_postgres(async |url| {
        let place = Place::migrated(url).await;
        let mut connection = PgConnection::connect(&place.url).await.unwrap();
        let sql = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
                   WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
        let mut there: Vec<(String, String, String)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
        let kind = |kind: &Kind| match kind {
            Kind::Integer => "bigint",
            Kind::Boolean => "boolean",
            Kind::Text => "text",
            Kind::Uuid => "uuid",
            Kind::Bytes => "bytea",
        };
        let columns = |table: &'static crate::copy::Table| {
            table.columns.iter().map(move |(column, is)| (table.name.to_owned(), (*column).to_owned(), kind(is).to_owned()))
        };
        let mut listed: Vec<(String, String, String)> = TABLES.iter().flat_map(columns).collect();
        listed.sort();
        there.sort();
        assert_eq!(listed, there);
    })
    .await;
}
