//! Makes a session of an answer. Pure, and the only place that knows which status and body mean which code.

use std::borrow::Cow;

use domain::JsonObject;
use domain::session::{RecordedFacts, Session, SessionCode, SessionStatus};

use crate::body::remove;
use crate::facts::{Sources, facts};
use crate::mask::Mask;
use crate::model::{Call, Success};
use crate::outbound::{Answer, BodyFailure};

/// What an answer means.
#[derive(Clone, Debug)]
pub struct Classified {
    /// As the caller sees it.
    pub session: Session,
    /// As the record keeps it.
    pub facts: RecordedFacts,
}

/// What became of checking credentials with a payment service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The service takes them.
    Accepted,
    /// The service refuses them, or they can not even be sent.
    Refused,
    /// The service did not say: no answer, a failure of its own, or an answer that proves nothing.
    NoAnswer,
    /// The definition has no way to find out.
    NotSupported,
}

/// What is in the body of an answer.
enum Content {
    Empty,
    Object(JsonObject),
    /// Not JSON, no object, too long, undecodable, or impossible to strip of what must not come through.
    Unusable,
}

/// What an answer to a session call means.
pub fn classify(call: &Call, request: &JsonObject, answer: &Answer, mask: &Mask) -> Classified {
    let session = outcome(call, answer, mask);
    let sources = Sources { request: Some(request), answer: session.response_body.as_ref(), headers: Some(&answer.headers) };
    let mut facts = facts(call, &sources, mask);
    if session.status == SessionStatus::Succeeded {
        // Some services answer a code of success at the same place.
        facts.service_code = None;
    }
    Classified { session, facts }
}

/// The table: status and body to session.
///
/// The definition's list of success statuses is not asked: what a 2xx of a session call means is the same for every service, and a service that one day answers 200 for 201 has created something all the same. The list decides for `verify`, where a 404 may be the yes.
pub(crate) fn outcome(call: &Call, answer: &Answer, mask: &Mask) -> Session {
    let content = content(call, answer, mask);
    let session = |status, code, response_body| Session { status, code, status_code: Some(answer.status), response_body };
    let failed = |code, body| session(SessionStatus::Failed, Some(code), body);
    match (answer.status, content) {
        (200..=299, Content::Empty) => session(SessionStatus::Succeeded, None, None),
        (200..=299, Content::Object(body)) => match refusal(&call.success, &body, answer) {
            None => session(SessionStatus::Succeeded, None, Some(body)),
            Some(code) => failed(code, Some(body)),
        },
        // Below 200 no answer is complete: the client never hands one over.
        (200..=299, Content::Unusable) | (0..=199 | 300..=399, _) => failed(SessionCode::InvalidServiceResponse, None),
        (401 | 403, content) => failed(SessionCode::InvalidServiceCredentials, content.object()),
        (429, content) => failed(SessionCode::ServiceRateLimit, content.object()),
        (400..=499, content) => failed(SessionCode::InvalidServiceRequest, content.object()),
        (500..=599, content) => failed(SessionCode::ServiceError, content.object()),
        (600.., content) => failed(SessionCode::UnknownError, content.object()),
    }
}

/// What an answer to a verify call proves.
///
/// A status of the definition's list is a yes unless the body denies it; 401 and 403 are a no, as is a body that the definition reads as refused credentials. Everything else proves nothing (a 404 of a gateway, a rate limit, a redirect), and says so rather than blame the credentials.
pub fn verified(call: &Call, answer: &Answer) -> Verification {
    let success = &call.success;
    let is_yes = success.statuses.contains(&answer.status) || (success.statuses.is_empty() && (200..=299).contains(&answer.status));
    if !is_yes {
        return if matches!(answer.status, 401 | 403) { Verification::Refused } else { Verification::NoAnswer };
    }
    if success.absent.is_empty() && success.equals.is_empty() {
        return Verification::Accepted;
    }
    match content(call, answer, &Mask::new([])) {
        Content::Empty | Content::Unusable => Verification::NoAnswer,
        Content::Object(body) => match refusal(success, &body, answer) {
            None => Verification::Accepted,
            Some(SessionCode::InvalidServiceCredentials) => Verification::Refused,
            Some(_) => Verification::NoAnswer,
        },
    }
}

// === impl Content ===

impl Content {
    fn object(self) -> Option<JsonObject> {
        match self {
            Self::Object(body) => Some(body),
            Self::Empty | Self::Unusable => None,
        }
    }
}

/// The media type is not asked: some services send none, some `application/hal+json`, some `text/html`. The bytes decide.
fn content(call: &Call, answer: &Answer, mask: &Mask) -> Content {
    match &answer.body {
        Ok(bytes) if bytes.is_empty() => Content::Empty,
        Ok(bytes) => {
            JsonObject::parse(bytes.clone()).ok().and_then(|body| clean(call, body, mask)).map_or(Content::Unusable, Content::Object)
        }
        Err(BodyFailure::TooLong | BodyFailure::Undecodable) => Content::Unusable,
    }
}

/// The service's own bytes without withheld members and with stored secrets covered. `None` where that can not be done: then nothing comes through.
fn clean(call: &Call, body: JsonObject, mask: &Mask) -> Option<JsonObject> {
    let left = if call.withhold.is_empty() { body } else { JsonObject::parse(remove(body.bytes(), &call.withhold)?).ok()? };
    let covered = match mask.cover(left.as_str())? {
        Cow::Borrowed(_) => None,
        Cow::Owned(covered) => Some(covered),
    };
    match covered {
        None => Some(left),
        Some(covered) => JsonObject::parse(covered).ok(),
    }
}

/// Why the body of a success status is a failure all the same; `None`: it is not.
fn refusal(success: &Success, body: &JsonObject, answer: &Answer) -> Option<SessionCode> {
    let is_absent = |pointer| body.at(pointer).is_none_or(|text| text == "null" || is_empty_list(text));
    let is_equal = |pointer, expected: &serde_json::Value| {
        body.at(pointer).and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()).as_ref() == Some(expected)
    };
    if success.absent.iter().all(is_absent) && success.equals.iter().all(|(pointer, expected)| is_equal(pointer, expected)) {
        return None;
    }
    let code = success.refusal.as_ref().and_then(|refusal| {
        let sources = Sources { request: None, answer: Some(body), headers: Some(&answer.headers) };
        refusal.codes.get(&sources.find_text(&refusal.at)?).copied()
    });
    Some(code.unwrap_or(SessionCode::UnknownError))
}

fn is_empty_list(text: &str) -> bool {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|inside| inside.trim().is_empty())
}

#[cfg(test)]
mod tests;
