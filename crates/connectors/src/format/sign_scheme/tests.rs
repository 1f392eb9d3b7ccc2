//! What is said about `[sign]` with a scheme.

use super::super::parse;
use super::super::tests::{check_changed, file_of};
use crate::model::Sign;

const FIELDS: &str = r#"id = { label = "Key ID" }
password = { label = "Password", secret = true }
key = { label = "Key", secret = true, format = "pem" }
theirs = { label = "Key of the service", optional = true, format = "pem" }
"#;
const TABLE: &str = r#"[sign]
scheme = "rsa-pss-canonical-request"
key = "{{ field.key }}"
key_id = "{{ field.id }}"
algorithm = "PSP-RSASSA-PSS"
prefix = "x-psp"
"#;

fn good() -> String {
    file_of(FIELDS, TABLE)
}

#[track_caller]
fn check(changes: &[(&str, &str)], expected: &[&str]) {
    check_changed(&good(), changes, expected);
}

/// The other recipe, with a key for answers.
const MEMBERS: (&str, &str) = ("rsa-pss-canonical-request\"", "rsa-sorted-members\"\nanswer_key = \"{{ field.theirs }}\"");
const NO_TEXTS: (&str, &str) = ("key_id = \"{{ field.id }}\"\nalgorithm = \"PSP-RSASSA-PSS\"\nprefix = \"x-psp\"\n", "");

#[test]
fn a_recipe_is_read_with_what_it_takes() {
    let Some(Sign::Scheme { name, parameters }) = parse(&good(), "x").unwrap().sign else { panic!("no scheme") };
    assert_eq!(name, "rsa-pss-canonical-request");
    assert_eq!(parameters.keys().map(String::as_str).collect::<Vec<_>>(), ["algorithm", "key", "key_id", "prefix"]);
    assert_eq!(parameters["key"].only_field(), Some("key"));
    check(&[MEMBERS, NO_TEXTS], &[]);
    check(&[MEMBERS, NO_TEXTS, ("answer_key = \"{{ field.theirs }}\"\n", "")], &[]);
    check(&[("\"PSP-RSASSA-PSS\"", "\"PSP-{{ field.id }}-{{ attempt.hex32 }}\"")], &[]);
}

#[test]
fn every_mistake_is_named() {
    check(
        &[("canonical-request", "canonical-requests")],
        &[
            "x:16:10: `rsa-pss-canonical-requests` is no scheme of signing; there are: rsa-pss-canonical-request, rsa-sorted-members; did you mean `rsa-pss-canonical-request`?",
        ],
    );
    check(&[("prefix = \"x-psp\"\n", "")], &["x:15:2: `sign` has no `prefix`"]);
    check(
        &[("key_id", "keyid")],
        &[
            "x:15:2: `sign` has no `key_id`",
            "x:18:1: `keyid` is no key of `sign`; allowed: scheme, key, key_id, algorithm, prefix; did you mean `key_id`?",
        ],
    );
    check(
        &[MEMBERS],
        &[
            "x:19:1: `key_id` is no key of `sign`; allowed: scheme, key, answer_key",
            "x:20:1: `algorithm` is no key of `sign`; allowed: scheme, key, answer_key",
            "x:21:1: `prefix` is no key of `sign`; allowed: scheme, key, answer_key",
        ],
    );
    check(
        &[("{{ field.id }}", "{{ field.password }}")],
        &["x:18:10: `password` is secret, and what `sign.key_id` holds can be read in the request"],
    );
    check(
        &[("key = \"{{ field.key }}\"", "key = \"{{ field.password }}\"")],
        &["x:17:7: `password` must be `format = \"pem\"`, so that it is checked when it is stored"],
    );
    check(&[("Key\", secret = true", "Key\"")], &["x:17:7: `key` holds a private key and must be `secret = true`"]);
    check(
        &[("key = \"{{ field.key }}\"", "key = \"{{ field.key }} \"")],
        &["x:17:7: `sign.key` must be one field and nothing else, such as {{ field.certificate }}"],
    );
    check(&[("\"x-psp\"", "\"x\\npsp\"")], &["x:20:12: `sign.prefix` must be one line of ASCII"]);
}

#[test]
fn a_call_that_a_recipe_signs_is_sent_once_and_has_no_lines() {
    let session = r#"prefix = "x-psp"
[call.session]
request = "POST /sessions"
success = [201]
headers.X-Date = "{{ sign.date }}"
idempotency = { header = "Idempotency-Key", hours = 24 }
[simulator]
example = '{"amount":1}'
answer = '{"id":"{{ sim.uuid }}"}'
"#;
    check(
        &[("prefix = \"x-psp\"\n", session)],
        &[
            "x:24:22: `sign.date` is no line of `sign` that can be named here; there is none yet",
            "x:25:1: a call that is signed is never sent twice once it was seen, so it can not have `idempotency`",
        ],
    );
}
