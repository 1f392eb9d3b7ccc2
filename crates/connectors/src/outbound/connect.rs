//! From a vetted target to an HTTP connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::CallFailure;
use super::egress::{EgressPolicy, EgressRefusal, Target, TargetHost, is_localhost};
use super::http2;
use super::identity::Identity;
use super::proxy::{NoTunnel, Proxy};
use super::resolve::{Resolver, Unresolved};
use super::tls::{ALPN_HTTP2, Tls};
use super::wire::{Ledger, Watched, Wire};

/// When the first address is silent, how long until the next one is tried beside it.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried; a provider with more has the others for somebody else.
const ADDRESSES_MAX: usize = 6;

/// The head of an answer: status line and headers. Real ones stay under 8 KiB; hyper adds its own limit of 100 headers.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// As much as is read of a connection before somebody takes it; must hold a head.
const READ_BUFFER_BYTES_MAX: usize = 2 * HEAD_BYTES_MAX;

pub(super) type Body = Full<Bytes>;

/// A new connection, its driver already running.
pub(super) enum Connected {
    Http1 { sender: http1::SendRequest<Body>, ledger: Ledger },
    Http2 { sender: http2::Sender, ledger: Ledger },
}

/// Why there is no connection. Nothing of a request has been sent.
pub(super) struct Unconnected {
    pub(super) failure: CallFailure,
    /// Whether another attempt might end otherwise.
    pub(super) again: bool,
}

pub(super) struct Connect {
    pub(super) policy: EgressPolicy,
    pub(super) proxy: Option<Proxy>,
    pub(super) resolver: Resolver,
    pub(super) tls: Tls,
    pub(super) timeout: Duration,
    pub(super) drivers: Drivers,
}

/// Owns the tasks that move the bytes of connections; each ends with its connection.
#[derive(Clone)]
pub(super) struct Drivers(pub(super) TaskTracker);

// === impl Connect ===

impl Connect {
    pub(super) async fn connect(&self, target: &Target, identity: Option<&Identity>, deadline: Instant) -> Result<Connected, Unconnected> {
        let limit = deadline.min(Instant::now() + self.timeout);
        // When it is the call's own time that is up, that is the failure, and there is none left for another attempt.
        let late = |failure| {
            if limit == deadline {
                Unconnected { failure: CallFailure::Timeout, again: false }
            } else {
                Unconnected { failure, again: true }
            }
        };
        let stream = match self.proxy.as_ref().filter(|_| !self.policy.is_direct(target)) {
            Some(proxy) => {
                self.policy.admit_unresolved(target).map_err(refused)?;
                // Whoever was slow, the payment service has not heard of the call.
                let slow = |_| Unconnected { failure: CallFailure::Proxy, again: limit != deadline };
                timeout_at(limit, self.tunnel(proxy, target)).await.map_err(slow)??
            }
            None => {
                let addresses = timeout_at(limit, self.addresses(target)).await.map_err(|_| late(CallFailure::Dns))??;
                let dialled = timeout_at(limit, dial(addresses, target.port)).await.map_err(|_| late(CallFailure::Connect))?;
                dialled.map_err(|error| no_connection(&error, CallFailure::Connect))?
            }
        };
        let wire = Wire::new(stream);
        timeout_at(limit, self.handshake(target, identity, wire)).await.map_err(|_| late(CallFailure::Tls))?
    }

    /// A connection to the proxy, and a tunnel through it. The proxy's address is the operator's word and vetted by nobody.
    async fn tunnel(&self, proxy: &Proxy, target: &Target) -> Result<TcpStream, Unconnected> {
        let addresses = match &proxy.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Name(name) if is_localhost(name) => vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            TargetHost::Name(name) => {
                self.resolver.lookup(name).await.map_err(|_| Unconnected { failure: CallFailure::Proxy, again: true })?
            }
        };
        let mut stream = dial(addresses, proxy.port).await.map_err(|error| no_connection(&error, CallFailure::Proxy))?;
        proxy.open(&mut stream, &target.host, target.port).await.map_err(|no_tunnel| match no_tunnel {
            NoTunnel::Refused => Unconnected { failure: CallFailure::Proxy, again: false },
            NoTunnel::Unreachable => Unconnected { failure: CallFailure::Connect, again: true },
            NoTunnel::Broken => Unconnected { failure: CallFailure::Proxy, again: true },
        })?;
        Ok(stream)
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Unconnected> {
        let addresses = match &target.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Name(name) if is_localhost(name) => self.policy.loopback(target).map_err(refused)?,
            TargetHost::Name(name) => self
                .resolver
                .lookup(name)
                .await
                .map_err(|unresolved| Unconnected { failure: CallFailure::Dns, again: matches!(unresolved, Unresolved::NoAnswer) })?,
        };
        self.policy.admit_all(target, &addresses).map_err(refused)?;
        Ok(addresses)
    }

    async fn handshake(&self, target: &Target, identity: Option<&Identity>, wire: Wire) -> Result<Connected, Unconnected> {
        let ledger = wire.ledger();
        if !target.tls {
            return self.http1(wire, ledger).await;
        }
        let refused = Unconnected { failure: CallFailure::Tls, again: false };
        let tls = identity.map_or(&self.tls.anonymous, |identity| &identity.tls);
        let Some(tls) = tls else { return Err(refused) };
        let name = match &target.host {
            TargetHost::Name(name) => ServerName::try_from(name.clone()).map_err(|_| refused)?,
            TargetHost::Address(address) => ServerName::from(*address),
        };
        let stream = tls.connect(name, wire).await.map_err(|error| {
            tracing::debug!(%error, "No TLS session.");
            // A word of the TLS library is a judgement, on a certificate or a protocol, and will not change; a broken connection may.
            let judged = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            Unconnected { failure: CallFailure::Tls, again: !judged }
        })?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
        let stream = Watched::new(stream, ledger.clone());
        if is_http2 { self.http2(stream, ledger).await } else { self.http1(stream, ledger).await }
    }

    async fn http1<S>(&self, stream: S, ledger: Ledger) -> Result<Connected, Unconnected>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(READ_BUFFER_BYTES_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unconnected(&error))?;
        self.drivers.drive(connection);
        Ok(Connected::Http1 { sender, ledger })
    }

    async fn http2<S>(&self, stream: S, ledger: Ledger) -> Result<Connected, Unconnected>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let sender = http2::handshake(stream, &self.drivers).await.map_err(|error| unconnected(&error))?;
        Ok(Connected::Http2 { sender, ledger })
    }
}

// === impl Drivers ===

impl Drivers {
    /// The error of a connection is told to the calls on it, which are who can do something about it.
    fn drive<F>(&self, connection: F)
    where
        F: Future<Output = hyper::Result<()>> + Send + 'static,
    {
        self.0.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection to a payment service ended.");
            }
        });
    }
}

fn refused(refusal: EgressRefusal) -> Unconnected {
    Unconnected { failure: CallFailure::Refused(refusal), again: false }
}

fn no_connection(error: &io::Error, failure: CallFailure) -> Unconnected {
    tracing::debug!(%error, "No connection.");
    Unconnected { failure, again: true }
}

fn unconnected(error: &dyn std::error::Error) -> Unconnected {
    tracing::debug!(%error, "No HTTP connection.");
    Unconnected { failure: CallFailure::Connect, again: true }
}

/// Connects to the first address that answers; a silent one holds the others up only for a moment. Those that come too late are closed.
async fn dial(addresses: Vec<IpAddr>, port: u16) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter().take(ADDRESSES_MAX).map(|address| SocketAddr::new(address, port));
    let mut dialling = JoinSet::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    if let Some(first) = waiting.next() {
        dialling.spawn(TcpStream::connect(first));
    }
    loop {
        let next_at = Instant::now() + NEXT_ADDRESS_AFTER;
        let dialled = if waiting.len() == 0 { Ok(dialling.join_next().await) } else { timeout_at(next_at, dialling.join_next()).await };
        match dialled {
            Ok(Some(Ok(Ok(stream)))) => {
                // Requests are small and complete when written; waiting for more would only delay them.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Some(Ok(Err(error)))) => failure = error,
            Ok(Some(Err(error))) => failure = io::Error::other(error),
            Ok(None) if waiting.len() == 0 => return Err(failure),
            Ok(None) | Err(_) => {}
        }
        if let Some(next) = waiting.next() {
            dialling.spawn(TcpStream::connect(next));
        }
    }
}
