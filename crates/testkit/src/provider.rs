//! A payment service that does what a test tells it to, on a real socket: every answer, every way to have none, and a journal of what reached it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

pub use self::certificates::{Authority, Identity, Validity};
pub use self::journal::Received;
pub use self::reply::{Greeting, Reply, Then};

mod certificates;
mod http1;
mod http2;
mod journal;
mod reply;

/// How long a test waits for something that is going to happen. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a provider is made of.
pub struct Options {
    /// Plain HTTP when absent.
    pub tls: Option<Tls>,
    /// How a connection is received; [`Greeting::Serve`] for a normal one.
    pub greeting: Greeting,
}

/// Who the provider is, and what it speaks over TLS.
pub struct Tls {
    /// Its certificate and key.
    pub identity: Identity,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
    /// Whose certificates a client must show one of; without it none is asked for.
    pub clients: Option<Clients>,
}

/// Which clients a provider takes.
pub struct Clients {
    /// PEM of the authority that signs their certificates.
    pub authority: String,
    /// Whether TLS 1.2 is all that is spoken: there a certificate is refused before the client has finished.
    pub tls12_only: bool,
}

/// A running provider on a port of its own. Dropping it closes every socket.
pub struct Provider {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: bool,
    /// Holds the accept loop, and with it every connection.
    _tasks: JoinSet<()>,
}

type Rule = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

struct Shared {
    script: Mutex<Script>,
    journal: Mutex<Vec<Received>>,
    /// When each connection was made.
    accepted: Mutex<Vec<Instant>>,
    counts: watch::Sender<Counts>,
    /// How often the provider was told to; a connection that is busy then finds out when it is not.
    hang_ups: watch::Sender<usize>,
}

struct Script {
    greeting: Greeting,
    next: VecDeque<Reply>,
    rule: Rule,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: usize,
    accepted: usize,
    open: usize,
}

// === impl Options ===

impl Options {
    /// A provider without TLS.
    pub fn plain() -> Self {
        Self { tls: None, greeting: Greeting::Serve }
    }

    /// A provider with TLS that speaks HTTP/1.1 only.
    pub fn tls(identity: Identity) -> Self {
        Self { tls: Some(Tls { identity, http2: false, clients: None }), greeting: Greeting::Serve }
    }

    /// A provider with TLS that prefers HTTP/2.
    pub fn http2(identity: Identity) -> Self {
        Self { tls: Some(Tls { identity, http2: true, clients: None }), greeting: Greeting::Serve }
    }
}

impl Options {
    /// The same, for clients with a certificate of this authority only.
    #[must_use]
    pub fn for_clients_of(self, authority: &Authority) -> Self {
        self.with_clients(Clients { authority: authority.pem(), tls12_only: false })
    }

    /// The same over TLS 1.2.
    #[must_use]
    pub fn for_clients_of_over_tls12(self, authority: &Authority) -> Self {
        self.with_clients(Clients { authority: authority.pem(), tls12_only: true })
    }

    fn with_clients(mut self, clients: Clients) -> Self {
        self.tls.as_mut().expect("a provider with TLS").clients = Some(clients);
        self
    }
}

// === impl Provider ===

impl Provider {
    /// Starts one on a free port of 127.0.0.1. Until told otherwise it answers every request with 200 and an empty object.
    pub async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let tls = options.tls.is_some();
        let acceptor = options.tls.map(Tls::acceptor);
        let script = Script { greeting: options.greeting, next: VecDeque::new(), rule: Arc::new(|_| Reply::json(200, "{}")) };
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            journal: Mutex::default(),
            accepted: Mutex::default(),
            counts: watch::Sender::default(),
            hang_ups: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self { shared, address, tls, _tasks: tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it by address; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        self.url_at("127.0.0.1", path)
    }

    /// A URL of it under another name.
    pub fn url_at(&self, host: &str, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{host}:{}{path}", self.address.port())
    }

    /// Queues an answer for one request, after those queued already.
    pub fn reply(&self, reply: Reply) {
        lock(&self.shared.script).next.push_back(reply);
    }

    /// Answers every request for which nothing is queued by what this makes of it.
    pub fn answer(&self, rule: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        lock(&self.shared.script).rule = Arc::new(rule);
    }

    /// How connections are received from now on.
    pub fn greet(&self, greeting: Greeting) {
        lock(&self.shared.script).greeting = greeting;
    }

    /// Closes the connections that wait for a next request, as a load balancer does after a while.
    pub fn hang_up(&self) {
        self.shared.hang_ups.send_modify(|count| *count += 1);
    }

    /// Every request that arrived whole, in order of arrival.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.shared.journal).clone()
    }

    /// How many connections were ever made.
    pub fn connections(&self) -> usize {
        self.shared.counts.borrow().accepted
    }

    /// When each connection was made, in order.
    pub fn connected_at(&self) -> Vec<Instant> {
        lock(&self.shared.accepted).clone()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.counts.borrow().open
    }

    /// Waits until this many requests have arrived, and returns all.
    pub async fn wait_for_requests(&self, count: usize) -> Vec<Received> {
        self.wait("requests", move |counts| counts.requests >= count).await;
        self.requests()
    }

    /// Waits until this many connections were made.
    pub async fn wait_for_connections(&self, count: usize) {
        self.wait("connections", move |counts| counts.accepted >= count).await;
    }

    /// Waits until this many connections are open, which is how a test sees that one was closed.
    pub async fn wait_for_open(&self, count: usize) {
        self.wait("open connections", move |counts| counts.open == count).await;
    }

    async fn wait(&self, what: &str, is_there: impl Fn(&Counts) -> bool) {
        let mut counts = self.shared.counts.subscribe();
        let there = timeout(PATIENCE, counts.wait_for(is_there)).await.is_ok();
        assert!(there, "waited too long for {what}: {:?}", *self.shared.counts.borrow());
    }
}

// === impl Shared ===

impl Shared {
    fn greeting(&self) -> Greeting {
        lock(&self.script).greeting.clone()
    }

    /// The queued reply for a request whose first byte has come.
    fn queued(&self) -> Option<Reply> {
        lock(&self.script).next.pop_front()
    }

    fn record(&self, received: Received) {
        lock(&self.journal).push(received);
        self.counts.send_modify(|counts| counts.requests += 1);
    }

    fn judge(&self, received: &Received) -> Reply {
        let rule = Arc::clone(&lock(&self.script).rule);
        rule(received)
    }
}

/// Counts a connection as open for as long as it lives.
struct Open(Arc<Shared>);

impl Open {
    /// Also says the how manieth it is.
    fn new(shared: &Arc<Shared>) -> (Self, usize) {
        let mut number = 0;
        lock(&shared.accepted).push(Instant::now());
        shared.counts.send_modify(|counts| {
            counts.accepted += 1;
            counts.open += 1;
            number = counts.accepted;
        });
        (Self(Arc::clone(shared)), number)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.open -= 1);
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let (open, number) = Open::new(&shared);
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                connections.spawn(async move {
                    http1::receive(stream, acceptor, number, &shared).await;
                    // After the socket: who waits for this count may rely on the socket being closed.
                    drop(open);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
