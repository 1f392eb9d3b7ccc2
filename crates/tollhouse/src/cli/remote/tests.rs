//! The parts that need no server.

use clap::{CommandFactory, Parser};
use domain::json::Pointer;

use super::RemoteCommand;
use super::failure::explain;
use super::pretty::indent;
use super::session::{Private, cover};
use super::table::{of_members, of_rows, plain};

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: RemoteCommand,
}

fn line(words: &str) -> Result<Line, clap::Error> {
    Line::try_parse_from(std::iter::once("tollhouse").chain(words.split(' ')))
}

#[test]
fn the_commands_are_consistent() {
    Line::command().debug_assert();
}

#[test]
fn the_commands_of_the_readme_parse() {
    for words in [
        "payment-services session 01998d5e-7a30-7000-8000-000000000001 --data @body.json",
        "payment-services session 01998d5e-7a30-7000-8000-000000000001 --data - --url http://127.0.0.1:1 --key-file k.pem",
        "payment-services --json list --method ideal --deleted --limit 5 --merchant-account acme",
        "payment-services get 01998d5e-7a30-7000-8000-000000000001",
        "payment-services create --data {}",
        "payment-services verify --data {}",
        "payment-services delete 01998d5e-7a30-7000-8000-000000000001",
        "payment-services session 01998d5e-7a30-7000-8000-000000000001 --data {} --idempotency-key order-1",
        "payment-service-definitions session adyen-ideal --data {}",
        "payment-service-definitions session adyen-ideal --data {} --idempotency-key order-1",
        "payment-service-definitions list --cursor abc",
        "payment-service-definitions list --method ideal --currency EUR --country NL --sessions --limit 5",
        "payment-service-definitions get adyen-ideal",
        "sessions list --status failed --since 2026-11-22T00:00:00Z --definition adyen-ideal",
        "sessions get 01998d5e-7a30-7000-8000-000000000001",
        "merchant-accounts list --search acme",
        "merchant-accounts create --data {}",
    ] {
        line(words).unwrap_or_else(|error| panic!("{words}: {error}"));
    }
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    for words in [
        "payment-services",
        "payment-services get 7",
        "payment-services session --data {}",
        "payment-service-definitions session adyen-ideal",
        "payment-service-definitions list --sessions --cursor abc",
    ] {
        assert_eq!(line(words).unwrap_err().exit_code(), 2, "{words}");
    }
}

#[test]
fn json_is_laid_out_and_nothing_else_changes() {
    let check = |json: &str, expected: &str| assert_eq!(indent(json), expected);
    check("{}", "{}");
    check("[ ]", "[]");
    check(
        r#"{"b":1.0,"a":[ 1e2,{}],"s":"a, {b}: \"c\\"}"#,
        "{\n  \"b\": 1.0,\n  \"a\": [\n    1e2,\n    {}\n  ],\n  \"s\": \"a, {b}: \\\"c\\\\\"\n}",
    );
}

#[test]
fn private_members_are_covered_and_named() {
    let members = |pointers: &[&str]| Private::Members(pointers.iter().map(|pointer| Pointer::parse(pointer).unwrap()).collect());
    let json = r#"{"id":"CS1","sessionData":"secret","deep":{"token":{"a":1},"b":[2,"x"]}}"#;
    let covered = cover(json, &members(&["/deep/token", "/sessionData", "/deep/token/a", "/absent"]));
    assert_eq!(covered.json, r#"{"id":"CS1","sessionData":"[private]","deep":{"token":"[private]","b":[2,"x"]}}"#);
    let words = covered.words.unwrap();
    assert!(words.contains("/sessionData") && words.contains("/deep/token") && !words.contains("/absent"), "{words}");
    assert_eq!(cover(json, &members(&[])).words, None);
    let whole = cover(json, &members(&["", "/id"]));
    assert_eq!((whole.json.as_str(), whole.words.unwrap().starts_with("Private: the whole answer, /id.")), ("\"[private]\"", true));
}

#[test]
fn an_answer_of_an_unknown_definition_is_covered_whole() {
    assert_eq!(Private::of_definition("nobody-knows", true), Private::Unknown);
    let covered = cover(r#"{"token":"secret"}"#, &Private::Unknown);
    assert!(!covered.json.contains("secret"));
    assert!(covered.words.unwrap().contains("--json"));
}

#[test]
fn names_can_not_drive_the_terminal() {
    assert_eq!(plain("a\u{1b}[2Jb\u{9b}c"), "a\u{fffd}[2Jb\u{fffd}c");
    assert!(!of_rows(&["ID"], [vec!["\u{1b}[2J".to_owned()]]).contains('\u{1b}'));
    assert!(!of_members([("id", "\u{1b}[2J".to_owned())]).contains('\u{1b}'));
}

#[test]
fn failures_without_an_answer_name_the_cause() {
    let error = tollhouse_client::Error::NotTheApi { url: "http://127.0.0.1:1/".to_owned(), status: 502 };
    assert_eq!(explain(&error), ["error: http://127.0.0.1:1/ answered 502 without an error object of the API"]);
}
