//! `success`: which answers mean yes.

use std::collections::BTreeMap;

use domain::session::SessionCode;
use serde_json::Value;
use toml::de::DeValue;

use super::call::Kind;
use super::places::{Side, places};
use super::provider::Context;
use super::reader::{Node, shown};
use crate::model::{Refusal, Success};

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Success {
    let Some(table) = node.as_table() else {
        return Success { statuses: statuses(node, kind), ..Success::default() };
    };
    let statuses = table.require("status").map(|node| statuses(&node, kind)).unwrap_or_default();
    let absent = table.get("absent").map(|node| node.one_or_list().iter().filter_map(Node::pointer).collect()).unwrap_or_default();
    let equals = table.get("equals").and_then(|node| node.table()).map(|table| {
        let entries = table.entries();
        entries.iter().filter_map(|entry| Some((entry.key_pointer()?, scalar(entry)?))).collect()
    });
    let equals: Vec<_> = equals.unwrap_or_default();
    let refusal = table.get("refusal");
    let read = refusal.as_ref().and_then(|node| refusal_codes(node, cx));
    // A session asks it of failures too.
    if let Some(node) = refusal.filter(|_| !matches!(kind, Kind::Session | Kind::Second))
        && !table.has("absent")
        && equals.is_empty()
    {
        node.wrong_key("`refusal` reads an answer that `absent` or `equals` calls a no: there is neither");
    }
    table.finish();
    Success { statuses, absent, equals, refusal: read }
}

fn statuses(node: &Node<'_>, kind: Kind) -> Vec<u16> {
    let mut statuses = Vec::new();
    let items = node.list().unwrap_or_default();
    if items.is_empty() && node.value().is_array() {
        node.wrong(format!("`{}` names no status", node.path()));
    }
    for item in items {
        let Some(status) = item.whole(100..=599).and_then(|status| u16::try_from(status).ok()) else { continue };
        match kind {
            Kind::Session | Kind::Second | Kind::Token if !(200..=299).contains(&status) => {
                item.wrong(format!("{status} is no success: a session or token is created with a status from 200 to 299"));
            }
            Kind::Verify if [401, 407].contains(&status) => {
                item.wrong(format!("{status} is how payment services refuse credentials: it can not prove them"));
            }
            Kind::Verify if (300..=399).contains(&status) || status == 429 || status >= 500 => {
                item.wrong(format!("{status} says nothing about credentials"));
            }
            Kind::Session | Kind::Second | Kind::Token | Kind::Verify => {}
        }
        if statuses.contains(&status) {
            item.wrong(format!("{status} is there twice"));
        }
        statuses.push(status);
    }
    statuses
}

fn refusal_codes(node: &Node<'_>, cx: &Context<'_>) -> Option<Refusal> {
    let table = node.table()?;
    let at = table.require("at").map(|node| places(&node, cx, Side::Answer)).unwrap_or_default();
    let words: Vec<&str> = SessionCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut codes = BTreeMap::new();
    for entry in table.require("codes").and_then(|node| node.table()).map(|table| table.entries()).unwrap_or_default() {
        if let Some(code) = entry.word(&words).and_then(SessionCode::parse) {
            codes.insert(entry.key().to_owned(), code);
        }
    }
    table.finish();
    Some(Refusal { at: at.into_iter().map(|(_, place)| place).collect(), codes })
}

/// A single JSON value.
fn scalar(node: &Node<'_>) -> Option<Value> {
    let number = |text: &str| serde_json::from_str::<serde_json::Number>(text.trim_start_matches('+')).ok().map(Value::Number);
    let value = match node.value() {
        DeValue::String(_) => node.text().map(Value::from),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str()),
        DeValue::Float(float) => number(float.as_str()),
        DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    if value.is_none() {
        node.wrong(format!("`{}` must be a string, a decimal number, true or false", shown(node.path())));
    }
    value
}
