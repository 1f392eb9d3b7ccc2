//! A database that can not be written: nothing is acknowledged, nothing more is sent, and it heals by itself.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use testkit::provider::{Authority, Options, Provider, Reply, Validity};
use testkit::server::Plan;

use crate::support::{BINARY, adyen_request, service};

/// How long a server may take to notice that its database works again.
const PATIENCE: Duration = Duration::from_secs(20);

/// On SQLite, whose only write lock a second process can hold; what the store makes of a failed write is the same for both databases.
#[tokio::test]
async fn a_session_without_its_record_is_not_acknowledged() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    let plan = Plan::sqlite(BINARY);
    let ca = plan.file("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let server = plan.provider_at("adyen", &provider.url(""), Some(&ca)).start().await;
    let body = service("adyen-card", &[("api_key", "k"), ("merchant_account", "M"), ("mode", "sandbox")]);
    let id = server.merchant().post("/payment-services", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let session = async || server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await;
    provider.answer(|_| Reply::json(201, r#"{"id":"CS-unrecorded"}"#));

    let mut lock = SqliteConnection::connect(&format!("sqlite://{}", server.plan.file("tollhouse.db").display())).await.unwrap();
    lock.execute("BEGIN IMMEDIATE").await.unwrap();
    let refused = session().await;
    assert_eq!(refused.expect(503)["code"], "service_unavailable");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(provider.requests().len(), 1, "the service was called before the write failed");
    let request_id = refused.header("x-request-id").unwrap();
    let told = server.log().lines().any(|line| line.contains("ERROR") && line.contains(request_id) && line.contains("CS-unrecorded"));
    assert!(told, "the log says what the record would have said");

    session().await.expect(503);
    assert_eq!(provider.requests().len(), 1, "from now on nothing is sent");
    server.merchant().get("/payment-services").await.expect(200);

    lock.execute("ROLLBACK").await.unwrap();
    lock.close().await.unwrap();
    let healed = tokio::time::timeout(PATIENCE, async {
        loop {
            let answer = session().await;
            if answer.status == 200 {
                return answer;
            }
        }
    });
    assert_eq!(healed.await.expect("it heals without a restart").json()["status"], json!("succeeded"));
    let records = server.merchant().get("/payment-service-sessions").await.expect(200);
    assert_eq!(records["items"].as_array().unwrap().len(), 1);
    server.end().await;
}
