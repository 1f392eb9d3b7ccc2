//! Repeated sessions on a real database and over a real socket, with a clock that the test moves.

use connectors::outbound::CALL_TIMEOUT;
use domain::PaymentServiceId;
use domain::idempotency::IdempotencyKey;
use domain::session::{SessionRecord, SessionStatus};
use tokio::task::JoinHandle;

use super::*;
use crate::bootstrap::Ground;
use crate::payment_services::{self, NewPaymentService, PaymentServicePatch};
use crate::rotation::{rotate_data, status};
use crate::session_records::{self, Filter};
use crate::sessions::create;
use crate::testing::instance::{ANYTHING_GOES, Instance, acme, default_scope, fields, first_page};
use crate::testing::root_keys;
use crate::testing::warnings::Warnings;

const BODY: &str = r#"{"amount":1000,"currency":"EUR"}"#;
const UPSTREAM: &str = "Upstream-Key";

/// How long a dead execution holds its key, and a second.
const LEASE_OVER: i64 = 30 + 1 + 4 + 1;

fn answer(session: &Session, delivered: Delivered) -> StoredAnswer {
    let body =
        format!("{} {:?} {:?} {:?}", session.status, session.code, session.status_code, session.response_body.as_ref().map(|b| b.as_str()));
    StoredAnswer { status: 200, delivered, body: body.into() }
}

fn keyed(key: &str) -> Once {
    let place = KeyPlace {
        operation: "create".to_owned(),
        path: "/definitions/acme-card/sessions".to_owned(),
        key: IdempotencyKey::parse(key).unwrap(),
    };
    Once { place, query: String::new(), answer }
}

fn target() -> Target {
    Target::Definition("acme-card".to_owned())
}

async fn ask(instance: &Instance, engine: &Arc<Engine>, body: &'static str) -> Result<Answered, Refusal> {
    create_once(engine, &default_scope(), &instance.request(), target(), body.into(), keyed("k")).await
}

async fn now(instance: &Instance) -> StoredAnswer {
    match ask(instance, &instance.engine, BODY).await.unwrap() {
        Answered::Now(answer) => answer,
        Answered::Before(answer) => panic!("answered before: {answer:?}"),
    }
}

async fn before(instance: &Instance) -> StoredAnswer {
    match ask(instance, &instance.engine, BODY).await.unwrap() {
        Answered::Before(answer) => answer,
        Answered::Now(answer) => panic!("carried out: {answer:?}"),
    }
}

/// A request in a task of its own; returns when the payment service has it.
async fn on_its_way(instance: &Instance) -> JoinHandle<Result<Answered, Refusal>> {
    let (engine, request) = (Arc::clone(&instance.engine), instance.request());
    let task = instance
        .engine
        .tasks
        .spawn(async move { create_once(&engine, &default_scope(), &request, target(), BODY.into(), keyed("k")).await });
    instance.provider.arrival().await;
    task
}

async fn service(instance: &Instance, new: NewPaymentService) -> PaymentServiceId {
    payment_services::create(&instance.engine, &default_scope(), &instance.request(), new).await.unwrap().service.id
}

/// A service whose calls take at most a third of a second.
fn impatient() -> NewPaymentService {
    let mut new = acme();
    new.fields.extend(fields(&[("timeout_ms", "300")]));
    new
}

fn declare_a_key(instance: &Instance, hours: u32) {
    instance.redefine(|text| {
        text.replace("error_code =", &format!("idempotency = {{ header = \"{UPSTREAM}\", hours = {hours} }}\nerror_code ="))
    });
}

/// The upstream keys that the payment service has seen, in order.
fn upstream_keys(instance: &Instance) -> Vec<Option<String>> {
    let requests = instance.provider.requests();
    let of = |request: &String| {
        let line = request.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case(UPSTREAM)));
        line.map(|(_, value)| value.to_owned())
    };
    requests.iter().map(of).collect()
}

async fn records(instance: &Instance) -> Vec<SessionRecord> {
    session_records::list(&instance.engine, &default_scope(), &first_page(), &Filter::default()).await.unwrap().items
}

fn is_concurrent(result: &Result<Answered, Refusal>) -> bool {
    matches!(result, Err(Refusal::Concurrent))
}

#[tokio::test]
async fn r01_a_success_and_a_decline_are_answered_again() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        for (number, (status, body)) in [(200, r#"{"id":"made-1"}"#), (402, r#"{"error":"no"}"#), (302, "{}")].into_iter().enumerate() {
            instance.provider.answers(status, body);
            instance.clock.advance_seconds(KEPT_SECONDS);
            let first = now(&instance).await;
            instance.provider.answers(200, r#"{"id":"another"}"#);
            for _ in 0..3 {
                assert_eq!(before(&instance).await, first);
            }
            assert_eq!(instance.provider.requests().len(), number + 1);
            assert_eq!(records(&instance).await.len(), number + 1, "a replay leaves no record");
        }
    })
    .await;
}

#[tokio::test]
async fn r02_another_body_under_the_same_key_is_refused_and_another_spelling_is_not() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        let first = now(&instance).await;
        let refused = ask(&instance, &instance.engine, r#"{"amount":1001,"currency":"EUR"}"#).await.unwrap_err();
        let Refusal::Invalid(problems) = refused else { panic!("{refused:?}") };
        let problem = &problems[0];
        assert_eq!((problem.location.as_str(), problem.pointer.as_str(), problem.kind), ("header", HEADER, "idempotency_key_mismatch"));
        let Answered::Before(again) = ask(&instance, &instance.engine, r#" { "currency": "\u0045UR", "amount": 1000 } "#).await.unwrap()
        else {
            panic!("the same request in another spelling")
        };
        assert_eq!((again, instance.provider.requests().len()), (first, 1));
        let mut other = keyed("k");
        other.query = "a=b".to_owned();
        let refused = create_once(&instance.engine, &default_scope(), &instance.request(), target(), BODY.into(), other).await;
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
        let mut elsewhere = keyed("k");
        elsewhere.place.path = "/services/1/sessions".to_owned();
        let made = create_once(&instance.engine, &default_scope(), &instance.request(), target(), BODY.into(), elsewhere).await.unwrap();
        assert!(matches!(made, Answered::Now(_)), "a key counts at its path");
    })
    .await;
}

#[tokio::test]
async fn r04_what_the_checks_refuse_leaves_no_trace() {
    Instance::on_each_engine(async |instance| {
        let refused = ask(&instance, &instance.engine, BODY).await;
        assert!(matches!(refused, Err(Refusal::NotFound)), "{refused:?}");
        service(&instance, acme()).await;
        for body in ["", "[]", r#"{"card":{"number":"4111111111111111"}}"#] {
            assert!(matches!(ask(&instance, &instance.engine, body).await, Err(Refusal::Invalid(_))), "{body}");
        }
        now(&instance).await;
    })
    .await;
}

#[tokio::test]
async fn r05_a_key_is_good_for_24_hours_and_then_forgotten() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        let first = now(&instance).await;
        instance.clock.advance_seconds(KEPT_SECONDS - 60);
        assert_eq!(before(&instance).await, first);
        assert_eq!(instance.engine.purge_idempotency_keys().await.unwrap(), 0);
        instance.clock.advance_seconds(120);
        instance.provider.answers(200, r#"{"id":"made-2"}"#);
        let second = now(&instance).await;
        assert_eq!((instance.provider.requests().len(), second == first), (2, false));
        assert_eq!(before(&instance).await, second);
        assert_eq!(instance.engine.purge_idempotency_keys().await.unwrap(), 0, "it is in use again");
        instance.clock.advance_seconds(KEPT_SECONDS);
        assert_eq!(instance.engine.purge_idempotency_keys().await.unwrap(), 1);
        assert_eq!(instance.engine.purge_idempotency_keys().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn r47_an_answer_outlives_the_data_key_that_credentials_have_left() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        let first = now(&instance).await;
        let (roots, catalogue) = (root_keys(), instance.engine.catalogue());
        let (clock, ids) = (instance.clock.as_ref(), instance.ids.as_ref());
        let ground = Ground { database: instance.engine.database(), root_keys: &roots, clock, ids, command: "a rotation" };
        let done = rotate_data(&ground, &catalogue, default_scope().account()).await.unwrap().unwrap();
        assert_eq!((done.version, done.removed, done.kept), (2, Vec::new(), vec![1]));
        let status = status(instance.engine.database(), &roots).await.unwrap();
        let used: Vec<_> = status.data_keys.iter().map(|key| (key.version, key.values, key.answers)).collect();
        assert_eq!(used, [(1, 0, 1), (2, 3, 0)]);
        assert_eq!(before(&instance).await, first);
        instance.engine.poll_version().await.unwrap();
        assert_eq!(before(&instance).await, first, "also once the instance has looked");

        instance.clock.advance_seconds(KEPT_SECONDS + 1);
        assert_eq!(instance.engine.purge_idempotency_keys().await.unwrap(), 1);
        let done = rotate_data(&ground, &catalogue, default_scope().account()).await.unwrap().unwrap();
        assert_eq!((done.version, done.removed.len(), done.kept), (3, 2, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn r06_accounts_do_not_share_keys() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        let other = instance.account("other").await;
        payment_services::create(&instance.engine, &other, &instance.request(), acme()).await.unwrap();
        now(&instance).await;
        let made = create_once(&instance.engine, &other, &instance.request(), target(), BODY.into(), keyed("k")).await.unwrap();
        assert!(matches!(made, Answered::Now(_)));
        assert_eq!(instance.provider.requests().len(), 2);
    })
    .await;
}

/// The first execution hangs until its lease is over, as if its process had died; then it comes back.
#[tokio::test]
async fn r08_a_key_whose_execution_died_is_repeated_where_the_service_recognises_it() {
    Instance::on_each_engine(async |instance| {
        declare_a_key(&instance, 24);
        service(&instance, acme()).await;
        instance.provider.hold();
        let dead = on_its_way(&instance).await;
        assert!(is_concurrent(&ask(&instance, &instance.engine, BODY).await));
        instance.clock.advance_seconds(LEASE_OVER);
        let other = instance.another(ANYTHING_GOES).await.unwrap();
        let (engine, request) = (Arc::clone(&other), instance.request());
        let second =
            other.tasks.spawn(async move { create_once(&engine, &default_scope(), &request, target(), BODY.into(), keyed("k")).await });
        instance.provider.arrival().await;
        let keys = upstream_keys(&instance);
        assert!(keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
        assert!(is_concurrent(&ask(&instance, &instance.engine, BODY).await), "the second execution has a lease of its own");
        instance.provider.let_go();
        instance.provider.let_go();
        let warnings = Warnings::listen();
        let (first, second) = (dead.await.unwrap().unwrap(), second.await.unwrap().unwrap());
        assert!(matches!(first, Answered::Now(_)), "its caller is answered what came of it");
        assert!(warnings.count() >= 1, "the late one says that it was late");
        let Answered::Now(second) = second else { panic!("{second:?}") };
        assert_eq!(before(&instance).await, second);
        let ids: std::collections::HashSet<_> = records(&instance).await.into_iter().map(|record| record.id).collect();
        // The other instance concludes what died when it starts, and may be faster at it than the request.
        assert!(ids.len() == 2 || ids.len() == 3, "each execution has a record of its own: {ids:?}");
        assert!(ids.iter().any(|id| Some(id.to_string()) == keys[0]), "{ids:?} {keys:?}");
    })
    .await;
}

#[tokio::test]
async fn r08_different_attempts_have_different_keys_and_a_client_without_a_key_a_new_one_each_time() {
    Instance::on_each_engine(async |instance| {
        declare_a_key(&instance, 24);
        service(&instance, acme()).await;
        instance.provider.answers(503, "{}");
        now(&instance).await;
        now(&instance).await;
        for _ in 0..2 {
            create(&instance.engine, &default_scope(), &instance.request(), target(), BODY.into()).await.unwrap();
        }
        let other = create_once(&instance.engine, &default_scope(), &instance.request(), target(), BODY.into(), keyed("other")).await;
        assert!(matches!(other, Ok(Answered::Now(_))));
        let keys = upstream_keys(&instance);
        assert_eq!((keys.len(), &keys[0]), (5, &keys[1]), "{keys:?}");
        let all: std::collections::HashSet<_> = keys.iter().flatten().collect();
        assert_eq!(all.len(), 4, "{keys:?}");
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_execution_died_answers_that_nobody_knows_where_the_service_can_not_tell() {
    Instance::on_each_engine(async |instance| {
        let id = service(&instance, acme()).await;
        instance.provider.hold();
        let dead = on_its_way(&instance).await;
        instance.clock.advance_seconds(LEASE_OVER);
        let unknown = before(&instance).await;
        assert_eq!(unknown, answer(&Session::failed(SessionCode::UnknownError), Delivered::Unknown));
        assert_eq!(before(&instance).await, unknown);
        let found = records(&instance).await;
        let [record] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((record.code, record.delivered, record.payment_service_id), (Some(SessionCode::UnknownError), Delivered::Unknown, id));
        assert_eq!((record.status, record.request_id.as_str()), (SessionStatus::Failed, "request-1"));
        let warnings = Warnings::listen();
        instance.provider.let_go();
        assert!(matches!(dead.await.unwrap(), Ok(Answered::Now(_))));
        assert_eq!(warnings.count(), 1);
        assert_eq!(before(&instance).await, unknown, "what was answered stays");
        assert_eq!((instance.provider.requests().len(), records(&instance).await.len()), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn interrupted_sessions_are_recorded_though_nobody_asks() {
    Instance::on_each_engine(async |instance| {
        declare_a_key(&instance, 24);
        service(&instance, acme()).await;
        instance.provider.hold();
        let dead = on_its_way(&instance).await;
        assert_eq!(instance.engine.conclude_interrupted().await.unwrap(), 0, "it has a lease");
        instance.clock.advance_seconds(LEASE_OVER);
        assert_eq!(instance.engine.conclude_interrupted().await.unwrap(), 1);
        assert_eq!(instance.engine.conclude_interrupted().await.unwrap(), 0);
        let found = records(&instance).await;
        assert_eq!((found.len(), found[0].code, found[0].delivered), (1, Some(SessionCode::UnknownError), Delivered::Unknown));
        // The service recognises it, so whoever asks learns the end.
        instance.provider.let_go();
        instance.provider.let_go();
        let known = now(&instance).await;
        assert!(known.body.starts_with(b"succeeded"), "{known:?}");
        let keys = upstream_keys(&instance);
        assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
        assert!(dead.await.unwrap().is_ok());
        assert_eq!(before(&instance).await, known);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_outcome_is_answered_again_or_asked_about_with_the_same_upstream_key() {
    Instance::on_each_engine(async |instance| {
        let id = service(&instance, impatient()).await;
        instance.provider.hold();
        let first = now(&instance).await;
        assert_eq!((first.delivered, instance.provider.requests().len()), (Delivered::Unknown, 1), "{first:?}");
        assert_eq!(before(&instance).await, first);
        // What was sent without a key is not recognised because the file declares one now.
        declare_a_key(&instance, 1);
        assert_eq!(before(&instance).await, first);

        instance.clock.advance_seconds(KEPT_SECONDS);
        let unknown = now(&instance).await;
        assert_eq!(unknown.delivered, Delivered::Unknown);
        // A refusal of the repetition is no word about the first.
        for _ in 0..3 {
            instance.provider.let_go();
        }
        instance.provider.answers(409, r#"{"error":"key in use"}"#);
        let refused = now(&instance).await;
        assert!(refused.body.starts_with(b"failed"), "{refused:?}");
        // Once the service may have forgotten, nothing is sent any more.
        instance.clock.advance_seconds(60 * 60);
        assert_eq!(before(&instance).await, refused);
        instance.clock.advance_seconds(-60 * 60);
        // Nor to a service that has been changed since.
        instance.clock.advance_seconds(1);
        let patch = PaymentServicePatch { fields: fields(&[("note", "other")]), ..PaymentServicePatch::default() };
        payment_services::update(&instance.engine, &default_scope(), &instance.request(), id, patch).await.unwrap();
        assert_eq!(before(&instance).await, refused);
        let keys = upstream_keys(&instance);
        assert!(keys.len() == 3 && keys[0].is_none() && keys[1].is_some() && keys[1] == keys[2], "{keys:?}");
    })
    .await;
}

/// The best service of a definition may be another one by the time that the request comes again.
#[tokio::test]
async fn an_unknown_outcome_is_not_tried_with_another_payment_service() {
    Instance::on_each_engine(async |instance| {
        declare_a_key(&instance, 24);
        service(&instance, NewPaymentService { position: Some(5), ..impatient() }).await;
        instance.provider.hold();
        let unknown = now(&instance).await;
        service(&instance, NewPaymentService { position: Some(1), ..impatient() }).await;
        assert_eq!(before(&instance).await, unknown);
        assert_eq!(instance.provider.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_came_to_nothing_is_done_again() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        for (status, body) in [(503, "{}"), (500, "{}"), (429, "{}"), (408, "{}"), (200, r#"{"id":"made-1"}"#)] {
            instance.provider.answers(status, body);
            now(&instance).await;
        }
        let last = before(&instance).await;
        assert!(last.body.starts_with(b"succeeded"), "{last:?}");
        assert_eq!((instance.provider.requests().len(), records(&instance).await.len()), (5, 5));
    })
    .await;
}

#[tokio::test]
async fn r03_of_many_at_once_one_is_carried_out() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        instance.provider.hold();
        let first = on_its_way(&instance).await;
        let mut others = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (engine, request) = (Arc::clone(&instance.engine), instance.request());
            others.spawn(async move { create_once(&engine, &default_scope(), &request, target(), BODY.into(), keyed("k")).await });
        }
        assert!(others.join_all().await.iter().all(is_concurrent));
        instance.provider.let_go();
        first.await.unwrap().unwrap();
        before(&instance).await;
        assert_eq!((instance.provider.requests().len(), records(&instance).await.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn r07_a_client_that_leaves_gets_its_answer_later() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        instance.provider.hold();
        let (engine, request) = (Arc::clone(&instance.engine), instance.request());
        let mut client = tokio::task::JoinSet::new();
        client.spawn(async move { create_once(&engine, &default_scope(), &request, target(), BODY.into(), keyed("k")).await.map(drop) });
        instance.provider.arrival().await;
        client.shutdown().await;
        instance.provider.let_go();
        let later = async {
            while is_concurrent(&ask(&instance, &instance.engine, BODY).await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(CALL_TIMEOUT, later).await.unwrap();
        let answer = before(&instance).await;
        assert!(answer.body.starts_with(b"succeeded"), "{answer:?}");
        assert_eq!(instance.provider.requests().len(), 1);
    })
    .await;
}
