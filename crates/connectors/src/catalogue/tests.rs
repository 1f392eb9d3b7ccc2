//! Shipped files, files of the operator, and what becomes of broken ones.

use super::*;
use crate::model::Template;

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn file(id: &str, name: &str, more: &str) -> String {
    format!(
        "format = 1\nid = \"{id}\"\nname = \"{name}\"\nchecked = \"docs 2026-11\"\n{more}\n[methods]\ncard = {{ name = \"{name}\" }}\n[hosts]\nsandbox = \"https://a.psp.example\"\nlive = \"https://b.psp.example\"\n"
    )
}

fn load(extra: &[PathBuf]) -> (Catalogue, Vec<String>) {
    let (catalogue, diagnostics) = Catalogue::load(extra, false).unwrap();
    (catalogue, diagnostics.iter().map(Diagnostic::to_string).collect())
}

#[test]
fn the_shipped_catalogue_holds_the_definitions_that_the_api_names() {
    let (catalogue, diagnostics) = Catalogue::load(&[], true).unwrap();
    assert_eq!(diagnostics, []);
    let named = "adyen-ach adyen-afterpay adyen-alipay adyen-card adyen-cashapp adyen-cashappafterpay adyen-gcash \
        adyen-giropay adyen-ideal adyen-konbini adyen-paybybank adyen-paypay adyen-pix adyen-sepa adyen-seveneleven adyen-sofort \
        adyen-swish adyen-vipps braintree-card klarna-klarna mock-card paypal-paypal paypal-paypalpaylater stripe-affirm \
        stripe-card stripe-klarna stripe-onelink stripe-setup stripe-stripe";
    for id in named.split_whitespace() {
        assert!(catalogue.get(id).is_some(), "{id} is not in the catalogue");
    }
    for connector in catalogue.iter() {
        let definition = &connector.definition;
        assert_eq!(definition.id.as_str(), connector.method().definition_id.as_str());
        let last: Vec<&str> = definition.fields.iter().rev().take(2).map(|field| field.key.as_str()).collect();
        assert_eq!(last, ["timeout_ms", "mode"]);
        assert_eq!(definition.supported_features["create_session"], definition.id.as_str() != "mock-card" && connector.method().sessions);
        assert!(!definition.supported_currencies.is_empty() && !definition.supported_countries.is_empty());
        for field in &definition.fields {
            assert!((1..=50).contains(&field.key.len()) && (1..=200).contains(&field.display_name.len()));
        }
    }
}

#[test]
fn simulated_services_exist_only_where_simulators_do() {
    assert!(Catalogue::load(&[], true).unwrap().0.get("mock-card").is_some());
    let (without, _) = load(&[]);
    assert!(without.get("mock-card").is_none() && without.provider("mock").is_none());
}

#[test]
fn what_verification_proves_is_said_per_field() {
    let (catalogue, _) = load(&[]);
    let verifiable = |id: &str| {
        let fields = &catalogue.get(id).unwrap().definition.fields;
        fields.iter().filter(|field| field.verifiable).map(|field| field.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(verifiable("adyen-ideal"), ["api_key", "merchant_account"]);
    assert_eq!(verifiable("paypal-paypal"), ["client_id", "client_secret"]);
    assert_eq!(verifiable("stripe-card"), ["secret_key", "api_version", "stripe_account"]);
    let required = |id: &str| {
        let fields = &catalogue.get(id).unwrap().definition.fields;
        fields.iter().filter(|field| field.required).map(|field| field.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(required("adyen-ideal"), ["api_key", "merchant_account"]);
    assert_eq!(required("stripe-card"), ["secret_key"]);
}

#[test]
fn trust_names_every_host_that_credentials_may_reach() {
    let (catalogue, _) = load(&[]);
    let trust = |id: &str| catalogue.get(id).unwrap().trust();
    assert_eq!(trust("adyen-ideal"), "-checkout-live.adyenpayments.com,checkout-test.adyen.com");
    assert_eq!(trust("stripe-card"), "api.stripe.com");
    assert_eq!(
        trust("klarna-klarna"),
        "api-na.klarna.com,api-na.playground.klarna.com,api-oc.klarna.com,api-oc.playground.klarna.com,api.klarna.com,api.playground.klarna.com"
    );
}

#[test]
fn trust_names_the_hosts_of_single_calls_too() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = "hosts = { sandbox = \"https://id.test.own.example\", live = \"https://{{ field.shop }}.id.own.example\", suffix = [\".id.own.example\"] }";
    let verify = format!(
        "[fields]\nshop = {{ label = \"Shop\", pattern = \"[a-z]+\" }}\n[call.verify]\nrequest = \"GET /me\"\nsuccess = [200]\n{hosts}\n"
    );
    let path = write(directory.path(), "own.toml", &file("own", "Own", &verify));
    let (catalogue, mistakes) = load(&[path]);
    assert_eq!(mistakes, Vec::<String>::new());
    let trust = catalogue.iter().find(|connector| connector.provider.id == "own").unwrap().trust();
    assert!(trust.contains(".id.own.example,") && trust.contains("id.test.own.example"), "{trust}");
}

#[test]
fn files_of_the_operator_add_and_override() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "one.toml", &file("acme", "Acme", ""));
    write(directory.path(), "two.toml", &file("klarna", "Our own", ""));
    write(directory.path(), "notes.txt", "no definition");
    let (catalogue, said) = load(&[directory.path().to_owned()]);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(catalogue.get("acme-card").unwrap().definition.display_name, "Acme");
    assert_eq!(catalogue.provider("klarna").unwrap().name, "Our own");
    assert!(catalogue.get("klarna-klarna").is_none(), "an override replaces the whole provider");
    assert!(!catalogue.get("acme-card").unwrap().creates_sessions());
}

#[test]
fn duplicates_and_broken_files_are_named_and_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "a.toml", &file("acme", "Acme", ""));
    write(root, "b.toml", &file("acme", "Another", ""));
    write(root, "c.toml", &file("other", "Other", "").replace("Other\" }", "Other\", id = \"acme-card\" }"));
    write(root, "d.toml", &file("broken", "Broken", "frmat = 1"));
    std::fs::write(root.join("e.toml"), [0xff, 0xfe]).unwrap();
    write(root, "f.toml", &"#".repeat(FILE_BYTES_MAX + 1));
    let (catalogue, said) = load(&[root.to_owned(), root.join("missing.toml")]);
    let said: Vec<String> = said.iter().map(|line| line.replace(&root.display().to_string(), "")).collect();
    let expected = [
        "/d.toml:5:1: `frmat` is no key of a definition file; allowed: format, id, name, docs, checked, simulator_only, methods, fields, call, hosts, sign, auth, tls, simulator; did you mean `format`?",
        "/e.toml:1:1: the file can not be read: stream did not contain valid UTF-8",
        "/f.toml:1:1: the file has more than 32768 bytes; no definition is longer",
        "/missing.toml:1:1: the file can not be read: No such file or directory (os error 2)",
        "/b.toml:1:1: another file has the id `acme` already",
        "/c.toml:1:1: another file has the definition `acme-card` already",
    ];
    assert_eq!(said, expected);
    assert_eq!(catalogue.get("acme-card").unwrap().definition.display_name, "Acme");
    assert!(catalogue.provider("other").is_none() && catalogue.provider("broken").is_none());
}

#[test]
fn a_file_that_breaks_leaves_its_last_version_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "acme.toml", &file("acme", "First", ""));
    let extra = [directory.path().to_owned()];
    let (first, _) = load(&extra);
    write(directory.path(), "acme.toml", "broken");
    let (second, diagnostics) = first.reload(&extra, false).unwrap();
    assert!(!diagnostics.is_empty());
    assert_eq!(second.provider("acme").unwrap().name, "First");
    write(directory.path(), "acme.toml", &file("acme", "Third", ""));
    let (third, diagnostics) = second.reload(&extra, false).unwrap();
    assert_eq!((diagnostics, third.provider("acme").unwrap().name.as_str()), (Vec::new(), "Third"));
    std::fs::remove_file(path).unwrap();
    assert!(third.reload(&extra, false).unwrap().0.provider("acme").is_none());
}

#[test]
fn a_file_that_takes_the_id_of_another_does_not_displace_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let extra = [root.to_owned()];
    write(root, "a.toml", &file("acme", "Acme", ""));
    write(root, "b.toml", &file("beta", "Beta", ""));
    let (first, _) = load(&extra);
    write(root, "a.toml", &file("beta", "Intruder", ""));
    write(root, "b.toml", &file("beta", "Beta again", ""));
    write(root, "0.toml", &file("acme", "Newcomer", ""));
    let (second, said) = first.reload(&extra, false).unwrap();
    let said: Vec<String> = said.iter().map(|line| line.to_string().replace(&root.display().to_string(), "")).collect();
    let expected = ["/a.toml:1:1: another file has the id `beta` already", "/0.toml:1:1: another file has the id `acme` already"];
    assert_eq!(said, expected);
    assert_eq!((second.provider("acme").unwrap().name.as_str(), second.provider("beta").unwrap().name.as_str()), ("Acme", "Beta again"));
    let (third, said) = second.reload(&extra, false).unwrap();
    assert_eq!((said.len(), third.provider("acme").unwrap().name.as_str()), (2, "Acme"), "nothing changes by reading once more");
    write(root, "b.toml", &file("acme", "Moved", ""));
    std::fs::remove_file(root.join("0.toml")).unwrap();
    let (fourth, said) = third.reload(&extra, false).unwrap();
    assert_eq!((said, fourth.provider("acme").unwrap().name.as_str()), (Vec::new(), "Moved"), "ids may be exchanged");
    assert_eq!(fourth.provider("beta").unwrap().name, "Intruder");
}

#[test]
fn a_definition_stays_with_the_file_that_held_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let extra = [root.to_owned()];
    let with = |id: &str, definition: &str| file(id, id, "").replace("\" }", &format!("\", id = \"{definition}\" }}"));
    write(root, "a.toml", &file("acme", "acme", ""));
    write(root, "b.toml", &file("beta", "beta", ""));
    let (first, _) = load(&extra);
    write(root, "a.toml", &with("acme", "beta-card"));
    write(root, "c.toml", &with("klarna", "adyen-card"));
    let (second, said) = first.reload(&extra, false).unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|line| line.message.starts_with("another file has the definition")), "{said:?}");
    assert!(second.get("beta-card").is_some_and(|connector| connector.provider.id == "beta"));
    assert!(second.get("acme-card").is_some(), "the former version of the file that lost");
    assert!(second.get("klarna-klarna").is_some(), "what a refused file would have replaced");
}

#[test]
fn a_directory_that_is_gone_leaves_its_definitions_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let (there, away) = (directory.path().join("there"), directory.path().join("away"));
    std::fs::create_dir(&there).unwrap();
    write(&there, "acme.toml", &file("acme", "Acme", ""));
    write(&there, "klarna.toml", &file("klarna", "Our own", ""));
    let extra = [there.clone()];
    let (first, _) = load(&extra);
    std::fs::rename(&there, &away).unwrap();
    let (second, diagnostics) = first.reload(&extra, false).unwrap();
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert_eq!((second.provider("acme").unwrap().name.as_str(), second.provider("klarna").unwrap().name.as_str()), ("Acme", "Our own"));
    std::fs::rename(&away, &there).unwrap();
    let (third, diagnostics) = second.reload(&extra, false).unwrap();
    assert_eq!((diagnostics, third.provider("acme").unwrap().name.as_str()), (Vec::new(), "Acme"));
}

#[test]
fn a_link_to_nowhere_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", directory.path().join("acme.toml")).unwrap();
    let (_, said) = load(&[directory.path().to_owned()]);
    assert!(said.len() == 1 && said[0].contains("acme.toml:1:1: the file can not be read"), "{said:?}");
}

#[test]
fn a_templated_host_is_not_literal() {
    let named = Template(vec![Part::Text("https://".into()), Part::Name(Name::Field("x".into()))]);
    assert_eq!(literal(&named), None);
    assert_eq!(literal(&Template(vec![Part::Text("https://a".into())])), Some("https://a".to_owned()));
}
