//! A socket that can prove what was not written to it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How many bytes the system has taken for one connection. Once sealed it takes no more, so that a count that has not moved stays a proof.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<Entry>>);

#[derive(Debug, Default)]
struct Entry {
    written: u64,
    sealed: bool,
    refused: bool,
}

/// A socket with a [`Ledger`], below TLS: what TLS holds back has not been sent.
pub(super) struct Wire {
    stream: TcpStream,
    ledger: Ledger,
}

/// A TLS session that notes why it ends. With TLS 1.3 a client has finished before the server looks at its certificate, so the refusal comes as an alert in place of an answer; the HTTP library would only say that the connection broke.
pub(super) struct Watched<S> {
    stream: S,
    ledger: Ledger,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn written(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).written
    }

    /// Ends writing for good and says whether anything was written since `mark`.
    pub(super) fn seal(&self, mark: u64) -> bool {
        let mut entry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entry.sealed = true;
        entry.written != mark
    }

    /// Whether the peer has said that it does not take our certificate, or misses one.
    pub(super) fn is_refused(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused
    }

    fn refuse(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused = true;
    }

    /// The lock is held over the system call, which does not block; else a write could pass between seal and count.
    fn write(&self, write: impl FnOnce() -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let mut entry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.sealed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = ready!(write())?;
        entry.written = entry.written.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Poll::Ready(Ok(count))
    }
}

// === impl Wire ===

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, ledger: Ledger::default() }
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, ledger } = &mut *self;
        ledger.write(|| Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Self { stream, ledger } = &mut *self;
        ledger.write(|| Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// === impl Watched ===

impl<S> Watched<S> {
    pub(super) fn new(stream: S, ledger: Ledger) -> Self {
        Self { stream, ledger }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if let Err(error) = &read
            && is_refusal(error)
        {
            self.ledger.refuse();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The alerts that are about a certificate (RFC 8446, section 6.2), and the general one that servers send in their place.
fn is_refusal(error: &io::Error) -> bool {
    let Some(rustls::Error::AlertReceived(alert)) = error.get_ref().and_then(|inner| inner.downcast_ref()) else { return false };
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_sealed_wire_writes_nothing_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut wire = Wire::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        let (mut peer, _) = listener.accept().await.unwrap();
        let ledger = wire.ledger();
        wire.write_all(b"first").await.unwrap();
        let mark = ledger.written();
        assert_eq!(mark, 5);
        assert!(!ledger.seal(mark), "nothing was written since");
        assert!(ledger.seal(0), "something was written since the beginning");
        assert_eq!(wire.write(b"second").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(wire.write_vectored(&[io::IoSlice::new(b"third")]).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(wire);
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"first");
    }
}
