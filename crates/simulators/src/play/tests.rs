//! Definitions whose answers have a shape, played.

use connectors::format::parse;
use http::header::{AUTHORIZATION, LOCATION};

use super::*;

/// A definition with this session call and this simulator.
fn provider(calls: &str, simulator: &str) -> Provider {
    let head = r#"
format = 1
id = "psp"
name = "PSP"
checked = "docs 2026-11"
simulator_only = true
[methods]
card = { name = "Cards" }
[fields]
key = { label = "Key", secret = true }
[auth]
bearer = "{{ field.key }}"
"#;
    let text = format!("{head}{calls}\n[simulator]\n{simulator}");
    parse(&text, "x").unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn received(path: &str, body: &str) -> Received {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer key"))]);
    Received { method: Method::POST, path: path.to_owned(), headers, body: Bytes::copy_from_slice(body.as_bytes()) }
}

/// Status, headers and body of an answer.
fn played(provider: &Provider, received: &Received) -> (u16, HeaderMap, String) {
    match play(provider, received, &Maker::new("127.0.0.1:80".parse().unwrap())) {
        Played::Answer { status, headers, body } => (status.as_u16(), headers, String::from_utf8(body.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_has_the_media_type_that_the_call_asks_for_and_a_failure_is_json() {
    let call = r#"
[call.session]
request = "POST /sessions"
success = [201]
answer = { text_as = "jwt", content = "application/JWT" }"#;
    let provider = provider(call, "requires = [\"/a\"]\nexample = '{\"a\":1}'\nanswer = 'header.payload'\nrefuse.400 = '{}'");
    let (status, headers, body) = played(&provider, &received("/sessions", r#"{"a":1}"#));
    assert_eq!((status, headers[CONTENT_TYPE].to_str().unwrap(), body.as_str()), (201, "application/jwt", "header.payload"));
    for refused in [r#"{"a":"simulate:malformed"}"#, r#"{"a":"simulate:500"}"#, "{}"] {
        let (_, headers, _) = played(&provider, &received("/sessions", refused));
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{refused}");
    }
}

#[test]
fn headers_come_with_a_success_and_with_nothing_else() {
    let call = r#"
[call.session]
request = "POST /sessions"
success = [201]
answer.build.id = "answer header location""#;
    let simulator = "requires = [\"/a\"]\nexample = '{\"a\":1}'\nanswer = ''\nanswer_headers.Location = '{{ sim.page }}'\nanswer_headers.Echo = '{{ request /a }}'\nrefuse.400 = '{}'";
    let provider = provider(call, simulator);
    let (status, headers, body) = played(&provider, &received("/sessions", r#"{"a":1}"#));
    assert_eq!((status, body.as_str(), headers["echo"].to_str().unwrap()), (201, "", "1"));
    assert!(headers[LOCATION].to_str().unwrap().starts_with("http://127.0.0.1:80/page/"));
    for refused in [r#"{"a":"simulate:malformed"}"#, r#"{"a":"simulate:401"}"#, "{}"] {
        assert!(!played(&provider, &received("/sessions", refused)).1.contains_key(LOCATION), "{refused}");
    }
}

const STEPS: &str = r#"
[call.session]
request = "POST /sessions/{{ method.code }}"
success = [201]
body.remove = "/flow"
[call.second]
request = "POST /sessions/{{ first /id }}/flows"
success = [202]
body.remove = "/a"
body.set."/flow/session" = "{{ first /id }}""#;

const PLAYED: &str = r#"
requires = ["/a"]
example = '{"a":1,"flow":{}}'
answer = '{"id":"{{ sim.hex8 }}"}'
second.requires = ["/flow/to", "/flow/session"]
second.answer = '{"flow":{{ request /flow/session }},"jwt":"{{ sim.jwt }}"}'
refuse.400 = '{"missing":"{{ sim.missing }}"}'"#;

#[test]
fn each_step_is_known_by_its_request_line() {
    let provider = provider(STEPS, &PLAYED.replace(r#""flow":{}"#, r#""flow":{"to":"x"}"#));
    let check = |path: &str, body: &str, status: u16, expected: &str| {
        let (seen, _, text) = played(&provider, &received(path, body));
        assert!(seen == status && text.starts_with(expected), "{path} {body}: {seen} {text}");
    };
    check("/sessions/x", r#"{"a":1}"#, 201, r#"{"id":""#);
    check("/sessions/x", r#"{"flow":{"to":"x","session":"s"}}"#, 400, r#"{"missing":"a"}"#);
    check("/sessions/s-1/flows", r#"{"flow":{"to":"x","session":"s-1"}}"#, 202, r#"{"flow":"s-1","jwt":"ey"#);
    check("/sessions/s-1/flows", r#"{"a":1,"flow":{"to":"x"}}"#, 400, r#"{"missing":"flow.session"}"#);
    check("/sessions/s-1/flows", r#"{"flow":{"to":"simulate:decline","session":"s"}}"#, 400, r#"{"missing":"simulated"}"#);
    check("/flows", r#"{"a":1}"#, 404, "{");
}
