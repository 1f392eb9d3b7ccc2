//! The call that fetches a token, and what its answer means.

use std::time::Duration;

use domain::session::{SessionCode, SessionStatus};
use domain::{JsonText, Secret, Timestamp};
use tokio::time::Instant;

use super::{Access, code_of, log_failure, resend, watched};
use crate::classify;
use crate::facts::Sources;
use crate::guard::Teller;
use crate::mask::Mask;
use crate::model::{Call, Name, Place, TokenCall};
use crate::outbound::{Answer, Exchange, Outbound, OutgoingRequest, Route, Terms};
use crate::sign::Signed;
use crate::tokens::{Fetched, TokenFailure};

/// Longest token that is taken; the longest that services issue are a quarter of it.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A number above this is a moment in Unix time, not a lifetime: the number of seconds in thirty years.
const LIFETIME_SECONDS_MAX: u64 = 1_000_000_000;

/// What a token call needs beside its request. All of it is its own, since it may outlive the session that began it.
pub(super) struct Order {
    pub(super) outbound: Outbound,
    pub(super) access: Access,
    pub(super) teller: Teller,
    pub(super) route: Route,
    pub(super) deadline: Instant,
    pub(super) now: Timestamp,
}

/// Fetches a token.
pub(super) async fn fetch(order: Order, request: OutgoingRequest) -> Result<Fetched, TokenFailure> {
    let Order { outbound, access, teller, route, deadline, now } = order;
    let Some(token_call) = &access.connector.provider.token else {
        return Err(TokenFailure {
            code: SessionCode::InvalidServiceConfiguration,
            status_code: None,
            delivered: domain::session::Delivered::No,
        });
    };
    let resend = resend(&access.connector.provider, &token_call.call, &request, false);
    let terms = Terms { route, deadline, resend, budget: teller.budget() };
    let Exchange { delivered, result, .. } = watched(&outbound, &access, &teller, &request, &terms).await;
    match result {
        Err(failure) => {
            log_failure(&access, &failure);
            Err(TokenFailure { code: code_of(&failure), status_code: None, delivered })
        }
        Ok(answer) => read(token_call, &answer, now).map_err(|code| TokenFailure { code, status_code: Some(answer.status), delivered }),
    }
}

/// What an answer to a token call means. 400 is how OAuth says that it does not know the client.
pub(super) fn read(token_call: &TokenCall, answer: &Answer, now: Timestamp) -> Result<Fetched, SessionCode> {
    if matches!(answer.status, 400 | 401 | 403) {
        return Err(SessionCode::InvalidServiceCredentials);
    }
    let outcome = classify::outcome(&token_call.call, answer, &Mask::new([]));
    if outcome.status == SessionStatus::Failed {
        return Err(outcome.code.unwrap_or(SessionCode::UnknownError));
    }
    // The whole answer: what the definition withholds from callers may be what is sought here.
    let body = answer.body.as_ref().ok().and_then(|bytes| JsonText::parse(bytes.clone()).ok());
    let sources = Sources { request: None, answer: body.as_ref(), headers: Some(&answer.headers) };
    let token = sources.find_text(&token_call.token).filter(|token| token.len() <= TOKEN_BYTES_MAX);
    let token = token.ok_or(SessionCode::InvalidServiceResponse)?;
    Ok(Fetched { token: Secret::from(token), lifetime: lifetime(&sources, &token_call.expires, now) })
}

fn lifetime(sources: &Sources<'_>, places: &[Place], now: Timestamp) -> Option<Duration> {
    let text = sources.find_text(places)?;
    let until = |moment: Timestamp| Duration::from_micros(u64::try_from(moment.micros().saturating_sub(now.micros())).unwrap_or(0));
    let whole = text.split('.').next().unwrap_or_default();
    match whole.parse::<u64>() {
        Ok(seconds) if seconds <= LIFETIME_SECONDS_MAX => Some(Duration::from_secs(seconds)),
        Ok(moment) => Some(until(Timestamp::from_micros(i64::try_from(moment).ok()?.checked_mul(1_000_000)?))),
        Err(_) => Timestamp::parse(&text).map(until),
    }
}

/// Whether a call names the token, as the stored values have it.
pub(super) fn is_needed(access: &Access, call: &Call) -> bool {
    let Access { connector, credentials, .. } = access;
    let templates = connector.provider.picked_templates(call, connector.method(), |key| credentials.get(key));
    let signed = Signed::of(connector.provider.sign_of(call), &templates);
    templates.iter().flat_map(|template| template.names()).chain(signed.names()).any(|name| *name == Name::Token)
}
