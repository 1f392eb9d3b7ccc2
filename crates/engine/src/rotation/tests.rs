//! Rotations on both databases, beside an engine that runs, cut off between any two transactions.

use std::sync::Arc;

use domain::merchant_account::MerchantAccountSecrets;
use domain::payment_service::FieldSet;
use domain::session::SessionStatus;
use domain::{PaymentServiceId, Secret};

use super::*;
use crate::merchant_accounts::NewMerchantAccount;
use crate::payment_services::{self, PaymentServicePatch};
use crate::sessions::{self, Target};
use crate::testing::instance::{Instance, acme, default_scope, fields as pairs, first_page};
use crate::testing::warnings::Warnings;
use crate::testing::{account, account_id, root_keys};
use crate::vault::RootKey;
use crate::{Engine, Refusal, StartError};

/// The key of all other tests.
const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 32] = [8; 32];

fn only_new() -> RootKeys {
    RootKeys::only(RootKey::of(&NEW))
}

fn new_and_old() -> RootKeys {
    RootKeys::of(RootKey::of(&NEW), vec![RootKey::of(&OLD)])
}

fn ground<'a>(instance: &'a Instance, root_keys: &'a RootKeys) -> Ground<'a> {
    Ground {
        database: instance.engine.database(),
        root_keys,
        clock: instance.clock.as_ref(),
        ids: instance.ids.as_ref(),
        command: "a rotation",
    }
}

/// Accounts with a secret each, and so with a data key each.
async fn add_accounts(instance: &Instance, count: usize) {
    for number in 0..count {
        let id = format!("shop-{number}");
        let secrets = MerchantAccountSecrets { loon_secret_key: Some(Secret::from("loon")), ..MerchantAccountSecrets::default() };
        let new = NewMerchantAccount { id: account_id(&id), settings: account(&id).settings, secrets };
        merchant_accounts::create(&instance.engine, &instance.caller(), &instance.request(), new).await.unwrap();
    }
}

/// Services with three fields each in the account `default`.
async fn add_services(instance: &Instance, count: usize) -> Vec<PaymentServiceId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let view = payment_services::create(&instance.engine, &default_scope(), &instance.request(), acme()).await.unwrap();
        ids.push(view.service.id);
    }
    ids
}

/// Makes a session and answers the credential that the payment service has seen.
async fn session(engine: &Arc<Engine>, instance: &Instance, id: PaymentServiceId) -> String {
    let body = r#"{"amount":1000,"currency":"EUR","reference":"order-1"}"#.into();
    let made = sessions::create(engine, &default_scope(), &instance.request(), Target::Service(id), body).await;
    assert_eq!(made.unwrap().0.status, SessionStatus::Succeeded);
    let sent = instance.provider.requests().pop().unwrap();
    sent.split("Bearer ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

async fn enter(engine: &Engine, instance: &Instance, id: PaymentServiceId, key: &str) -> Result<(), Refusal> {
    let patch = PaymentServicePatch { fields: pairs(&[("api_key", key)]), ..PaymentServicePatch::default() };
    payment_services::update(engine, &default_scope(), &instance.request(), id, patch).await.map(drop)
}

/// Role and number of data keys of each root key.
async fn roots(instance: &Instance, root_keys: &RootKeys) -> Vec<(RootKeyRole, usize)> {
    let status = status(instance.engine.database(), root_keys).await.unwrap();
    status.root_keys.into_iter().map(|root| (root.role, root.data_keys)).collect()
}

/// Version and number of values of each data key of the account `default`.
async fn versions(instance: &Instance) -> Vec<(i64, i64)> {
    let status = status(instance.engine.database(), &root_keys()).await.unwrap();
    let own = status.data_keys.into_iter().filter(|key| &key.account == default_scope().account());
    own.map(|key| (key.version, key.values)).collect()
}

async fn rotated(instance: &Instance) -> DataRotation {
    let (roots, catalogue) = (root_keys(), instance.engine.catalogue());
    let ground = ground(instance, &roots);
    rotate_data(&ground, &catalogue, default_scope().account()).await.unwrap().unwrap()
}

#[tokio::test]
async fn r47_a_new_root_key_takes_over_in_steps_that_may_be_cut_off() {
    Instance::on_each_engine(async |instance| {
        add_accounts(&instance, 12).await;
        let id = add_services(&instance, 1).await[0];
        let (both, new, old) = (new_and_old(), only_new(), root_keys());
        // Without the former key nothing is changed.
        let error = rotate_root(&ground(&instance, &new)).await.unwrap_err();
        assert!(matches!(error, RotationError::RootKey(UnwrapError::WrongRootKey { .. })), "{error}");
        assert!(error.to_string().contains(old.active().id()), "{error}");
        assert_eq!(roots(&instance, &new).await, [(RootKeyRole::Active, 0), (RootKeyRole::Unknown, 13)]);

        // Cut off after one transaction.
        assert_eq!(rewrap_some(&ground(&instance, &both)).await.unwrap(), 10);
        assert_eq!(roots(&instance, &both).await, [(RootKeyRole::Active, 10), (RootKeyRole::Retired, 3)]);
        let error = instance.another_under(only_new()).await.map(drop).unwrap_err();
        assert!(matches!(error, StartError::Snapshot(_)) && error.to_string().contains(old.active().id()), "{error}");
        instance.another_under(new_and_old()).await.unwrap();

        // Run again, it goes on; and once more there is nothing to do.
        assert_eq!(rotate_root(&ground(&instance, &both)).await.unwrap(), 3);
        assert_eq!(rotate_root(&ground(&instance, &both)).await.unwrap(), 0);
        assert_eq!(roots(&instance, &both).await, [(RootKeyRole::Active, 13), (RootKeyRole::Retired, 0)]);
        let other = instance.another_under(only_new()).await.unwrap();
        assert_eq!(session(&other, &instance, id).await, "test_0123456789abcdef");
        let error = instance.another_under(root_keys()).await.map(drop).unwrap_err();
        assert!(error.to_string().contains(new.active().id()), "{error}");
    })
    .await;
}

#[tokio::test]
async fn r47_a_server_that_was_not_told_of_the_new_root_key_goes_on_and_says_so() {
    Instance::on_each_engine(async |instance| {
        let id = add_services(&instance, 1).await[0];
        let both = new_and_old();
        rotate_root(&ground(&instance, &both)).await.unwrap();
        let (warnings, before) = (Warnings::listen(), instance.engine.snapshot().version());
        instance.engine.poll_version().await.unwrap();
        assert!(instance.engine.snapshot().version() > before, "it still follows the database");
        assert_eq!(warnings.count(), 1);
        drop(warnings);
        enter(&instance.engine, &instance, id, "test_another").await.unwrap();
        assert_eq!(session(&instance.engine, &instance, id).await, "test_another");
        let other = instance.another_under(only_new()).await.unwrap();
        assert_eq!(session(&other, &instance, id).await, "test_another", "what it has sealed opens under the new root key");
    })
    .await;
}

#[tokio::test]
async fn r47_a_new_data_key_takes_over_beside_an_engine_that_has_not_noticed() {
    Instance::on_each_engine(async |instance| {
        let ids = add_services(&instance, 9).await;
        payment_services::delete(&instance.engine, &default_scope(), &instance.request(), ids[8]).await.unwrap();
        let (roots, catalogue, account) = (root_keys(), instance.engine.catalogue(), default_scope().account().clone());
        let ground = ground(&instance, &roots);
        assert_eq!(versions(&instance).await, [(1, 26)], "of the deleted one the values that are no secrets");

        // Cut off after one transaction.
        assert_eq!(Rotation::of(&ground, &catalogue, &account).step().await.unwrap(), Step::More);
        assert_eq!(versions(&instance).await, [(1, 6), (2, 20)]);
        for id in &ids[..8] {
            assert_eq!(session(&instance.engine, &instance, *id).await, "test_0123456789abcdef");
            let view = payment_services::get(&instance.engine, &default_scope(), *id).await.unwrap();
            assert_eq!(view.fields, pairs(&[("merchant", "shop-1"), ("note", "hello")]));
        }
        let latest = instance.engine.snapshot().keyring().latest(&account).unwrap().version();
        assert_eq!(latest, 1, "the engine has not looked since");
        enter(&instance.engine, &instance, ids[7], "test_meanwhile").await.unwrap();
        assert_eq!(versions(&instance).await, [(1, 5), (2, 21)], "a change seals under the latest key of its own transaction");
        let behind = instance.engine.snapshot();

        // Run again, it goes on with the same version.
        let done = rotated(&instance).await;
        assert_eq!((done.start, done.version, done.resealed), (Start::Resumed, 2, 5));
        assert_eq!((done.removed, done.kept, done.closed), (vec![1], Vec::new(), Vec::new()));
        assert_eq!(versions(&instance).await, [(2, 26)]);

        // The snapshot is from before the former key was deleted; sessions and changes do not mind.
        assert!(Arc::ptr_eq(&behind, &instance.engine.snapshot()) && behind.keyring().version(&account, 1).is_some());
        assert_eq!(session(&instance.engine, &instance, ids[0]).await, "test_0123456789abcdef");
        assert_eq!(session(&instance.engine, &instance, ids[7]).await, "test_meanwhile");
        let filter = payment_services::Filter::default();
        let page = payment_services::list(&instance.engine, &default_scope(), &first_page(), &filter).await.unwrap();
        assert!(page.items.iter().all(|view| view.fields.len() == 2));
        enter(&instance.engine, &instance, ids[0], "test_after").await.unwrap();
        assert_eq!(session(&instance.engine, &instance, ids[0]).await, "test_after");
        assert!(instance.engine.snapshot().keyring().version(&account, 1).is_none());

        // Another run is another rotation.
        let done = rotated(&instance).await;
        assert_eq!((done.start, done.version, done.resealed, done.removed), (Start::Begun, 3, 26, vec![2]));
        let other = instance.another_under(root_keys()).await.unwrap();
        assert_eq!(session(&other, &instance, ids[7]).await, "test_meanwhile");
    })
    .await;
}

#[tokio::test]
async fn secrets_of_the_account_are_sealed_anew() {
    Instance::on_each_engine(async |instance| {
        add_accounts(&instance, 1).await;
        let shop = account_id("shop-0");
        let (roots, catalogue) = (root_keys(), instance.engine.catalogue());
        let ground = ground(&instance, &roots);
        let done = rotate_data(&ground, &catalogue, &shop).await.unwrap().unwrap();
        assert_eq!((done.version, done.resealed, done.removed), (2, 1, vec![1]));
        let mut tx = instance.engine.database().read().await.unwrap();
        let secrets = store::merchant_accounts::secrets(&mut tx, &Scope::of(shop.clone())).await.unwrap();
        let keyring = instance.engine.data_keys(&mut tx, &shop).await.unwrap();
        let key = keyring.latest(&shop).unwrap();
        assert!(merchant_accounts::reseal(key, key, &shop, &secrets[0]).is_ok(), "it opens in its place");
        assert_eq!(secrets[0].data_key_version, 2);
        drop(tx);
        let bare = instance.account("bare").await;
        assert!(rotate_data(&ground, &catalogue, bare.account()).await.unwrap().is_none(), "it has sealed nothing");
    })
    .await;
}

#[tokio::test]
async fn values_that_do_not_open_are_named_and_left() {
    Instance::on_each_engine(async |instance| {
        let id = add_services(&instance, 1).await[0];
        instance.redefine(|text| text.replace("api.acme.example", "api.other.example"));
        let done = rotated(&instance).await;
        assert_eq!((done.version, done.resealed, done.closed.len()), (2, 0, 3));
        assert_eq!((done.removed, done.kept), (Vec::new(), vec![1]));
        let words = done.closed[0].to_string();
        assert!(
            words.starts_with(&format!("payment_service_fields, row {id}, column {}.api_key", FieldSet::Credentials.as_str())),
            "{words}"
        );
        assert!(words.contains("other hosts"), "{words}");
        assert_eq!(versions(&instance).await, [(1, 3), (2, 0)]);

        // With the hosts as they were, the next run finds what is left.
        instance.redefine(str::to_owned);
        let done = rotated(&instance).await;
        assert_eq!((done.start, done.version, done.resealed, done.removed), (Start::Resumed, 2, 3, vec![1]));
        assert_eq!(session(&instance.engine, &instance, id).await, "test_0123456789abcdef");

        let (roots, nothing) = (root_keys(), Catalogue::default());
        let done = rotate_data(&ground(&instance, &roots), &nothing, default_scope().account()).await.unwrap().unwrap();
        assert!(done.closed.iter().all(|value| value.to_string().contains("its definition acme-card is not loaded")), "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn rotations_are_in_the_audit_log() {
    Instance::on_each_engine(async |instance| {
        add_services(&instance, 1).await;
        let both = new_and_old();
        rotate_root(&ground(&instance, &both)).await.unwrap();
        let catalogue = instance.engine.catalogue();
        rotate_data(&ground(&instance, &both), &catalogue, default_scope().account()).await.unwrap();
        let mut tx = instance.engine.database().read().await.unwrap();
        let filter = store::audit_log::Filter::default();
        let instance_too = store::audit_log::InstanceEntries::Included;
        let entries = store::audit_log::list(&mut tx, &default_scope(), instance_too, &first_page(), &filter).await.unwrap().items;
        let mut ours: Vec<_> = entries
            .iter()
            .filter(|entry| entry.actor_name == "a rotation")
            .map(|entry| (entry.action, entry.resource_type.as_str(), entry.resource_id.as_str()))
            .collect();
        ours.sort_by_key(|(_, kind, id)| ((*kind).to_owned(), (*id).to_owned()));
        let active = both.active().id();
        let expected =
            [(AuditAction::Deleted, "data-key", "1"), (AuditAction::Created, "data-key", "2"), (AuditAction::Updated, "root-key", active)];
        assert_eq!(ours, expected);
    })
    .await;
}
