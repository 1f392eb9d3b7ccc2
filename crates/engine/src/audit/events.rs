//! Events of the audit log: what happens without changing anything. They are noted where they happen and written by a task of their own, in groups, never while a request waits.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

use domain::audit::{AuditEntry, AuditEvent};
use domain::{AuditEntryId, MerchantAccountId};
use serde_json::{Map, Value, json};
use store::audit_log::{self, journal};
use store::{StoreError, Tx};
use tokio::time::Instant;

use super::refused_tokens::{Kind, REPEAT_EVERY, RefusedTokens, Tally};
use crate::token::{Rejection, kid_of};
use crate::{Clock, Engine, Ids, Request};

/// Entries that wait to be written. While the database is away this is some minutes of somebody who reads the log again and again.
const QUEUE_MAX: usize = 1_000;
/// Entries that one transaction writes: a change waits for it for some milliseconds.
const BATCH_MAX: usize = 100;
/// Characters of a thumbprint (SHA-256 in base64url). Only such a `kid` is written down: whatever else somebody sends as one is not.
const KID_CHARACTERS: usize = 43;

/// An event, and its details: a JSON object, or nothing.
type Detailed = (AuditEntry<AuditEvent>, String);

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Events {
    queue: Mutex<VecDeque<Detailed>>,
    refused: Mutex<RefusedTokens>,
    deleted: Mutex<DeletedKeyPairs>,
    /// Which server, from its start to its stop.
    server: OnceLock<Server>,
    /// Held by whoever writes.
    writing: tokio::sync::Mutex<Writing>,
}

/// Key pairs that are gone, by thumbprint.
#[derive(Default)]
struct DeletedKeyPairs {
    by_kid: HashMap<String, (String, String)>,
    /// The version of the configuration that they are of.
    version: Option<i64>,
}

struct Server {
    id: String,
    address: String,
    version: &'static str,
}

#[derive(Default)]
struct Writing {
    /// Whether the last attempt has failed.
    fails: bool,
}

/// Writes down, in the transaction that does the work, that a command of the operator's has worked on the database itself. The details are a JSON object, or nothing.
pub async fn record_command(tx: &mut Tx, clock: &dyn Clock, ids: &dyn Ids, command: &str, details: &str) -> Result<(), StoreError> {
    let now = clock.now();
    let entry = AuditEntry {
        id: AuditEntryId(ids.v7(now)),
        merchant_account_id: None,
        action: AuditEvent::CommandRun,
        resource_type: "database".to_owned(),
        resource_id: String::new(),
        resource_name: String::new(),
        actor_id: None,
        actor_name: command.to_owned(),
        request_id: command.to_owned(),
        origin: String::new(),
        created_at: now,
    };
    audit_log::append_with(tx, &entry, details).await.map(|_| ())
}

impl Engine {
    /// Notes that this server begins to answer, and where.
    pub fn note_server_started(&self, address: &str, version: &'static str) {
        let server = || Server { id: self.ids.v4().to_string(), address: address.to_owned(), version };
        let server = self.events.server.get_or_init(server);
        self.note_event(self.server_event(AuditEvent::ServerStarted, server));
    }

    /// Notes that this server ends in order.
    pub fn note_server_stopped(&self) {
        if let Some(server) = self.events.server.get() {
            self.note_event(self.server_event(AuditEvent::ServerStopped, server));
        }
    }

    /// Writes what is due. To be called every second, so that what happens is soon seen.
    pub async fn write_audit_events(&self) {
        self.write_events_before(Instant::now().checked_sub(REPEAT_EVERY)).await;
    }

    /// Writes everything; what can not be written now is lost.
    pub async fn write_last_audit_events(&self) {
        self.write_events_before(Some(Instant::now())).await;
        let lost = self.events.queue().drain(..).count();
        if lost > 0 {
            dropped(lost);
            tracing::error!(events = lost, "Events of the audit log could not be written and are lost.");
        }
    }

    pub(crate) fn note_audit_read(&self, request: &Request, account: &MerchantAccountId) {
        let now = self.now();
        let entry = AuditEntry {
            id: AuditEntryId(self.ids.v7(now)),
            merchant_account_id: Some(account.clone()),
            action: AuditEvent::AuditRead,
            resource_type: "audit-log".to_owned(),
            resource_id: String::new(),
            resource_name: String::new(),
            actor_id: Some(request.actor.id),
            actor_name: request.actor.name.clone(),
            request_id: request.request_id.clone(),
            origin: request.origin.clone(),
            created_at: now,
        };
        self.note_event((entry, String::new()));
    }

    /// Counts a token that was refused.
    pub(crate) fn note_refused_token(&self, token: &str, origin: IpAddr, reason: Rejection) {
        let kid = kid_of(token).filter(|kid| kid.len() == KID_CHARACTERS);
        let (event, reason) = match reason {
            Rejection::InactiveKey => (AuditEvent::RevokedKeyUsed, reason.word()),
            Rejection::UnknownKey if kid.as_deref().is_some_and(|kid| self.events.deleted().by_kid.contains_key(kid)) => {
                (AuditEvent::RevokedKeyUsed, DELETED_KEY)
            }
            reason => (AuditEvent::AuthenticationFailed, reason.word()),
        };
        let kind = Kind { event, reason, origin: Some(origin.to_canonical()), kid };
        self.events.refused().note(kind, self.now());
    }

    fn server_event(&self, event: AuditEvent, server: &Server) -> Detailed {
        let now = self.now();
        let entry = AuditEntry {
            id: AuditEntryId(self.ids.v7(now)),
            merchant_account_id: None,
            action: event,
            resource_type: "server".to_owned(),
            resource_id: server.id.clone(),
            resource_name: server.address.clone(),
            actor_id: None,
            actor_name: "tollhouse".to_owned(),
            request_id: String::new(),
            origin: String::new(),
            created_at: now,
        };
        (entry, json!({ "version": server.version }).to_string())
    }

    fn note_event(&self, event: Detailed) {
        let mut queue = self.events.queue();
        if queue.len() < QUEUE_MAX {
            queue.push_back(event);
            return;
        }
        drop(queue);
        dropped(1);
        let (entry, _) = event;
        tracing::error!(event = %entry.action, request_id = entry.request_id, "An event of the audit log is lost: too many wait to be written.");
    }

    async fn write_events_before(&self, before: Option<Instant>) {
        let mut writing = self.events.writing.lock().await;
        let written = self.write_batches(before).await;
        match written {
            Ok(()) if writing.fails => {
                writing.fails = false;
                tracing::info!("Events of the audit log can be written again.");
            }
            Ok(()) => {}
            // Once per outage: the next second brings the next attempt.
            Err(error) if !writing.fails => {
                writing.fails = true;
                tracing::error!(%error, "Events of the audit log can not be written; trying again.");
            }
            Err(_) => {}
        }
    }

    async fn write_batches(&self, before: Option<Instant>) -> Result<(), StoreError> {
        self.know_deleted_key_pairs().await?;
        self.queue_refused_tokens(before);
        loop {
            let batch: Vec<Detailed> = self.events.queue().iter().take(BATCH_MAX).cloned().collect();
            if batch.is_empty() {
                return Ok(());
            }
            let written = self.write_batch(&batch).await;
            match &written {
                // What the database takes offence at it will not take later either, and must not hold up the rest.
                Err(StoreError::Refused { .. }) => dropped(batch.len()),
                Err(_) => return written,
                Ok(()) => {}
            }
            self.events.queue().drain(..batch.len());
            if let Err(error) = written {
                tracing::error!(%error, events = batch.len(), "Events of the audit log were refused by the database and are lost.");
            }
        }
    }

    async fn write_batch(&self, batch: &[Detailed]) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        for (entry, details) in batch {
            // The answer to the commit of an earlier attempt may have been lost.
            if !journal::exists(&mut tx, entry.id).await? {
                audit_log::append_with(&mut tx, entry, details).await?;
            }
        }
        tx.commit().await
    }

    /// While there is no room they stay where they are, and go on being counted.
    fn queue_refused_tokens(&self, before: Option<Instant>) {
        if self.events.queue().len() >= QUEUE_MAX / 2 {
            return;
        }
        let due = self.events.refused().take(before, Instant::now());
        for (kind, tally) in due {
            self.note_event(self.refused_tokens_event(kind, tally));
        }
    }

    fn refused_tokens_event(&self, kind: Kind, tally: Tally) -> Detailed {
        let Kind { mut event, mut reason, origin, kid } = kind;
        let snapshot = self.snapshot();
        let known = kid.as_deref().and_then(|kid| snapshot.key_pair_of_kid(kid));
        let mut key_pair = known.map(|key_pair| (key_pair.pair.id.to_string(), key_pair.pair.display_name.clone()));
        if key_pair.is_none() {
            key_pair = kid.as_deref().and_then(|kid| self.events.deleted().by_kid.get(kid).cloned());
            if key_pair.is_some() && event == AuditEvent::AuthenticationFailed {
                (event, reason) = (AuditEvent::RevokedKeyUsed, DELETED_KEY);
            }
        }
        let mut details = Map::new();
        details.insert("reason".to_owned(), json!(reason));
        details.extend(kid.map(|kid| ("kid".to_owned(), json!(kid))));
        details.insert("count".to_owned(), json!(tally.count));
        details.insert("since".to_owned(), json!(tally.since.to_string()));
        let resource_type = if key_pair.is_some() { "api-key-pair" } else { "token" };
        let (resource_id, resource_name) = key_pair.unwrap_or_default();
        let entry = AuditEntry {
            id: AuditEntryId(self.ids.v7(self.now())),
            merchant_account_id: None,
            action: event,
            resource_type: resource_type.to_owned(),
            resource_id,
            resource_name,
            actor_id: None,
            actor_name: String::new(),
            request_id: String::new(),
            origin: origin.map(|origin| origin.to_string()).unwrap_or_default(),
            created_at: tally.last,
        };
        (entry, Value::Object(details).to_string())
    }

    /// Reads which key pairs are gone, if the configuration has changed since.
    async fn know_deleted_key_pairs(&self) -> Result<(), StoreError> {
        let version = Some(self.snapshot.load().version());
        if self.events.deleted().version == version {
            return Ok(());
        }
        let mut tx = self.database.read().await?;
        let mut by_kid = HashMap::new();
        for pair in journal::deleted_key_pairs(&mut tx).await? {
            for kid in thumbprints(&pair.details) {
                by_kid.entry(kid).or_insert_with(|| (pair.id.clone(), pair.name.clone()));
            }
        }
        *self.events.deleted() = DeletedKeyPairs { by_kid, version };
        Ok(())
    }
}

/// Why a token is refused whose key pair is gone.
const DELETED_KEY: &str = "deleted_key";

/// What the entry of a deleted key pair says of it, so that its key is known when it comes back.
pub(crate) fn deleted_key_pair(pair: &domain::api_key_pair::ApiKeyPair) -> String {
    json!({ "thumbprint": pair.thumbprint, "thumbprint_unpadded": pair.thumbprint_unpadded }).to_string()
}

fn thumbprints(details: &str) -> Vec<String> {
    let details: Value = serde_json::from_str(details).unwrap_or_default();
    let thumbprint = |member| details.get(member).and_then(Value::as_str).map(str::to_owned);
    ["thumbprint", "thumbprint_unpadded"].into_iter().filter_map(thumbprint).collect()
}

fn dropped(events: usize) {
    metrics::counter!("tollhouse_audit_events_dropped_total").increment(u64::try_from(events).unwrap_or(u64::MAX));
}

// === impl Events ===

impl Events {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Detailed>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, RefusedTokens> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deleted(&self) -> std::sync::MutexGuard<'_, DeletedKeyPairs> {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
