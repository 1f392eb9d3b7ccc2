//! What each payment service is held to, so that one in trouble costs the others nothing: calls in flight, a circuit breaker, a budget of retries. And the label under which it is measured.
//!
//! A merchant's configured service has one `Guard`, taken once per session. Everything here is memory: a new process knows of no trouble.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use domain::MerchantAccountId;
use metrics::{Counter, Gauge, SharedString};
use tokio::time::Instant;
use uuid::Uuid;

use self::breaker::{Breaker, Health, Pass, State};
use crate::outbound::{CallFailure, Exchange};

pub use self::budget::Budget;

mod breaker;
mod budget;

/// Sessions and verifications of one payment service on their way at a time; each has one call in flight at most. Each may hold a socket and an answer of 1 MiB; a service that has this many open is not going to answer the next one either.
pub const IN_FLIGHT_MAX: usize = 1_024;

/// Payment services that are measured under their own id, for as long as the process runs. What comes later shares the label [`OTHER`]: collectors of measurements suffer under labels that grow without end.
pub const LABELS_MAX: usize = 500;

/// The label of all services past [`LABELS_MAX`].
pub const OTHER: &str = "other";

/// The label of calls that verify values which no payment service has yet.
pub const UNSTORED: &str = "unstored";

/// A service that was not called for this long is forgotten: it has no trouble that anybody remembers.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// The guards of all payment services that are being called.
#[derive(Debug, Default)]
pub(crate) struct Guards(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    guards: HashMap<Uuid, Arc<Guard>>,
    /// The services that have a label of their own. They keep it: what was measured under it is still shown.
    labelled: HashSet<Uuid>,
}

/// Whose guard is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guarded<'a> {
    /// A configured payment service.
    Service(Uuid),
    /// Values of an account that no service has yet, for a definition.
    Unstored(&'a MerchantAccountId, &'a str),
}

/// One payment service.
#[derive(Debug)]
pub(crate) struct Guard {
    id: Uuid,
    label: SharedString,
    in_flight: AtomicUsize,
    state: Mutex<Held>,
    budget: Budget,
    measured: Measured,
}

#[derive(Debug)]
struct Held {
    breaker: Breaker,
    used: Instant,
}

#[derive(Debug)]
struct Measured {
    in_flight: Gauge,
    breaker: Gauge,
    breaker_rejections: Counter,
    in_flight_rejections: Counter,
}

/// Why a session is not let in. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The breaker is open.
    Broken,
    /// [`IN_FLIGHT_MAX`] are on their way.
    Full,
}

/// A session or a verification on its way. It ends with the value.
#[derive(Debug)]
pub(crate) struct Place(Teller);

/// Who the calls of a session tell how they went. A call may outlive its session.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    guard: Arc<Guard>,
    /// `None` where the breaker is neither asked nor told.
    pass: Option<Pass>,
}

// === impl Guards ===

impl Guards {
    /// The guard of a service; a new one where it was not called for a while.
    pub(crate) fn of(&self, guarded: Guarded<'_>) -> Arc<Guard> {
        let id = guarded.id();
        let mut known = self.lock();
        if let Some(guard) = known.guards.get(&id) {
            return Arc::clone(guard);
        }
        let label = match guarded {
            Guarded::Service(id) => known.label(id),
            Guarded::Unstored(..) => SharedString::const_str(UNSTORED),
        };
        let guard = Arc::new(Guard::new(id, label));
        known.guards.insert(id, Arc::clone(&guard));
        guard
    }

    /// Forgets the services that nobody calls. Those who hold a guard have used it a moment ago.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.lock().guards.retain(|_, guard| Arc::strong_count(guard) > 1 || now - guard.held().used <= IDLE_MAX);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn label(&mut self, id: Uuid) -> SharedString {
        if self.labelled.contains(&id) || self.labelled.len() < LABELS_MAX {
            self.labelled.insert(id);
            return SharedString::from(id.to_string());
        }
        SharedString::const_str(OTHER)
    }
}

impl Guarded<'_> {
    /// Ids of services are of the versions 4 and 7, so that no service has the id of what is none.
    fn id(self) -> Uuid {
        let (account, definition) = match self {
            Self::Service(id) => return id,
            Self::Unstored(account, definition) => (account, definition),
        };
        let hash = digest(&SHA256, format!("{account} {definition}").as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

// === impl Guard ===

impl Guard {
    fn new(id: Uuid, label: SharedString) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "payment_service" => label.clone());
        let gauge = |name: &'static str| metrics::gauge!(name, "payment_service" => label.clone());
        let measured = Measured {
            in_flight: gauge("tollhouse_service_calls_in_flight"),
            breaker: gauge("tollhouse_breaker_state"),
            breaker_rejections: counter("tollhouse_breaker_rejections_total"),
            in_flight_rejections: counter("tollhouse_in_flight_rejections_total"),
        };
        // Shown from the first call on, not from the first trouble on.
        measured.breaker.increment(0);
        let budget = Budget::counted(counter("tollhouse_retries_total"), counter("tollhouse_retry_budget_exhausted_total"));
        let now = Instant::now();
        let held = Held { breaker: Breaker::new(now), used: now };
        Self { id, label, in_flight: AtomicUsize::new(0), state: Mutex::new(held), budget, measured }
    }

    /// What the service is called in measurements.
    pub(crate) fn label(&self) -> SharedString {
        self.label.clone()
    }

    /// Lets a session in, if the service is neither in trouble nor busy with too many.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Place, Unavailable> {
        let mut place = self.enter_unjudged()?;
        match self.change(|breaker, now| breaker.admit(now)) {
            None => {
                self.measured.breaker_rejections.increment(1);
                Err(Unavailable::Broken)
            }
            pass => {
                place.0.pass = pass;
                Ok(place)
            }
        }
    }

    /// Lets in what says nothing about the service: values that are tried, and services that are played.
    pub(crate) fn enter_unjudged(self: &Arc<Self>) -> Result<Place, Unavailable> {
        // A number that guards nothing but itself.
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= IN_FLIGHT_MAX {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.measured.in_flight_rejections.increment(1);
            return Err(Unavailable::Full);
        }
        self.measured.in_flight.increment(1);
        Ok(Place(Teller { guard: Arc::clone(self), pass: None }))
    }

    /// Does something with the breaker, and says what became of it.
    fn change<T>(&self, change: impl FnOnce(&mut Breaker, Instant) -> T) -> T {
        let now = Instant::now();
        let (result, before, after) = {
            let mut held = self.held();
            held.used = now;
            let before = held.breaker.state();
            let result = change(&mut held.breaker, now);
            (result, before, held.breaker.state())
        };
        if before != after {
            self.tell(before, after);
        }
        result
    }

    /// Steps up and down, so that the services that share a label add up.
    fn tell(&self, before: State, after: State) {
        self.measured.breaker.increment(measure(after) - measure(before));
        let id = self.id;
        match (before, after) {
            (State::Closed, State::Open) => {
                tracing::warn!(payment_service.id = %id, "A payment service fails most calls; for a moment it is not called (SERVICE_UNAVAILABLE).");
            }
            (_, State::Closed) => tracing::info!(payment_service.id = %id, "A payment service answers again and is called as usual."),
            (_, State::Open | State::HalfOpen) => tracing::debug!(payment_service.id = %id, state = ?after, "A breaker moves."),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    /// A service that is gone is in no trouble.
    fn drop(&mut self) {
        let state = self.held().breaker.state();
        self.measured.breaker.decrement(measure(state));
    }
}

fn measure(state: State) -> f64 {
    match state {
        State::Closed => 0.0,
        State::HalfOpen => 1.0,
        State::Open => 2.0,
    }
}

// === impl Place, Teller ===

impl Place {
    /// For the calls of this session.
    pub(crate) fn teller(&self) -> &Teller {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Teller { guard, pass } = &self.0;
        if let Some(pass) = *pass {
            guard.change(|breaker, now| breaker.leave(now, pass));
        }
        guard.in_flight.fetch_sub(1, Ordering::Relaxed);
        guard.measured.in_flight.decrement(1);
    }
}

impl Teller {
    /// What pays for retries.
    pub(crate) fn budget(&self) -> &Budget {
        &self.guard.budget
    }

    /// What the service is called in measurements.
    pub(crate) fn label(&self) -> SharedString {
        self.guard.label()
    }

    /// How a call went.
    pub(crate) fn tell(&self, exchange: &Exchange) {
        if let (Some(pass), Some(health)) = (self.pass, health(exchange)) {
            self.guard.change(|breaker, now| breaker.hear(now, pass, health));
        }
    }
}

/// What an exchange says about the service; `None` where it says something about us. A refusal of any kind is an answer: wrong credentials and wrong bodies are no trouble of the service.
fn health(exchange: &Exchange) -> Option<Health> {
    match &exchange.result {
        Ok(answer) if answer.status >= 500 => Some(Health::Fails),
        Ok(_) => Some(Health::Answers),
        Err(CallFailure::Refused(_) | CallFailure::Proxy) => None,
        Err(
            CallFailure::Dns | CallFailure::Connect | CallFailure::Tls | CallFailure::Timeout | CallFailure::Reset | CallFailure::Malformed,
        ) => Some(Health::Fails),
    }
}

#[cfg(test)]
impl Guard {
    /// As if the most sessions that may be on their way were.
    pub(crate) fn crowd(&self) {
        self.in_flight.store(IN_FLIGHT_MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
