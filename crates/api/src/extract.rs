//! What handlers are given: who asks and where, ids, bodies. Their refusals have our shape, unlike the framework's own.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use domain::json::JsonError;
use domain::{ApiKeyPairId, JsonObject, Location, PaymentServiceId, Problem, Scope, SessionRecordId};
use engine::ScopeRefusal;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tracing::Instrument as _;

use crate::App;
use crate::error::{self, Error};
use crate::observe::RequestId;
use crate::origin::Origin;

/// Largest body that is read, bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

const MERCHANT_ACCOUNT: HeaderName = HeaderName::from_static("x-gr4vy-merchant-account-id");

/// A caller that acts on the instance: definitions, accounts, key pairs, roles.
pub(crate) struct Instance {
    pub(crate) caller: engine::Caller,
    pub(crate) request: engine::Request,
}

/// A caller that acts in one merchant account.
pub(crate) struct Tenant {
    pub(crate) caller: engine::Caller,
    pub(crate) scope: Scope,
    pub(crate) request: engine::Request,
}

/// The one id in the path. What can not be an id names nothing: 404, like an id that nobody has.
pub(crate) struct Id<T>(pub(crate) T);

/// An id that a path can carry.
pub(crate) trait PathId: Sized {
    /// Reads the decoded segment.
    fn of(segment: &str) -> Option<Self>;
}

/// A body as it came, up to the limit. It may be empty.
pub(crate) struct RawBody(pub(crate) Bytes);

/// A body that is a JSON object. The content type does not matter: whoever sends a body here means JSON.
pub(crate) struct JsonBody(pub(crate) JsonObject);

// === who asks, and where ===

impl FromRequestParts<App> for Instance {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Error> {
        let (caller, request) = asked_by(parts)?;
        Ok(Self { caller, request })
    }
}

impl FromRequestParts<App> for Tenant {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let (caller, request) = asked_by(parts)?;
        let scope = caller.scope(named_account(&parts.headers)?).map_err(|refusal| match refusal {
            ScopeRefusal::Forbidden => error::forbidden(),
            ScopeRefusal::Unnamed => error::account_not_named(),
            ScopeRefusal::NotFound => error::not_found(),
        })?;
        app.engine.admit(&scope)?;
        Ok(Self { caller, scope, request })
    }
}

fn asked_by(parts: &Parts) -> Result<(engine::Caller, engine::Request), Error> {
    let (Some(caller), Some(origin)) = (parts.extensions.get::<engine::Caller>(), parts.extensions.get::<Origin>()) else {
        // Every operation is behind the gate; one that is not must not answer.
        tracing::error!("An operation was reached without a caller");
        return Err(error::internal());
    };
    let request = engine::Request {
        actor: caller.actor(),
        request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        origin: origin.0.to_string(),
    };
    Ok((caller.clone(), request))
}

/// The account that the header names. A name that no account can have (empty, too long, foreign letters) is passed on like any other unknown one: 404 for a key pair of all accounts, 403 for every other. Only two headers are refused as such, since proxies and servers differ on which of them counts.
fn named_account(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(MERCHANT_ACCOUNT).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        // What is not visible ASCII is no account's name, and neither is the empty text.
        (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default())),
        (Some(_), Some(_)) => Err(error::invalid(vec![Problem {
            location: Location::Header,
            pointer: MERCHANT_ACCOUNT.as_str().to_owned(),
            message: "Must be sent once".to_owned(),
            kind: "value_error",
        }])),
    }
}

// === ids ===

impl<T: PathId> FromRequestParts<App> for Id<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let segments = RawPathParams::from_request_parts(parts, app).await.map_err(|_| error::not_found())?;
        let segment = segments.iter().next().map(|(_, segment)| segment);
        segment.and_then(T::of).map(Self).ok_or_else(error::not_found)
    }
}

impl PathId for PaymentServiceId {
    fn of(segment: &str) -> Option<Self> {
        Self::parse(segment)
    }
}

impl PathId for ApiKeyPairId {
    fn of(segment: &str) -> Option<Self> {
        Self::parse(segment)
    }
}

impl PathId for SessionRecordId {
    fn of(segment: &str) -> Option<Self> {
        Self::parse(segment)
    }
}

impl PathId for domain::MerchantAccountId {
    fn of(segment: &str) -> Option<Self> {
        Self::parse(segment)
    }
}

impl PathId for domain::DefinitionId {
    fn of(segment: &str) -> Option<Self> {
        Self::parse(segment)
    }
}

// === bodies ===

impl FromRequest<App> for RawBody {
    type Rejection = Error;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        if encoded(&parts.headers) {
            return Err(error::unsupported_encoding());
        }
        if declared_length(&parts.headers).is_some_and(|length| length > BODY_BYTES_MAX) {
            discard(body).await;
            return Err(error::too_large());
        }
        read(body).instrument(tracing::debug_span!(target: "tollhouse::step", "accept")).await.map(Self)
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        let empty = bytes.is_empty();
        JsonObject::parse(bytes).map(Self).map_err(|refused| {
            let (kind, message) = match refused {
                JsonError::Syntax if empty => ("missing", "A JSON object is required".to_owned()),
                JsonError::NotAnObject => ("type_error", "Must be a JSON object".to_owned()),
                JsonError::Syntax | JsonError::TooDeep => ("value_error", format!("The body is {refused}")),
            };
            error::invalid(vec![Problem::body("", kind, message)])
        })
    }
}

fn encoded(headers: &HeaderMap) -> bool {
    let identity = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    !headers.get_all(CONTENT_ENCODING).iter().all(identity)
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Most of a body that is refused for its length and read all the same, without keeping it: a client that is cut off while it writes never sees why. Beyond that it is.
const DISCARDED_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;

async fn discard(mut body: Body) {
    let mut discarded = 0;
    while discarded < DISCARDED_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}

async fn read(body: Body) -> Result<Bytes, Error> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(error::too_large()),
        Err(error) => {
            tracing::info!(error, "A body could not be read to its end");
            Err(error::invalid(vec![Problem::body("", "value_error", "The body could not be read to its end")]))
        }
    }
}
