//! One way through every operation, and what their bodies are refused for.

use http::Method;
use serde_json::{Value, json};

use super::harness::Harness;

fn service() -> Value {
    json!({
        "display_name": "Mock", "payment_service_definition_id": "mock-card", "fields": [{ "key": "merchant_id", "value": "m" }],
        "accepted_currencies": ["EUR"], "accepted_countries": ["NL"],
    })
}

/// Where, and what kind, in the order of `details`.
fn problems(body: &Value) -> Vec<(&str, &str)> {
    let details = body["details"].as_array().unwrap();
    details.iter().map(|detail| (detail["pointer"].as_str().unwrap(), detail["type"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_payment_service_lives() {
    let harness = Harness::start().await;
    let made = harness.json(&Method::POST, "/payment-services", &service()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!((&made.body["position"], &made.body["active"], &made.body["status"]), (&json!(1), &json!(true), &json!("created")));
    let path = format!("/payment-services/{}", made.body["id"].as_str().unwrap());
    assert_eq!(harness.get(&path).await.body, made.body);
    let listed = harness.get("/payment-services?limit=1&method=card").await;
    assert_eq!(listed.body, json!({ "items": [made.body], "limit": 1, "next_cursor": null, "previous_cursor": null }));
    let profile = json!({ "visa": {
        "merchant_acquirer_bin": "516327", "merchant_acquirer_id": "1", "merchant_name": "A", "merchant_country_code": "840",
        "merchant_category_code": "1234", "merchant_url": "https://example.com",
    } });
    let patch = json!({ "position": 7.0, "merchant_profile": profile, "display_name": null, "id": "x", "merchant_account_id": "other" });
    let changed = harness.json(&Method::PUT, &path, &patch).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!((&changed.body["position"], &changed.body["display_name"]), (&json!(7), &json!("Mock")));
    assert!(changed.body["merchant_profile"]["visa"]["created_at"].is_string());
    assert_eq!(changed.body["merchant_account_id"], "default");
    let cleared = harness.json(&Method::PUT, &path, &json!({ "merchant_profile": null, "fields": null })).await;
    assert_eq!((&cleared.body["merchant_profile"], &cleared.body["fields"]), (&Value::Null, &made.body["fields"]));
    let session = harness.json(&Method::POST, &format!("{path}/sessions"), &json!({})).await;
    assert_eq!((session.status, problems(&session.body)[0].1), (400, "not_supported"));
    let gone = harness.json(&Method::DELETE, &path, &Value::Null).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(harness.json(&Method::DELETE, &path, &Value::Null).await.status, 404);
    assert_eq!(harness.get("/payment-services").await.body["items"], json!([]));
    assert_eq!(harness.get("/payment-services?deleted=true").await.body["items"][0]["is_deleted"], json!(true));
    let log = harness.get("/audit-logs?resource_type=payment-service&action=deleted").await;
    assert_eq!(log.body["items"][0]["resource"]["id"], made.body["id"]);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_payment_service_is_told_at_once() {
    let harness = Harness::start().await;
    let wrong = json!({
        "display_name": "", "payment_service_definition_id": "mock-card", "fields": [{ "key": "nothing", "value": "m" }],
        "position": "1", "accepted_currencies": [], "accepted_countries": ["nl"], "active": null, "three_d_secure_enabled": null,
    });
    let refused = harness.json(&Method::POST, "/payment-services", &wrong).await;
    assert_eq!(refused.status, 400);
    let found = problems(&refused.body);
    assert_eq!(found.first(), Some(&("/display_name", "string_too_short")));
    assert!(found.iter().any(|(pointer, _)| pointer.starts_with("/fields")), "{found:?}");
    let rest: Vec<_> = found.into_iter().filter(|(pointer, _)| !pointer.starts_with("/fields")).skip(1).collect();
    assert_eq!(
        rest,
        [
            ("/position", "type_error"),
            ("/accepted_currencies", "value_error"),
            ("/accepted_countries/0", "pattern_mismatch"),
            ("/three_d_secure_enabled", "type_error"),
        ]
    );
    let made = harness.json(&Method::POST, "/payment-services", &service()).await;
    let path = format!("/payment-services/{}", made.body["id"].as_str().unwrap());
    let field = json!({ "key": "nothing", "value": "m" });
    let wrong = json!({ "fields": [field], "reporting_fields": [field], "position": "1", "display_name": "" });
    let refused = harness.json(&Method::PUT, &path, &wrong).await;
    let found = [
        ("/display_name", "string_too_short"),
        ("/fields/0", "value_error"),
        ("/reporting_fields/0", "value_error"),
        ("/position", "type_error"),
    ];
    assert_eq!(problems(&refused.body), found);
    assert_eq!(harness.json(&Method::DELETE, &path, &Value::Null).await.status, 204);
    let empty = harness.json(&Method::POST, "/payment-services", &json!({})).await;
    let missing = ["/display_name", "/payment_service_definition_id", "/fields", "/accepted_currencies", "/accepted_countries"];
    assert_eq!(problems(&empty.body), missing.map(|pointer| (pointer, "missing")));
    assert_eq!(harness.get("/payment-services").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_session_that_can_not_reach_its_service_is_an_answer() {
    let harness = Harness::start().await;
    let definition = harness.get("/payment-service-definitions/stripe-card").await;
    assert_eq!(definition.status, 200, "{}", definition.text);
    let new = json!({
        "display_name": "S", "payment_service_definition_id": "stripe-card", "accepted_currencies": ["EUR"], "accepted_countries": ["NL"],
        "fields": [{ "key": "secret_key", "value": "sk_test_1234567890123456" }],
    });
    let path = "/payment-service-definitions/stripe-card/sessions";
    assert_eq!(harness.json(&Method::POST, path, &json!({})).await.status, 404);
    let made = harness.json(&Method::POST, "/payment-services", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains("sk_test"));
    let answer = harness.json(&Method::POST, path, &json!({ "amount": 100, "currency": "eur" })).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["tollhouse-delivered"], "no");
    assert_eq!(
        answer.text,
        r#"{"type":"payment-service-session","status":"failed","code":"SERVICE_NETWORK_ERROR","status_code":null,"response_body":null}"#
    );
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let records = harness.get(&format!("/payment-service-sessions?request_id={id}&status=failed&code=SERVICE_NETWORK_ERROR")).await;
    let record = &records.body["items"][0];
    assert_eq!((&record["request_id"], &record["outcome_known"]), (&json!(id), &json!(true)), "{}", records.text);
    let path = format!("/payment-service-sessions/{}", record["id"].as_str().unwrap());
    assert_eq!(&harness.get(&path).await.body, record);
    for body in ["", "[]", "{"] {
        let token = harness.token(&["transactions.write"]);
        let request = harness.request(&Method::POST, "/payment-service-definitions/stripe-card/sessions", Some(&token));
        let refused = harness.send(request.body(axum::body::Body::from(body)).unwrap()).await;
        assert_eq!((refused.status, &refused.body["details"][0]["pointer"]), (400, &json!("")), "{body}");
    }
}

#[tokio::test]
async fn credentials_are_verified_for_definitions_that_can() {
    let harness = Harness::start().await;
    let body = json!({ "payment_service_definition_id": "mock-card", "fields": [{ "key": "merchant_id", "value": "m" }] });
    let refused = harness.json(&Method::POST, "/payment-services/verify", &body).await;
    assert_eq!((refused.status, problems(&refused.body)[0].1), (400, "not_supported"));
    let refused = harness.json(&Method::POST, "/payment-services/verify", &json!({ "payment_service_id": 1 })).await;
    assert_eq!(
        problems(&refused.body),
        [("/payment_service_definition_id", "missing"), ("/payment_service_id", "type_error"), ("/fields", "missing")]
    );
}

#[tokio::test]
async fn merchant_accounts_are_made_and_changed() {
    let harness = Harness::start().await;
    let new = json!({ "id": "shop-1", "display_name": "Shop", "loon_secret_key": "s", "over_capture_amount": 5.0, "loon_accepted_schemes": ["visa"] });
    let made = harness.json(&Method::POST, "/merchant-accounts", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!((&made.body["loon_secret_key"], &made.body["over_capture_amount"]), (&Value::Null, &json!(5)));
    let again = harness.json(&Method::POST, "/merchant-accounts", &new).await;
    assert_eq!((again.status, &again.body["code"], &again.body["resource_id"]), (409, &json!("duplicate_record"), &json!("shop-1")));
    let patch = json!({ "display_name": null, "over_capture_amount": null, "async_network_tokens_enabled": true });
    let changed = harness.json(&Method::PUT, "/merchant-accounts/shop-1", &patch).await;
    assert_eq!((&changed.body["display_name"], &changed.body["over_capture_amount"]), (&json!("Shop"), &Value::Null));
    assert_eq!(changed.body["loon_accepted_schemes"], json!(["visa"]));
    assert_eq!(harness.get("/merchant-accounts/shop-1").await.body, changed.body);
    let first = harness.get("/merchant-accounts?limit=1").await;
    assert_eq!(first.body["items"][0]["id"], "shop-1");
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = harness.get(&format!("/merchant-accounts?limit=1&cursor={cursor}")).await;
    assert_eq!((&second.body["items"][0]["id"], &second.body["next_cursor"]), (&json!("default"), &Value::Null));
    assert_eq!(harness.get(&format!("/roles?cursor={cursor}")).await.status, 400);
    assert_eq!(harness.get("/merchant-accounts?search=hop").await.body["items"].as_array().unwrap().len(), 1);
    let wrong = json!({
        "id": "a b", "over_capture_amount": -1, "loon_accepted_schemes": ["visa", "visa"], "account_updater_enabled": null,
        "amex_network_tokens_app_id": "x".repeat(301),
    });
    assert_eq!(
        problems(&harness.json(&Method::POST, "/merchant-accounts", &wrong).await.body),
        [
            ("/account_updater_enabled", "type_error"),
            ("/over_capture_amount", "out_of_range"),
            ("/loon_accepted_schemes", "value_error"),
            ("/amex_network_tokens_app_id", "string_too_long"),
            ("/id", "pattern_mismatch"),
            ("/display_name", "missing"),
        ]
    );
}

#[tokio::test]
async fn key_pairs_are_made_changed_and_deleted() {
    let harness = Harness::start().await;
    let roles = harness.get("/roles").await;
    let role = roles.body["items"].as_array().unwrap().iter().find(|role| role["slug"] == "reporting").unwrap().clone();
    let new = json!({ "display_name": "K", "role_ids": [role["id"]], "merchant_account_ids": ["default"], "public_key": null });
    let made = harness.json(&Method::POST, "/api-key-pairs", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.body["private_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!((&made.body["roles"], &made.body["merchant_accounts"][0]["id"]), (&json!([role]), &json!("default")));
    assert_eq!(made.body["creator"]["name"], "First");
    let path = format!("/api-key-pairs/{}", made.body["id"].as_str().unwrap());
    let changed = harness.json(&Method::PUT, &path, &json!({ "active": false, "display_name": null, "role_ids": null })).await;
    assert_eq!(
        (&changed.body["active"], &changed.body["display_name"], &changed.body["private_key"]),
        (&json!(false), &json!("K"), &Value::Null)
    );
    assert_eq!(harness.get(&path).await.body, changed.body);
    assert_eq!(harness.get("/api-key-pairs").await.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(harness.json(&Method::DELETE, &path, &Value::Null).await.status, 204);
    assert_eq!(harness.get(&path).await.status, 404);
    let wrong = json!({ "display_name": "K", "algorithm": "RSA", "role_ids": ["x"], "merchant_account_ids": null, "active": "yes" });
    assert_eq!(
        problems(&harness.json(&Method::POST, "/api-key-pairs", &wrong).await.body),
        [
            ("/algorithm", "not_supported"),
            ("/active", "type_error"),
            ("/role_ids/0", "value_error"),
            ("/merchant_account_ids", "type_error"),
        ]
    );
}

#[tokio::test]
async fn lists_refuse_what_they_can_not_read() {
    let harness = Harness::start().await;
    for (path, pointers) in [
        ("/payment-services?limit=0&method=gold&deleted=1", vec!["method", "deleted", "limit"]),
        ("/audit-logs?limit=x&action=made&user_id=1", vec!["limit", "action", "user_id"]),
        ("/payment-service-sessions?id=1&status=ok&code=OK&created_at_gte=today", vec!["id", "status", "code", "created_at_gte"]),
        ("/payment-service-definitions?cursor=x", vec!["cursor"]),
        ("/roles?limit=1&limit=2", vec!["limit"]),
    ] {
        let answer = harness.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(problems(&answer.body).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>(), pointers);
        assert!(answer.body["details"].as_array().unwrap().iter().all(|detail| detail["location"] == "query"));
    }
    let page = harness.get("/payment-service-definitions?limit=2").await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let next = harness.get(&format!("/payment-service-definitions?limit=2&cursor={cursor}")).await;
    assert!(next.body["items"][0]["id"].as_str() > page.body["items"][1]["id"].as_str());
}

#[tokio::test]
async fn refusals_do_not_grow_with_what_is_refused() {
    let harness = Harness::start().await;
    let strangers: Vec<String> = (0..9_000).map(|number| format!("01900000-0000-7000-8000-{number:012}")).collect();
    let refused = harness.json(&Method::POST, "/api-key-pairs", &json!({ "display_name": "x", "role_ids": strangers })).await;
    assert_eq!((refused.status, problems(&refused.body).len()), (400, 100));
    let unknown = json!({ "payment_service_definition_id": "\u{1}".repeat(100_000), "fields": [] });
    let refused = harness.json(&Method::POST, "/payment-services/verify", &unknown).await;
    assert_eq!(problems(&refused.body), [("/payment_service_definition_id", "unknown_reference")]);
    assert!(refused.text.len() < 1_000, "{}", refused.text.len());
    // Each `_` takes two bytes in a pattern, and SQLite refuses patterns of more than 50,000.
    let found = harness.get(&format!("/merchant-accounts?search={}", "_".repeat(26_000))).await;
    assert_eq!((found.status, &found.body["items"]), (200, &json!([])));
}
