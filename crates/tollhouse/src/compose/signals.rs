//! The signals that end a server.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, from the moment this is made: nothing is lost between two waits.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Somebody asked the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// By which signal.
    pub(crate) signal: &'static str,
}

// === impl Signals ===

impl Signals {
    /// Takes the signals over.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked { signal: "SIGTERM" },
            _ = self.interrupt.recv() => Asked { signal: "SIGINT" },
        }
    }
}
