//! Tokens of payment services: one per service and credentials, fetched once however many sessions wait for it.
//!
//! A fetch runs in a task of its own, so that a session that gives up takes nothing from the others. A failure is handed to everybody who waits and then forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use domain::Secret;
use domain::session::{Delivered, SessionCode};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::catalogue::Connector;
use crate::credentials::Credentials;
use crate::render::Base;

/// The most tokens that are kept: one per service and credentials, at a few kilobytes each.
pub const TOKENS_MAX: usize = 10_000;
/// Taken off a token's lifetime, so that none ends on its way: this, or a tenth of a short life.
pub const MARGIN_MAX: Duration = Duration::from_secs(60);
/// No token is trusted longer, whatever the service says: a revoked one must end some day.
pub const LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Where the service does not say how long a token lives.
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// What a token is good for. A hash, since it is made of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenKey([u8; 32]);

/// What a token call brought.
#[derive(Debug)]
pub struct Fetched {
    /// The token.
    pub token: Secret,
    /// From the moment the call was made; `None` where the service does not say.
    pub lifetime: Option<Duration>,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenFailure {
    /// What the session is told.
    pub code: SessionCode,
    /// The status of the token call.
    pub status_code: Option<u16>,
    /// What became of the token call.
    pub delivered: Delivered,
}

/// A token and how long it took to get it.
#[derive(Clone, Debug)]
pub struct Got {
    /// The token.
    pub token: Arc<Secret>,
    /// Whether a call was made for it, or waited for.
    pub was_fetched: bool,
}

/// The tokens that are known and those that are being fetched. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    slots: Arc<Mutex<HashMap<TokenKey, Slot>>>,
    fetches: TaskTracker,
}

type Outcome = Option<Result<Arc<Secret>, TokenFailure>>;

#[derive(Debug)]
enum Slot {
    Ready { token: Arc<Secret>, until: Instant },
    Fetching(watch::Receiver<Outcome>),
}

// === impl TokenKey ===

impl TokenKey {
    /// Of a service and everything that its token call depends on: another value of any field, another file or another address is another token.
    pub fn of(service: Option<Uuid>, connector: &Connector, credentials: &Credentials, base: &Base) -> Self {
        let provider = &connector.provider;
        let mut context = digest::Context::new(&digest::SHA256);
        // Lengths between the parts, so that no two lists of parts hash alike.
        let mut add = |part: &[u8]| {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        };
        add(service.as_ref().map(Uuid::as_bytes).map_or(&[], |bytes| bytes.as_slice()));
        add(provider.id.as_bytes());
        add(provider.hash.as_bytes());
        add(connector.method().key.as_bytes());
        add(base.url.as_bytes());
        for field in &provider.fields {
            if let Some(value) = credentials.get(&field.key) {
                add(field.key.as_bytes());
                add(value.as_bytes());
            }
        }
        let mut hash = [0; 32];
        hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }
}

// === impl TokenFailure ===

impl TokenFailure {
    /// Whether a call was made: what is not configured does not leave the house.
    pub fn was_called(&self) -> bool {
        self.code != SessionCode::InvalidServiceConfiguration
    }
}

// === impl Tokens ===

impl Tokens {
    /// Waits for the calls that are under way, at most this long. Whether all have ended.
    pub async fn close(&self, patience: Duration) -> bool {
        self.fetches.close();
        timeout(patience, self.fetches.wait()).await.is_ok()
    }

    /// The token of a key: kept, or fetched by this session or by one that asked earlier.
    pub async fn get<F>(&self, key: TokenKey, deadline: Instant, fetch: impl FnOnce() -> F) -> Result<Got, TokenFailure>
    where
        F: Future<Output = Result<Fetched, TokenFailure>> + Send + 'static,
    {
        let (mut fetching, step) = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            match slots.get(&key) {
                Some(Slot::Ready { token, until }) if *until > Instant::now() => {
                    return Ok(Got { token: token.clone(), was_fetched: false });
                }
                // Who fetches has the steps of the call itself; who waits for somebody else's has this one.
                Some(Slot::Fetching(outcome)) => (outcome.clone(), tracing::debug_span!(target: "tollhouse::step", "wait")),
                Some(Slot::Ready { .. }) | None => {
                    make_room(&mut slots);
                    let (tell, outcome) = watch::channel(None);
                    slots.insert(key, Slot::Fetching(outcome.clone()));
                    let flight = Flight { tokens: self.clone(), key, tell };
                    self.fetches.spawn(flight.run(fetch()).in_current_span());
                    (outcome, Span::none())
                }
            }
        };
        let waited = timeout_at(deadline, fetching.wait_for(Option::is_some)).instrument(step).await;
        let outcome = match waited {
            // Something was sent and no complete answer came: the call goes on, this session does not.
            Err(_) => {
                return Err(TokenFailure { code: SessionCode::ServiceNetworkError, status_code: None, delivered: Delivered::Unknown });
            }
            Ok(Ok(outcome)) => outcome.clone(),
            // The fetch panicked.
            Ok(Err(_)) => None,
        };
        let failure = TokenFailure { code: SessionCode::UnknownError, status_code: None, delivered: Delivered::Unknown };
        outcome.unwrap_or(Err(failure)).map(|token| Got { token, was_fetched: true })
    }

    /// Forgets a token that the service has refused, unless another one has taken its place since.
    pub fn forget(&self, key: TokenKey, refused: &Arc<Secret>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(slots.get(&key), Some(Slot::Ready { token, .. }) if Arc::ptr_eq(token, refused)) {
            slots.remove(&key);
        }
    }
}

/// A fetch on its way. However it ends, its slot does not stay behind.
struct Flight {
    tokens: Tokens,
    key: TokenKey,
    tell: watch::Sender<Outcome>,
}

impl Flight {
    async fn run(self, fetch: impl Future<Output = Result<Fetched, TokenFailure>>) {
        // Counted from before the call, so that the time of the answer's way is not added to the token's life.
        let asked = Instant::now();
        let fetched = fetch.await.map(|fetched| (Arc::new(fetched.token), usable(fetched.lifetime)));
        let ready = match &fetched {
            Ok((token, lifetime)) if !lifetime.is_zero() => Some(Slot::Ready { token: token.clone(), until: asked + *lifetime }),
            Ok(_) | Err(_) => None,
        };
        // Stored before it is told, so that whoever hears of it and asks again finds what is true by then.
        self.land(ready);
        self.tell.send_replace(Some(fetched.map(|(token, _)| token)));
    }

    /// Puts something else into the slot of this fetch, if it still is its slot.
    fn land(&self, ready: Option<Slot>) {
        let mut slots = self.tokens.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(slots.get(&self.key), Some(Slot::Fetching(outcome)) if outcome.same_channel(&self.tell.subscribe())) {
            return;
        }
        match ready {
            Some(ready) => slots.insert(self.key, ready),
            None => slots.remove(&self.key),
        };
    }
}

impl Drop for Flight {
    /// Also after a panic of the fetch.
    fn drop(&mut self) {
        self.land(None);
    }
}

fn usable(lifetime: Option<Duration>) -> Duration {
    let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
    lifetime.saturating_sub(MARGIN_MAX.min(lifetime / 10))
}

/// Fetches are left alone: sessions wait for them, and those are limited elsewhere.
fn make_room(slots: &mut HashMap<TokenKey, Slot>) {
    if slots.len() < TOKENS_MAX {
        return;
    }
    let now = Instant::now();
    slots.retain(|_, slot| !matches!(slot, Slot::Ready { until, .. } if *until <= now));
    if slots.len() < TOKENS_MAX {
        return;
    }
    let until = |slot: &Slot| match slot {
        Slot::Ready { until, .. } => Some(*until),
        Slot::Fetching(_) => None,
    };
    let first = slots.iter().filter_map(|(key, slot)| Some((until(slot)?, *key))).min_by_key(|(until, _)| *until);
    if let Some((_, key)) = first {
        slots.remove(&key);
    }
}

#[cfg(test)]
mod tests;
