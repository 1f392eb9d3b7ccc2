//! Power cuts during a migration, and databases of other versions.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use store::scratch::{self, HeldOpen, Roadblock};
use testkit::killer::{ended_by_file_size, ends_at_file_size};
use testkit::promise::{Promise, Random};
use testkit::server::{Plan, Server};

use crate::promises::instances::{postgres, postgres_url};
use crate::support::{BINARY, adyen_request, eventually, plans, simulated_adyen};

/// What one page takes in SQLite's write-ahead log, with its header.
const FRAME_BYTES: u64 = 4096 + 24;
/// What the log itself begins with.
const LOG_HEADER_BYTES: u64 = 32;

/// The versions that a database may come from: none at all, and each that this binary knows, in order.
fn beginnings() -> Vec<Option<i64>> {
    std::iter::once(None).chain(scratch::versions().into_iter().map(Some)).collect()
}

/// Those from which there is something to migrate.
fn outdated() -> Vec<Option<i64>> {
    let mut all = beginnings();
    all.pop();
    all
}

async fn begin(url: &str, version: Option<i64>) {
    if let Some(version) = version {
        scratch::migrate_to(url, version).await.unwrap();
    }
}

async fn migrate(plan: &Plan, wrapper: &[String]) -> Output {
    let [option, file] = plan.config_option();
    plan.run_behind(wrapper, &["migrate", &option, &file]).await
}

async fn migrated(plan: &Plan) {
    let output = migrate(plan, &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn log_bytes(plan: &Plan) -> u64 {
    std::fs::metadata(plan.file("tollhouse.db-wal")).unwrap().len()
}

/// The file and its log as a power cut leaves them, for another plan. What SQLite keeps in memory beside them is gone.
fn leave(from: &Plan, to: &Plan) {
    for name in ["tollhouse.db", "tollhouse.db-wal"] {
        std::fs::copy(from.file(name), to.file(name)).unwrap();
    }
}

#[tokio::test]
async fn r23_a_migration_that_is_killed_leaves_nothing_and_is_done_by_the_next_start() {
    let promise = Promise::new("R23");
    let mut random = promise.random();
    let mut kills = 0;
    for version in outdated() {
        let unbroken = Plan::sqlite(BINARY);
        begin(unbroken.database_url(), version).await;
        let held = HeldOpen::open(unbroken.database_url()).await.unwrap();
        let (before, expected_before) = (log_bytes(&unbroken), scratch::schema(unbroken.database_url()).await.unwrap());
        migrated(&unbroken).await;
        let (after, expected) = (log_bytes(&unbroken), scratch::schema(unbroken.database_url()).await.unwrap());
        held.close().await.unwrap();
        let frames = (after - before) / FRAME_BYTES;
        assert!(frames > 1 && expected != expected_before, "the migration writes: {before} {after}");
        for frame in chosen(frames, promise.count(3, usize::MAX), &mut random) {
            let plan = Plan::sqlite(BINARY);
            begin(plan.database_url(), version).await;
            let held = HeldOpen::open(plan.database_url()).await.unwrap();
            let limit = log_bytes(&plan) + frame * FRAME_BYTES + random.below(FRAME_BYTES - LOG_HEADER_BYTES);
            let output = migrate(&plan, &ends_at_file_size(limit)).await;
            assert!(ended_by_file_size(output.status), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
            let next = Plan::sqlite(BINARY);
            leave(&plan, &next);
            held.close().await.unwrap();
            assert_eq!(scratch::schema(next.database_url()).await.unwrap(), expected_before, "rolled back");
            migrated(&next).await;
            assert_eq!(scratch::schema(next.database_url()).await.unwrap(), expected);
            assert_eq!(scratch::integrity(next.database_url()).await.unwrap(), ["ok"]);
            kills += 1;
        }
    }
    promise.kept(kills, "SQLite: killed inside the commit of a migration, each time rolled back and then done");
}

/// Some numbers below a limit: all, or as many as are wished, the last one among them.
fn chosen(limit: u64, count: usize, random: &mut Random) -> Vec<u64> {
    if u64::try_from(count).unwrap() >= limit {
        return (0..limit).collect();
    }
    (1..count).map(|_| random.below(limit)).chain([limit - 1]).collect()
}

#[tokio::test]
async fn r23_a_migration_that_is_killed_behind_any_statement_is_done_by_the_next_start() {
    let Some(url) = postgres_url() else { return };
    let promise = Promise::new("R23");
    let mut random = promise.random();
    let mut kills = 0;
    for version in outdated() {
        let unbroken = Plan::postgres(BINARY, &url).await;
        begin(unbroken.database_url(), version).await;
        let mut counting = Roadblock::behind(unbroken.database_url(), i64::MAX).await.unwrap();
        migrated(&unbroken).await;
        let statements = u64::try_from(counting.statements().await.unwrap()).unwrap();
        counting.lift().await.unwrap();
        let expected = scratch::schema(unbroken.database_url()).await.unwrap();
        for number in chosen(statements, promise.count(3, usize::MAX), &mut random) {
            let plan = Plan::postgres(BINARY, &url).await;
            begin(plan.database_url(), version).await;
            let block = Roadblock::behind(plan.database_url(), i64::try_from(number + 1).unwrap()).await.unwrap();
            let [option, file] = plan.config_option();
            let mut migration = plan.begin(&["migrate", &option, &file], &[]);
            let block = tokio::sync::Mutex::new(block);
            eventually("the migration is where it is to be killed", async || block.lock().await.is_reached().await.unwrap().then_some(()))
                .await;
            migration.kill().await.unwrap();
            block.into_inner().lift().await.unwrap();
            assert_ne!(scratch::schema(plan.database_url()).await.unwrap(), expected, "it was not finished behind statement {number}");
            migrated(&plan).await;
            assert_eq!(scratch::schema(plan.database_url()).await.unwrap(), expected, "behind statement {number}");
            kills += 1;
        }
    }
    promise.kept(kills, "PostgreSQL: killed behind a statement of a migration, each time done by the next start");
}

#[tokio::test]
async fn r23_an_older_binary_refuses_a_newer_schema_and_changes_nothing() {
    let promise = Promise::new("R23");
    let mut refused = 0;
    for plan in plans().await {
        let plan = plan.start().await.kill().await;
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        scratch::run(plan.database_url(), later).await.unwrap();
        let before = scratch::schema(plan.database_url()).await.unwrap();
        let [option, file] = plan.config_option();
        let newest = scratch::versions().last().copied().unwrap();
        for command in ["serve", "migrate", "init"] {
            let output = plan.run(&[command, &option, &file]).await;
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{command}: {words}");
            assert!(
                words.contains(&format!("has schema version 9999, this binary knows {newest}: this binary is too old")),
                "{command}: {words}"
            );
            refused += 1;
        }
        let plan = plan.with("TOLLHOUSE_DATABASE__MIGRATE", "false");
        assert_eq!(plan.run(&["serve", &option, &file]).await.status.code(), Some(1), "nor where it leaves migrating to others");
        assert_eq!(scratch::schema(plan.database_url()).await.unwrap(), before);
    }
    promise.kept(refused, "exit code 1, the message names both versions, nothing is changed");
}

/// What a restart must not change.
#[derive(Debug, PartialEq)]
struct Stored {
    services: Value,
    sessions: Value,
    key_pairs: Vec<Value>,
    accounts: Value,
}

async fn stored(server: &Server) -> Stored {
    let merchant = server.merchant();
    let items = async |path: &str| merchant.get(path).await.expect(200)["items"].clone();
    let mut key_pairs = items("/api-key-pairs").await.as_array().unwrap().clone();
    for pair in &mut key_pairs {
        // Asking is using.
        pair.as_object_mut().unwrap().retain(|member, _| member != "last_used_at");
    }
    Stored {
        services: items("/payment-services").await,
        sessions: items("/payment-service-sessions").await,
        key_pairs,
        accounts: items("/merchant-accounts").await,
    }
}

async fn trail(server: &Server) -> Vec<Value> {
    server.merchant().get("/audit-logs?limit=100").await.expect(200)["items"].as_array().unwrap().clone()
}

/// Starts on the data of an older version, and works with it.
async fn upgraded(plan: Plan, old: &Server, id: &str, version: i64) {
    scratch::migrate_to(plan.database_url(), version).await.unwrap();
    scratch::copy_data(old.plan.database_url(), plan.database_url()).await.unwrap();
    let server = plan.serve().await;
    assert_eq!(stored(&server).await, stored(old).await, "from version {version}");
    let (now, before) = (trail(&server).await, trail(old).await);
    assert!(before.iter().all(|entry| now.contains(entry)), "from version {version}: {before:?} {now:?}");
    let merchant = server.merchant();
    let session = merchant.post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await.expect(200);
    assert_eq!(session["status"], "succeeded", "the stored credentials still open");
    merchant.put(&format!("/payment-services/{id}"), &json!({ "display_name": "After" })).await.expect(200);
    assert_eq!(trail(&server).await[0]["resource"]["name"], "After");
    server.end().await;
}

#[tokio::test]
async fn r23_data_of_every_earlier_version_is_taken_over() {
    let promise = Promise::new("R23");
    let mut count = 0;
    let old = Plan::sqlite(BINARY).start().await;
    let id = filled(&old).await;
    for version in scratch::versions() {
        upgraded(Plan::sqlite(BINARY).keyed_as(&old.plan), &old, &id, version).await;
        count += 1;
    }
    old.end().await;
    if let (Some(plan), Some(url)) = (postgres().await, postgres_url()) {
        let old = plan.start().await;
        let id = filled(&old).await;
        for version in scratch::versions() {
            upgraded(Plan::postgres(BINARY, &url).await.keyed_as(&old.plan), &old, &id, version).await;
            count += 1;
        }
        old.end().await;
    }
    promise.kept(count, "services, sessions, key pairs, accounts and audit log are as before, and the credentials open");
}

/// Something of everything that the first schema holds; the id of a payment service.
async fn filled(server: &Server) -> String {
    let merchant = server.merchant();
    merchant.post("/merchant-accounts", &json!({ "id": "other", "display_name": "Other" })).await.expect(201);
    let gone = simulated_adyen(server, "adyen-ideal").await;
    merchant.delete(&format!("/payment-services/{gone}")).await.expect(204);
    let id = simulated_adyen(server, "adyen-card").await;
    for _ in 0..3 {
        merchant.post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await.expect(200);
    }
    assert!(Path::new(&server.plan.file("root.key")).exists());
    id
}
