//! The same request twice: one session.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use testkit::caller::{Caller, Reply as Answer};
use testkit::promise::Promise;
use testkit::provider::{Authority, Options, Provider, Reply, Validity};
use testkit::server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api_key_pairs::bound_to;
use crate::sessions::{ADYEN, LIMIT_MS, Stage, on_stage};
use crate::support::{adyen_request, at_once, eventually, service, sqlite};

const MADE: &str = r#"{"id":"CS-1","sessionData":"x"}"#;

/// A session of the stage's service under a key.
async fn once(stage: &Stage<'_>, key: &str, body: &Value) -> Answer {
    keyed(stage.server.merchant(), key).post(&format!("{}/sessions", stage.path), body).await
}

fn keyed<'s>(caller: Caller<'s>, key: &str) -> Caller<'s> {
    caller.header("idempotency-key", key)
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

fn is_concurrent(answer: &Answer) -> bool {
    answer.status == 409 && answer.expect(409)["code"] == "concurrent_request"
}

/// Sends a whole request under a key and leaves the answer to whoever reads the connection.
async fn send_alone(server: &Server, path: &str, key: &str) -> TcpStream {
    let body = adyen_request().to_string();
    let head = format!(
        "POST {path}/sessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
        server.key.token(&["*.write"]),
        body.len(),
    );
    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn r01_a_success_and_a_decline_are_answered_again_byte_for_byte() {
    let promise = Promise::new("R01");
    let repetitions = promise.count(5, 100);
    on_stage("adyen-card", &ADYEN, async |stage| {
        for (key, reply) in [("success", Reply::json(201, MADE)), ("decline", Reply::json(422, r#"{"errorCode":"14_030"}"#))] {
            let before = stage.provider.requests().len();
            stage.provider.reply(reply);
            let first = once(&stage, key, &adyen_request()).await;
            assert!(first.status == 200 && !is_replay(&first), "{}", first.text);
            for _ in 0..repetitions {
                let again = once(&stage, key, &adyen_request()).await;
                assert_eq!((again.status, &again.text, is_replay(&again)), (200, &first.text, true));
                assert_eq!(again.header("tollhouse-delivered"), first.header("tollhouse-delivered"));
            }
            assert_eq!(stage.provider.requests().len(), before + 1, "{key}");
        }
    })
    .await;
    promise.kept(repetitions, "one call per key, equal bytes");
}

#[tokio::test]
async fn r02_another_request_under_the_same_key_is_refused_and_a_key_counts_at_its_path() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        stage.provider.reply(Reply::json(201, MADE));
        let first = once(&stage, "k", &adyen_request()).await;
        let mut other = adyen_request();
        other["amount"]["value"] = json!(1001);
        let refused = once(&stage, "k", &other).await;
        assert_eq!(refused.problems(400, "bad_request"), ["Idempotency-Key idempotency_key_mismatch"]);
        assert_eq!(refused.json()["details"][0]["location"], "header");
        assert_eq!(stage.provider.requests().len(), 1);
        assert_eq!(once(&stage, "k", &adyen_request()).await.text, first.text);
        // The other operation, which calls the same service.
        let path = "/payment-service-definitions/adyen-card/sessions";
        let elsewhere = keyed(stage.server.merchant(), "k").post(path, &other).await;
        assert!(elsewhere.status == 200 && !is_replay(&elsewhere), "{}", elsewhere.text);
        assert_eq!(stage.provider.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn r03_of_fifty_at_once_one_is_carried_out() {
    let promise = Promise::new("R03");
    let seeds = promise.count(2, 200);
    let mut random = promise.random();
    let delays: Vec<u64> = (0..seeds).map(|_| random.below(800)).collect();
    on_stage("adyen-card", &ADYEN, async |stage| {
        for (seed, delay) in delays.iter().enumerate() {
            stage.provider.reply(Reply::After(Duration::from_millis(*delay), Box::new(Reply::json(201, MADE))));
            let key = format!("seed-{seed}");
            let body = adyen_request();
            // One client for all: to make fifty takes longer than a connection may be silent.
            let caller = keyed(stage.server.merchant(), &key);
            let path = format!("{}/sessions", stage.path);
            let answers = at_once((0..50).map(|_| caller.post(&path, &body)).collect()).await;
            let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
            assert_eq!(made.iter().filter(|answer| !is_replay(answer)).count(), 1, "delay {delay}");
            assert!(made.iter().all(|answer| answer.text == made[0].text), "delay {delay}");
            assert!(answers.iter().all(|answer| answer.status == 200 || is_concurrent(answer)), "delay {delay}");
            assert_eq!(stage.provider.requests().len(), seed + 1, "delay {delay}");
        }
        let records = stage.server.merchant().get("/payment-service-sessions?limit=100").await.expect(200);
        assert_eq!(records["items"].as_array().unwrap().len(), seeds.min(100));
    })
    .await;
    promise.kept(seeds, "one call and one record per seed");
}

#[tokio::test]
async fn r04_refused_requests_use_no_key_up_and_keys_have_limits() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let path = format!("{}/sessions", stage.path);
        let post = async |key: &str, body: &str| keyed(stage.server.merchant(), key).post_text(&path, body).await;
        for body in ["", "[]", "{"] {
            assert_eq!(post("k", body).await.status, 400, "{body}");
        }
        assert_eq!(keyed(stage.server.with_scopes(&["*.read"]), "k").post(&path, &adyen_request()).await.status, 403);
        assert_eq!(keyed(stage.server.anonymous(), "k").post(&path, &adyen_request()).await.status, 401);
        stage.provider.reply(Reply::json(201, MADE));
        let made = once(&stage, "k", &adyen_request()).await;
        assert!(made.status == 200 && !is_replay(&made), "{}", made.text);

        let body = adyen_request().to_string();
        for (key, kind) in
            [("", "string_too_short"), (&"k".repeat(256), "string_too_long"), ("a\tb", "pattern_mismatch"), ("ключ", "pattern_mismatch")]
        {
            assert_eq!(post(key, &body).await.problems(400, "bad_request"), [format!("Idempotency-Key {kind}")], "{key:?}");
        }
        let twice = keyed(keyed(stage.server.merchant(), "a"), "a").post_text(&path, body.as_str()).await;
        assert_eq!(twice.problems(400, "bad_request"), ["Idempotency-Key value_error"]);
        assert_eq!(stage.provider.requests().len(), 1);
        // Other control characters are no header: the connection's own parser refuses them.
        let mut stream = send_alone(stage.server, &stage.path, "a\u{1}b").await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(stage.provider.requests().len(), 1);

        stage.provider.reply(Reply::json(201, MADE));
        assert_eq!(post(&"k".repeat(255), &body).await.status, 200);
        // Elsewhere the header means nothing.
        let listed = keyed(stage.server.merchant(), "").get("/payment-services").await;
        assert_eq!(listed.status, 200);
    })
    .await;
}

#[tokio::test]
async fn r06_accounts_are_apart_and_tokens_and_key_pairs_are_not() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        stage.provider.answer(|_| Reply::json(201, MADE));
        let merchant = stage.server.merchant();
        merchant.post("/merchant-accounts", &json!({ "id": "other", "display_name": "Other" })).await.expect(201);
        let fields = [&ADYEN[..], &[("mode", "sandbox")]].concat();
        stage.server.merchant().for_account("other").post("/payment-services", &service("adyen-card", &fields)).await.expect(201);
        let path = "/payment-service-definitions/adyen-card/sessions";
        let first = keyed(stage.server.merchant(), "k").post(path, &adyen_request()).await;
        let other = keyed(stage.server.merchant().for_account("other"), "k").post(path, &adyen_request()).await;
        assert_eq!((is_replay(&first), is_replay(&other)), (false, false), "{}", other.text);
        // Each call of the first has a token of its own; this one is of another key pair too.
        let pair = bound_to(stage.server, &["default"]).await;
        let again = keyed(stage.server.anonymous().token(pair.token(&["*.write"])), "k").post(path, &adyen_request()).await;
        assert_eq!((again.status, is_replay(&again), again.text), (200, true, first.text));
        assert_eq!(stage.provider.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn r07_a_client_that_hangs_up_gets_the_stored_answer() {
    let promise = Promise::new("R07");
    let rounds = promise.count(3, 50);
    let mut random = promise.random();
    let delays: Vec<(u64, u64)> = (0..rounds).map(|_| (random.below(500), random.below(500))).collect();
    on_stage("adyen-card", &ADYEN, async |stage| {
        for (round, (service, client)) in delays.iter().enumerate() {
            stage.provider.reply(Reply::After(Duration::from_millis(*service), Box::new(Reply::json(201, MADE))));
            let key = format!("round-{round}");
            let stream = send_alone(stage.server, &stage.path, &key).await;
            stage.provider.wait_for_requests(round + 1).await;
            // Somewhere between the first byte of the answer and long before it.
            let left = tokio::time::timeout(Duration::from_millis(*client), stream.readable()).await;
            stream.set_zero_linger().unwrap();
            drop((stream, left));
            let answer = eventually("the session has ended", async || {
                let answer = once(&stage, &key, &adyen_request()).await;
                (!is_concurrent(&answer)).then_some(answer)
            });
            let answer = answer.await;
            assert!(answer.status == 200 && is_replay(&answer) && answer.text.contains("CS-1"), "{}", answer.text);
            assert_eq!(stage.provider.requests().len(), round + 1);
        }
    })
    .await;
    promise.kept(rounds, "one call per round");
}

#[tokio::test]
async fn r08_one_upstream_key_per_attempt_over_every_resend() {
    on_stage("adyen-card", &ADYEN, async |stage| {
        let upstream = |from: usize| -> Vec<String> {
            let requests = stage.provider.requests();
            requests.iter().skip(from).map(|request| request.header("idempotency-key").unwrap().to_owned()).collect()
        };
        // The service asks to come back, then fails; the client comes back; the exchange breaks twice; the client comes back.
        stage.provider.reply(Reply::json(503, "{}").with_header("retry-after", "0"));
        stage.provider.reply(Reply::json(500, "{}"));
        assert!(!is_replay(&once(&stage, "k", &adyen_request()).await));
        stage.provider.reply(Reply::CloseUnanswered);
        stage.provider.reply(Reply::CloseUnanswered);
        let unknown = once(&stage, "k", &adyen_request()).await;
        assert_eq!((unknown.header("tollhouse-delivered"), is_replay(&unknown)), (Some("unknown"), false));
        stage.provider.reply(Reply::json(201, MADE));
        let made = once(&stage, "k", &adyen_request()).await;
        assert_eq!((made.json()["status"].as_str(), is_replay(&made)), (Some("succeeded"), false));
        assert!(is_replay(&once(&stage, "k", &adyen_request()).await));
        let keys = upstream(0);
        assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len()), (5, 1), "{keys:?}");

        // The same request under another key, and twice without one: attempts of their own.
        stage.provider.answer(|_| Reply::json(201, MADE));
        once(&stage, "other", &adyen_request()).await;
        stage.usual_session().await;
        stage.usual_session().await;
        let all = upstream(4);
        assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (4, 4), "{all:?}");

        // Each execution has left a record; the attempt's id is that of the first.
        let records = stage.server.merchant().get("/payment-service-sessions?limit=100").await.expect(200);
        let ids: Vec<&str> = records["items"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap()).collect();
        assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (6, 6));
        assert!(all.iter().all(|key| ids.contains(&key.as_str())), "{ids:?} {all:?}");
    })
    .await;
}

/// Nobody can tell, so nobody tries: the first answer stands.
#[tokio::test]
async fn an_unknown_outcome_is_answered_again_where_the_service_recognises_nothing() {
    on_stage("braintree-card", &[("public_key", "p"), ("private_key", "k"), ("timeout_ms", LIMIT_MS)], async |stage| {
        stage.provider.reply(Reply::CloseUnanswered);
        let first = once(&stage, "k", &adyen_request()).await;
        assert_eq!(first.header("tollhouse-delivered"), Some("unknown"), "{}", first.text);
        let again = once(&stage, "k", &adyen_request()).await;
        assert_eq!((again.header("tollhouse-delivered"), is_replay(&again), &again.text), (Some("unknown"), true, &first.text));
        assert_eq!(stage.provider.requests().len(), 1);
    })
    .await;
}

/// SIGKILL while the payment service has the request and has not answered. On SQLite, whose file the test can reach to let the lease run out; the engine's tests do the same on both databases with a clock.
#[tokio::test]
async fn a_server_that_dies_during_the_call_repeats_it_or_says_that_nobody_knows() {
    let authority = Authority::new();
    let issue = || authority.issue(&["127.0.0.1"], Validity::Current);
    let (recognising, other) = (Provider::start(Options::tls(issue())).await, Provider::start(Options::tls(issue())).await);
    let plan = sqlite();
    let ca = plan.file("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let plan = plan.provider_at("adyen", &recognising.url(""), Some(&ca)).provider_at("braintree", &other.url(""), Some(&ca));
    let server = plan.start().await;
    let mut paths = Vec::new();
    for (definition, fields) in [("adyen-card", &ADYEN[..]), ("braintree-card", &[("public_key", "p"), ("private_key", "k")])] {
        let new = service(definition, &[fields, &[("mode", "sandbox")]].concat());
        let made = server.merchant().post("/payment-services", &new).await.expect(201);
        paths.push(format!("/payment-services/{}", made["id"].as_str().unwrap()));
    }
    for provider in [&recognising, &other] {
        provider.reply(Reply::Never);
        provider.answer(|_| Reply::json(201, MADE));
    }
    let streams = (send_alone(&server, &paths[0], "k").await, send_alone(&server, &paths[1], "k").await);
    recognising.wait_for_requests(1).await;
    other.wait_for_requests(1).await;
    let server = server.kill().await.serve().await;
    drop(streams);
    let ask = async |server: &Server, path: &str| keyed(server.merchant(), "k").post(&format!("{path}/sessions"), &adyen_request()).await;
    for path in &paths {
        assert!(is_concurrent(&ask(&server, path).await), "the lease of the dead server holds");
    }

    let plan = server.kill().await;
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", plan.file("tollhouse.db").display())).await.unwrap();
    let changed = database.execute("UPDATE idempotency_keys SET lease_until = 0").await.unwrap();
    assert_eq!(changed.rows_affected(), 2);
    database.close().await.unwrap();
    let server = plan.serve().await;
    let records = eventually("the interrupted sessions are recorded", async || {
        let records = server.merchant().get("/payment-service-sessions?code=UNKNOWN_ERROR").await.expect(200);
        (records["items"].as_array().unwrap().len() == 2).then_some(records)
    });
    assert!(records.await["items"].as_array().unwrap().iter().all(|record| record["outcome_known"] == false));

    let known = ask(&server, &paths[0]).await;
    assert_eq!((known.json()["status"].as_str(), is_replay(&known)), (Some("succeeded"), false), "{}", known.text);
    let sent = recognising.requests();
    assert_eq!((sent.len(), sent[0].header("idempotency-key")), (2, sent[1].header("idempotency-key")));
    let unknown = ask(&server, &paths[1]).await;
    assert_eq!((unknown.json()["code"].as_str(), is_replay(&unknown)), (Some("UNKNOWN_ERROR"), true), "{}", unknown.text);
    assert_eq!(unknown.header("tollhouse-delivered"), Some("unknown"));
    assert_eq!(other.requests().len(), 1);
    assert_eq!(ask(&server, &paths[0]).await.text, known.text);
    server.end().await;
}
