//! A transport that ends a connection whose peer is silent where it must speak, or deaf where it must listen.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::Limits;
use super::activity::Activity;
use super::frames::Meter;

/// What is expected of the peer while nothing of it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expecting {
    /// The rest of a header, by this moment.
    Header(Instant),
    /// The first byte of the next request, within the idle limit.
    NextRequest,
    /// No byte at any moment: HTTP/2 has pings, and an idle limit of its own that says goodbye.
    Frames,
}

/// A connection with deadlines for reading and writing.
#[derive(Debug)]
pub(super) struct Timed<T> {
    io: T,
    /// Bytes that were read to find out the protocol; they are read again.
    unread: Bytes,
    limits: Limits,
    activity: Arc<Activity>,
    expecting: Expecting,
    /// What counts the frames of HTTP/2.
    meter: Option<Meter>,
    /// The peer has flooded us: nothing of it is read any more, so that the goodbye is the last of our work for it.
    flooded: bool,
    /// Requests that had begun when the peer was last looked at.
    begun: u64,
    read_sleep: Pin<Box<Sleep>>,
    /// Made when the peer first does not take what is written.
    write_sleep: Option<Pin<Box<Sleep>>>,
}

// === impl Timed ===

impl<T> Timed<T> {
    /// The first header is due within the header limit from now.
    pub(super) fn new(io: T, limits: Limits, activity: Arc<Activity>) -> Self {
        let due = Instant::now() + limits.header;
        let read_sleep = Box::pin(sleep_until(due));
        Self {
            io,
            unread: Bytes::new(),
            limits,
            activity,
            expecting: Expecting::Header(due),
            meter: None,
            flooded: false,
            begun: 0,
            read_sleep,
            write_sleep: None,
        }
    }

    /// Puts bytes back that the next reads return first.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// From here on, and from the bytes that were put back on, this is HTTP/2: reading has no deadline, and frames are counted.
    pub(super) fn expect_frames(&mut self) {
        self.expecting = Expecting::Frames;
        self.meter = Some(Meter::new());
    }

    /// The moment by which something must have arrived.
    fn read_due(&mut self) -> Option<Instant> {
        let seen = self.activity.seen();
        if seen.begun != self.begun && self.expecting != Expecting::Frames {
            self.begun = seen.begun;
            self.expecting = Expecting::NextRequest;
        }
        match self.expecting {
            Expecting::Frames => None,
            // While a request is in flight its body has a deadline of its own.
            Expecting::Header(due) => seen.idle_since.map(|_| due),
            Expecting::NextRequest => seen.idle_since.map(|since| since + self.limits.idle),
        }
    }

    fn has_read(&mut self) {
        // The order matters: a request that has begun since makes these bytes its body or the next header.
        if self.read_due().is_some() && self.expecting == Expecting::NextRequest {
            self.expecting = Expecting::Header(Instant::now() + self.limits.header);
        }
    }

    /// Looks at bytes on their way to the reader. They are the last where they are a flood.
    fn watch_read(&mut self, bytes: &[u8]) {
        if self.meter.as_mut().is_some_and(|meter| meter.is_flooded_by(bytes)) {
            self.flooded = true;
            self.activity.flood();
        }
    }

    /// Passes on what a write did; a write that does not move within the limit is an error.
    fn watch_write<R>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.write_sleep = None;
            return written;
        }
        let limit = self.limits.write;
        ready!(self.write_sleep.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.flooded {
            // Nobody is woken: whoever was told of the flood ends the connection.
            return Poll::Pending;
        }
        if this.unread.has_remaining() {
            let length = this.unread.len().min(buf.remaining());
            let piece = this.unread.split_to(length);
            buf.put_slice(&piece);
            this.watch_read(&piece);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.io).poll_read(cx, buf) {
            this.has_read();
            this.watch_read(buf.filled().get(before..).unwrap_or_default());
            return Poll::Ready(read);
        }
        if let Some(due) = this.read_due() {
            if this.read_sleep.deadline() != due {
                this.read_sleep.as_mut().reset(due);
            }
            ready!(this.read_sleep.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch_write(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, parts);
        self.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.watch_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch_write(cx, shut)
    }
}
