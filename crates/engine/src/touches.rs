//! When key pairs were last used: noted in memory, written at most once a minute for each. A write per request would cost more than the request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{ApiKeyPairId, Timestamp};
use store::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Engine;

/// How often notes are looked through, so that the first use of a key is soon seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the note of one key is written at most.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// What was used, and what of it was written when.
#[derive(Debug, Default)]
pub(crate) struct Touches {
    used: Mutex<HashMap<ApiKeyPairId, Touch>>,
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    used: Timestamp,
    /// Whether there is something to write.
    is_new: bool,
    written: Option<Instant>,
}

impl Touches {
    pub(crate) fn note(&self, id: ApiKeyPairId, now: Timestamp) {
        let mut touches = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let touch = touches.entry(id).or_insert(Touch { used: now, is_new: true, written: None });
        (touch.used, touch.is_new) = (now, true);
    }

    /// What is due: everything new whose key was not written since `before`.
    fn take(&self, before: Instant, now: Instant) -> Vec<(ApiKeyPairId, Timestamp)> {
        let mut touches = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let due = touches.iter_mut().filter(|(_, touch)| touch.is_new && touch.written.is_none_or(|written| written <= before));
        due.map(|(id, touch)| {
            (touch.is_new, touch.written) = (false, Some(now));
            (*id, touch.used)
        })
        .collect()
    }
}

impl Engine {
    /// The task that writes them, until the engine is drained.
    pub(crate) fn spawn_flushing(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let stopping = tokio::select! {
                    _ = ticks.tick() => false,
                    () = engine.stopping.cancelled() => true,
                };
                let now = Instant::now();
                // At the end everything is due.
                let before = if stopping { Some(now) } else { now.checked_sub(WRITE_EVERY) };
                if let Err(error) = engine.flush_touches(before.unwrap_or(now), now).await {
                    tracing::warn!(%error, "The times at which key pairs were last used could not be written.");
                }
                if stopping {
                    return;
                }
            }
        });
    }

    /// Writes the notes. They are lost when that fails: the next use makes them anew.
    async fn flush_touches(&self, before: Instant, now: Instant) -> Result<(), StoreError> {
        let used = self.touches.take(before, now);
        if used.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        store::api_key_pairs::touch(&mut tx, &used).await?;
        tx.commit().await
    }
}
