//! `[fields]`: what a merchant enters.

use domain::definition::FieldFormat;
use regex::{Regex, RegexBuilder};

use super::reader::{Node, Table, shown};
use crate::credentials::{MODE, Mode, TIMEOUT_MS};
use crate::model::{Field, Required, TextForm};

/// Most fields of one file: a form that nobody would fill in.
const FIELDS_MAX: usize = 30;
/// Longest pattern.
const PATTERN_MAX: usize = 200;
/// Largest compiled pattern: enough for several hundred ASCII characters, not for a bomb.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

pub(super) fn read(node: &Node<'_>) -> Vec<Field> {
    let Some(table) = node.table() else { return Vec::new() };
    let entries = table.entries();
    if entries.len() > FIELDS_MAX {
        table.wrong(format!("`fields` must have at most {FIELDS_MAX} fields"));
    }
    entries.iter().take(FIELDS_MAX).filter_map(field).collect()
}

/// Adds the two fields that every definition has.
pub(super) fn with_implicit(mut fields: Vec<Field>) -> Vec<Field> {
    let modes = [Mode::Sandbox, Mode::Live, Mode::Simulator].map(|mode| mode.as_str().to_owned());
    let mode =
        Field { choices: modes.to_vec(), default: Some(Mode::Sandbox.as_str().to_owned()), ..plain(MODE, "Mode", FieldFormat::Text) };
    fields.push(mode);
    fields.push(plain(TIMEOUT_MS, "Time limit of a call in milliseconds", FieldFormat::Number));
    fields
}

fn plain(key: &str, label: &str, format: FieldFormat) -> Field {
    Field {
        key: key.to_owned(),
        label: label.to_owned(),
        find: None,
        secret: false,
        required: Required::Never,
        choices: Vec::new(),
        default: None,
        pattern: None,
        prefix_sandbox: Vec::new(),
        prefix_live: Vec::new(),
        format,
        text: TextForm::Any,
        renamed_from: None,
    }
}

fn field(entry: &Node<'_>) -> Option<Field> {
    let key = entry.key();
    if [MODE, TIMEOUT_MS].contains(&key) {
        entry.wrong_key(format!("`{key}` comes with every definition and is not written"));
    }
    if !is_key(key) {
        entry.wrong_key(format!("`{}` is no key of a field: 1 to 50 lower-case letters, digits and underscores", shown(key)));
    }
    let table = entry.table()?;
    let label = table.require("label").and_then(|node| node.line(200)).unwrap_or_default().to_owned();
    let find = table.get("find").and_then(|node| node.line(500)).map(str::to_owned);
    let secret = table.get("secret").and_then(|node| node.flag()).unwrap_or_default();
    let required = required(&table);
    let choices = table.get("choices").map(|node| lines(&node)).unwrap_or_default();
    for reserved in choices.iter().filter(|choice| ["by", "else"].contains(&choice.as_str())) {
        entry.wrong(format!("`{reserved}` can not be a choice: it is a word of the format"));
    }
    let pattern = table.get("pattern").and_then(|node| pattern(&node));
    let (prefix_sandbox, prefix_live) = table.get("prefix").map(|node| prefixes(&node)).unwrap_or_default();
    let (format, text) = table.get("format").map_or((FieldFormat::Text, TextForm::Any), |node| format(&node));
    let renamed_from = table.get("renamed_from").and_then(|node| node.line(50)).map(str::to_owned);
    let mut field =
        Field { secret, find, required, choices, pattern, prefix_sandbox, prefix_live, text, renamed_from, ..plain(key, &label, format) };
    if let Some(node) = table.get("default") {
        field.default = default(&node, &field);
    }
    table.finish();
    Some(field)
}

fn required(table: &Table<'_>) -> Required {
    let optional = table.get("optional").and_then(|node| node.flag()).unwrap_or_default();
    let Some(node) = table.get("required") else {
        return if optional { Required::Never } else { Required::Always };
    };
    node.word(&["live"]);
    if optional {
        node.wrong("a field is either `optional = true` or `required = \"live\"`");
    }
    Required::Live
}

fn default(node: &Node<'_>, field: &Field) -> Option<String> {
    let default = node.line(500)?;
    if field.secret {
        node.wrong("a secret has no default: it would be the same for everybody who reads this file");
    }
    if !field.choices.is_empty() && field.choices.iter().all(|choice| choice != default) {
        node.wrong(format!("the default is not one of the choices: {}", field.choices.join(", ")));
    }
    if field.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(default)) {
        node.wrong("the default does not match the pattern");
    }
    Some(default.to_owned())
}

fn pattern(node: &Node<'_>) -> Option<Regex> {
    let text = node.line(PATTERN_MAX)?;
    let build = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build();
    // The whole value must match. Alone first, since a text with a bracket too many could leave the group.
    match build(text).and_then(|_| build(&format!("^(?:{text})$"))) {
        Ok(regex) => Some(regex),
        Err(regex::Error::CompiledTooBig(_)) => {
            node.wrong("the pattern is too big: use ASCII classes such as [A-Za-z0-9] and short repetitions");
            None
        }
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            node.wrong(format!("the pattern is no regular expression: {reason}"));
            None
        }
    }
}

fn prefixes(node: &Node<'_>) -> (Vec<String>, Vec<String>) {
    let Some(table) = node.table() else { return (Vec::new(), Vec::new()) };
    let sandbox = table.get("sandbox").map(|node| lines(&node)).unwrap_or_default();
    let live = table.get("live").map(|node| lines(&node)).unwrap_or_default();
    if let Some(both) =
        sandbox.iter().find(|one| live.iter().any(|other| one.starts_with(other.as_str()) || other.starts_with(one.as_str())))
    {
        table.wrong(format!("`{}` does not tell the sandbox from live payments", shown(both)));
    }
    table.finish();
    (sandbox, live)
}

fn format(node: &Node<'_>) -> (FieldFormat, TextForm) {
    let mut words: Vec<&str> = FieldFormat::ALL.iter().map(|format| format.as_str()).collect();
    words.extend(["base64", "pem"]);
    match node.word(&words) {
        Some("base64") => (FieldFormat::Text, TextForm::Base64),
        Some("pem") => (FieldFormat::Multiline, TextForm::Pem),
        word => (word.and_then(FieldFormat::parse).unwrap_or(FieldFormat::Text), TextForm::Any),
    }
}

/// A list of different lines.
fn lines(node: &Node<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let items = node.list().unwrap_or_default();
    if items.is_empty() {
        node.wrong(format!("`{}` is empty: leave it out", node.path()));
    }
    for item in &items {
        let Some(line) = item.line(100) else { continue };
        if lines.iter().any(|earlier| earlier == line) {
            item.wrong(format!("`{}` is there twice", shown(line)));
        }
        lines.push(line.to_owned());
    }
    lines
}

fn is_key(key: &str) -> bool {
    (1..=50).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
