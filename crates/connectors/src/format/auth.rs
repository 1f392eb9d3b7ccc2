//! `auth` and `headers`: how a call proves who asks, and what else it says.

use http::HeaderName;
use http::header;

use super::call::Kind;
use super::choice::{Pickers, choice};
use super::provider::Context;
use super::reader::{Node, shown};
use super::template::{Allowed, FieldUse, line_template};
use crate::model::{Auth, Choice, Template};

/// Most headers of one table.
const HEADERS_MAX: usize = 20;

/// Headers that belong to the transport: a second opinion could only be wrong. Media types and the agent's name are the definition's to say.
const OURS: [HeaderName; 12] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

/// Reads `auth`, or the table with `by` that picks one.
pub(super) fn read(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<Choice<Auth>> {
    if node.table()?.has("by") {
        choice(node, cx, Pickers::All, |line| auth(line, cx, kind))
    } else {
        auth(node, cx, kind).map(Choice::One)
    }
}

/// One line. An empty table proves nothing in a header.
fn auth(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<Auth> {
    let table = node.table()?;
    // The token call can not use the token that it fetches.
    let allowed = Allowed { token: kind != Kind::Token, ..Allowed::AUTH };
    let basic = table.get("basic").and_then(|node| {
        let table = node.table()?;
        let part = |key| table.require(key).and_then(|node| line_template(&node, cx, allowed)).unwrap_or(Template(Vec::new()));
        let pair = (part("user"), part("password"));
        table.finish();
        Some(pair)
    });
    let bearer = table.get("bearer").and_then(|node| line_template(&node, cx, allowed));
    let headers_node = table.get("headers");
    let headers = headers_node.as_ref().map(|node| headers(node, cx, allowed)).unwrap_or_default();
    if table.has("basic") && table.has("bearer") {
        table.wrong(format!("`{}` is either `basic` or `bearer`: there is one Authorization header", node.path()));
    }
    let named = headers.iter().any(|(name, _)| name == header::AUTHORIZATION);
    if named && (basic.is_some() || bearer.is_some()) {
        table.wrong(format!("`{}` has a header Authorization beside `basic` or `bearer`", node.path()));
    }
    table.finish();
    Some(Auth { basic, bearer, headers })
}

/// Headers of a call.
pub(super) fn call_headers(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Vec<(HeaderName, Template)> {
    let allowed = match kind {
        Kind::Token => Allowed { field: FieldUse::Any, ..Allowed::HEADERS },
        Kind::Session | Kind::Second | Kind::Verify => Allowed::HEADERS.of_call(kind),
    };
    let headers = headers(node, cx, allowed);
    if headers.iter().any(|(name, _)| name == header::AUTHORIZATION) {
        node.wrong_key("the header Authorization belongs to `auth`");
    }
    headers
}

/// Headers of a simulated answer.
pub(super) fn answer_headers(node: &Node<'_>, cx: &Context<'_>) -> Vec<(HeaderName, Template)> {
    let headers = headers(node, cx, Allowed::SIMULATOR);
    if headers.iter().any(|(name, _)| name == header::CONTENT_TYPE) {
        node.wrong_key("the media type of a simulated answer is application/json, or what `call.session.answer.content` says");
    }
    headers
}

/// A name of a header that is ours to set.
pub(super) fn header_name(text: &str, at: usize, cx: &Context<'_>) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        cx.report.add(at, format!("`{}` is no name of a header", shown(text)));
        return None;
    };
    if OURS.contains(&name) {
        cx.report.add(at, format!("the header {name} is set by the server itself"));
    }
    Some(name)
}

fn headers(node: &Node<'_>, cx: &Context<'_>, allowed: Allowed) -> Vec<(HeaderName, Template)> {
    let Some(table) = node.table() else { return Vec::new() };
    let entries = table.entries();
    if entries.len() > HEADERS_MAX {
        table.wrong(format!("`{}` has more than {HEADERS_MAX} headers", node.path()));
    }
    let mut headers: Vec<(HeaderName, Template)> = Vec::new();
    for entry in entries.iter().take(HEADERS_MAX) {
        let name = header_name(entry.key(), entry.key_at(), cx);
        let value = line_template(entry, cx, allowed);
        let (Some(name), Some(value)) = (name, value) else { continue };
        if headers.iter().any(|(earlier, _)| *earlier == name) {
            entry.wrong_key(format!("the header {name} is there twice"));
        }
        headers.push((name, value));
    }
    headers
}
