//! Makes a session of an answer. Pure, and the only place that knows which status and body mean which code.

use std::borrow::Cow;

use domain::session::{RecordedFacts, Session, SessionCode, SessionStatus};
use domain::{JsonObject, JsonText};

use crate::answer::{self, Content, may_be_empty, picked};
use crate::body::remove;
use crate::facts::{Sources, facts};
use crate::mask::Mask;
use crate::model::{Call, Success};
use crate::outbound::Answer;

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

/// What an answer to a session call means.
pub fn classify(call: &Call, request: &JsonObject, answer: &Answer, mask: &Mask) -> Classified {
    let content = content(call, answer, mask);
    let session = outcome_of(call, answer, &content);
    // All that came: what is kept of a list of errors or outside of what is picked is no less true.
    let sources = Sources { request: Some(request), answer: content.json(), headers: Some(&answer.headers) };
    let mut facts = facts(call, &sources, mask);
    if session.status == SessionStatus::Succeeded {
        // Some services answer a code of success at the same place.
        facts.service_code = None;
    }
    Classified { session, facts }
}

/// The session that an answer means.
pub(crate) fn outcome(call: &Call, answer: &Answer, mask: &Mask) -> Session {
    outcome_of(call, answer, &content(call, answer, mask))
}

/// The table: status and body to session.
///
/// The definition's list of success statuses is not asked: what a 2xx of a session call means is the same for every service, and a service that one day answers 200 for 201 has created something all the same. The list decides for `verify`, where a 404 may be the yes.
fn outcome_of(call: &Call, answer: &Answer, content: &Content) -> Session {
    let session = |status, code, response_body| Session { status, code, status_code: Some(answer.status), response_body };
    let failed = |code, body| session(SessionStatus::Failed, Some(code), body);
    if (200..=299).contains(&answer.status) {
        return match (content, content.object()) {
            (Content::Empty, _) if may_be_empty(call) => session(SessionStatus::Succeeded, None, None),
            (_, Some(body)) => match (refusal(&call.success, &body, answer), picked(call, body.clone())) {
                (Some(code), _) => failed(code, Some(body)),
                (None, Some(part)) => session(SessionStatus::Succeeded, None, Some(part)),
                (None, None) => failed(SessionCode::InvalidServiceResponse, None),
            },
            (_, None) => failed(SessionCode::InvalidServiceResponse, None),
        };
    }
    let code = match answer.status {
        // Below 200 no answer is complete: the client never hands one over.
        0..=399 => return failed(SessionCode::InvalidServiceResponse, None),
        401 | 403 => SessionCode::InvalidServiceCredentials,
        429 => SessionCode::ServiceRateLimit,
        // Some services say 400 whatever is wrong, and only their own word tells the credentials from the request.
        400..=499 => named_code(&call.success, content.json(), answer).unwrap_or(SessionCode::InvalidServiceRequest),
        500..=599 => SessionCode::ServiceError,
        600.. => SessionCode::UnknownError,
    };
    failed(code, content.object())
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
    match content(call, answer, &Mask::new([])).object() {
        None => Verification::NoAnswer,
        Some(body) => match refusal(success, &body, answer) {
            None => Verification::Accepted,
            Some(SessionCode::InvalidServiceCredentials) => Verification::Refused,
            Some(_) => Verification::NoAnswer,
        },
    }
}

// === impl Content ===

impl Content {
    fn json(&self) -> Option<&JsonText> {
        match self {
            Self::Json(text) => Some(text),
            Self::Empty | Self::Unusable => None,
        }
    }

    fn object(&self) -> Option<JsonObject> {
        self.json().and_then(JsonText::object)
    }
}

/// What came, without what must not come through.
fn content(call: &Call, answer: &Answer, mask: &Mask) -> Content {
    match answer::content(call, answer) {
        Content::Json(text) => clean(call, text, mask).map_or(Content::Unusable, Content::Json),
        other @ (Content::Empty | Content::Unusable) => other,
    }
}

/// The service's own bytes without withheld members and with stored secrets covered. `None` where that can not be done: then nothing comes through.
fn clean(call: &Call, text: JsonText, mask: &Mask) -> Option<JsonText> {
    let left = if call.withhold.is_empty() { text } else { JsonText::parse(remove(text.bytes(), &call.withhold)?).ok()? };
    let covered = match mask.cover(left.as_str())? {
        Cow::Borrowed(_) => None,
        Cow::Owned(covered) => Some(covered),
    };
    match covered {
        None => Some(left),
        Some(covered) => JsonText::parse(covered).ok(),
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
    Some(named_code(success, Some(body.text()), answer).unwrap_or(SessionCode::UnknownError))
}

/// Our code for the service's own word of a failure, where the definition has one.
fn named_code(success: &Success, body: Option<&JsonText>, answer: &Answer) -> Option<SessionCode> {
    let refusal = success.refusal.as_ref()?;
    let sources = Sources { request: None, answer: body, headers: Some(&answer.headers) };
    refusal.codes.get(&sources.find_text(&refusal.at)?).copied()
}

fn is_empty_list(text: &str) -> bool {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|inside| inside.trim().is_empty())
}

#[cfg(test)]
mod tests;
