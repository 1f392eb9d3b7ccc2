//! Session records: written in groups, durable when acknowledged, found by every filter.

use std::sync::{Arc, Mutex};

use domain::session::{RecordedFacts, SessionCode, SessionRecord, SessionStatus};
use domain::{CurrencyCode, DefinitionId, PaymentServiceId, SessionRecordId};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::fixtures::{first_page, moment, record, scope};
use super::{Place, each_engine, eventually, sqlite_url};
use crate::session_records::{self, AnyOf, FILTER_VALUES_MAX, Filter};
use crate::{BATCH_ROWS_MAX, Database, StoreError};

async fn ids(db: &Database, account: &str, filter: &Filter) -> Vec<u128> {
    let mut tx = db.read().await.unwrap();
    let page = session_records::list(&mut tx, &scope(account), &first_page(100), filter).await.unwrap();
    page.items.iter().map(|record| record.id.0.as_u128()).collect()
}

async fn stored(db: &Database, account: &str, id: SessionRecordId) -> Option<SessionRecord> {
    session_records::get(&mut db.read().await.unwrap(), &scope(account), id).await.unwrap()
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_written() {
    each_engine(|place| async move {
        let full = record(1, "default");
        let mut bare = record(2, "default");
        bare.facts = RecordedFacts::default();
        (bare.status, bare.code, bare.status_code, bare.service_duration_ms) = (SessionStatus::Succeeded, None, None, None);
        for record in [full, bare] {
            place.db.records().write(record.clone()).await.unwrap();
            let read = stored(&place.db, "default", record.id).await.unwrap();
            assert_eq!(format!("{read:?}"), format!("{record:?}"));
            assert!(stored(&place.db, "other", record.id).await.is_none(), "another account does not see it");
        }
    })
    .await;
}

#[tokio::test]
async fn an_acknowledged_record_survives_reopening() {
    each_engine(|place| async move {
        place.db.records().write(record(1, "default")).await.unwrap();
        let place = place.reopened().await;
        assert_eq!(ids(&place.db, "default", &Filter::default()).await, [1]);
    })
    .await;
}

/// What is on disk when the process is gone without a goodbye: the file is copied while it is open.
#[tokio::test]
async fn r18_an_acknowledged_record_is_on_disk_before_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    place.db.records().write(record(1, "default")).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        std::fs::copy(format!("{}{suffix}", place.sqlite_path()), elsewhere.path().join(format!("tollhouse.db{suffix}"))).unwrap();
    }
    let copy = Database::open(&sqlite_url(&elsewhere)).await.unwrap();
    assert_eq!(ids(&copy, "default", &Filter::default()).await, [1]);
}

#[tokio::test]
async fn what_is_queued_is_written_before_closing() {
    each_engine(|place| async move {
        let mut writes = JoinSet::new();
        for number in 1..=20 {
            let records = place.db.records().clone();
            writes.spawn(async move { records.write(record(number, "default")).await });
        }
        tokio::task::yield_now().await;
        let late = place.db.records().clone();
        let place = place.reopened().await;
        let outcomes = writes.join_all().await;
        let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(ids(&place.db, "default", &Filter::default()).await.len(), written);
        assert!(written > 0);
        let error = late.write(record(99, "default")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    })
    .await;
}

/// Keeps the values of the histogram of group sizes.
#[derive(Clone, Default)]
struct Groups(Arc<Mutex<Vec<f64>>>);

impl HistogramFn for Groups {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Recorder for Groups {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == "tollhouse_record_batch_rows" { Histogram::from_arc(Arc::new(self.clone())) } else { Histogram::noop() }
    }
}

#[tokio::test]
async fn concurrent_records_share_commits_and_are_all_there() {
    each_engine(|place| async move {
        let groups = Groups::default();
        let _recorder = metrics::set_default_local_recorder(&groups);
        let count = 700;
        let mut writes = JoinSet::new();
        for number in 1..=count {
            let records = place.db.records().clone();
            writes.spawn(async move { records.write(record(number, "default")).await });
        }
        for outcome in writes.join_all().await {
            outcome.unwrap();
        }
        for number in 1..=count {
            let id = SessionRecordId(Uuid::from_u128(number));
            assert!(stored(&place.db, "default", id).await.is_some(), "{number}");
        }
        let groups = groups.0.lock().unwrap().clone();
        let rows: f64 = groups.iter().sum();
        assert_eq!(rows.to_string(), count.to_string());
        assert!(groups.len() < 20, "{groups:?}");
        let most = f64::from(u32::try_from(BATCH_ROWS_MAX).unwrap());
        assert!(groups.iter().all(|rows| *rows <= most), "{groups:?}");
    })
    .await;
}

#[tokio::test]
async fn groups_of_every_size_are_written_whole() {
    each_engine(|place| async move {
        let mut next = 1;
        for size in [1, 2, 7, 8, 9, 31, 32, 33, 40, 41, 73] {
            let mut writes = JoinSet::new();
            for number in next..next + size {
                let records = place.db.records().clone();
                writes.spawn(async move { records.write(record(number, "default")).await.unwrap() });
            }
            writes.join_all().await;
            next += size;
            for number in next - size..next {
                let read = stored(&place.db, "default", SessionRecordId(Uuid::from_u128(number))).await.unwrap();
                assert_eq!(format!("{read:?}"), format!("{:?}", record(number, "default")), "size {size}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_record_that_is_refused_does_not_cost_the_others_theirs() {
    each_engine(|place| async move {
        place.db.records().write(record(5, "default")).await.unwrap();
        // Holding the right to write makes the records below one group on SQLite.
        let tx = place.db.write().await.unwrap();
        let mut writes = JoinSet::new();
        for number in 1..=9 {
            let records = place.db.records().clone();
            writes.spawn(async move { (number, records.write(record(number, "default")).await) });
        }
        tokio::task::yield_now().await;
        drop(tx);
        for (number, outcome) in writes.join_all().await {
            assert_eq!(outcome.is_ok(), number != 5, "{number}: {outcome:?}");
        }
        assert_eq!(ids(&place.db, "default", &Filter::default()).await, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert!(place.db.is_writable());
    })
    .await;
}

#[tokio::test]
async fn text_that_an_engine_can_not_hold_does_not_stop_a_record() {
    each_engine(|place| async move {
        let mut odd = record(1, "default");
        odd.facts.reference = Some("or\0der".into());
        odd.facts.support_id = Some("Zażółć 👛 \"'".into());
        place.db.records().write(odd.clone()).await.unwrap();
        let read = stored(&place.db, "default", odd.id).await.unwrap();
        assert_eq!((read.facts.reference.as_deref(), read.facts.support_id), (Some("order"), odd.facts.support_id));
    })
    .await;
}

fn one<T>(value: T) -> AnyOf<T> {
    any(vec![value])
}

fn any<T>(values: Vec<T>) -> AnyOf<T> {
    AnyOf::of(values).unwrap()
}

#[test]
fn a_filter_takes_as_many_values_as_the_statements_have_places() {
    assert!(SessionCode::ALL.len() <= FILTER_VALUES_MAX);
    assert!(AnyOf::of(vec![1; FILTER_VALUES_MAX]).is_some() && AnyOf::of(vec![1; FILTER_VALUES_MAX + 1]).is_none());
}

#[tokio::test]
async fn the_last_place_of_every_filter_counts() {
    each_engine(|place| async move {
        let texts = |prefix: &str| any((1..=FILTER_VALUES_MAX).map(|number| format!("{prefix}-{number}")).collect());
        for number in [1, 5, 10, 11] {
            place.db.records().write(record(number, "default")).await.unwrap();
        }
        for filter in [
            Filter { id: any((1..=10).map(|number| SessionRecordId(Uuid::from_u128(number))).collect()), ..Filter::default() },
            Filter { reference: texts("order"), ..Filter::default() },
            Filter { service_session_id: texts("CS"), ..Filter::default() },
            Filter { support_id: texts("psp"), ..Filter::default() },
            Filter { request_id: texts("request"), ..Filter::default() },
        ] {
            assert_eq!(ids(&place.db, "default", &filter).await, [10, 5, 1], "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_filter_selects_what_it_names() {
    each_engine(|place| async move {
        for number in 1..=6 {
            let mut a_record = record(number, "default");
            if number == 3 {
                a_record.payment_service_id = PaymentServiceId(Uuid::from_u128(33));
                a_record.definition_id = DefinitionId::parse("klarna-klarna").unwrap();
                a_record.facts.currency = CurrencyCode::parse("SEK");
            }
            if number == 4 {
                (a_record.status, a_record.code) = (SessionStatus::Succeeded, None);
                a_record.facts.reference = Some("order-5".into());
            }
            place.db.records().write(a_record.clone()).await.unwrap();
            // The neighbour has the same values and must never show.
            (a_record.id, a_record.merchant_account_id) =
                (SessionRecordId(Uuid::from_u128(number + 100)), super::fixtures::account_id("other"));
            place.db.records().write(a_record).await.unwrap();
        }
        let none = Filter::default;
        let texts = |values: &[&str]| any(values.iter().map(|value| (*value).to_owned()).collect());
        for (filter, expected) in [
            (none(), vec![6, 5, 4, 3, 2, 1]),
            (Filter { id: one(SessionRecordId(Uuid::from_u128(2))), ..none() }, vec![2]),
            (Filter { id: one(SessionRecordId(Uuid::from_u128(102))), ..none() }, vec![]),
            (Filter { payment_service_id: one(PaymentServiceId(Uuid::from_u128(33))), ..none() }, vec![3]),
            (Filter { definition_id: one(DefinitionId::parse("klarna-klarna").unwrap()), ..none() }, vec![3]),
            (Filter { reference: one("order-5".into()), ..none() }, vec![5, 4]),
            (Filter { reference: one("ORDER-5".into()), ..none() }, vec![]),
            (Filter { service_session_id: one("CS-6".into()), ..none() }, vec![6]),
            (Filter { support_id: one("psp-1".into()), ..none() }, vec![1]),
            (Filter { request_id: one("request-2".into()), ..none() }, vec![2]),
            (Filter { status: one(SessionStatus::Succeeded), ..none() }, vec![4]),
            (Filter { code: one(SessionCode::ServiceError), ..none() }, vec![6, 5, 3, 2, 1]),
            (Filter { code: one(SessionCode::UnknownError), ..none() }, vec![]),
            (Filter { created_at_gte: Some(moment(5)), ..none() }, vec![6, 5]),
            (Filter { created_at_lte: Some(moment(2)), ..none() }, vec![2, 1]),
            (
                Filter { created_at_gte: Some(moment(2)), created_at_lte: Some(moment(4)), status: one(SessionStatus::Failed), ..none() },
                vec![3, 2],
            ),
            (Filter { reference: one("order-5".into()), status: one(SessionStatus::Failed), ..none() }, vec![5]),
            (Filter { id: any([2, 6, 102].map(|number| SessionRecordId(Uuid::from_u128(number))).to_vec()), ..none() }, vec![6, 2]),
            (
                Filter { payment_service_id: any([1, 33].map(|number| PaymentServiceId(Uuid::from_u128(number))).to_vec()), ..none() },
                vec![6, 5, 4, 3, 2, 1],
            ),
            (
                Filter {
                    definition_id: any(["klarna-klarna", "stripe-card"].iter().filter_map(|id| DefinitionId::parse(id)).collect()),
                    ..none()
                },
                vec![3],
            ),
            (Filter { reference: texts(&["order-5", "order-1", "order-5", "order-7"]), ..none() }, vec![5, 4, 1]),
            (Filter { service_session_id: texts(&["CS-6", "CS-2"]), ..none() }, vec![6, 2]),
            (Filter { support_id: texts(&["psp-1", "psp-3"]), ..none() }, vec![3, 1]),
            (Filter { request_id: texts(&["request-2", "request-4"]), ..none() }, vec![4, 2]),
            (Filter { status: any(SessionStatus::ALL.to_vec()), ..none() }, vec![6, 5, 4, 3, 2, 1]),
            (Filter { code: any(SessionCode::ALL.to_vec()), ..none() }, vec![6, 5, 3, 2, 1]),
            (Filter { reference: texts(&["order-5", "order-1"]), request_id: texts(&["request-4", "request-2"]), ..none() }, vec![4]),
        ] {
            assert_eq!(ids(&place.db, "default", &filter).await, expected, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_oldest_records_are_purged_a_few_at_a_time() {
    each_engine(|place| async move {
        for number in 0..5_u128 {
            let mut old = record(number, "default");
            // As the engine makes them: the id begins with the millisecond.
            old.created_at = moment(i64::try_from(number).unwrap() * 1000);
            let milliseconds = u128::try_from(old.created_at.micros() / 1000).unwrap();
            old.id = SessionRecordId(Uuid::from_u128((milliseconds << 80) | (7 << 76) | number));
            place.db.records().write(old).await.unwrap();
        }
        for (before, deleted) in [(moment(0), 0), (moment(3500), 2), (moment(3500), 1), (moment(3500), 0), (moment(9000), 2)] {
            let mut tx = place.db.write().await.unwrap();
            assert_eq!(session_records::purge(&mut tx, before, 2).await.unwrap(), deleted, "{before}");
            tx.commit().await.unwrap();
        }
    })
    .await;
}

/// A list that scans a table or sorts it is slow only when the table has grown, so the plan is tested, not the time.
#[tokio::test]
async fn every_list_of_records_is_answered_by_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", place.sqlite_path())).await.unwrap();
    for statement in session_records::ALL.iter().filter(|statement| statement.text.contains("ORDER BY created_at")) {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.text))).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<_> = plan.into_iter().map(|(.., detail)| detail).collect();
        let index = match statement.name.trim_end_matches(" backwards").rsplit("::").next().unwrap() {
            "LIST" => "session_records_newest (merchant_account_id=? AND ",
            "LIST_BY_IDS" => "PRIMARY KEY (id=?",
            "LIST_BY_REFERENCE" => "session_records_reference (merchant_account_id=? AND reference=? AND ",
            "LIST_BY_REFERENCES" => "session_records_reference (merchant_account_id=? AND reference=?)",
            "LIST_BY_SERVICE_SESSION" => "session_records_service_session (merchant_account_id=? AND service_session_id=? AND ",
            "LIST_BY_SERVICE_SESSIONS" => "session_records_service_session (merchant_account_id=? AND service_session_id=?)",
            "LIST_BY_REQUEST" => "session_records_request (merchant_account_id=? AND request_id=? AND ",
            "LIST_BY_REQUESTS" => "session_records_request (merchant_account_id=? AND request_id=?)",
            other => panic!("{other}"),
        };
        assert!(plan.iter().any(|line| line.contains(index)), "{}: {plan:?}", statement.name);
        let several = statement.name.trim_end_matches(" backwards").ends_with('S');
        assert!(!several || plan.iter().any(|line| line.contains("PRIMARY KEY (id=?")), "{}: {plan:?}", statement.name);
        assert!(several || !plan.iter().any(|line| line.contains("TEMP B-TREE")), "{}: {plan:?}", statement.name);
    }
}

#[test]
fn the_fixed_numbers_of_rows_end_with_one() {
    let sizes = crate::record_writer::sizes();
    assert!(sizes.is_sorted_by(|larger, smaller| larger > smaller));
    assert_eq!(sizes.last(), Some(&1), "else some numbers of rows can not be written");
    assert_eq!(crate::record_writer::inserts()[sizes.len() - 1].text.matches('$').count(), 21);
    assert_eq!(crate::record_writer::inserts_for_sqlite()[0].text.matches('?').count(), 32 * 21);
}

/// What one commit has put into the write-ahead log is in the file a moment later, without another commit and without closing.
#[tokio::test]
async fn the_write_ahead_log_is_moved_into_the_file_beside_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::migrated(sqlite_url(&directory)).await;
    let path = place.sqlite_path().to_owned();
    let in_the_log = std::fs::metadata(format!("{path}-wal")).unwrap().len();
    assert!(in_the_log > 20 * 4096, "the schema is in the log: {in_the_log} bytes");
    let moved = move || std::fs::metadata(&path).unwrap().len() > 20 * 4096;
    eventually("the pages of the schema are in the file", moved).await;
}
