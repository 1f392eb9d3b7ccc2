//! Values to store.

use domain::api_key_pair::{ApiKeyPair, Creator};
use domain::audit::{AuditAction, AuditEntry};
use domain::merchant_account::{MerchantAccount, MerchantAccountSettings};
use domain::page::PageRequest;
use domain::payment_service::{FieldSet, PaymentService, PaymentServiceSettings, SealedField};
use domain::role::Role;
use domain::session::{Delivered, RecordedFacts, SessionCode, SessionRecord, SessionStatus};
use domain::{
    ApiKeyPairId, AuditEntryId, CountryCode, CurrencyCode, DefinitionId, MerchantAccountId, PaymentServiceId, RoleId, Scope,
    SessionRecordId, Timestamp,
};
use uuid::Uuid;

use crate::data_keys::{self, WrappedDataKey};
use crate::{Database, Tx, merchant_accounts};

pub(super) fn moment(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + micros)
}

pub(super) fn account_id(id: &str) -> MerchantAccountId {
    MerchantAccountId::parse(id).unwrap()
}

pub(super) fn scope(id: &str) -> Scope {
    Scope::of(account_id(id))
}

pub(super) fn first_page(limit: u32) -> PageRequest {
    PageRequest { limit, cursor: None }
}

pub(super) fn account(id: &str, created: i64) -> MerchantAccount {
    MerchantAccount {
        id: account_id(id),
        settings: MerchantAccountSettings { display_name: format!("Shop {id}"), ..MerchantAccountSettings::default() },
        created_at: moment(created),
        updated_at: moment(created),
    }
}

pub(super) fn data_key(account: &str) -> WrappedDataKey {
    WrappedDataKey { account: account_id(account), version: 1, root_key_id: "r1".into(), wrapped: vec![1, 2, 3], created_at: moment(0) }
}

/// An account with its data key, as the engine makes them.
pub(super) async fn add_account(tx: &mut Tx, id: &str) {
    assert!(merchant_accounts::insert(tx, &account(id, 0), &[]).await.unwrap());
    assert!(data_keys::insert(tx, &data_key(id)).await.unwrap());
}

/// Accounts `default` and `other`.
pub(super) async fn two_accounts(db: &Database) {
    let mut tx = db.write().await.unwrap();
    add_account(&mut tx, "default").await;
    add_account(&mut tx, "other").await;
    tx.commit().await.unwrap();
}

pub(super) fn service(number: u128, account: &str) -> PaymentService {
    PaymentService {
        id: PaymentServiceId(Uuid::from_u128(number)),
        merchant_account_id: account_id(account),
        definition_id: DefinitionId::parse("adyen-card").unwrap(),
        method: "card".into(),
        settings: PaymentServiceSettings {
            display_name: format!("Service {number}"),
            position: 1,
            active: true,
            accepted_currencies: vec![CurrencyCode::parse("EUR").unwrap(), CurrencyCode::parse("USD").unwrap()],
            accepted_countries: vec![CountryCode::parse("NL").unwrap()],
            three_d_secure_enabled: true,
            merchant_profile: Some(r#"{"visa":{}}"#.into()),
            payment_method_tokenization_enabled: false,
            network_tokens_enabled: true,
            open_loop: true,
            settlement_reporting_enabled: false,
        },
        is_deleted: false,
        created_at: moment(i64::try_from(number).unwrap()),
        updated_at: moment(7),
    }
}

pub(super) fn field(set: FieldSet, key: &str, sealed: &[u8]) -> SealedField {
    SealedField { set, key: key.into(), secret: true, data_key_version: 1, sealed: sealed.to_vec() }
}

pub(super) fn role(number: u128, slug: &str) -> Role {
    Role {
        id: RoleId(Uuid::from_u128(number)),
        name: slug.to_uppercase(),
        slug: slug.into(),
        description: "What it is for.".into(),
        permissions: ["*.read", "embed"].into_iter().collect(),
        created_at: moment(0),
    }
}

pub(super) fn key_pair(number: u128, accounts: &[&str]) -> ApiKeyPair {
    ApiKeyPair {
        id: ApiKeyPairId(Uuid::from_u128(number)),
        display_name: format!("Key {number}"),
        thumbprint: format!("padded-{number}"),
        thumbprint_unpadded: format!("unpadded-{number}"),
        public_key: vec![4; 133],
        active: true,
        role_ids: vec![RoleId(Uuid::from_u128(2)), RoleId(Uuid::from_u128(1))],
        merchant_account_ids: accounts.iter().map(|id| account_id(id)).collect(),
        creator: Some(Creator { id: ApiKeyPairId(Uuid::from_u128(900)), name: "First".into(), thumbprint: "t".into() }),
        created_at: moment(i64::try_from(number).unwrap()),
        updated_at: moment(1),
        last_used_at: None,
    }
}

pub(super) fn audit_entry(number: u128, account: Option<&str>) -> AuditEntry {
    AuditEntry {
        id: AuditEntryId(Uuid::from_u128(number)),
        merchant_account_id: account.map(account_id),
        action: AuditAction::Created,
        resource_type: "payment-service".into(),
        resource_id: "x".into(),
        resource_name: "Adyen".into(),
        actor_id: Some(ApiKeyPairId(Uuid::from_u128(5))),
        actor_name: "Key".into(),
        request_id: "r".into(),
        origin: "127.0.0.1".into(),
        created_at: moment(0),
    }
}

/// A record whose nullable members are all there.
pub(super) fn record(number: u128, account: &str) -> SessionRecord {
    SessionRecord {
        id: SessionRecordId(Uuid::from_u128(number)),
        request_id: format!("request-{number}"),
        merchant_account_id: account_id(account),
        payment_service_id: PaymentServiceId(Uuid::from_u128(1)),
        definition_id: DefinitionId::parse("adyen-card").unwrap(),
        definition_hash: "0123abcd".into(),
        api_key_pair_id: ApiKeyPairId(Uuid::from_u128(2)),
        status: SessionStatus::Failed,
        code: Some(SessionCode::ServiceError),
        status_code: Some(502),
        delivered: Delivered::Yes,
        facts: RecordedFacts {
            amount: Some(1000),
            currency: CurrencyCode::parse("EUR"),
            country: CountryCode::parse("NL"),
            reference: Some(format!("order-{number}")),
            service_session_id: Some(format!("CS-{number}")),
            support_id: Some(format!("psp-{number}")),
            service_code: Some("905".into()),
        },
        duration_ms: 120,
        service_duration_ms: Some(100),
        created_at: moment(i64::try_from(number).unwrap()),
    }
}
