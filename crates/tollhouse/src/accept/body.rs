//! Bodies: one that must arrive in time, one that says when it is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::BoxError;
use super::activity::InFlight;

/// The body of a request did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request did not arrive in time")]
pub(crate) struct BodyTimeout;

/// The body of a request, with a deadline for the whole of it.
#[derive(Debug)]
pub(crate) struct Received {
    body: Incoming,
    deadline: Instant,
    /// Made when the body is first waited for, since most arrive with their header.
    sleep: Option<Pin<Box<Sleep>>>,
    late: Late,
}

/// Whether the body of a request was late; read when the answer is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Late(Arc<AtomicBool>);

/// The body of an answer, which ends the request when it is dropped.
#[derive(Debug)]
pub(super) struct Sent<B> {
    body: Pin<Box<B>>,
    _request: InFlight,
}

// === impl Received ===

impl Received {
    pub(super) fn new(body: Incoming, deadline: Instant) -> (Self, Late) {
        let late = Late::default();
        (Self { body, deadline, sleep: None, late: late.clone() }, late)
    }
}

impl Late {
    pub(super) fn is_late(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|result| result.map_err(BoxError::from)));
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.as_mut().poll(cx).is_ready() {
            self.late.0.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(BodyTimeout.into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Sent ===

impl<B: Body> Sent<B> {
    pub(super) fn new(body: B, request: InFlight) -> Self {
        Self { body: Box::pin(body), _request: request }
    }
}

impl<B: Body> Body for Sent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
