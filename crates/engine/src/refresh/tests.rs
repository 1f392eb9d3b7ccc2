//! Two engines on one database.

use crate::payment_services::{self, PaymentServicePatch};
use crate::sessions::{self, Target};
use crate::snapshot::Snapshot;
use crate::testing::instance::{ANYTHING_GOES, Instance, acme, default_scope, fields};
use crate::testing::root_keys;
use crate::testing::warnings::Warnings;

#[tokio::test]
async fn another_instance_sees_a_change_when_it_looks() {
    Instance::on_each_engine(async |instance| {
        let other = instance.another(ANYTHING_GOES).await.unwrap();
        let scope = instance.account("shop").await;
        let view = payment_services::create(&instance.engine, &scope, &instance.request(), acme()).await.unwrap();
        let id = view.service.id;
        // The data key was made here; the other instance fetches it when it meets a value that needs it.
        assert_eq!(payment_services::get(&other, &scope, id).await.unwrap().fields, view.fields);

        let patch = PaymentServicePatch { fields: fields(&[("note", "changed")]), ..PaymentServicePatch::default() };
        payment_services::update(&instance.engine, &scope, &instance.request(), id, patch).await.unwrap();
        let before = other.snapshot().version();
        other.poll_version().await.unwrap();
        assert!(other.snapshot().version() > before);
        assert_eq!(other.snapshot().version(), instance.engine.snapshot().version());
        let same = other.snapshot();
        other.poll_version().await.unwrap();
        assert!(std::sync::Arc::ptr_eq(&same, &other.snapshot()), "nothing is loaded when nothing has moved");
        let body = r#"{"amount":1}"#.into();
        sessions::create(&other, &scope, &instance.request(), Target::Service(id), body).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn snapshots_never_go_back() {
    Instance::on_each_engine(async |instance| {
        let mut tasks = tokio::task::JoinSet::new();
        let request = instance.request();
        for _ in 0..8 {
            let (engine, request) = (std::sync::Arc::clone(&instance.engine), request.clone());
            tasks.spawn(async move {
                let before = engine.snapshot().version();
                let view = payment_services::create(&engine, &default_scope(), &request, acme()).await.unwrap();
                let after = engine.snapshot();
                assert!(after.version() > before);
                assert!(after.service(&default_scope(), view.service.id).is_some(), "what was written is seen at once");
            });
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome.unwrap();
        }
        let mut positions: Vec<i64> = instance.engine.snapshot().services().map(|service| service.service.settings.position).collect();
        positions.sort_unstable();
        assert_eq!(positions, (1..=8).collect::<Vec<_>>(), "no two services take the same place at once");
    })
    .await;
}

#[tokio::test]
async fn a_database_that_has_gone_back_is_warned_of_once() {
    Instance::on_each_engine(async |instance| {
        let engine = &instance.engine;
        let stored = async |ahead: i64| {
            let mut tx = engine.database().read().await.unwrap();
            let mut stored = store::snapshot::load(&mut tx).await.unwrap();
            stored.version += ahead;
            std::sync::Arc::new(Snapshot::build(stored, &root_keys(), None).unwrap())
        };
        // What this instance has seen and a restored backup does not know.
        let newer = stored(5).await;
        let warnings = Warnings::listen();
        for expected in 1..=2 {
            engine.snapshot.store(std::sync::Arc::clone(&newer));
            for _ in 0..3 {
                engine.poll_version().await.unwrap();
                assert_eq!(warnings.count(), expected);
                assert!(std::sync::Arc::ptr_eq(&engine.snapshot(), &newer), "a snapshot never goes back");
            }
            // The database has caught up; if it goes back again, that is news.
            engine.snapshot.store(stored(-1).await);
            engine.poll_version().await.unwrap();
            assert_eq!((warnings.count(), engine.snapshot().version()), (expected, newer.version() - 5));
        }
    })
    .await;
}
