//! Every file in `definitions/`, read at run time: what it sends, and what it makes of answers. A new file needs no line of Rust.
//!
//! `INSTA_UPDATE=always cargo test -p connectors --test definitions` writes the snapshots anew; reading them is the review.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod any;
mod expected;
mod fixture;
mod printed;
mod properties;
mod requests;
mod service;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use service::Service;

/// The folder of the definitions.
fn definitions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions").canonicalize().unwrap()
}

/// The names without their end of the files in a folder that have it, sorted.
fn stems(folder: &Path, end: &str) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
}

/// What is wrong with each service, all of it at once.
fn check_each(check: impl Fn(&Service)) {
    let failed: Vec<String> =
        Service::all().iter().filter(|s| catch_unwind(AssertUnwindSafe(|| check(s))).is_err()).map(|s| s.id.clone()).collect();
    assert!(
        failed.is_empty(),
        "see above: {}. If a snapshot should change: INSTA_UPDATE=always cargo test -p connectors --test definitions, and read what has changed",
        failed.join(", ")
    );
}

#[test]
fn every_definition_is_as_its_snapshot() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    check_each(|service| {
        let mut text = String::new();
        requests::show(service, &mut text);
        answers::show(service, &mut text);
        service.assert_holds_no_secret(&text);
        settings.bind(|| insta::assert_snapshot!(service.id.clone(), text));
    });
}

#[test]
fn every_snapshot_and_every_fixture_has_its_definition() {
    let ids = stems(&definitions(), ".toml");
    let snapshots = stems(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots"), ".snap");
    let fixtures = stems(&definitions().join("fixtures"), ".toml");
    assert_eq!(snapshots.difference(&ids).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(fixtures.difference(&ids).collect::<Vec<_>>(), Vec::<&String>::new());
    let services = Service::all();
    let without = services.iter().filter(|service| service.sessions().next().is_some() && service.fixture.is_none());
    assert_eq!(without.map(|service| service.id.as_str()).collect::<Vec<_>>(), Vec::<&str>::new(), "no answers in definitions/fixtures");
}

#[test]
fn no_example_has_what_is_refused() {
    check_each(|service| {
        for connector in service.sessions() {
            let example = service::example(connector);
            for (at, why) in &connector.provider.session.as_ref().unwrap().body.refuse {
                assert!(example.at(at).is_none(), "{}: {at}, {why}", connector.definition.id);
            }
        }
    });
}
