//! Sessions with every shipped payment service, and the credentials for them.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::provider::{Options, Provider, Reply};
use tollhouse_client::{ErrorCode, Field, PaymentServiceCreate, SessionStatus, VerifyCredentials};

use super::client;
use crate::support::sqlite;

/// One service of each shipped provider that creates sessions: its fields, and a request that it takes.
struct Row {
    definition: &'static str,
    fields: &'static [(&'static str, &'static str)],
    request: &'static str,
    /// Where its answer holds what was created.
    created: &'static str,
    /// Status and code of a declined request.
    declined: (i64, &'static str),
    /// Status of refused credentials; the code is always the same.
    unauthorized: i64,
}

const ROWS: [Row; 5] = [
    Row {
        definition: "adyen-ideal",
        fields: &[("merchant_account", "ShopECOM"), ("api_key", "key")],
        request: r#"{"amount":{"currency":"EUR","value":1000},"reference":"order-1","returnUrl":"https://shop.example/return"}"#,
        created: "/sessionData",
        declined: (422, "INVALID_SERVICE_REQUEST"),
        unauthorized: 401,
    },
    Row {
        definition: "stripe-card",
        fields: &[("secret_key", "sk_test_key")],
        request: r#"{"amount":1000,"currency":"eur","metadata":{"order_id":"order-1"}}"#,
        created: "/client_secret",
        declined: (400, "INVALID_SERVICE_REQUEST"),
        unauthorized: 401,
    },
    Row {
        definition: "paypal-paypal",
        fields: &[("client_id", "client"), ("client_secret", "secret")],
        request: r#"{"intent":"CAPTURE","purchase_units":[{"reference_id":"order-1","amount":{"currency_code":"EUR","value":"10.00"}}]}"#,
        created: "/links/0/href",
        declined: (422, "INVALID_SERVICE_REQUEST"),
        unauthorized: 401,
    },
    Row {
        definition: "klarna-klarna",
        fields: &[("username", "user"), ("region", "eu"), ("password", "secret")],
        request: r#"{"purchase_country":"SE","purchase_currency":"SEK","order_amount":1000,"order_lines":[{"name":"Shoe","quantity":1,"unit_price":1000,"total_amount":1000}]}"#,
        created: "/client_token",
        declined: (400, "INVALID_SERVICE_REQUEST"),
        unauthorized: 401,
    },
    Row {
        definition: "braintree-card",
        fields: &[("public_key", "public"), ("private_key", "secret")],
        request: r#"{"customerId":"customer-1"}"#,
        created: "/clientToken",
        declined: (200, "INVALID_SERVICE_REQUEST"),
        unauthorized: 200,
    },
];

// === impl Row ===

impl Row {
    /// Its fields for the simulator. Every secret begins with `prefix`, unless the service wants another beginning.
    fn fields(&self, prefix: &str) -> Vec<Field> {
        let secret = ["api_key", "client_secret", "password", "private_key"];
        let fields = self.fields.iter().map(|(key, value)| {
            let prefix = if secret.contains(key) { prefix } else { "" };
            Field::new(*key, format!("{prefix}{value}"))
        });
        fields.chain([Field::new("mode", "simulator")]).collect()
    }

    fn service(&self, prefix: &str) -> PaymentServiceCreate {
        PaymentServiceCreate {
            display_name: self.definition.to_owned(),
            payment_service_definition_id: self.definition.to_owned(),
            fields: self.fields(prefix),
            accepted_currencies: vec!["EUR".to_owned()],
            accepted_countries: vec!["NL".to_owned()],
            ..PaymentServiceCreate::default()
        }
    }

    /// The request with a word in it that makes the simulator do something else.
    fn request(&self, word: &str) -> Value {
        let mut request: Value = serde_json::from_str(self.request).unwrap();
        request["extra"] = json!(word);
        request
    }
}

#[tokio::test]
async fn sessions_succeed_and_fail_with_every_service() {
    let server = sqlite().start().await;
    let client = client(&server);
    for row in &ROWS {
        let service = client.payment_services().create(&row.service("")).await.unwrap();
        assert_eq!(service.payment_service_definition_id, row.definition);
        let raw = RawValue::from_string(row.request.to_owned()).unwrap();
        let by_service = client.payment_services().create_session(service.id, &raw).await.unwrap();
        let by_definition = client.payment_service_definitions().create_session(row.definition, &raw).await.unwrap();
        for session in [by_service, by_definition] {
            assert_eq!((session.r#type.as_deref(), session.code.as_deref()), (Some("payment-service-session"), None), "{}", row.definition);
            assert!(session.is_succeeded(), "{}: {session:?}", row.definition);
            let answer = session.response_value().unwrap();
            assert!(answer.pointer(row.created).is_some_and(|created| !created.is_null()), "{}: {answer}", row.definition);
            let again: Option<Value> = session.response_as().unwrap();
            assert_eq!(again, Some(answer));
        }
        let declined = client.payment_services().create_session(service.id, &row.request("simulate:decline")).await.unwrap();
        assert_eq!((declined.status_code, declined.code.as_deref()), (Some(row.declined.0), Some(row.declined.1)), "{}", row.definition);
        assert!(declined.status == Some(SessionStatus::Failed) && declined.response_body.is_some(), "{}: {declined:?}", row.definition);
        for (word, status, code) in [
            ("simulate:429", Some(429), "SERVICE_RATE_LIMIT"),
            ("simulate:500", Some(500), "SERVICE_ERROR"),
            ("simulate:malformed", Some(200), "INVALID_SERVICE_RESPONSE"),
            ("simulate:drop", None, "SERVICE_NETWORK_ERROR"),
        ] {
            let session = client.payment_service_definitions().create_session(row.definition, &row.request(word)).await.unwrap();
            assert_eq!(session.code.as_deref(), Some(code), "{} {word}", row.definition);
            assert!(
                session.status_code == status || session.status_code == Some(201) && status == Some(200),
                "{} {session:?}",
                row.definition
            );
        }
    }
    server.end().await;
}

#[tokio::test]
async fn refused_credentials_are_a_failed_session_and_a_refused_verification() {
    let server = sqlite().start().await;
    let client = client(&server);
    for row in ROWS.iter().filter(|row| row.definition != "stripe-card") {
        let service = client.payment_services().create(&row.service("invalid-")).await.unwrap();
        let raw = RawValue::from_string(row.request.to_owned()).unwrap();
        let session = client.payment_services().create_session(service.id, &raw).await.unwrap();
        assert_eq!(session.code.as_deref(), Some("INVALID_SERVICE_CREDENTIALS"), "{}", row.definition);
        assert_eq!(session.status_code, Some(row.unauthorized), "{}", row.definition);
    }
    for row in &ROWS {
        let verify = |prefix: &str| VerifyCredentials {
            payment_service_definition_id: row.definition.to_owned(),
            payment_service_id: None,
            fields: row.fields(prefix),
        };
        client.payment_services().verify(&verify("")).await.unwrap();
        if row.definition == "stripe-card" {
            continue;
        }
        let refused = client.payment_services().verify(&verify("invalid-")).await.unwrap_err();
        let refused = refused.api().unwrap();
        assert_eq!((refused.status, &refused.code), (400, &ErrorCode::BadRequest), "{}", row.definition);
        assert!(!refused.details.is_empty() && refused.details.iter().all(|detail| detail.pointer.starts_with("/fields/")), "{refused}");
    }
    server.end().await;
}

#[tokio::test]
async fn what_a_service_answers_arrives_digit_by_digit() {
    let provider = Provider::start(Options::plain()).await;
    let server = sqlite().provider_at("adyen", &provider.url(""), None).start().await;
    let client = client(&server);
    let mut service = ROWS[0].service("");
    service.fields.retain(|field| field.key != "mode");
    let service = client.payment_services().create(&service).await.unwrap();
    let answer = "{ \"big\":18446744073709551616,\"n\":1.0, \"caf\\u00e9\":\"\\u0000\" }";
    provider.reply(Reply::json(201, answer));
    let body = RawValue::from_string("{\"amount\":{\"value\":10.00}, \"b\":1e2}".to_owned()).unwrap();
    let session = client.payment_services().create_session(service.id, &body).await.unwrap();
    assert_eq!(session.response_body.as_ref().map(|body| body.get()), Some(answer));
    assert!(provider.requests()[0].text().contains("{\"value\":10.00}, \"b\":1e2"));
    assert!(!format!("{session:?}").contains("big"), "an answer may hold what is private, so it does not print");
    server.end().await;
}
