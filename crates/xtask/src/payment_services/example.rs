//! The example of a definition and what its simulator answers, with stand-ins that are the same each time.

use connectors::answer::private_pointers;
use connectors::model::{AnswerShape, Call, Method, Name, Part, Place, Provider, SimValue, Simulator, Template};
use domain::json::Pointer;
use domain::session::SessionStatus;
use serde_json::Value;

/// What made-up texts are cut from.
const LETTERS: &str = "k3Xb9mQ2rT7wZ5nC8vL1pH6dJ4sF0gYaEuRiOtKyNxBzMqWcVhPl";
const UPPER: &str = "7K3X9B2MQ5RTW8ZNC1VLP6HDJ4SF0GYAEU";
const HEX: &str = "3f9a1c7e5b2d8046";
/// A page of a simulator, which has another address on each machine.
const PAGE: &str = "http://127.0.0.1:9465/page/3f9a1c7e5b2d8046";
const UUID: &str = "3f9a1c7e-5b2d-4046-8c1a-7e5b2d80463f";
const TIME: &str = "2026-11-26T11:00:00.000000+00:00";
/// `{"alg":"none","typ":"JWT"}`, `{"jti":"3f9a1c7e5b2d8046"}` and no signature.
const JWT: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJqdGkiOiIzZjlhMWM3ZTViMmQ4MDQ2In0.c2lt";

/// One session as a simulator plays it.
pub(super) struct Played {
    /// The definition it belongs to.
    pub(super) definition: String,
    /// The example of the file.
    pub(super) request: String,
    /// What the caller gets.
    pub(super) answer: String,
    private: Vec<Pointer>,
    /// Where the answer names what was created.
    id: Option<Pointer>,
}

// === impl Played ===

impl Played {
    /// The example of the method that a first run sets up, else of the first one that creates sessions.
    pub(super) fn of(provider: &Provider) -> Option<Self> {
        let simulator = provider.simulator.as_ref()?;
        let mut methods = provider.methods.iter().filter(|method| method.sessions);
        let chosen = provider.methods.iter().find(|method| simulator.first_run.as_ref() == Some(&method.key));
        let method = chosen.or_else(|| methods.next())?;
        let request = simulator.example_of(&method.key)?.trim().to_owned();
        let answer = answer(provider, simulator, method, &request)?;
        let private = private_pointers(provider, SessionStatus::Succeeded);
        let call = provider.second.as_ref().or(provider.session.as_ref())?;
        let id = call.record.service_id.iter().find_map(|place| match (place, &call.answer) {
            // Places are those before anything is picked.
            (Place::Answer(pointer), AnswerShape::Pick(at)) => pointer.inside(at),
            (Place::Answer(pointer), AnswerShape::Whole | AnswerShape::TextAs { .. } | AnswerShape::Build(_)) => Some(pointer.clone()),
            (Place::Request(_) | Place::AnswerKey(_) | Place::AnswerHeader(_), _) => None,
        });
        Some(Self { definition: method.definition_id.to_string(), request, answer, private, id })
    }

    /// The members of the answer that a checkout page works with: the id, private members and links.
    pub(super) fn for_the_browser(&self) -> String {
        let answer: Value = serde_json::from_str(&self.answer).unwrap_or_default();
        if self.private.iter().any(|pointer| pointer.tokens().is_empty()) {
            return "the whole answer, which is private: it is never kept or shown.".to_owned();
        }
        let is_there = |pointer: &&Pointer| answer.pointer(&pointer.to_string()).is_some();
        let mut found: Vec<String> =
            self.private.iter().filter(is_there).map(|pointer| format!("`{pointer}` (private: never kept or shown)")).collect();
        if let Some(id) = self.id.iter().find(|id| is_there(id) && !self.is_private(id)) {
            found.insert(0, format!("`{id}` (the id)"));
        }
        for pointer in links(&answer) {
            if !self.is_private(&pointer) {
                found.push(format!("`{pointer}` (a link)"));
            }
        }
        let others: Vec<String> = self.private.iter().filter(|pointer| !is_there(pointer)).map(|pointer| format!("`{pointer}`")).collect();
        let others = if others.is_empty() { String::new() } else { format!(" Private as well, where they come: {}.", others.join(", ")) };
        let found = if found.is_empty() {
            "what it needs of the example answer; nothing there is private or a link".to_owned()
        } else {
            found.join(", ")
        };
        format!("{found}.{others}")
    }

    fn is_private(&self, pointer: &Pointer) -> bool {
        self.private.iter().any(|private| pointer.inside(private).is_some())
    }
}

/// Every member that is an address of a page.
fn links(value: &Value) -> Vec<Pointer> {
    fn collect(value: &Value, pointer: &Pointer, found: &mut Vec<Pointer>) {
        match value {
            Value::String(text) if text == PAGE => found.push(pointer.clone()),
            Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| collect(item, &pointer.child(&at.to_string()), found)),
            Value::Object(members) => members.iter().for_each(|(name, member)| collect(member, &pointer.child(name), found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    if let Some(root) = Pointer::parse("") {
        collect(value, &root, &mut found);
    }
    found
}

/// What the caller gets: the answer of the last step in its shape.
fn answer(provider: &Provider, simulator: &Simulator, method: &Method, request: &str) -> Option<String> {
    let example: Value = serde_json::from_str(request).ok()?;
    let scene = Scene { request: sent(provider.session.as_ref()?, example), method };
    let (call, template) = match (&provider.second, &simulator.second) {
        (Some(call), Some(step)) => (call, &step.answer),
        _ => (provider.session.as_ref()?, simulator.answer_of(&method.key)?),
    };
    let text = scene.fill(template);
    match &call.answer {
        AnswerShape::Whole => Some(text.trim().to_owned()),
        AnswerShape::Pick(pointer) => {
            let whole: Value = serde_json::from_str(&text).ok()?;
            Some(whole.pointer(&pointer.to_string())?.to_string())
        }
        AnswerShape::TextAs { member, .. } => Some(format!("{{{}:{}}}", Value::from(member.as_str()), Value::from(text.trim()))),
        AnswerShape::Build(members) => {
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            let find = |place: &Place| match place {
                Place::Answer(pointer) => body.pointer(&pointer.to_string()).cloned(),
                Place::AnswerHeader(name) => {
                    let header = simulator.answer_headers.iter().find(|(header, _)| header == name);
                    header.map(|(_, template)| Value::from(scene.fill(template)))
                }
                Place::AnswerKey(_) | Place::Request(_) => None,
            };
            let members = members
                .iter()
                .filter_map(|(name, places)| Some(format!("{}:{}", Value::from(name.as_str()), places.iter().find_map(find)?)));
            Some(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
        }
    }
}

/// The example as the simulator sees it, as far as its answer may repeat it: members that the file adds are there by a stand-in.
fn sent(call: &Call, mut body: Value) -> Value {
    for (pointer, _) in call.body.default.iter().chain(&call.body.set) {
        let [parents @ .., name] = pointer.tokens() else { continue };
        let mut parent = Some(&mut body);
        for token in parents {
            parent = parent.and_then(|value| match value {
                Value::Object(members) => Some(members.entry(token.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()))),
                Value::Array(items) => token.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
            });
        }
        if let Some(Value::Object(members)) = parent {
            members.entry(name.clone()).or_insert_with(|| Value::from("…"));
        }
    }
    body
}

struct Scene<'a> {
    request: Value,
    method: &'a Method,
}

// === impl Scene ===

impl Scene<'_> {
    fn fill(&self, template: &Template) -> String {
        template.0.iter().map(|part| self.part(part)).collect()
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Text(text) => text.clone(),
            Part::Name(Name::Request(pointer)) => self.request.pointer(&pointer.to_string()).map_or("null".to_owned(), Value::to_string),
            Part::Name(Name::Sim(value)) => made_up(*value),
            Part::Name(Name::MethodCode) => self.method.code.clone().unwrap_or_default(),
            Part::Name(Name::Field(_) | Name::Token | Name::Attempt(_) | Name::Sign(_) | Name::First(_)) => String::new(),
        }
    }
}

fn made_up(value: SimValue) -> String {
    let cut = |letters: &str, length: usize| letters.chars().cycle().take(length).collect();
    match value {
        SimValue::Uuid => UUID.to_owned(),
        SimValue::Text(length) => cut(LETTERS, length),
        SimValue::Upper(length) => cut(UPPER, length),
        SimValue::Hex(length) => cut(HEX, length),
        SimValue::Page => PAGE.to_owned(),
        SimValue::Missing => "member".to_owned(),
        SimValue::Time => TIME.to_owned(),
        SimValue::Jwt => JWT.to_owned(),
    }
}
