//! Every list can be read forwards and backwards, page by page, without losing or repeating a row.

use domain::page::{Cursor, Direction, Page, PageRequest, Position};
use domain::{Scope, Timestamp};

use super::fixtures::{account, audit_entry, first_page, key_pair, moment, record, role, scope, service, two_accounts};
use super::{Place, each_engine};
use crate::audit_log::{self, InstanceEntries};
use crate::{StoreError, api_key_pairs, merchant_accounts, payment_services, roles, session_records};

/// One page of any list, as ids.
async fn page(place: &Place, list: &str, request: &PageRequest) -> Result<Page<String>, StoreError> {
    let mut tx = place.db.read().await.unwrap();
    let ours: Scope = scope("default");
    Ok(match list {
        "accounts" => merchant_accounts::list(&mut tx, request, None, None).await?.map(|a| a.id.to_string()),
        "services" => payment_services::list(&mut tx, &ours, request, &Default::default()).await?.map(|s| s.id.to_string()),
        "roles" => roles::list(&mut tx, request).await?.map(|r| r.id.to_string()),
        "pairs" => api_key_pairs::list(&mut tx, request, None).await?.map(|p| p.id.to_string()),
        "audit" => audit_log::list(&mut tx, &ours, InstanceEntries::Left, request, &Default::default()).await?.map(|e| e.id.to_string()),
        "instance audit" => {
            audit_log::list(&mut tx, &ours, InstanceEntries::Included, request, &Default::default()).await?.map(|e| e.id.to_string())
        }
        "records" => session_records::list(&mut tx, &ours, request, &Default::default()).await?.map(|r| r.id.to_string()),
        other => panic!("{other}"),
    })
}

const LISTS: [&str; 7] = ["accounts", "services", "roles", "pairs", "audit", "instance audit", "records"];

/// Eleven rows everywhere, three of them born at the same moment, and rows of another account between them.
async fn fill(place: &Place) {
    two_accounts(&place.db).await;
    let born = |number: u128| -> Timestamp { moment(i64::try_from(number).unwrap() / 3) };
    let mut tx = place.db.write().await.unwrap();
    for number in 1..=11_u128 {
        if number > 2 {
            merchant_accounts::insert(&mut tx, &account(&format!("shop{number}"), i64::try_from(number).unwrap() / 3), &[]).await.unwrap();
        }
        let mut a_role = role(number, &format!("role{number}"));
        a_role.created_at = born(number);
        roles::insert(&mut tx, &a_role).await.unwrap();
        let mut pair = key_pair(number, &[]);
        pair.created_at = born(number);
        api_key_pairs::insert(&mut tx, &pair).await.unwrap();
        for (offset, account) in [(0, "default"), (100, "other")] {
            let mut a_service = service(number + offset, account);
            a_service.created_at = born(number);
            payment_services::insert(&mut tx, &scope(account), &a_service).await.unwrap();
            let mut entry = audit_entry(number + offset, Some(account));
            entry.created_at = born(number);
            audit_log::append(&mut tx, &entry).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    for number in 1..=11_u128 {
        for (offset, account) in [(0, "default"), (100, "other")] {
            let mut a_record = record(number + offset, account);
            a_record.created_at = born(number);
            place.db.records().write(a_record).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_list_reads_the_same_in_both_directions() {
    each_engine(|place| async move {
        fill(&place).await;
        for list in LISTS {
            let whole = page(&place, list, &first_page(100)).await.unwrap();
            assert_eq!((whole.items.len(), whole.next, whole.previous), (11, None, None), "{list}");
            for limit in [1, 2, 4, 11] {
                check(&place, list, limit, &whole.items).await;
            }
        }
    })
    .await;
}

async fn check(place: &Place, list: &str, limit: u32, whole: &[String]) {
    let mut read = Vec::new();
    let mut request = first_page(limit);
    let last = loop {
        let page = page(place, list, &request).await.unwrap();
        read.extend(page.items.clone());
        match &page.next {
            Some(cursor) => request.cursor = Some(Cursor::decode(&cursor.encode()).unwrap()),
            None => break page,
        }
    };
    assert_eq!(read, whole, "{list} forwards by {limit}");
    let mut read = last.items;
    request.cursor = last.previous;
    while request.cursor.is_some() {
        let page = page(place, list, &request).await.unwrap();
        read.splice(0..0, page.items);
        request.cursor = page.previous;
    }
    assert_eq!(read, whole, "{list} backwards by {limit}");
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    each_engine(|place| async move {
        for list in LISTS {
            let position = Position::Text("adyen-ideal".into());
            let request = PageRequest { limit: 5, cursor: Some(Cursor { direction: Direction::Next, position }) };
            let error = page(&place, list, &request).await.map(|_| ()).unwrap_err();
            assert!(matches!(error, StoreError::ForeignCursor), "{list}: {error:?}");
        }
    })
    .await;
}
