//! The Rust client beyond one service: sessions with every shipped payment service, lists of every kind, and errors of every kind.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::provider::{Options, Provider, Reply};
use testkit::server::Server;
use tollhouse_client::{
    ApiKeyPairCreate, AuditLogAction, AuditLogFilter, Client, ClientBuilder, Error, ErrorCode, Field, Location, MerchantAccountCreate,
    MerchantAccountFilter, Method, PageRequest, PaymentServiceCreate, PaymentServiceFilter, PaymentServiceSessionFilter, Request,
    SessionStatus, SigningKey, VerifyCredentials,
};

use crate::support::{adyen_request, sqlite};

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
        created: "/data/createClientToken/clientToken",
        declined: (200, "INVALID_SERVICE_REQUEST"),
        unauthorized: 200,
    },
];

fn builder(server: &Server) -> ClientBuilder {
    let key = std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap();
    Client::builder().server_url(&server.base).private_key(key)
}

fn client(server: &Server) -> Client {
    builder(server).build().unwrap()
}

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

#[tokio::test]
async fn every_list_is_read_page_by_page() {
    let server = sqlite().start().await;
    let client = client(&server);
    let role = client.roles().list(&PageRequest::default()).await.unwrap().items.remove(0);
    for number in 0..3 {
        let account = MerchantAccountCreate { id: format!("shop-{number}"), display_name: "Shop".to_owned(), ..Default::default() };
        client.merchant_accounts().create(&account).await.unwrap();
        let pair = ApiKeyPairCreate { display_name: format!("Key {number}"), role_ids: vec![role.id], ..Default::default() };
        client.api_key_pairs().create(&pair).await.unwrap();
        client.payment_services().create(&ROWS[0].service("")).await.unwrap();
        client.payment_service_definitions().create_session("adyen-ideal", &adyen_request()).await.unwrap();
    }
    let two = || PageRequest { cursor: None, limit: Some(2) };
    assert_eq!(client.merchant_accounts().pages(two(), &MerchantAccountFilter::default()).all().await.unwrap().len(), 4);
    assert_eq!(client.api_key_pairs().pages(two()).all().await.unwrap().len(), 4);
    assert_eq!(client.roles().pages(two()).all().await.unwrap().len(), 4);
    assert_eq!(client.payment_services().pages(two(), &PaymentServiceFilter::default()).all().await.unwrap().len(), 3);
    assert_eq!(client.payment_service_sessions().pages(two(), &PaymentServiceSessionFilter::default()).all().await.unwrap().len(), 3);
    let made = AuditLogFilter {
        action: Some(AuditLogAction::Created),
        resource_type: Some("payment-service".to_owned()),
        ..AuditLogFilter::default()
    };
    let log = client.audit_logs().pages(two(), &made).all().await.unwrap();
    let by = AuditLogFilter { user_id: log[0].user.id, ..made };
    assert_eq!((log.len(), client.audit_logs().list(&two(), &by).await.unwrap().items.len()), (3, 2));

    // There and back again.
    let mut pages = client.payment_service_definitions().pages(PageRequest { cursor: None, limit: Some(5) });
    let first = pages.next_page().await.unwrap().unwrap();
    let second = pages.next_page().await.unwrap().unwrap();
    assert_eq!((first.limit, first.previous_cursor.as_deref()), (Some(5), None));
    let back = PageRequest { cursor: second.previous_cursor, limit: Some(5) };
    let again = client.payment_service_definitions().list(&back).await.unwrap();
    let ids = |page: &[tollhouse_client::PaymentServiceDefinition]| page.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again.items), ids(&first.items));
    server.end().await;
}

#[tokio::test]
async fn records_are_found_by_every_filter() {
    let server = sqlite().start().await;
    let client = client(&server);
    let service = client.payment_services().create(&ROWS[0].service("")).await.unwrap();
    let mut request = adyen_request();
    client.payment_services().create_session(service.id, &request).await.unwrap();
    request["reference"] = json!("simulate:429");
    client.payment_services().create_session(service.id, &request).await.unwrap();
    let records = client.payment_service_sessions();
    let all = records.list(&PageRequest::default(), &PaymentServiceSessionFilter::default()).await.unwrap().items;
    let (failed, good) = (&all[0], &all[1]);
    let none = PaymentServiceSessionFilter::default;
    let both = [
        PaymentServiceSessionFilter { id: vec![good.id, failed.id], ..none() },
        PaymentServiceSessionFilter { status: vec![SessionStatus::Failed, SessionStatus::Succeeded], ..none() },
        PaymentServiceSessionFilter { payment_service_id: vec![service.id], ..none() },
        PaymentServiceSessionFilter { payment_service_definition_id: vec!["adyen-ideal".to_owned(), "stripe-card".to_owned()], ..none() },
        PaymentServiceSessionFilter { created_at_gte: Some(good.created_at.clone()), ..none() },
    ];
    let of_good = [
        PaymentServiceSessionFilter { reference: good.reference.clone().into_iter().collect(), ..none() },
        PaymentServiceSessionFilter { service_session_id: good.service_session_id.clone().into_iter().collect(), ..none() },
        PaymentServiceSessionFilter { request_id: good.request_id.clone().into_iter().collect(), ..none() },
        PaymentServiceSessionFilter { status: vec![SessionStatus::Succeeded], ..none() },
        PaymentServiceSessionFilter { created_at_lte: Some(good.created_at.clone()), ..none() },
    ];
    let of_failed = [PaymentServiceSessionFilter { code: vec!["SERVICE_RATE_LIMIT".to_owned()], ..none() }];
    for (filters, expected) in [(&both[..], vec![failed.id, good.id]), (&of_good, vec![good.id]), (&of_failed, vec![failed.id])] {
        for filter in filters {
            let found = records.list(&PageRequest::default(), filter).await.unwrap();
            assert_eq!(found.items.iter().map(|record| record.id).collect::<Vec<_>>(), expected, "{filter:?}");
        }
    }
    server.end().await;
}

#[tokio::test]
async fn errors_say_what_kind_they_are() {
    let server = sqlite().start().await;
    let client = client(&server);
    let empty = PaymentServiceCreate { payment_service_definition_id: "nobody-card".to_owned(), ..ROWS[0].service("") };
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
    client.payment_services().create(&ROWS[0].service("")).await.unwrap();
    let error = client.payment_service_definitions().create_session("adyen-ideal", &json!([1])).await.unwrap_err();
    assert_eq!(error.api().map(|error| error.status), Some(400));

    // What has no method yet.
    let answer = client.send(&Request::new(Method::GET, ["roles"]).query("limit", Some(1))).await.unwrap();
    assert_eq!((answer.status(), answer.json::<Value>().unwrap()["limit"].as_i64()), (200, Some(1)));
    assert!(answer.header("x-request-id").is_some());
    let error = client.send(&Request::new(Method::GET, ["buyers"])).await.unwrap_err();
    assert_eq!(error.api().map(|error| &error.code), Some(&ErrorCode::NotFound));

    // A token of one's own, and a key read once.
    let pem = std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
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
