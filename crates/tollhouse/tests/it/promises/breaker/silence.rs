//! Payment services that take a request and do not answer it, or not to the end.

use testkit::provider::Then;

use super::*;

/// The time limit of the sessions here, and by how much they may miss it: as in the row, or as a busy machine needs.
const LIMIT: Duration = Duration::from_millis(1_500);

fn margin() -> Duration {
    Duration::from_millis(if is_full() { 250 } else { 5_000 })
}

/// What the session record says of the newest session.
async fn record(stage: &Stage) -> Value {
    stage.server.merchant().get("/payment-service-sessions?limit=1").await.expect(200)["items"][0].clone()
}

/// Makes calls of the one that is ill end after [`LIMIT`].
async fn limited(stage: &Stage) {
    let fields = json!({ "fields": [{ "key": "timeout_ms", "value": LIMIT.as_millis().to_string() }] });
    stage.server.merchant().put(&format!("/payment-services/{}", stage.ill), &fields).await.expect(200);
}

#[tokio::test]
async fn r11_a_request_that_was_read_is_delivered_once_and_recorded_as_unknown() {
    let promise = Promise::new("R11");
    let stage = Stage::new().await;
    let count = promise.count(5, 200);
    // One that breaks and two that are answered, so that the service is not left alone.
    for round in 0..count {
        // On a connection of its own: the one before was closed.
        stage.ill_answers(if round % 2 == 0 { Reply::CloseUnanswered } else { Reply::ResetUnanswered });
        let answer = stage.session(&stage.ill).await.answer;
        assert_eq!((&answer["code"], &answer["status_code"]), (&json!("SERVICE_NETWORK_ERROR"), &Value::Null));
        assert_eq!(stage.calls_of_the_ill(), 3 * round + 1, "delivered once");
        let record = record(&stage).await;
        assert_eq!((&record["outcome_known"], &record["code"]), (&json!(false), &json!("SERVICE_NETWORK_ERROR")));
        stage.ill_answers(good());
        for _ in 0..2 {
            assert_eq!(stage.session(&stage.ill).await.answer["status"], "succeeded");
        }
        stage.provider.hang_up();
        stage.provider.wait_for_open(0).await;
    }
    promise.kept(count, "each delivered once");
    stage.server.end().await;
}

#[tokio::test]
async fn r13_silence_ends_at_the_limit_and_its_connection_with_it() {
    let promise = Promise::new("R13");
    let stage = Stage::new().await;
    limited(&stage).await;
    let head = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\":\"half of it".to_vec();
    let replies = [Reply::Never, Reply::Drip(vec![b' '; 1_000], Duration::from_secs(1)), Reply::Raw(head, Then::Hang)];
    let mut longest = Duration::ZERO;
    let rounds = promise.count(1, 5);
    for reply in replies.iter().cycle().take(replies.len() * rounds) {
        let what = format!("{reply:.100?}");
        stage.ill_answers(reply.clone());
        let before = stage.provider.connections();
        let Ended { answer, took } = stage.session(&stage.ill).await;
        assert_eq!(answer["code"], "SERVICE_NETWORK_ERROR", "{what}");
        assert!(took >= LIMIT && took < LIMIT + margin(), "{what}: {took:?}");
        longest = longest.max(took);
        // It is closed, so that the next call needs another.
        stage.provider.wait_for_open(0).await;
        stage.ill_answers(good());
        assert_eq!(stage.session(&stage.ill).await.answer["status"], "succeeded", "{what}");
        assert_eq!(stage.provider.connections(), before + 2, "{what}");
        stage.provider.hang_up();
        stage.provider.wait_for_open(0).await;
    }
    promise.kept(replies.len() * rounds, &format!("limit {LIMIT:?}, longest {longest:?}, no socket left open"));
    stage.server.end().await;
}

/// Row R12 on the whole server: one service takes an idempotency key, the other does not.
#[tokio::test]
async fn r12_only_a_declared_operation_comes_back_when_it_is_told_to() {
    let promise = Promise::new("R12");
    let provider = Provider::start(Options::plain()).await;
    let url = provider.url("");
    let server = sqlite().provider_at("adyen", &url, None).provider_at("braintree", &url, None).start().await;
    let busy = || Reply::json(503, "{}").with_header("retry-after", "1");
    let id = async |definition, fields: &[(&str, &str)]| {
        let created = server.merchant().post("/payment-services", &service(definition, fields)).await.expect(201);
        created["id"].as_str().unwrap().to_owned()
    };
    let declared = id("adyen-card", &crate::sessions::ADYEN).await;
    let undeclared = id("braintree-card", &[("public_key", "p"), ("private_key", "k")]).await;

    provider.reply(busy());
    let path = format!("/payment-services/{undeclared}/sessions");
    assert_eq!(server.merchant().post_text(&path, "{}").await.expect(200)["status_code"], 503);
    assert_eq!(provider.requests().len(), 1);

    provider.reply(busy());
    let path = format!("/payment-services/{declared}/sessions");
    assert_eq!(server.merchant().post(&path, &crate::support::adyen_request()).await.expect(200)["status"], "succeeded");
    let requests = provider.requests();
    assert_eq!(requests.len(), 3);
    let gap = requests[2].at - requests[1].at;
    assert!(gap >= Duration::from_secs(1), "{gap:?}");
    let key = requests[1].header("idempotency-key").expect("a declared key");
    assert_eq!(requests[2].header("idempotency-key"), Some(key));
    promise.kept(2, &format!("asked for 1 s, came back after {gap:?}"));
    server.end().await;
}
