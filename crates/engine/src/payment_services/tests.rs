//! Payment services on a real database.

use domain::page::PageRequest;
use domain::payment_service::FieldSet;

use super::*;
use crate::sessions::{self, Target};
use crate::testing::instance::{ANYTHING_GOES, Instance, acme, default_scope, fields, first_page};
use crate::{Rules, StartError};

fn problems<T>(result: Result<T, Refusal>) -> Vec<(String, &'static str)> {
    match result {
        Err(Refusal::Invalid(problems)) => problems.into_iter().map(|problem| (problem.pointer, problem.kind)).collect(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was done"),
    }
}

fn at(pointer: &str, kind: &'static str) -> (String, &'static str) {
    (pointer.to_owned(), kind)
}

async fn created(instance: &Instance) -> PaymentServiceView {
    create(&instance.engine, &default_scope(), &instance.request(), acme()).await.unwrap()
}

async fn updated(instance: &Instance, id: PaymentServiceId, sent: &[(&str, &str)]) -> Result<PaymentServiceView, Refusal> {
    let patch = PaymentServicePatch { fields: fields(sent), ..PaymentServicePatch::default() };
    update(&instance.engine, &default_scope(), &instance.request(), id, patch).await
}

async fn stored_fields(instance: &Instance, id: PaymentServiceId) -> Vec<SealedField> {
    let mut tx = instance.engine.database().read().await.unwrap();
    stored::fields(&mut tx, &default_scope(), id).await.unwrap()
}

async fn session(instance: &Instance, id: PaymentServiceId) -> Result<u16, Refusal> {
    let request = instance.request();
    let body = r#"{"amount":1000}"#.into();
    let made = sessions::create(&instance.engine, &default_scope(), &request, Target::Service(id), body).await;
    made.map(|(session, _)| session.status_code.unwrap())
}

#[tokio::test]
async fn creating_seals_secrets_takes_a_position_and_is_audited() {
    Instance::on_each_engine(async |instance| {
        let before = instance.engine.snapshot().version();
        let first = created(&instance).await;
        let at_seven = NewPaymentService { position: Some(7), ..acme() };
        let second = create(&instance.engine, &default_scope(), &instance.request(), at_seven).await.unwrap();
        assert_eq!(second.service.settings.position, 7);
        assert_eq!(created(&instance).await.service.settings.position, 8);
        assert_eq!(first.service.settings.position, 1);
        assert_eq!(first.service.method, "card");
        assert_eq!(first.fields, fields(&[("merchant", "shop-1"), ("note", "hello")]));
        assert!(instance.engine.snapshot().version() >= before + 3);
        let callable = instance.engine.snapshot();
        assert_eq!(callable.callable_service(&default_scope(), "acme-card").unwrap().service.id, first.service.id);

        let sealed = stored_fields(&instance, first.service.id).await;
        assert_eq!(sealed.len(), 3);
        assert!(sealed.iter().all(|field| field.secret == (field.key == "api_key") && field.set == FieldSet::Credentials));
        let mut files = Vec::new();
        for file in std::fs::read_dir(instance.directory.path()).unwrap() {
            files.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        for secret in ["test_0123456789abcdef", "shop-1"] {
            assert!(!files.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is on the disk");
        }

        let (caller, filter) = (instance.caller(), crate::audit::Filter::default());
        let entries = crate::audit::list(&instance.engine, &caller, &instance.request(), &default_scope(), &first_page(), &filter)
            .await
            .unwrap()
            .items;
        let entry = entries.into_iter().find(|entry| entry.resource_id == first.service.id.to_string()).unwrap();
        assert_eq!(
            (entry.action, entry.resource_type.as_str(), entry.resource_name.as_str()),
            (AuditAction::Created, "payment-service", "Acme")
        );
        assert_eq!((entry.actor_name.as_str(), entry.request_id.as_str(), entry.origin.as_str()), ("First", "request-1", "192.0.2.1"));
    })
    .await;
}

#[tokio::test]
async fn creating_names_every_problem_and_stores_nothing() {
    Instance::on_each_engine(async |instance| {
        let attempt = |new| async { problems(create(&instance.engine, &default_scope(), &instance.request(), new).await) };
        let unknown = NewPaymentService { definition_id: "acme-unknown".to_owned(), ..acme() };
        assert_eq!(attempt(unknown).await, [at("/payment_service_definition_id", "unknown_reference")]);
        let wrong = NewPaymentService {
            fields: fields(&[("nonsense", "1"), ("api_key", "live_1"), ("region", "mars"), ("region", "eu"), ("mode", "elsewhere")]),
            reporting_fields: fields(&[("sftp", "x")]),
            ..acme()
        };
        let found = attempt(wrong).await;
        for expected in ["/fields/0", "/fields/2", "/fields/3", "/fields/4", "/reporting_fields/0"] {
            assert!(found.iter().any(|(pointer, _)| pointer == expected), "{expected} in {found:?}");
        }
        assert!(found.contains(&at("/fields", "missing")), "merchant is missing: {found:?}");
        let none = list(&instance.engine, &default_scope(), &first_page(), &Filter { method: None, deleted: false }).await.unwrap();
        assert!(none.items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn updating_merges_fields_by_key() {
    Instance::on_each_engine(async |instance| {
        let id = created(&instance).await.service.id;
        let view = updated(&instance, id, &[("note", ""), ("region", "us")]).await.unwrap();
        assert_eq!(view.fields, fields(&[("merchant", "shop-1"), ("region", "us")]));
        assert_eq!(get(&instance.engine, &default_scope(), id).await.unwrap().fields, view.fields);

        assert_eq!(problems(updated(&instance, id, &[("note", "x"), ("api_key", "")]).await), [at("/fields/1", "missing")]);
        assert_eq!(problems(updated(&instance, id, &[("nonsense", "x")]).await).len(), 1);
        // The stored key is one of the sandbox, and is not sent: the list is at fault.
        let live = problems(updated(&instance, id, &[("mode", "live")]).await);
        assert_eq!(live, [at("/fields", "value_error")]);
        assert_eq!(get(&instance.engine, &default_scope(), id).await.unwrap().fields, view.fields, "nothing has changed");
        updated(&instance, id, &[("mode", "live"), ("api_key", "live_1")]).await.unwrap();

        let patch = PaymentServicePatch {
            display_name: Patch::Value("Renamed".to_owned()),
            active: Patch::Value(false),
            position: Patch::Null,
            three_d_secure_enabled: Patch::Value(true),
            merchant_profile: Patch::Value("{}".to_owned()),
            ..PaymentServicePatch::default()
        };
        instance.clock.advance_seconds(5);
        let view = update(&instance.engine, &default_scope(), &instance.request(), id, patch).await.unwrap();
        let settings = &view.service.settings;
        assert_eq!((settings.display_name.as_str(), settings.active, settings.position), ("Renamed", false, 1));
        assert!(view.service.updated_at > view.service.created_at);
        let patch =
            PaymentServicePatch { three_d_secure_enabled: Patch::Null, merchant_profile: Patch::Null, ..PaymentServicePatch::default() };
        let view = update(&instance.engine, &default_scope(), &instance.request(), id, patch).await.unwrap();
        assert!(!view.service.settings.three_d_secure_enabled && view.service.settings.merchant_profile.is_none());
        assert!(instance.engine.snapshot().callable_service(&default_scope(), "acme-card").is_none(), "it is not active");
    })
    .await;
}

#[tokio::test]
async fn a_service_of_another_account_is_not_there() {
    Instance::on_each_engine(async |instance| {
        let id = created(&instance).await.service.id;
        let other = instance.account("other").await;
        let (engine, request) = (&instance.engine, &instance.request());
        assert!(matches!(get(engine, &other, id).await, Err(Refusal::NotFound)));
        assert!(matches!(update(engine, &other, request, id, PaymentServicePatch::default()).await, Err(Refusal::NotFound)));
        assert!(matches!(delete(engine, &other, request, id).await, Err(Refusal::NotFound)));
        let page = list(engine, &other, &first_page(), &Filter { method: None, deleted: false }).await.unwrap();
        assert!(page.items.is_empty());
        let own = create(engine, &other, request, acme()).await.unwrap();
        assert_eq!((own.service.settings.position, own.fields.len()), (1, 2), "positions and keys are per account");
    })
    .await;
}

#[tokio::test]
async fn deleting_is_soft_and_takes_the_secrets() {
    Instance::on_each_engine(async |instance| {
        let id = created(&instance).await.service.id;
        let (engine, scope, request) = (&instance.engine, &default_scope(), &instance.request());
        delete(engine, scope, request, id).await.unwrap();
        assert!(matches!(delete(engine, scope, request, id).await, Err(Refusal::NotFound)));
        assert!(matches!(get(engine, scope, id).await, Err(Refusal::NotFound)));
        assert!(matches!(updated(&instance, id, &[("note", "x")]).await, Err(Refusal::NotFound)));
        assert!(matches!(session(&instance, id).await, Err(Refusal::NotFound)));
        let listed = async |deleted| list(engine, scope, &first_page(), &Filter { method: None, deleted }).await.unwrap().items;
        assert!(listed(false).await.is_empty());
        let deleted = listed(true).await;
        assert_eq!((deleted.len(), deleted[0].service.is_deleted), (1, true));
        assert_eq!(deleted[0].fields, fields(&[("merchant", "shop-1"), ("note", "hello")]));
        assert!(stored_fields(&instance, id).await.iter().all(|field| !field.secret));
    })
    .await;
}

#[tokio::test]
async fn credentials_do_not_open_for_hosts_they_were_not_entered_for() {
    Instance::on_each_engine(async |instance| {
        let id = created(&instance).await.service.id;
        assert_eq!(session(&instance, id).await.unwrap(), 200);
        instance.redefine(|text| text.replace("https://api.acme.example", "https://api.evil.example"));
        assert!(matches!(session(&instance, id).await, Err(Refusal::Internal(_))));
        assert!(get(&instance.engine, &default_scope(), id).await.unwrap().fields.is_empty());
        let found = problems(updated(&instance, id, &[("api_key", "test_1")]).await);
        assert_eq!(found, [at("/fields", "missing"), at("/fields", "missing")], "merchant and note were entered for other hosts");
        // What does not touch the fields goes on.
        updated(&instance, id, &[]).await.unwrap();
        updated(&instance, id, &[("api_key", "test_1"), ("merchant", "shop-2"), ("note", "")]).await.unwrap();
        assert_eq!(session(&instance, id).await.unwrap(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_renamed_field_keeps_its_value_and_a_new_secret_is_not_shown() {
    Instance::on_each_engine(async |instance| {
        instance.redefine(|text| {
            text.replace("merchant = { label = \"Merchant\", renamed_from = \"shop\" }", "shop = { label = \"Shop\" }")
                .replace("field.merchant", "field.shop")
        });
        let new = NewPaymentService { fields: fields(&[("api_key", "test_1"), ("shop", "shop-1"), ("note", "hello")]), ..acme() };
        let id = create(&instance.engine, &default_scope(), &instance.request(), new).await.unwrap().service.id;
        instance.redefine(str::to_owned);
        assert_eq!(get(&instance.engine, &default_scope(), id).await.unwrap().fields, fields(&[("merchant", "shop-1"), ("note", "hello")]));
        assert_eq!(session(&instance, id).await.unwrap(), 200);
        assert!(instance.provider.requests()[0].contains(r#""merchant":"shop-1""#));
        updated(&instance, id, &[("merchant", "shop-2")]).await.unwrap();
        let keys: Vec<String> = stored_fields(&instance, id).await.into_iter().map(|field| field.key).collect();
        assert_eq!(keys, ["api_key", "merchant", "note"], "the former key is gone");
        instance.redefine(|text| text.replace("label = \"Note\"", "label = \"Note\", secret = true"));
        assert_eq!(get(&instance.engine, &default_scope(), id).await.unwrap().fields, fields(&[("merchant", "shop-2")]));
    })
    .await;
}

#[tokio::test]
async fn a_service_without_definition_lists_and_can_not_be_called() {
    Instance::on_each_engine(async |instance| {
        let id = created(&instance).await.service.id;
        assert_eq!(instance.engine.health(), crate::Health { ready: true, reasons: Vec::new() });
        instance.redefine(|text| text.replace("card = { name", "eps = { name"));
        let view = get(&instance.engine, &default_scope(), id).await.unwrap();
        assert!(view.fields.is_empty());
        assert!(matches!(session(&instance, id).await, Err(Refusal::Internal(_))));
        assert_eq!(problems(updated(&instance, id, &[("note", "x")]).await), [at("/fields", "not_supported")]);
        let health = instance.engine.health();
        assert!(health.ready && health.reasons.len() == 1 && health.reasons[0].contains(&id.to_string()), "{health:?}");
    })
    .await;
}

#[tokio::test]
async fn pages_go_through_the_list_and_other_cursors_are_refused() {
    Instance::on_each_engine(async |instance| {
        for _ in 0..5 {
            instance.clock.advance_seconds(1);
            created(&instance).await;
        }
        let filter = Filter { method: Some("card".to_owned()), deleted: false };
        let mut cursor = None;
        let mut positions = Vec::new();
        loop {
            let page = list(&instance.engine, &default_scope(), &PageRequest { limit: 2, cursor }, &filter).await.unwrap();
            positions.extend(page.items.iter().map(|view| view.service.settings.position));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(positions, [5, 4, 3, 2, 1]);
        let page = PageRequest { limit: 1, cursor: None };
        let definitions = crate::definitions::list(&instance.engine, &page).unwrap();
        let foreign = PageRequest { limit: 2, cursor: definitions.next };
        assert_eq!(problems(list(&instance.engine, &default_scope(), &foreign, &filter).await), [at("cursor", "value_error")]);
    })
    .await;
}

#[tokio::test]
async fn services_that_do_not_belong_here_stop_the_start() {
    Instance::on_each_engine(async |instance| {
        let sandbox = created(&instance).await.service.id;
        let live = NewPaymentService { fields: fields(&[("api_key", "live_1"), ("merchant", "shop"), ("mode", "live")]), ..acme() };
        let live = create(&instance.engine, &default_scope(), &instance.request(), live).await.unwrap().service.id;
        let simulated =
            NewPaymentService { fields: fields(&[("api_key", "test_1"), ("merchant", "shop"), ("mode", "simulator")]), ..acme() };
        let simulated = create(&instance.engine, &default_scope(), &instance.request(), simulated).await.unwrap().service.id;
        let named = async |environment, simulators| match instance.another(Rules { environment, simulators, ..ANYTHING_GOES }).await {
            Err(StartError::Environment(names)) => names.join("\n"),
            Err(other) => panic!("{other}"),
            Ok(_) => String::new(),
        };
        use connectors::credentials::Environment::{Live, Sandbox};
        let check = |names: String, expected: &[PaymentServiceId]| {
            for id in [sandbox, live, simulated] {
                assert_eq!(names.contains(&id.to_string()), expected.contains(&id), "{id} in {names}");
            }
        };
        check(named(None, true).await, &[]);
        check(named(Some(Sandbox), true).await, &[live]);
        check(named(Some(Live), true).await, &[sandbox]);
        check(named(None, false).await, &[simulated]);
        check(named(Some(Sandbox), false).await, &[live, simulated]);
    })
    .await;
}

#[tokio::test]
async fn verifying_asks_the_payment_service() {
    Instance::on_each_engine(async |instance| {
        let id = created(&instance).await.service.id;
        let ask = async |definition: &str, payment_service_id, sent: &[(&str, &str)]| {
            let input = VerifyCredentials { definition_id: definition.to_owned(), payment_service_id, fields: fields(sent) };
            verify(&instance.engine, &default_scope(), input).await
        };
        let sent = [("merchant", "m"), ("api_key", "test_new")];
        ask("acme-card", None, &sent).await.unwrap();
        assert!(instance.provider.requests()[0].starts_with("GET /me ") && instance.provider.requests()[0].contains("Bearer test_new"));
        ask("acme-card", Some(id), &[]).await.unwrap();
        assert!(instance.provider.requests()[1].contains("Bearer test_0123456789abcdef"), "stored values fill what is not sent");

        instance.provider.answers(401, "{}");
        let refused = problems(ask("acme-card", None, &sent).await);
        assert!(
            !refused.is_empty() && refused.iter().all(|(pointer, kind)| pointer.starts_with("/fields/") && *kind == "value_error"),
            "{refused:?}"
        );
        assert_eq!(problems(ask("acme-card", Some(id), &[]).await), [at("/fields", "value_error")]);
        instance.provider.answers(503, "{}");
        assert!(matches!(ask("acme-card", None, &sent).await, Err(Refusal::BadGateway)));

        let calls = instance.provider.requests().len();
        assert_eq!(problems(ask("unknown", None, &sent).await), [at("/payment_service_definition_id", "unknown_reference")]);
        assert_eq!(problems(ask("acme-card", None, &[("api_key", "test_1")]).await), [at("/fields", "missing")]);
        assert_eq!(problems(ask("acme-ideal", Some(id), &[]).await), [at("/payment_service_id", "conflict")]);
        assert_eq!(problems(ask("silent-card", None, &[]).await), [at("/payment_service_definition_id", "not_supported")]);
        let other = instance.account("other").await;
        let input = VerifyCredentials { definition_id: "acme-card".to_owned(), payment_service_id: Some(id), fields: Vec::new() };
        assert!(matches!(verify(&instance.engine, &other, input).await, Err(Refusal::NotFound)));
        assert_eq!(instance.provider.requests().len(), calls, "none of these was asked");
    })
    .await;
}
