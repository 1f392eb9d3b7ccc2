//! What should reach a payment service, worked out a second time and in another way: on parsed values, where the server edits bytes.

use connectors::catalogue::Connector;
use connectors::model::{AttemptForm, Call, Encoding, IdempotencyPlace, JsonTemplate, Name, Part, Sign, Template};
use domain::json::Pointer;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::service::{ATTEMPT, Stored, TOKEN};

/// Stands for a value that only signing knows.
const ANY: &str = "(any text)";

/// The caller's body with what a call declares.
pub(crate) fn body(connector: &Connector, call: &Call, stored: &Stored, caller: &Value) -> Value {
    let rules = &call.body;
    let mut body = caller.clone();
    for at in &rules.remove {
        remove(&mut body, at.tokens());
    }
    if let Some((into, at)) = &rules.wrap {
        let mut whole = serde_json::from_str(into).unwrap();
        put(&mut whole, at.tokens(), body);
        body = whole;
    }
    for (at, template) in &rules.default {
        if body.pointer(&at.to_string()).is_none()
            && let Some(value) = filled(connector, stored, template)
        {
            put(&mut body, at.tokens(), value);
        }
    }
    for (at, template) in &rules.set {
        if let Some(value) = filled(connector, stored, template) {
            put(&mut body, at.tokens(), value);
        }
    }
    if let Some(IdempotencyPlace::Body(at)) = call.idempotency.as_ref().map(|idempotency| &idempotency.at)
        && body.pointer(&at.to_string()).is_none()
    {
        put(&mut body, at.tokens(), Value::from(ATTEMPT.id.to_string()));
    }
    if let Some(Sign::Scheme { name, .. }) = connector.provider.sign_of(call)
        && name == "rsa-sorted-members"
    {
        put(&mut body, &["params".to_owned(), "Signature".to_owned()], Value::from(ANY));
    }
    body
}

/// Whether a body that was sent says what was expected.
pub(crate) fn is_said(encoding: Encoding, sent: &[u8], expected: &Value) -> Result<(), String> {
    match encoding {
        Encoding::Json => {
            let sent: Value = serde_json::from_slice(sent).map_err(|error| format!("not JSON: {error}"))?;
            if is_same(&sent, expected) { Ok(()) } else { Err(format!("sent {sent}, not {expected}")) }
        }
        Encoding::Form | Encoding::FormBrackets => {
            let mut sent = pairs(std::str::from_utf8(sent).unwrap());
            let mut leaves = Vec::new();
            flatten(expected, &mut Vec::new(), &mut leaves);
            sent.sort();
            leaves.sort_by(|a, b| a.0.cmp(&b.0));
            let same = sent.len() == leaves.len() && sent.iter().zip(&leaves).all(|(s, e)| s.0 == e.0 && is_spelled(&s.1, e.1));
            if same { Ok(()) } else { Err(format!("sent {sent:?}, not {leaves:?}")) }
        }
    }
}

/// Equal, where any text is equal to [`ANY`].
fn is_same(sent: &Value, expected: &Value) -> bool {
    match (sent, expected) {
        (Value::String(_), Value::String(text)) if text == ANY => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| is_same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (a, b) => a == b,
    }
}

// === templates ===

fn filled(connector: &Connector, stored: &Stored, template: &JsonTemplate) -> Option<Value> {
    Some(match template {
        JsonTemplate::Text(text) => Value::from(text_of(connector, stored, text)?),
        JsonTemplate::List(items) => Value::Array(items.iter().map(|item| filled(connector, stored, item)).collect::<Option<_>>()?),
        JsonTemplate::Object(members) => {
            let members = members.iter().map(|(name, member)| Some((name.clone(), filled(connector, stored, member)?)));
            Value::Object(members.collect::<Option<Map<_, _>>>()?)
        }
        JsonTemplate::Literal(text) => serde_json::from_str(text).unwrap(),
    })
}

fn text_of(connector: &Connector, stored: &Stored, template: &Template) -> Option<String> {
    if template.names().any(|name| matches!(name, Name::Sign(_) | Name::First(_))) {
        return Some(ANY.to_owned());
    }
    let id = ATTEMPT.id.to_string();
    let part = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Name(Name::Field(key)) => {
            let field = connector.provider.fields.iter().find(|field| &field.key == key).unwrap();
            stored.0.get(key).or(field.default.as_ref()).cloned()
        }
        Part::Name(Name::MethodCode) => connector.method().code.clone(),
        Part::Name(Name::Token) => Some(TOKEN.to_owned()),
        Part::Name(Name::Attempt(AttemptForm::Id)) => Some(id.clone()),
        Part::Name(Name::Attempt(AttemptForm::Hex32)) => Some(id.replace('-', "")),
        Part::Name(Name::Attempt(AttemptForm::Upper32)) => Some(id.replace('-', "").to_uppercase()),
        Part::Name(other) => panic!("{other:?} in a body"),
    };
    template.0.iter().map(part).collect()
}

// === edits ===

fn remove(body: &mut Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    match body {
        Value::Object(map) if rest.is_empty() => drop(map.remove(name)),
        Value::Object(map) => map.get_mut(name).into_iter().for_each(|value| remove(value, rest)),
        Value::Array(items) => {
            let Some(index) = name.parse::<usize>().ok().filter(|index| *index < items.len()) else { return };
            if rest.is_empty() { drop(items.remove(index)) } else { remove(&mut items[index], rest) }
        }
        _ => {}
    }
}

fn put(body: &mut Value, path: &[String], value: Value) {
    match path.split_first() {
        None => *body = value,
        Some((name, rest)) => match body {
            Value::Object(map) => put(map.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())), rest, value),
            Value::Array(items) => put(&mut items[name.parse::<usize>().unwrap()], rest, value),
            other => panic!("{other} is no parent of {path:?}"),
        },
    }
}

// === forms ===

/// Names by their parts, and values, decoded.
fn pairs(form: &str) -> Vec<(Vec<String>, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        let name: Vec<String> = match name.split_once('[') {
            None => vec![decoded(name)],
            Some((head, rest)) => std::iter::once(head).chain(rest.strip_suffix(']').unwrap().split("][")).map(decoded).collect(),
        };
        (name, decoded(value))
    };
    form.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn flatten<'a>(value: &'a Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, &'a Value)>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        leaf => return leaves.push((path.clone(), leaf)),
    };
    for (name, child) in children {
        path.push(name);
        flatten(child, path, leaves);
        path.pop();
    }
}

fn is_spelled(text: &str, value: &Value) -> bool {
    match value {
        Value::Null => text.is_empty(),
        Value::Number(number) => text.parse::<f64>().ok() == number.as_f64(),
        Value::String(expected) => expected == ANY || expected == text,
        Value::Bool(flag) => text == if *flag { "true" } else { "false" },
        Value::Object(_) | Value::Array(_) => false,
    }
}

/// The pointer as the caller writes it, outside of what wraps the body; `None` where it leads elsewhere.
pub(crate) fn seen_by_caller(call: &Call, at: &Pointer) -> Option<Vec<String>> {
    let outside = call.body.wrap.as_ref().map_or(&[][..], |(_, at)| at.tokens());
    at.tokens().strip_prefix(outside).map(<[String]>::to_vec).filter(|tokens| !tokens.is_empty())
}
