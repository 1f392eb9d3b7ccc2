//! What a server does beside answering: follow the database, follow the definition files, keep the audit log, fold the measurements.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use connectors::catalogue::{Catalogue, changes};
use connectors::format::Diagnostic;
use engine::Engine;
use engine::audit::CheckpointFile;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::telemetry::measurements::Measurements;

/// How often the database is asked whether another instance has changed something; promised to be below five seconds.
const POLL: Duration = Duration::from_secs(1);
/// How often recent samples are folded into histograms.
const FOLD: Duration = Duration::from_secs(5);

/// How often events of the audit log are written: what happens should soon be seen.
const EVENTS: Duration = Duration::from_secs(1);
/// How often the audit log gets a checkpoint, if it has grown.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// What the last events and the last checkpoint may take of a shutdown; it takes milliseconds unless the database hangs.
const FAREWELL: Duration = Duration::from_secs(3);

/// When definition files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// On SIGHUP, when the operator has put all files in place.
    OnHangup,
    /// When one of them has changed, looked at each second: for whoever is writing one.
    OnChange,
}

/// Follows the stored version, so that changes by other instances are seen here.
pub(super) fn follow_database(tasks: &mut JoinSet<&'static str>, engine: Arc<Engine>, stop: CancellationToken) {
    tasks.spawn(async move {
        let mut failed = false;
        let mut ticks = Ticks::each(POLL, stop);
        while ticks.next().await {
            metrics::gauge!("tollhouse_database_writable").set(f64::from(u8::from(engine.database().is_writable())));
            match engine.poll_version().await {
                Ok(()) if failed => {
                    failed = false;
                    info!("The database can be followed again.");
                }
                Ok(()) => {}
                // Once per outage: the line would come each second, and readiness shows the state.
                Err(problem) if !failed => {
                    failed = true;
                    error!(error = cause(&problem), "The database can not be followed.");
                }
                Err(_) => {}
            }
        }
        "following the database"
    });
}

/// Keeps the histograms small.
pub(super) fn fold(tasks: &mut JoinSet<&'static str>, measurements: Measurements, stop: CancellationToken) {
    tasks.spawn(async move {
        let mut ticks = Ticks::each(FOLD, stop);
        while ticks.next().await {
            measurements.fold();
        }
        "folding measurements"
    });
}

/// Writes the events of the audit log and its checkpoints, those of the end included.
pub(super) fn keep_audit(tasks: &mut JoinSet<&'static str>, engine: Arc<Engine>, file: CheckpointFile, stop: CancellationToken) {
    tasks.spawn(async move {
        let mut checkpoints = Checkpoints { engine: Arc::clone(&engine), file, fails: false };
        let mut due = Instant::now();
        let mut ticks = Ticks::each(EVENTS, stop);
        while ticks.next().await {
            engine.write_audit_events().await;
            if Instant::now() >= due {
                checkpoints.keep().await;
                due = Instant::now() + CHECKPOINT;
            }
        }
        engine.note_server_stopped();
        let farewell = async {
            engine.write_last_audit_events().await;
            checkpoints.keep().await;
        };
        if timeout(FAREWELL, farewell).await.is_err() {
            error!("The last events of the audit log, or its last checkpoint, could not be written in time.");
        }
        "keeping the audit log"
    });
}

/// The checkpoints of the audit log, and whether the last one could be written.
struct Checkpoints {
    engine: Arc<Engine>,
    file: CheckpointFile,
    fails: bool,
}

// === impl Checkpoints ===

impl Checkpoints {
    async fn keep(&mut self) {
        match self.engine.keep_checkpoint(&self.file).await {
            Ok(()) if self.fails => {
                self.fails = false;
                info!("The audit log has a checkpoint again.");
            }
            Ok(()) => {}
            // Once per outage: the measurement shows how long it lasts.
            Err(problem) if !self.fails => {
                self.fails = true;
                error!(error = cause(&problem), "The audit log gets no checkpoint.");
            }
            Err(_) => {}
        }
    }
}

/// The files that are read again, and where they go.
pub(super) struct Definitions {
    files: Arc<[PathBuf]>,
    simulators: bool,
    reload: Reload,
    catalogue: Arc<ArcSwap<Catalogue>>,
    engine: Arc<Engine>,
}

/// Reads definition files again when it is time to.
pub(super) fn follow_definitions(
    tasks: &mut JoinSet<&'static str>,
    definitions: Definitions,
    stop: CancellationToken,
) -> std::io::Result<()> {
    match definitions.reload {
        Reload::OnHangup => {
            let mut hangups = signal(SignalKind::hangup())?;
            tasks.spawn(async move {
                while stop.run_until_cancelled(hangups.recv()).await.flatten().is_some() {
                    definitions.read_again().await;
                }
                "following the definitions"
            });
        }
        Reload::OnChange => {
            tasks.spawn(async move {
                let mut seen = definitions.state().await;
                let mut ticks = Ticks::each(POLL, stop);
                while ticks.next().await {
                    let now = definitions.state().await;
                    // Without a state nothing is known to have changed.
                    if now.is_some() && now != seen {
                        seen = now;
                        definitions.read_again().await;
                    }
                }
                "following the definitions"
            });
        }
    }
    Ok(())
}

// === impl Definitions ===

impl Definitions {
    pub(super) fn of(config: &Config, reload: Reload, catalogue: &Arc<ArcSwap<Catalogue>>, engine: &Arc<Engine>) -> Self {
        Self {
            files: Arc::from(config.definitions.as_slice()),
            simulators: config.simulators.enabled,
            reload,
            catalogue: Arc::clone(catalogue),
            engine: Arc::clone(engine),
        }
    }

    /// A file that fails now leaves the version before it in force, and says so.
    async fn read_again(&self) {
        match read(self.catalogue.load_full(), Arc::clone(&self.files), self.simulators).await {
            Ok(Ok((catalogue, mistakes))) => {
                for mistake in &mistakes {
                    warn!("{mistake}");
                }
                let before = self.catalogue.swap(Arc::new(catalogue.clone()));
                for file in mistakes.iter().map(|mistake| mistake.file.as_str()).collect::<BTreeSet<_>>() {
                    if catalogue.holds(file) {
                        warn!("{file}: the version before stays in force");
                    }
                }
                for change in changes(&before, &catalogue) {
                    info!("{change}");
                }
                info!(definitions = catalogue.iter().count(), "The definitions were read again.");
                if let Err(problem) = self.engine.refresh().await {
                    error!(error = cause(&problem), "The payment services could not be read again.");
                }
            }
            Ok(Err(mistakes)) => {
                for mistake in mistakes {
                    error!("{mistake}");
                }
            }
            Err(problem) => error!(error = cause(&problem), "The definitions could not be read again."),
        }
    }

    /// What tells whether a file has changed; nothing where looking failed.
    async fn state(&self) -> Option<Vec<FileState>> {
        let files = Arc::clone(&self.files);
        let looked = spawn_blocking(move || state_of(&files)).await;
        looked.inspect_err(|problem| error!(error = cause(problem), "The definition files could not be looked at.")).ok()
    }
}

/// A catalogue with what is wrong in the operator's files, or what is wrong in those of this binary.
type Read = Result<(Catalogue, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Reads on a thread where waiting for a disk, or for a file that is none, holds up no request.
async fn read(before: Arc<Catalogue>, files: Arc<[PathBuf]>, simulators: bool) -> Result<Read, JoinError> {
    spawn_blocking(move || before.reload(&files, simulators)).await
}

/// Moments at an interval, until cancelled.
struct Ticks {
    interval: Interval,
    stop: CancellationToken,
}

// === impl Ticks ===

impl Ticks {
    fn each(period: Duration, stop: CancellationToken) -> Self {
        let mut interval = interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, stop }
    }

    /// Waits for the next moment; false when there is none any more.
    async fn next(&mut self) -> bool {
        self.stop.run_until_cancelled(self.interval.tick()).await.is_some()
    }
}

/// An error as the log wants it, with everything that caused it.
fn cause(error: &(impl std::error::Error + 'static)) -> &(dyn std::error::Error + 'static) {
    error
}

/// One file: where it is, when it was changed, how long it is.
type FileState = (PathBuf, Option<SystemTime>, u64);

/// Files, and the files of directories, with what tells that they have changed.
fn state_of(paths: &[PathBuf]) -> Vec<FileState> {
    let mut states = Vec::new();
    for path in paths {
        match std::fs::read_dir(path) {
            Ok(entries) => states.extend(entries.flatten().map(|entry| file_state(&entry.path()))),
            Err(_) => states.push(file_state(path)),
        }
    }
    states.sort();
    states
}

fn file_state(path: &Path) -> FileState {
    let metadata = std::fs::metadata(path).ok();
    let changed = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
    (path.to_owned(), changed, metadata.map_or(0, |metadata| metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_new_and_a_removed_file_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().to_owned()];
        let file = directory.path().join("a.toml");
        let empty = state_of(&paths);
        std::fs::write(&file, "1").unwrap();
        let one = state_of(&paths);
        assert_ne!(one, empty);
        assert_eq!(state_of(&paths), one);
        std::fs::write(&file, "22").unwrap();
        assert_ne!(state_of(&paths), one);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(state_of(&paths), empty);
    }

    /// A pipe is a file that is read for as long as its writer likes.
    #[tokio::test]
    async fn a_slow_file_does_not_hold_up_other_tasks() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("slow.toml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (others_run, told) = std::sync::mpsc::channel();
        let path = pipe.clone();
        let writer = std::thread::spawn(move || {
            let told = told.recv_timeout(Duration::from_secs(10));
            std::fs::write(path, "broken").unwrap();
            told
        });
        let files: Arc<[PathBuf]> = Arc::from([pipe]);
        let (read, sent) = tokio::join!(read(Arc::default(), files, false), async { others_run.send(()) });
        assert_eq!((sent, writer.join().unwrap()), (Ok(()), Ok(())), "the other task ran while the file was read");
        assert_eq!(read.unwrap().unwrap().1.len(), 1, "its mistake");
    }
}
