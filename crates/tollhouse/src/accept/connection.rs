//! One connection, from the accepted socket to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::debug;

use super::activity::{Activity, InFlight};
use super::body::{BodyTimeout, Received, Sent};
use super::protocol::{Protocol, detect};
use super::timed::Timed;
use super::{App, HEADER_BYTES_MAX, Limits, RESET_STREAMS_MAX, STREAMS_MAX, Shared};

/// How long a connection without a byte is kept once a shutdown has begun.
const FIRST_BYTE_AFTER_STOP: Duration = Duration::from_secs(1);

/// How long the goodbye to a peer that floods us may take. Whoever sends so much has no time to lose.
const GOODBYE_TO_A_FLOOD: Duration = Duration::from_millis(100);

/// Serves a connection to its end. What goes wrong with one is the peer's business, so it is only worth a line at debug level.
pub(super) async fn run<A: App>(shared: &Arc<Shared<A>>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "TCP_NODELAY could not be set.");
    }
    let Some(tls) = &shared.tls else {
        return speak(shared, stream, peer).await;
    };
    match timeout(shared.limits.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak(shared, stream, peer).await,
        Ok(Err(error)) => debug!(%peer, %error, "A TLS handshake failed."),
        Err(_) => debug!(%peer, "A TLS handshake took too long."),
    }
}

async fn speak<A: App, T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(shared: &Arc<Shared<A>>, stream: T, peer: SocketAddr) {
    let activity = Arc::new(Activity::new());
    let mut io = Timed::new(stream, shared.limits, Arc::clone(&activity));
    let service = Requests {
        app: shared.app.clone(),
        peer,
        limits: shared.limits,
        drain: shared.stop.drain.clone(),
        activity: Arc::clone(&activity),
    };
    let detected = tokio::select! {
        detected = detect(&mut io) => detected,
        // Somebody who connected ahead of need must not hold up the shutdown; a request on its way gets a moment.
        () = passed(&shared.stop.drain) => return,
    };
    match detected {
        Ok(Some(Protocol::Http1)) => serve_http1(shared, io, service).await,
        Ok(Some(Protocol::Http2)) => {
            io.expect_frames();
            serve_http2(shared, io, service, &activity).await;
        }
        Ok(None) => {}
        Err(error) => debug!(%peer, %error, "A connection ended before its first request."),
    }
}

/// A moment after a shutdown has begun.
async fn passed(drain: &CancellationToken) {
    drain.cancelled().await;
    sleep(FIRST_BYTE_AFTER_STOP).await;
}

async fn serve_http1<A: App, T>(shared: &Shared<A>, io: Timed<T>, service: Requests<A>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = service.peer;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The transport has the shorter deadline for a header that has begun; this one covers the wait for it.
        .header_read_timeout(shared.limits.idle)
        .max_header_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        // In this order: a shutdown closes a connection that has read nothing yet, and this one has a request waiting.
        biased;
        ended = connection.as_mut() => ended,
        () = shared.stop.drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "An HTTP/1 connection ended with an error.");
    }
}

async fn serve_http2<A: App, T>(shared: &Shared<A>, io: Timed<T>, service: Requests<A>, activity: &Activity)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = service.peer;
    let limits = shared.limits;
    let streams = Streams { tasks: shared.tasks.clone(), abort: shared.stop.abort.clone() };
    let connection = http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping)
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        reason = enough(&limits, activity, &shared.stop.drain) => {
            connection.as_mut().graceful_shutdown();
            match reason {
                Enough::Stop => tokio::select! {
                    ended = connection => ended,
                    () = activity.flooded() => Ok(()),
                },
                // The peer has had its time: it gets a moment to read the goodbye, whatever it holds open.
                Enough::Idle | Enough::Stuck => timeout(limits.handshake, connection).await.unwrap_or(Ok(())),
                Enough::Flood => {
                    debug!(%peer, "A peer sent more control frames of HTTP/2 than are taken.");
                    timeout(GOODBYE_TO_A_FLOOD, connection).await.unwrap_or(Ok(()))
                }
            }
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "An HTTP/2 connection ended with an error.");
    }
}

/// Why an HTTP/2 connection is ended by us.
enum Enough {
    /// The server stops.
    Stop,
    /// It had no request for too long.
    Idle,
    /// The peer does not take an answer.
    Stuck,
    /// The peer sends what asks for answers and carries nothing.
    Flood,
}

/// Waits until there is a reason to end an HTTP/2 connection. Deadlines only move away, so it is enough to look again when one has come.
async fn enough(limits: &Limits, activity: &Activity, drain: &CancellationToken) -> Enough {
    loop {
        let now = Instant::now();
        let seen = activity.seen();
        let idle_at = seen.idle_since.unwrap_or(now) + limits.idle;
        let stuck_at = seen.stuck_since.unwrap_or(now) + limits.write;
        if idle_at <= now {
            return Enough::Idle;
        }
        if stuck_at <= now {
            return Enough::Stuck;
        }
        tokio::select! {
            () = drain.cancelled() => return Enough::Stop,
            () = activity.flooded() => return Enough::Flood,
            () = sleep_until(idle_at.min(stuck_at)) => {}
        }
    }
}

/// Runs the requests of HTTP/2 connections as owned tasks.
#[derive(Clone)]
struct Streams {
    tasks: TaskTracker,
    abort: CancellationToken,
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, request: F) {
        let abort = self.abort.clone();
        self.tasks.spawn(async move { abort.run_until_cancelled(request).await.is_some() });
    }
}

/// The requests of one connection.
struct Requests<A> {
    app: A,
    peer: SocketAddr,
    limits: Limits,
    drain: CancellationToken,
    activity: Arc<Activity>,
}

impl<A: App> hyper::service::Service<Request<Incoming>> for Requests<A> {
    type Response = Response<Sent<A::Answer>>;
    type Error = BodyTimeout;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BodyTimeout>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut in_flight = InFlight::begin(Arc::clone(&self.activity));
        let (mut head, body) = request.into_parts();
        head.extensions.insert(api::PeerAddress(self.peer));
        let (body, late) = Received::new(body, Instant::now() + self.limits.body);
        let request = Request::from_parts(head, body);
        let http1 = request.version() < Version::HTTP_2;
        let drain = self.drain.clone();
        let mut app = self.app.clone();
        Box::pin(async move {
            let ready = match app.ready().await {
                Ok(ready) => ready,
                Err(never) => match never {},
            };
            let mut answer = match ready.call(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            // Whatever was made of half a body is no answer. An error closes an HTTP/1 connection and resets an HTTP/2 stream.
            if late.is_late() {
                return Err(BodyTimeout);
            }
            // Told so, a client does not send its next request into the close. HTTP/2 has GOAWAY for it.
            if http1 && drain.is_cancelled() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            in_flight.answer();
            Ok(answer.map(|body| Sent::new(body, in_flight)))
        })
    }
}
