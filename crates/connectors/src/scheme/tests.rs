//! The list of recipes.

use super::*;

/// One key in both forms, made with OpenSSL for these tests; see `test_keys/README.md`.
pub(super) const PKCS8: &str = include_str!("test_keys/pkcs8.pem");
pub(super) const PKCS1: &str = include_str!("test_keys/pkcs1.pem");
pub(super) const PUBLIC: &str = include_str!("test_keys/public.pem");

/// No key that a request can be signed with: none at all, a public one, elliptic, 1024 bits, encrypted, cut off.
pub(super) fn no_keys() -> Vec<String> {
    let labelled = |label: &str, inside: &str| format!("-----BEGIN {label}-----\n{inside}\n-----END {label}-----\n");
    vec![
        "not a key".to_owned(),
        PUBLIC.to_owned(),
        include_str!("../pem/fixtures/ec_sec1.pem").to_owned(),
        include_str!("../pem/fixtures/rsa_1024.pem").to_owned(),
        include_str!("../pem/fixtures/encrypted_pkcs8.pem").to_owned(),
        labelled("PRIVATE KEY", "MAAA"),
        PKCS8.get(..800).unwrap().to_owned(),
    ]
}

pub(super) fn now() -> Timestamp {
    Timestamp::parse("2026-11-26T10:00:00.123456Z").unwrap()
}

pub(super) fn signing<'a>(values: &[(&'a str, &str)]) -> Signing<'a> {
    Signing::new(values.iter().map(|(name, value)| (*name, (*value).to_owned())), now())
}

#[test]
fn recipes_are_found_by_name() {
    assert_eq!(names().collect::<Vec<_>>(), ["rsa-pss-canonical-request", "rsa-sorted-members"]);
    assert!(names().all(|name| find(name).is_some_and(|scheme| scheme.name() == name)));
    assert!(find("rsa").is_none());
}

#[test]
fn nothing_that_is_printed_holds_a_value() {
    let printed = format!("{:?}", signing(&[("key", PKCS8), ("key_id", "id-of-the-key")]));
    assert!(printed.contains("key_id") && !printed.contains("BEGIN") && !printed.contains("id-of-the-key"), "{printed}");
}
