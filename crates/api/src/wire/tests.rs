//! The wire, byte by byte: what is compared is JSON text, not our own types.

use domain::api_key_pair::{ApiKeyPair, Creator};
use domain::session::{Delivered, RecordedFacts, Session, SessionCode, SessionRecord, SessionStatus};
use domain::{ApiKeyPairId, DefinitionId, JsonObject, MerchantAccountId, PaymentServiceId, Problem, SessionRecordId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn value(value: &impl Serialize) -> Value {
    serde_json::from_str(&text(value)).unwrap()
}

fn moment() -> Timestamp {
    Timestamp::parse("2021-03-12T15:05:27.199271Z").unwrap()
}

const MOMENT: &str = "2021-03-12T15:05:27.199271+00:00";
const ONE: &str = "00000000-0000-0000-0000-000000000001";

#[test]
fn a_session_carries_the_services_own_bytes() {
    let check = |session: Session, expected: &str| assert_eq!(session::session_json(&session), expected);
    let body = " {\"b\": 1.0,\"a\":18446744073709551616, \"\\u0061\":\"\\/\"}\n";
    check(
        Session {
            status: SessionStatus::Succeeded,
            code: None,
            status_code: Some(201),
            response_body: Some(JsonObject::parse(body.to_owned()).unwrap()),
        },
        &format!(r#"{{"type":"payment-service-session","status":"succeeded","code":null,"status_code":201,"response_body":{body}}}"#),
    );
    check(
        Session::failed(SessionCode::ServiceNetworkError),
        r#"{"type":"payment-service-session","status":"failed","code":"SERVICE_NETWORK_ERROR","status_code":null,"response_body":null}"#,
    );
}

#[test]
fn the_error_object_has_all_members_and_no_nulls() {
    let problem = Problem::body("/currency", "value_error", "Unknown");
    let wire = |resource_id| error::WireError {
        r#type: "error",
        code: "bad_request",
        status: 400,
        message: "No",
        details: vec![error::WireProblem::of(&problem)],
        resource_id,
    };
    assert_eq!(
        text(&wire(None)),
        r#"{"type":"error","code":"bad_request","status":400,"message":"No","details":[{"location":"body","pointer":"/currency","message":"Unknown","type":"value_error"}]}"#
    );
    assert_eq!(value(&wire(Some(&None)))["resource_id"], Value::Null);
    assert!(value(&wire(Some(&None))).as_object().unwrap().contains_key("resource_id"));
    assert_eq!(value(&wire(Some(&Some("x".to_owned()))))["resource_id"], "x");
}

#[test]
fn a_record_says_what_is_known() {
    let record = |delivered| SessionRecord {
        id: SessionRecordId(Uuid::from_u128(1)),
        request_id: "r".to_owned(),
        merchant_account_id: MerchantAccountId::default_account(),
        payment_service_id: PaymentServiceId(Uuid::from_u128(1)),
        definition_id: DefinitionId::parse("x-card").unwrap(),
        definition_hash: "01234567".to_owned(),
        api_key_pair_id: ApiKeyPairId(Uuid::from_u128(1)),
        status: SessionStatus::Failed,
        code: Some(SessionCode::ServiceError),
        status_code: Some(500),
        delivered,
        facts: RecordedFacts { amount: Some(-1), ..RecordedFacts::default() },
        duration_ms: 12,
        service_duration_ms: None,
        created_at: moment(),
    };
    let expected = |known: bool| {
        json!({
            "type": "payment-service-session-record", "id": ONE, "request_id": "r", "merchant_account_id": "default",
            "payment_service_id": ONE, "payment_service_definition_id": "x-card", "status": "failed", "code": "SERVICE_ERROR",
            "status_code": 500, "service_code": null, "outcome_known": known, "amount": -1, "currency": null, "country": null,
            "reference": null, "service_session_id": null, "support_id": null, "duration_ms": 12, "service_duration_ms": null,
            "created_at": MOMENT,
        })
    };
    for (delivered, known) in [(Delivered::Yes, true), (Delivered::No, true), (Delivered::Unknown, false)] {
        assert_eq!(value(&session_record::WireSessionRecord::of(record(delivered))), expected(known));
    }
}

#[test]
fn a_merchant_account_shows_every_member_and_never_its_secrets() {
    let account = domain::merchant_account::MerchantAccount {
        id: MerchantAccountId::default_account(),
        settings: domain::merchant_account::MerchantAccountSettings {
            display_name: "Default".to_owned(),
            over_capture_amount: Some(5),
            ..Default::default()
        },
        created_at: moment(),
        updated_at: moment(),
    };
    let summary = value(&merchant_account::WireMerchantAccountSummary::of(&account));
    assert_eq!(
        summary,
        json!({
            "type": "merchant-account", "id": "default", "display_name": "Default", "created_at": MOMENT, "updated_at": MOMENT,
            "over_capture_amount": 5, "over_capture_percentage": null,
        })
    );
    assert_eq!(
        value(&merchant_account::WireMerchantAccount::of(account)),
        json!({
            "type": "merchant-account", "id": "default", "display_name": "Default", "loon_client_key": null, "loon_secret_key": null,
            "loon_accepted_schemes": null, "loon_merchant_account_id": null, "account_updater_request_encryption_key": null,
            "account_updater_request_encryption_key_id": null, "account_updater_response_decryption_key": null,
            "account_updater_response_decryption_key_id": null, "account_updater_enabled": false, "over_capture_amount": 5,
            "over_capture_percentage": null, "visa_network_tokens_requestor_id": null, "visa_network_tokens_app_id": null,
            "amex_network_tokens_requestor_id": null, "amex_network_tokens_app_id": null, "mastercard_network_tokens_requestor_id": null,
            "mastercard_network_tokens_app_id": null, "discover_network_tokens_requestor_id": null, "discover_network_tokens_app_id": null,
            "async_network_tokens_enabled": false, "created_at": MOMENT, "updated_at": MOMENT,
        })
    );
}

#[test]
fn a_payment_service_has_no_null_where_none_may_be() {
    let service = domain::payment_service::PaymentService {
        id: PaymentServiceId(Uuid::from_u128(1)),
        merchant_account_id: MerchantAccountId::default_account(),
        definition_id: DefinitionId::parse("x-card").unwrap(),
        method: "card".to_owned(),
        settings: domain::payment_service::PaymentServiceSettings {
            display_name: "X".to_owned(),
            position: 1,
            active: true,
            accepted_currencies: vec![domain::CurrencyCode::parse("EUR").unwrap()],
            accepted_countries: vec![domain::CountryCode::parse("NL").unwrap()],
            three_d_secure_enabled: false,
            merchant_profile: Some(r#"{"visa":null}"#.to_owned()),
            payment_method_tokenization_enabled: false,
            network_tokens_enabled: false,
            open_loop: false,
            settlement_reporting_enabled: false,
        },
        is_deleted: false,
        created_at: moment(),
        updated_at: moment(),
    };
    let view = engine::payment_services::PaymentServiceView {
        service,
        fields: vec![("mode".to_owned(), "sandbox".to_owned())],
        reporting_fields: Vec::new(),
    };
    assert_eq!(
        text(&payment_service::WirePaymentService::of(view)),
        format!(
            r#"{{"type":"payment-service","id":"{ONE}","merchant_account_id":"default","payment_service_definition_id":"x-card","active":true,"method":"card","display_name":"X","position":1,"status":"created","accepted_currencies":["EUR"],"accepted_countries":["NL"],"payment_method_tokenization_enabled":false,"network_tokens_enabled":false,"open_loop":false,"settlement_reporting_enabled":false,"refund_ingestion_enabled":false,"three_d_secure_enabled":false,"merchant_profile":{{"visa":null}},"webhook_url":null,"fields":[{{"key":"mode","value":"sandbox"}}],"reporting_fields":[],"is_deleted":false,"created_at":"{MOMENT}","updated_at":"{MOMENT}"}}"#
        )
    );
}

#[test]
fn a_definition_says_how_its_approval_page_is_shown() {
    let definition = domain::definition::Definition {
        id: DefinitionId::parse("x-ideal").unwrap(),
        provider: "x".to_owned(),
        display_name: "X iDEAL".to_owned(),
        method: "ideal".to_owned(),
        flow: domain::definition::Flow::Redirect,
        fields: vec![domain::definition::DefinitionField {
            key: "api_key".to_owned(),
            display_name: "API key".to_owned(),
            required: true,
            format: domain::definition::FieldFormat::Text,
            secret: true,
            verifiable: true,
        }],
        supported_currencies: vec![domain::CurrencyCode::parse("EUR").unwrap()],
        supported_countries: Vec::new(),
        supported_features: [("create_session".to_owned(), true)].into(),
    };
    let expected = json!({
        "id": "x-ideal", "type": "payment-service-definition", "display_name": "X iDEAL", "method": "ideal",
        "fields": [{ "key": "api_key", "display_name": "API key", "required": true, "format": "text", "secret": true, "verifiable": true }],
        "reporting_fields": [], "supported_currencies": ["EUR"], "supported_countries": [], "mode": "redirect", "icon_url": null,
        "supported_features": { "create_session": true }, "required_checkout_fields": [],
        "configuration": {
            "approval_ui_target": "any", "approval_ui_height": "100vh", "approval_ui_width": "100vw", "cart_items_limit": 100,
            "cart_items_required": false, "cart_items_should_match_amount": false,
        },
        "supported_integration_clients": ["redirect"],
    });
    assert_eq!(value(&definition::WireDefinition::of(&definition)), expected);
}

#[test]
fn a_key_pair_shows_its_maker_its_roles_and_once_its_private_half() {
    let view = engine::key_pairs::ApiKeyPairView {
        pair: ApiKeyPair {
            id: ApiKeyPairId(Uuid::from_u128(1)),
            display_name: "K".to_owned(),
            thumbprint: "t".to_owned(),
            thumbprint_unpadded: "u".to_owned(),
            public_key: vec![4],
            active: true,
            role_ids: Vec::new(),
            merchant_account_ids: Vec::new(),
            creator: Some(Creator { id: ApiKeyPairId(Uuid::from_u128(1)), name: "N".to_owned(), thumbprint: "c".to_owned() }),
            created_at: moment(),
            updated_at: moment(),
            last_used_at: None,
        },
        roles: vec![
            domain::role::Role {
                id: domain::RoleId(Uuid::from_u128(1)),
                name: "R".to_owned(),
                slug: "r".to_owned(),
                description: "D".to_owned(),
                permissions: ["b.read", "a.read"].into_iter().collect(),
                created_at: moment(),
            }
            .into(),
        ],
        merchant_accounts: Vec::new(),
    };
    assert_eq!(
        value(&api_key_pair::WireApiKeyPair::of(view, Some("PEM".to_owned()))),
        json!({
            "type": "api-key-pair", "id": ONE, "thumbprint": "t", "display_name": "K", "algorithm": "ECDSA", "active": true,
            "private_key": "PEM", "created_at": MOMENT, "updated_at": MOMENT, "last_used_at": null,
            "creator": { "id": ONE, "name": "N", "email_address": null, "thumbprint": "c" }, "merchant_accounts": [],
            "roles": [{
                "type": "role", "id": ONE, "name": "R", "slug": "r", "description": "D", "permissions": { "allow": ["a.read", "b.read"] },
                "assignable_to": ["api-key-pair"], "applies_to": [], "is_standalone_assignable": true,
            }],
        })
    );
}

#[test]
fn an_audit_entry_calls_its_key_pair_a_user() {
    let entry = domain::audit::AuditEntry {
        id: domain::AuditEntryId(Uuid::from_u128(1)),
        merchant_account_id: None,
        action: domain::audit::AuditAction::Created,
        resource_type: "role".to_owned(),
        resource_id: "2".to_owned(),
        resource_name: "R".to_owned(),
        actor_id: None,
        actor_name: "tollhouse init".to_owned(),
        request_id: "init".to_owned(),
        origin: "192.0.2.1".to_owned(),
        created_at: moment(),
    };
    assert_eq!(
        value(&audit::WireAuditEntry::of(entry)),
        json!({
            "type": "audit-log", "id": ONE, "merchant_account_id": null, "resource": { "type": "role", "id": "2", "name": "R" },
            "action": "created",
            "user": { "type": "user", "id": null, "name": "tollhouse init", "email_address": null, "is_staff": false, "status": "active" },
            "timestamp": MOMENT,
        })
    );
}

#[test]
fn a_page_names_its_limit_and_its_neighbours() {
    use domain::page::{Cursor, Direction, Page, PageRequest, Position};
    let request = PageRequest { limit: 2, cursor: None };
    let next = Cursor { direction: Direction::Next, position: Position::Text("b".to_owned()) };
    let page = Page { items: vec![1, 2], next: Some(next.clone()), previous: None };
    let expected = format!(r#"{{"items":["1","2"],"limit":2,"next_cursor":"{}","previous_cursor":null}}"#, next.encode());
    assert_eq!(text(&list::WireList::of(page, &request, |n: i32| n.to_string())), expected);
}
