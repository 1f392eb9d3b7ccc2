//! The records that sessions leave.

use std::sync::Arc;
use std::time::Duration;

use domain::page::{Page, PageRequest};
use domain::session::SessionRecord;
use domain::{Scope, SessionRecordId};
use store::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{Engine, Refusal};

pub use store::session_records::{AnyOf, FILTER_VALUES_MAX, Filter};

/// One record.
pub async fn get(engine: &Engine, scope: &Scope, id: SessionRecordId) -> Result<SessionRecord, Refusal> {
    let mut tx = engine.database.read().await?;
    store::session_records::get(&mut tx, scope, id).await?.ok_or(Refusal::NotFound)
}

/// A page of records, newest first.
pub async fn list(engine: &Engine, scope: &Scope, page: &PageRequest, filter: &Filter) -> Result<Page<SessionRecord>, Refusal> {
    let mut tx = engine.database.read().await?;
    Ok(store::session_records::list(&mut tx, scope, page, filter).await?)
}

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// When old ones are looked for first: a while after the start, which has enough to do.
const PURGE_FIRST: Duration = Duration::from_secs(60);
/// How often they are looked for then.
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Most rows that one transaction deletes: a session that ends meanwhile waits for it.
const PURGE_ROWS_MAX: u32 = 500;

impl Engine {
    /// The task that deletes old records and idempotency keys whose time is over, until the engine is drained.
    pub(crate) fn spawn_purging(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut ticks = interval_at(Instant::now() + PURGE_FIRST, PURGE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = engine.stopping.cancelled() => return,
                }
                match engine.purge_records().await {
                    Ok(0) => {}
                    Ok(deleted) => {
                        tracing::info!(deleted, days = engine.rules.session_records_kept_days, "Old session records were deleted.")
                    }
                    Err(error) => tracing::warn!(%error, "Old session records could not be deleted; trying again within the hour."),
                }
                match engine.purge_idempotency_keys().await {
                    Ok(0) => {}
                    Ok(deleted) => tracing::info!(deleted, "Idempotency keys whose time was over were deleted."),
                    Err(error) => tracing::warn!(%error, "Old idempotency keys could not be deleted; trying again within the hour."),
                }
            }
        });
    }

    /// Deletes the records that are too old, in short transactions; answers how many those were.
    pub(crate) async fn purge_records(&self) -> Result<u64, StoreError> {
        let before = self.now().plus_seconds(-DAY_SECONDS * i64::from(self.rules.session_records_kept_days));
        let mut total = 0;
        loop {
            let mut tx = self.database.write().await?;
            let deleted = store::session_records::purge(&mut tx, before, PURGE_ROWS_MAX).await?;
            tx.commit().await?;
            total += deleted;
            if deleted < u64::from(PURGE_ROWS_MAX) || self.stopping.is_cancelled() {
                return Ok(total);
            }
        }
    }

    /// Deletes the idempotency keys whose time is over, likewise. Until then they count as never used.
    pub(crate) async fn purge_idempotency_keys(&self) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let mut tx = self.database.write_alongside().await?;
            let deleted = store::idempotency_keys::purge(&mut tx, self.now(), PURGE_ROWS_MAX).await?;
            tx.commit().await?;
            total += deleted;
            if deleted < u64::from(PURGE_ROWS_MAX) || self.stopping.is_cancelled() {
                return Ok(total);
            }
        }
    }
}
