//! `[hosts]`: where a payment service lives. A definition decides where credentials go, so this is the strictest section.

use url::{Host, Url};

use super::choice::{Pickers, choice};
use super::provider::Context;
use super::reader::Node;
use super::template::{Allowed, fields_of, line_template};
use crate::model::{Hosts, Part, Template};

/// What a pattern of a host's field may be written with: no dot, no escape, no negation.
const PATTERN_SIGNS: &[u8] = b"[]{}()|+*?,-";

/// Stands for a value; no template can hold it, since they are ASCII without control characters.
const STAND_IN: char = '\u{1}';

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>) -> Option<Hosts> {
    let table = node.table()?;
    let suffix = table.get("suffix").map(|node| suffixes(&node)).unwrap_or_default();
    let mut templated = false;
    let mut line = |key| {
        let node = table.require(key)?;
        let hosts = choice(&node, cx, Pickers::Fields, |node| host(node, cx, &suffix))?;
        templated |= hosts.all().iter().any(|host| fields_of(host).next().is_some());
        Some(hosts)
    };
    let (sandbox, live) = (line("sandbox"), line("live"));
    if !templated && !suffix.is_empty() && sandbox.is_some() && live.is_some() {
        table.wrong("`suffix` is for hosts that hold `{{`: leave it out");
    }
    table.finish();
    Some(Hosts { sandbox: sandbox?, live: live?, suffix })
}

fn suffixes(node: &Node<'_>) -> Vec<String> {
    let mut suffixes = Vec::new();
    for item in node.list().unwrap_or_default() {
        let Some(text) = item.line(200) else { continue };
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let body = text.trim_start_matches(['.', '-']);
        let good = text.bytes().all(allowed) && body.contains('.') && !text.ends_with('.') && !text.contains("..");
        if !good || body.len() == text.len() {
            item.wrong("a suffix is the fixed end of a host: it begins with a dot or dash, is lower case, and has two labels at least");
        }
        suffixes.push(text.to_owned());
    }
    suffixes
}

fn host(node: &Node<'_>, cx: &Context<'_>, suffix: &[String]) -> Option<Template> {
    let template = line_template(node, cx, Allowed::HOST)?;
    // Stand-ins that every host may hold, so that the rest can be read as an address.
    let text: String = template.0.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "x" }).collect();
    check_address(node, &text);
    let keys: Vec<&str> = fields_of(&template).collect();
    if keys.is_empty() {
        return Some(template);
    }
    if suffix.is_empty() {
        node.wrong("a host with `{{` needs `suffix`: the fixed end that no value can leave");
    }
    let host = authority(&template);
    // Whatever follows the last value of the host must be the suffix, not merely end in its letters.
    let end = host.rsplit(STAND_IN).next().unwrap_or_default();
    if !suffix.is_empty() && !suffix.iter().any(|suffix| end == suffix || (suffix.starts_with('.') && end.ends_with(suffix.as_str()))) {
        node.wrong(format!("the host must end in `suffix` behind its last value: {}", suffix.join(" or ")));
    }
    if host.matches(STAND_IN).count() != keys.len() {
        node.wrong("a value can stand in the host, not in the path behind it: write it in the paths of the calls");
    }
    for key in keys {
        check_pattern(node, cx, key);
    }
    Some(template)
}

/// The host of a template, with a stand-in for each value.
fn authority(template: &Template) -> String {
    let text: String =
        template.0.iter().map(|part| if let Part::Text(text) = part { text.clone() } else { STAND_IN.to_string() }).collect();
    let host = text.split_once("://").map_or("", |(_, rest)| rest);
    host.split('/').next().unwrap_or_default().to_owned()
}

fn check_address(node: &Node<'_>, text: &str) {
    let Ok(url) = Url::parse(text) else {
        node.wrong(format!("`{}` must be an address such as https://api.example.com/v1", node.path()));
        return;
    };
    let mut wrong = Vec::new();
    if url.scheme() != "https" {
        wrong.push("it must begin with https://");
    }
    match url.host() {
        Some(Host::Domain(domain)) if domain.contains('.') => {}
        Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) | None => {
            wrong.push("it must name a public host, not an address or a single label")
        }
    }
    if url.port().is_some() || !url.username().is_empty() || url.password().is_some() {
        wrong.push("it must have neither port nor user");
    }
    if url.query().is_some() || url.fragment().is_some() {
        wrong.push("it must have neither query nor fragment");
    }
    if text.ends_with('/') {
        wrong.push("it must not end in a slash, since paths begin with one");
    }
    // The parser mends what it can: whatever it had to mend is not what the file says.
    let mended = url.as_str().trim_end_matches('/') != text.trim_end_matches('/');
    if mended && wrong.is_empty() {
        wrong.push("it must be written in its plain form: lower-case host, no dots as path segments, no spaces");
    }
    if !wrong.is_empty() {
        node.wrong(format!("`{}`: {}", node.path(), wrong.join("; ")));
    }
}

/// A value must not be able to end the host, to begin another, or to add a label.
fn check_pattern(node: &Node<'_>, cx: &Context<'_>, key: &str) {
    let Some(field) = cx.fields.iter().find(|field| field.key == key) else { return };
    let label = |choice: &String| choice.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !field.choices.is_empty() && field.choices.iter().all(label) {
        return;
    }
    let Some(pattern) = &field.pattern else {
        node.wrong(format!("`{key}` stands in a host and needs a `pattern`, such as [A-Za-z0-9-]+"));
        return;
    };
    let text = pattern.as_str().trim_start_matches("^(?:").trim_end_matches(")$");
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || PATTERN_SIGNS.contains(&b)) && !text.contains("(?");
    // Signs between brackets are themselves, and ranges may hold anything: both show when tried.
    let others = (0_u8..=127).map(char::from).filter(|c| !c.is_ascii_alphanumeric() && *c != '-');
    let escapes = others
        .into_iter()
        .any(|c| [format!("{c}"), format!("a{c}"), format!("{c}a"), format!("a{c}a")].iter().any(|v| pattern.is_match(v)));
    if !plain || escapes {
        node.wrong(format!("the pattern of `{key}` must allow letters, digits and dashes only, written plainly such as [A-Za-z0-9-]+: its value is part of a host"));
    }
}
