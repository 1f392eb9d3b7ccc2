//! What reached the provider.

use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::Identity;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Which connection brought it, counted from 1.
    pub connection: usize,
    /// When the last byte of it was there.
    pub at: Instant,
    /// The certificate that the client has shown on the connection.
    pub client: Option<CertificateDer<'static>>,
    /// `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Headers in order, names as sent. Over HTTP/2 `:authority` is the first.
    pub headers: Vec<(String, String)>,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
}

// === impl Received ===

impl Received {
    /// Whether the client has shown this certificate.
    pub fn is_from(&self, identity: &Identity) -> bool {
        self.client.as_ref() == Some(identity.certificate())
    }

    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body, for tests that know it is text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }
}
