//! A payment service that wants a token first.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::provider::{Received, Reply};

use super::{LIMIT_MS, on_stage, session};
use crate::support::{at_once, eventually};

const PAYPAL: [(&str, &str); 2] = [("client_id", "client"), ("client_secret", "canary-secret-0123456789")];
const ORDER: &str =
    r#"{"intent":"CAPTURE","purchase_units":[{"reference_id":"order-1","amount":{"currency_code":"EUR","value":"10.00"}}]}"#;

fn is_token_call(request: &Received) -> bool {
    request.target == "/v1/oauth2/token"
}

fn token(text: &str) -> Reply {
    Reply::json(200, &json!({ "access_token": text, "token_type": "Bearer", "expires_in": 32000 }).to_string())
}

#[tokio::test]
async fn one_token_serves_a_hundred_sessions() {
    on_stage("paypal-paypal", &PAYPAL, async |stage| {
        stage
            .provider
            .answer(|request| if is_token_call(request) { token("t-1") } else { Reply::json(201, r#"{"id":"5O1","status":"CREATED"}"#) });
        let before = stage.provider.requests().len();
        let mut calls = Vec::new();
        for _ in 0..100 {
            calls.push(stage.session(ORDER));
        }
        for answer in at_once(calls).await {
            assert_eq!(answer.expect(200)["status"], "succeeded");
        }
        let requests = stage.provider.requests().split_off(before);
        let tokens: Vec<&Received> = requests.iter().filter(|request| is_token_call(request)).collect();
        assert_eq!((requests.len(), tokens.len()), (101, 1));
        assert_eq!(tokens[0].text(), "grant_type=client_credentials");
        assert_eq!(tokens[0].header("authorization"), Some("Basic Y2xpZW50OmNhbmFyeS1zZWNyZXQtMDEyMzQ1Njc4OQ=="));
        let order = requests.iter().find(|request| !is_token_call(request)).unwrap();
        assert_eq!(
            (order.target.as_str(), order.header("authorization"), order.text()),
            ("/v2/checkout/orders", Some("Bearer t-1"), ORDER)
        );
        let record = stage.record().await;
        assert_eq!(
            (&record["amount"], &record["currency"], &record["reference"], &record["service_session_id"]),
            (&json!(1000), &json!("EUR"), &json!("order-1"), &json!("5O1"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_once_more() {
    on_stage("paypal-paypal", &PAYPAL, async |stage| {
        stage.provider.reply(token("old"));
        stage.provider.reply(Reply::json(401, r#"{"name":"AUTHENTICATION_FAILURE"}"#));
        stage.provider.reply(token("new"));
        stage.provider.reply(Reply::json(201, r#"{"id":"5O2"}"#));
        assert_eq!(stage.session(ORDER).await.expect(200)["response_body"]["id"], "5O2");
        let bearers: Vec<String> = stage
            .provider
            .requests()
            .iter()
            .filter(|request| !is_token_call(request))
            .map(|request| request.header("authorization").unwrap().to_owned())
            .collect();
        assert_eq!(bearers[bearers.len() - 2..], ["Bearer old", "Bearer new"]);

        let before = stage.provider.requests().len();
        for reply in [Reply::json(401, "{}"), token("third"), Reply::json(401, r#"{"name":"NO"}"#)] {
            stage.provider.reply(reply);
        }
        assert_eq!(
            stage.session(ORDER).await.expect(200),
            session("failed", Some("INVALID_SERVICE_CREDENTIALS"), Some(401), json!({ "name": "NO" }))
        );
        assert_eq!(stage.provider.requests().len(), before + 3, "once more, and not again");
    })
    .await;
}

#[tokio::test]
async fn a_token_call_that_fails_decides_the_session() {
    on_stage("paypal-paypal", &[&PAYPAL[..], &[("timeout_ms", LIMIT_MS)]].concat(), async |stage| {
        let rows = [
            (Reply::json(401, r#"{"error":"invalid_client"}"#), "INVALID_SERVICE_CREDENTIALS", Some(401)),
            (Reply::json(400, r#"{"error":"invalid_request"}"#), "INVALID_SERVICE_CREDENTIALS", Some(400)),
            (Reply::json(403, "{}"), "INVALID_SERVICE_CREDENTIALS", Some(403)),
            (Reply::json(429, "{}"), "SERVICE_RATE_LIMIT", Some(429)),
            (Reply::json(503, "{}"), "SERVICE_ERROR", Some(503)),
            (Reply::json(200, "no json"), "INVALID_SERVICE_RESPONSE", Some(200)),
            (Reply::json(200, "{}"), "INVALID_SERVICE_RESPONSE", Some(200)),
            (Reply::redirect(302, "https://127.0.0.1:1/"), "INVALID_SERVICE_RESPONSE", Some(302)),
            (Reply::Never, "SERVICE_NETWORK_ERROR", None),
            (Reply::CloseUnanswered, "SERVICE_NETWORK_ERROR", None),
        ];
        for (reply, code, status) in rows {
            let what = format!("{reply:?}");
            stage.provider.reply(reply);
            assert_eq!(stage.session(ORDER).await.expect(200), session("failed", Some(code), status, Value::Null), "{what}");
        }
        assert!(stage.provider.requests().iter().all(is_token_call), "no order without a token");
    })
    .await;
}

/// The bearers of the sessions, in order.
fn bearers(requests: &[Received]) -> Vec<String> {
    let sessions = requests.iter().filter_map(|request| request.header("authorization")?.strip_prefix("Bearer "));
    sessions.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_token_that_has_ended_is_fetched_anew_and_one_that_lives_is_not() {
    on_stage("paypal-paypal", &PAYPAL, async |stage| {
        // The first lives for a second, the next for hours.
        let fetched = AtomicUsize::new(0);
        stage.provider.answer(move |request| {
            if !is_token_call(request) {
                return Reply::json(201, r#"{"id":"5O3"}"#);
            }
            let number = fetched.fetch_add(1, Ordering::SeqCst) + 1;
            let lifetime = if number == 1 { 1 } else { 32_000 };
            Reply::json(200, &json!({ "access_token": format!("t-{number}"), "expires_in": lifetime }).to_string())
        });
        eventually("the first token ends", async || {
            assert_eq!(stage.session(ORDER).await.expect(200)["status"], "succeeded");
            bearers(&stage.provider.requests()).contains(&"t-2".to_owned()).then_some(())
        })
        .await;
        for _ in 0..5 {
            stage.session(ORDER).await.expect(200);
        }
        let requests = stage.provider.requests();
        let bearers = bearers(&requests);
        assert_eq!((bearers[0].as_str(), requests.iter().filter(|request| is_token_call(request)).count()), ("t-1", 2));
        assert!(bearers.is_sorted() && bearers.len() >= 7, "{bearers:?}");
    })
    .await;
}

#[tokio::test]
async fn a_moment_and_a_text_say_as_well_when_a_token_ends() {
    let airwallex = [("client_id", "client"), ("api_key", "canary-key-0123456789")];
    let vipps = [
        ("client_id", "client"),
        ("client_secret", "canary-secret-0123456789"),
        ("subscription_key", "canary-subscription-0123456789"),
        ("merchant_serial_number", "123456"),
    ];
    let (login, get) = ("/api/v1/authentication/login", "/accesstoken/get");
    let moment = |moment: &str| json!({ "token": "t", "expires_at": moment });
    let seconds = |seconds: &str| json!({ "access_token": "t", "expires_in": seconds });
    // Definition, its fields, the token call, how its answer names token and end, and whether that is over.
    let table = [
        ("airwallex-card", &airwallex[..], login, moment("2020-01-01T00:00:00+0000"), true),
        ("airwallex-card", &airwallex[..], login, moment("2999-01-01T00:00:00+0000"), false),
        ("airwallex-card", &airwallex[..], login, moment("2020-01-01T00:00:00Z"), true),
        ("vipps-vipps", &vipps[..], get, seconds("0"), true),
        ("vipps-vipps", &vipps[..], get, seconds("3600"), false),
    ];
    for (definition, fields, target, answer, is_over) in table {
        on_stage(definition, fields, async |stage| {
            let token = answer.to_string();
            stage.provider.answer(move |request| if request.target == target { Reply::json(200, &token) } else { Reply::json(201, "{}") });
            for _ in 0..3 {
                assert_eq!(stage.session(r#"{"reference":"order-1"}"#).await.expect(200)["status"], "succeeded");
            }
            let requests = stage.provider.requests();
            let tokens: Vec<&Received> = requests.iter().filter(|request| request.target == target).collect();
            assert_eq!((tokens.len(), requests.len() - tokens.len()), (if is_over { 3 } else { 1 }, 3), "{definition} {answer}");
            assert!(tokens.iter().all(|token| token.body.is_empty() && token.header("authorization").is_none()));
            assert!(tokens[0].headers.iter().any(|(_, value)| value.contains("canary")), "the credentials stand in headers");
            assert_eq!(bearers(&requests), ["t", "t", "t"]);
        })
        .await;
    }
}
