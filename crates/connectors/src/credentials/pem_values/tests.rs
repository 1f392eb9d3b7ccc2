//! What is said about the values of a payment service with a client certificate.

use testkit::provider::{Authority, Identity, Validity};

use super::super::{FieldRules, check};
use crate::catalogue::{Catalogue, Connector};

const PSP: &str = r#"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = { name = "Cards" }
[fields]
certificate = { label = "Certificate", optional = true, format = "pem" }
key = { label = "Key", secret = true, optional = true, format = "pem" }
roots = { label = "Roots", optional = true, format = "pem" }
other = { label = "Other", secret = true, optional = true, format = "pem" }
[tls]
certificate = "{{ field.certificate }}"
key = "{{ field.key }}"
roots = "{{ field.roots }}"
[hosts]
sandbox = "https://api.test.psp.example"
live = "https://api.psp.example"
"#;

/// A service that signs, whose answers are signed.
const SIGNED: &str = r#"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = { name = "Cards" }
[fields]
key = { label = "Key", secret = true, format = "pem" }
theirs = { label = "Their key", optional = true, format = "pem" }
[sign]
scheme = "rsa-sorted-members"
key = "{{ field.key }}"
answer_key = "{{ field.theirs }}"
[hosts]
sandbox = "https://api.test.psp.example"
live = "https://api.psp.example"
"#;

fn connector(file: &str) -> Connector {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("psp.toml"), file).unwrap();
    let (catalogue, diagnostics) = Catalogue::load(&[directory.path().to_owned()], false).unwrap();
    assert_eq!(diagnostics, []);
    catalogue.get("psp-card").unwrap().as_ref().clone()
}

#[track_caller]
fn check_values(values: &[(&str, &str)], expected: &[&str]) {
    check_values_of(PSP, values, expected);
}

#[track_caller]
fn check_values_of(file: &str, values: &[(&str, &str)], expected: &[&str]) {
    let values: Vec<_> = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let problems = check(&connector(file), &values, &FieldRules { environment: None, simulators: true });
    let said: Vec<String> =
        problems.iter().map(|p| format!("{} {}: {}", p.index.map_or("-".to_owned(), |at| at.to_string()), p.kind, p.message)).collect();
    assert_eq!(said, expected);
}

#[test]
fn certificate_and_key_are_checked_alone_and_together() {
    let authority = Authority::new();
    let issue = |name| authority.issue_client(name, Validity::Current);
    let (one, other): (Identity, Identity) = (issue("one"), issue("other"));
    let (pem, key, root) = (one.pem(), one.key_pem(), authority.pem());
    let chain = format!("{pem}{root}");
    check_values(&[], &[]);
    check_values(&[("certificate", pem), ("key", key)], &[]);
    check_values(&[("certificate", &chain), ("key", key), ("roots", &root), ("other", key)], &[]);
    check_values(&[("roots", &root)], &[]);
    check_values(&[("certificate", ""), ("key", "")], &[]);

    let lonely = "missing: `key` is required where `certificate` has a value: a certificate and its key go together";
    check_values(&[("certificate", pem)], &[&format!("- {lonely}")]);
    check_values(&[("certificate", pem), ("key", "")], &[&format!("1 {lonely}")]);
    check_values(&[("key", key)], &["- missing: `certificate` is required where `key` has a value: a certificate and its key go together"]);
    let mismatch =
        "0 value_error: `certificate` and `key` do not belong together: the first certificate of `certificate` is for another key";
    check_values(&[("certificate", pem), ("key", other.key_pem())], &[mismatch]);
    check_values(&[("key", other.key_pem()), ("certificate", pem)], &[mismatch]);
    check_values(&[("certificate", &format!("{root}{pem}")), ("key", key)], &[mismatch]);
}

#[test]
fn every_value_is_of_its_kind() {
    let authority = Authority::new();
    let one = authority.issue_client("one", Validity::Current);
    let (pem, key) = (one.pem(), one.key_pem());
    let no_certificate =
        "value_error: `certificate` holds no certificate: it has a PEM block that begins with `-----BEGIN CERTIFICATE-----`";
    check_values(&[("certificate", "text"), ("key", key)], &[&format!("0 {no_certificate}")]);
    check_values(
        &[("certificate", pem), ("key", pem)],
        &[
            "1 value_error: `key` holds no private key: it has a PEM block that begins with `-----BEGIN PRIVATE KEY-----` (or `RSA PRIVATE KEY`, `EC PRIVATE KEY`)",
        ],
    );
    let encrypted = include_str!("../../pem/fixtures/encrypted_pkcs8.pem");
    let said = "holds an encrypted private key: store it without a passphrase, as `openssl pkey -in key.pem` writes it";
    check_values(
        &[("certificate", pem), ("key", encrypted), ("other", encrypted)],
        &[&format!("1 value_error: `key` {said}"), &format!("2 value_error: `other` {said}")],
    );
    check_values(
        &[("other", "text"), ("roots", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")],
        &[
            "0 value_error: `other` holds no PEM block: it has lines from `-----BEGIN …-----` to `-----END …-----`",
            "1 value_error: `roots` holds a certificate that can not be read",
        ],
    );
    let exposed = "holds a private key, and it is not a secret field: whoever may read this service would see it";
    let both = format!("{pem}{key}");
    check_values(&[("certificate", &both), ("key", key)], &[&format!("0 value_error: `certificate` {exposed}")]);
    check_values(&[("certificate", pem), ("key", &both)], &[]);
    check_values(&[("roots", encrypted)], &[&format!("0 value_error: `roots` {exposed}")]);
}

#[test]
fn a_recipe_gets_the_keys_that_it_can_use() {
    let check = |values: &[(&str, &str)], expected: &[&str]| check_values_of(SIGNED, values, expected);
    let key = include_str!("../../pem/fixtures/rsa_pkcs8.pem");
    let (old_form, elliptic) = (include_str!("../../pem/fixtures/rsa_pkcs1.pem"), include_str!("../../pem/fixtures/ec_sec1.pem"));
    let (public, small) = (include_str!("../../pem/fixtures/rsa_public.pem"), include_str!("../../pem/fixtures/rsa_1024_public.pem"));
    check(&[("key", key)], &[]);
    check(&[("key", old_form), ("theirs", public)], &[]);
    check(&[("key", key), ("theirs", "")], &[]);
    check(
        &[("key", elliptic), ("theirs", small)],
        &[
            "0 value_error: `key` holds a private key of another kind: requests of this payment service are signed with RSA",
            "1 value_error: `theirs` holds a public key that can not be used: RSA of 2048 to 8192 bits can",
        ],
    );
    check(
        &[("key", public), ("theirs", key)],
        &[
            "0 value_error: `key` holds no private key: it has a PEM block that begins with `-----BEGIN PRIVATE KEY-----` (or `RSA PRIVATE KEY`, `EC PRIVATE KEY`)",
            "1 value_error: `theirs` holds a private key, and it is not a secret field: whoever may read this service would see it",
        ],
    );
}
