//! Whether the database can be written, known without asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::StoreError;

/// The outcome of the last write, shared by all who write.
#[derive(Clone)]
pub(crate) struct Health(Arc<State>);

struct State {
    writable: AtomicBool,
    broken: Notify,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State { writable: AtomicBool::new(true), broken: Notify::new() }))
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.0.writable.load(Ordering::Acquire)
    }

    /// Keeps the outcome of a write.
    pub(crate) fn note<T>(&self, outcome: &Result<T, StoreError>) {
        match outcome {
            Ok(_) => self.works(),
            Err(error) if error.stops_writing() => self.fails(error),
            Err(_) => {}
        }
    }

    /// A write came through.
    pub(crate) fn works(&self) {
        // Reading first keeps the cache line shared: this runs for every group of records.
        if !self.is_writable() && !self.0.writable.swap(true, Ordering::AcqRel) {
            tracing::info!("the database can be written again");
        }
    }

    /// A write failed for a reason that other writes share.
    pub(crate) fn fails(&self, error: &StoreError) {
        if self.0.writable.swap(false, Ordering::AcqRel) {
            tracing::error!(%error, "the database can not be written");
        }
        self.0.broken.notify_one();
    }

    /// Waits until a write has failed. There is one waiter, the task of the record writer.
    pub(crate) async fn broken(&self) {
        while self.is_writable() {
            self.0.broken.notified().await;
        }
    }
}
