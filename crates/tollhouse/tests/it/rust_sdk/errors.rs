//! Refusals and failures, each of its kind.

use std::time::Duration;

use serde_json::{Value, json};
use tollhouse_client::{
    Client, Error, ErrorCode, Location, Method, PageRequest, PaymentServiceCreate, PaymentServiceFilter, Request, SigningKey,
};

use super::{adyen, builder, client, private_key};
use crate::support::sqlite;

#[tokio::test]
async fn errors_say_what_kind_they_are() {
    let server = sqlite().start().await;
    let client = client(&server);
    let empty = PaymentServiceCreate { payment_service_definition_id: "nobody-card".to_owned(), ..adyen("Nobody") };
    let error = client.payment_services().create(&empty).await.unwrap_err();
    let refusal = error.api().unwrap();
    let detail = &refusal.details[0];
    assert_eq!((&refusal.code, refusal.status), (&ErrorCode::BadRequest, 400));
    assert_eq!((&detail.location, detail.pointer.as_str()), (&Location::Body, "/payment_service_definition_id"));
    assert!(refusal.request_id.is_some() && error.to_string().contains("/payment_service_definition_id"), "{error}");
    let error = client.roles().list(&PageRequest { cursor: Some("nonsense".to_owned()), limit: Some(1000) }).await.unwrap_err();
    assert!(error.api().unwrap().details.iter().all(|detail| detail.location == Location::Query), "{error}");
    let elsewhere = client.for_merchant_account("elsewhere").unwrap();
    let error = elsewhere.payment_services().list(&PageRequest::default(), &PaymentServiceFilter::default()).await.unwrap_err();
    assert!(matches!(error.api().map(|error| error.status), Some(403 | 404)), "{error}");
    client.payment_services().create(&adyen("Adyen")).await.unwrap();
    let error = client.payment_service_definitions().create_session("adyen-ideal", &json!([1])).await.unwrap_err();
    assert_eq!(error.api().map(|error| error.status), Some(400));

    let reader = builder(&server).scopes(["payment-services.read"]).build().unwrap();
    let error = reader.payment_services().create(&adyen("Adyen")).await.unwrap_err();
    assert_eq!(error.api().map(|error| (error.status, &error.code)), Some((403, &ErrorCode::Forbidden)));
    let stranger = Client::builder().server_url(&server.base).token("a.b.c").build().unwrap();
    let error = stranger.roles().list(&PageRequest::default()).await.unwrap_err();
    assert_eq!(error.api().map(|error| &error.code), Some(&ErrorCode::Unauthorized));
    assert!(error.api().unwrap().request_id.is_some());

    // What has no method yet.
    let answer = client.send(&Request::new(Method::GET, ["roles"]).query("limit", Some(1))).await.unwrap();
    assert_eq!((answer.status(), answer.json::<Value>().unwrap()["limit"].as_i64()), (200, Some(1)));
    assert!(answer.header("x-request-id").is_some());
    let error = client.send(&Request::new(Method::GET, ["buyers"])).await.unwrap_err();
    assert_eq!(error.api().map(|error| &error.code), Some(&ErrorCode::NotFound));

    // A token of one's own, and a key read once.
    let key = SigningKey::from_pem(&private_key(&server)).unwrap();
    assert_eq!(key.kid(), server.key.thumbprint());
    let token = key.token(&["roles.read"], Duration::from_secs(60)).unwrap();
    let by_token = Client::builder().server_url(&server.base).token(token).build().unwrap();
    by_token.roles().list(&PageRequest::default()).await.unwrap();
    let error = by_token.api_key_pairs().list(&PageRequest::default()).await.unwrap_err();
    assert_eq!(error.api().map(|error| &error.code), Some(&ErrorCode::Forbidden));

    let base = server.base.clone();
    server.end().await;
    let gone = Client::builder().server_url(base).signing_key(key).retries(1, Duration::from_millis(1)).build().unwrap();
    assert!(matches!(gone.roles().list(&PageRequest::default()).await, Err(Error::Transport { .. })));
}
