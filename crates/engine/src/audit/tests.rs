//! Events, checkpoints and verification on a real database.

use domain::audit::{AuditEvent, ChainHash};
use domain::{Patch, Timestamp};
use serde_json::Value;
use store::audit_log::chain::{self, Stored};
use store::audit_log::journal;
use store::scratch;

use super::*;
use crate::key_pairs::{self, ApiKeyPairPatch};
use crate::signing::SigningKey;
use crate::testing::instance::{Instance, ORIGIN, default_scope, first_page};
use crate::testing::root_key;

async fn events(instance: &Instance, event: AuditEvent) -> Vec<JournalEntry> {
    let filter = JournalFilter {
        before: i64::MAX,
        action: Some(event.to_string()),
        actor_id: None,
        actor_name: None,
        since: Timestamp::from_micros(0),
        until: Timestamp::from_micros(i64::MAX),
        limit: 100,
    };
    let mut tx = instance.engine.database().read().await.unwrap();
    journal::list(&mut tx, &filter).await.unwrap()
}

fn detail(entry: &JournalEntry, member: &str) -> Value {
    serde_json::from_str::<Value>(&entry.details).unwrap()[member].clone()
}

async fn verdict(instance: &Instance, checkpoints: &[Checkpoint]) -> Verdict {
    let mut tx = instance.engine.database().read().await.unwrap();
    verify(&mut tx, checkpoints).await.unwrap()
}

#[tokio::test]
async fn refused_tokens_are_counted_and_the_first_is_seen_at_once() {
    Instance::on_each_engine(async |instance| {
        let engine = &instance.engine;
        let stranger = SigningKey::generate();
        for _ in 0..50 {
            assert!(engine.authenticate("no.token.atall", ORIGIN).is_err());
            assert!(engine.authenticate(&instance.token(&stranger, &["*.read"]), ORIGIN).is_err());
        }
        engine.write_audit_events().await;
        let seen = events(&instance, AuditEvent::AuthenticationFailed).await;
        assert_eq!(seen.len(), 2, "{seen:?}");
        for (reason, kid) in [("malformed", Value::Null), ("unknown_key", stranger.public().thumbprint().into())] {
            let entry = seen.iter().find(|entry| detail(entry, "reason") == reason).unwrap();
            assert_eq!((detail(entry, "kid"), detail(entry, "count")), (kid, 50.into()), "{reason}");
            assert_eq!((entry.origin.as_str(), entry.resource_type.as_str(), entry.actor_id), ("192.0.2.1", "token", None));
        }
        assert!(engine.authenticate("no.token.atall", ORIGIN).is_err());
        engine.write_audit_events().await;
        assert_eq!(events(&instance, AuditEvent::AuthenticationFailed).await.len(), 2, "the next ones wait for their minute");
        engine.write_last_audit_events().await;
        assert_eq!(events(&instance, AuditEvent::AuthenticationFailed).await.len(), 3, "unless it is the end");
        assert!(matches!(verdict(&instance, &[]).await, Verdict::Sound(_)));
    })
    .await;
}

#[tokio::test]
async fn a_key_pair_that_is_revoked_is_named_when_it_comes_back() {
    Instance::on_each_engine(async |instance| {
        let engine = &instance.engine;
        let key = instance.bound_key(&["full-access"], &["default"]).await;
        let pair = instance.caller_of(&key, &["*.read"]).actor().id;
        let off = ApiKeyPairPatch { active: Patch::Value(false), ..ApiKeyPairPatch::default() };
        key_pairs::update(engine, &instance.caller(), &instance.request(), pair, off).await.unwrap();
        assert!(engine.authenticate(&instance.token(&key, &["*.read"]), ORIGIN).is_err());
        key_pairs::delete(engine, &instance.caller(), &instance.request(), pair).await.unwrap();
        // Before and after the task has looked which key pairs are gone.
        assert!(engine.authenticate(&instance.token(&key, &["*.read"]), ORIGIN).is_err());
        engine.write_audit_events().await;
        assert!(engine.authenticate(&instance.token(&key, &["*.read"]), ORIGIN).is_err());
        engine.write_last_audit_events().await;
        let seen = events(&instance, AuditEvent::RevokedKeyUsed).await;
        let mut reasons: Vec<String> = seen.iter().map(|entry| detail(entry, "reason").to_string()).collect();
        reasons.sort();
        assert_eq!(reasons, ["\"deleted_key\"", "\"deleted_key\"", "\"inactive_key\""], "{seen:?}");
        for entry in &seen {
            assert_eq!((entry.resource_type.as_str(), entry.resource_id.clone()), ("api-key-pair", pair.to_string()));
            assert_eq!((entry.resource_name.as_str(), detail(entry, "kid")), ("Bound", key.public().thumbprint().into()));
        }
        assert_eq!(events(&instance, AuditEvent::AuthenticationFailed).await, []);
    })
    .await;
}

#[tokio::test]
async fn readers_starts_stops_and_commands_have_an_entry_each_that_the_api_does_not_show() {
    Instance::on_each_engine(async |instance| {
        let engine = &instance.engine;
        let read = async || {
            let filter = Filter::default();
            list(engine, &instance.caller(), &instance.request(), &default_scope(), &first_page(), &filter).await.unwrap().items
        };
        let before = read().await;
        engine.note_server_started("http://127.0.0.1:1", "1.2.3");
        engine.note_server_stopped();
        engine.write_audit_events().await;
        let mut tx = engine.database().write().await.unwrap();
        record_command(&mut tx, engine.clock.as_ref(), engine.ids(), "tollhouse restore", "{}").await.unwrap();
        tx.commit().await.unwrap();
        let seen = events(&instance, AuditEvent::AuditRead).await;
        let [entry] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(
            (entry.actor_id, entry.request_id.as_str(), entry.origin.as_str()),
            (Some(instance.caller().actor().id), "request-1", "192.0.2.1")
        );
        assert_eq!(entry.merchant_account_id.as_deref(), Some("default"));
        let (started, stopped) = (events(&instance, AuditEvent::ServerStarted).await, events(&instance, AuditEvent::ServerStopped).await);
        assert_eq!((started.len(), stopped.len()), (1, 1));
        assert_eq!(started[0].resource_id, stopped[0].resource_id);
        assert_eq!((started[0].resource_name.as_str(), detail(&started[0], "version")), ("http://127.0.0.1:1", "1.2.3".into()));
        assert_eq!(events(&instance, AuditEvent::CommandRun).await[0].actor_name, "tollhouse restore");
        assert_eq!(read().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_is_written_when_the_log_has_grown_and_holds() {
    Instance::on_each_engine(async |instance| {
        let engine = &instance.engine;
        let file = CheckpointFile::at(instance.directory.path().join("checkpoints"));
        let lines = || file.read().unwrap().unwrap();
        for _ in 0..3 {
            engine.keep_checkpoint(&file).await.unwrap();
        }
        assert_eq!(lines().len(), 1, "nothing has happened");
        instance.account("a").await;
        engine.keep_checkpoint(&file).await.unwrap();
        assert_eq!(lines().len(), 2);
        let Verdict::Sound(sound) = verdict(&instance, &lines()).await else { panic!("unsound") };
        assert_eq!((sound.checkpoints, sound.head.sequence, sound.head.hash), (2, lines()[1].sequence, lines()[1].hash));
        assert!(lines().iter().all(|line| line.is_signed_by(&root_key())));
    })
    .await;
}

/// The file of an instance on SQLite; a PostgreSQL database has another place.
fn sqlite(instance: &Instance) -> Option<String> {
    let path = instance.directory.path().join("test.db");
    path.exists().then(|| format!("sqlite://{}", path.display()))
}

/// Computes all hashes anew, as somebody would who knows how and can write the database.
async fn recompute(instance: &Instance, url: &str) {
    let mut tx = instance.engine.database().read().await.unwrap();
    let (mut previous, mut sql) = (ChainHash::BEFORE_THE_FIRST, String::new());
    for stored in chain::entries_after(&mut tx, 0).await.unwrap() {
        let Stored::Readable(columns) = stored else { panic!("{stored:?}") };
        previous = columns.hash_after(&previous);
        let sequence = columns.sequence();
        sql += &format!("UPDATE audit_log SET hash = x'{previous}' WHERE sequence = {sequence};");
        sql += &format!("UPDATE instance SET audit_sequence = {sequence}, audit_chained = {sequence}, audit_head = x'{previous}';");
    }
    drop(tx);
    scratch::execute(url, &sql).await.unwrap();
}

#[tokio::test]
async fn a_log_that_was_rewritten_or_cut_off_with_all_its_hashes_contradicts_its_checkpoints() {
    Instance::on_each_engine(async |instance| {
        let Some(url) = sqlite(&instance) else { return };
        let engine = &instance.engine;
        let file = CheckpointFile::at(instance.directory.path().join("checkpoints"));
        for account in ["a", "b", "c"] {
            instance.account(account).await;
            engine.keep_checkpoint(&file).await.unwrap();
        }
        let lines = file.read().unwrap().unwrap();
        let [first, second, third] = lines.as_slice() else { panic!("{lines:?}") };
        let edit = format!("UPDATE audit_log SET actor_name = 'Somebody else' WHERE sequence = {}", second.sequence);
        scratch::execute(&url, &edit).await.unwrap();
        let flawed = |sequence, flaw| Verdict::Flawed(Finding { sequence, flaw });
        assert_eq!(verdict(&instance, &lines).await, flawed(second.sequence, Flaw::Changed));
        recompute(&instance, &url).await;
        assert!(matches!(verdict(&instance, &[]).await, Verdict::Sound(_)), "the hashes alone do not tell");
        let rewritten = Flaw::Rewritten { checkpoint: second.sequence };
        assert_eq!(verdict(&instance, &lines).await, flawed(first.sequence + 1, rewritten));
        let refused = engine.keep_checkpoint(&file).await.unwrap_err();
        assert!(matches!(refused, KeepError::Rewritten { sequence, .. } if sequence == third.sequence), "{refused}");
        scratch::execute(&url, &format!("DELETE FROM audit_log WHERE sequence > {}", first.sequence)).await.unwrap();
        recompute(&instance, &url).await;
        assert!(matches!(verdict(&instance, &[]).await, Verdict::Sound(_)), "the hashes alone do not tell");
        assert_eq!(verdict(&instance, &lines).await, flawed(first.sequence + 1, Flaw::CutOff { checkpoint: third.sequence }));
        let refused = engine.keep_checkpoint(&file).await.unwrap_err();
        assert!(matches!(refused, KeepError::Behind { checkpoint, .. } if checkpoint == third.sequence), "{refused}");
        assert_eq!(file.read().unwrap().unwrap(), lines, "the evidence stays");
    })
    .await;
}
