//! Every way a session can end: the table of `docs/sessions.md`, row by row, each produced by a server that really misbehaves.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::provider::{Greeting, Reply, Then};

use super::{ADYEN, LIMIT_MS, Stage, on_stage, session};
use crate::support::adyen_request;

/// One row: what the payment service does, and what the caller gets.
async fn check(stage: &Stage<'_>, reply: Reply, expected: Value, delivered: &str) {
    let what = format!("{reply:.200?}");
    stage.provider.reply(reply);
    let answer = stage.usual_session().await;
    assert_eq!(answer.expect(200), expected, "{what}");
    assert_eq!(answer.header("tollhouse-delivered"), Some(delivered), "{what}");
    let record = stage.record().await;
    assert_eq!(
        (&record["status"], &record["code"], &record["status_code"]),
        (&expected["status"], &expected["code"], &expected["status_code"]),
        "{what}"
    );
    assert_eq!(record["outcome_known"], json!(delivered != "unknown"), "{what}");
}

#[tokio::test]
async fn an_answer_decides_by_its_status_and_its_bytes() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let object = json!({ "id": "CS1", "n": 1.5 });
        let text = object.to_string();
        let invalid = |status| session("failed", Some("INVALID_SERVICE_RESPONSE"), Some(status), Value::Null);
        let failed = |code, status| session("failed", Some(code), Some(status), object.clone());
        let rows = [
            (Reply::json(201, &text), session("succeeded", None, Some(201), object.clone())),
            (Reply::json(200, &text), session("succeeded", None, Some(200), object.clone())),
            (Reply::empty(201), session("succeeded", None, Some(201), Value::Null)),
            (Reply::json(200, ""), session("succeeded", None, Some(200), Value::Null)),
            (Reply::json(201, "[1]"), invalid(201)),
            (Reply::json(201, "\"text\""), invalid(201)),
            (Reply::json(201, "null"), invalid(201)),
            (Reply::json(201, "{\"id\":"), invalid(201)),
            (Reply::json(201, "{} {}"), invalid(201)),
            (Reply::json(201, "<html>hello</html>"), invalid(201)),
            (Reply::Answer { status: 201, headers: vec![], body: vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'] }, invalid(201)),
            (Reply::json(201, &text).with_header("content-encoding", "gzip"), invalid(201)),
            (Reply::redirect(302, "https://127.0.0.1:1/elsewhere"), invalid(302)),
            (Reply::redirect(308, "https://127.0.0.1:1/elsewhere"), invalid(308)),
            (Reply::json(401, &text), failed("INVALID_SERVICE_CREDENTIALS", 401)),
            (Reply::json(403, &text), failed("INVALID_SERVICE_CREDENTIALS", 403)),
            (Reply::empty(401), session("failed", Some("INVALID_SERVICE_CREDENTIALS"), Some(401), Value::Null)),
            (Reply::json(429, &text), failed("SERVICE_RATE_LIMIT", 429)),
            (Reply::json(400, &text), failed("INVALID_SERVICE_REQUEST", 400)),
            (Reply::json(422, &text), failed("INVALID_SERVICE_REQUEST", 422)),
            (Reply::json(404, "[\"no object\"]"), session("failed", Some("INVALID_SERVICE_REQUEST"), Some(404), Value::Null)),
            (Reply::json(500, &text), failed("SERVICE_ERROR", 500)),
            (Reply::json(503, "overloaded"), session("failed", Some("SERVICE_ERROR"), Some(503), Value::Null)),
        ];
        for (reply, expected) in rows {
            check(&stage, reply, expected, "yes").await;
        }
        // Reading ends at the limit, so that nobody has seen a complete answer.
        check(&stage, Reply::Huge((1 << 20) + 1), invalid(200), "unknown").await;
    })
    .await;
}

#[tokio::test]
async fn without_a_whole_answer_nobody_knows() {
    // This service takes no idempotency key, so a request that may have arrived is not sent again.
    on_stage("braintree-card", &[("public_key", "p"), ("private_key", "k"), ("timeout_ms", LIMIT_MS)], async |stage| {
        let network = || session("failed", Some("SERVICE_NETWORK_ERROR"), None, Value::Null);
        let head = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"id\":".to_vec();
        let rows = [
            Reply::Never,
            Reply::CloseUnanswered,
            Reply::ResetUnanswered,
            Reply::Raw(head.clone(), Then::Close),
            Reply::Raw(head.clone(), Then::Reset),
            Reply::Raw(head, Then::Hang),
            Reply::Raw(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n".to_vec(), Then::Close),
            Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Then::Close),
            Reply::Drip(b"{\"id\":\"a long answer that never comes to its end in time\"}".to_vec(), Duration::from_millis(200)),
        ];
        for reply in rows {
            let before = stage.provider.requests().len();
            check(&stage, reply, network(), "unknown").await;
            assert_eq!(stage.provider.requests().len(), before + 1, "nothing is sent twice");
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    on_stage("adyen-card", &[&ADYEN[..], &[("timeout_ms", LIMIT_MS)]].concat(), async |stage| {
        let network = session("failed", Some("SERVICE_NETWORK_ERROR"), None, Value::Null);
        for greeting in [Greeting::Close, Greeting::Silence, Greeting::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Then::Close)] {
            let what = format!("{greeting:?}");
            stage.provider.greet(greeting);
            let answer = stage.usual_session().await;
            assert_eq!(answer.expect(200), network, "{what}");
            assert_eq!(answer.header("tollhouse-delivered"), Some("no"), "{what}");
        }
        assert_eq!(stage.provider.requests().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_ends_the_call() {
    let provider =
        testkit::provider::Provider::start(testkit::provider::Options::tls(testkit::provider::Identity::self_signed(&["127.0.0.1"]))).await;
    crate::support::on_each_engine_with(
        |plan| plan.provider_at("adyen", &provider.url(""), None),
        async |server| {
            let id = server.merchant().post("/payment-services", &crate::support::service("adyen-card", &ADYEN)).await.expect(201)["id"]
                .as_str()
                .unwrap()
                .to_owned();
            let answer = server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await;
            assert_eq!(answer.expect(200), session("failed", Some("SERVICE_NETWORK_ERROR"), None, Value::Null));
            assert_eq!(answer.header("tollhouse-delivered"), Some("no"));
        },
    )
    .await;
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_a_configuration_error() {
    // An override alone opens no door: the address rule holds.
    for base in ["https://127.0.0.1:9", "https://10.0.0.1", "https://169.254.169.254", "https://[::1]:9", "https://2130706433"] {
        crate::support::on_each_engine_with(
            |plan| plan.with("TOLLHOUSE_PROVIDERS__ADYEN__BASE_URL", base),
            async |server| {
                let id =
                    server.merchant().post("/payment-services", &crate::support::service("adyen-card", &ADYEN)).await.expect(201)["id"]
                        .as_str()
                        .unwrap()
                        .to_owned();
                let answer = server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await;
                assert_eq!(answer.expect(200), session("failed", Some("INVALID_SERVICE_CONFIGURATION"), None, Value::Null), "{base}");
                assert_eq!(answer.header("tollhouse-delivered"), Some("no"), "{base}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_success_that_says_no_in_its_body_is_a_failure() {
    on_stage("braintree-card", &[("public_key", "p"), ("private_key", "canary-private-key")], async |stage| {
        let error = |class: &str| json!({ "errors": [{ "message": "m", "extensions": { "errorClass": class } }], "data": null });
        for (class, code) in [
            ("AUTHENTICATION", "INVALID_SERVICE_CREDENTIALS"),
            ("AUTHORIZATION", "INVALID_SERVICE_CREDENTIALS"),
            ("VALIDATION", "INVALID_SERVICE_REQUEST"),
            ("RESOURCE_LIMIT", "SERVICE_RATE_LIMIT"),
            ("INTERNAL", "SERVICE_ERROR"),
            ("SERVICE_AVAILABILITY", "SERVICE_ERROR"),
            ("SOMETHING_NEW", "UNKNOWN_ERROR"),
        ] {
            stage.provider.reply(Reply::json(200, &error(class).to_string()));
            assert_eq!(stage.session("{}").await.expect(200), session("failed", Some(code), Some(200), error(class)), "{class}");
        }
        let good = json!({ "data": { "createClientToken": { "clientToken": "t" } }, "extensions": { "requestId": "r" } });
        stage.provider.reply(Reply::json(200, &good.to_string()));
        assert_eq!(stage.session("{}").await.expect(200), session("succeeded", None, Some(200), json!({ "clientToken": "t" })));
        assert_eq!(stage.record().await["support_id"], "r", "the record sees the whole answer");
        stage.provider.reply(Reply::json(200, r#"{"data":{"createClientToken":null}}"#));
        assert_eq!(stage.session("{}").await.expect(200), session("failed", Some("INVALID_SERVICE_RESPONSE"), Some(200), Value::Null));
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_cancels_nothing() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let arrived = stage.provider.requests().len();
        stage.provider.reply(Reply::After(Duration::from_millis(200), Box::new(Reply::json(201, r#"{"id":"CS-left"}"#))));
        tokio::select! {
            answer = stage.usual_session() => panic!("the answer came before the caller could leave: {answer:?}"),
            _ = stage.provider.wait_for_requests(arrived + 1) => {}
        }
        let record = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let record = stage.record().await;
                if !record.is_null() {
                    return record;
                }
            }
        })
        .await
        .expect("the record is written");
        assert_eq!((&record["status"], &record["service_session_id"]), (&json!("succeeded"), &json!("CS-left")));
    })
    .await;
}

#[tokio::test]
async fn where_the_service_knows_our_key_a_broken_exchange_is_tried_once_more_with_it() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let before = stage.provider.requests().len();
        stage.provider.reply(Reply::CloseUnanswered);
        stage.provider.reply(Reply::json(201, r#"{"id":"CS-again"}"#));
        let answer = stage.usual_session().await;
        assert_eq!(answer.expect(200), session("succeeded", None, Some(201), json!({ "id": "CS-again" })));
        let sent = stage.provider.requests().split_off(before);
        assert_eq!(sent.len(), 2);
        assert_eq!((sent[0].header("idempotency-key"), &sent[0].body), (sent[1].header("idempotency-key"), &sent[1].body));

        for _ in 0..2 {
            stage.provider.reply(Reply::CloseUnanswered);
        }
        let answer = stage.usual_session().await;
        assert_eq!(answer.expect(200), session("failed", Some("SERVICE_NETWORK_ERROR"), None, Value::Null));
        assert_eq!(
            (answer.header("tollhouse-delivered"), stage.provider.requests().len()),
            (Some("unknown"), before + 4),
            "once more, and not again"
        );
    })
    .await;
}
