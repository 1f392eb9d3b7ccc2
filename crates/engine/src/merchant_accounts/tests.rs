//! Merchant accounts on a real database.

use super::*;
use crate::testing::account_id;
use crate::testing::instance::{Instance, first_page};

fn new(id: &str, secret: &str) -> NewMerchantAccount {
    NewMerchantAccount {
        id: account_id(id),
        settings: crate::testing::account(id).settings,
        secrets: MerchantAccountSecrets { loon_secret_key: Some(Secret::from(secret)), ..MerchantAccountSecrets::default() },
    }
}

#[tokio::test]
async fn secrets_are_sealed_replaced_and_removed() {
    Instance::on_each_engine(async |instance| {
        let (engine, caller, request) = (&instance.engine, &instance.caller(), &instance.request());
        let account = create(engine, caller, request, new("shop", "first-secret")).await.unwrap();
        let scope = Scope::of(account.id.clone());
        let opened = async |key: &str| {
            let mut tx = engine.database().read().await.unwrap();
            let secrets = stored::secrets(&mut tx, &scope).await.unwrap();
            let sealed = secrets.into_iter().find(|secret| secret.key == key)?;
            let version = sealed.data_key_version;
            let place = Place { table: "merchant_accounts", column: key, row: "shop", account: &account.id, version, hosts: "" };
            let snapshot = engine.snapshot();
            let value = snapshot.keyring().version(&account.id, version).unwrap().open(&place, &sealed.sealed).unwrap();
            Some(value.expose_str().unwrap().to_owned())
        };
        assert_eq!(opened(LOON_SECRET_KEY).await.as_deref(), Some("first-secret"));
        assert_eq!(opened(RESPONSE_DECRYPTION_KEY).await, None);
        let patch = MerchantAccountPatch {
            loon_secret_key: Patch::Null,
            account_updater_response_decryption_key: Patch::Value(Secret::from("second")),
            display_name: Patch::Null,
            over_capture_amount: Patch::Value(12),
            account_updater_enabled: Patch::Value(true),
            ..MerchantAccountPatch::default()
        };
        let updated = update(engine, caller, request, &account.id, patch).await.unwrap();
        assert_eq!(opened(LOON_SECRET_KEY).await, None);
        assert_eq!(opened(RESPONSE_DECRYPTION_KEY).await.as_deref(), Some("second"));
        let settings = &updated.settings;
        assert_eq!(
            (settings.display_name.as_str(), settings.over_capture_amount, settings.account_updater_enabled),
            ("shop", Some(12), true)
        );
        let patch = MerchantAccountPatch { over_capture_amount: Patch::Null, ..MerchantAccountPatch::default() };
        assert_eq!(update(engine, caller, request, &account.id, patch).await.unwrap().settings.over_capture_amount, None);
        assert_eq!(get(engine, caller, &account.id).await.unwrap().settings.over_capture_amount, None);
        match create(engine, caller, request, new("shop", "x")).await {
            Err(Refusal::Duplicate { field: "id", resource_id }) => assert_eq!(resource_id.as_deref(), Some("shop")),
            other => panic!("{other:?}"),
        }
        assert_eq!(opened(RESPONSE_DECRYPTION_KEY).await.as_deref(), Some("second"), "a refused change leaves nothing behind");
    })
    .await;
}

#[tokio::test]
async fn a_bound_caller_stays_within_its_accounts() {
    Instance::on_each_engine(async |instance| {
        for account in ["a", "b"] {
            instance.account(account).await;
        }
        let key = instance.bound_key(&["full-access"], &["a"]).await;
        let bound = &instance.caller_of(&key, &["*.read", "*.write"]);
        let (engine, request) = (&instance.engine, &instance.request());
        assert!(matches!(create(engine, bound, request, new("c", "x")).await, Err(Refusal::Forbidden)));
        let ids = |page: Page<MerchantAccount>| page.items.into_iter().map(|account| account.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(list(engine, bound, &first_page(), None).await.unwrap()), ["a"]);
        assert_eq!(ids(list(engine, &instance.caller(), &first_page(), Some("B")).await.unwrap()), ["b"]);
        get(engine, bound, &account_id("a")).await.unwrap();
        for id in ["b", "default", "unknown"] {
            assert!(matches!(get(engine, bound, &account_id(id)).await, Err(Refusal::NotFound)), "{id}");
            let patch = MerchantAccountPatch::default();
            assert!(matches!(update(engine, bound, request, &account_id(id), patch).await, Err(Refusal::NotFound)), "{id}");
        }
        assert!(matches!(get(engine, &instance.caller(), &account_id("unknown")).await, Err(Refusal::NotFound)));
    })
    .await;
}
