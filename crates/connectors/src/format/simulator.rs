//! `[simulator]`: how a payment service is played offline. Its examples are proved against the calls.

use std::collections::BTreeMap;

use domain::json::Pointer;
use http::HeaderName;
use serde_json::Value;

use super::auth::answer_headers;
use super::call::Read;
use super::choice::{Pickers, choice};
use super::json_text::{at, can_add, can_stand, check_json, check_object, json_object, put, remove};
use super::provider::Context;
use super::reader::{Node, Table, shown};
use super::template::{Allowed, Filled, template};
use crate::model::{AnswerShape, Call, Choice, IdempotencyPlace, Method, Part, Place, SecondStep, Simulator, Success, Template};

/// The name of a refusal without a status of its own.
const CREDENTIALS: &str = "credentials";

/// Required members, each with its offset.
type Required = Vec<(usize, Pointer)>;

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>, session: Option<&Read>, second: Option<&Read>) -> Option<Simulator> {
    let table = node.table()?;
    let first_run = table.get("first_run").and_then(|node| {
        let words: Vec<&str> = cx.methods.iter().filter(|method| method.sessions).map(|method| method.key.as_str()).collect();
        node.word(&words).map(str::to_owned)
    });
    let requires = table.get("requires");
    let example = table.require("example");
    let answer = table.require("answer");
    let answer_headers = table.get("answer_headers").map(|node| answer_headers(&node, cx)).unwrap_or_default();
    let (refuse, refuse_credentials) = table.get("refuse").map(|node| refusals(&node, cx, &[session, second])).unwrap_or_default();
    let requires = match &requires {
        Some(node) => choice(node, cx, Pickers::Method, required),
        None => Some(Choice::One(Vec::new())),
    };
    let examples = example.and_then(|node| choice(&node, cx, Pickers::Method, |node| Some((node.clone(), json_object(node)?))));
    let answers =
        answer.and_then(|node| choice(&node, cx, Pickers::Method, |node| Some((node.clone(), template(node, cx, Allowed::SIMULATOR)?))));
    let next = second_step(&table, cx, second);
    table.finish();
    // Without a session that could be read there is nothing to prove the examples against.
    let (session, requires, examples, answers) = (session?, requires?, examples?, answers?);
    let mut proved = Vec::new();
    for method in cx.methods.iter().filter(|method| method.sessions) {
        let (Some((node, example)), Some(required), Some((answer, _))) =
            (for_method(&examples, method), for_method(&requires, method), for_method(&answers, method))
        else {
            continue;
        };
        // Methods share their lines: each combination is proved once.
        let combination = (node.at(), answer.at(), std::ptr::from_ref(required));
        if proved.contains(&combination) {
            continue;
        }
        proved.push(combination);
        check_example(cx, session, method, (node, example), required);
        let answered = check_answer(answer, &answer_headers, example, session);
        if let (Some(second), Some(next)) = (second, &next) {
            check_example(cx, second, method, (node, example), &next.requires);
            check_answer(&next.node, &answer_headers, example, second);
            answered.iter().for_each(|answered| check_firsts(answer, answered, second));
        }
    }
    Some(Simulator {
        requires: map(requires, |pointers| pointers.into_iter().map(|(_, pointer)| pointer).collect()),
        example: map(examples, |(node, _)| node.text().unwrap_or_default().to_owned()),
        answer: map(answers, |(_, template)| template),
        answer_headers,
        second: next
            .map(|next| SecondStep { requires: next.requires.into_iter().map(|(_, pointer)| pointer).collect(), answer: next.answer }),
        refuse,
        refuse_credentials,
        first_run,
    })
}

fn required(node: &Node<'_>) -> Option<Required> {
    Some(node.list()?.iter().filter_map(|item| Some((item.at(), item.pointer()?))).collect())
}

/// How the second step is played.
struct Next<'a> {
    requires: Required,
    /// Where its answer stands.
    node: Node<'a>,
    answer: Template,
}

fn second_step<'a>(simulator: &Table<'a>, cx: &Context<'_>, second: Option<&Read>) -> Option<Next<'a>> {
    let Some(node) = simulator.get("second") else {
        if second.is_some() {
            simulator.wrong("there is no `[simulator.second]`: say how `call.second` is played");
        }
        return None;
    };
    let table = node.table()?;
    let requires = table.get("requires").and_then(|node| required(&node)).unwrap_or_default();
    let answer = table.require("answer").and_then(|node| Some((template(&node, cx, Allowed::SIMULATOR)?, node)));
    table.finish();
    answer.map(|(answer, node)| Next { requires, node, answer })
}

/// The second step finds in the first answer what it takes from it.
fn check_firsts(node: &Node<'_>, answered: &Value, second: &Read) {
    for pointer in second.call.firsts() {
        if !at(answered, pointer).is_some_and(|value| value.is_number() || value.as_str().is_some_and(|text| !text.is_empty())) {
            node.wrong(format!("this answer has no text and no number at `{pointer}`, which `{}` takes from it", second.path));
        }
    }
}

fn for_method<'c, T>(choice: &'c Choice<T>, method: &Method) -> Option<&'c T> {
    choice.pick(&method.key, |_| None)
}

fn map<T, U>(choice: Choice<T>, with: impl Fn(T) -> U) -> Choice<U> {
    match choice {
        Choice::One(value) => Choice::One(with(value)),
        Choice::By { selector, cases, otherwise } => Choice::By {
            selector,
            cases: cases.into_iter().map(|(key, value)| (key, with(value))).collect(),
            otherwise: otherwise.map(with),
        },
    }
}

/// The example must work: it has what the simulator requires, and takes what the call adds.
fn check_example(cx: &Context<'_>, session: &Read, method: &Method, (node, example): (&Node<'_>, &Value), required: &[(usize, Pointer)]) {
    for (offset, pointer) in &session.asked {
        if !can_stand(example, pointer) {
            cx.report.add(*offset, format!("`{pointer}` can not be in the example: one of its parents there is no object"));
        }
    }
    for (pointer, reason) in &session.call.body.refuse {
        if at(example, pointer).is_some() {
            node.wrong(format!("the example has `{pointer}`, which `body.refuse` refuses: {reason}"));
        }
    }
    let wrapped = wrapped_body(&session.call, example);
    for (offset, pointer) in &session.finished {
        if !can_add(&wrapped, pointer) {
            cx.report.add(*offset, format!("`{pointer}` can not be added to the example: one of its parents there is no object"));
        }
    }
    let finished = finished_body(&session.call, example);
    for (offset, pointer) in required {
        if at(&finished, pointer).is_none() {
            cx.report.add(*offset, format!("the example of `{}` has no `{pointer}`", method.key));
        }
    }
}

/// A header and what it is answered with.
type Headers = [(HeaderName, Template)];

/// A success is what the call takes for one: an object or nothing, or what its `answer` makes an object of.
///
/// The whole that is made of it, null where it is empty; `None` with a mistake.
fn check_answer(node: &Node<'_>, headers: &Headers, example: &Value, read: &Read) -> Option<Value> {
    let (call, path) = (&read.call, &read.path);
    let text = node.text()?;
    let body = finished_body(call, example);
    let filled = Filled::new(text, |pointer| at(&body, pointer).map_or("null".to_owned(), Value::to_string));
    let object = || check_object(node, &filled.text, |at| filled.origin(at));
    let answer = match &call.answer {
        AnswerShape::Whole if text.trim().is_empty() => return Some(Value::Null),
        AnswerShape::Whole => object(),
        AnswerShape::Pick(pointer) => object().filter(|answer| {
            let is_there = at(answer, pointer).is_some_and(Value::is_object);
            if !is_there {
                node.wrong(format!("this answer has no object at `{pointer}`, which `{path}.answer` picks"));
            }
            is_there
        }),
        AnswerShape::TextAs { member, .. } => {
            let is_text = !filled.text.is_empty() && !filled.text.chars().any(char::is_control);
            if !is_text {
                node.wrong(format!("`{path}.answer` takes a text in one line, and this is none"));
            }
            is_text.then(|| serde_json::json!({ member: filled.text }))
        }
        AnswerShape::Build(members) => {
            let sent = if text.is_empty() { Some(Value::Null) } else { object() };
            let built = sent.as_ref().and_then(|sent| built(members, sent, headers));
            if sent.is_some() && built.is_none() {
                node.wrong(format!("neither this answer nor `answer_headers` has anything that `{path}.answer` builds of"));
            }
            built
        }
    };
    if let Some(why) = answer.as_ref().and_then(|answer| says_no(&call.success, answer)) {
        node.wrong(format!("this answer is not the success that `{path}.success` describes: {why}"));
    }
    answer
}

/// The object that is built of an answer; `None` where nothing is there.
fn built(members: &[(String, Vec<Place>)], body: &Value, headers: &Headers) -> Option<Value> {
    let header = |name: &HeaderName| headers.iter().find(|(known, _)| known == name).map(|(_, template)| Value::from(stand_in(template)));
    let value = |place: &Place| match place {
        Place::Request(_) => None,
        Place::Answer(pointer) => at(body, pointer).cloned(),
        Place::AnswerKey(pointer) => at(body, pointer)?.as_object()?.keys().next().cloned().map(Value::from),
        Place::AnswerHeader(name) => header(name),
    };
    let is_there = |value: &Value| !value.is_null() && value != "";
    let found = members.iter().filter_map(|(name, places)| Some((name.clone(), places.iter().filter_map(value).find(is_there)?)));
    let found: serde_json::Map<String, Value> = found.collect();
    (!found.is_empty()).then_some(Value::Object(found))
}

/// The text of a template with something in place of its names.
fn stand_in(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Name(_) => "x".to_owned(),
    };
    template.0.iter().map(part).collect()
}

/// Why a body at a success status is a no; `None` if it is a yes.
fn says_no(success: &Success, body: &Value) -> Option<String> {
    let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let there = success.absent.iter().find(|pointer| at(body, pointer).is_some_and(|value| !empty(value)));
    let other = || success.equals.iter().find(|(pointer, value)| at(body, pointer) != Some(value));
    there.map(|pointer| format!("it has `{pointer}`")).or_else(|| other().map(|(pointer, value)| format!("its `{pointer}` is not {value}")))
}

/// The example as it is after `remove` and `wrap`.
fn wrapped_body(call: &Call, example: &Value) -> Value {
    let mut body = example.clone();
    for pointer in &call.body.remove {
        remove(&mut body, pointer.tokens());
    }
    if let Some((into, pointer)) = &call.body.wrap
        && let Ok(mut whole) = serde_json::from_str::<Value>(into)
    {
        put(&mut whole, pointer.tokens(), body);
        return whole;
    }
    body
}

/// The example as it is sent, with stand-ins for what is filled in.
fn finished_body(call: &Call, example: &Value) -> Value {
    let mut body = wrapped_body(call, example);
    let idempotency = call.idempotency.iter().filter_map(|idempotency| match &idempotency.at {
        IdempotencyPlace::Body(pointer) => Some(pointer),
        IdempotencyPlace::Header(_) | IdempotencyPlace::Path => None,
    });
    for pointer in call.body.default.iter().map(|(pointer, _)| pointer).chain(idempotency) {
        if at(&body, pointer).is_none() {
            put(&mut body, pointer.tokens(), Value::from("x"));
        }
    }
    for (pointer, _) in &call.body.set {
        put(&mut body, pointer.tokens(), Value::from("x"));
    }
    body
}

fn refusals(node: &Node<'_>, cx: &Context<'_>, calls: &[Option<&Read>]) -> (BTreeMap<u16, Template>, Option<Template>) {
    let entries = node.table().map(|table| Table::entries(&table)).unwrap_or_default();
    let mut refusals = BTreeMap::new();
    let mut credentials = None;
    for entry in &entries {
        let Some(template) = template(entry, cx, Allowed::SIMULATOR) else { continue };
        let key = entry.key();
        let status = key.parse::<u16>().ok().filter(|status| key.len() == 3 && (200..=599).contains(status));
        let at_success = |call: &&Call| key == CREDENTIALS || status.is_some_and(|status| call.success.statuses.contains(&status));
        check_refusal(entry, calls.iter().flatten().filter(|read| at_success(&&read.call)));
        if key == CREDENTIALS {
            credentials = Some(template);
            continue;
        }
        match status {
            Some(status) => {
                refusals.insert(status, template);
            }
            None => {
                let message = format!(
                    "`{}` is no status from 200 to 599; `{CREDENTIALS}` stands for wrong credentials at a success status",
                    shown(key)
                );
                cx.report.add_name(entry.key_at(), message, key, [CREDENTIALS]);
            }
        }
    }
    (refusals, credentials)
}

/// What looks like JSON must be JSON; services also refuse with plain text, or with nothing. At a success status of the call the body must say no.
fn check_refusal<'r>(node: &Node<'_>, calls: impl Iterator<Item = &'r &'r Read>) {
    let Some(text) = node.text() else { return };
    let body = if text.trim_start().starts_with(['{', '[']) {
        let filled = Filled::new(text, |_| "null".to_owned());
        let Some(body) = check_json(node, &filled.text, |at| filled.origin(at)) else { return };
        body
    } else {
        Value::Null
    };
    for read in calls.filter(|read| would_succeed(&read.call, &body)) {
        node.wrong(format!("this refusal has a success status, and `{}.success` would take it for a success", read.path));
    }
}

/// Whether a JSON body at a success status, without headers, is a success.
fn would_succeed(call: &Call, body: &Value) -> bool {
    match &call.answer {
        AnswerShape::Whole | AnswerShape::Pick(_) => says_no(&call.success, body).is_none(),
        // Refusals are sent as JSON, so they are no text of another kind.
        AnswerShape::TextAs { .. } => false,
        AnswerShape::Build(members) => built(members, body, &[]).is_some_and(|built| says_no(&call.success, &built).is_none()),
    }
}
