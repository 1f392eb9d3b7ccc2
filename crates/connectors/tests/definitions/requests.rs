//! The part of a snapshot that shows what is sent.

use std::fmt::Write as _;
use std::sync::Arc;

use connectors::catalogue::Connector;
use connectors::credentials::MODE;
use connectors::model::{Call, Choice, Part, Provider, Selector, Template, Verify};
use domain::JsonObject;

use crate::printed::{difference, lines};
use crate::service::{Service, Stored, example, request};

/// Every request of a service, and how it changes with mode, choices and optional values.
pub(crate) fn show(service: &Service, out: &mut String) {
    let provider = service.provider();
    if let Some(tls) = &provider.tls {
        let roots = tls.roots.iter().map(|roots| format!(", roots {}", named(roots)));
        writeln!(out, "client certificate: {}, key {}{}\n", named(&tls.certificate), named(&tls.key), roots.collect::<String>()).unwrap();
    }
    let first = &service.connectors[0];
    if let Some(token) = &provider.token {
        block(out, "token call", &variants(service, first, &token.call, None));
    }
    match &provider.verify {
        Some(Verify::Call(call)) => block(out, "verify", &variants(service, first, call, None)),
        Some(Verify::Token) => out.push_str("== verify: the token call\n\n"),
        None => out.push_str("== verify: none\n\n"),
    }
    if let Some(second) = &provider.second {
        block(out, "session, second step", &variants(service, first, second, Some(&example(first))));
    }
    for group in groups(service) {
        let names: Vec<&str> = group.iter().map(|connector| connector.method().key.as_str()).collect();
        let body = example(group[0]);
        let session = provider.session.as_ref().unwrap();
        block(out, &format!("session: {}", names.join(", ")), &variants(service, group[0], session, Some(&body)));
        for other in &group[1..] {
            let (of_first, of_other) = (plain(service, group[0], session, &body), plain(service, other, session, &body));
            let changed: Vec<String> = difference(&of_first, &of_other).into_iter().filter(|line| line.starts_with('+')).collect();
            if !changed.is_empty() {
                block(out, &format!("session: {}, otherwise than {}", other.method().key, names[0]), &changed);
            }
        }
    }
}

/// Methods with the same request line and the same example, in the order of the file.
pub(crate) fn groups(service: &Service) -> Vec<Vec<&Arc<Connector>>> {
    let mut groups: Vec<(String, Vec<&Arc<Connector>>)> = Vec::new();
    for connector in service.sessions() {
        let session = connector.provider.session.as_ref().unwrap();
        let line = session.request.pick(&connector.method().key, |_| None);
        let key = format!("{:?} {}", line, example(connector).as_str());
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(connector),
            None => groups.push((key, vec![connector])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn block(out: &mut String, title: &str, lines: &[String]) {
    writeln!(out, "== {title}\n{}\n", lines.join("\n")).unwrap();
}

fn plain(service: &Service, connector: &Connector, call: &Call, body: &JsonObject) -> Vec<String> {
    shown(service, connector, call, &service.stored("sandbox"), Some(body))
}

/// The request with every field filled in, in the sandbox; then what is otherwise with other values.
fn variants(service: &Service, connector: &Connector, call: &Call, body: Option<&JsonObject>) -> Vec<String> {
    let provider = &connector.provider;
    if provider.hosts.is_none() {
        return vec!["only in the simulator".to_owned()];
    }
    let full = service.stored("sandbox");
    let base = shown(service, connector, call, &full, body);
    let mut all = base.clone();
    let mut add = |title: &str, stored: &Stored| {
        let changed = difference(&base, &shown(service, connector, call, stored, body));
        if !changed.is_empty() {
            all.push(format!("-- {title}"));
            all.extend(changed);
        }
    };
    add("live", &service.stored("live"));
    add("without optional values", &service.required("sandbox"));
    for key in choosing(provider, call) {
        let field = provider.fields.iter().find(|field| field.key == key).unwrap();
        for choice in field.choices.iter().filter(|choice| full.0.get(&field.key) != Some(choice)) {
            add(&format!("{key} = {choice}"), &full.with(&key, choice));
            if service.stored("live").0[MODE] == "live" {
                add(&format!("{key} = {choice}, live"), &service.stored("live").with(&key, choice));
            }
        }
    }
    all
}

fn shown(service: &Service, connector: &Connector, call: &Call, stored: &Stored, body: Option<&JsonObject>) -> Vec<String> {
    let made = || request(connector, call, stored, body);
    match (made(), made()) {
        (Ok(one), Ok(two)) => lines(&one, &two, &service.secrets(stored)),
        (Err(error), _) | (_, Err(error)) => vec![format!("no request: {error}")],
    }
}

/// The fields that pick a line of a table somewhere in a call.
fn choosing(provider: &Provider, call: &Call) -> Vec<String> {
    fn selector<T>(choice: &Choice<T>) -> Option<String> {
        match choice {
            Choice::By { selector: Selector::Field(key), .. } => Some(key.clone()),
            Choice::By { selector: Selector::Method, .. } | Choice::One(_) => None,
        }
    }
    let hosts = call.hosts.as_ref().or(provider.hosts.as_ref());
    let of_hosts = hosts.into_iter().flat_map(|hosts| [selector(&hosts.sandbox), selector(&hosts.live)]);
    let mut keys: Vec<String> = of_hosts.chain([selector(&call.request), selector(provider.auth_of(call))]).flatten().collect();
    keys.sort();
    keys.dedup();
    keys
}

/// A template as it is written.
fn named(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Name(name) => format!("{{{{ {name:?} }}}}"),
    };
    template.0.iter().map(part).collect()
}
