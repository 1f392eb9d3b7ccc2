//! Commands that are killed at seeded moments.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use testkit::promise::{Promise, Random};

use super::place::{Place, ended};
use super::texts;

/// Enough for commands that take longer than their start and end.
const RECORDS: &str = "6000";

/// Sets a database up, with many session records of one payment service.
async fn fill(place: &Place) {
    let initialised = place.run(&["init"]).await;
    assert_eq!(initialised.code, 0, "{initialised:?}");
    let columns = "id, merchant_account_id, request_id, payment_service_id, definition_id, definition_hash, api_key_pair_id, status, \
                   delivered, reference, duration_ms, created_at";
    let service_columns = "id, merchant_account_id, definition_id, method, display_name, position, active, accepted_currencies, \
                           accepted_countries, three_d_secure_enabled, payment_method_tokenization_enabled, network_tokens_enabled, \
                           open_loop, settlement_reporting_enabled, is_deleted, created_at, updated_at";
    let values = "'adyen-card', 'card', 'Many', 1";
    if let Some(path) = place.url().strip_prefix("sqlite://") {
        let id = "x'00000000000070008000000000000001'";
        let service = format!(
            "INSERT INTO payment_services ({service_columns}) VALUES ({id}, 'default', {values}, 1, '[]', '[]', 0, 0, 0, 0, 0, 0, 1, 1)"
        );
        let records = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RECORDS}) INSERT INTO session_records ({columns}) \
             SELECT randomblob(16), 'default', hex(randomblob(8)), {id}, 'adyen-card', '00', {id}, 'succeeded', 'yes', hex(randomblob(8)), 5, i FROM n"
        );
        let mut connection = SqliteConnection::connect(&format!("sqlite://{path}")).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("{service}; {records}"))).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let id = "'00000000-0000-7000-8000-000000000001'::uuid";
        let service = format!(
            "INSERT INTO payment_services ({service_columns}) VALUES ({id}, 'default', {values}, true, '[]', '[]', false, false, false, false, false, false, 1, 1)"
        );
        let records = format!(
            "INSERT INTO session_records ({columns}) SELECT gen_random_uuid(), 'default', md5(i::text), {id}, 'adyen-card', '00', {id}, \
             'succeeded', 'yes', md5(i::text), 5, i FROM generate_series(1, {RECORDS}) i"
        );
        let mut connection = PgConnection::connect(place.url()).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("{service}; {records}"))).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A moment within the time that the command takes when nobody kills it, and a little after.
fn moment(random: &mut Random, whole: Duration) -> Duration {
    let micros = u64::try_from(whole.as_micros()).unwrap();
    Duration::from_micros(random.below(micros + micros / 10))
}

/// Kills a command at a moment, unless it has ended by then.
async fn kill_at(place: &Place, arguments: &[&str], moment: Duration) {
    let mut process = place.begin(arguments);
    if tokio::time::timeout(moment, process.wait()).await.is_err() {
        process.kill().await.unwrap();
    }
}

async fn count(file: &Path) -> Vec<String> {
    texts(file, "SELECT CAST(COUNT(*) AS TEXT) FROM session_records").await
}

#[tokio::test]
async fn r22_a_backup_that_is_killed_leaves_nothing_under_its_name() {
    let promise = Promise::new("R22");
    let mut random = promise.random();
    let kills = promise.count(4, 200);
    let mut whole_ones = 0;
    for place in Place::on_each_engine().await {
        fill(&place).await;
        let begun = Instant::now();
        let first = place.file("first").display().to_string();
        let made = place.run(&["backup", "create", "--out", &first]).await;
        assert_eq!(made.code, 0, "{made:?}");
        let whole = begun.elapsed();
        for number in 0..kills {
            let out = place.file(&format!("out-{number}"));
            kill_at(&place, &["backup", "create", "--out", &out.display().to_string()], moment(&mut random, whole)).await;
            if out.exists() {
                whole_ones += 1;
                let verified = place.run(&["backup", "verify", &out.display().to_string()]).await;
                assert_eq!(verified.code, 0, "{verified:?}");
                assert_eq!(count(&out).await, [RECORDS]);
            }
        }
        // What is there is never overwritten.
        let again = place.run(&["backup", "create", "--out", &first]).await;
        assert!(again.code == 2 && again.words.contains("exists already"), "{again:?}");
    }
    promise.kept(kills, &format!("measured {whole_ones} backups that were whole before the kill, none in part"));
}

#[tokio::test]
async fn r22_a_restore_that_is_killed_leaves_an_empty_or_a_whole_database() {
    let promise = Promise::new("R22");
    let mut random = promise.random();
    let kills = promise.count(2, 100);
    let origin = Place::on_each_engine().await.remove(0);
    fill(&origin).await;
    let file = origin.file("backup").display().to_string();
    let made = origin.run(&["backup", "create", "--out", &file]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let mut whole_ones = 0;
    let mut whole = None;
    for _ in 0..=kills {
        for (engine, place) in Place::on_each_engine().await.into_iter().enumerate() {
            std::fs::copy(origin.file("root.key"), place.file("root.key")).unwrap();
            let restore = ["backup", "restore", &file];
            let begun = Instant::now();
            let times: &mut [Duration; 2] = whole.get_or_insert_with(Default::default);
            if times[engine].is_zero() {
                let restored = ended(place.begin(&restore)).await;
                assert_eq!(restored.code, 0, "{restored:?}");
                times[engine] = begun.elapsed();
                continue;
            }
            kill_at(&place, &restore, moment(&mut random, times[engine])).await;
            let again = place.run(&restore).await;
            if again.code == 1 {
                assert!(again.words.contains("not empty"), "{again:?}");
                whole_ones += 1;
            } else {
                assert_eq!(again.code, 0, "{again:?}");
            }
            let copy = place.file("copy");
            let made = place.run(&["backup", "create", "--out", &copy.display().to_string()]).await;
            assert_eq!(made.code, 0, "{made:?}");
            assert_filled(&copy).await;
        }
    }
    promise.kept(kills, &format!("measured {whole_ones} databases that were whole before the kill, none in part"));
}

async fn assert_filled(file: &Path) {
    assert_eq!(count(file).await, [RECORDS]);
    assert_eq!(texts(file, "SELECT \"table\" FROM pragma_foreign_key_check").await, Vec::<String>::new());
    assert_eq!(texts(file, "SELECT display_name FROM payment_services").await, ["Many"]);
}
