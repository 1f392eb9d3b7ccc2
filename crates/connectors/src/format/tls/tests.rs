//! What is said about `[tls]`.

use super::super::parse;
use super::super::tests::{check_changed, file_of};

const FIELDS: &str = r#"chain = { label = "Certificate", format = "pem" }
key = { label = "Key", secret = true, format = "pem" }
ca = { label = "Roots", optional = true, format = "pem" }
name = { label = "Name", optional = true }
"#;
const TABLE: &str = r#"[tls]
certificate = "{{ field.chain }}"
key = "{{ field.key }}"
roots = "{{ field.ca }}"
"#;

fn good() -> String {
    file_of(FIELDS, TABLE)
}

#[track_caller]
fn check(changes: &[(&str, &str)], expected: &[&str]) {
    check_changed(&good(), changes, expected);
}

#[test]
fn a_client_certificate_is_read() {
    let tls = parse(&good(), "x").unwrap().tls.unwrap();
    assert_eq!((tls.certificate.only_field(), tls.key.only_field()), (Some("chain"), Some("key")));
    assert_eq!(tls.roots.unwrap().only_field(), Some("ca"));
    let without = parse(&good().replace("roots = \"{{ field.ca }}\"\n", ""), "x").unwrap().tls.unwrap();
    assert!(without.roots.is_none());
    check(
        &[("secret = true, format", "secret = true, optional = true, format"), ("\"Certificate\",", "\"Certificate\", optional = true,")],
        &[],
    );
    check(&[("\"Certificate\",", "\"Certificate\", secret = true,")], &[]);
}

#[test]
fn every_mistake_is_named() {
    check(&[("certificate = \"{{ field.chain }}\"\n", "")], &["x:15:2: `tls` has no `certificate`"]);
    check(&[("key = \"{{ field.key }}\"\n", "")], &["x:15:2: `tls` has no `key`"]);
    check(&[("roots =", "root =")], &["x:18:1: `root` is no key of `tls`; allowed: certificate, key, roots; did you mean `roots`?"]);
    check(
        &[("{{ field.key }}", " {{ field.key }}")],
        &["x:17:7: `tls.key` must be one field and nothing else, such as {{ field.certificate }}"],
    );
    check(
        &[("{{ field.key }}", "{{ field.key }}{{ field.ca }}")],
        &["x:17:7: `tls.key` must be one field and nothing else, such as {{ field.certificate }}"],
    );
    check(
        &[("{{ field.chain }}", "{{ method.code }}")],
        &[
            "x:16:19: `method.code` is no name that can be filled in here; allowed: field.chain, field.key, field.ca, field.name, field.mode, field.timeout_ms",
        ],
    );
    check(
        &[("{{ field.ca }}", "{{ field.name }}")],
        &["x:18:9: `name` must be `format = \"pem\"`, so that it is checked when it is stored"],
    );
    check(&[("secret = true, ", "")], &["x:17:7: `key` holds a private key and must be `secret = true`"]);
    check(
        &[("{{ field.chain }}", "{{ field.key }}")],
        &["x:15:2: `key` can not be both certificate and key: a certificate is shown to others, a key to nobody"],
    );
    check(
        &[("\"Certificate\",", "\"Certificate\", optional = true,")],
        &["x:15:2: `chain` is optional and `key` required: they go together, so both must be the same"],
    );
}

/// The key of a certificate is a secret like any other: it has its place here and in no header.
#[test]
fn the_key_stands_nowhere_else() {
    let session = "[call.session]\nrequest = \"POST /{{ field.key }}\"\nsuccess = [201]\n[simulator]\nexample = '{}'\nanswer = '{}'\n";
    let said = parse(&format!("{}{session}", good()), "x").unwrap_err();
    assert!(said.iter().any(|said| said.message.starts_with("`key` is secret and can not stand in `call.session.request`")), "{said:?}");
}
