//! Every resource: made, changed, listed page by page, and found by its filters.

use serde_json::json;
use tollhouse_client::{
    ApiKeyPairCreate, ApiKeyPairUpdate, AuditLogAction, AuditLogFilter, Client, ErrorCode, Field, MerchantAccountCreate,
    MerchantAccountFilter, MerchantAccountUpdate, PageRequest, PaymentServiceDefinition, PaymentServiceFilter, PaymentServiceSessionFilter,
    PaymentServiceUpdate, SessionStatus, VerifyCredentials,
};

use super::{adyen, client};
use crate::support::{adyen_request, on_each_engine};

#[tokio::test]
async fn a_payment_service_from_creation_to_deletion() {
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
async fn every_list_is_read_page_by_page() {
    on_each_engine(async |server| {
        let client = client(server);
        let role = client.roles().list(&PageRequest::default()).await.unwrap().items.remove(0);
        for number in 0..3 {
            let account = MerchantAccountCreate { id: format!("shop-{number}"), display_name: "Shop".to_owned(), ..Default::default() };
            client.merchant_accounts().create(&account).await.unwrap();
            let pair = ApiKeyPairCreate { display_name: format!("Key {number}"), role_ids: vec![role.id], ..Default::default() };
            client.api_key_pairs().create(&pair).await.unwrap();
            client.payment_services().create(&adyen(&format!("Adyen {number}"))).await.unwrap();
            client.payment_service_definitions().create_session("adyen-ideal", &adyen_request()).await.unwrap();
        }
        let two = || PageRequest { cursor: None, limit: Some(2) };
        assert_eq!(client.merchant_accounts().pages(two(), &MerchantAccountFilter::default()).all().await.unwrap().len(), 4);
        assert_eq!(client.api_key_pairs().pages(two()).all().await.unwrap().len(), 4);
        assert_eq!(client.roles().pages(two()).all().await.unwrap().len(), 4);
        let services = client.payment_services().pages(two(), &PaymentServiceFilter::default()).all().await.unwrap();
        let names: Vec<&str> = services.iter().map(|service| service.display_name.as_str()).collect();
        assert_eq!(names, ["Adyen 2", "Adyen 1", "Adyen 0"]);
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
        let ids = |page: &[PaymentServiceDefinition]| page.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&again.items), ids(&first.items));

        let definitions = client.payment_service_definitions().pages(PageRequest { cursor: None, limit: Some(10) }).all().await.unwrap();
        assert!(definitions.is_sorted_by(|a, b| a.id < b.id));
        let definition = client.payment_service_definitions().get("stripe-card").await.unwrap();
        assert!(definition.fields.iter().any(|field| field.key == "secret_key" && field.secret));
        assert!(definitions.iter().any(|other| other.id == definition.id));
    })
    .await;
}

#[tokio::test]
async fn records_are_found_by_every_filter() {
    on_each_engine(async |server| {
        let client = client(server);
        let service = client.payment_services().create(&adyen("Adyen")).await.unwrap();
        let mut request = adyen_request();
        client.payment_services().create_session(service.id, &request).await.unwrap();
        request["reference"] = json!("simulate:429");
        client.payment_services().create_session(service.id, &request).await.unwrap();
        let records = client.payment_service_sessions();
        let all = records.list(&PageRequest::default(), &PaymentServiceSessionFilter::default()).await.unwrap().items;
        let (failed, good) = (&all[0], &all[1]);
        assert_eq!((good.amount, good.currency.as_deref(), good.reference.as_deref()), (Some(1000), Some("EUR"), Some("order-1")));
        assert_eq!((&good.status, good.outcome_known), (&SessionStatus::Succeeded, Some(true)));
        let read = records.get(good.id).await.unwrap();
        assert_eq!(
            (read.id, read.amount, &read.request_id, read.outcome_known),
            (good.id, good.amount, &good.request_id, good.outcome_known)
        );
        let none = PaymentServiceSessionFilter::default;
        let both = [
            PaymentServiceSessionFilter { id: vec![good.id, failed.id], ..none() },
            PaymentServiceSessionFilter { status: vec![SessionStatus::Failed, SessionStatus::Succeeded], ..none() },
            PaymentServiceSessionFilter { payment_service_id: vec![service.id], ..none() },
            PaymentServiceSessionFilter {
                payment_service_definition_id: vec!["adyen-ideal".to_owned(), "stripe-card".to_owned()],
                ..none()
            },
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
    })
    .await;
}
