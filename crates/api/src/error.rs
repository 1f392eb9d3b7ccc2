//! Answers and refusals: the only file with status codes.
//!
//! Every refusal has one shape, `{"type":"error","code":…,"status":…,"message":…,"details":[…]}`: official clients parse it for every status and lose the message of any other shape.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::Problem;
use domain::idempotency::StoredAnswer;
use domain::session::{Delivered, Session};
use engine::Refusal;
use engine::limits::Limited;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::wire::error::{WireError, WireProblem};
use crate::wire::session::session_json;

/// Seconds after which a client may try again while nothing can be written. Official clients repeat reads on their own and obey this.
const RETRY_AFTER_SECONDS: u64 = 1;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Says whether the payment service may have acted on a session request.
const DELIVERED: HeaderName = HeaderName::from_static("tollhouse-delivered");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// More problems than this are not told: nobody reads them, and a body of 1 MiB could have a hundred thousand.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub(crate) struct Error {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Vec<Problem>,
    /// Only duplicates carry the member; there it may be null.
    resource_id: Option<Option<String>>,
    retry_after_seconds: Option<u64>,
}

/// What a handler answers.
pub(crate) type Answer = Result<Response, Error>;

/// What an operation answers when it works, as the API's document declares it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Success {
    /// 200 with a schema of our document.
    Ok(&'static str),
    /// 200 with any JSON.
    OkAnything,
    /// 201 with a schema of our document.
    Created(&'static str),
    /// 204.
    NoContent,
}

impl Success {
    /// The status: clients match the one that is documented and take any other 2xx for an error.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Ok(_) | Self::OkAnything => StatusCode::OK,
            Self::Created(_) => StatusCode::CREATED,
            Self::NoContent => StatusCode::NO_CONTENT,
        }
    }
}

/// The refusals that every operation of our document declares: status, code, default message.
pub(crate) const DOCUMENTED: [(StatusCode, &str, &str); 13] = [
    (StatusCode::BAD_REQUEST, "bad_request", "Request failed validation"),
    (StatusCode::UNAUTHORIZED, "unauthorized", "No valid API authentication found"),
    (StatusCode::FORBIDDEN, "forbidden", "Invalid credentials"),
    (StatusCode::NOT_FOUND, "not_found", "The resource could not be found"),
    (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method Not Allowed"),
    (StatusCode::CONFLICT, "duplicate_record", "The record exists already"),
    (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "The request body is too large"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The content encoding is not supported"),
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request_header_fields_too_large", "The request has too many headers"),
    (StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests"),
    (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Request could not be processed"),
    (StatusCode::BAD_GATEWAY, "bad_gateway", "Request could not be processed"),
    (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "The service is not available at the moment"),
];

// === answers ===

/// 200 with a wire type.
pub(crate) fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}

/// 200 with an empty object, for operations whose answer may be any JSON.
pub(crate) fn ok_anything() -> Answer {
    Ok(raw_json(StatusCode::OK, Bytes::from_static(b"{}")))
}

/// 201 with a wire type.
pub(crate) fn created(body: &impl Serialize) -> Answer {
    json(StatusCode::CREATED, body)
}

/// 204. It has no body and so no content type: a JSON type on an empty body breaks clients.
pub(crate) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// 200 with a session, whatever became of it: a payment service's failure is an answer.
pub(crate) fn session(session: &Session, delivered: Delivered) -> Response {
    let mut response = raw_json(StatusCode::OK, session_json(session));
    response.headers_mut().insert(DELIVERED, HeaderValue::from_static(delivered.as_str()));
    response
}

/// An answer that is kept for whoever sends the same request again.
pub(crate) fn stored(answer: StoredAnswer) -> Response {
    // It was a valid status when it was kept.
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = raw_json(status, answer.body);
    response.headers_mut().insert(DELIVERED, HeaderValue::from_static(answer.delivered.as_str()));
    response
}

/// The same answer for a request that came again.
pub(crate) fn replayed(answer: StoredAnswer) -> Response {
    let mut response = stored(answer);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// 200 or 503 for whoever asks whether traffic may come.
pub(crate) fn readiness(ready: bool, body: &impl Serialize) -> Answer {
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(text) => Ok(raw_json(status, text.into())),
        Err(error) => {
            tracing::error!(error = %error, "An answer could not be written as JSON");
            Err(internal())
        }
    }
}

fn raw_json(status: StatusCode, text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

// === refusals ===

/// 400: everything that is wrong with the input, all at once, as far as anybody will read it.
pub(crate) fn invalid(mut details: Vec<Problem>) -> Error {
    details.truncate(PROBLEMS_MAX);
    Error { details, ..of(StatusCode::BAD_REQUEST) }
}

/// 401, never saying why.
pub(crate) fn unauthorized() -> Error {
    of(StatusCode::UNAUTHORIZED)
}

/// 403: the scope, the role or the merchant account is missing.
pub(crate) fn forbidden() -> Error {
    of(StatusCode::FORBIDDEN)
}

/// 403 that asks for the header: the key may act in several accounts.
pub(crate) fn account_not_named() -> Error {
    let message = "The API key pair has several merchant accounts: name one in the header x-gr4vy-merchant-account-id";
    Error { message: message.into(), ..forbidden() }
}

/// 404, also for what the caller may not see.
pub(crate) fn not_found() -> Error {
    of(StatusCode::NOT_FOUND)
}

/// 405; the router adds `Allow`.
pub(crate) fn method_not_allowed() -> Error {
    of(StatusCode::METHOD_NOT_ALLOWED)
}

/// 409: a unique member is taken.
pub(crate) fn duplicate(field: &str, resource_id: Option<String>) -> Error {
    let message = format!("A record with this {field} exists already");
    Error { message: message.into(), resource_id: Some(resource_id), ..of(StatusCode::CONFLICT) }
}

/// 409: the same idempotency key is in use by a request that has not ended.
pub(crate) fn concurrent() -> Error {
    let message = "A request with this idempotency key is still being processed";
    Error { code: "concurrent_request", message: message.into(), ..of(StatusCode::CONFLICT) }
}

/// 413.
pub(crate) fn too_large() -> Error {
    of(StatusCode::PAYLOAD_TOO_LARGE)
}

/// 415: a compressed body.
pub(crate) fn unsupported_encoding() -> Error {
    of(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// 431.
pub(crate) fn too_many_headers() -> Error {
    of(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// 500, saying nothing about us. The reason is logged by whoever makes it.
pub(crate) fn internal() -> Error {
    of(StatusCode::INTERNAL_SERVER_ERROR)
}

/// 502: the payment service that was to be asked did not answer. Never used for sessions.
pub(crate) fn bad_gateway() -> Error {
    of(StatusCode::BAD_GATEWAY)
}

/// 503: nothing can be written at the moment.
pub(crate) fn unavailable() -> Error {
    of(StatusCode::SERVICE_UNAVAILABLE)
}

fn of(status: StatusCode) -> Error {
    let known = DOCUMENTED.iter().find(|(documented, _, _)| *documented == status);
    let (code, message) = known.map_or(("server_error", "Request could not be processed"), |(_, code, message)| (*code, *message));
    let retry_after_seconds = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_SECONDS);
    Error { status, code, message: message.into(), details: Vec::new(), resource_id: None, retry_after_seconds }
}

// === impl Error ===

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = WireError {
            r#type: "error",
            code: self.code,
            status: self.status.as_u16(),
            message: &self.message,
            details: self.details.iter().map(WireProblem::of).collect(),
            resource_id: self.resource_id.as_ref(),
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = raw_json(self.status, text.into());
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// 429, saying when to come again and not which limit it was.
impl From<Limited> for Error {
    fn from(limited: Limited) -> Self {
        Self { retry_after_seconds: Some(limited.retry_after_seconds), ..of(StatusCode::TOO_MANY_REQUESTS) }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => not_found(),
            Refusal::Forbidden => forbidden(),
            Refusal::Invalid(problems) => invalid(problems),
            Refusal::Duplicate { field, resource_id } => duplicate(field, resource_id),
            Refusal::Concurrent => concurrent(),
            Refusal::Unavailable => unavailable(),
            Refusal::BadGateway => bad_gateway(),
            Refusal::Internal(error) => {
                tracing::error!(error = %error, "A request failed");
                internal()
            }
        }
    }
}
