//! A value, or a table with `by` that picks one.

use std::collections::BTreeMap;

use super::provider::Context;
use super::reader::{Node, Table, shown};
use crate::model::{Choice, Required, Selector};

/// What may pick a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pickers {
    /// The method and every field with choices.
    All,
    /// Fields with choices only: a host is the same for all methods of a provider.
    Fields,
    /// The method only: simulators know no fields.
    Method,
}

/// Reads a value with `read`, or a table of them.
pub(super) fn choice<'a, T>(
    node: &Node<'a>,
    cx: &Context<'_>,
    pickers: Pickers,
    read: impl Fn(&Node<'a>) -> Option<T>,
) -> Option<Choice<T>> {
    let Some(table) = node.as_table() else { return read(node).map(Choice::One) };
    let by = table.require("by")?;
    let selector = selector(&by, cx, pickers)?;
    let otherwise = table.get("else").map(|line| read(&line));
    let mut cases = BTreeMap::new();
    let mut complete = true;
    let keys = keys_of(&selector, cx);
    for line in table.entries().into_iter().filter(|line| line.key() != "by" && line.key() != "else") {
        if keys.iter().all(|key| key != line.key()) {
            let message =
                format!("`{}` is no value of `{}`; allowed: {}, else", shown(line.key()), by.text().unwrap_or_default(), keys.join(", "));
            cx.report.add_name(line.key_at(), message, line.key(), keys.iter().map(String::as_str).chain(["else"]));
        }
        match read(&line) {
            Some(value) => {
                cases.insert(line.key().to_owned(), value);
            }
            None => complete = false,
        }
    }
    if otherwise.is_none() && complete {
        name_missing_lines(&table, &selector, cx, &keys, &cases);
    }
    let otherwise = match otherwise {
        Some(None) => return None,
        Some(Some(value)) => Some(value),
        None => None,
    };
    complete.then_some(Choice::By { selector, cases, otherwise })
}

fn selector(by: &Node<'_>, cx: &Context<'_>, pickers: Pickers) -> Option<Selector> {
    let word = by.text()?;
    if word == "method" && pickers != Pickers::Fields {
        return Some(Selector::Method);
    }
    let with_choices = || cx.fields.iter().filter(|field| !field.choices.is_empty() && !field.secret);
    if pickers != Pickers::Method && with_choices().any(|field| field.key == word) {
        return Some(Selector::Field(word.to_owned()));
    }
    let mut known: Vec<&str> = if pickers == Pickers::Fields { Vec::new() } else { vec!["method"] };
    if pickers != Pickers::Method {
        known.extend(with_choices().map(|field| field.key.as_str()));
    }
    let names = if known.is_empty() { "no field of this file has `choices`".to_owned() } else { format!("allowed: {}", known.join(", ")) };
    cx.report.add_name(by.at(), format!("`{}` can not pick a line of `{}`; {names}", shown(word), by.path()), word, known);
    None
}

/// The values that may have a line.
fn keys_of(selector: &Selector, cx: &Context<'_>) -> Vec<String> {
    match selector {
        Selector::Method => cx.methods.iter().map(|method| method.key.clone()).collect(),
        Selector::Field(key) => cx.fields.iter().find(|field| &field.key == key).map(|field| field.choices.clone()).unwrap_or_default(),
    }
}

/// Without `else` every value needs a line, and the field needs a value.
fn name_missing_lines<T>(table: &Table<'_>, selector: &Selector, cx: &Context<'_>, keys: &[String], cases: &BTreeMap<String, T>) {
    let missing: Vec<&str> = keys.iter().filter(|key| !cases.contains_key(*key)).map(String::as_str).collect();
    if !missing.is_empty() {
        table.wrong(format!("there is no line for {} and no `else`", missing.join(", ")));
    }
    if let Selector::Field(key) = selector
        && let Some(field) = cx.fields.iter().find(|field| &field.key == key)
        && field.required != Required::Always
        && field.default.is_none()
    {
        table.wrong(format!("`{key}` may be absent: add an `else` line, or a `default` to the field"));
    }
}
