//! JSON inside of strings: read, with the place of a mistake in the file.

use domain::JsonText;
use domain::json::{JsonError, Kind, Pointer, array_index, elements, kind_at, members, root};
use serde_json::Value;

use super::reader::Node;

/// Reads a string as one JSON object without repeated members.
pub(super) fn json_object(node: &Node<'_>) -> Option<Value> {
    let text = node.text()?;
    check_object(node, text, |at| at)
}

/// Reads a text as one JSON object; `origin` says which byte of the node's string a byte of the text came from.
pub(super) fn check_object(node: &Node<'_>, text: &str, origin: impl Fn(usize) -> usize) -> Option<Value> {
    let value = check_json(node, text, origin)?;
    if !value.is_object() {
        node.wrong(format!("`{}` is {}", node.path(), JsonError::NotAnObject));
        return None;
    }
    Some(value)
}

/// Reads a text as one JSON value of any kind.
pub(super) fn check_json(node: &Node<'_>, text: &str, origin: impl Fn(usize) -> usize) -> Option<Value> {
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) => {
            let at = offset_of(text, error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            node.report().add(node.offset(origin(at)), format!("`{}` is not valid JSON: {reason}", node.path()));
            return None;
        }
    };
    if let Err(error) = JsonText::parse(text.as_bytes().to_vec()) {
        node.wrong(format!("`{}` is {error}", node.path()));
        return None;
    }
    if let Some((at, name)) = root(text.as_bytes()).and_then(|range| repeated(text.as_bytes(), range.start)) {
        node.report()
            .add(node.offset(origin(at)), format!("the member `{name}` is there twice: payment services differ on which one wins"));
        return None;
    }
    Some(value)
}

/// The first member that repeats an earlier one of the same object. As deep as `JsonObject` allows, and no deeper.
fn repeated(bytes: &[u8], at: usize) -> Option<(usize, String)> {
    match kind_at(bytes, at)? {
        Kind::Object => {
            let members = members(bytes, at)?;
            let mut names = std::collections::BTreeSet::new();
            for member in &members {
                if !names.insert(member.name.as_ref()) {
                    return Some((member.name_range.start, member.name.to_string()));
                }
                if let Some(found) = repeated(bytes, member.value_range.start) {
                    return Some(found);
                }
            }
            None
        }
        Kind::Array => elements(bytes, at)?.into_iter().find_map(|range| repeated(bytes, range.start)),
        Kind::String | Kind::Number | Kind::Boolean | Kind::Null => None,
    }
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

/// The value at a pointer.
pub(super) fn at<'v>(value: &'v Value, pointer: &Pointer) -> Option<&'v Value> {
    value.pointer(&pointer.to_string())
}

/// Whether something can stand at a pointer: every parent is an object, an array, or absent.
pub(super) fn can_stand(value: &Value, pointer: &Pointer) -> bool {
    walk(value, pointer, |_, index, _| index.is_some())
}

/// Whether a member can be put at a pointer: its parent is an object or absent, and so on upwards, through elements that exist.
pub(super) fn can_add(value: &Value, pointer: &Pointer) -> bool {
    walk(value, pointer, |length, index, is_last| !is_last && index.is_some_and(|index| index < length))
}

/// Follows a pointer; `element` says whether the way through an array is open.
fn walk(value: &Value, pointer: &Pointer, element: impl Fn(usize, Option<usize>, bool) -> bool) -> bool {
    let mut at = Some(value);
    let last = pointer.tokens().len().saturating_sub(1);
    for (depth, token) in pointer.tokens().iter().enumerate() {
        let index = array_index(token);
        at = match at {
            None => return true,
            Some(Value::Object(members)) => members.get(token),
            Some(Value::Array(items)) if element(items.len(), index, depth == last) => index.and_then(|index| items.get(index)),
            Some(Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => return false,
        };
    }
    true
}

/// Puts a value at a pointer, with missing parents as objects; nothing happens where it can not be put.
pub(super) fn put(value: &mut Value, tokens: &[String], new: Value) {
    let Some((token, rest)) = tokens.split_first() else {
        *value = new;
        return;
    };
    match value {
        Value::Object(members) => {
            let entry = members.entry(token.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
            put(entry, rest, new);
        }
        Value::Array(items) => {
            if let Some(item) = array_index(token).and_then(|index| items.get_mut(index)) {
                put(item, rest, new);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes the member at a pointer out, if it is there.
pub(super) fn remove(value: &mut Value, tokens: &[String]) {
    let Some((token, rest)) = tokens.split_first() else { return };
    match value {
        Value::Object(members) if rest.is_empty() => {
            members.remove(token);
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(token) {
                remove(member, rest);
            }
        }
        Value::Array(items) => {
            if let Some(item) = array_index(token).and_then(|index| items.get_mut(index)) {
                remove(item, rest);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
