//! The accept loop: connections in, requests to a service, every step with a limit.
//!
//! `axum::serve` installs no timers, and hyper-util's automatic protocol detection waits for ever on a silent connection. So the loop is our own: it accepts, does the TLS handshake, finds out the protocol under the header deadline, and serves HTTP/1.1 or HTTP/2 with limits on everything.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, error};

mod activity;
mod body;
mod connection;
mod frames;
mod protocol;
mod timed;
pub(crate) mod tls;

pub(crate) use body::Received;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections that are open at once; further ones wait in the backlog of the system.
    pub(crate) connections_max: usize,
    /// TLS handshake.
    pub(crate) handshake: Duration,
    /// From the opening of a connection, and from the first byte of each later request, to the end of the header.
    pub(crate) header: Duration,
    /// The body of one request.
    pub(crate) body: Duration,
    /// A connection without a request.
    pub(crate) idle: Duration,
    /// A peer that does not take what is written.
    pub(crate) write: Duration,
    /// HTTP/2: between pings, and for the answer to one.
    pub(crate) ping: Duration,
    /// From the beginning of a shutdown to its end.
    pub(crate) drain: Duration,
}

/// The limits of the product.
pub(crate) const LIMITS: Limits = Limits {
    // A connection costs some ten kilobytes; the systems' limits of descriptors are of the same order.
    connections_max: 10_000,
    handshake: Duration::from_secs(5),
    header: Duration::from_secs(10),
    body: Duration::from_secs(30),
    // Load balancers keep idle connections for 60 seconds. Whoever closes first must not be us, or a request crosses the close.
    idle: Duration::from_secs(75),
    write: Duration::from_secs(30),
    ping: Duration::from_secs(20),
    // A process manager commonly kills after 30 seconds; the rest is for records and the database.
    drain: Duration::from_secs(28),
};

/// Longest header with its request line. Ours are below one kilobyte, tokens included.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// HTTP/2 requests in flight on one connection.
const STREAMS_MAX: u32 = 200;
/// Streams that a peer may open and reset before the connection is closed (rapid reset).
const RESET_STREAMS_MAX: usize = 50;

/// What is told to a running listener.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// Accept no more, finish what is there.
    pub(crate) drain: CancellationToken,
    /// Drop everything.
    pub(crate) abort: CancellationToken,
}

/// A boxed error of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What answers requests. Cloned for each connection; the peer's address is among the request's extensions as [`api::PeerAddress`].
pub(crate) trait App:
    Service<Request<Received>, Response = Response<Self::Answer>, Error = Infallible, Future: Send + 'static> + Clone + Send + Sync + 'static
{
    /// The body of an answer.
    type Answer: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> App for S
where
    S: Service<Request<Received>, Response = Response<B>, Error = Infallible, Future: Send + 'static> + Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Answer = B;
}

/// What every connection of a listener shares.
struct Shared<A> {
    app: A,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    stop: Stop,
    tasks: TaskTracker,
}

/// Serves until `stop.drain`, then finishes what is in flight within the drain limit.
pub(crate) async fn serve<A: App>(listener: TcpListener, app: A, tls: Option<TlsAcceptor>, limits: Limits, stop: Stop) {
    let shared = Arc::new(Shared { app, tls, limits, stop: stop.clone(), tasks: TaskTracker::new() });
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let mut pause = Pause::none();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.drain.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                pause = Pause::none();
                shared.begin(stream, peer, Some(permit));
            }
            Err(problem) if is_of_the_peer(&problem) => debug!(error = %problem, "A connection was gone before it was accepted."),
            Err(problem) => {
                pause = pause.longer();
                error!(error = %problem, pause_ms = u64::try_from(pause.0.as_millis()).unwrap_or(u64::MAX), "Connections can not be accepted at the moment.");
                tokio::select! {
                    () = stop.drain.cancelled() => break,
                    () = tokio::time::sleep(pause.0) => {}
                }
            }
        }
    }
    // Closing the socket resets what waits in the backlog; those clients were connected, so they are served too.
    while let Some((stream, peer)) = waiting(&listener).await {
        shared.begin(stream, peer, None);
    }
    drop(listener);
    shared.finish().await;
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// A connection that is there already; `None` when there is none.
async fn waiting(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(Ok(accepted)) => Poll::Ready(Some(accepted)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Whether accepting failed because of the connection that was to be accepted, so that the next one may be tried at once.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

/// How long the loop waits after an error of the system, such as too many open files. Spinning would take the time of those who could close some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause(Duration);

impl Pause {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    fn none() -> Self {
        Self(Duration::ZERO)
    }

    fn longer(self) -> Self {
        Self((self.0 * 2).clamp(Self::FIRST, Self::LONGEST))
    }
}

// === impl Shared ===

impl<A: App> Shared<A> {
    fn begin(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, permit: Option<OwnedSemaphorePermit>) {
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            metrics::gauge!("tollhouse_connections").increment(1);
            shared.stop.abort.run_until_cancelled(connection::run(&shared, stream, peer)).await;
            metrics::gauge!("tollhouse_connections").decrement(1);
            drop(permit);
        });
    }

    async fn finish(&self) {
        self.tasks.close();
        if tokio::time::timeout(self.limits.drain, self.tasks.wait()).await.is_err() {
            error!(connections = self.tasks.len(), "The drain limit is over; open connections are dropped.");
            self.stop.abort.cancel();
            self.tasks.wait().await;
        }
    }
}

#[cfg(test)]
mod tests;
