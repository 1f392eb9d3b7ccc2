//! `body`: what becomes of the caller's body on its way out.

use domain::json::Pointer;

use super::call::Kind;
use super::json_text::{can_add, json_object};
use super::provider::Context;
use super::reader::{Node, Table};
use super::template::{Allowed, json_template};
use crate::model::{Body, Encoding, JsonTemplate};

/// Most entries of one of the lists.
const EDITS_MAX: usize = 50;

/// Pointers into the finished body, with their offsets.
type Finished = Vec<(usize, Pointer)>;

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<(Body, Finished)> {
    let table = node.table()?;
    let encoding = table.get("encoding").and_then(|node| node.word(&["json", "form", "form-brackets"]));
    let encoding = match encoding {
        Some("form") => Encoding::Form,
        Some("form-brackets") => Encoding::FormBrackets,
        _ => Encoding::Json,
    };
    let mut body = Body { encoding, ..Body::default() };
    if matches!(kind, Kind::Session | Kind::Second) {
        body.refuse = refused(&table);
        body.remove = table.get("remove").map(|node| node.one_or_list().iter().filter_map(Node::pointer).collect()).unwrap_or_default();
        body.wrap = table.get("wrap").and_then(|node| wrap(&node));
    } else {
        body.constant = table.get("constant").and_then(|node| {
            json_object(&node)?;
            node.text().map(str::to_owned)
        });
    }
    let mut finished = Vec::new();
    // A default is what the caller may see and say himself, so secrets have no place in it.
    body.default = edits(&table, "default", cx, Allowed::OPEN.of_call(kind), &mut finished);
    body.set = edits(&table, "set", cx, Allowed::SET.of_call(kind), &mut finished);
    if encoding == Encoding::Form && body.default.iter().chain(&body.set).any(|(pointer, value)| !is_flat(pointer, value)) {
        table.wrong("the encoding `form` has plain names and values only: `form-brackets` has lists and objects");
    }
    for (pointer, _) in &body.default {
        if body.set.iter().any(|(set, _)| set == pointer) {
            table.wrong(format!("`{pointer}` is in `default` and in `set`: the second always wins"));
        }
    }
    table.finish();
    Some((body, finished))
}

fn is_flat(pointer: &Pointer, value: &JsonTemplate) -> bool {
    pointer.tokens().len() == 1 && matches!(value, JsonTemplate::Text(_) | JsonTemplate::Literal(_))
}

fn refused(table: &Table<'_>) -> Vec<(Pointer, String)> {
    let entries = table.get("refuse").and_then(|node| node.table()).map(|table| table.entries()).unwrap_or_default();
    entries.iter().take(EDITS_MAX).filter_map(|entry| Some((entry.key_pointer()?, entry.line(200)?.to_owned()))).collect()
}

fn wrap(node: &Node<'_>) -> Option<(String, Pointer)> {
    let table = node.table()?;
    let into = table.require("into");
    let value = into.as_ref().and_then(json_object);
    let at = table.require("at");
    let pointer = at.as_ref().and_then(Node::pointer);
    if let (Some(at), Some(value), Some(pointer)) = (at, &value, &pointer)
        && !can_add(value, pointer)
    {
        at.wrong(format!("`{pointer}` can not be added to `into`: one of its parents is no object"));
    }
    table.finish();
    Some((into?.text()?.to_owned(), pointer?))
}

fn edits(
    table: &Table<'_>,
    key: &'static str,
    cx: &Context<'_>,
    allowed: Allowed,
    finished: &mut Finished,
) -> Vec<(Pointer, JsonTemplate)> {
    let entries = table.get(key).and_then(|node| node.table()).map(|table| table.entries()).unwrap_or_default();
    if entries.len() > EDITS_MAX {
        table.wrong(format!("`{key}` has more than {EDITS_MAX} members"));
    }
    let mut edits = Vec::new();
    for entry in entries.iter().take(EDITS_MAX) {
        let pointer = entry.key_pointer();
        let value = json_template(entry, cx, allowed);
        let (Some(pointer), Some(value)) = (pointer, value) else { continue };
        finished.push((entry.key_at(), pointer.clone()));
        edits.push((pointer, value));
    }
    edits
}
