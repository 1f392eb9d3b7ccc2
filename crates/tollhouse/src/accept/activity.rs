//! Whether a connection is busy: the requests that are between their header and the end of their answer.

use std::sync::Mutex;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Shared by the transport, the service and the body of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    flood: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests that were begun, ever.
    begun: u64,
    /// Requests whose answer is not finished.
    open: usize,
    /// Answers that are being sent.
    answering: usize,
    /// When the last request ended, or the connection was made.
    last_end: Instant,
    /// When an answer was last begun or finished.
    last_progress: Instant,
}

/// What the transport needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Requests that were begun, ever.
    pub(super) begun: u64,
    /// Since when there is no request; `None` while there is one.
    pub(super) idle_since: Option<Instant>,
    /// Since when an answer waits for the peer to take it; `None` while there is none.
    pub(super) stuck_since: Option<Instant>,
}

// === impl Activity ===

impl Activity {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let state = State { begun: 0, open: 0, answering: 0, last_end: now, last_progress: now };
        Self { state: Mutex::new(state), flood: Notify::new() }
    }

    /// The peer has sent more frames than anybody needs.
    pub(super) fn flood(&self) {
        self.flood.notify_one();
    }

    /// Waits for that, however long ago it was.
    pub(super) async fn flooded(&self) {
        self.flood.notified().await;
    }

    pub(super) fn seen(&self) -> Seen {
        let state = *self.state();
        Seen {
            begun: state.begun,
            idle_since: (state.open == 0).then_some(state.last_end),
            stuck_since: (state.answering > 0).then_some(state.last_progress),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is a few numbers that no code between can leave half changed.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One request, from its header to the end of its answer.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: std::sync::Arc<Activity>,
    answering: bool,
}

// === impl InFlight ===

impl InFlight {
    pub(super) fn begin(activity: std::sync::Arc<Activity>) -> Self {
        {
            let mut state = activity.state();
            state.begun += 1;
            state.open += 1;
        }
        Self { activity, answering: false }
    }

    /// The answer is there and must now be taken by the peer.
    pub(super) fn answer(&mut self) {
        self.answering = true;
        let mut state = self.activity.state();
        state.answering += 1;
        state.last_progress = Instant::now();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.activity.state();
        state.open -= 1;
        state.last_end = now;
        if self.answering {
            state.answering -= 1;
            state.last_progress = now;
        }
    }
}
