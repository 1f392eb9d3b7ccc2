//! API key pairs.

use domain::{ApiKeyPairId, MerchantAccountId, RoleId};
use uuid::Uuid;

use super::each_engine;
use super::fixtures::{account_id, first_page, key_pair, moment, two_accounts};
use crate::StoreError;
use crate::api_key_pairs::{self, Insertion};

#[tokio::test]
async fn a_key_pair_comes_back_as_it_was_stored() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let mut tx = place.db.write().await.unwrap();
        let mut bound = key_pair(1, &["default", "other"]);
        let mut free = key_pair(2, &[]);
        free.creator = None;
        for pair in [&bound, &free] {
            assert_eq!(api_key_pairs::insert(&mut tx, pair).await.unwrap(), Insertion::Inserted);
            let stored = api_key_pairs::get(&mut tx, pair.id).await.unwrap().unwrap();
            assert_eq!(format!("{stored:?}"), format!("{pair:?}"));
        }
        assert_eq!(api_key_pairs::count(&mut tx).await.unwrap(), 2);

        bound.display_name = "Renamed".into();
        bound.active = false;
        bound.role_ids = vec![RoleId(Uuid::from_u128(3))];
        bound.merchant_account_ids = vec![account_id("other")];
        bound.updated_at = moment(77);
        assert!(api_key_pairs::update(&mut tx, &bound).await.unwrap());
        let stored = api_key_pairs::get(&mut tx, bound.id).await.unwrap().unwrap();
        assert_eq!(format!("{stored:?}"), format!("{bound:?}"));
        assert!(!api_key_pairs::update(&mut tx, &key_pair(9, &[])).await.unwrap());

        assert!(api_key_pairs::delete(&mut tx, bound.id).await.unwrap());
        assert!(!api_key_pairs::delete(&mut tx, bound.id).await.unwrap());
        assert!(api_key_pairs::get(&mut tx, bound.id).await.unwrap().is_none());
        // Its key and its accounts are free again.
        assert_eq!(api_key_pairs::insert(&mut tx, &key_pair(1, &["default"])).await.unwrap(), Insertion::Inserted);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn neither_form_of_the_thumbprint_names_two_keys() {
    each_engine(|place| async move {
        let mut tx = place.db.write().await.unwrap();
        assert_eq!(api_key_pairs::insert(&mut tx, &key_pair(1, &[])).await.unwrap(), Insertion::Inserted);
        let mut padded = key_pair(2, &[]);
        padded.thumbprint = "padded-1".into();
        let mut unpadded = key_pair(3, &[]);
        unpadded.thumbprint_unpadded = "unpadded-1".into();
        let first = Insertion::Taken(ApiKeyPairId(Uuid::from_u128(1)));
        for pair in [&padded, &unpadded] {
            assert_eq!(api_key_pairs::insert(&mut tx, pair).await.unwrap(), first);
        }
        // The transaction is not spoilt by a refusal.
        assert_eq!(api_key_pairs::insert(&mut tx, &key_pair(4, &[])).await.unwrap(), Insertion::Inserted);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_key_pair_can_not_be_bound_to_an_account_that_is_not_there() {
    each_engine(|place| async move {
        let mut tx = place.db.write().await.unwrap();
        let error = api_key_pairs::insert(&mut tx, &key_pair(1, &["nobody"])).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        drop(tx);
        assert_eq!(api_key_pairs::count(&mut place.db.read().await.unwrap()).await.unwrap(), 0);
        place.db.probe_write().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_restricted_caller_sees_the_pairs_inside_its_accounts() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let mut tx = place.db.write().await.unwrap();
        for (number, accounts) in [(1, &[][..]), (2, &["default"]), (3, &["other"]), (4, &["default", "other"])] {
            api_key_pairs::insert(&mut tx, &key_pair(number, accounts)).await.unwrap();
        }
        for (visible, expected) in [
            (None, vec![4, 3, 2, 1]),
            (Some(vec!["default"]), vec![2]),
            (Some(vec!["DEFAULT"]), vec![]),
            (Some(vec!["other", "default"]), vec![4, 3, 2]),
            (Some(vec![]), vec![]),
        ] {
            let visible: Option<Vec<MerchantAccountId>> = visible.map(|ids: Vec<&str>| ids.into_iter().map(account_id).collect());
            let page = api_key_pairs::list(&mut tx, &first_page(10), visible.as_deref()).await.unwrap();
            let ids: Vec<_> = page.items.iter().map(|pair| pair.id.0.as_u128()).collect();
            assert_eq!(ids, expected, "{visible:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_use_never_moves_back() {
    each_engine(|place| async move {
        let mut tx = place.db.write().await.unwrap();
        let pair = key_pair(1, &[]);
        api_key_pairs::insert(&mut tx, &pair).await.unwrap();
        let stranger = ApiKeyPairId(Uuid::from_u128(99));
        for used in [10, 30, 20] {
            api_key_pairs::touch(&mut tx, &[(pair.id, moment(used)), (stranger, moment(1))]).await.unwrap();
        }
        assert_eq!(api_key_pairs::get(&mut tx, pair.id).await.unwrap().unwrap().last_used_at, Some(moment(30)));
    })
    .await;
}
