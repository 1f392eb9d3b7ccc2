//! Where time comes from. Everything that asks for it goes through [`Clock`], so that a test can say what time it is.

use std::sync::LazyLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use domain::Timestamp;

/// What time it is.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// What has passed since some moment before the first question. It never goes back, also when somebody sets the time: what is measured is measured with this.
    fn elapsed(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

/// Where [`SystemClock::elapsed`] counts from.
static FIRST_ASKED: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        FIRST_ASKED.elapsed()
    }
}
