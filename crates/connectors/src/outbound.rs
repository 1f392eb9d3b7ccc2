//! The one way out of the house: vetted addresses, limits, and at most one delivery of a request unless nothing of it was sent.

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use url::Url;

pub use domain::session::Delivered;

pub use self::egress::{EgressPolicy, EgressRefusal};
pub use self::identity::{Identity, IdentityError, IdentityPem};
pub use self::proxy::{Proxy, ProxyError};
pub use self::resolve::Resolution;
pub use self::retry::Backoff;

use self::call::Call;
use self::connect::{Connect, Drivers};
use self::identity::Identities;
use self::pool::Pool;
use self::resolve::Resolver;
use self::tls::Tls;
use crate::guard::{Budget, Guards};

mod call;
mod connect;
mod egress;
mod exchange;
mod http2;
mod identity;
mod pool;
mod proxy;
mod resolve;
mod retry;
mod tls;
mod wire;

/// How long name, connection and TLS may take together, unless the configuration says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(2_000);

/// How long a whole call may take, unless the configuration says otherwise: under the 5 s after which a client with default settings gives up.
pub const CALL_TIMEOUT: Duration = Duration::from_millis(4_500);

/// The most bytes of an answer that are read; a session object of any payment service is a hundredth of it.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How we introduce ourselves where a definition gives no other name: some services turn callers without one away.
pub const AGENT: HeaderValue = HeaderValue::from_static(concat!("tollhouse/", env!("CARGO_PKG_VERSION")));

/// A request to a payment service, ready but for what belongs to the connection (`host`, framing).
#[derive(Clone)]
pub struct OutgoingRequest {
    /// The method.
    pub method: Method,
    /// The address; its fragment is not sent.
    pub url: Url,
    /// Headers in order. Those that belong to the connection are left out when it is sent.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// Who asks, where the service knows its callers by a certificate. Of no use over plain HTTP.
    pub identity: Option<Arc<Identity>>,
}

/// Which rules of the egress guard a call is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The address comes from a definition and its fields: every rule.
    Guarded,
    /// The operator has replaced the provider's base URL: any port, but the rule about addresses stays.
    Override,
    /// A simulated payment service inside this process: no rule. Only the composition of the server may say so.
    Simulator,
}

/// Whether a request may be sent again although the payment service may have seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// Only when nothing of it was sent.
    Never,
    /// The definition declares the operation read-only or sends an idempotency key: once more after an exchange that broke, or when the service answers 503 and says when to come back.
    Declared,
}

/// What a call is under.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The rules about its address.
    pub route: Route,
    /// When it ends, answered or not.
    pub deadline: Instant,
    /// Whether it may be sent again.
    pub resend: Resend,
    /// What pays for other attempts.
    pub budget: &'a Budget,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Whether the payment service may have acted.
    pub delivered: Delivered,
    /// Its answer, or why there is none.
    pub result: Result<Answer, CallFailure>,
    /// From the call of `send` to its return, waiting between attempts included.
    pub elapsed: Duration,
}

/// The payment service's answer.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status; a redirect is an answer like any other.
    pub status: u16,
    /// Headers as received.
    pub headers: HeaderMap,
    /// The body as received, or why it can not be had.
    pub body: Result<Bytes, BodyFailure>,
}

/// Why an answer has no body although it has a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFailure {
    /// Longer than [`ANSWER_BYTES_MAX`]; the rest was not read.
    TooLong,
    /// In a content coding that was not asked for.
    Undecodable,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// The egress guard does not let the call out. Nothing was sent.
    #[error("the egress guard refuses the call: {0}")]
    Refused(EgressRefusal),
    /// The name could not be resolved. Nothing was sent.
    #[error("the name could not be resolved")]
    Dns,
    /// No connection. Nothing was sent.
    #[error("no connection could be made")]
    Connect,
    /// No TLS session, or a certificate that is not trusted: the service's by us, or ours by the service. Nothing was acted on, but with TLS 1.3 our certificate may be refused when the request is on its way already.
    #[error("no trusted TLS session could be made")]
    Tls,
    /// The time limit of the call.
    #[error("no complete answer within the time limit")]
    Timeout,
    /// The connection ended before the answer was complete.
    #[error("the connection ended before the answer was complete")]
    Reset,
    /// What came is not HTTP, or its head is too large.
    #[error("the answer is not HTTP, or its head is too large")]
    Malformed,
    /// The proxy can not be reached, or does not let the call through. Nothing was sent.
    #[error("the proxy makes no tunnel")]
    Proxy,
}

/// What an [`Outbound`] is made of.
#[derive(Clone, Debug)]
pub struct OutboundOptions {
    /// What the operator lets out beyond public HTTPS.
    pub egress: EgressPolicy,
    /// The HTTP proxy that every call goes through, but those to a simulator or to an address that [`EgressPolicy::allow`] names.
    pub proxy: Option<Proxy>,
    /// A PEM bundle of certificates trusted beside those of the system.
    pub extra_roots: Option<Vec<u8>>,
    /// For name, connection and TLS together; see [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// For a whole call; see [`CALL_TIMEOUT`]. Whoever calls makes a deadline of it.
    pub call_timeout: Duration,
    /// Who resolves names.
    pub resolution: Resolution,
    /// How long to wait before another attempt.
    pub backoff: Backoff,
}

/// Why an [`Outbound`] can not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The bundle of extra roots can not be used.
    #[error("the bundle of certificates for outgoing TLS can not be used: {0}")]
    ExtraRoots(String),
    /// The TLS library refuses its settings.
    #[error("outgoing TLS can not be set up: {0}")]
    Tls(String),
}

/// The client. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    connect: Connect,
    pool: Arc<Pool>,
    identities: Arc<Identities>,
    guards: Arc<Guards>,
    backoff: Backoff,
    call_timeout: Duration,
    sweeping: Once,
    /// Ends the sweeper with the last clone.
    stop: CancellationToken,
}

// === impl Outbound ===

impl Outbound {
    /// Reads the roots that are trusted and the settings of the name servers; connects nowhere.
    pub fn new(options: OutboundOptions) -> Result<Self, OutboundError> {
        let OutboundOptions { egress, proxy, extra_roots, connect_timeout, call_timeout, resolution, backoff } = options;
        let connect = Connect {
            policy: egress,
            proxy,
            resolver: Resolver::new(resolution),
            tls: Tls::new(extra_roots.as_deref())?,
            timeout: connect_timeout,
            drivers: Drivers(TaskTracker::new()),
        };
        let stop = CancellationToken::new();
        Ok(Self(Arc::new(Inner {
            connect,
            pool: Arc::default(),
            identities: Arc::default(),
            guards: Arc::default(),
            backoff,
            call_timeout,
            sweeping: Once::new(),
            stop,
        })))
    }

    /// How long a call takes at most where its payment service says nothing else.
    pub fn call_timeout(&self) -> Duration {
        self.0.call_timeout
    }

    /// Closes every connection that no call is using and waits for the tasks of all of them, at most this long. Whether all have ended.
    pub async fn close(&self, patience: Duration) -> bool {
        self.0.stop.cancel();
        self.0.pool.clear();
        let drivers = &self.0.connect.drivers.0;
        drivers.close();
        timeout(patience, drivers.wait()).await.is_ok()
    }

    /// The rules about addresses, for whoever stores one.
    pub fn policy(&self) -> &EgressPolicy {
        &self.0.connect.policy
    }

    /// Who we are towards a payment service that knows its callers by a certificate. Read once and remembered for as long as it is used.
    pub fn identity(&self, pem: &IdentityPem<'_>) -> Result<Arc<Identity>, IdentityError> {
        self.0.identities.get(pem, &self.0.connect.tls)
    }

    /// What each payment service is held to.
    pub(crate) fn guards(&self) -> &Guards {
        &self.0.guards
    }

    /// Calls a payment service and waits for its complete answer until the deadline. Redirects are answers, not instructions.
    pub async fn send(&self, request: &OutgoingRequest, terms: &Terms<'_>) -> Exchange {
        let started = Instant::now();
        self.0.start_sweeping();
        let span = tracing::debug_span!("outbound_call", host = request.url.host_str(), method = %request.method);
        let mut call = Call { inner: &self.0, terms, attempts: 0, maybe_sent: false, resent: false, busy: None };
        let (delivered, result) = call.run(request).instrument(span).await;
        Exchange { delivered, result, elapsed: started.elapsed() }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("policy", self.policy()).finish_non_exhaustive()
    }
}

// === impl OutgoingRequest, Answer ===

impl fmt::Debug for OutgoingRequest {
    /// Neither values nor bytes: both hold credentials and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl fmt::Debug for Answer {
    /// Neither values nor bytes: both hold what only the caller may see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .finish()
    }
}

// === impl Inner ===

impl Inner {
    /// Begins with the first call and not before, because only a call is sure to be inside the runtime.
    fn start_sweeping(&self) {
        self.sweeping.call_once(|| {
            let (pool, identities, guards) = (Arc::downgrade(&self.pool), Arc::downgrade(&self.identities), Arc::downgrade(&self.guards));
            let stop = self.stop.clone();
            self.connect.drivers.0.spawn(async move {
                while timeout(pool::SWEEP_INTERVAL, stop.cancelled()).await.is_err() {
                    let (Some(pool), Some(identities), Some(guards)) = (pool.upgrade(), identities.upgrade(), guards.upgrade()) else {
                        return;
                    };
                    pool.sweep();
                    identities.sweep();
                    guards.sweep();
                }
            });
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

// === impl CallFailure ===

impl CallFailure {
    /// A word for machines.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Malformed => "malformed",
            Self::Proxy => "proxy",
        }
    }
}
