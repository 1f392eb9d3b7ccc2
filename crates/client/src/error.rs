//! What can go wrong, with the API's own errors typed.

use std::fmt;

use serde::Deserialize;

use crate::auth::SignError;
use crate::words::open_words;

/// Why a call gave no answer to work with. A session that the payment service refused is not among these: it is a
/// [`PaymentServiceSession`](crate::PaymentServiceSession) with status `failed`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API refused the call.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// No complete answer: name, connection, TLS, time limit.
    #[error("the call of {url} failed")]
    Transport {
        /// Where the call went.
        url: String,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that is not the API's: neither a success nor its error shape, as proxies send.
    #[error("{url} answered {status} without an error object of the API")]
    NotTheApi {
        /// Where the call went.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A success whose body has another shape than this operation's.
    #[error("the answer ({status}) could not be read")]
    Decode {
        /// The HTTP status.
        status: u16,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
    /// An answer longer than this client takes.
    #[error("the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// Where the call went.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The request body could not be written as JSON.
    #[error("the request body could not be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// A path member that would change the route: empty, `.` or `..`.
    #[error("`{0}` can not be an id")]
    InvalidId(String),
    /// A header value with characters that no header may hold.
    #[error("`{0}` can not be sent: its value holds characters that no header may hold")]
    InvalidHeader(&'static str),
    /// A list led back to a page that was already read.
    #[error("the list does not end: cursor `{0}` came twice")]
    RepeatedCursor(String),
    /// The token could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Error {
    /// The API's own error, if that is what this is.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }
}

open_words! {
    /// The `code` of an error.
    ErrorCode {
        /// The request failed validation; `details` says where.
        BadRequest = "bad_request",
        /// No valid token.
        Unauthorized = "unauthorized",
        /// The token is valid and does not allow this.
        Forbidden = "forbidden",
        /// Not there, or not for this caller to see.
        NotFound = "not_found",
        /// The route has no such method.
        MethodNotAllowed = "method_not_allowed",
        /// A unique member is taken; `resource_id` names the record that has it.
        DuplicateRecord = "duplicate_record",
        /// The same idempotency key is in flight.
        ConcurrentRequest = "concurrent_request",
        /// The object is busy.
        TooEarly = "too_early",
        /// Too many calls.
        TooManyRequests = "too_many_requests",
        /// The server failed.
        ServerError = "server_error",
        /// A payment service gave no answer where one is needed.
        BadGateway = "bad_gateway",
        /// A payment service took too long where an answer is needed.
        GatewayTimeout = "gateway_timeout",
        /// The server takes no writes for the moment.
        ServiceUnavailable = "service_unavailable",
    }
}

open_words! {
    /// Which part of a request a detail is about.
    Location {
        /// The query string.
        Query = "query",
        /// The body; the pointer is an RFC 6901 pointer.
        Body = "body",
        /// The path.
        Path = "path",
        /// A header.
        Header = "header",
        /// Not known.
        Unknown = "unknown",
    }
}

/// A refusal by the API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The kind of error.
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: String,
    /// What is wrong with the request, in the order of its members.
    pub details: Vec<ErrorDetail>,
    /// The record that already has a unique value.
    pub resource_id: Option<String>,
    /// The server's id of the request, for support.
    pub request_id: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ErrorDetail {
    /// The part of the request.
    pub location: Location,
    /// An RFC 6901 pointer into the body, or the name of the parameter.
    #[serde(default)]
    pub pointer: String,
    /// One sentence for people.
    #[serde(default)]
    pub message: String,
    /// A stable word for programs, such as `missing` or `not_supported`.
    #[serde(default)]
    pub r#type: String,
}

#[derive(Deserialize)]
struct WireError {
    r#type: String,
    code: ErrorCode,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<Vec<ErrorDetail>>,
    #[serde(default)]
    resource_id: Option<String>,
}

// === impl ApiError ===

impl ApiError {
    /// Reads an error body; `None` when it is somebody else's.
    pub(crate) fn read(status: u16, body: &[u8], request_id: Option<String>) -> Option<Self> {
        let wire: WireError = serde_json::from_slice(body).ok()?;
        if wire.r#type != "error" {
            return None;
        }
        Some(Self {
            status,
            code: wire.code,
            message: wire.message,
            details: wire.details.unwrap_or_default(),
            resource_id: wire.resource_id,
            request_id,
        })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)?;
        for detail in &self.details {
            write!(f, "; {} {}: {}", detail.location, detail.pointer, detail.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}
