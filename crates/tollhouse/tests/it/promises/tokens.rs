//! Tokens: which pass, what they open, and what they cost.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::promise::Promise;
use testkit::server::Server;
use testkit::token::now_seconds;
use tokio::time::{MissedTickBehavior, interval};

use crate::api_key_pairs::with_role;
use crate::observability::{internal_address, lines, page, sample};
use crate::support::{on_each_engine, sqlite};

mod attack;
mod forged;
mod scopes;

/// The signatures that the server has checked and found `good` or `bad`.
async fn signatures_checked(server: &Server, result: &str) -> f64 {
    let metrics = page(&internal_address(server), "/metrics").await.text().await.unwrap();
    sample(&metrics, "tollhouse_jwt_verify_total", &[("result", result)]).unwrap_or_default()
}

/// Why tokens were refused, in the order in which they were.
fn reasons(server: &Server) -> Vec<String> {
    let refused = lines(&server.log()).into_iter().filter(|line| line["message"] == "A token was refused.");
    refused.map(|line| line["reason"].as_str().unwrap().to_owned()).collect()
}

/// To the second it is judged where a clock can be set; here, what is far enough from a boundary for the machine's clock.
#[tokio::test]
async fn r35_only_tokens_of_now_pass_and_a_cap_on_their_life_holds() {
    let promise = Promise::new("R35");
    let server = sqlite().with("TOLLHOUSE_TOKENS__LIFETIME_MAX_SECONDS", "600").start().await;
    let now = i64::try_from(now_seconds()).unwrap();
    let early = "the token is not valid yet";
    let (late, long) = ("the token has expired", "the token lives longer than the configuration allows");
    let cases: [(Value, Option<&str>); 17] = [
        (json!({}), None),
        (json!({ "exp": now - 20 }), None),
        (json!({ "exp": now - 32 }), Some(late)),
        (json!({ "exp": now - 86_400 }), Some(late)),
        (json!({ "exp": 0 }), Some(late)),
        (json!({ "exp": null }), Some("a claim is missing or has the wrong type: exp")),
        (json!({ "nbf": now + 50 }), None),
        (json!({ "nbf": now + 70 }), Some(early)),
        (json!({ "nbf": i64::MAX }), Some(early)),
        (json!({ "iat": now + 50, "exp": now + 90 }), None),
        (json!({ "iat": now + 70, "exp": now + 90 }), Some(early)),
        (json!({ "iat": i64::MAX }), Some(early)),
        (json!({ "iat": -1 }), Some("a claim is missing or has the wrong type: iat")),
        (json!({ "iat": 0 }), Some(long)),
        (json!({ "exp": now + 600 }), None),
        (json!({ "exp": now + 601 }), Some(long)),
        (json!({ "iat": null, "nbf": now - 1, "exp": now + 600 }), Some(long)),
    ];
    let count = cases.len();
    let mut expected = Vec::new();
    for (changed, reason) in cases {
        let mut claims = json!({ "scopes": ["*.read"], "iat": now, "nbf": now, "exp": now + 30 });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        let status = server.anonymous().token(server.key.token_with(claims)).get("/roles").await.status;
        assert_eq!(status, if reason.is_some() { 401 } else { 200 }, "{changed}");
        expected.extend(reason);
    }
    assert_eq!(reasons(&server), expected);
    server.end().await;
    promise.kept(count, "every token judged as its times say");
}

#[tokio::test]
async fn r38_a_remembered_token_is_refused_once_its_key_pair_is_switched_off_or_gone() {
    const PROMISED: Duration = Duration::from_secs(1);
    let promise = Promise::new("R38");
    let slowest = Cell::new(Duration::ZERO);
    on_each_engine(async |server| {
        let (key, id) = with_role(server, "full-access", &[]).await;
        let path = format!("/api-key-pairs/{id}");
        let remembered = server.anonymous().token(key.token(&["*.read"]));
        remembered.get("/roles").await.expect(200);
        let checked = signatures_checked(server, "good").await;
        remembered.get("/roles").await.expect(200);
        assert_eq!(signatures_checked(server, "good").await, checked, "the token is remembered as verified");

        for change in ["switched off", "deleted"] {
            remembered.get("/roles").await.expect(200);
            match change {
                "switched off" => server.merchant().put(&path, &json!({ "active": false })).await.expect(200),
                _ => server.merchant().delete(&path).await.expect(204),
            };
            let changed = Instant::now();
            let mut polls = interval(Duration::from_millis(50));
            polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                polls.tick().await;
                let asked = changed.elapsed();
                if remembered.get("/roles").await.status == 401 {
                    slowest.set(slowest.get().max(changed.elapsed()));
                    break;
                }
                assert!(asked < PROMISED, "{change}: the token still passes {asked:?} after");
            }
            server.anonymous().token(key.token(&["*.read"])).get("/roles").await.expect(401);
            if change == "switched off" {
                server.merchant().put(&path, &json!({ "active": true })).await.expect(200);
            }
        }
    })
    .await;
    promise.kept(2, &format!("the slowest refusal came {} ms after the change was answered", slowest.get().as_millis()));
}
