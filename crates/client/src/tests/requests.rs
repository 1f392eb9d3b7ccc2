//! Requests: what goes out, what is tried again, and what is not.

use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

use super::listener::{Listener, json as answer, with_header};
use super::tokens::verified;
use crate::{
    BuildError, Client, Environment, Error, ErrorCode, Method, PageRequest, PaymentServiceFilter, PaymentServiceSessionFilter, Request,
    SessionStatus,
};

const SESSION: &str =
    r#"{"type":"payment-service-session","status":"failed","code":"SERVICE_ERROR","status_code":500,"response_body":{"a":1}}"#;
const SERVICE: &str = "01998d5e-7a30-7000-8000-000000000001";

fn service() -> uuid::Uuid {
    SERVICE.parse().unwrap()
}

#[tokio::test]
async fn a_definition_session_is_one_signed_post_of_the_callers_bytes() {
    let server = Listener::start(vec![answer(200, SESSION)]).await;
    let client = server.builder().merchant_account("acme").scopes(["transactions.write"]).build().unwrap();
    let bytes = r#"{ "amount": 10.00, "amount": 1e2, "\u00e9":"é" }"#;
    let body: Box<RawValue> = serde_json::from_str(bytes).unwrap();
    let session = client.payment_service_definitions().create_session("adyen-ideal", &body).await.unwrap();
    assert_eq!((session.status, session.status_code), (Some(SessionStatus::Failed), Some(500)));

    let heard = &server.heard()[0];
    assert_eq!(heard.line, "POST /base/payment-service-definitions/adyen-ideal/sessions HTTP/1.1");
    assert_eq!(heard.body, bytes);
    assert_eq!(heard.header("content-type"), Some("application/json"));
    assert_eq!(heard.header("x-gr4vy-merchant-account-id"), None, "the contract declares no account here");
    let (_, claims) = verified(heard.header("authorization").unwrap().strip_prefix("Bearer ").unwrap());
    assert_eq!(claims["scopes"], json!(["transactions.write"]));
}

#[tokio::test]
async fn a_session_names_the_merchant_account_by_service_or_when_told_to() {
    let server = Listener::start(vec![answer(200, SESSION), answer(200, SESSION)]).await;
    let client = server.builder().merchant_account("acme").build().unwrap();
    client.payment_services().create_session(service(), &json!({})).await.unwrap();
    client.payment_service_definitions().create_session_for("other", "adyen-ideal", &json!({})).await.unwrap();

    let heard = server.heard();
    assert_eq!(heard[0].line, format!("POST /base/payment-services/{SERVICE}/sessions HTTP/1.1"));
    assert_eq!(heard[0].header("x-gr4vy-merchant-account-id"), Some("acme"));
    assert_eq!(heard[1].header("x-gr4vy-merchant-account-id"), Some("other"));
}

#[tokio::test]
async fn a_session_that_may_be_sent_again_carries_its_key() {
    let server = Listener::start(vec![answer(200, SESSION), answer(200, SESSION), answer(200, SESSION)]).await;
    let client = server.client();
    client.payment_services().create_session_once(service(), &json!({}), "order 1").await.unwrap();
    client.payment_service_definitions().create_session_once("adyen-ideal", &json!({}), "order-2").await.unwrap();
    client.payment_services().create_session(service(), &json!({})).await.unwrap();
    let heard = server.heard();
    let keys: Vec<_> = heard.iter().map(|heard| heard.header("idempotency-key")).collect();
    assert_eq!(keys, [Some("order 1"), Some("order-2"), None]);
    let refused = client.payment_services().create_session_once(service(), &json!({}), "a\nb").await;
    assert!(matches!(refused, Err(Error::InvalidHeader("idempotency-key"))), "{refused:?}");
}

#[tokio::test]
async fn filters_travel_percent_encoded_and_absent_ones_do_not() {
    let server = Listener::start(vec![answer(200, r#"{"items":[]}"#), answer(200, r#"{"items":[]}"#)]).await;
    let client = server.client();
    let filter = PaymentServiceFilter { method: Some("ideal".to_owned()), deleted: Some(true) };
    let page = PageRequest { cursor: Some("a+b=".to_owned()), limit: Some(5) };
    client.payment_services().list(&page, &filter).await.unwrap();
    let filter = PaymentServiceSessionFilter {
        status: vec![SessionStatus::Failed, SessionStatus::Succeeded],
        created_at_gte: Some("2026-11-22T00:00:00+00:00".to_owned()),
        ..PaymentServiceSessionFilter::default()
    };
    client.payment_service_sessions().list(&PageRequest::default(), &filter).await.unwrap();
    let heard = server.heard();
    assert_eq!(heard[0].line, "GET /base/payment-services?method=ideal&deleted=true&cursor=a%2Bb%3D&limit=5 HTTP/1.1");
    assert_eq!(
        heard[1].line,
        "GET /base/payment-service-sessions?status=failed&status=succeeded&created_at_gte=2026-11-22T00%3A00%3A00%2B00%3A00 HTTP/1.1"
    );
}

#[tokio::test]
async fn pages_follow_cursors_to_the_end() {
    let role = |n: u8| json!({ "id": format!("01998d5e-7a30-7000-8000-00000000000{n}"), "name": "r", "permissions": { "allow": [] } });
    let page = |n: u8, next: serde_json::Value| answer(200, &json!({ "items": [role(n)], "next_cursor": next }).to_string());
    let server = Listener::start(vec![page(1, json!("two")), page(2, json!("three")), page(3, json!(" "))]).await;
    let client = server.client();
    let roles = client.roles().pages(PageRequest { cursor: None, limit: Some(1) }).all().await.unwrap();
    assert_eq!(roles.len(), 3);
    let lines: Vec<String> = server.heard().into_iter().map(|heard| heard.line).collect();
    assert_eq!(
        lines,
        [
            "GET /base/roles?limit=1 HTTP/1.1",
            "GET /base/roles?cursor=two&limit=1 HTTP/1.1",
            "GET /base/roles?cursor=three&limit=1 HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn a_list_that_runs_in_a_circle_is_an_error() {
    let page = answer(200, r#"{"items":[],"next_cursor":"again"}"#);
    let server = Listener::start(vec![page.clone(), page]).await;
    let error = server.client().roles().pages(PageRequest::default()).all().await.unwrap_err();
    assert!(matches!(error, Error::RepeatedCursor(cursor) if cursor == "again"));
}

#[tokio::test]
async fn a_read_is_tried_again_after_5xx_and_a_lost_connection() {
    let server =
        Listener::start(vec![with_header(503, "retry-after: 0", "{}"), String::new(), answer(500, "oops"), answer(200, r#"{"items":[]}"#)])
            .await;
    server.client().roles().list(&PageRequest::default()).await.unwrap();
    let heard = server.heard();
    assert_eq!(heard.len(), 4);
    assert_ne!(heard[0].header("authorization"), heard[1].header("authorization"), "each try signs anew");
}

#[tokio::test]
async fn a_read_gives_up_after_its_retries() {
    let server = Listener::start(vec![answer(500, "oops"); 4]).await;
    let error = server.client().roles().list(&PageRequest::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotTheApi { status: 500, .. }));
    assert_eq!(server.heard().len(), 4);
}

#[tokio::test]
async fn a_write_is_sent_once() {
    let error_body = r#"{"type":"error","code":"service_unavailable","status":503,"message":"Draining","details":[]}"#;
    let server = Listener::start(vec![with_header(503, "x-request-id: r-1", error_body), String::new()]).await;
    let client = server.client();
    let error = client.payment_service_definitions().create_session("a-b", &json!({})).await.unwrap_err();
    let api = error.api().unwrap();
    assert_eq!((&api.code, api.request_id.as_deref()), (&ErrorCode::ServiceUnavailable, Some("r-1")));
    let error = client.payment_service_definitions().create_session("a-b", &json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test]
async fn a_refusal_of_a_read_is_not_tried_again() {
    let body = r#"{"type":"error","code":"not_found","status":404,"message":"The resource could not be found","details":[]}"#;
    let server = Listener::start(vec![answer(404, body)]).await;
    let error = server.client().payment_services().get(service()).await.unwrap_err();
    assert_eq!(error.api().unwrap().code, ErrorCode::NotFound);
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn an_answer_without_a_body_is_enough_where_none_is_read() {
    let server = Listener::start(vec!["HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(), answer(200, "null")]).await;
    let client = server.client();
    client.payment_services().delete(service()).await.unwrap();
    let credentials =
        crate::VerifyCredentials { payment_service_definition_id: "a-b".to_owned(), payment_service_id: None, fields: Vec::new() };
    client.payment_services().verify(&credentials).await.unwrap();
    let heard = server.heard();
    assert_eq!(heard[0].line, format!("DELETE /base/payment-services/{SERVICE} HTTP/1.1"));
    assert_eq!(heard[1].body, r#"{"payment_service_definition_id":"a-b","fields":[]}"#);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Listener::start(vec![with_header(302, "location: http://127.0.0.1:1/", "")]).await;
    let error = server.client().roles().list(&PageRequest::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotTheApi { status: 302, .. }));
}

#[tokio::test]
async fn an_id_can_not_change_the_route() {
    let client = Client::builder().server_url("http://127.0.0.1:1").token("t").build().unwrap();
    for id in ["", ".", ".."] {
        assert!(matches!(client.merchant_accounts().get(id).await.unwrap_err(), Error::InvalidId(_)), "{id}");
    }
    let server = Listener::start(vec![answer(200, "{}")]).await;
    let request = Request::new(Method::GET, ["merchant-accounts", "a/b?c"]);
    server.client().send(&request).await.unwrap();
    assert_eq!(server.heard()[0].line, "GET /base/merchant-accounts/a%2Fb%3Fc HTTP/1.1");
}

#[tokio::test]
async fn a_fixed_token_goes_out_as_it_is_and_accounts_change_by_client() {
    let server = Listener::start(vec![answer(200, r#"{"items":[]}"#)]).await;
    let client = Client::builder().server_url(&server.url).token("abc.def.ghi").timeout(Duration::from_secs(5)).build().unwrap();
    let client = client.for_merchant_account("acme-fr").unwrap();
    client.audit_logs().list(&PageRequest::default(), &crate::AuditLogFilter::default()).await.unwrap();
    let heard = &server.heard()[0];
    assert_eq!(heard.header("authorization"), Some("Bearer abc.def.ghi"));
    assert_eq!(heard.header("x-gr4vy-merchant-account-id"), Some("acme-fr"));
}

#[test]
fn hosted_instances_have_their_addresses() {
    let check = |environment, expected: &str| {
        let client = Client::builder().instance("acme", environment).token("t").build().unwrap();
        assert_eq!(client.inner.base.as_str(), expected);
    };
    check(Environment::Sandbox, "https://api.sandbox.acme.gr4vy.app/");
    check(Environment::Production, "https://api.acme.gr4vy.app/");
}

#[test]
fn what_can_not_work_is_refused_before_anything_is_sent() {
    let refusal = |url: &str| Client::builder().server_url(url).token("t").build().unwrap_err();
    for url in ["", "localhost:8080", "ftp://x.example", "http://x.example?a=1", "http://x.example#a"] {
        assert!(matches!(refusal(url), BuildError::InvalidUrl { .. }), "{url}");
    }
    assert!(!refusal("http://user:hunter2@x.example").to_string().contains("hunter2"));
    assert!(matches!(Client::builder().token("t").build(), Err(BuildError::NoServer)));
    assert!(matches!(Client::builder().server_url("http://x.example").build(), Err(BuildError::NoCredentials)));
    let account = Client::builder().server_url("http://x.example").token("t").merchant_account("a b").build();
    assert!(matches!(account, Err(BuildError::InvalidMerchantAccount(_))));
}
