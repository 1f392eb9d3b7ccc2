//! Makes the simulator's answer of a documented one: what differs from session to session is made up, what was sent comes back.

use domain::Timestamp;
use domain::json::Pointer;

use super::names::{is_private, plain, words};
use super::places::Places;
use super::proof::Proof;
use super::tree::Tree;

/// Longest made-up text: session data of a thousand characters helps nobody who reads the file.
const MADE_UP_CHARACTERS_MAX: usize = 60;
/// The usual spelling, with dashes.
const UUID_CHARACTERS: usize = 36;
/// What stands where the documentation showed one of the credentials.
const REMOVED: &str = "removed";

/// The members that only the buyer's browser should see: the outermost ones with such a name.
pub(super) fn private(answer: &Tree) -> Vec<Pointer> {
    let mut found: Vec<Pointer> = Vec::new();
    for (pointer, _) in answer.scalars().into_iter().filter(|(_, value)| value.is_string()) {
        let Some(depth) = pointer.tokens().iter().position(|token| is_private(token)) else { continue };
        let mut outermost = Pointer::parse("").expect("the empty pointer is one");
        for token in pointer.tokens().iter().take(depth + 1) {
            outermost = outermost.child(token);
        }
        if !found.contains(&outermost) {
            found.push(outermost);
        }
    }
    found
}

/// Turns an answer into what a simulator answers.
pub(super) fn answer(answer: &mut Tree, request: &Tree, places: &Places, proof: &Proof) {
    let mut sent: Vec<(Pointer, Tree)> = request.scalars().into_iter().map(|(pointer, value)| (pointer, value.clone())).collect();
    sent.extend(proof.taken.iter().cloned());
    answer.edit(&|pointer, value| {
        let name = pointer.tokens().last()?;
        let private = pointer.tokens().iter().any(|token| is_private(token));
        if let Some(from) = echo(name, value, &sent, places).filter(|_| !private) {
            return Some(Tree::Template(format!("{{{{ request {from} }}}}")));
        }
        let text = value.text().filter(|_| value.is_string())?;
        if proof.is_in(&text) {
            return Some(Tree::string(REMOVED));
        }
        let made = made_up(name, &text, private)?;
        Some(Tree::Template(format!("\"{made}\"")))
    });
}

/// Where a value was sent, if it was: under the same name, or at one of the places of the record.
fn echo<'s>(name: &str, value: &Tree, sent: &'s [(Pointer, Tree)], places: &Places) -> Option<&'s Pointer> {
    let recorded = [&places.amount, &places.currency, &places.reference];
    let simple =
        |pointer: &&Pointer| pointer.tokens().iter().all(|token| token.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)));
    let same_name = |pointer: &Pointer| pointer.tokens().last().is_some_and(|sent| plain(sent) == plain(name));
    let about = |pointer: &Pointer| {
        let of_record = recorded.iter().any(|place| place.as_ref() == Some(pointer));
        of_record && words(name).iter().any(|word| ["amount", "currency", "reference", "value", "order"].contains(&word.as_str()))
    };
    value.text()?;
    let equal = sent.iter().filter(|(_, sent)| sent == value).map(|(pointer, _)| pointer).filter(simple);
    let equal: Vec<&Pointer> = equal.collect();
    equal.iter().find(|pointer| same_name(pointer)).or_else(|| equal.iter().find(|pointer| about(pointer))).copied()
}

/// A template for a text that differs each time; `None` for one that stays.
fn made_up(name: &str, text: &str, private: bool) -> Option<String> {
    let words = words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let is_address = text.starts_with("https://") || text.starts_with("http://");
    if is_address {
        return (private || has(&["url", "href", "link", "uri", "redirect", "location", "page", "checkout"]))
            .then(|| "{{ sim.page }}".to_owned());
    }
    if Timestamp::parse(text).is_some() {
        return has(&["expires", "expiry", "expiration", "expire", "valid", "until"]).then(|| "{{ sim.time }}".to_owned());
    }
    // Some services put a word before it.
    let head = text.len().checked_sub(UUID_CHARACTERS).and_then(|at| text.split_at_checked(at)).filter(|(_, tail)| is_uuid(tail));
    if let Some((head, _)) = head.filter(|(head, _)| head.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))) {
        return Some(format!("{head}{{{{ sim.uuid }}}}"));
    }
    let is_id = private || has(&["id", "uuid", "guid"]) || plain(name).ends_with("reference");
    if !is_id {
        return None;
    }
    let mut changed = false;
    let parts = text.split_inclusive(['_', '-']).map(|part| {
        let body = part.trim_end_matches(['_', '-']);
        let separator = part.get(body.len()..).unwrap_or_default();
        if is_random(body) {
            changed = true;
            return format!("{}{separator}", of_kind(body));
        }
        part.to_owned()
    });
    let made: String = parts.collect();
    match (changed, private) {
        (true, _) if made.is_ascii() && !made.contains(['"', '\\']) => Some(made),
        (true | false, true) => Some(format!("{{{{ sim.text{} }}}}", text.chars().count().clamp(8, MADE_UP_CHARACTERS_MAX))),
        (true | false, false) => None,
    }
}

/// Whether a part of an id was drawn by lot: not a word and not a plain number.
fn is_random(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    part.len() >= 8 && part.bytes().all(|b| b.is_ascii_alphanumeric()) && digits < part.len() && (digits > 0 || part.len() >= 16)
}

fn of_kind(part: &str) -> String {
    let length = part.len().min(MADE_UP_CHARACTERS_MAX);
    let all = |belongs: fn(u8) -> bool| part.bytes().all(belongs);
    let kind = if all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        "hex"
    } else if all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        "upper"
    } else {
        "text"
    };
    format!("{{{{ sim.{kind}{length} }}}}")
}

fn is_uuid(text: &str) -> bool {
    text.len() == UUID_CHARACTERS && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::places::of_request;
    use super::*;

    #[test]
    fn what_differs_is_made_up_and_what_was_sent_comes_back() {
        let check = |request: &str, documented: &str, expected: &str| {
            let request = Tree::object(request).unwrap();
            let mut tree = Tree::object(documented).unwrap();
            answer(&mut tree, &request, &of_request(&request), &Proof::default());
            assert_eq!(tree.written(), expected, "{documented}");
        };
        check("{}", r#"{"status":"CREATED","live":false,"n":1}"#, r#"{"status":"CREATED","live":false,"n":1}"#);
        check("{}", r#"{"id":"pi_3MtwBwLkdIwHu7ix28a3tqPa"}"#, r#"{"id":"pi_{{ sim.text24 }}"}"#);
        check(
            "{}",
            r#"{"client_secret":"pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH"}"#,
            r#"{"client_secret":"pi_{{ sim.text24 }}_secret_{{ sim.text25 }}"}"#,
        );
        check("{}", r#"{"id":"5O190127TN364715T"}"#, r#"{"id":"{{ sim.upper17 }}"}"#);
        check("{}", r#"{"id":"0b1d9815-165e-42e2-8867-35bc03789e00"}"#, r#"{"id":"{{ sim.uuid }}"}"#);
        check("{}", r#"{"link":"link-sandbox-0b1d9815-165e-42e2-8867-35bc03789e00"}"#, r#"{"link":"link-sandbox-{{ sim.uuid }}"}"#);
        check("{}", r#"{"id":"c0ffee00c0ffee00"}"#, r#"{"id":"{{ sim.hex16 }}"}"#);
        check("{}", r#"{"id":"12345678","order_id":"order"}"#, r#"{"id":"12345678","order_id":"order"}"#);
        check("{}", r#"{"sessionData":"Ab02b4c0!BQAB+/=="}"#, r#"{"sessionData":"{{ sim.text17 }}"}"#);
        check("{}", r#"{"token":"short"}"#, r#"{"token":"{{ sim.text8 }}"}"#);
        check(
            r#"{"returnUrl":"https://shop.example/return"}"#,
            r#"{"returnUrl":"https://shop.example/return","redirect_url":"https://a.example/1","logo":"https://a.example/l.png"}"#,
            r#"{"returnUrl":{{ request /returnUrl }},"redirect_url":"{{ sim.page }}","logo":"https://a.example/l.png"}"#,
        );
        check(
            "{}",
            r#"{"expiresAt":"2026-11-22T10:00:00Z","created":"2026-11-22T10:00:00Z"}"#,
            r#"{"expiresAt":"{{ sim.time }}","created":"2026-11-22T10:00:00Z"}"#,
        );
        let sent = r#"{"amount":{"value":1000,"currency":"EUR"},"reference":"r-1"}"#;
        check(sent, r#"{"amount":{"value":1000},"fee":1000}"#, r#"{"amount":{"value":{{ request /amount/value }}},"fee":1000}"#);
        check(sent, r#"{"order_reference":"r-1","cur":"EUR"}"#, r#"{"order_reference":{{ request /reference }},"cur":"EUR"}"#);
    }

    #[test]
    fn private_members_are_the_outermost_ones() {
        let check = |answer: &str, expected: &[&str]| {
            let found: Vec<String> = private(&Tree::object(answer).unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{answer}");
        };
        check(r#"{"id":"1","client_secret":"s","data":{"token":"t"}}"#, &["/client_secret", "/data/token"]);
        check(r#"{"tokens":{"a":"1","b":"2"},"token_type":"bearer","tokenCount":2}"#, &["/tokens"]);
    }
}
