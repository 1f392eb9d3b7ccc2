//! The Rust client as a client of the real server.

use std::error::Error;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::server::Server;
use tollhouse_client::{
    ApiKeyPairCreate, ApiKeyPairUpdate, AuditLogAction, AuditLogFilter, Client, ErrorCode, Field, MerchantAccountCreate,
    MerchantAccountFilter, MerchantAccountUpdate, PageRequest, PaymentServiceCreate, PaymentServiceFilter, PaymentServiceSession,
    PaymentServiceSessionFilter, PaymentServiceUpdate, SessionStatus, VerifyCredentials,
};

use crate::support::{adyen_request, on_each_engine, simulated_adyen};

fn private_key(server: &Server) -> String {
    std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap()
}

fn client(server: &Server) -> Client {
    Client::builder().server_url(&server.base).private_key(private_key(server)).build().unwrap()
}

fn adyen(name: &str) -> PaymentServiceCreate {
    PaymentServiceCreate {
        display_name: name.to_owned(),
        payment_service_definition_id: "adyen-ideal".to_owned(),
        fields: vec![Field::new("api_key", "test-key"), Field::new("merchant_account", "ShopECOM"), Field::new("mode", "simulator")],
        accepted_currencies: vec!["EUR".to_owned()],
        accepted_countries: vec!["NL".to_owned()],
        ..PaymentServiceCreate::default()
    }
}

/// The example of the client's README, word for word: the test below compares the two.
#[expect(clippy::print_stderr, reason = "an example speaks to people")]
mod readme {
    use super::*;

    pub(super) async fn run(
        server: &str,
        private_key: String,
        definition: &str,
        body: &RawValue,
    ) -> Result<PaymentServiceSession, Box<dyn Error>> {
        create_session(server, private_key, definition, body).await
    }

    #[rustfmt::skip]
async fn create_session(
    server: &str,
    private_key: String,
    definition: &str,
    body: &RawValue,
) -> Result<PaymentServiceSession, Box<dyn Error>> {
    let client = Client::builder().server_url(server).private_key(private_key).build()?;
    let session = client.payment_service_definitions().create_session(definition, body).await?;
    if !session.is_succeeded() {
        // A refusal by the payment service is an answer, not an error.
        eprintln!("failed: {:?}, the service answered {:?}", session.code, session.status_code);
    }
    Ok(session)
}
}

#[tokio::test]
async fn the_example_of_the_readme_creates_a_session() {
    let example = |text: &'static str| {
        let start = text.find("async fn create_session(").unwrap();
        &text[start..start + text[start..].find("\n}\n").unwrap()]
    };
    assert_eq!(example(include_str!("rust_client.rs")), example(include_str!("../../../client/README.md")));
    on_each_engine(async |server| {
        simulated_adyen(server, "adyen-ideal").await;
        let body = RawValue::from_string(adyen_request().to_string()).unwrap();
        let session = readme::run(&server.base, private_key(server), "adyen-ideal", &body).await.unwrap();
        assert!(session.is_succeeded());
        assert_eq!((session.r#type.as_deref(), session.status_code), (Some("payment-service-session"), Some(201)));
        let answer: Value = session.response_value().unwrap();
        assert_eq!((&answer["reference"], &answer["merchantAccount"]), (&json!("order-1"), &json!("ShopECOM")));
    })
    .await;
}

#[tokio::test]
async fn payment_services_and_their_sessions() {
    on_each_engine(async |server| {
        let client = client(server);
        let services = client.payment_services();
        let created = services.create(&adyen("Adyen")).await.unwrap();
        assert_eq!((created.merchant_account_id.as_str(), created.position, created.active), ("default", 1, true));
        assert_eq!(services.get(created.id).await.unwrap().display_name, "Adyen");

        let changes = PaymentServiceUpdate {
            display_name: Some("Renamed".to_owned()),
            fields: Some(vec![Field::new("merchant_account", "Other")]),
            ..PaymentServiceUpdate::default()
        };
        let updated = services.update(created.id, &changes).await.unwrap();
        assert_eq!((updated.display_name.as_str(), updated.accepted_countries), ("Renamed", created.accepted_countries));

        let session = services.create_session(created.id, &adyen_request()).await.unwrap();
        assert_eq!(session.response_value().unwrap()["merchantAccount"], "Other");
        let mut declined = adyen_request();
        declined["reference"] = json!("simulate:decline");
        let session = services.create_session(created.id, &declined).await.unwrap();
        assert_eq!((session.status, session.status_code), (Some(SessionStatus::Failed), Some(422)));
        assert_eq!(session.code.as_deref(), Some("INVALID_SERVICE_REQUEST"));

        let mut credentials = VerifyCredentials {
            payment_service_definition_id: "adyen-ideal".to_owned(),
            payment_service_id: Some(created.id),
            fields: Vec::new(),
        };
        services.verify(&credentials).await.unwrap();
        credentials.fields.push(Field::new("api_key", "invalid"));
        let refusal = services.verify(&credentials).await.unwrap_err();
        assert_eq!(refusal.api().unwrap().details[0].pointer, "/fields/0");

        services.delete(created.id).await.unwrap();
        let gone = services.get(created.id).await.unwrap_err();
        assert_eq!(gone.api().unwrap().code, ErrorCode::NotFound);
        let deleted = PaymentServiceFilter { deleted: Some(true), ..PaymentServiceFilter::default() };
        assert!(services.list(&PageRequest::default(), &deleted).await.unwrap().items[0].is_deleted);
    })
    .await;
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    on_each_engine(async |server| {
        let client = client(server);
        for n in 0..5 {
            client.payment_services().create(&adyen(&format!("Adyen {n}"))).await.unwrap();
        }
        let two = PageRequest { limit: Some(2), cursor: None };
        let all = client.payment_services().pages(two, &PaymentServiceFilter::default()).all().await.unwrap();
        let names: Vec<&str> = all.iter().map(|service| service.display_name.as_str()).collect();
        assert_eq!(names, ["Adyen 4", "Adyen 3", "Adyen 2", "Adyen 1", "Adyen 0"]);
        let definitions = client.payment_service_definitions().pages(PageRequest { limit: Some(10), cursor: None }).all().await.unwrap();
        assert!(definitions.is_sorted_by(|a, b| a.id < b.id));
        let definition = client.payment_service_definitions().get("stripe-card").await.unwrap();
        assert!(definition.fields.iter().any(|field| field.key == "secret_key" && field.secret));
        assert!(definitions.iter().any(|other| other.id == definition.id));
    })
    .await;
}

#[tokio::test]
async fn accounts_keys_and_the_log_of_changes() {
    on_each_engine(async |server| {
        let everything = client(server);
        let account = MerchantAccountCreate { id: "acme".to_owned(), display_name: "Acme".to_owned(), ..MerchantAccountCreate::default() };
        everything.merchant_accounts().create(&account).await.unwrap();
        let twice = everything.merchant_accounts().create(&account).await.unwrap_err();
        let twice = twice.api().unwrap();
        assert_eq!((&twice.code, twice.resource_id.as_deref()), (&ErrorCode::DuplicateRecord, Some("acme")));
        let changes = MerchantAccountUpdate { display_name: Some("Acme Inc".to_owned()), ..MerchantAccountUpdate::default() };
        assert_eq!(everything.merchant_accounts().update("acme", &changes).await.unwrap().display_name, "Acme Inc");
        assert_eq!(everything.merchant_accounts().get("acme").await.unwrap().display_name, "Acme Inc");
        let search = MerchantAccountFilter { search: Some("acme".to_owned()) };
        assert_eq!(everything.merchant_accounts().list(&PageRequest::default(), &search).await.unwrap().items.len(), 1);

        let roles = everything.roles().pages(PageRequest::default()).all().await.unwrap();
        let role = roles.iter().find(|role| role.slug == "full-access").unwrap();
        let pair = ApiKeyPairCreate {
            display_name: "Acme's own".to_owned(),
            role_ids: vec![role.id],
            merchant_account_ids: vec!["acme".to_owned()],
            ..ApiKeyPairCreate::default()
        };
        let pair = everything.api_key_pairs().create(&pair).await.unwrap();
        let pem = pair.private_key.as_ref().unwrap().expose();
        let own = Client::builder().server_url(&server.base).private_key(pem).build().unwrap();
        let service = own.payment_services().create(&adyen("Acme's")).await.unwrap();
        assert_eq!(service.merchant_account_id, "acme", "the key decides the account");
        let in_acme = everything.for_merchant_account("acme").unwrap();
        assert_eq!(in_acme.payment_services().get(service.id).await.unwrap().id, service.id);
        let body = adyen_request();
        let session = everything.payment_service_definitions().create_session_for("acme", "adyen-ideal", &body).await.unwrap();
        assert!(session.is_succeeded());

        let filter = AuditLogFilter { resource_type: Some("payment-service".to_owned()), ..AuditLogFilter::default() };
        let log = in_acme.audit_logs().pages(PageRequest::default(), &filter).all().await.unwrap();
        assert_eq!((&log[0].action, log[0].resource.id.as_str()), (&AuditLogAction::Created, service.id.to_string().as_str()));

        let off = ApiKeyPairUpdate { active: Some(false), ..ApiKeyPairUpdate::default() };
        assert!(!everything.api_key_pairs().update(pair.id, &off).await.unwrap().active);
        let refused = own.payment_services().get(service.id).await.unwrap_err();
        assert_eq!(refused.api().unwrap().code, ErrorCode::Unauthorized);
        assert!(everything.api_key_pairs().get(pair.id).await.unwrap().private_key.is_none());
        assert_eq!(everything.api_key_pairs().list(&PageRequest::default()).await.unwrap().items.len(), 2);
        everything.api_key_pairs().delete(pair.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn records_of_sessions() {
    on_each_engine(async |server| {
        let client = client(server);
        simulated_adyen(server, "adyen-ideal").await;
        client.payment_service_definitions().create_session("adyen-ideal", &adyen_request()).await.unwrap();
        let filter = PaymentServiceSessionFilter { reference: vec!["order-1".to_owned()], ..PaymentServiceSessionFilter::default() };
        let found = client.payment_service_sessions().pages(PageRequest::default(), &filter).all().await.unwrap();
        let record = client.payment_service_sessions().get(found[0].id).await.unwrap();
        let either = PaymentServiceSessionFilter {
            status: vec![SessionStatus::Failed, SessionStatus::Succeeded],
            payment_service_definition_id: vec!["adyen-ideal".to_owned()],
            ..PaymentServiceSessionFilter::default()
        };
        assert_eq!(client.payment_service_sessions().list(&PageRequest::default(), &either).await.unwrap().items.len(), 1);
        assert_eq!((record.amount, record.currency.as_deref()), (Some(1000), Some("EUR")));
        assert_eq!((record.status, record.outcome_known), (SessionStatus::Succeeded, Some(true)));
    })
    .await;
}

#[tokio::test]
async fn refusals_are_typed() {
    on_each_engine(async |server| {
        let builder = Client::builder().server_url(&server.base).private_key(private_key(server));
        let reader = builder.scopes(["payment-services.read"]).build().unwrap();
        let error = reader.payment_services().create(&adyen("x")).await.unwrap_err();
        assert_eq!((error.api().unwrap().status, &error.api().unwrap().code), (403, &ErrorCode::Forbidden));
        let stranger = Client::builder().server_url(&server.base).token("a.b.c").build().unwrap();
        let error = stranger.roles().list(&PageRequest::default()).await.unwrap_err();
        assert_eq!(error.api().unwrap().code, ErrorCode::Unauthorized);
        assert!(error.api().unwrap().request_id.is_some());
    })
    .await;
}
