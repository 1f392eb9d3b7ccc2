//! Following the database: the snapshot is replaced when the stored version has moved.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use store::StoreError;

use crate::Engine;
use crate::snapshot::{Snapshot, SnapshotError};

#[cfg(test)]
mod tests;

/// Why the snapshot stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The database can not be read.
    #[error("the database can not be read: {0}")]
    Store(#[from] StoreError),
    /// What it holds can not be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Engine {
    /// Loads the snapshot anew, whatever the stored version.
    pub async fn refresh(&self) -> Result<(), RefreshError> {
        self.refresh_below(i64::MAX).await
    }

    /// Loads the snapshot anew if another instance has changed something. To be called every second.
    pub async fn poll_version(&self) -> Result<(), RefreshError> {
        let stored = async {
            let mut tx = self.database.read().await?;
            store::snapshot::version(&mut tx).await
        };
        match stored.await {
            Ok(version) if version == self.snapshot.load().version() && !self.stale.load(Ordering::Relaxed) => Ok(()),
            Ok(_) => self.refresh().await,
            Err(error) => {
                self.stale.store(true, Ordering::Relaxed);
                Err(error.into())
            }
        }
    }

    /// After a commit: makes this instance see what it has just written. The change is made whatever happens here, so a failure is logged, and polling tries again.
    pub(crate) async fn follow(&self, version: i64) {
        if let Err(error) = self.refresh_below(version).await {
            tracing::error!(
                %error,
                version,
                "A change was committed and could not be read back; trying again."
            );
        }
    }

    /// Loads the snapshot anew unless the one in place has this version already.
    ///
    /// One at a time, and loaded while holding the lock: what is put in place was always read after what it replaces.
    async fn refresh_below(&self, version: i64) -> Result<(), RefreshError> {
        let turn = self.refreshing.lock().await;
        let current = self.snapshot.load_full();
        if current.version() >= version {
            return Ok(());
        }
        let next = self.load(&current).await;
        self.stale.store(next.is_err(), Ordering::Relaxed);
        let next = next?;
        self.note_age(next.version(), current.version());
        if next.version() >= current.version() {
            self.snapshot.store(Arc::new(next));
        }
        drop(turn);
        Ok(())
    }

    /// Tells of a database that has gone back, which happens when a backup is restored under a running server. Once, since it is looked at each second.
    fn note_age(&self, stored: i64, ours: i64) {
        let outdated = stored < ours;
        let told = self.outdated.swap(outdated, Ordering::Relaxed);
        if outdated && !told {
            tracing::warn!(
                stored_version = stored,
                version = ours,
                "The database is older than what this instance has read from it, as after a backup was restored. The instance goes on with what it has read; restart it to use what is stored."
            );
        }
    }

    async fn load(&self, current: &Snapshot) -> Result<Snapshot, RefreshError> {
        let mut tx = self.database.read().await?;
        let stored = store::snapshot::load(&mut tx).await?;
        drop(tx);
        Ok(Snapshot::build(stored, &self.root_keys, Some(current))?)
    }
}
