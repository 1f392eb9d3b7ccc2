//! What differs between two versions of the catalogue, for whoever has just saved a file.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{Catalogue, trust};
use crate::model::Provider;

/// One line per definition file that was added, removed or changed, by id: `acme: reloaded, hosts changed, 2 methods added`.
pub fn changes(before: &Catalogue, after: &Catalogue) -> Vec<String> {
    let ids: BTreeSet<&String> = before.providers.keys().chain(after.providers.keys()).collect();
    let line = |id: &String| match (before.provider(id), after.provider(id)) {
        (None, Some(new)) => Some(format!("{id}: added, {}", counted(new.methods.len(), "method"))),
        (Some(_), None) => Some(format!("{id}: removed")),
        (Some(old), Some(new)) if old.hash != new.hash => Some(format!("{id}: reloaded, {}", between(old, new))),
        (Some(_), Some(_)) | (None, None) => None,
    };
    ids.into_iter().filter_map(line).collect()
}

fn between(old: &Provider, new: &Provider) -> String {
    let mut said = Vec::new();
    let heads = [
        ("name", old.name != new.name),
        ("docs", old.docs != new.docs),
        ("checked", old.checked != new.checked),
        ("hosts", differ(&old.hosts, &new.hosts)),
    ];
    said.extend(heads.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| format!("{what} changed")));
    said.extend(listed(&old.methods, &new.methods, |method| &method.key, "method"));
    said.extend(listed(&old.fields, &new.fields, |field| &field.key, "field"));
    let parts = [
        ("auth", differ(&old.auth, &new.auth)),
        ("tls", differ(&old.tls, &new.tls)),
        ("sign", differ(&old.sign, &new.sign)),
        ("call.session", differ(&old.session, &new.session)),
        ("call.second", differ(&old.second, &new.second)),
        ("call.verify", differ(&old.verify, &new.verify)),
        ("call.token", differ(&old.token, &new.token)),
        ("simulator", differ(&old.simulator, &new.simulator)),
    ];
    said.extend(parts.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| format!("{what} changed")));
    if said.is_empty() {
        return "nothing but its text changed".to_owned();
    }
    let again = if trust(old) == trust(new) { "" } else { "; stored credentials must be entered again, since they would go elsewhere" };
    format!("{}{again}", said.join(", "))
}

/// The model has no equality, since patterns have none; it is all data, and `Debug` shows all of it.
fn differ<T: Debug>(old: &T, new: &T) -> bool {
    format!("{old:?}") != format!("{new:?}")
}

/// What became of the items of a list that have keys.
fn listed<T: Debug>(old: &[T], new: &[T], key: impl Fn(&T) -> &String, noun: &str) -> Vec<String> {
    let find = |list: &'_ [T], wanted: &T| list.iter().position(|item| key(item) == key(wanted));
    let added = new.iter().filter(|item| find(old, item).is_none()).count();
    let removed = old.iter().filter(|item| find(new, item).is_none()).count();
    let same_key = new.iter().filter_map(|item| Some((old.get(find(old, item)?)?, item)));
    let changed = same_key.filter(|(old, new)| differ(old, new)).count();
    let counts = [(added, "added"), (removed, "removed"), (changed, "changed")];
    counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, verb)| format!("{} {verb}", counted(count, noun))).collect()
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const FILE: &str = r#"
format = 1
id = "acme"
name = "Acme"
checked = "docs 2026-11"
[methods]
card = { name = "Card" }
[fields]
key = { label = "Key", secret = true, pattern = "[a-z]+" }
[hosts]
sandbox = "https://sandbox.acme.example"
live = "https://acme.example"
[auth]
bearer = "{{ field.key }}"
[call.session]
request = "POST /sessions"
success = [200]
[simulator]
example = '{}'
answer = '{}'
"#;

    fn catalogue(text: Option<&str>) -> Catalogue {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("acme.toml");
        let files: Vec<PathBuf> = text.map(|text| std::fs::write(&file, text).map(|()| file.clone()).unwrap()).into_iter().collect();
        let (catalogue, mistakes) = Catalogue::load(&files, true).unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        catalogue
    }

    #[test]
    fn every_change_is_said() {
        let check = |edits: &[(&str, &str)], expected: &str| {
            let edited = edits.iter().fold(FILE.to_owned(), |text, (from, to)| {
                assert!(text.contains(from), "{from}");
                text.replacen(from, to, 1)
            });
            assert_eq!(changes(&catalogue(Some(FILE)), &catalogue(Some(&edited))), [format!("acme: reloaded, {expected}")], "{edits:?}");
        };
        assert_eq!(changes(&catalogue(None), &catalogue(Some(FILE))), ["acme: added, 1 method"]);
        assert_eq!(changes(&catalogue(Some(FILE)), &catalogue(None)), ["acme: removed"]);
        assert!(changes(&catalogue(Some(FILE)), &catalogue(Some(FILE))).is_empty());
        check(&[("[methods]", "# a comment\n[methods]")], "nothing but its text changed");
        check(&[("\"Acme\"", "\"Acme Pay\""), ("2026-11", "2026-12")], "name changed, checked changed");
        check(&[("[fields]", "ideal = { name = \"iDEAL\" }\nklarna = { name = \"Klarna\" }\n[fields]")], "2 methods added");
        check(&[("card = {", "ideal = {")], "1 method added, 1 method removed");
        check(&[("\"Card\"", "\"Cards\""), ("[a-z]+", "[a-z]*")], "1 method changed, 1 field changed");
        check(
            &[("https://acme.example", "https://acme.test")],
            "hosts changed; stored credentials must be entered again, since they would go elsewhere",
        );
        check(&[("https://acme.example", "https://acme.example/v2")], "hosts changed");
        check(&[("bearer =", "headers.X-Key ="), ("[200]", "[201]")], "auth changed, call.session changed");
        check(&[("answer = '{}'", "answer = '{\"id\":1}'")], "simulator changed");
    }
}
