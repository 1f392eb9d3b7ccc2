//! What is said about the values of a payment service, and that no value is.

use super::*;
use crate::catalogue::Catalogue;

const PSP: &str = r#"format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
[methods]
card = { name = "Cards" }
[fields]
key = { label = "Key", secret = true, prefix.sandbox = ["sk_test_", "rk_test_"], prefix.live = ["sk_live_"] }
region = { label = "Region", choices = ["eu", "us"] }
version = { label = "Version", default = "1" }
live_prefix = { label = "Live prefix", required = "live", pattern = "[a-z]+" }
shared = { label = "Shared secret", secret = true, optional = true, format = "base64", renamed_from = "old_shared" }
flag = { label = "Flag", optional = true, format = "boolean" }
[hosts]
sandbox = "https://api.test.psp.example"
live = "https://api.psp.example"
"#;

fn connector() -> Connector {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("psp.toml"), PSP).unwrap();
    let (catalogue, diagnostics) = Catalogue::load(&[directory.path().to_owned()], false).unwrap();
    assert_eq!(diagnostics, []);
    catalogue.get("psp-card").unwrap().as_ref().clone()
}

const OPEN: FieldRules = FieldRules { environment: None, simulators: true };
const SANDBOX: FieldRules = FieldRules { environment: Some(Environment::Sandbox), simulators: false };
const LIVE: FieldRules = FieldRules { environment: Some(Environment::Live), simulators: false };

/// Adds values to good ones (or replaces them) and compares what is said as `key kind: message`.
#[track_caller]
fn check_values(rules: &FieldRules, changes: &[(&str, &str)], expected: &[&str]) {
    let mut values = vec![("key", "sk_test_1"), ("region", "eu")];
    for (key, value) in changes {
        match values.iter_mut().find(|(known, _)| known == key) {
            Some(known) => known.1 = value,
            None => values.push((key, value)),
        }
    }
    let values: Vec<_> = values.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let problems = check(&connector(), &values, rules);
    let said: Vec<String> = problems.iter().map(|p| format!("{} {}: {}", p.key, p.kind, p.message)).collect();
    assert_eq!(said, expected, "{changes:?}");
    for problem in &problems {
        assert!(problem.index.is_none_or(|index| values[index].0 == problem.key));
    }
}

#[test]
fn values_are_checked_against_their_fields() {
    check_values(&OPEN, &[], &[]);
    check_values(&OPEN, &[("version", "2"), ("shared", "QUJD"), ("flag", "true"), ("timeout_ms", "30000"), ("mode", "sandbox")], &[]);
    check_values(
        &OPEN,
        &[("regoin", "eu")],
        &[
            "regoin value_error: `regoin` is no field of this payment service; its fields are key, region, version, live_prefix, shared, flag, mode, timeout_ms; did you mean `region`?",
        ],
    );
    check_values(&OPEN, &[("region", "mars")], &["region value_error: `region` is one of eu, us"]);
    check_values(&OPEN, &[("region", "")], &["region missing: `region` is required"]);
    check_values(&OPEN, &[("live_prefix", "A1")], &["live_prefix pattern_mismatch: `live_prefix` does not have the form it must have"]);
    check_values(&OPEN, &[("shared", "not base64!")], &["shared value_error: `shared` is not base64"]);
    check_values(&OPEN, &[("flag", "yes")], &["flag value_error: `flag` is `true` or `false`"]);
    check_values(&OPEN, &[("version", "1\r\nX: y")], &["version value_error: `version` is one line without control characters"]);
    check_values(&OPEN, &[("version", &"1".repeat(70_000))], &["version string_too_long: `version` is longer than 65536 bytes"]);
    for wrong in ["0", "30001", "-1", "1.5", "+1", "99999999999999999999999", "x"] {
        check_values(
            &OPEN,
            &[("timeout_ms", wrong)],
            &["timeout_ms value_error: `timeout_ms` is a whole number of milliseconds from 1 to 30000"],
        );
    }
    check_values(&OPEN, &[("timeout_ms", "")], &[]);
}

#[test]
fn everything_is_said_at_once_and_in_order() {
    let values = [("x", "1"), ("key", "pk_1"), ("key", "sk_test_1"), ("mode", "prod")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let problems = check(&connector(), &values, &OPEN);
    let said: Vec<_> = problems.iter().map(|p| (p.index, p.key.as_str(), p.kind)).collect();
    assert_eq!(
        said,
        [(Some(0), "x", "value_error"), (Some(2), "key", "conflict"), (Some(3), "mode", "value_error"), (None, "region", "missing")]
    );
}

#[test]
fn mode_decides_what_is_required_and_which_keys_fit() {
    check_values(
        &OPEN,
        &[("mode", "live")],
        &[
            "key value_error: `key` for live payments begins with sk_live_",
            "live_prefix missing: `live_prefix` is required when `mode` is `live`",
        ],
    );
    check_values(&OPEN, &[("mode", "live"), ("key", "sk_live_1"), ("live_prefix", "abc")], &[]);
    check_values(&OPEN, &[("key", "sk_live_1")], &["key value_error: `key` of the sandbox begins with sk_test_ or rk_test_"]);
    check_values(&OPEN, &[("mode", "simulator"), ("key", "anything")], &[]);
    check_values(&OPEN, &[("mode", "prod")], &["mode value_error: `mode` is one of sandbox, live, simulator"]);
}

#[test]
fn the_environment_refuses_services_and_keys_of_the_other() {
    check_values(&SANDBOX, &[], &[]);
    check_values(&SANDBOX, &[("mode", "simulator")], &["mode value_error: simulators are off here: `mode` is one of sandbox, live"]);
    check_values(
        &SANDBOX,
        &[("mode", "live"), ("key", "sk_live_1"), ("live_prefix", "abc")],
        &[
            "key value_error: `key` is a live key and this server is for the sandbox",
            "mode value_error: this server is for the sandbox: `mode` can not be `live`",
        ],
    );
    let with_simulators = FieldRules { simulators: true, ..SANDBOX };
    check_values(
        &with_simulators,
        &[("mode", "simulator"), ("key", "sk_live_1")],
        &["key value_error: `key` is a live key and this server is for the sandbox"],
    );
    check_values(&LIVE, &[], &["mode value_error: this server is for live payments: `mode` can not be `sandbox`"]);
    check_values(&LIVE, &[("mode", "live"), ("key", "sk_live_1"), ("live_prefix", "abc")], &[]);
}

#[test]
fn no_message_holds_a_value() {
    let secret = "very-secret-value";
    for key in ["key", "region", "version", "live_prefix", "shared", "flag", "mode", "timeout_ms"] {
        for mode in ["sandbox", "live", "simulator", "?"] {
            let values = [("mode".to_owned(), mode.to_owned()), (key.to_owned(), secret.to_owned())];
            let problems = check(&connector(), &values, &SANDBOX);
            assert!(problems.iter().all(|p| !p.message.contains(secret)), "{problems:?}");
        }
    }
}

#[test]
fn opened_credentials_have_defaults_and_former_names() {
    let stored = [("key", "sk_test_1"), ("old_shared", "QUJD"), ("unknown", "kept, never sent"), ("timeout_ms", "1500"), ("flag", "")];
    let connector = connector();
    let credentials = Credentials::for_connector(&connector, stored.map(|(k, v)| (k.to_owned(), Secret::from(v))));
    assert_eq!(credentials.get("key"), Some("sk_test_1"));
    assert_eq!(credentials.get("version"), Some("1"));
    assert_eq!(credentials.get("shared"), Some("QUJD"));
    assert_eq!((credentials.get("unknown"), credentials.get("flag")), (None, None));
    assert_eq!((credentials.mode(), credentials.timeout_ms()), (Mode::Sandbox, Some(1500)));
    assert_eq!(credentials.secrets().collect::<Vec<_>>(), ["sk_test_1", "QUJD"]);
    assert_eq!(credentials.missing(&connector.provider), ["region"]);
    assert!(!format!("{credentials:?}").contains("sk_test"));
}
