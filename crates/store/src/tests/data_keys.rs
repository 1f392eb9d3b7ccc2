//! Data keys that are replaced, and what they seal.

use domain::payment_service::{FieldSet, SealedField};

use super::each_engine;
use super::fixtures::{account_id, data_key, field, scope, service, two_accounts};
use crate::merchant_accounts::{self, SealedSecret};
use crate::{data_keys, payment_services};

#[tokio::test]
async fn a_data_key_is_wrapped_anew_and_goes_when_it_seals_nothing() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let (ours, id) = (scope("default"), account_id("default"));
        let mut tx = place.db.write().await.unwrap();
        let second = data_keys::WrappedDataKey { version: 2, ..data_key("default") };
        assert!(data_keys::insert(&mut tx, &second).await.unwrap());
        let under = async |tx: &mut crate::Tx, root: &str, limit| {
            let keys = data_keys::not_under(tx, root, limit).await.unwrap();
            keys.iter().map(|key| format!("{}/{}", key.account, key.version)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(under(&mut tx, "r1", 9).await, "");
        assert_eq!(under(&mut tx, "r2", 9).await, "default/1 default/2 other/1");
        let rewrapped = data_keys::WrappedDataKey { root_key_id: "r2".into(), wrapped: vec![9], ..data_key("default") };
        assert!(data_keys::wrap_anew(&mut tx, &rewrapped).await.unwrap());
        assert!(!data_keys::wrap_anew(&mut tx, &data_keys::WrappedDataKey { version: 7, ..rewrapped.clone() }).await.unwrap());
        assert_eq!((under(&mut tx, "r2", 9).await, under(&mut tx, "r2", 1).await), ("default/2 other/1".into(), "default/2".into()));
        let own = data_keys::of_account(&mut tx, &id).await.unwrap();
        let own: Vec<_> = own.iter().map(|key| (key.version, key.root_key_id.as_str(), key.wrapped.as_slice())).collect();
        assert_eq!(own, [(1, "r2", &[9][..]), (2, "r1", &[1, 2, 3][..])]);

        // A field and a secret under the former version, a field under the latest; a service that is deleted counts too.
        let mut deleted = service(1, "default");
        deleted.is_deleted = true;
        let sealed_under = |version, key: &str| SealedField { data_key_version: version, ..field(FieldSet::Credentials, key, b"x") };
        payment_services::insert(&mut tx, &ours, &deleted).await.unwrap();
        payment_services::put_field(&mut tx, &ours, deleted.id, &sealed_under(1, "a")).await.unwrap();
        payment_services::put_field(&mut tx, &ours, deleted.id, &sealed_under(2, "b")).await.unwrap();
        let secret = SealedSecret { key: "loon_secret_key".into(), data_key_version: 1, sealed: vec![9] };
        merchant_accounts::put_secret(&mut tx, &ours, &secret).await.unwrap();
        let usage = data_keys::usage(&mut tx).await.unwrap();
        assert_eq!(
            usage.iter().map(|used| (used.account.as_str(), used.version, used.values, used.answers)).collect::<Vec<_>>(),
            [("default", 1, 2, 0), ("default", 2, 1, 0)]
        );
        assert!(data_keys::remove_unused(&mut tx, &id).await.unwrap().is_empty());
        payment_services::put_field(&mut tx, &ours, deleted.id, &sealed_under(2, "a")).await.unwrap();
        assert!(data_keys::remove_unused(&mut tx, &id).await.unwrap().is_empty(), "the secret still needs it");
        merchant_accounts::put_secret(&mut tx, &ours, &SealedSecret { data_key_version: 2, ..secret }).await.unwrap();
        assert_eq!(data_keys::remove_unused(&mut tx, &id).await.unwrap(), [1]);
        assert!(data_keys::remove_unused(&mut tx, &account_id("other")).await.unwrap().is_empty(), "the latest stays whatever it seals");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn fields_under_former_data_keys_are_read_in_batches() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let ours = scope("default");
        let mut tx = place.db.write().await.unwrap();
        let second = data_keys::WrappedDataKey { version: 2, ..data_key("default") };
        assert!(data_keys::insert(&mut tx, &second).await.unwrap());
        for number in 1..=2 {
            let service = service(number, "default");
            payment_services::insert(&mut tx, &ours, &service).await.unwrap();
            for (set, key) in [(FieldSet::Credentials, "a"), (FieldSet::Credentials, "b"), (FieldSet::Reporting, "a")] {
                payment_services::put_field(&mut tx, &ours, service.id, &field(set, key, b"x")).await.unwrap();
            }
        }
        let latest = SealedField { data_key_version: 2, ..field(FieldSet::Credentials, "b", b"y") };
        payment_services::put_field(&mut tx, &ours, service(1, "default").id, &latest).await.unwrap();
        let foreign = service(3, "other");
        payment_services::insert(&mut tx, &scope("other"), &foreign).await.unwrap();
        payment_services::put_field(&mut tx, &scope("other"), foreign.id, &field(FieldSet::Credentials, "a", b"x")).await.unwrap();

        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let batch = payment_services::fields_sealed_before(&mut tx, &ours, 2, last.as_ref(), 2).await.unwrap();
            assert!(batch.len() <= 2 && batch.iter().all(|value| value.definition.as_str() == "adyen-card"));
            seen.extend(batch.iter().map(|value| format!("{}{}{}", value.service.0.as_u128(), value.field.set.as_str(), value.field.key)));
            match batch.into_iter().next_back() {
                Some(value) => last = Some(value),
                None => break,
            }
        }
        assert_eq!(seen, ["1credentialsa", "1reportinga", "2credentialsa", "2credentialsb", "2reportinga"]);
    })
    .await;
}
