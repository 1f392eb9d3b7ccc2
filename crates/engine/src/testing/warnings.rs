//! Counts the warnings that a test causes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// The warnings of this thread, for as long as it lives.
pub(crate) struct Warnings {
    count: Arc<AtomicUsize>,
    _guard: DefaultGuard,
}

impl Warnings {
    /// Begins to count.
    pub(crate) fn listen() -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let guard = tracing::subscriber::set_default(Counter(Arc::clone(&count)));
        Self { count, _guard: guard }
    }

    /// How many there were so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

struct Counter(Arc<AtomicUsize>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("engine") && *metadata.level() == Level::WARN
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
