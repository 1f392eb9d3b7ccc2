//! One call: what is asked and what came back. The typed methods are made of these, and an operation that has no typed method yet can be called with them.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A request to be sent with [`Client::send`](crate::Client::send).
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Body>,
    pub(crate) account: AccountHeader,
    pub(crate) idempotency_key: Option<String>,
}

/// The bytes of a body; they hold credentials at times, so they do not print.
#[derive(Clone)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// Whether a request names its merchant account.
#[derive(Clone, Debug)]
pub(crate) enum AccountHeader {
    /// The operation does not declare the header: the key decides.
    Undeclared,
    /// The client's account, if it has one.
    OfClient,
    /// This account.
    Named(String),
}

/// A success: status, headers and body as they came.
#[derive(Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

// === impl Request ===

impl Request {
    /// A request for the path made of these segments, each of which is percent-encoded.
    pub fn new<S: Into<String>>(method: Method, segments: impl IntoIterator<Item = S>) -> Self {
        Self {
            method,
            segments: segments.into_iter().map(Into::into).collect(),
            query: Vec::new(),
            body: None,
            account: AccountHeader::Undeclared,
            idempotency_key: None,
        }
    }

    /// Adds a query parameter once for each value: an absent one or an empty list adds nothing.
    #[must_use]
    pub fn query<V: ToString>(mut self, name: &'static str, values: impl IntoIterator<Item = V>) -> Self {
        self.query.extend(values.into_iter().map(|value| (name, value.to_string())));
        self
    }

    /// Sets the body. A [`RawValue`](serde_json::value::RawValue) goes out byte for byte.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Result<Self, Error> {
        self.body = Some(Body(serde_json::to_vec(body).map_err(Error::Encode)?));
        Ok(self)
    }

    /// Names the request, so that sending it again within 24 hours does nothing twice: 1 to 255 printable characters, new for each thing that is to be done. The answer to a repetition carries the header `idempotent-replayed`. Operations that do not honour the key ignore it.
    #[must_use]
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self
    }

    /// Sends the client's merchant account with this request.
    #[must_use]
    pub fn for_client_account(mut self) -> Self {
        self.account = AccountHeader::OfClient;
        self
    }

    /// Sends this merchant account with the request, whatever the client's is.
    #[must_use]
    pub fn for_account(mut self, account: &str) -> Self {
        self.account = AccountHeader::Named(account.to_owned());
        self
    }
}

// === impl Answer ===

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, if it was sent once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, untouched.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| Error::Decode { status: self.status, source })
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}
