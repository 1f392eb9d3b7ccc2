//! The part of a snapshot that shows what becomes of answers: those of the fixture, those of the simulator, and those that any service may give.

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use connectors::answer::private_pointers;
use connectors::catalogue::Connector;
use connectors::classify::{Classified, classify, verified};
use connectors::mask::Mask;
use connectors::model::{AnswerShape, Call, Name, Part, SimValue, Template, Verify};
use connectors::outbound::{Answer, BodyFailure};
use domain::json::Pointer;
use domain::session::{RecordedFacts, SessionStatus};
use domain::{JsonObject, Secret};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::requests::groups;
use crate::service::{Service, Stored, TOKEN, example, request};

/// How much of an answer is shown.
const SHOWN_BYTES: usize = 200;

/// Every answer and its outcome.
pub(crate) fn show(service: &Service, out: &mut String) {
    let Some(session) = &service.provider().session else {
        out.push_str("creates no sessions\n");
        return;
    };
    let stored = service.stored("sandbox");
    fixture(service, &stored, out);
    simulator(service, &stored, out);
    let connector = groups(service)[0][0];
    for (title, call) in
        [Some(("any service", session)), service.provider().second.as_ref().map(|second| ("any service, second step", second))]
            .into_iter()
            .flatten()
    {
        writeln!(out, "== answers of {title}").unwrap();
        let heard = Heard::new(connector, call, &stored);
        for (name, answer) in rows(success_status(call)) {
            writeln!(out, "{name} -> {}", heard.read(&answer).line).unwrap();
        }
        out.push('\n');
    }
}

fn fixture(service: &Service, stored: &Stored, out: &mut String) {
    let Some(fixture) = &service.fixture else { return };
    out.push_str("== answers of the fixture\n");
    let provider = service.provider();
    let connector = groups(service)[0][0];
    let (mut succeeded, mut failed) = (0, 0);
    for played in &fixture.answers {
        if played.call == "verify" {
            let Some(Verify::Call(call)) = &provider.verify else { panic!("{}: there is no call to verify with", service.id) };
            writeln!(out, "{}, verify: {} -> {:?}", played.name, played.answer.status, verified(call, &played.answer)).unwrap();
            continue;
        }
        let (call, which) = match played.call.as_str() {
            "second" => (provider.second.as_ref().unwrap_or_else(|| panic!("{}: there is no second step", service.id)), ", second step"),
            _ => (provider.session.as_ref().unwrap(), ""),
        };
        let read = Heard::new(connector, call, stored).read(&played.answer);
        if read.succeeded {
            succeeded += 1
        } else {
            failed += 1
        }
        writeln!(out, "{}{which}: {} -> {}", played.name, played.answer.status, read.full()).unwrap();
    }
    assert!(succeeded > 0 && failed > 0, "{}: the fixture needs a success and a failure, and has {succeeded} and {failed}", service.id);
    out.push('\n');
}

fn simulator(service: &Service, stored: &Stored, out: &mut String) {
    let provider = service.provider();
    let (simulator, session) = (provider.simulator.as_ref().unwrap(), provider.session.as_ref().unwrap());
    out.push_str("== answers of the simulator\n");
    for group in groups(service) {
        let connector = group[0];
        let stage = Stage::new(connector, session, stored);
        let heard = Heard::new(connector, session, stored);
        let answer = stage.success(simulator.answer_of(&connector.method().key).unwrap(), session);
        let read = heard.read(&answer);
        assert!(read.succeeded, "{}: {}", connector.definition.id, read.line);
        writeln!(out, "{}: {} -> {}", connector.method().key, answer.status, read.full()).unwrap();
    }
    if let (Some(step), Some(second)) = (&simulator.second, &provider.second) {
        let connector = groups(service)[0][0];
        let answer = Stage::new(connector, second, stored).success(&step.answer, second);
        let read = Heard::new(connector, second, stored).read(&answer);
        assert!(read.succeeded, "{}: {}", connector.definition.id, read.line);
        writeln!(out, "second step: {} -> {}", answer.status, read.full()).unwrap();
    }
    let connector = groups(service)[0][0];
    let stage = Stage::new(connector, session, stored);
    let refusals = simulator.refuse.iter().map(|(status, template)| (status.to_string(), *status, template));
    let credentials = simulator.refuse_credentials.iter().map(|template| ("credentials".to_owned(), success_status(session), template));
    for (name, status, template) in refusals.chain(credentials) {
        let read = Heard::new(connector, session, stored).read(&stage.answer(template, status));
        assert!(!read.succeeded, "{}: {name} is a success", service.id);
        writeln!(out, "refuse {name}: {status} -> {}", read.full()).unwrap();
    }
    out.push('\n');
}

/// The rows of the API's table that an answer can show.
fn rows(success: u16) -> Vec<(&'static str, Answer)> {
    let answer = |status: u16, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Answer { status, headers, body: Ok(Bytes::copy_from_slice(body.as_bytes())) }
    };
    let without_body = |failure| Answer { body: Err(failure), ..answer(success, "") };
    let object = r#"{"stand_in":"of no service"}"#;
    vec![
        ("2xx, object", answer(success, object)),
        ("2xx, empty", answer(success, "")),
        ("2xx, list", answer(success, "[{}]")),
        ("2xx, not JSON", answer(success, "<html>")),
        ("2xx, too long", without_body(BodyFailure::TooLong)),
        ("2xx, undecodable", without_body(BodyFailure::Undecodable)),
        ("302, object", answer(302, object)),
        ("400, object", answer(400, object)),
        ("400, not JSON", answer(400, "<html>")),
        ("401, object", answer(401, object)),
        ("403, empty", answer(403, "")),
        ("404, object", answer(404, object)),
        ("429, object", answer(429, object)),
        ("500, object", answer(500, object)),
        ("503, list", answer(503, "[]")),
    ]
}

/// What a payment service is known to answer to a call.
pub(crate) fn bodies(service: &Service, connector: &Connector, call: &Call) -> Vec<Bytes> {
    let simulator = service.provider().simulator.as_ref().unwrap();
    let stage = Stage::new(connector, call, &service.stored("sandbox"));
    let success = simulator.answer_of(&connector.method().key);
    let templates = success.into_iter().chain(simulator.second.as_ref().map(|step| &step.answer)).chain(simulator.refuse.values());
    let mut bodies: Vec<Bytes> = templates.map(|template| Bytes::from(stage.fill(template))).collect();
    let played = service.fixture.iter().flat_map(|fixture| &fixture.answers);
    bodies.extend(played.filter_map(|played| played.answer.body.clone().ok()));
    bodies
}

fn success_status(call: &Call) -> u16 {
    call.success.statuses.first().copied().unwrap_or(200)
}

// === reading ===

/// Whoever hears an answer to a call.
struct Heard<'a> {
    connector: &'a Connector,
    call: &'a Call,
    asked: JsonObject,
    mask: Mask,
}

/// What an answer has become.
pub(crate) struct Read {
    succeeded: bool,
    line: String,
    body: Option<String>,
    facts: String,
}

impl<'a> Heard<'a> {
    fn new(connector: &'a Connector, call: &'a Call, stored: &Stored) -> Self {
        let secrets = stored.opened(&connector.provider);
        let token = Secret::from(TOKEN);
        Self { connector, call, asked: example(connector), mask: Mask::new(secrets.secrets().chain(token.expose_str())) }
    }

    fn read(&self, answer: &Answer) -> Read {
        let Classified { session, facts } = classify(self.call, &self.asked, answer, &self.mask);
        assert_eq!(session.status_code, Some(answer.status));
        let succeeded = session.status == SessionStatus::Succeeded;
        let code = session.code.map(|code| format!(" {code}")).unwrap_or_default();
        let with = if session.response_body.is_some() { ", with body" } else { "" };
        self.assert_private(&facts, session.status, session.response_body.as_ref());
        Read {
            succeeded,
            line: format!("{}{code}{with}", session.status),
            body: session.response_body.map(|body| body.as_str().to_owned()),
            facts: listed(&facts),
        }
    }

    /// What the browser alone should have is not kept.
    fn assert_private(&self, facts: &RecordedFacts, status: SessionStatus, body: Option<&JsonObject>) {
        let kept = listed(facts);
        for at in private_pointers(&self.connector.provider, status) {
            if let Some(value) = body.and_then(|body| body.string_at(&at)).filter(|value| value.len() > 7) {
                assert!(!kept.contains(&value), "{}: {at} is private and kept: {kept}", self.connector.definition.id);
            }
        }
    }
}

impl Read {
    fn full(&self) -> String {
        let cut = |body: &String| match body.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= SHOWN_BYTES).last() {
            Some(end) if end < body.len() => format!("\n{}…", &body[..end]),
            _ => format!("\n{body}"),
        };
        format!("{}{}\n  kept: {}", self.line, self.body.as_ref().map(cut).unwrap_or_default(), self.facts)
    }
}

fn listed(facts: &RecordedFacts) -> String {
    let amount = facts.amount.map(|amount| amount.to_string());
    let (currency, country) = (facts.currency.map(|code| code.to_string()), facts.country.map(|code| code.to_string()));
    let all = [
        ("amount", amount),
        ("currency", currency),
        ("country", country),
        ("reference", facts.reference.clone()),
        ("service_id", facts.service_session_id.clone()),
        ("support_id", facts.support_id.clone()),
        ("service_code", facts.service_code.clone()),
    ];
    let all: Vec<String> = all.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

// === playing ===

/// Where a simulated answer is made: as the simulator makes it, but the same each time.
struct Stage<'a> {
    connector: &'a Connector,
    /// What was sent, as JSON.
    sent: Value,
}

impl<'a> Stage<'a> {
    fn new(connector: &'a Connector, call: &Call, stored: &Stored) -> Self {
        let sent = if connector.provider.hosts.is_some() {
            let request = request(connector, call, stored, Some(&example(connector))).unwrap();
            serde_json::from_slice(&request.body).unwrap_or_else(|_| simulators_form(&request.body))
        } else {
            serde_json::from_str(example(connector).as_str()).unwrap()
        };
        Self { connector, sent }
    }

    fn success(&self, template: &Template, call: &Call) -> Answer {
        let mut answer = self.answer(template, success_status(call));
        if let AnswerShape::TextAs { content, .. } = &call.answer {
            answer.headers.insert(CONTENT_TYPE, content.parse().unwrap());
        }
        for (name, template) in &self.connector.provider.simulator.as_ref().unwrap().answer_headers {
            answer.headers.insert(name.clone(), self.fill(template).parse().unwrap());
        }
        answer
    }

    fn answer(&self, template: &Template, status: u16) -> Answer {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Answer { status, headers, body: Ok(Bytes::from(self.fill(template))) }
    }

    fn fill(&self, template: &Template) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(Name::Request(at)) => self.at(at).map_or_else(|| "null".to_owned(), Value::to_string),
            Part::Name(Name::Sim(value)) => made_up(*value),
            Part::Name(Name::MethodCode) => self.connector.method().code.clone().unwrap_or_default(),
            Part::Name(other) => panic!("{other:?} in a simulator"),
        };
        template.0.iter().map(part).collect()
    }

    fn at(&self, pointer: &Pointer) -> Option<&Value> {
        self.sent.pointer(&pointer.to_string())
    }
}

fn made_up(value: SimValue) -> String {
    let letters = |alphabet: &str, length: usize| alphabet.chars().cycle().take(length).collect::<String>();
    match value {
        SimValue::Uuid => "00000000-0000-4000-8000-000000000001".to_owned(),
        SimValue::Text(length) => letters("aB3dE6gH9", length),
        SimValue::Upper(length) => letters("AB3DE6GH9", length),
        SimValue::Hex(length) => letters("0a1b2c3d", length),
        SimValue::Page => format!("http://{}/page/0a1b2c3d", SocketAddr::from(([127, 0, 0, 1], 8080))),
        SimValue::Missing => "amount.value".to_owned(),
        SimValue::Time => "2026-11-26T11:00:00.000000+00:00".to_owned(),
        SimValue::Jwt => "eyJhbGciOiJub25lIn0.eyJqdGkiOiIxIn0.c2lnbmF0dXJl".to_owned(),
    }
}

/// `a[b]=1&c=x` as `{"a":{"b":1},"c":"x"}`.
fn simulators_form(body: &[u8]) -> Value {
    let mut whole = Value::Object(serde_json::Map::new());
    for (name, value) in url::form_urlencoded::parse(body) {
        let value = serde_json::from_str::<serde_json::Number>(&value).map_or_else(|_| Value::from(value.as_ref()), Value::from);
        let mut at = &mut whole;
        for token in name.split(['[', ']']).filter(|token| !token.is_empty()) {
            at = at.as_object_mut().unwrap().entry(token).or_insert_with(|| Value::Object(serde_json::Map::new()));
        }
        *at = value;
    }
    whole
}
