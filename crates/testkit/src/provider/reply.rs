//! What a provider can be told to do.

use std::time::Duration;

/// How a connection is received.
#[derive(Clone, Debug)]
pub enum Greeting {
    /// As usual: TLS if there is any, then requests.
    Serve,
    /// These bytes in answer to the first ones that come, below TLS; then as `Then` says. Garbage, or another protocol.
    Bytes(Vec<u8>, Then),
    /// The same after the TLS handshake.
    BytesInTls(Vec<u8>, Then),
    /// Accepted, then silence.
    Silence,
    /// Closed at once.
    Close,
}

/// What a provider does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A well-formed answer. `content-length` is added where no header gives it.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers in order.
        headers: Vec<(String, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// Exactly these bytes for an answer, right or wrong. HTTP/1.1 only.
    Raw(Vec<u8>, Then),
    /// An honest answer of this many bytes.
    Huge(usize),
    /// A correct head, then the body byte by byte, one each so often.
    Drip(Vec<u8>, Duration),
    /// Another reply after a while.
    After(Duration, Box<Reply>),
    /// The request is read and nothing happens.
    Never,
    /// The request is read, then the connection is closed.
    CloseUnanswered,
    /// The request is read, then the connection is reset; over HTTP/2 its stream.
    ResetUnanswered,
    /// This many bytes of the request are read, then the connection is closed. HTTP/1.1 only.
    CloseAfter(usize),
    /// The connection is reset when the request begins to arrive. HTTP/1.1 only.
    ResetUnread,
    /// The stream is refused, which says that the request was not looked at. HTTP/2 only.
    RefuseStream,
}

/// What follows bytes that are sent as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next request.
    Serve,
    /// Silence.
    Hang,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

// === impl Reply ===

impl Reply {
    /// An answer with JSON.
    pub fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body: body.as_bytes().to_vec() }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).with_header("location", location)
    }

    /// The same answer with one more header; other replies have none.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}
