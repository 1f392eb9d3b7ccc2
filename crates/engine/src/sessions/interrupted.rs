//! Sessions whose process died during the call: found at the start and every minute, recorded as failed with an unknown outcome.
//!
//! A session can not be asked about, so there is nothing to find out. What is done is to say so where an operator looks, in the session records, rather than when the key happens to be used again. A key whose payment service recognises the attempt is still repeated by whoever uses it next.

use std::sync::Arc;
use std::time::Duration;

use domain::Scope;
use domain::SessionRecordId;
use domain::idempotency::{KeyState, UsedKey};
use domain::session::{Delivered, RecordedFacts, SessionCode, SessionRecord, SessionStatus};
use store::{StoreError, idempotency_keys, session_records};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::observe;
use crate::Engine;

/// How often they are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Most keys that one look takes: as many as one process can have had in flight are done within a few.
const KEYS_MAX: u32 = 500;

impl Engine {
    /// Looks for them before anything is served, and begins the task that does it again until the engine is drained.
    pub(crate) async fn begin_concluding(self: &Arc<Self>) {
        self.look_for_interrupted().await;
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut ticks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => engine.look_for_interrupted().await,
                    () = engine.stopping.cancelled() => return,
                }
            }
        });
    }

    async fn look_for_interrupted(&self) {
        if let Err(error) = self.conclude_interrupted().await {
            tracing::warn!(%error, "Interrupted sessions could not be looked for; trying again in a minute.");
        }
    }

    /// Concludes what has outlived its lease; answers how many.
    pub(crate) async fn conclude_interrupted(&self) -> Result<usize, StoreError> {
        let mut tx = self.database.read().await?;
        let keys = idempotency_keys::interrupted(&mut tx, self.now(), KEYS_MAX).await?;
        tx.commit().await?;
        let mut concluded = 0;
        for key in keys {
            concluded += usize::from(self.conclude(&key).await?);
            if self.stopping.is_cancelled() {
                break;
            }
        }
        Ok(concluded)
    }

    /// Leaves the key's outcome unknown and writes the record that its execution did not; `false` if somebody else was faster.
    pub(super) async fn conclude(&self, key: &UsedKey) -> Result<bool, StoreError> {
        let now = self.now();
        let scope = Scope::of(key.merchant_account_id.clone());
        let mut tx = self.database.write_alongside().await?;
        // Without an answer, which is made when somebody asks.
        let end = (KeyState::Unknown, None);
        let is_ours = idempotency_keys::finish(&mut tx, &scope, &key.place, key.execution.id, end).await?;
        if is_ours {
            // An id of its own: if the execution lives after all, it will write its record under its own.
            let record = record(key, SessionRecordId(self.ids.v7(now)));
            session_records::insert(&mut tx, &scope, &record).await?;
            observe(self, &record);
            tracing::warn!(
                session_id = %record.id,
                request_id = record.request_id,
                attempt_id = %key.attempt,
                payment_service.id = %record.payment_service_id,
                connector = record.definition_id.as_str(),
                "A session was interrupted during the call of the payment service, which may have acted; its outcome is unknown."
            );
        }
        tx.commit().await?;
        Ok(is_ours)
    }
}

fn record(key: &UsedKey, id: SessionRecordId) -> SessionRecord {
    let execution = &key.execution;
    SessionRecord {
        id,
        request_id: execution.request_id.clone(),
        merchant_account_id: key.merchant_account_id.clone(),
        payment_service_id: execution.payment_service_id,
        definition_id: execution.definition_id.clone(),
        definition_hash: execution.definition_hash.clone(),
        api_key_pair_id: execution.api_key_pair_id,
        status: SessionStatus::Failed,
        code: Some(SessionCode::UnknownError),
        status_code: None,
        delivered: Delivered::Unknown,
        facts: RecordedFacts::default(),
        // How long it ran nobody knows; the lease is what it was given.
        duration_ms: execution.lease_until.micros().saturating_sub(execution.started_at.micros()).max(0) / 1000,
        service_duration_ms: None,
        created_at: execution.started_at,
    }
}
