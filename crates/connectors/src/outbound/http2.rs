//! HTTP/2 towards a payment service, on the h2 library itself.
//!
//! hyper's client would write the head of a request, wait until its stream is open, and write the body from a task of its own: two TLS records, two writes and a task for every session. Here a body is complete before the call, so that both are handed over at once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::{Request, Response, header};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use super::connect::{Drivers, HEAD_BYTES_MAX};

/// A stream may carry a whole answer without asking for more room.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Calls before the service has said how many it takes at a time; most say so with their first bytes.
const STREAMS_AT_FIRST: usize = 100;

/// A connection with calls on it that answers no ping for this long is dead.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection, for any number of calls at a time.
#[derive(Clone)]
pub(super) struct Sender {
    requests: SendRequest<Bytes>,
    /// Calls on the connection.
    pub(super) streams: Arc<AtomicUsize>,
    has_ended: Arc<AtomicBool>,
}

/// Why a request got no answer.
pub(super) struct Unanswered {
    pub(super) error: h2::Error,
    /// Unless it never came to a stream, or the service has said that it did not look.
    pub(super) sent: bool,
}

/// The body of an answer. What is read makes room for more.
pub(super) struct AnswerBody {
    stream: RecvStream,
    /// As the head says.
    length: Option<u64>,
}

/// Begins to speak over a TLS session; what moves the bytes is a task of the drivers.
pub(super) async fn handshake<S>(stream: S, drivers: &Drivers) -> Result<Sender, h2::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (requests, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .handshake(stream)
        .await?;
    let sender = Sender { requests, streams: Arc::default(), has_ended: Arc::default() };
    let (streams, has_ended) = (Arc::clone(&sender.streams), Arc::clone(&sender.has_ended));
    drivers.0.spawn(async move {
        drive(connection, &streams).await;
        has_ended.store(true, Ordering::Relaxed);
    });
    Ok(sender)
}

/// Moves the bytes of a connection until it ends, or until nobody answers. The error of a connection is told to the calls on it, which are who can do something about it.
async fn drive<S>(mut connection: Connection<S, Bytes>, streams: &AtomicUsize)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let pings = connection.ping_pong();
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "A connection to a payment service ended.");
            }
        }
        () = silence(pings, streams) => tracing::debug!("A connection to a payment service answers no ping and is dropped."),
    }
}

/// Resolves when a ping is not answered. A connection without calls is not asked.
async fn silence(pings: Option<PingPong>, streams: &AtomicUsize) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(PING_INTERVAL).await;
        if streams.load(Ordering::Relaxed) > 0 && !matches!(timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
    }
}

// === impl Sender ===

impl Sender {
    /// Whether no further call can be made.
    pub(super) fn is_closed(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for the head of its answer. Dropped before that, it cancels the stream.
    pub(super) async fn send(&self, request: Request<()>, body: Bytes) -> Result<Response<AnswerBody>, Unanswered> {
        let unsent = |error| Unanswered { error, sent: false };
        let mut requests = self.requests.clone().ready().await.map_err(unsent)?;
        let (response, mut stream) = requests.send_request(request, body.is_empty()).map_err(unsent)?;
        if !body.is_empty() {
            stream.send_data(body, true).map_err(|error| Unanswered { error, sent: true })?;
        }
        let response = response.await.map_err(|error| Unanswered { sent: !is_refused(&error), error })?;
        let length = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(response.map(|stream| AnswerBody { stream, length }))
    }
}

/// HTTP/2 has two ways to say that a request was not looked at: refusing its stream, and leaving with an earlier stream as the last one.
fn is_refused(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)))
}

// === impl AnswerBody ===

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let data = match ready!(self.stream.poll_data(context)) {
            Some(Ok(data)) => data,
            // A service that wants no more of the request says so after a whole answer (RFC 9113, section 8.1).
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        let released = self.stream.flow_control().release_capacity(data.len());
        Poll::Ready(Some(released.map(|()| Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
