//! The header `idempotency-key`, and sessions that carry it.

use axum::extract::FromRequestParts;
use axum::response::Response;
use bytes::Bytes;
use domain::Problem;
use domain::idempotency::{IdempotencyKey, KeyError, KeyPlace, StoredAnswer};
use domain::session::{Delivered, Session};
use engine::sessions::{Answered, Once, Target};
use http::request::Parts;
use http::{HeaderName, StatusCode};

use crate::App;
use crate::error::{self, Error};
use crate::extract::Tenant;
use crate::wire::session::session_json;

/// The header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header's name as refusals write it.
const POINTER: &str = "Idempotency-Key";

/// The idempotency key of a request, if it has one, and what of the request beside the body makes it the same one.
pub(crate) struct Repeated {
    key: Option<IdempotencyKey>,
    query: String,
}

/// Which operation a key counts for, and at which path.
pub(crate) struct Operation {
    /// The operation's id.
    pub(crate) id: &'static str,
    /// The path, in one spelling whatever the caller's.
    pub(crate) path: String,
}

impl FromRequestParts<App> for Repeated {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Error> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (values.next(), values.next()) {
            (None, _) => None,
            // What is no ASCII is no key either, and is refused as the unprintable text it may be.
            (Some(value), None) => Some(IdempotencyKey::parse(value.to_str().unwrap_or("\u{fffd}")).map_err(refused)?),
            (Some(_), Some(_)) => return Err(error::invalid(vec![Problem::header(POINTER, "value_error", "must be sent once")])),
        };
        Ok(Self { key, query: parts.uri.query().unwrap_or_default().to_owned() })
    }
}

fn refused(problem: KeyError) -> Error {
    let kind = match problem {
        KeyError::Empty => "string_too_short",
        KeyError::TooLong => "string_too_long",
        KeyError::NotPrintable => "pattern_mismatch",
    };
    error::invalid(vec![Problem::header(POINTER, kind, problem.to_string())])
}

/// Creates a session, or answers what an earlier request with the same key was answered.
pub(crate) async fn session(
    app: &App,
    tenant: &Tenant,
    operation: Operation,
    repeated: Repeated,
    target: Target,
    body: Bytes,
) -> Result<Response, Error> {
    let Tenant { scope, request, .. } = tenant;
    let Some(key) = repeated.key else {
        let (session, delivered) = engine::sessions::create(&app.engine, scope, request, target, body).await?;
        return Ok(error::session(&session, delivered));
    };
    let place = KeyPlace { operation: operation.id.to_owned(), path: operation.path, key };
    let once = Once { place, query: repeated.query, answer };
    Ok(match engine::sessions::create_once(&app.engine, scope, request, target, body, once).await? {
        Answered::Now(answer) => error::stored(answer),
        Answered::Before(answer) => error::replayed(answer),
    })
}

/// How a session is answered, in the form in which it is kept.
fn answer(session: &Session, delivered: Delivered) -> StoredAnswer {
    StoredAnswer { status: StatusCode::OK.as_u16(), delivered, body: session_json(session) }
}
