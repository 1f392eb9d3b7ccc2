//! A session of two requests: what each of them is sent, and what the caller and the record get of their answers.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::provider::Reply;

use super::{Stage, on_stage};

const TOKEN: [(&str, &str); 2] = [("access_token", "canary-access-token"), ("timeout_ms", "700")];

const BODY: &str = r#"{"billing_requests":{"payment_request":{"amount":1000,"currency":"GBP"}},"billing_request_flows":{"redirect_uri":"https://shop.example/r"}}"#;

const REQUESTED: &str = r#"{"billing_requests":{"id":"BRQ1","status":"pending"}}"#;

/// Status, code, status code, delivered and the record's service id.
async fn ends(stage: &Stage<'_>, second: Reply) -> (Value, Value, Value, String, Value) {
    stage.provider.reply(Reply::json(201, REQUESTED));
    stage.provider.reply(second);
    let reply = stage.session(BODY).await;
    let session = reply.expect(200);
    let delivered = reply.header("tollhouse-delivered").unwrap().to_owned();
    (
        session["status"].clone(),
        session["code"].clone(),
        session["status_code"].clone(),
        delivered,
        stage.record().await["service_session_id"].clone(),
    )
}

#[tokio::test]
async fn the_caller_gets_the_answer_of_the_second_request() {
    on_stage("gocardless-gocardless", &TOKEN, async |stage| {
        let flow = r#"{"billing_request_flows":{ "id":"BRF1","authorisation_url":"https://pay.gocardless.test/BRF1" }}"#;
        stage.provider.reply(Reply::json(201, REQUESTED));
        stage.provider.reply(Reply::json(201, flow).with_header("x-request-id", "support-2"));
        let reply = stage.session(BODY).await;
        assert!(reply.text.contains(&format!("\"response_body\":{flow}")), "{}", reply.text);
        let requests = stage.provider.requests();
        let sent: Vec<Value> = requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
        let links = json!({ "redirect_uri": "https://shop.example/r", "links": { "billing_request": "BRQ1" } });
        assert_eq!(sent[0], json!({ "billing_requests": { "payment_request": { "amount": 1000, "currency": "GBP" } } }));
        assert_eq!(sent[1], json!({ "billing_request_flows": links }));
        assert_eq!(
            requests.iter().map(|request| request.target.as_str()).collect::<Vec<_>>(),
            ["/billing_requests", "/billing_request_flows"]
        );
        let keys: Vec<_> = requests.iter().map(|request| request.header("idempotency-key").unwrap()).collect();
        assert_ne!(keys[0], keys[1]);
        let record = stage.record().await;
        assert_eq!(record["id"], keys[0]);
        let kept = ["amount", "currency", "service_session_id", "support_id"].map(|member| record[member].clone());
        assert_eq!(kept, [json!(1000), json!("GBP"), json!("BRF1"), json!("support-2")]);
    })
    .await;
}

#[tokio::test]
async fn the_second_request_decides_and_the_first_is_never_forgotten() {
    on_stage("gocardless-gocardless", &TOKEN, async |stage| {
        let refused = json!({ "error": { "type": "validation_failed", "code": 422 } }).to_string();
        let end = |code: &str, status: Option<u16>, delivered: &str| {
            (json!("failed"), json!(code), json!(status), delivered.to_owned(), json!("BRQ1"))
        };
        assert_eq!(ends(&stage, Reply::json(422, &refused)).await, end("INVALID_SERVICE_REQUEST", Some(422), "yes"));
        assert_eq!(stage.record().await["service_code"], "validation_failed");
        assert_eq!(ends(&stage, Reply::CloseUnanswered).await, end("SERVICE_NETWORK_ERROR", None, "unknown"));
        assert_eq!(
            ends(&stage, Reply::After(Duration::from_secs(5), Box::new(Reply::json(201, "{}")))).await,
            end("SERVICE_NETWORK_ERROR", None, "unknown")
        );
        let before = stage.provider.requests().len();
        stage.provider.reply(Reply::json(201, r#"{"billing_requests":{}}"#));
        let session = stage.session(BODY).await.expect(200);
        assert_eq!(
            (&session["code"], &session["status_code"], &session["response_body"]),
            (&json!("INVALID_SERVICE_RESPONSE"), &json!(201), &Value::Null)
        );
        assert_eq!(stage.provider.requests().len(), before + 1, "without an id there is no second request");
    })
    .await;
}
