//! Answers: what is read, what is tolerated, what is not.

use serde_json::json;

use crate::{ApiError, ErrorCode, Location, Page, PaymentService, PaymentServiceSession, PaymentServiceUpdate, SessionStatus};

fn session(text: &str) -> PaymentServiceSession {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_session_keeps_the_bytes_of_the_services_answer() {
    let body = r#"{ "z":1.0, "a" : 123456789012345678901234567890, "z":"twice", "\u0061":"\/" }"#;
    let session = session(&format!(
        r#"{{"type":"payment-service-session","status":"succeeded","code":null,"status_code":201,"response_body":{body}}}"#
    ));
    assert_eq!(session.r#type.as_deref(), Some("payment-service-session"));
    assert!(session.is_succeeded());
    assert_eq!((session.code.as_deref(), session.status_code), (None, Some(201)));
    assert_eq!(session.response_body.as_ref().unwrap().get(), body);
    assert_eq!(session.response_value().unwrap()["z"], "twice");
    assert!(!format!("{session:?}").contains("twice"), "bodies do not print");
}

#[test]
fn every_member_of_a_session_may_be_missing_or_null() {
    for text in ["{}", r#"{"type":null,"status":null,"code":null,"status_code":null,"response_body":null}"#] {
        let session = session(text);
        assert!(session.r#type.is_none() && session.status.is_none() && session.code.is_none());
        assert!(session.status_code.is_none() && session.response_body.is_none() && !session.is_succeeded());
        assert!(session.response_value().unwrap().is_null());
        assert!(session.response_as::<serde_json::Value>().unwrap().is_none());
    }
}

#[test]
fn what_is_new_in_a_session_is_tolerated() {
    let session = session(r#"{"status":"pending","code":"BRAND_NEW","status_code":418,"later":{"x":[1]},"response_body":{}}"#);
    assert_eq!(session.status, Some(SessionStatus::Other("pending".to_owned())));
    assert_eq!(session.code.as_deref(), Some("BRAND_NEW"));
    assert!(!session.is_succeeded());
}

#[test]
fn a_status_code_is_a_whole_number_however_written() {
    let read = |text: &str| serde_json::from_str::<PaymentServiceSession>(&format!(r#"{{"status_code":{text}}}"#));
    assert_eq!(read("200").unwrap().status_code, Some(200));
    assert_eq!(read("200.0").unwrap().status_code, Some(200));
    assert!(read("200.5").is_err());
    assert!(read("\"200\"").is_err());
}

#[test]
fn the_services_answer_reads_as_a_type() {
    #[derive(serde::Deserialize)]
    struct Adyen {
        id: String,
    }
    let session = session(r#"{"status":"succeeded","response_body":{"id":"CS1","sessionData":"Ab0"}}"#);
    assert_eq!(session.response_as::<Adyen>().unwrap().unwrap().id, "CS1");
}

#[test]
fn a_payment_service_reads_with_members_of_tomorrow() {
    let service: PaymentService = serde_json::from_value(json!({
        "type": "payment-service", "id": "01998d5e-7a30-7000-8000-000000000001", "merchant_account_id": "default",
        "payment_service_definition_id": "adyen-ideal", "active": true, "method": "a-new-method", "display_name": "Adyen",
        "position": 1, "status": "brewing", "accepted_currencies": ["EUR"], "accepted_countries": ["NL"],
        "payment_method_tokenization_enabled": false, "network_tokens_enabled": false, "open_loop": false,
        "settlement_reporting_enabled": false, "three_d_secure_enabled": null, "merchant_profile": null, "webhook_url": null,
        "fields": [{ "key": "merchant_account", "value": "Shop" }], "reporting_fields": null, "is_deleted": false,
        "refund_ingestion_enabled": true,
        "created_at": "2026-11-22T10:00:00.000000+00:00", "updated_at": "2026-11-22T10:00:00.000000+00:00"
    }))
    .unwrap();
    assert_eq!(service.status.unwrap().as_str(), "brewing");
    assert_eq!((service.fields[0].value.expose(), service.reporting_fields.len()), ("Shop", 0));
}

#[test]
fn a_page_without_cursors_is_the_last_one() {
    let page: Page<i64> = serde_json::from_str(r#"{"items":[1,2]}"#).unwrap();
    assert_eq!((page.items, page.next_cursor), (vec![1, 2], None));
}

#[test]
fn an_update_sends_only_what_changes() {
    use crate::{Change, Field};
    let sent = |update: &PaymentServiceUpdate| serde_json::to_value(update).unwrap();
    assert_eq!(sent(&PaymentServiceUpdate::default()), json!({}));
    let update = PaymentServiceUpdate {
        active: Some(false),
        merchant_profile: Change::Clear,
        three_d_secure_enabled: Change::Set(true),
        fields: Some(vec![Field::new("old", "")]),
        ..PaymentServiceUpdate::default()
    };
    let expected =
        json!({ "active": false, "merchant_profile": null, "three_d_secure_enabled": true, "fields": [{ "key": "old", "value": "" }] });
    assert_eq!(sent(&update), expected);
}

#[test]
fn an_error_keeps_its_details_in_order() {
    let body = json!({
        "type": "error", "code": "bad_request", "status": 400, "message": "Request failed validation",
        "details": [
            { "location": "body", "pointer": "/fields/0", "message": "Field required", "type": "missing" },
            { "location": "cookie", "pointer": "x", "message": "Odd", "type": "value_error" },
        ]
    });
    let error = ApiError::read(400, body.to_string().as_bytes(), Some("r-1".to_owned())).unwrap();
    assert_eq!((error.status, &error.code, error.request_id.as_deref()), (400, &ErrorCode::BadRequest, Some("r-1")));
    assert_eq!(error.details[0].location, Location::Body);
    assert_eq!((error.details[0].pointer.as_str(), error.details[0].r#type.as_str()), ("/fields/0", "missing"));
    assert_eq!(error.details[1].location, Location::Other("cookie".to_owned()));
    assert_eq!(error.to_string(), "400 bad_request: Request failed validation; body /fields/0: Field required; cookie x: Odd");
}

#[test]
fn other_peoples_errors_are_not_ours() {
    assert!(ApiError::read(502, b"<html>", None).is_none());
    assert!(ApiError::read(502, br#"{"type":"about:blank","code":"x"}"#, None).is_none());
}

#[test]
fn the_readme_shows_the_example_that_compiles() {
    let block = |text: &str| {
        let start = text.find("async fn create_session(").unwrap();
        let end = start + text[start..].find("\n}\n").unwrap();
        text[start..end].to_owned()
    };
    assert_eq!(block(include_str!("../../README.md")), block(include_str!("../../examples/session.rs")));
}
