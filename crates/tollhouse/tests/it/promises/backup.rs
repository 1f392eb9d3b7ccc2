//! Copies of the whole, made while it runs.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use testkit::promise::Promise;
use testkit::server::{Plan, Server};
use testkit::token::Key;

use crate::support::{BINARY, adyen_request, eventually, plans, service, simulated_adyen};

mod damage;
mod kills;
mod place;

use place::Place;

/// A credential that is looked for.
const CANARY: &str = "backup-canary-7f3a9c5e1d";

/// At least so many sessions end before the next backup is begun.
const SESSIONS_BETWEEN: usize = 6;

/// What is wrong with a state that a transaction can not have seen, by queries that answer nothing when all is well. Every foreign key is checked beside these.
const CONTRADICTIONS: [&str; 7] = [
    "SELECT 'gap in the audit log' FROM audit_log a, instance i GROUP BY i.id \
     HAVING COUNT(*) <> MAX(a.sequence) OR MIN(a.sequence) <> 1 OR MAX(a.sequence) <> i.audit_sequence",
    "SELECT 'record without service' FROM session_records r LEFT JOIN payment_services s ON s.id = r.payment_service_id \
     WHERE s.id IS NULL OR s.merchant_account_id <> r.merchant_account_id",
    // The record and the answer are written in one transaction.
    "SELECT 'answered key without record' FROM idempotency_keys k WHERE k.state = 'answered' AND NOT EXISTS \
     (SELECT 1 FROM session_records r WHERE r.id = k.execution_id AND r.merchant_account_id = k.merchant_account_id)",
    "SELECT 'record without the answer of its key' FROM idempotency_keys k JOIN session_records r ON r.id = k.execution_id WHERE k.state = 'started'",
    "SELECT 'service without fields' FROM payment_services s WHERE NOT EXISTS (SELECT 1 FROM payment_service_fields f WHERE f.payment_service_id = s.id)",
    "SELECT 'service without audit entry' FROM payment_services s WHERE NOT EXISTS \
     (SELECT 1 FROM audit_log a WHERE a.resource_type = 'payment-service' AND a.action = 'created' AND lower(replace(a.resource_id, '-', '')) = lower(hex(s.id)))",
    "SELECT 'audit entry without service' FROM audit_log a WHERE a.resource_type = 'payment-service' AND NOT EXISTS \
     (SELECT 1 FROM payment_services s WHERE lower(replace(a.resource_id, '-', '')) = lower(hex(s.id)))",
];

/// Sessions that succeed and sessions that fail, and changes of configuration, until it is told to stop. Remembers what was acknowledged.
struct Load<'s> {
    server: &'s Server,
    service: String,
    stop: AtomicBool,
    acknowledged: tokio::sync::Mutex<BTreeSet<String>>,
}

impl Load<'_> {
    async fn sessions(&self, lane: usize) {
        let path = format!("/payment-services/{}/sessions", self.service);
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let reference = format!("order-{lane}-{number}");
            let mut request = adyen_request();
            request["reference"] = json!(reference);
            let caller = self.server.merchant();
            let answer = if number % 2 == 0 {
                caller.header("idempotency-key", &reference).post(&path, &request).await
            } else {
                // Refused by the payment service.
                request.as_object_mut().unwrap().remove("returnUrl");
                caller.post(&path, &request).await
            };
            answer.expect(200);
            self.acknowledged.lock().await.insert(reference);
        }
    }

    async fn changes(&self) {
        let fields = [("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")];
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let merchant = self.server.merchant();
            let id = format!("shop-{number}");
            merchant.post("/merchant-accounts", &json!({ "id": id, "display_name": id })).await.expect(201);
            let caller = self.server.merchant().for_account(&id);
            let made = caller.post("/payment-services", &service("adyen-card", &fields)).await.expect(201);
            let path = format!("/payment-services/{}", made["id"].as_str().unwrap());
            caller.put(&path, &json!({ "display_name": "Another name" })).await.expect(200);
            if number % 4 == 3 {
                caller.delete(&path).await.expect(204);
            }
        }
    }
}

/// Opens a backup as any tool would, and asks it.
async fn texts(file: &Path, sql: &'static str) -> Vec<String> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}?mode=ro", file.display())).await.unwrap();
    let found = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

async fn assert_consistent(file: &Path) {
    assert_eq!(texts(file, "PRAGMA integrity_check").await, ["ok"]);
    assert_eq!(texts(file, "SELECT \"table\" FROM pragma_foreign_key_check").await, Vec::<String>::new());
    for sql in CONTRADICTIONS {
        assert_eq!(texts(file, sql).await, Vec::<String>::new(), "{sql}");
    }
}

async fn references(file: &Path) -> BTreeSet<String> {
    texts(file, "SELECT reference FROM session_records WHERE reference IS NOT NULL").await.into_iter().collect()
}

/// Makes a backup with the server's own configuration, while it runs.
async fn back_up(server: &Server, name: &str) -> PathBuf {
    let file = server.plan.file(name);
    let config = server.plan.file("tollhouse.toml").display().to_string();
    let made = server.plan.run(&["backup", "create", "--config", &config, "--out", &file.display().to_string()]).await;
    let words = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{words}");
    assert!(words.contains("No root key is in it"), "{words}");
    file
}

#[tokio::test]
async fn r22_backups_made_under_load_are_consistent_and_start_on_either_engine() {
    let promise = Promise::new("R22");
    let count = promise.count(3, 60);
    let mut measured = Vec::new();
    for plan in plans().await {
        let server = plan.start().await;
        let service = simulated_adyen(&server, "adyen-card").await;
        let load = Load { server: &server, service, stop: AtomicBool::new(false), acknowledged: tokio::sync::Mutex::default() };
        let copies = async {
            let mut last = None;
            for number in 0..count {
                let before = eventually("sessions between two backups", async || {
                    let acknowledged = load.acknowledged.lock().await;
                    (acknowledged.len() > number * SESSIONS_BETWEEN).then(|| acknowledged.clone())
                })
                .await;
                let file = back_up(&server, &format!("backup-{number}")).await;
                assert_consistent(&file).await;
                let held = references(&file).await;
                assert!(held.is_superset(&before), "acknowledged before and not in it: {:?}", before.difference(&held));
                if let Some(previous) = last.replace(file) {
                    std::fs::remove_file(previous).unwrap();
                }
            }
            load.stop.store(true, Ordering::Relaxed);
            last.unwrap()
        };
        let (last, (), (), ()) = tokio::join!(copies, load.sessions(0), load.sessions(1), load.changes());
        assert_eq!(texts(&last, "SELECT DISTINCT status FROM session_records ORDER BY status").await, ["failed", "succeeded"]);
        measured.push(references(&last).await.len());
        for place in Place::on_each_engine().await {
            place.adopt(&server.plan);
            assert_restored(&place, &last, &server, &load.service).await;
        }
        server.end().await;
    }
    promise.kept(count, &format!("measured sessions in the last backup of each engine {measured:?}, each restored into each"));
}

/// Restores into an empty database, starts a server on it, and compares.
async fn assert_restored(place: &Place, file: &Path, origin: &Server, service: &str) {
    let restored = place.run(&["backup", "restore", &file.display().to_string()]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let copy = place.file("copy-of-restored");
    let made = place.run(&["backup", "create", "--out", &copy.display().to_string()]).await;
    assert_eq!(made.code, 0, "{made:?}");
    assert_consistent(&copy).await;
    assert_eq!(references(&copy).await, references(file).await);
    let twice = place.run(&["backup", "restore", &file.display().to_string()]).await;
    assert!(twice.code == 1 && twice.words.contains("not empty"), "{twice:?}");

    let key = Key::from_pem(&std::fs::read_to_string(origin.plan.file("private_key.pem")).unwrap());
    let server = place.plan().serve_for(key).await;
    let path = format!("/payment-services/{service}/sessions");
    let session = server.merchant().post(&path, &adyen_request()).await.expect(200);
    assert_eq!(session["status"], "succeeded", "the credentials open");
    let key = texts(file, "SELECT idempotency_key FROM idempotency_keys WHERE state = 'answered' LIMIT 1").await.remove(0);
    let mut request = adyen_request();
    request["reference"] = json!(key);
    let again = server.merchant().header("idempotency-key", &key).post(&path, &request).await;
    again.expect(200);
    assert_eq!(
        again.header("idempotent-replayed"),
        Some("true"),
        "what was answered before the backup is answered after it, and carried out once"
    );
    server.end().await;
}

#[tokio::test]
async fn r45_a_backup_holds_no_credential_in_the_clear_and_no_root_key() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    for plan in plans().await {
        let server = plan.start().await;
        let fields = [("api_key", CANARY), ("merchant_account", "ShopECOM"), ("mode", "simulator")];
        server.merchant().post("/payment-services", &service("adyen-card", &fields)).await.expect(201);
        let secrets = json!({ "id": "shop", "display_name": "Shop", "loon_secret_key": CANARY });
        server.merchant().post("/merchant-accounts", &secrets).await.expect(201);
        let file = back_up(&server, "backup").await;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let root_key = std::fs::read_to_string(server.plan.file("root.key")).unwrap();
        let root_key_bytes = STANDARD.decode(root_key.trim()).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Base64 of the canary wherever it begins, without the ends that depend on the neighbours.
        let encoded = (0..3).map(|before| {
            let text = STANDARD.encode([&vec![b'x'; before][..], CANARY.as_bytes()].concat());
            text.as_bytes()[4..text.len() - 4].to_vec()
        });
        let wanted: Vec<Vec<u8>> = [CANARY.as_bytes().to_vec(), hex.into_bytes(), root_key.trim().as_bytes().to_vec(), root_key_bytes]
            .into_iter()
            .chain(encoded)
            .collect();
        for secret in &wanted {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_slice()), "{:?}", String::from_utf8_lossy(secret));
        }
        let sealed =
            texts(&file, "SELECT field_key FROM payment_service_fields UNION ALL SELECT secret_key FROM merchant_account_secrets").await;
        assert!(
            sealed.contains(&"api_key".to_owned()) && sealed.contains(&"loon_secret_key".to_owned()),
            "they are in it, sealed: {sealed:?}"
        );
        server.end().await;
    }
}

#[tokio::test]
async fn r47_an_old_backup_without_its_root_key_is_refused_and_names_the_key() {
    let server = Plan::sqlite(BINARY).start().await;
    simulated_adyen(&server, "adyen-card").await;
    let file = back_up(&server, "backup").await.display().to_string();
    let stranger = Plan::sqlite(BINARY).start().await;
    for place in Place::on_each_engine().await {
        place.adopt(&stranger.plan);
        let id = texts(Path::new(&file), "SELECT DISTINCT root_key_id FROM data_keys").await.remove(0);
        let config = place.file("tollhouse.toml").display().to_string();
        let verified = place.run_alone(&["backup", "verify", &file, "--config", &config]).await;
        assert!(verified.code == 1 && verified.out.contains(&format!("it needs root key {id}")), "{verified:?}");
        let restored = place.run(&["backup", "restore", &file]).await;
        assert!(restored.code == 1 && restored.words.contains(&format!("it needs root key {id}")), "{restored:?}");
        let unkeyed = place.run_alone(&["backup", "verify", &file]).await;
        assert!(unkeyed.code == 0 && unkeyed.words.contains("was not opened"), "without a configuration no key is asked for: {unkeyed:?}");
        place.adopt(&server.plan);
        let restored = place.run(&["backup", "restore", &file]).await;
        assert_eq!(restored.code, 0, "nothing was done before: {restored:?}");
    }
    server.end().await;
    stranger.end().await;
}
