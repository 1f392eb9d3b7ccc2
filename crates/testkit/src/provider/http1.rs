//! The provider over HTTP/1.1, written out by hand: a library would not let it misbehave.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::reply::{Greeting, Reply, Then};
use super::{Received, Shared, http2};

/// A stream that can be reset.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    fn socket(&self) -> &TcpStream;

    /// The certificate that the peer has shown.
    fn client(&self) -> Option<CertificateDer<'static>> {
        None
    }
}

impl Transport for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn client(&self) -> Option<CertificateDer<'static>> {
        self.get_ref().1.peer_certificates()?.first().cloned().map(CertificateDer::into_owned)
    }
}

/// Plays one connection. Its errors are those of a peer that has left, which a test sees by other means.
pub(super) async fn receive(mut stream: TcpStream, acceptor: Option<TlsAcceptor>, connection: usize, shared: &Arc<Shared>) {
    // Answers are written in pieces on purpose; each should leave as it is.
    stream.set_nodelay(true).expect("an open socket");
    let greeting = shared.greeting();
    match &greeting {
        Greeting::Serve | Greeting::BytesInTls(..) => {}
        Greeting::Bytes(bytes, then) => return speak(&mut stream, bytes, *then).await,
        Greeting::Silence => return hang(&mut stream).await,
        Greeting::Close => return,
    }
    let Some(acceptor) = acceptor else { return serve(stream, connection, shared).await };
    let mut stream = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => stream,
        // Closing over unread bytes would be a reset, which may overtake the alert that says what was wrong.
        Err((_, mut stream)) => return hang(&mut stream).await,
    };
    if let Greeting::BytesInTls(bytes, then) = &greeting {
        return speak(&mut stream, bytes, *then).await;
    }
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::serve(stream, connection, shared).await;
    } else {
        serve(stream, connection, shared).await;
    }
}

async fn speak<S: Transport>(stream: &mut S, bytes: &[u8], then: Then) {
    let mut first = [0; 16 * 1024];
    if matches!(stream.read(&mut first).await, Ok(1..)) && write(stream, bytes).await.is_ok() {
        follow(stream, then).await;
    }
}

async fn serve<S: Transport>(mut stream: S, connection: usize, shared: &Shared) {
    let mut buffer = Vec::new();
    let mut hang_ups = shared.hang_ups.subscribe();
    loop {
        tokio::select! {
            filled = fill(&mut stream, &mut buffer) => if !matches!(filled, Ok(1..)) { return },
            _ = hang_ups.changed() => return follow(&mut stream, Then::Close).await,
        }
        let queued = shared.queued();
        match queued {
            Some(Reply::ResetUnread) => return reset(&stream),
            Some(Reply::CloseAfter(bytes)) => {
                while buffer.len() < bytes && matches!(fill(&mut stream, &mut buffer).await, Ok(1..)) {}
                return;
            }
            _ => {}
        }
        let Some(received) = read_request(&mut stream, &mut buffer, connection).await else { return };
        let reply = queued.unwrap_or_else(|| shared.judge(&received));
        shared.record(received);
        match play(&mut stream, reply).await {
            Ok(Then::Serve) => {}
            Ok(then) => return follow(&mut stream, then).await,
            Err(_) => return,
        }
    }
}

/// Does what is told and says how to go on.
async fn play<S: Transport>(stream: &mut S, reply: Reply) -> io::Result<Then> {
    let reply = match reply {
        Reply::After(wait, reply) => {
            sleep(wait).await;
            *reply
        }
        reply => reply,
    };
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut bytes = head(status, &headers, body.len());
            bytes.extend_from_slice(&body);
            write(stream, &bytes).await?;
            Ok(Then::Serve)
        }
        Reply::Raw(bytes, then) => {
            write(stream, &bytes).await?;
            Ok(then)
        }
        Reply::Huge(length) => {
            write(stream, &head(200, &[], length)).await?;
            let piece = vec![b' '; 64 * 1024];
            let mut left = length;
            while let Some(part) = piece.get(..left.min(piece.len())).filter(|part| !part.is_empty()) {
                write(stream, part).await?;
                left -= part.len();
            }
            Ok(Then::Serve)
        }
        Reply::Drip(body, every) => {
            write(stream, &head(200, &[], body.len())).await?;
            drip(stream, &body, every).await?;
            Ok(Then::Serve)
        }
        Reply::Never | Reply::After(..) => Ok(Then::Hang),
        Reply::CloseUnanswered | Reply::CloseAfter(_) => Ok(Then::Close),
        Reply::ResetUnanswered | Reply::ResetUnread | Reply::RefuseStream => Ok(Then::Reset),
    }
}

async fn drip<S: Transport>(stream: &mut S, body: &[u8], every: Duration) -> io::Result<()> {
    for byte in body {
        sleep(every).await;
        write(stream, &[*byte]).await?;
    }
    Ok(())
}

async fn follow<S: Transport>(stream: &mut S, then: Then) {
    match then {
        Then::Serve | Then::Hang => hang(stream).await,
        // A peer that is gone has closed for us.
        Then::Close => drop(stream.shutdown().await),
        Then::Reset => reset(stream),
    }
}

/// Says nothing until the peer leaves.
async fn hang<S: Transport>(stream: &mut S) {
    let mut buffer = Vec::new();
    while let Ok(1..) = fill(stream, &mut buffer).await {
        buffer.clear();
    }
}

/// With no time to linger the socket is closed by a reset.
fn reset<S: Transport>(stream: &S) {
    stream.socket().set_zero_linger().expect("an open socket");
}

async fn write<S: Transport>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads once unless something is there already; the number of bytes that are there.
async fn fill<S: Transport>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; 16 * 1024];
    let count = stream.read(&mut piece).await?;
    buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
    Ok(count)
}

async fn read_request<S: Transport>(stream: &mut S, buffer: &mut Vec<u8>, connection: usize) -> Option<Received> {
    let head_end = loop {
        match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None if fill(stream, buffer).await.ok()? == 0 => return None,
            None => {}
        }
    };
    let head = String::from_utf8(buffer.drain(..head_end + 4).take(head_end).collect()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers =
        lines.map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))).collect::<Option<_>>()?;
    let client = stream.client();
    let mut received = Received { connection, at: Instant::now(), client, version: "HTTP/1.1", method, target, headers, body: Vec::new() };
    let length: usize = received.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    while buffer.len() < length {
        if fill(stream, buffer).await.ok()? == 0 {
            return None;
        }
    }
    received.body = buffer.drain(..length).collect();
    received.at = Instant::now();
    Some(received)
}

fn head(status: u16, headers: &[(String, String)], length: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) && status != 204 && status != 304 {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}
