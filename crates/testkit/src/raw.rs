//! A client that sends what it is told, byte by byte: half a request, two in one, frames of HTTP/2 that nobody needs.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "test equipment fails by panicking")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a server may take to answer or to close. Its own limits are shorter.
const PATIENCE: Duration = Duration::from_secs(60);

/// What HTTP/2 clients send first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Something to read from and write to.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The half of a connection that is read.
pub type Reader = tokio::io::ReadHalf<Box<dyn Io>>;
/// The half of a connection that is written.
pub type Writer = tokio::io::WriteHalf<Box<dyn Io>>;

/// One connection.
pub struct Raw {
    io: Box<dyn Io>,
    /// What came and was not looked at yet.
    unread: Vec<u8>,
}

/// One answer of HTTP/1.1, read by its `content-length`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Address of a base URL.
fn address(base: &str) -> &str {
    base.split_once("://").map_or(base, |(_, rest)| rest)
}

// === impl Raw ===

impl Raw {
    /// Connects to the address of a base URL, without TLS whatever the URL says.
    pub async fn plain(base: &str) -> Self {
        Self::try_plain(base).await.unwrap_or_else(|error| panic!("{base} can not be reached: {error}"))
    }

    /// The same where the server may refuse.
    pub async fn try_plain(base: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address(base)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { io: Box::new(stream), unread: Vec::new() })
    }

    /// Connects over TLS to a server whose certificate is this one, offering one protocol.
    pub async fn tls(base: &str, certificate_pem: &str, protocol: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate_pem.as_bytes()).expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(address(base)).await.expect("the server can be reached");
        let host = address(base).rsplit_once(':').map_or(base, |(host, _)| host).to_owned();
        let name = ServerName::try_from(host).expect("a name or an address");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a TLS handshake");
        Self { io: Box::new(stream), unread: Vec::new() }
    }

    /// Sends bytes. An error: the server has closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sent = async {
            self.io.write_all(bytes.as_ref()).await?;
            self.io.flush().await
        };
        timeout(PATIENCE, sent).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads one answer; `None` where the connection ended before one was whole.
    pub async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0_usize);
        while self.unread.len() < end + length {
            self.more().await?;
        }
        let body = String::from_utf8_lossy(&self.unread[end..end + length]).into_owned();
        self.unread.drain(..end + length);
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {head}"));
        Some(Answer { status, head, body })
    }

    /// Every answer up to the end of the connection, which has to come.
    pub async fn answers(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            answers.push(answer);
        }
        assert!(self.unread.is_empty(), "half an answer: {}", String::from_utf8_lossy(&self.unread));
        answers
    }

    /// Everything up to the end of the connection, which has to come. A reset is an end too.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await.is_some() {}
        std::mem::take(&mut self.unread)
    }

    /// Whether the connection has ended, with or without something before the end, within a time.
    pub async fn ends_within(&mut self, limit: Duration) -> bool {
        timeout(limit, async { while self.more().await.is_some() {} }).await.is_ok()
    }

    /// Reads and writes at once.
    pub fn split(self) -> (Reader, Writer) {
        tokio::io::split(self.io)
    }

    async fn more(&mut self) -> Option<()> {
        let read = timeout(PATIENCE, self.io.read_buf(&mut self.unread)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing more came, and no end: {}", String::from_utf8_lossy(&self.unread)));
        // Ends without a goodbye of TLS and resets are ends.
        matches!(read, Ok(1..)).then_some(())
    }
}

/// A frame of HTTP/2: its kind, flags, stream and payload.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length of 24 bits").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Kinds of frames.
pub mod kind {
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// The frames in bytes that came, as kind, stream and payload; half a frame at the end is left out.
pub fn frames(bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while let [a, b, c, kind, _, e, f, g, h, after @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).expect("24 bits fit");
        let Some((payload, next)) = after.split_at_checked(length) else { break };
        found.push((*kind, u32::from_be_bytes([*e, *f, *g, *h]), payload));
        rest = next;
    }
    found
}

/// HPACK without a dynamic table: one header, as a literal.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut length = text.len();
        let mut bytes = Vec::new();
        if length < 127 {
            bytes.push(u8::try_from(length).expect("below 127"));
        } else {
            bytes.push(127);
            length -= 127;
            while length >= 128 {
                bytes.push(u8::try_from(length % 128).expect("below 128") | 128);
                length /= 128;
            }
            bytes.push(u8::try_from(length).expect("below 128"));
        }
        bytes.extend(text.as_bytes());
        bytes
    };
    [vec![0], text(name), text(value)].concat()
}
