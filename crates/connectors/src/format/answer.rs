//! `answer`: what the caller gets of a success.

use domain::json::Pointer;

use super::places::{Side, places};
use super::provider::Context;
use super::reader::{Node, Table, shown};
use crate::model::{AnswerShape, Place};

/// Most members of an object that is built.
const MEMBERS_MAX: usize = 20;
/// The shapes, each named by its key.
const SHAPES: [&str; 3] = ["pick", "text_as", "build"];

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>) -> Option<AnswerShape> {
    let table = node.table()?;
    let shapes = SHAPES.iter().filter(|shape| table.has(shape)).count();
    let pick = table.get("pick").and_then(|node| node.pointer());
    let text_as = table.get("text_as").and_then(|node| node.line(100));
    let content = content(&table);
    let build = table.get("build").and_then(|node| build(&node, cx));
    if shapes != 1 {
        table.wrong(format!("`{}` has exactly one of {}", node.path(), SHAPES.join(", ")));
    }
    table.finish();
    if shapes != 1 {
        return None;
    }
    match (pick, text_as, build) {
        (Some(pointer), ..) => Some(AnswerShape::Pick(pointer)),
        (_, Some(member), _) => Some(AnswerShape::TextAs { member: member.to_owned(), content: content? }),
        (.., build) => build.map(AnswerShape::Build),
    }
}

/// The media type of a text, in lower case.
fn content(table: &Table<'_>) -> Option<String> {
    let node = if table.has("text_as") { table.require("content") } else { table.get("content") }?;
    if !table.has("text_as") {
        node.wrong_key("`content` is the media type of a text and belongs to `text_as`");
    }
    let text = node.text()?;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    if !text.split_once('/').is_some_and(|(kind, sub)| is_word(kind) && is_word(sub)) {
        node.wrong(format!("`{}` is no media type without parameters, such as application/jwt", shown(text)));
    }
    Some(text.to_ascii_lowercase())
}

/// The members in the order of the file; nothing of them with a mistake in any.
fn build(node: &Node<'_>, cx: &Context<'_>) -> Option<Vec<(String, Vec<Place>)>> {
    let entries = node.table()?.entries();
    if !(1..=MEMBERS_MAX).contains(&entries.len()) {
        node.wrong_key(format!("`{}` must have 1 to {MEMBERS_MAX} members", node.path()));
        return None;
    }
    let places = |entry: &Node<'_>| places(entry, cx, Side::Answer).into_iter().map(|(_, place)| place).collect::<Vec<_>>();
    let members: Vec<_> = entries.iter().map(|entry| (entry.key().to_owned(), places(entry))).collect();
    members.iter().all(|(_, places)| !places.is_empty()).then_some(members)
}

/// What is read of an answer that the server makes itself can only be one of the members that it is made of.
pub(super) fn check_pointer(cx: &Context<'_>, shape: &AnswerShape, at: usize, pointer: &Pointer) {
    let names: Vec<&str> = match shape {
        AnswerShape::Whole | AnswerShape::Pick(_) => return,
        AnswerShape::TextAs { member, .. } => vec![member],
        AnswerShape::Build(members) => members.iter().map(|(name, _)| name.as_str()).collect(),
    };
    let first = pointer.tokens().first().map(String::as_str).unwrap_or_default();
    if !names.contains(&first) {
        let message = format!("`{pointer}` is not in the object that `answer` makes; its members are {}", names.join(", "));
        cx.report.add_name(at, message, first, names);
    }
}
