//! Connections that are kept, by where they lead.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1;
use tokio::time::{Instant, timeout};

use super::connect::{Body, Connected};
use super::egress::Target;
use super::http2;
use super::wire::Ledger;

/// HTTP/1.1 connections kept per origin. More are opened when needed and closed after use.
const IDLE_HTTP1_MAX: usize = 256;

/// HTTP/2 connections kept per origin, and the calls on one before another is opened; 100 is the number of streams that servers are asked to allow at least. Together they carry more than all calls that one payment service may have in flight.
const HTTP2_MAX: usize = 16;
const HTTP2_STREAMS_MAX: usize = 100;

/// Load balancers commonly drop what was idle for longer.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Nothing is kept for longer, so that a provider that moves to other addresses is followed.
const AGE_MAX: Duration = Duration::from_secs(600);

/// How often idle connections are looked through.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(15);

/// How long the end of an exchange may take to reach the driver of the connection; it has read all of the answer already.
const SETTLE_MAX: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Pool {
    origins: Mutex<HashMap<Target, Arc<Origin>>>,
}

/// One place that is called. How many calls it may have in flight is the business of each payment service, not of the host: two that share one must not starve each other.
#[derive(Default)]
pub(super) struct Origin {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    http1: Vec<Http1>,
    http2: Vec<Http2>,
}

/// A connection for one call at a time, taken out of the pool for it.
pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<Body>,
    pub(super) ledger: Ledger,
    born: Instant,
    idle_since: Instant,
}

/// A connection for many calls at a time, which stays in the pool meanwhile.
struct Http2 {
    sender: http2::Sender,
    ledger: Ledger,
    born: Instant,
    used: Instant,
}

/// One call's place on a connection of HTTP/2.
pub(super) struct Stream {
    pub(super) sender: http2::Sender,
    pub(super) ledger: Ledger,
}

/// A connection for one call.
pub(super) enum Lease {
    Http1(Http1),
    Http2(Stream),
}

// === impl Pool ===

impl Pool {
    pub(super) fn origin(&self, target: &Target) -> Arc<Origin> {
        let mut origins = lock(&self.origins);
        if let Some(origin) = origins.get(target) {
            return Arc::clone(origin);
        }
        let origin = Arc::new(Origin::default());
        origins.insert(target.clone(), Arc::clone(&origin));
        origin
    }

    /// Closes everything that no call holds.
    pub(super) fn clear(&self) {
        let closed = std::mem::take(&mut *lock(&self.origins));
        drop(closed);
    }

    /// Closes what nobody will use again. Closing is dropping; it happens outside the locks.
    pub(super) fn sweep(&self) {
        let mut closed = Vec::new();
        lock(&self.origins).retain(|_, origin| {
            let mut kept = lock(&origin.kept);
            closed.push(kept.take_expired());
            !kept.is_empty() || Arc::strong_count(origin) > 1
        });
    }
}

// === impl Origin ===

impl Origin {
    /// A kept connection, the one used last: the others may then grow old together.
    pub(super) fn take(&self) -> Option<Lease> {
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        kept.http2.retain(|http2| !http2.is_over(now));
        // Past all limits a call gets a connection of its own: it must not wait for a stream behind the calls of another service that hang.
        if let Some(http2) = kept.http2.iter_mut().min_by_key(|http2| http2.sender.streams.load(Ordering::Relaxed))
            && http2.sender.streams.load(Ordering::Relaxed) < HTTP2_STREAMS_MAX
        {
            return Some(Lease::Http2(http2.stream(now)));
        }
        kept.http1.retain(|http1| !http1.is_over(now));
        // One that is open but not ready is still being finished with; it will be by the next time.
        let place = kept.http1.iter().rposition(|http1| http1.sender.is_ready())?;
        Some(Lease::Http1(kept.http1.remove(place)))
    }

    /// Takes a new connection, and keeps it for others if others can use it.
    pub(super) fn adopt(&self, connected: Connected) -> Lease {
        let now = Instant::now();
        match connected {
            Connected::Http1 { sender, ledger } => Lease::Http1(Http1 { sender, ledger, born: now, idle_since: now }),
            Connected::Http2 { sender, ledger } => {
                let mut http2 = Http2 { sender, ledger, born: now, used: now };
                let stream = http2.stream(now);
                let mut kept = lock(&self.kept);
                // Calls that came together when there was none have each opened one; the surplus is closed after use.
                if kept.http2.len() < HTTP2_MAX {
                    kept.http2.push(http2);
                }
                Lease::Http2(stream)
            }
        }
    }

    /// Gives a connection back after a complete answer.
    pub(super) async fn give_back(&self, lease: Lease) {
        let Lease::Http1(mut http1) = lease else { return };
        // The answer is complete, but the task that read it may have a step to go.
        if !http1.sender.is_ready() && !matches!(timeout(SETTLE_MAX, http1.sender.ready()).await, Ok(Ok(()))) {
            return;
        }
        http1.idle_since = Instant::now();
        let mut kept = lock(&self.kept);
        if kept.http1.len() < IDLE_HTTP1_MAX {
            kept.http1.push(http1);
        }
    }

    /// Parts with a connection that has let a call down. Other calls on it go on, but no new one begins there.
    pub(super) fn discard(&self, lease: Lease) {
        match lease {
            Lease::Http1(_) => {}
            Lease::Http2(stream) => lock(&self.kept).http2.retain(|http2| !Arc::ptr_eq(&http2.sender.streams, &stream.sender.streams)),
        }
    }
}

// === impl Kept ===

impl Kept {
    fn is_empty(&self) -> bool {
        self.http1.is_empty() && self.http2.is_empty()
    }

    fn take_expired(&mut self) -> Self {
        let now = Instant::now();
        Self {
            http1: self.http1.extract_if(.., |http1| http1.is_over(now)).collect(),
            http2: self.http2.extract_if(.., |http2| http2.is_over(now)).collect(),
        }
    }
}

// === impl Http1, Http2 ===

impl Http1 {
    fn is_over(&self, now: Instant) -> bool {
        self.sender.is_closed() || now - self.idle_since > IDLE_MAX || now - self.born > AGE_MAX
    }
}

impl Http2 {
    fn is_over(&self, now: Instant) -> bool {
        let idle = self.sender.streams.load(Ordering::Relaxed) == 0 && now - self.used > IDLE_MAX;
        self.sender.is_closed() || idle || now - self.born > AGE_MAX
    }

    fn stream(&mut self, now: Instant) -> Stream {
        self.used = now;
        self.sender.streams.fetch_add(1, Ordering::Relaxed);
        Stream { sender: self.sender.clone(), ledger: self.ledger.clone() }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.sender.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What these locks guard stays whole even when a thread panics while it holds one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::{EgressPolicy, Route};
    use super::*;

    #[test]
    fn an_origin_without_connections_is_forgotten() {
        let policy = EgressPolicy { allow: Vec::new(), allow_http: false };
        let target = policy.target(&Url::parse("https://a.example/").unwrap(), &Route::Guarded).unwrap();
        let pool = Pool::default();
        let origin = pool.origin(&target);
        pool.sweep();
        assert!(Arc::ptr_eq(&origin, &pool.origin(&target)), "a call is using it");
        drop(origin);
        pool.sweep();
        assert!(lock(&pool.origins).is_empty());
    }
}
