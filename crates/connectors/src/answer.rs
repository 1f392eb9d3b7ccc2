//! What the caller gets of an answer: the shapes of `answer` in a definition.
//!
//! Text and headers become an object first; withholding, covering and recording see that object; only then a part of it is picked.

use bytes::Bytes;
use domain::json::Pointer;
use domain::session::SessionStatus;
use domain::{JsonObject, JsonText};
use http::header::CONTENT_TYPE;

use crate::facts::Sources;
use crate::model::{AnswerShape, Call, Place, Provider};
use crate::outbound::Answer;
use crate::template_fill::json_string;

/// What came in an answer, made into JSON where the definition says how.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// JSON of any kind.
    Json(JsonText),
    /// Not JSON, too long, undecodable, impossible to strip of what must not come through, or nothing that the shape can be made of.
    Unusable,
}

/// What came, before anything is withheld or covered. Only successes are shaped.
///
/// The media type is asked of texts only: of JSON, some services send none, some `application/hal+json`, some `text/html`. There the bytes decide.
pub(crate) fn content(call: &Call, answer: &Answer) -> Content {
    let Ok(bytes) = &answer.body else { return Content::Unusable };
    let made = match &call.answer {
        AnswerShape::TextAs { member, content } if is_success(answer) => of_text(member, content, answer, bytes),
        AnswerShape::Build(members) if is_success(answer) => built(members, answer, bytes),
        AnswerShape::TextAs { .. } | AnswerShape::Build(_) | AnswerShape::Pick(_) | AnswerShape::Whole => {
            if bytes.is_empty() {
                return Content::Empty;
            }
            JsonText::parse(bytes.clone()).ok()
        }
    };
    made.map_or(Content::Unusable, Content::Json)
}

/// The part of a success that the caller gets; `None` where nothing fits.
pub(crate) fn picked(call: &Call, whole: JsonObject) -> Option<JsonObject> {
    match &call.answer {
        AnswerShape::Pick(pointer) => whole.text().object_at(pointer),
        AnswerShape::Whole | AnswerShape::TextAs { .. } | AnswerShape::Build(_) => Some(whole),
    }
}

/// Whether a success without a body is one: not where the caller is promised a part of it, nor where the definition says what a yes has in it.
pub(crate) fn may_be_empty(call: &Call) -> bool {
    call.answer == AnswerShape::Whole && call.success.equals.is_empty()
}

fn is_success(answer: &Answer) -> bool {
    (200..=299).contains(&answer.status)
}

fn of_text(member: &str, content: &str, answer: &Answer, bytes: &Bytes) -> Option<JsonText> {
    let media = answer.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media = media.split(';').next().unwrap_or_default().trim();
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.chars().any(char::is_control))?;
    media.eq_ignore_ascii_case(content).then(|| JsonText::parse(format!("{{{}:{}}}", json_string(member), json_string(text))).ok())?
}

/// A body beside the headers is read as well, and must then be JSON: a page of some gateway proves nothing, whatever its headers say.
fn built(members: &[(String, Vec<Place>)], answer: &Answer, bytes: &Bytes) -> Option<JsonText> {
    let body = if bytes.is_empty() { None } else { Some(JsonText::parse(bytes.clone()).ok()?) };
    let sources = Sources { request: None, answer: body.as_ref(), headers: Some(&answer.headers) };
    let found = members.iter().filter_map(|(name, places)| Some(format!("{}:{}", json_string(name), sources.find(places)?)));
    let found: Vec<String> = found.collect();
    if found.is_empty() {
        return None;
    }
    JsonText::parse(format!("{{{}}}", found.join(","))).ok()
}

// === private parts ===

/// Whether a pointer leads into a private or withheld part of an answer.
pub(crate) fn is_hidden(call: &Call, pointer: &Pointer) -> bool {
    call.private.iter().chain(&call.withhold).any(|hidden| pointer.inside(hidden).is_some())
}

/// Whether a private or withheld member is made of what stands at a place.
pub(crate) fn feeds_hidden(call: &Call, place: &Place) -> bool {
    let AnswerShape::Build(members) = &call.answer else { return false };
    let is_part_hidden =
        |name: &str| call.private.iter().chain(&call.withhold).any(|hidden| hidden.tokens().first().is_some_and(|first| first == name));
    members.iter().any(|(name, places)| places.contains(place) && is_part_hidden(name))
}

/// The private members of what the caller gets of a session that ended so; the empty pointer means all of it.
///
/// A success is the answer of the last call in its shape. A failure comes as the service sent it, and may be that of either call.
pub fn private_pointers(provider: &Provider, status: SessionStatus) -> Vec<Pointer> {
    match status {
        SessionStatus::Succeeded => provider.second.as_ref().or(provider.session.as_ref()).map(shaped_private).unwrap_or_default(),
        SessionStatus::Failed => provider.session.iter().chain(&provider.second).flat_map(|call| call.private.clone()).collect(),
    }
}

fn shaped_private(call: &Call) -> Vec<Pointer> {
    let AnswerShape::Pick(at) = &call.answer else { return call.private.clone() };
    let seen = |private: &Pointer| private.inside(at).or_else(|| at.inside(private).and(Pointer::parse("")));
    call.private.iter().filter_map(seen).collect()
}

#[cfg(test)]
mod tests;
