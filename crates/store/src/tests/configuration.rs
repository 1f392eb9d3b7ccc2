//! Accounts, services, roles, the audit log and the snapshot.

use domain::audit::AuditAction;
use domain::payment_service::FieldSet;
use domain::{ApiKeyPairId, PaymentServiceId};
use uuid::Uuid;

use super::each_engine;
use super::fixtures::{
    account, account_id, audit_entry, data_key, field, first_page, key_pair, moment, role, scope, service, two_accounts,
};
use crate::audit_log::{self, InstanceEntries};
use crate::merchant_accounts::{self, SealedSecret};
use crate::{StoreError, api_key_pairs, data_keys, payment_services, roles, snapshot};

#[tokio::test]
async fn an_account_keeps_all_its_settings() {
    each_engine(|place| async move {
        let mut shop = account("Shop-1", 5);
        let s = &mut shop.settings;
        s.account_updater_enabled = true;
        s.over_capture_amount = Some(99_999_999);
        s.over_capture_percentage = Some(7);
        s.loon_accepted_schemes = Some(vec!["visa".into(), "amex".into()]);
        s.async_network_tokens_enabled = true;
        for (number, member) in [
            &mut s.account_updater_request_encryption_key,
            &mut s.account_updater_request_encryption_key_id,
            &mut s.account_updater_response_decryption_key_id,
            &mut s.loon_client_key,
            &mut s.loon_merchant_account_id,
            &mut s.visa_network_tokens_requestor_id,
            &mut s.visa_network_tokens_app_id,
            &mut s.amex_network_tokens_requestor_id,
            &mut s.amex_network_tokens_app_id,
            &mut s.mastercard_network_tokens_requestor_id,
            &mut s.mastercard_network_tokens_app_id,
            &mut s.discover_network_tokens_requestor_id,
            &mut s.discover_network_tokens_app_id,
        ]
        .into_iter()
        .enumerate()
        {
            *member = Some(format!("value {number}"));
        }
        let mut tx = place.db.write().await.unwrap();
        assert!(merchant_accounts::insert(&mut tx, &shop, &[]).await.unwrap());
        assert!(!merchant_accounts::insert(&mut tx, &account("Shop-1", 9), &[]).await.unwrap(), "the id is taken");
        assert_eq!(merchant_accounts::get(&mut tx, &shop.id).await.unwrap().as_ref(), Some(&shop));
        shop.settings = account("Shop-1", 0).settings;
        shop.updated_at = moment(6);
        assert!(merchant_accounts::update(&mut tx, &shop).await.unwrap());
        assert!(!merchant_accounts::update(&mut tx, &account("nobody", 0)).await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = place.db.read().await.unwrap();
        assert_eq!(merchant_accounts::get(&mut tx, &shop.id).await.unwrap(), Some(shop));
        assert_eq!(merchant_accounts::get(&mut tx, &account_id("shop-1")).await.unwrap(), None, "ids tell case apart");
    })
    .await;
}

#[tokio::test]
async fn accounts_are_found_by_any_part_of_name_or_id() {
    each_engine(|place| async move {
        let mut tx = place.db.write().await.unwrap();
        for (id, name) in [("one", "Blue 100% shop"), ("two", "Red_shop"), ("THREE", "green")] {
            let mut shop = account(id, 0);
            shop.settings.display_name = name.into();
            merchant_accounts::insert(&mut tx, &shop, &[]).await.unwrap();
        }
        for (search, visible, expected) in [
            (None, None, "two one THREE"),
            (Some("SHOP"), None, "two one"),
            (Some("thr"), None, "THREE"),
            (Some("%"), None, "one"),
            (Some("_"), None, "two"),
            (Some("\\"), None, ""),
            (None, Some(vec!["one", "THREE"]), "one THREE"),
            (None, Some(vec!["three"]), ""),
            (None, Some(vec![]), ""),
            (Some("shop"), Some(vec!["one"]), "one"),
        ] {
            let visible: Option<Vec<_>> = visible.map(|ids: Vec<&str>| ids.into_iter().map(account_id).collect());
            let page = merchant_accounts::list(&mut tx, &first_page(10), search, visible.as_deref()).await.unwrap();
            let ids: Vec<_> = page.items.iter().map(|shop| shop.id.as_str()).collect();
            assert_eq!(ids.join(" "), expected, "{search:?} {visible:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sealed_value_needs_its_data_key() {
    each_engine(|place| async move {
        let secret = SealedSecret { key: "loon_secret_key".into(), data_key_version: 1, sealed: vec![9] };
        let mut tx = place.db.write().await.unwrap();
        merchant_accounts::insert(&mut tx, &account("a", 0), std::slice::from_ref(&secret)).await.unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(place.db.is_writable(), "values that are refused say nothing about the database");

        let mut tx = place.db.write().await.unwrap();
        merchant_accounts::insert(&mut tx, &account("a", 0), std::slice::from_ref(&secret)).await.unwrap();
        assert!(data_keys::insert(&mut tx, &data_key("a")).await.unwrap());
        assert!(!data_keys::insert(&mut tx, &data_key("a")).await.unwrap(), "the version is taken");
        tx.commit().await.unwrap();

        let mut tx = place.db.write().await.unwrap();
        let newer = SealedSecret { sealed: vec![8, 7], ..secret };
        merchant_accounts::put_secret(&mut tx, &scope("a"), &newer).await.unwrap();
        let stored = merchant_accounts::secrets(&mut tx, &scope("a")).await.unwrap();
        assert_eq!(stored.iter().map(|s| s.sealed.clone()).collect::<Vec<_>>(), [vec![8, 7]]);
        assert!(!merchant_accounts::remove_secret(&mut tx, &scope("b"), "loon_secret_key").await.unwrap());
        assert!(merchant_accounts::remove_secret(&mut tx, &scope("a"), "loon_secret_key").await.unwrap());
        let keys = data_keys::all(&mut tx).await.unwrap();
        assert_eq!((keys.len(), keys[0].root_key_id.as_str(), keys[0].wrapped.as_slice()), (1, "r1", &[1, 2, 3][..]));
    })
    .await;
}

#[tokio::test]
async fn a_service_is_there_for_its_own_account_only() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let (ours, foreign) = (scope("default"), scope("other"));
        let mut tx = place.db.write().await.unwrap();
        assert_eq!(payment_services::highest_position(&mut tx, &ours).await.unwrap(), 0);
        let mut adyen = service(1, "default");
        adyen.settings.position = 4;
        payment_services::insert(&mut tx, &ours, &adyen).await.unwrap();
        payment_services::put_field(&mut tx, &ours, adyen.id, &field(FieldSet::Credentials, "api_key", b"one")).await.unwrap();
        payment_services::put_field(&mut tx, &ours, adyen.id, &field(FieldSet::Credentials, "api_key", b"two")).await.unwrap();
        payment_services::put_field(&mut tx, &ours, adyen.id, &field(FieldSet::Reporting, "api_key", b"three")).await.unwrap();

        let stored = payment_services::get(&mut tx, &ours, adyen.id).await.unwrap().unwrap();
        assert_eq!(format!("{stored:?}"), format!("{adyen:?}"));
        let fields = payment_services::fields(&mut tx, &ours, adyen.id).await.unwrap();
        let fields: Vec<_> = fields.iter().map(|f| (f.set, f.key.as_str(), f.sealed.as_slice(), f.secret)).collect();
        assert_eq!(fields, [(FieldSet::Credentials, "api_key", &b"two"[..], true), (FieldSet::Reporting, "api_key", &b"three"[..], true)]);

        assert!(payment_services::get(&mut tx, &foreign, adyen.id).await.unwrap().is_none());
        assert!(payment_services::fields(&mut tx, &foreign, adyen.id).await.unwrap().is_empty());
        assert!(!payment_services::update(&mut tx, &foreign, &adyen).await.unwrap());
        assert!(!payment_services::remove_field(&mut tx, &foreign, adyen.id, FieldSet::Reporting, "api_key").await.unwrap());
        assert!(payment_services::list(&mut tx, &foreign, &first_page(10), &Default::default()).await.unwrap().items.is_empty());
        assert_eq!(payment_services::highest_position(&mut tx, &foreign).await.unwrap(), 0);
        assert_eq!(payment_services::highest_position(&mut tx, &ours).await.unwrap(), 4);
        assert!(payment_services::remove_field(&mut tx, &ours, adyen.id, FieldSet::Reporting, "api_key").await.unwrap());
        tx.commit().await.unwrap();

        let mut tx = place.db.write().await.unwrap();
        let smuggled = payment_services::put_field(&mut tx, &foreign, adyen.id, &field(FieldSet::Reporting, "x", b"x")).await;
        // PostgreSQL refuses at once; both refuse in the end.
        let refused = match smuggled {
            Ok(()) => tx.commit().await,
            refused => refused,
        };
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn deleted_services_are_listed_apart() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let ours = scope("default");
        let mut tx = place.db.write().await.unwrap();
        for number in 1..=4 {
            let mut service = service(number, "default");
            if number == 2 {
                service.method = "ideal".into();
            }
            payment_services::insert(&mut tx, &ours, &service).await.unwrap();
        }
        let mut gone = service(3, "default");
        gone.is_deleted = true;
        gone.settings.position = 50;
        assert!(payment_services::update(&mut tx, &ours, &gone).await.unwrap());
        assert!(payment_services::get(&mut tx, &ours, gone.id).await.unwrap().unwrap().is_deleted);
        assert_eq!(payment_services::highest_position(&mut tx, &ours).await.unwrap(), 1);
        for (method, deleted, expected) in [(None, false, vec![4, 2, 1]), (Some("card"), false, vec![4, 1]), (None, true, vec![3])] {
            let filter = payment_services::Filter { method: method.map(str::to_owned), deleted };
            let page = payment_services::list(&mut tx, &ours, &first_page(10), &filter).await.unwrap();
            let ids: Vec<_> = page.items.iter().map(|s| s.id.0.as_u128()).collect();
            assert_eq!(ids, expected, "{method:?} {deleted}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_has_its_slug_to_itself() {
    each_engine(|place| async move {
        let mut tx = place.db.write().await.unwrap();
        assert!(roles::insert(&mut tx, &role(1, "reporting")).await.unwrap());
        assert!(!roles::insert(&mut tx, &role(2, "reporting")).await.unwrap());
        assert!(roles::insert(&mut tx, &role(3, "full")).await.unwrap());
        assert_eq!(roles::all(&mut tx).await.unwrap(), [role(3, "full"), role(1, "reporting")]);
        assert_eq!(roles::list(&mut tx, &first_page(1)).await.unwrap().items, [role(3, "full")]);
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_is_numbered_without_gaps_and_keeps_accounts_apart() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let mut tx = place.db.write().await.unwrap();
        assert_eq!(audit_log::append(&mut tx, &audit_entry(1, Some("default"))).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let mut tx = place.db.write().await.unwrap();
        assert_eq!(audit_log::append(&mut tx, &audit_entry(2, None)).await.unwrap(), 2);
        drop(tx);
        let mut tx = place.db.write().await.unwrap();
        assert_eq!(
            audit_log::append(&mut tx, &audit_entry(3, Some("other"))).await.unwrap(),
            2,
            "the number of a rolled back entry is free"
        );
        let mut instance = audit_entry(4, None);
        instance.action = AuditAction::Deleted;
        instance.actor_id = None;
        instance.resource_type = "role".into();
        assert_eq!(audit_log::append(&mut tx, &instance).await.unwrap(), 3);
        tx.commit().await.unwrap();

        let mut tx = place.db.read().await.unwrap();
        let everything = audit_log::Filter::default();
        let deleted = audit_log::Filter { action: Some(AuditAction::Deleted), ..Default::default() };
        let actor = audit_log::Filter { user_id: Some(ApiKeyPairId(Uuid::from_u128(5))), ..Default::default() };
        let roles = audit_log::Filter { resource_type: Some("role".into()), ..Default::default() };
        for (account, entries, filter, expected) in [
            ("default", InstanceEntries::Left, &everything, vec![1]),
            ("default", InstanceEntries::Included, &everything, vec![4, 1]),
            ("other", InstanceEntries::Left, &everything, vec![3]),
            ("other", InstanceEntries::Left, &deleted, vec![]),
            ("other", InstanceEntries::Included, &deleted, vec![4]),
            ("other", InstanceEntries::Included, &actor, vec![3]),
            ("other", InstanceEntries::Included, &roles, vec![4]),
        ] {
            let page = audit_log::list(&mut tx, &scope(account), entries, &first_page(10), filter).await.unwrap();
            let ids: Vec<_> = page.items.iter().map(|entry| entry.id.0.as_u128()).collect();
            assert_eq!(ids, expected, "{account} {entries:?} {filter:?}");
        }
        let page = audit_log::list(&mut tx, &scope("other"), InstanceEntries::Included, &first_page(1), &everything).await.unwrap();
        assert_eq!(page.items, [instance]);
    })
    .await;
}

#[tokio::test]
async fn the_snapshot_holds_everything_but_deleted_services() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let before = snapshot::version(&mut place.db.read().await.unwrap()).await.unwrap();
        let mut tx = place.db.write().await.unwrap();
        roles::insert(&mut tx, &role(1, "reporting")).await.unwrap();
        api_key_pairs::insert(&mut tx, &key_pair(1, &["other"])).await.unwrap();
        for (number, account) in [(1, "other"), (2, "default"), (3, "default"), (4, "default")] {
            let mut service = service(number, account);
            service.is_deleted = number == 3;
            let scope = scope(account);
            payment_services::insert(&mut tx, &scope, &service).await.unwrap();
            for key in (0..number).map(|key| format!("key{key}")) {
                payment_services::put_field(&mut tx, &scope, service.id, &field(FieldSet::Credentials, &key, b"x")).await.unwrap();
            }
        }
        assert_eq!(tx.bump_version().await.unwrap(), before + 1);
        tx.commit().await.unwrap();

        let stored = snapshot::load(&mut place.db.read().await.unwrap()).await.unwrap();
        assert_eq!(stored.version, before + 1);
        assert_eq!(stored.accounts.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["default", "other"]);
        assert_eq!((stored.roles.len(), stored.key_pairs.len(), stored.data_keys.len()), (1, 1, 2));
        let services: Vec<_> = stored.services.iter().map(|(s, fields)| (s.id, fields.len())).collect();
        let id = |number| PaymentServiceId(Uuid::from_u128(number));
        assert_eq!(services, [(id(2), 2), (id(4), 4), (id(1), 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_reader_sees_one_state_and_a_dropped_change_leaves_no_trace() {
    each_engine(|place| async move {
        let mut reader = place.db.read().await.unwrap();
        let before = snapshot::version(&mut reader).await.unwrap();
        let mut tx = place.db.write().await.unwrap();
        tx.bump_version().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(snapshot::version(&mut reader).await.unwrap(), before, "a transaction that reads does not move");
        drop(reader);
        let mut tx = place.db.write().await.unwrap();
        tx.bump_version().await.unwrap();
        drop(tx);
        // The next writer is not held up by the dropped one.
        place.db.probe_write().await.unwrap();
        assert_eq!(snapshot::version(&mut place.db.read().await.unwrap()).await.unwrap(), before + 1);
        assert!(place.db.is_writable());
    })
    .await;
}

#[tokio::test]
async fn a_row_that_can_not_be_read_names_its_place() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let mut tx = place.db.write().await.unwrap();
        let mut odd = service(1, "default");
        odd.method = "card".into();
        payment_services::insert(&mut tx, &scope("default"), &odd).await.unwrap();
        let broken = crate::statement::Statement { name: "test", text: "UPDATE payment_services SET accepted_currencies = '[\"XXZ\"]'" };
        run!(&mut tx, execute, broken).unwrap();
        let error = payment_services::get(&mut tx, &scope("default"), odd.id).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "table payment_services, column accepted_currencies, id 00000000-0000-0000-0000-000000000001: the stored value can not be read"
        );
    })
    .await;
}
