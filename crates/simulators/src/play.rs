//! One request to a simulated payment service and its answer, pure but for made-up ids.

use bytes::Bytes;
use connectors::model::{self, AnswerShape, Call, Part, Place, Provider, RequestLine, Simulator, Template, Verify};
use domain::json::Pointer;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use crate::fill::{Maker, Scene};
use crate::form;

mod credentials;

use credentials::Proof;

/// A request as it arrived, the path without the simulator's own prefix.
/// Without `Debug`: it holds credentials.
#[derive(Clone)]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// The native path, without query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The bytes.
    pub body: Bytes,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Played {
    /// An answer in the service's own shape, or in what is deliberately none.
    Answer {
        /// The service's own status.
        status: StatusCode,
        /// The media type, and what the definition adds to a success.
        headers: HeaderMap,
        /// The service's own shape.
        body: Bytes,
    },
    /// The connection closes without an answer.
    Drop,
    /// Nothing happens until every time limit is over.
    Slow,
}

/// What a request asks for with a value `simulate:…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Decline,
    Slow,
    Status(StatusCode),
    Malformed,
    Drop,
}

/// How one step of a session is played.
#[derive(Clone, Copy)]
struct Step<'a> {
    call: &'a Call,
    requires: &'a [Pointer],
    answer: Option<&'a Template>,
}

/// A call that was recognised, and all that its answer depends on.
struct Scenario<'a> {
    provider: &'a Provider,
    simulator: &'a Simulator,
    call: &'a Call,
    method_code: Option<&'a str>,
    received: &'a Received,
    body: &'a Value,
    maker: &'a Maker,
}

/// Plays one request.
pub fn play(provider: &Provider, received: &Received, maker: &Maker) -> Played {
    let not_found = || answer(StatusCode::NOT_FOUND, r#"{"simulator":"the definition has no such call"}"#.to_owned());
    let Some(simulator) = &provider.simulator else { return not_found() };
    let body = read_body(&received.body);
    let scenario = |call, method_code| Scenario { provider, simulator, call, method_code, received, body: &body, maker };
    if let Some(token) = provider.token.as_ref().filter(|token| asked_line(&token.call, "", received).is_some()) {
        let places = token.token.iter().chain(&token.expires);
        return scenario(&token.call, None).token(places.filter_map(answer_pointer));
    }
    if let Some(Verify::Call(call)) = &provider.verify
        && asked_line(call, "", received).is_some()
        && is_verification(call, &body)
    {
        return scenario(call, None).verify();
    }
    let asked = provider.methods.iter().flat_map(|method| steps(provider, simulator, method).map(move |step| (method, step)));
    // One path may begin like the other: the line that says more of it is meant. Of several methods the first.
    let asked = asked.filter_map(|(method, step)| Some((asked_line(step.call, &method.key, received)?, method, step)));
    let asked = asked.reduce(|best, other| if other.0 > best.0 { other } else { best });
    asked.map_or_else(not_found, |(_, method, step)| scenario(step.call, method.code.as_deref()).session(step))
}

/// The calls that create a session with a method.
fn steps<'a>(provider: &'a Provider, simulator: &'a Simulator, method: &'a model::Method) -> impl Iterator<Item = Step<'a>> {
    let requires = simulator.requires.pick(&method.key, |_| None).map(Vec::as_slice).unwrap_or_default();
    let first = provider.session.iter().map(move |call| Step { call, requires, answer: simulator.answer_of(&method.key) });
    let second = provider.second.iter().zip(&simulator.second);
    first.chain(second.map(|(call, second)| Step { call, requires: &second.requires, answer: Some(&second.answer) }))
}

// === impl Scenario ===

impl Scenario<'_> {
    fn token<'p>(&self, places: impl Iterator<Item = &'p Pointer>) -> Played {
        if !self.credentials_accepted() {
            return self.refuse_credentials();
        }
        // The first place is the token, whatever follows is a lifetime in seconds.
        let mut answered = Value::Object(Map::new());
        for (index, pointer) in places.enumerate() {
            let value = if index == 0 { Value::String(self.maker.token()) } else { Value::from(TOKEN_SECONDS) };
            put(&mut answered, pointer.tokens(), value);
        }
        self.succeed(answered)
    }

    fn verify(&self) -> Played {
        if self.credentials_accepted() { self.succeed(Value::Object(Map::new())) } else { self.refuse_credentials() }
    }

    /// A success of a call that the file has no answer for, with the members that make it one.
    fn succeed(&self, mut answered: Value) -> Played {
        for (pointer, value) in &self.call.success.equals {
            put(&mut answered, pointer.tokens(), value.clone());
        }
        answer(success_status(self.call), answered.to_string())
    }

    fn session(&self, step: Step<'_>) -> Played {
        match wish(self.body) {
            Some(Wish::Drop) => return Played::Drop,
            Some(Wish::Slow) => return Played::Slow,
            Some(Wish::Malformed) => return answer(success_status(self.call), r#"{"simulator":"this answer ends too ea"#.to_owned()),
            Some(Wish::Status(StatusCode::UNAUTHORIZED)) => return self.refuse_credentials(),
            Some(Wish::Status(status)) => return self.refuse(status, None),
            Some(Wish::Decline) => return self.decline(None),
            None => {}
        }
        if !self.credentials_accepted() {
            return self.refuse_credentials();
        }
        if let Some(missing) = step.requires.iter().find(|pointer| self.body.pointer(&pointer.to_string()).is_none()) {
            return self.decline(Some(missing));
        }
        let body = step.answer.map_or_else(|| "{}".to_owned(), |template| self.maker.fill(template, self.scene(None)));
        Played::Answer { status: success_status(self.call), headers: self.success_headers(), body: body.into() }
    }

    /// A text comes as what the call takes it for. A header whose value can be none is left out.
    fn success_headers(&self) -> HeaderMap {
        let mut headers = match &self.call.answer {
            AnswerShape::TextAs { content, .. } => content_type(content),
            AnswerShape::Whole | AnswerShape::Pick(_) | AnswerShape::Build(_) => content_type(JSON),
        };
        for (name, template) in &self.simulator.answer_headers {
            if let Ok(value) = HeaderValue::from_str(&self.maker.fill(template, self.scene(None))) {
                headers.insert(name.clone(), value);
            }
        }
        headers
    }

    /// The refusal that the service gives a wrong request: its first status that does not mean wrong credentials.
    fn decline(&self, missing: Option<&Pointer>) -> Played {
        let status = self.first_refusal().map_or(400, |(status, _)| *status);
        self.refuse(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), missing)
    }

    fn first_refusal(&self) -> Option<(&u16, &Template)> {
        self.simulator.refuse.iter().find(|(status, _)| **status != 401)
    }

    fn refuse_credentials(&self) -> Played {
        match &self.simulator.refuse_credentials {
            Some(template) => answer(success_status(self.call), self.maker.fill(template, self.scene(None))),
            None => self.refuse(StatusCode::UNAUTHORIZED, None),
        }
    }

    /// A status that the file says nothing about gets the shape of the first refusal: a client of the service reads its errors by their shape.
    fn refuse(&self, status: StatusCode, missing: Option<&Pointer>) -> Played {
        let template = self.simulator.refuse.get(&status.as_u16()).or_else(|| self.first_refusal().map(|(_, template)| template));
        let body = template.map(|template| self.maker.fill(template, self.scene(missing)));
        answer(status, body.unwrap_or_else(|| format!(r#"{{"simulator":"{}"}}"#, status.as_u16())))
    }

    fn scene<'s>(&'s self, missing: Option<&'s Pointer>) -> Scene<'s> {
        Scene { request: self.body, missing, method_code: self.method_code }
    }

    fn credentials_accepted(&self) -> bool {
        credentials::accepted(&Proof::of(self.provider, self.call, self.received, self.body))
    }
}

// === recognising a request ===

/// Whether a call of a method is asked for: how much of the path its request line says literally.
fn asked_line(call: &Call, method: &str, received: &Received) -> Option<usize> {
    let matches = |line: &RequestLine| line.method == received.method && credentials::is_path(&line.path, &received.path);
    let literal = |line: &RequestLine| line.path.0.iter().map(|part| if let Part::Text(text) = part { text.len() } else { 0 }).sum();
    match call.request.pick(method, |_| None) {
        Some(line) => matches(line).then(|| literal(line)),
        None => call.request.all().into_iter().filter(|line| matches(line)).map(literal).max(),
    }
}

/// A verification may share its path with the session call; its constant body then tells them apart.
fn is_verification(call: &Call, body: &Value) -> bool {
    call.body.constant.as_ref().is_none_or(|constant| serde_json::from_str::<Value>(constant).is_ok_and(|constant| constant == *body))
}

fn read_body(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| form::to_json(bytes))
}

fn wish(body: &Value) -> Option<Wish> {
    match body {
        Value::String(text) => match text.strip_prefix("simulate:")? {
            "decline" => Some(Wish::Decline),
            "slow" => Some(Wish::Slow),
            "401" => Some(Wish::Status(StatusCode::UNAUTHORIZED)),
            "429" => Some(Wish::Status(StatusCode::TOO_MANY_REQUESTS)),
            "500" => Some(Wish::Status(StatusCode::INTERNAL_SERVER_ERROR)),
            "malformed" => Some(Wish::Malformed),
            "drop" => Some(Wish::Drop),
            _ => None,
        },
        Value::Array(items) => items.iter().find_map(wish),
        Value::Object(map) => map.values().find_map(wish),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

// === writing an answer ===

/// How long a simulated token lives, seconds.
const TOKEN_SECONDS: u32 = 3600;

const JSON: &str = "application/json";

fn answer(status: StatusCode, body: String) -> Played {
    Played::Answer { status, headers: content_type(JSON), body: body.into() }
}

fn content_type(media: &str) -> HeaderMap {
    // Reading the file made sure that it is a media type.
    let value = HeaderValue::from_str(media).unwrap_or(HeaderValue::from_static(JSON));
    HeaderMap::from_iter([(CONTENT_TYPE, value)])
}

fn success_status(call: &Call) -> StatusCode {
    call.success.statuses.first().and_then(|status| StatusCode::from_u16(*status).ok()).unwrap_or(StatusCode::OK)
}

fn answer_pointer(place: &Place) -> Option<&Pointer> {
    match place {
        Place::Answer(pointer) => Some(pointer),
        Place::Request(_) | Place::AnswerKey(_) | Place::AnswerHeader(_) => None,
    }
}

fn put(target: &mut Value, path: &[String], value: Value) {
    let (Some((name, rest)), Value::Object(map)) = (path.split_first(), target) else { return };
    if rest.is_empty() {
        map.insert(name.clone(), value);
    } else {
        put(map.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())), rest, value);
    }
}

#[cfg(test)]
mod tests;
