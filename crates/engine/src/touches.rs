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
    fn take(&self, before: Option<Instant>, now: Instant) -> Vec<(ApiKeyPairId, Timestamp)> {
        let mut touches = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let due = touches
            .iter_mut()
            .filter(|(_, touch)| touch.is_new && touch.written.is_none_or(|written| before.is_some_and(|before| written <= before)));
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
                let written = if stopping {
                    engine.flush_touches().await
                } else {
                    engine.write_touches(Instant::now().checked_sub(WRITE_EVERY)).await
                };
                if let Err(error) = written {
                    tracing::warn!(%error, "The times at which key pairs were last used could not be written.");
                }
                if stopping {
                    return;
                }
            }
        });
    }

    /// Writes all notes.
    async fn flush_touches(&self) -> Result<(), StoreError> {
        self.write_touches(Some(Instant::now())).await
    }

    /// Writes the notes of keys whose last note was not written since `before`. They are lost when that fails: the next use makes them anew.
    async fn write_touches(&self, before: Option<Instant>) -> Result<(), StoreError> {
        let used = self.touches.take(before, Instant::now());
        if used.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        store::api_key_pairs::touch(&mut tx, &used).await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, id};

    #[test]
    fn a_first_use_is_due_at_once_and_later_ones_once_a_minute() {
        let touches = Touches::default();
        let (busy, idle) = (ApiKeyPairId(id(1)), ApiKeyPairId(id(2)));
        let start = Instant::now() + WRITE_EVERY;
        let due = |at: Instant| touches.take(Some(at - WRITE_EVERY), at);
        touches.note(busy, NOON);
        assert_eq!(due(start), [(busy, NOON)]);
        assert_eq!(due(start), []);
        touches.note(busy, NOON.plus_seconds(1));
        touches.note(busy, NOON.plus_seconds(2));
        touches.note(idle, NOON);
        assert_eq!(due(start + LOOK_EVERY), [(idle, NOON)]);
        assert_eq!(due(start + WRITE_EVERY - LOOK_EVERY), []);
        assert_eq!(due(start + WRITE_EVERY), [(busy, NOON.plus_seconds(2))]);
    }
}
