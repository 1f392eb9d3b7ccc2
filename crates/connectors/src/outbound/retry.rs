//! How often and after how long something is tried again.

use std::time::Duration;

use aws_lc_rs::rand;
use http::{HeaderMap, header};

/// How long to wait before another attempt.
#[derive(Clone, Copy, Debug)]
pub enum Backoff {
    /// Anything between 50 and 500 ms, so that callers that failed together do not come back together.
    Jitter,
    /// The same each time. For tests.
    Fixed(Duration),
}

/// Attempts to get a connection, the first included.
pub(super) const ATTEMPTS_MAX: u32 = 3;

const JITTER_MS_MIN: u64 = 50;
const JITTER_MS_MAX: u64 = 500;

// === impl Backoff ===

impl Backoff {
    pub(super) fn wait(self) -> Duration {
        match self {
            Self::Fixed(wait) => wait,
            Self::Jitter => {
                let mut bytes = [0; 4];
                // Without randomness the longest wait is the safe one.
                if rand::fill(&mut bytes).is_err() {
                    return Duration::from_millis(JITTER_MS_MAX);
                }
                let drawn = u64::from(u32::from_le_bytes(bytes)) % (JITTER_MS_MAX - JITTER_MS_MIN + 1);
                Duration::from_millis(JITTER_MS_MIN + drawn)
            }
        }
    }
}

/// How long the service asks to be left alone. Only the form in seconds counts: a date would need a clock that agrees with the service's.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn jitter_stays_between_its_limits_and_moves() {
        let waits: Vec<Duration> = (0..200).map(|_| Backoff::Jitter.wait()).collect();
        assert!(waits.iter().all(|wait| (50..=500).contains(&wait.as_millis())), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }

    #[test]
    fn only_seconds_say_when_to_come_back() {
        let check = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers)
        };
        assert_eq!(check("2"), Some(Duration::from_secs(2)));
        assert_eq!(check(" 0 "), Some(Duration::ZERO));
        for text in ["", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999"] {
            assert_eq!(check(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
