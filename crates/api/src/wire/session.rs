//! The payment service session.

use bytes::Bytes;
use domain::session::{Session, SessionCode};

/// Longest text around the service's own bytes, bytes; room is made once.
const ENVELOPE_BYTES_MAX: usize = 160;

/// The session as JSON, put together around the payment service's own bytes so that they come out as they came in.
pub(crate) fn session_json(session: &Session) -> Bytes {
    let body = session.response_body.as_ref().map_or("null", |object| object.as_str());
    let mut text = String::with_capacity(ENVELOPE_BYTES_MAX + body.len());
    text.push_str(r#"{"type":"payment-service-session","status":""#);
    text.push_str(session.status.as_str());
    text.push_str(r#"","code":"#);
    match session.code.map(SessionCode::as_str) {
        // The codes are our own words and need no escapes.
        Some(code) => text.extend(["\"", code, "\""]),
        None => text.push_str("null"),
    }
    text.push_str(r#","status_code":"#);
    match session.status_code {
        Some(status) => text.push_str(&status.to_string()),
        None => text.push_str("null"),
    }
    text.push_str(r#","response_body":"#);
    text.push_str(body);
    text.push('}');
    text.into()
}
