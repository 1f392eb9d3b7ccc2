//! How much of this server one key pair, one merchant account and one address may take.
//!
//! Key pairs and merchant accounts are counted by their requests, where the configuration says so. Addresses are counted by the tokens that were refused, and only those: a client whose tokens are good never meets this limit, and neither does one whose token has been verified before. What it protects is the one thing that costs us something before we know who is asking, the check of a signature. So the signatures of an address are counted per key pair that they claim to be of: an attacker who makes up key ids takes nothing from honest clients behind the same address, and one who knows the id of a key takes from that key alone.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::{ApiKeyPairId, MerchantAccountId, Scope};
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Clock, Engine};

/// How often those are forgotten who have their whole allowance again, which takes a second: what is kept is never more than what came in two seconds.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// The bits of an IPv6 address that are counted as one: a customer of a network is given that much, and can take another address in it for every request.
const IPV6_NETWORK_BITS: u32 = 64;

/// How many per second; `None` for no limit. As many as a second's worth may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Requests with tokens of one key pair.
    pub key_pair: Option<NonZeroU32>,
    /// Requests that act in one merchant account.
    pub merchant_account: Option<NonZeroU32>,
    /// Refused tokens from one address.
    pub failed_authentications: Option<NonZeroU32>,
}

/// One request too many. Nothing was done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// After how many seconds, at least one, the next request passes if no other takes its place.
    pub retry_after_seconds: u64,
}

/// Who has taken how much lately.
pub(crate) struct Limits {
    key_pairs: Option<Buckets<ApiKeyPairId>>,
    merchant_accounts: Option<Buckets<MerchantAccountId>>,
    failures: Option<Failures>,
}

/// The address of a request, while its token is judged.
pub(crate) struct Source<'l> {
    limits: &'l Limits,
    network: Network,
}

// === impl Rates ===

impl Rates {
    /// Nothing is limited.
    pub const UNLIMITED: Self = Self { key_pair: None, merchant_account: None, failed_authentications: None };
}

// === impl Limits ===

impl Limits {
    pub(crate) fn new(rates: Rates, clock: &Arc<dyn Clock>) -> Self {
        Self {
            key_pairs: rates.key_pair.map(|rate| Buckets::new(rate, clock)),
            merchant_accounts: rates.merchant_account.map(|rate| Buckets::new(rate, clock)),
            failures: rates
                .failed_authentications
                .map(|rate| Failures { tokens: Buckets::new(rate, clock), signatures: Buckets::new(rate, clock) }),
        }
    }

    /// Counts a request of a key pair whose token was good.
    pub(crate) fn key_pair(&self, id: ApiKeyPairId) -> Result<(), Limited> {
        let Some(buckets) = &self.key_pairs else { return Ok(()) };
        buckets.take(id).inspect_err(|_| {
            count("key_pair");
            tracing::debug!(api_key_pair.id = %id, "A key pair sends more requests than limits.key_pair_per_second allows.");
        })
    }

    /// Counts a request in a merchant account.
    fn merchant_account(&self, id: &MerchantAccountId) -> Result<(), Limited> {
        let Some(buckets) = &self.merchant_accounts else { return Ok(()) };
        buckets.take(id.clone()).inspect_err(|_| {
            count("merchant_account");
            tracing::debug!(merchant_account.id = %id, "A merchant account gets more requests than limits.merchant_account_per_second allows.");
        })
    }

    /// Begins to judge a token that came from an address.
    pub(crate) fn source(&self, address: IpAddr) -> Source<'_> {
        Source { limits: self, network: Network::of(address) }
    }

    fn forget(&self) {
        if let Some(buckets) = &self.key_pairs {
            buckets.forget();
        }
        if let Some(buckets) = &self.merchant_accounts {
            buckets.forget();
        }
        if let Some(failures) = &self.failures {
            failures.tokens.forget();
            failures.signatures.forget();
        }
    }
}

fn count(limit: &'static str) {
    metrics::counter!("tollhouse_rate_limited_total", "limit" => limit).increment(1);
}

// === impl Source ===

impl Source<'_> {
    /// Whether a signature may be checked that is said to be of this key pair. Looking takes nothing: only [`Source::forged`] does.
    pub(crate) fn may_claim(&self, key_pair: ApiKeyPairId) -> Result<(), Limited> {
        let Some(failures) = &self.limits.failures else { return Ok(()) };
        failures.signatures.look((self.network, key_pair)).inspect_err(|_| self.refused())
    }

    /// Counts a signature that was checked and is not of the key pair.
    pub(crate) fn forged(&self, key_pair: ApiKeyPairId) {
        if let Some(failures) = &self.limits.failures {
            // There may be no room left: requests that are judged at the same moment can all have found the last place free.
            failures.signatures.take((self.network, key_pair)).ok();
        }
    }

    /// Counts a token that is not accepted. A limit that is reached changes the answer alone, and makes an unknown key look like a known one.
    pub(crate) fn failed(&self) -> Result<(), Limited> {
        let Some(failures) = &self.limits.failures else { return Ok(()) };
        failures.tokens.take(self.network).inspect_err(|_| self.refused())
    }

    fn refused(&self) {
        count("failed_authentications");
        tracing::debug!(network = %self.network.0, "An address sends more wrong tokens than limits.failed_authentications_per_second allows.");
    }
}

// === impl Engine ===

impl Engine {
    /// Counts a request in a merchant account. To be asked once for each, before anything is looked up.
    pub fn admit(&self, scope: &Scope) -> Result<(), Limited> {
        self.limits.merchant_account(scope.account())
    }

    /// The task that forgets who has taken nothing lately, until the engine is drained.
    pub(crate) fn spawn_forgetting(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut ticks = interval(FORGET_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while engine.stopping.run_until_cancelled(ticks.tick()).await.is_some() {
                engine.limits.forget();
            }
        });
    }
}

/// The refused tokens of addresses.
struct Failures {
    /// All of them.
    tokens: Buckets<Network>,
    /// Those whose signature had to be checked for it.
    signatures: Buckets<(Network, ApiKeyPairId)>,
}

/// What is counted as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(IpAddr);

impl Network {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - IPV6_NETWORK_BITS)))),
        })
    }
}

/// One bucket per key, all of one size.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<Question<K>, Levels<K>, Ticks, NoOpMiddleware<Duration>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_second: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        let levels = Levels(HashMapStateStore::new(HashMap::new()));
        Self { limiter: RateLimiter::new(Quota::per_second(per_second), levels, Ticks(Arc::clone(clock))) }
    }

    fn take(&self, key: K) -> Result<(), Limited> {
        self.ask(&Question::Take(key))
    }

    fn look(&self, key: K) -> Result<(), Limited> {
        self.ask(&Question::Look(key))
    }

    fn ask(&self, question: &Question<K>) -> Result<(), Limited> {
        self.limiter.check_key(question).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.limiter.clock().now());
            let begun = u64::from(wait.subsec_nanos() > 0);
            Limited { retry_after_seconds: wait.as_secs().saturating_add(begun).max(1) }
        })
    }

    fn forget(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// What can be asked of a bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Question<K> {
    /// Is there room? Then take it.
    Take(K),
    /// Is there room?
    Look(K),
}

/// How full the buckets are. A limiter only knows how to take, so what it decided is not written down where somebody only looked.
struct Levels<K>(HashMapStateStore<K>);

impl<K: Hash + Eq + Clone> StateStore for Levels<K> {
    type Key = Question<K>;

    fn measure_and_replace<T, F, E>(&self, question: &Question<K>, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        match question {
            Question::Take(key) => self.0.measure_and_replace(key, decide),
            // No bucket is made for somebody who never took anything.
            Question::Look(key) if !self.0.lock().contains_key(key) => decide(None).map(|(decided, _)| decided),
            Question::Look(key) => {
                let looked: Result<Infallible, Result<T, E>> =
                    self.0.measure_and_replace(key, |level| Err(decide(level).map(|(decided, _)| decided)));
                let Err(decided) = looked;
                decided
            }
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<Question<K>> for Levels<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The clock of the engine, as a limiter reads it.
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests;
