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
            lines.push(line(BASE_URL, &shown(entry, super::keys::Kind::Text, Sight::Open), entry, sources));
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

fn shown(entry: &Entry, kind: super::keys::Kind, sight: Sight) -> String {
    use super::keys::Kind;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let list = |items: Vec<&str>| format!("[{}]", items.into_iter().map(quoted).collect::<Vec<_>>().join(", "));
    match (&entry.raw, kind) {
        (Raw::Text(text) | Raw::String(text), _) if sight == Sight::Masked => quoted(&masked(text)),
        (_, _) if sight == Sight::Masked => quoted(MASK),
        (Raw::Text(text), Kind::Boolean | Kind::Milliseconds) => text.clone(),
        (Raw::Text(_), Kind::Networks | Kind::Paths) => list(entry.list().unwrap_or_default()),
        (Raw::Text(text) | Raw::String(text), _) => quoted(text),
        (Raw::Integer(number), _) => number.to_string(),
        (Raw::Boolean(value), _) => value.to_string(),
        (Raw::List(items), _) => list(items.iter().map(String::as_str).collect()),
    }
}

/// A database URL without its password. What is no URL is masked whole, since nobody can tell which part is secret.
fn masked(text: &str) -> String {
    if text.starts_with("sqlite:") && !text.contains('@') {
        return text.to_owned();
    }
    match url::Url::parse(text) {
        Ok(mut url) => {
            let hidden = url.password().is_none() || url.set_password(Some("secret")).is_ok();
            url.set_query(None);
            if hidden { url.to_string().replacen(":secret@", &format!(":{MASK}@"), 1) } else { MASK.to_owned() }
        }
        Err(_) => MASK.to_owned(),
    }
}
