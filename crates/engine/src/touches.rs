//! When key pairs were last used: noted in memory, written once a minute. A write per request would cost more than the request.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{ApiKeyPairId, Timestamp};
use store::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::Engine;

/// How often notes are written.
const FLUSH_EVERY: Duration = Duration::from_secs(60);

/// The key pairs used since the last write.
#[derive(Debug, Default)]
pub(crate) struct Touches {
    used: Mutex<HashMap<ApiKeyPairId, Timestamp>>,
}

impl Touches {
    pub(crate) fn note(&self, id: ApiKeyPairId, now: Timestamp) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now);
    }

    fn take(&self) -> Vec<(ApiKeyPairId, Timestamp)> {
        mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

impl Engine {
    /// The task that writes them, until the engine is drained.
    pub(crate) fn spawn_flushing(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut ticks = interval_at(Instant::now() + FLUSH_EVERY, FLUSH_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let stopping = tokio::select! {
                    _ = ticks.tick() => false,
                    () = engine.stopping.cancelled() => true,
                };
                if let Err(error) = engine.flush_touches().await {
                    tracing::warn!(%error, "The times at which key pairs were last used could not be written.");
                }
                if stopping {
                    return;
                }
            }
        });
    }

    /// Writes the notes. They are lost when that fails: the next use makes them anew.
    pub(crate) async fn flush_touches(&self) -> Result<(), StoreError> {
        let used = self.touches.take();
        if used.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        store::api_key_pairs::touch(&mut tx, &used).await?;
        tx.commit().await
    }
}
