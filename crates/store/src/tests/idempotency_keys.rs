//! Idempotency keys: one execution at a time, however many ask, and nothing left behind.

use std::pin::Pin;

use domain::idempotency::{Execution, Fingerprint, IdempotencyKey, KeyPlace, KeyState, SealedAnswer, UsedKey};
use domain::{ApiKeyPairId, DefinitionId, PaymentServiceId, SessionRecordId};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::fixtures::{account_id, moment, record, scope, two_accounts};
use super::{Place, each_engine};
use crate::{Database, idempotency_keys, session_records};

const SECOND: i64 = 1_000_000;

fn session(number: u128) -> SessionRecordId {
    SessionRecordId(Uuid::from_u128(number))
}

/// A key that was first used at second 0, whose lease is over at second 10 and whose time at second 100.
pub(super) fn used(key: &str, execution: u128) -> UsedKey {
    UsedKey {
        merchant_account_id: account_id("default"),
        place: KeyPlace {
            operation: "create".to_owned(),
            path: "/services/1/sessions".to_owned(),
            key: IdempotencyKey::parse(key).unwrap(),
        },
        fingerprint: Fingerprint([7; 32]),
        attempt: session(1),
        state: KeyState::Started,
        execution: Execution {
            id: session(execution),
            lease_until: moment(10 * SECOND),
            payment_service_id: PaymentServiceId(Uuid::from_u128(8)),
            definition_id: DefinitionId::parse("adyen-card").unwrap(),
            definition_hash: "0123abcd".into(),
            api_key_pair_id: ApiKeyPairId(Uuid::from_u128(9)),
            request_id: format!("request-{execution}"),
            started_at: moment(execution.try_into().unwrap()),
        },
        recognised_until: Some(moment(50 * SECOND)),
        answer: None,
        created_at: moment(0),
        expires_at: moment(100 * SECOND),
    }
}

pub(super) fn answer() -> SealedAnswer {
    SealedAnswer { data_key_version: 1, sealed: vec![1, 2, 3] }
}

async fn insert(db: &Database, account: &str, key: &UsedKey) -> bool {
    let mut tx = db.write_alongside().await.unwrap();
    let is_first = idempotency_keys::insert(&mut tx, &scope(account), key).await.unwrap();
    tx.commit().await.unwrap();
    is_first
}

async fn take_over(db: &Database, key: &UsedKey, last: u128) -> bool {
    let mut tx = db.write_alongside().await.unwrap();
    let is_ours = idempotency_keys::take_over(&mut tx, &scope("default"), key, session(last)).await.unwrap();
    tx.commit().await.unwrap();
    is_ours
}

async fn finish(db: &Database, key: &UsedKey, execution: u128, state: KeyState, answer: Option<SealedAnswer>) -> bool {
    let mut tx = db.write_alongside().await.unwrap();
    let end = (state, answer.as_ref());
    let is_ours = idempotency_keys::finish(&mut tx, &scope("default"), &key.place, session(execution), end).await.unwrap();
    tx.commit().await.unwrap();
    is_ours
}

async fn stored(place: &Place, account: &str, key: &UsedKey) -> Option<UsedKey> {
    idempotency_keys::get(&mut place.db.read().await.unwrap(), &scope(account), &key.place).await.unwrap()
}

#[tokio::test]
async fn a_key_comes_back_as_it_was_stored_and_only_in_its_place() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let first = used("k", 1);
        assert!(insert(&place.db, "default", &first).await);
        assert!(!insert(&place.db, "default", &used("k", 2)).await, "it is in use");
        assert_eq!(format!("{:?}", stored(&place, "default", &first).await.unwrap()), format!("{first:?}"));
        assert!(stored(&place, "other", &first).await.is_none());
        let mut elsewhere = first.clone();
        elsewhere.place.path = "/services/2/sessions".to_owned();
        assert!(stored(&place, "default", &elsewhere).await.is_none());
        assert!(insert(&place.db, "default", &elsewhere).await);
        elsewhere.place.operation = "another".to_owned();
        assert!(insert(&place.db, "default", &elsewhere).await);
        assert!(insert(&place.db, "other", &first).await);

        assert!(finish(&place.db, &first, 1, KeyState::Answered, Some(answer())).await);
        let ended = UsedKey { state: KeyState::Answered, answer: Some(answer()), recognised_until: None, ..first.clone() };
        assert!(take_over(&place.db, &ended, 1).await);
        assert_eq!(format!("{:?}", stored(&place, "default", &first).await.unwrap()), format!("{ended:?}"));
    })
    .await;
}

#[tokio::test]
async fn an_execution_that_has_lost_its_lease_changes_nothing_any_more() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let first = used("k", 1);
        assert!(insert(&place.db, "default", &first).await);
        assert!(take_over(&place.db, &used("k", 2), 1).await);
        assert!(!take_over(&place.db, &used("k", 3), 1).await, "another has taken over before");
        assert!(!finish(&place.db, &first, 1, KeyState::Answered, Some(answer())).await);
        assert_eq!(stored(&place, "default", &first).await.unwrap().state, KeyState::Started);
        assert!(finish(&place.db, &first, 2, KeyState::Open, None).await);
        assert!(!finish(&place.db, &first, 2, KeyState::Answered, Some(answer())).await, "it has ended");
        let ended = stored(&place, "default", &first).await.unwrap();
        assert_eq!((ended.state, ended.answer, ended.execution.request_id.as_str()), (KeyState::Open, None, "request-2"));
    })
    .await;
}

/// What one of several who ask at the same moment does; whether it was the one.
type Ask = fn(Database, u128) -> Pin<Box<dyn Future<Output = bool> + Send>>;

#[tokio::test]
async fn of_many_who_ask_at_once_one_is_first_and_one_takes_over() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let race = async |ask: Ask| {
            let mut all = JoinSet::new();
            for number in 2..10 {
                all.spawn(ask(place.db.clone(), number));
            }
            all.join_all().await.into_iter().filter(|is_first| *is_first).count()
        };
        assert_eq!(race(|db, number| Box::pin(async move { insert(&db, "default", &used("k", number)).await })).await, 1);
        let last = stored(&place, "default", &used("k", 1)).await.unwrap().execution.id;
        assert!(finish(&place.db, &used("k", 1), last.0.as_u128(), KeyState::Open, None).await);
        assert!(take_over(&place.db, &used("k", 1), last.0.as_u128()).await);
        assert_eq!(race(|db, number| Box::pin(async move { take_over(&db, &used("k", number), 1).await })).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_interrupted_is_found_and_what_is_over_is_deleted() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        for (number, key) in ["running", "died", "answered", "late"].iter().enumerate() {
            let number = u128::try_from(number).unwrap() + 1;
            let mut key = used(key, number);
            key.execution.lease_until = moment(if number == 2 { 5 } else { 10 } * SECOND);
            if number == 4 {
                key.execution.lease_until = moment(200 * SECOND);
            }
            assert!(insert(&place.db, "default", &key).await);
        }
        assert!(finish(&place.db, &used("answered", 3), 3, KeyState::Answered, Some(answer())).await);
        let interrupted = async |seconds: i64, limit| {
            let mut tx = place.db.read().await.unwrap();
            let keys = idempotency_keys::interrupted(&mut tx, moment(seconds * SECOND), limit).await.unwrap();
            keys.into_iter().map(|key| key.place.key.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(interrupted(4, 9).await, [""; 0]);
        assert_eq!(interrupted(5, 9).await, ["died"]);
        assert_eq!(interrupted(10, 9).await, ["died", "running"]);
        assert_eq!(interrupted(10, 1).await, ["died"]);

        let purge = async |seconds: i64, limit| {
            let mut tx = place.db.write().await.unwrap();
            let purged = idempotency_keys::purge(&mut tx, moment(seconds * SECOND), limit).await.unwrap();
            tx.commit().await.unwrap();
            purged
        };
        assert_eq!(purge(99, 9).await, 0);
        assert_eq!(purge(100, 2).await, 2);
        assert_eq!(purge(100, 9).await, 1, "the one that is still being executed stays");
        assert_eq!(purge(200, 9).await, 1);
    })
    .await;
}

/// The data key of a stored answer can not go, and an answer under a key that has gone is refused.
#[tokio::test]
async fn an_answer_holds_its_data_key() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let first = used("k", 1);
        assert!(insert(&place.db, "default", &first).await);
        let mut tx = place.db.write_alongside().await.unwrap();
        let unknown = SealedAnswer { data_key_version: 2, ..answer() };
        let end = (KeyState::Answered, Some(&unknown));
        // Checked at the commit.
        assert!(idempotency_keys::finish(&mut tx, &scope("default"), &first.place, session(1), end).await.unwrap());
        let error = tx.commit().await.unwrap_err();
        assert!(matches!(error, crate::StoreError::Refused { .. }), "{error}");
        assert!(place.db.is_writable());
        assert!(finish(&place.db, &first, 1, KeyState::Answered, Some(answer())).await);
    })
    .await;
}

#[tokio::test]
async fn a_record_is_written_with_what_else_there_is_or_not_at_all() {
    each_engine(|place| async move {
        two_accounts(&place.db).await;
        let full = record(1, "default");
        let find = async || session_records::get(&mut place.db.read().await.unwrap(), &scope("default"), full.id).await.unwrap();
        let mut tx = place.db.write_alongside().await.unwrap();
        session_records::insert(&mut tx, &scope("default"), &full).await.unwrap();
        drop(tx);
        assert!(find().await.is_none());
        let mut tx = place.db.write_alongside().await.unwrap();
        session_records::insert(&mut tx, &scope("default"), &full).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(format!("{:?}", find().await.unwrap()), format!("{full:?}"));
    })
    .await;
}

/// A change of configuration that takes long holds up no session with a key.
#[tokio::test]
async fn on_postgresql_keys_do_not_wait_for_changes_of_configuration() {
    each_engine(|place| async move {
        if place.is_sqlite() {
            return;
        }
        two_accounts(&place.db).await;
        let change = place.db.write().await.unwrap();
        assert!(insert(&place.db, "default", &used("k", 1)).await);
        assert!(finish(&place.db, &used("k", 1), 1, KeyState::Answered, Some(answer())).await);
        change.commit().await.unwrap();
    })
    .await;
}
