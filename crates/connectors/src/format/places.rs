//! Places: `request /pointer`, `answer /pointer`, `answer key /pointer`, `answer header name`.

use http::HeaderName;

use super::provider::Context;
use super::reader::{Node, pointer, shown};
use crate::model::Place;

/// Where a value may be looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// In the answer only.
    Answer,
    /// In either body.
    Both,
}

/// Reads one place or a list of them, each with its offset.
pub(super) fn places(node: &Node<'_>, cx: &Context<'_>, side: Side) -> Vec<(usize, Place)> {
    let items = node.one_or_list();
    if items.is_empty() {
        node.wrong(format!("`{}` names no place", node.path()));
    }
    items.iter().filter_map(|item| Some((item.at(), place(item, cx, side)?))).collect()
}

fn place(node: &Node<'_>, cx: &Context<'_>, side: Side) -> Option<Place> {
    let text = node.text()?;
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "request" if side == Side::Both => pointer(cx.report, node.offset(8), rest).map(Place::Request),
        "answer" => match rest.split_once(' ') {
            Some(("header", name)) => {
                let header = HeaderName::from_bytes(name.as_bytes()).ok();
                if header.is_none() {
                    cx.report.add(node.offset(14), format!("`{}` is no name of a header", shown(name)));
                }
                header.map(Place::AnswerHeader)
            }
            Some(("key", at)) => pointer(cx.report, node.offset(11), at).map(Place::AnswerKey),
            Some(_) | None => pointer(cx.report, node.offset(7), rest).map(Place::Answer),
        },
        _ => {
            let request = if side == Side::Both { "`request /pointer`, " } else { "" };
            let allowed = "`answer /pointer`, `answer key /pointer`, `answer header name`";
            let message = format!("`{}` is no place; allowed: {request}{allowed}", shown(text));
            cx.report.add(node.at(), message);
            None
        }
    }
}
