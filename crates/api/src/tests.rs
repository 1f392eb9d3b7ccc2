//! The router from outside, over a real engine and a real database, without sockets. What each operation does is tested over HTTP in the binary's tests; this is about what all of them have in common.

mod harness;
mod operations;

use axum::body::Body;
use axum::routing::get;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use self::harness::{Harness, error};
use crate::routes;

/// A path with something in the place of its parameter.
fn filled(path: &str) -> String {
    match path.split_once('{') {
        Some((before, rest)) => format!("{before}00000000-0000-0000-0000-000000000001{}", rest.split_once('}').unwrap().1),
        None => path.to_owned(),
    }
}

#[tokio::test]
async fn every_operation_asks_for_a_token_and_its_scope_before_it_looks_at_anything() {
    let harness = Harness::start().await;
    for operation in routes::documented() {
        let path = filled(operation.path);
        let oversized = "x".repeat(2_000_000);
        let answer = harness.send(harness.request(&operation.method, &path, None).body(Body::from(oversized.clone())).unwrap()).await;
        assert_eq!((answer.status, answer.body), (401, error(401, "unauthorized", "No valid API authentication found", json!([]))));
        let verb = operation.permission.as_str().rsplit_once('.').unwrap().1;
        let other = if verb == "read" { "*.write" } else { "*.read" };
        for scopes in [vec![other], vec!["embed"], vec!["buyers.read", "buyers.write"], vec![]] {
            let token = harness.token(&scopes);
            let request = harness.request(&operation.method, &path, Some(&token)).body(Body::from(oversized.clone())).unwrap();
            let answer = harness.send(request).await;
            assert_eq!(answer.status, 403, "{} with {scopes:?}", operation.id);
            assert_eq!(answer.body, error(403, "forbidden", "Invalid credentials", json!([])));
        }
        let token = harness.token(&[operation.permission.as_str()]);
        let answer = harness.send(harness.request(&operation.method, &path, Some(&token)).body(Body::empty()).unwrap()).await;
        assert!(![401, 403, 405, 500].contains(&answer.status), "{} {}", operation.id, answer.status);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_our_shape() {
    let harness = Harness::start().await;
    let gone = error(404, "not_found", "The resource could not be found", json!([]));
    for (method, path) in [
        ("GET", "/nothing"),
        ("GET", "/"),
        ("POST", "/transactions"),
        ("PUT", "/checkout/sessions/1/fields"),
        ("GET", "/payment-services/"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("TRACE", "/nothing"),
    ] {
        let answer = harness.anonymous(method, path).await;
        assert_eq!((answer.status, &answer.body), (404, &gone), "{method} {path}");
    }
    let not_allowed = error(405, "method_not_allowed", "Method Not Allowed", json!([]));
    for (method, path, allowed) in [
        ("PATCH", "/payment-services", "GET,HEAD,POST"),
        ("DELETE", "/payment-services", "GET,HEAD,POST"),
        ("TRACE", "/roles", "GET,HEAD"),
        ("OPTIONS", "/roles", "GET,HEAD"),
        ("GET", "/payment-services/verify", "POST"),
        ("GET", "/payment-services/1/sessions", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let answer = harness.anonymous(method, path).await;
        assert_eq!((answer.status, &answer.body), (405, &not_allowed), "{method} {path}");
        let mut given: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(',').collect();
        given.sort_unstable();
        assert_eq!(given.join(","), allowed, "{method} {path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn ids_that_are_none_are_ids_that_nobody_has() {
    let harness = Harness::start().await;
    for (method, path) in [
        (Method::GET, "/payment-services/1"),
        (Method::DELETE, "/payment-services/%00"),
        (Method::GET, "/payment-services/%ff"),
        (Method::POST, "/payment-services/x/sessions"),
        (Method::PUT, "/payment-services/00000000000000000000000000000001"),
        (Method::GET, "/api-key-pairs/x"),
        (Method::GET, "/merchant-accounts/a%20b"),
        (Method::GET, "/payment-service-definitions/UPPER"),
        (Method::POST, "/payment-service-definitions/nobody-card/sessions"),
        (Method::GET, "/payment-service-sessions/x"),
    ] {
        let answer = harness.json(&method, path, &json!({})).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        assert_eq!(answer.body, error(404, "not_found", "The resource could not be found", json!([])));
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_ours() {
    let harness = Harness::start().await;
    let mut seen = Vec::new();
    for path in ["/healthz", "/nothing", "/roles", "/payment-services/verify"] {
        let request = harness.request(&Method::GET, path, None).header("x-request-id", "mine").body(Body::empty()).unwrap();
        let id = harness.send(request).await.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(id.len() == 36 && !seen.contains(&id), "{id}");
        seen.push(id);
    }
}

#[tokio::test]
async fn the_account_header_is_judged_before_the_resource() {
    let harness = Harness::start().await;
    let check = async |values: &[&str], status: u16, kind: Option<&str>| {
        let token = harness.token(&["*.read"]);
        let mut request = harness.request(&Method::GET, "/payment-services/x", Some(&token));
        for value in values {
            request = request.header("X-Gr4vy-Merchant-Account-Id", *value);
        }
        let answer = harness.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{values:?}");
        assert_eq!(answer.body["details"][0]["type"].as_str(), kind, "{values:?}");
    };
    // The service does not exist either way; two headers are refused before that is known.
    check(&[], 404, None).await;
    check(&["default"], 404, None).await;
    check(&["default", "default"], 400, Some("value_error")).await;
    check(&["unknown"], 404, None).await;
    let list = async |value: &str| {
        let token = harness.token(&["*.read"]);
        let request = harness.request(&Method::GET, "/payment-services", Some(&token)).header("x-gr4vy-merchant-account-id", value);
        harness.send(request.body(Body::empty()).unwrap()).await.status
    };
    assert_eq!(list("default").await, 200);
    for stranger in ["unknown", "", "Default", " ", "default,default", &"a".repeat(10_240)] {
        assert_eq!(list(stranger).await, 404, "{stranger:.20}");
    }
}

#[tokio::test]
async fn bodies_have_limits_and_must_be_json_objects() {
    let harness = Harness::start().await;
    let token = harness.token(&["*.write"]);
    let post = |path: &str| harness.request(&Method::POST, path, Some(&token));
    let refused = async |body: Vec<u8>, expected: Value| {
        for path in ["/merchant-accounts", "/payment-services/verify"] {
            let answer = harness.send(post(path).body(Body::from(body.clone())).unwrap()).await;
            assert_eq!((answer.status, &answer.body["details"][0]["pointer"]), (400, &json!("")), "{path}");
            assert_eq!(answer.body["details"][0]["type"], expected);
        }
    };
    refused(Vec::new(), json!("missing")).await;
    refused(b"{".to_vec(), json!("value_error")).await;
    refused(b"[]".to_vec(), json!("type_error")).await;
    refused(b"null".to_vec(), json!("type_error")).await;
    refused(b"\xff".to_vec(), json!("value_error")).await;
    refused(format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200)).into_bytes(), json!("value_error")).await;

    let too_large = vec![b' '; 1024 * 1024 + 1];
    for path in ["/merchant-accounts", "/payment-service-definitions/mock-card/sessions"] {
        let answer = harness.send(post(path).body(Body::from(too_large.clone())).unwrap()).await;
        assert_eq!((answer.status, &answer.body["code"], &answer.body["type"]), (413, &json!("payload_too_large"), &json!("error")));
        let answer = harness.send(post(path).header("content-length", "1048577").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 413);
        let answer = harness.send(post(path).header("content-encoding", "gzip").body(Body::from("{}")).unwrap()).await;
        assert_eq!((answer.status, &answer.body["code"]), (415, &json!("unsupported_media_type")));
        let answer = harness.send(post(path).header("content-encoding", "identity").body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn r60_a_panic_is_an_answer_that_says_nothing() {
    async fn panics() -> crate::error::Answer {
        panic!("a secret reason")
    }
    let harness = Harness::start().await;
    let app =
        crate::App::new(harness.engine.clone(), crate::ApiOptions { draining: crate::Draining::default(), trusted_proxies: Vec::new() });
    let router = crate::finish(axum::Router::new().route("/panics", get(panics)), app);
    let response = router.oneshot(Request::get("/panics").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.headers().contains_key("x-request-id"));
    let answer = harness::Answer::of(response).await;
    assert_eq!(answer.body, error(500, "server_error", "Request could not be processed", json!([])));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn health_follows_the_engine_and_the_drain() {
    let harness = Harness::start().await;
    assert_eq!(harness.anonymous("GET", "/healthz").await.body, json!({ "status": "ok", "reasons": [] }));
    let ready = harness.anonymous("GET", "/readyz").await;
    assert_eq!((ready.status, ready.body), (200, json!({ "status": "ready", "reasons": [] })));
    assert_eq!(harness.anonymous("HEAD", "/readyz").await.status, 200);
    harness.draining.begin();
    let stopping = harness.anonymous("GET", "/readyz").await;
    assert_eq!((stopping.status, stopping.body), (503, json!({ "status": "not_ready", "reasons": ["the server is stopping"] })));
    assert_eq!(harness.anonymous("GET", "/healthz").await.status, 200);
}
