//! Sessions on a real database and over a real socket.

use std::time::Duration;

use domain::page::Page;
use domain::session::{SessionRecord, SessionStatus};

use super::*;
use crate::payment_services::{self, NewPaymentService, PaymentServicePatch};
use crate::session_records::{self, Filter};
use crate::testing::instance::{Instance, acme, default_scope, fields, first_page};

const BODY: &str = r#"{ "amount": 1000, "currency":"EUR", "reference":"order-1", "x": 1.0 }"#;

async fn create_at(instance: &Instance, scope: &Scope, target: Target, body: &'static str) -> Result<(Session, Delivered), Refusal> {
    create(&instance.engine, scope, &instance.request(), target, Bytes::from_static(body.as_bytes())).await
}

fn by_definition(id: &str) -> Target {
    Target::Definition(id.to_owned())
}

async fn service(instance: &Instance, new: NewPaymentService) -> PaymentServiceId {
    payment_services::create(&instance.engine, &default_scope(), &instance.request(), new).await.unwrap().service.id
}

async fn records(instance: &Instance, scope: &Scope) -> Page<SessionRecord> {
    session_records::list(&instance.engine, scope, &first_page(), &Filter::default()).await.unwrap()
}

/// The place and the kind of a refusal.
fn refusal(result: Result<(Session, Delivered), Refusal>) -> String {
    match result.unwrap_err() {
        Refusal::Invalid(problems) => {
            let texts = problems.iter().map(|p| format!("{} {} {}", p.location.as_str(), p.pointer, p.kind));
            texts.collect::<Vec<_>>().join("; ")
        }
        Refusal::NotFound => "not found".to_owned(),
        Refusal::Internal(_) => "internal".to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn both_routes_reach_the_service_and_leave_one_record_each() {
    Instance::on_each_engine(async |instance| {
        let later = service(&instance, NewPaymentService { position: Some(9), ..acme() }).await;
        let first = service(&instance, NewPaymentService { position: Some(1), ..acme() }).await;
        let (session, delivered) = create_at(&instance, &default_scope(), by_definition("acme-card"), BODY).await.unwrap();
        assert_eq!((session.status, session.code, session.status_code), (SessionStatus::Succeeded, None, Some(200)));
        assert_eq!(session.response_body.unwrap().as_str(), r#"{"id":"made-1"}"#);
        assert_eq!(delivered, Delivered::Yes);
        let sent = &instance.provider.requests()[0];
        assert!(sent.starts_with("POST /sessions ") && sent.contains("Bearer test_0123456789abcdef"), "{sent}");
        assert!(sent.contains(r#"{ "amount": 1000, "currency":"EUR", "reference":"order-1", "x": 1.0"#), "{sent}");

        instance.clock.advance_seconds(1);
        instance.provider.answers(402, r#"{"error":"no_money"}"#);
        let (session, _) = create_at(&instance, &default_scope(), Target::Service(later), BODY).await.unwrap();
        assert_eq!((session.status, session.code), (SessionStatus::Failed, Some(SessionCode::InvalidServiceRequest)));

        let records = records(&instance, &default_scope()).await.items;
        let summary: Vec<_> =
            records.iter().map(|r| (r.payment_service_id, r.status_code, r.facts.service_session_id.as_deref())).collect();
        assert_eq!(summary, [(later, Some(402), None), (first, Some(200), Some("made-1"))]);
        let record = &records[1];
        assert_eq!((record.request_id.as_str(), record.definition_id.as_str()), ("request-1", "acme-card"));
        assert_eq!((record.facts.amount, record.facts.reference.as_deref()), (Some(1000), Some("order-1")));
        assert_eq!(record.definition_hash.len(), 8);
        assert_eq!(record.api_key_pair_id, instance.caller().actor().id);
        assert_eq!(session_records::get(&instance.engine, &default_scope(), record.id).await.unwrap().id, record.id);
        let other = instance.account("other").await;
        assert!(matches!(session_records::get(&instance.engine, &other, record.id).await, Err(Refusal::NotFound)));
    })
    .await;
}

/// Each input is wrong in everything that comes later too.
#[tokio::test]
async fn checks_come_in_the_promised_order() {
    Instance::on_each_engine(async |instance| {
        let id = service(&instance, NewPaymentService { active: false, ..acme() }).await;
        let silent = NewPaymentService { definition_id: "silent-card".to_owned(), fields: fields(&[("merchant_id", "m")]), ..acme() };
        let silent = service(&instance, silent).await;
        let other = instance.account("other").await;
        let unknown = PaymentServiceId(crate::testing::id(9_999_999));
        let wrong = "not JSON";
        let table = [
            (by_definition("unknown-card"), "not found"),
            (by_definition(""), "not found"),
            (by_definition("acme-ideal"), "path payment_service_definition_id not_supported"),
            (by_definition("silent-card"), "path payment_service_definition_id not_supported"),
            (by_definition("acme-card"), "not found"),
            (Target::Service(unknown), "not found"),
            (Target::Service(id), "path payment_service_id not_supported"),
            (Target::Service(silent), "path payment_service_id not_supported"),
        ];
        for (target, expected) in table {
            assert_eq!(refusal(create_at(&instance, &default_scope(), target.clone(), wrong).await), expected, "{target:?}");
        }
        assert_eq!(refusal(create_at(&instance, &other, Target::Service(id), wrong).await), "not found");
        assert!(instance.provider.requests().is_empty());
        assert!(records(&instance, &default_scope()).await.items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused_and_nothing_is_sent() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        let deep: &'static str = format!(r#"{{"a":{}{}}}"#, "[".repeat(64), "]".repeat(64)).leak();
        for (body, expected) in [
            ("", "body  missing"),
            (" \r\n", "body  missing"),
            ("{", "body  value_error"),
            ("{}{}", "body  value_error"),
            ("{\"a\":\"\u{1}\"}", "body  value_error"),
            ("[]", "body  type_error"),
            ("null", "body  type_error"),
            ("\"text\"", "body  type_error"),
            ("1", "body  type_error"),
            (deep, "body  value_error"),
            (r#"{"card":{"number":"4111111111111111"}}"#, "body /card not_supported"),
        ] {
            let found = refusal(create_at(&instance, &default_scope(), by_definition("acme-card"), body).await);
            assert!(found == expected || (body.contains("card") && found.starts_with("body /card ")), "{body}: {found}");
        }
        let found =
            refusal(create_at(&instance, &default_scope(), by_definition("acme-card"), r#"{"merchant":1,"merch\u0061nt":2}"#).await);
        assert!(found.starts_with("body "), "{found}");
        assert!(instance.provider.requests().is_empty());
    })
    .await;
}

#[tokio::test]
async fn credentials_that_lack_a_required_field_are_our_failure() {
    Instance::on_each_engine(async |instance| {
        let id = service(&instance, acme()).await;
        instance.redefine(|text| {
            text.replace(
                "note = { label = \"Note\", optional = true }",
                "note = { label = \"Note\", optional = true }\nnew = { label = \"New\" }",
            )
        });
        assert_eq!(refusal(create_at(&instance, &default_scope(), Target::Service(id), BODY).await), "internal");
        let patch = PaymentServicePatch { fields: fields(&[("new", "1")]), ..PaymentServicePatch::default() };
        payment_services::update(&instance.engine, &default_scope(), &instance.request(), id, patch).await.unwrap();
        create_at(&instance, &default_scope(), Target::Service(id), BODY).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_end_its_session() {
    Instance::on_each_engine(async |instance| {
        service(&instance, acme()).await;
        instance.provider.hold();
        let engine = Arc::clone(&instance.engine);
        let request = instance.request();
        let mut client = tokio::task::JoinSet::new();
        client.spawn(async move {
            create(&engine, &default_scope(), &request, by_definition("acme-card"), Bytes::from_static(BODY.as_bytes())).await
        });
        instance.provider.arrival().await;
        client.shutdown().await;
        instance.provider.let_go();
        assert!(instance.engine.drain(Duration::from_secs(30)).await, "draining waits for the session");
        let records = records(&instance, &default_scope()).await.items;
        assert_eq!((records.len(), records[0].status_code), (1, Some(200)));
        assert!(!instance.engine.health().ready, "a drained engine takes no requests");
    })
    .await;
}

#[tokio::test]
async fn a_panic_becomes_a_value() {
    let panicked = without_unwinding(async {
        tokio::task::yield_now().await;
        if BODY.len() > 1 {
            panic!("a connector's mistake");
        }
    })
    .await;
    assert_eq!(message_of(panicked.unwrap_err().as_ref()), "a connector's mistake");
    assert_eq!(without_unwinding(async { 7 }).await.unwrap(), 7);
}

#[tokio::test]
async fn records_are_kept_for_400_days() {
    Instance::on_each_engine(async |instance| {
        const DAY: i64 = 24 * 60 * 60;
        service(&instance, acme()).await;
        for _ in 0..2 {
            create_at(&instance, &default_scope(), by_definition("acme-card"), BODY).await.unwrap();
            instance.clock.advance_seconds(DAY);
        }
        // The first is 400 days and a second old, the other a day less.
        instance.clock.advance_seconds(398 * DAY + 1);
        assert_eq!(instance.engine.purge_records().await.unwrap(), 1);
        let kept = records(&instance, &default_scope()).await.items;
        assert_eq!(kept.len(), 1);
        assert_eq!(instance.engine.purge_records().await.unwrap(), 0);
        instance.clock.advance_seconds(DAY);
        assert_eq!(instance.engine.purge_records().await.unwrap(), 1);
    })
    .await;
}
