//! The chain of the audit log in the database: what is appended, what was there before, and what is read back from a log that somebody has changed.

use domain::Timestamp;
use domain::audit::{AuditEntry, AuditEvent, ChainHash};
use domain::{ApiKeyPairId, AuditEntryId};
use uuid::Uuid;

use super::fixtures::{audit_entry, moment};
use super::{Place, each_engine};
use crate::audit_log::chain::{self, Stored};
use crate::audit_log::journal::{self, JournalFilter};
use crate::audit_log::{append, append_with};
use crate::scratch;

async fn execute(place: &Place, sql: &str) {
    scratch::execute(&place.url, sql).await.unwrap();
}

async fn appended(place: &Place, numbers: impl IntoIterator<Item = u128>) {
    let mut tx = place.db.write().await.unwrap();
    for number in numbers {
        append(&mut tx, &audit_entry(number, None)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// The numbers of the entries, after making sure that each hash follows from the one before and that the installation remembers the last.
async fn chained(place: &Place) -> Vec<i64> {
    let mut tx = place.db.read().await.unwrap();
    let (mut previous, mut numbers) = (ChainHash::BEFORE_THE_FIRST, Vec::new());
    for stored in chain::entries_after(&mut tx, 0).await.unwrap() {
        let Stored::Readable(columns) = stored else { panic!("{stored:?}") };
        assert_eq!(columns.hash(), Some(columns.hash_after(&previous)), "{}", columns.sequence());
        previous = columns.hash_after(&previous);
        numbers.push(columns.sequence());
        assert_eq!(chain::hash_at(&mut tx, columns.sequence()).await.unwrap(), Some(previous));
    }
    let head = chain::head(&mut tx).await.unwrap();
    assert_eq!((head.counted, head.sequence, head.hash), (head.sequence, numbers.last().copied().unwrap_or(0), previous));
    numbers
}

#[tokio::test]
async fn each_entry_is_chained_to_the_one_before_whatever_was_rolled_back() {
    each_engine(|place| async move {
        assert_eq!(chained(&place).await, Vec::<i64>::new());
        appended(&place, 1..=2).await;
        let mut tx = place.db.write().await.unwrap();
        append(&mut tx, &audit_entry(3, None)).await.unwrap();
        drop(tx);
        let mut tx = place.db.write().await.unwrap();
        append_with(&mut tx, &audit_entry(4, None), "{\"a\":1}").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(chained(&place).await, [1, 2, 3]);
        let mut tx = place.db.read().await.unwrap();
        assert_eq!(chain::hash_at(&mut tx, 4).await.unwrap(), None);
        let installation = chain::head(&mut tx).await.unwrap().installation;
        drop(tx);
        let place = place.reopened().await;
        let mut tx = place.db.read().await.unwrap();
        assert_eq!(chain::head(&mut tx).await.unwrap().installation, installation, "an installation keeps its name");
    })
    .await;
}

#[tokio::test]
async fn entries_of_an_older_version_are_chained_by_the_next_one_or_by_a_migration() {
    each_engine(|place| async move {
        // As the version before writes them: it knows no hash.
        let unchain = "UPDATE audit_log SET hash = NULL WHERE sequence > 2";
        let forget = "UPDATE instance SET audit_chained = 2, audit_head = (SELECT hash FROM audit_log WHERE sequence = 2)";
        appended(&place, 1..=5).await;
        execute(&place, unchain).await;
        execute(&place, forget).await;
        appended(&place, 6..=6).await;
        assert_eq!(chained(&place).await, [1, 2, 3, 4, 5, 6]);
        execute(&place, unchain).await;
        execute(&place, forget).await;
        for expected in [4, 0] {
            let mut tx = place.db.write().await.unwrap();
            assert_eq!(chain::chain_rest(&mut tx).await.unwrap(), expected);
            tx.commit().await.unwrap();
        }
        assert_eq!(chained(&place).await, [1, 2, 3, 4, 5, 6]);
    })
    .await;
}

/// Whoever makes the installation forget how far the log is chained does not get what was changed chained anew.
#[tokio::test]
async fn a_hash_that_is_there_is_never_replaced() {
    each_engine(|place| async move {
        appended(&place, 1..=3).await;
        execute(&place, "UPDATE audit_log SET actor_name = 'Somebody else' WHERE sequence = 2").await;
        execute(&place, "UPDATE instance SET audit_chained = 1").await;
        appended(&place, 4..=4).await;
        let mut tx = place.db.read().await.unwrap();
        let entries = chain::entries_after(&mut tx, 0).await.unwrap();
        let [Stored::Readable(first), Stored::Readable(changed), ..] = entries.as_slice() else { panic!("{entries:?}") };
        assert_ne!(changed.hash(), Some(changed.hash_after(&first.hash().unwrap())));
    })
    .await;
}

#[tokio::test]
async fn a_value_of_a_wrong_type_damages_one_entry_and_hides_none() {
    each_engine(|place| async move {
        appended(&place, 1..=3).await;
        // PostgreSQL takes no such value.
        if place.is_sqlite() {
            execute(&place, "UPDATE audit_log SET id = x'00' WHERE sequence = 2").await;
            let mut tx = place.db.read().await.unwrap();
            let entries = chain::entries_after(&mut tx, 0).await.unwrap();
            assert!(matches!(entries.as_slice(), [Stored::Readable(_), Stored::Damaged(2), Stored::Readable(_)]), "{entries:?}");
        }
    })
    .await;
}

fn event(number: u128) -> AuditEntry<AuditEvent> {
    AuditEntry {
        id: AuditEntryId(Uuid::from_u128(number)),
        merchant_account_id: None,
        action: AuditEvent::ServerStarted,
        resource_type: "server".into(),
        resource_id: "run".into(),
        resource_name: "http://127.0.0.1:1".into(),
        actor_id: None,
        actor_name: "tollhouse".into(),
        request_id: String::new(),
        origin: String::new(),
        created_at: moment(5),
    }
}

#[tokio::test]
async fn the_journal_shows_events_and_changes_and_is_filtered() {
    each_engine(|place| async move {
        appended(&place, 1..=2).await;
        let mut tx = place.db.write().await.unwrap();
        assert_eq!(append_with(&mut tx, &event(3), "{}").await.unwrap(), 3);
        assert!(journal::exists(&mut tx, event(3).id).await.unwrap());
        assert!(!journal::exists(&mut tx, event(4).id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(chained(&place).await, [1, 2, 3]);
        let everything = JournalFilter {
            before: i64::MAX,
            action: None,
            actor_id: None,
            actor_name: None,
            since: Timestamp::from_micros(0),
            until: Timestamp::from_micros(i64::MAX),
            limit: 10,
        };
        let key_pair = Some(ApiKeyPairId(Uuid::from_u128(5)));
        for (filter, expected) in [
            (everything.clone(), vec![3, 2, 1]),
            (JournalFilter { limit: 2, ..everything.clone() }, vec![3, 2]),
            (JournalFilter { before: 2, ..everything.clone() }, vec![1]),
            (JournalFilter { action: Some("server_started".into()), ..everything.clone() }, vec![3]),
            (JournalFilter { action: Some("created".into()), ..everything.clone() }, vec![2, 1]),
            (JournalFilter { actor_id: key_pair, ..everything.clone() }, vec![2, 1]),
            (JournalFilter { actor_name: Some("tollhouse".into()), ..everything.clone() }, vec![3]),
            (JournalFilter { since: moment(1), ..everything.clone() }, vec![3]),
            (JournalFilter { until: moment(1), ..everything.clone() }, vec![2, 1]),
        ] {
            let mut tx = place.db.read().await.unwrap();
            let found = journal::list(&mut tx, &filter).await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), expected, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn deleted_key_pairs_are_found_with_their_details() {
    each_engine(|place| async move {
        appended(&place, 1..=1).await;
        let mut deleted = audit_entry(2, None);
        deleted.action = domain::audit::AuditAction::Deleted;
        deleted.resource_type = "api-key-pair".into();
        let mut tx = place.db.write().await.unwrap();
        append_with(&mut tx, &deleted, "{\"thumbprint\":\"t\"}").await.unwrap();
        let found = journal::deleted_key_pairs(&mut tx).await.unwrap();
        let [pair] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((pair.id.as_str(), pair.name.as_str(), pair.details.as_str()), ("x", "Adyen", "{\"thumbprint\":\"t\"}"));
    })
    .await;
}
