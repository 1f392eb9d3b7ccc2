//! Keeping checkpoints: a new one whenever the log has grown, unless what is there contradicts it.

use store::StoreError;
use store::audit_log::chain;
use tokio::task::spawn_blocking;

use super::checkpoint::Checkpoint;
use super::checkpoint_file::{CheckpointError, CheckpointFile, is_current, with};
use crate::Engine;

/// Why no checkpoint is written. What is in the file stays: it is the evidence.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The database can not be read.
    #[error("the audit log can not be read: {0}")]
    Store(#[from] StoreError),
    /// The file can not be used.
    #[error(transparent)]
    File(#[from] CheckpointError),
    /// Entries are gone.
    #[error(
        "the audit log ends at entry {sequence}, and {file} says that it had {checkpoint}: entries were cut off, or a backup was restored. Look with `tollhouse audit verify`; after a restore move the file away, and a new one begins"
    )]
    Behind {
        /// The file.
        file: String,
        /// The last entry that there is.
        sequence: i64,
        /// The last entry that there was.
        checkpoint: i64,
    },
    /// Entries were written anew.
    #[error(
        "entry {sequence} of the audit log is not the one that {file} was signed for: the log was rewritten, or a backup was restored. Look with `tollhouse audit verify`; after a restore move the file away, and a new one begins"
    )]
    Rewritten {
        /// The file.
        file: String,
        /// The entry.
        sequence: i64,
    },
    /// The thread that writes has failed.
    #[error("the checkpoint could not be written: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

impl Engine {
    /// Writes a checkpoint if the log has moved since the last one. To be called every minute, and at the end.
    pub async fn keep_checkpoint(&self, file: &CheckpointFile) -> Result<(), KeepError> {
        // The file first: what another server of this machine has written into it is in the database by now.
        let reading = file.clone();
        let lines = spawn_blocking(move || reading.read()).await??.unwrap_or_default();
        let now = self.now();
        let mut tx = self.database.read().await?;
        let head = chain::head(&mut tx).await?;
        // A database that was here before has left its lines: they are not about this one.
        if let Some(last) = lines.last().filter(|last| last.installation == head.installation) {
            let shown = || file.path().display().to_string();
            if last.sequence > head.sequence {
                return Err(KeepError::Behind { file: shown(), sequence: head.sequence, checkpoint: last.sequence });
            }
            // Nothing is chained before the first entry, and nothing can be changed there.
            if last.sequence > 0 && chain::hash_at(&mut tx, last.sequence).await? != Some(last.hash) {
                return Err(KeepError::Rewritten { file: shown(), sequence: last.sequence });
            }
        }
        drop(tx);
        let key = self.root_keys.active();
        if !lines.last().is_some_and(|last| last.installation == head.installation && is_current(last, &head, key)) {
            let lines = with(lines, Checkpoint::sign(&head, now, key));
            let writing = file.clone();
            spawn_blocking(move || writing.write(&lines)).await??;
        }
        // The moment up to which the log is known to be covered, also while nothing happens.
        let seconds = u32::try_from(now.seconds()).unwrap_or(u32::MAX);
        metrics::gauge!("tollhouse_audit_checkpoint_timestamp_seconds").set(f64::from(seconds));
        Ok(())
    }
}
