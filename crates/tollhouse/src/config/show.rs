//! The configuration in force as text, with or without the source of each value. Secrets are masked.

use super::Entry;
use super::keys::{BASE_URL, KEYS, PROVIDERS, Sight};
use super::layers::{Layers, Raw};

/// What stands for a value that must not be seen.
const MASK: &str = "[secret]";

/// Whether `config show` names where each value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sources {
    /// Values alone.
    Hidden,
    /// With a comment behind each.
    Shown,
}

impl Layers {
    /// TOML that means the same as all layers together; unset keys are comments.
    pub(crate) fn show(&self, sources: Sources) -> String {
        let mut lines = Vec::new();
        let mut section = "";
        for key in KEYS {
            if section != key.section {
                section = key.section;
                lines.push(format!("\n[{section}]"));
            }
            lines.push(match self.get(&key.path()) {
                Some(entry) => line(key.name, &shown(entry, key.kind, key.sight), entry, sources),
                None => format!("# {} is not set: {}", key.name, key.meaning),
            });
        }
        for (id, entry) in self.providers() {
            lines.push(format!("\n[{PROVIDERS}.{id}]"));
            // What is refused may hold a user, a password or a key in its query, and what is no URL at all may hold them anywhere.
            let value = if entry.base_url().is_ok() { shown(entry, super::keys::Kind::Text, Sight::Open) } else { quoted(MASK) };
            lines.push(line(BASE_URL, &value, entry, sources));
        }
        lines.join("\n").trim_start().to_owned()
    }
}

fn line(name: &str, value: &str, entry: &Entry, sources: Sources) -> String {
    match sources {
        Sources::Hidden => format!("{name} = {value}"),
        Sources::Shown => format!("{name} = {value}  # {}", entry.source),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn shown(entry: &Entry, kind: super::keys::Kind, sight: Sight) -> String {
    use super::keys::Kind;
    let list = |items: Vec<&str>| format!("[{}]", items.into_iter().map(quoted).collect::<Vec<_>>().join(", "));
    match (&entry.raw, kind) {
        (Raw::Text(text) | Raw::String(text), _) if sight == Sight::Masked => quoted(&masked(text)),
        (_, _) if sight == Sight::Masked => quoted(MASK),
        (Raw::Text(text), Kind::Boolean | Kind::Milliseconds | Kind::Count | Kind::Days) => text.clone(),
        (Raw::Text(_), Kind::Networks | Kind::Paths) => list(entry.list().unwrap_or_default()),
        (Raw::Text(text) | Raw::String(text), _) => quoted(text),
        (Raw::Integer(number), _) => number.to_string(),
        (Raw::Boolean(value), _) => value.to_string(),
        (Raw::List(items), _) => list(items.iter().map(String::as_str).collect()),
    }
}

/// A database URL without its password, which may stand in two places. What is no URL is masked whole, since nobody can tell which part is secret.
fn masked(text: &str) -> String {
    /// What stands in while the URL is a URL, where brackets would be escaped.
    const PLACEHOLDER: &str = "SECRET";
    let Ok(mut url) = url::Url::parse(text) else { return MASK.to_owned() };
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let is_secret = |name: &str| name.to_ascii_lowercase().contains("password");
    let mut shown = url.password().is_none() || url.set_password(Some(PLACEHOLDER)).is_ok();
    url.set_query(None);
    let mut text = url.to_string();
    if url.password().is_some() {
        shown &= text.contains(&format!(":{PLACEHOLDER}@"));
        text = text.replacen(&format!(":{PLACEHOLDER}@"), &format!(":{MASK}@"), 1);
    }
    for (index, (name, value)) in pairs.iter().enumerate() {
        let mark = if index == 0 { '?' } else { '&' };
        let value = if is_secret(name) { MASK } else { value.as_str() };
        text = format!("{text}{mark}{name}={value}");
    }
    if shown { text } else { MASK.to_owned() }
}
