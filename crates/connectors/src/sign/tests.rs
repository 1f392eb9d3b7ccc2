//! Lines made for a fixed moment and request. What hashes must be was computed with OpenSSL 3.0.19; the command stands beside each.

use std::sync::Arc;

use domain::SessionRecordId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::caller::Attempt;
use crate::catalogue::Connector;
use crate::fixtures::{connector, credentials, object};
use crate::outbound::{OutgoingRequest, Route};
use crate::render::{Base, Filled, RenderError, render, signed_lines};

/// 2026-11-26T10:00:00.123Z.
const NOW: Timestamp = Timestamp::from_micros(1_795_687_200_123_456);
const BODY: &str = r#"{"amount":"10.00","n":1.50}"#;

/// A service with these lines, headers and members.
fn service(lines: &str, more: &str) -> Arc<Connector> {
    let text = format!(
        "format = 1\nid = \"psp\"\nname = \"PSP\"\nchecked = \"docs 2026-11\"\n[methods]\ncard = {{ name = \"Cards\" }}\n[fields]\n\
         login = {{ label = \"Login\" }}\nkey = {{ label = \"Key\", secret = true }}\nempty = {{ label = \"Empty\", optional = true }}\n\
         [hosts]\nsandbox = \"https://api.psp.example/v1\"\nlive = \"https://api.psp.example/v1\"\n[sign]\n{lines}\n[call.session]\n\
         request = \"POST /sessions?a=b\"\nsuccess = [200]\n{more}\n[simulator]\nexample = '{{}}'\nanswer = '{{}}'\n"
    );
    match crate::format::parse(&text, "x") {
        Ok(provider) => connector(provider),
        Err(mistakes) => panic!("{mistakes:?}\n{text}"),
    }
}

fn with<T>(
    connector: &Arc<Connector>,
    values: &[(&str, &str)],
    body: &str,
    read: impl FnOnce(&Connector, &Filled<'_>, &Base) -> Result<T, RenderError>,
) -> Result<T, RenderError> {
    let credentials = credentials(&connector.provider, values);
    let attempt = Attempt { id: SessionRecordId(Uuid::from_u128(0xabc)), now: Timestamp::from_micros(0) };
    let token = Secret::from("t0ken");
    let body = object(body);
    let filled = Filled {
        credentials: &credentials,
        token: Some(&token),
        first: crate::template_fill::First::Never,
        attempt: &attempt,
        now: NOW,
        body: Some(&body),
        written: None,
    };
    read(connector, &filled, &Base { url: "https://api.psp.example:8443/v1".into(), route: Route::Override })
}

fn sent(connector: &Arc<Connector>, values: &[(&str, &str)], body: &str) -> Result<OutgoingRequest, RenderError> {
    with(connector, values, body, |connector, filled, base| render(connector, connector.provider.session.as_ref().unwrap(), filled, base))
}

fn shown(connector: &Arc<Connector>, values: &[(&str, &str)], body: &str) -> Result<Vec<(String, SignShown)>, RenderError> {
    with(connector, values, body, |connector, filled, base| {
        signed_lines(connector, connector.provider.session.as_ref().unwrap(), filled, base)
    })
}

const VALUES: &[(&str, &str)] = &[("login", "shop"), ("key", "key-text")];

/// The header X, which is the line `last`.
#[track_caller]
fn check(lines: &str, values: &[(&str, &str)], body: &str, expected: Option<&str>) {
    let request = sent(&service(lines, "headers.X = \"{{ sign.last }}\""), values, body).unwrap();
    assert_eq!(request.headers.get("x").map(|value| std::str::from_utf8(value.as_bytes()).unwrap()), expected, "{lines}");
}

#[test]
fn names_and_texts_become_lines() {
    let check = |line: &str, expected: &str| check(&format!("last = '{line}'"), VALUES, BODY, Some(expected));
    check("plain", "plain");
    check("{{ now | http_date }}", "Thu, 26 Nov 2026 10:00:00 GMT");
    check("{{ now | iso8601 }}", "2026-11-26T10:00:00.123Z");
    check("{{ now | compact }}", "20261126100000");
    check("{{ sent.host }}{{ sent.path }}", "api.psp.example:8443/v1/sessions?a=b");
    check("{{ sent.body }}", BODY);
    check("{{ attempt.upper32 }}", "00000000000000000000000000000ABC");
    check("<{{ field.login }}>", "<shop>");
    check("a {{ sent.host | hex }} b", "a 6170692e7073702e6578616d706c653a38343433 b");
}

#[test]
fn hashes_are_those_of_openssl() {
    let check = |lines: &str, expected: &str| check(lines, &[("login", "AP8Q"), ("key", "key-text")], BODY, Some(expected));
    // printf '%s' '{"amount":"10.00","n":1.50}' | openssl dgst -sha256
    check("last = '{{ sent.body | sha256 | hex }}'", "b5571a3dd36b78bf2f8916bac7f94b8395272b337c6408e4737ea18044cc2332");
    // The same with: -binary | openssl base64
    check("last = '{{ sent.body | sha256 | base64 }}'", "tVcaPdNreL8viRa6x/lLg5UnKzN8ZAjkc36hgETMIzI=");
    // printf 'secret' | openssl dgst -sha256 -hmac 'key-text'
    let hmac = "last = '{{ sign.text | hmac_sha256(sign.key) | hex }}'";
    check(
        &format!("key = '{{{{ field.key }}}}'\ntext = 'secret'\n{hmac}"),
        "c7cb83a29e555f58f09508cf51964ee4d471b680a36888554a1455dec7a8d2c8",
    );
    // printf '\000\377\020' | openssl base64; printf 'secret' | openssl dgst -sha256 -mac HMAC -macopt hexkey:00ff10
    check(
        &format!("key = '{{{{ field.login | from_base64 }}}}'\ntext = 'secret'\n{hmac}"),
        "c9a63de54530fb035294cdb0d62b6b08363e2bf1191b97fecfd9843f17d04bbb",
    );
    check("key = '{{ field.login | from_base64 }}'\nlast = '{{ sign.key | hex }}'", "00ff10");
    // A key may be longer than a block: head -c 100 /dev/zero | tr '\0' k > k; printf 'secret' | openssl dgst -sha256 -hmac "$(cat k)"
    let long = format!("key = '{}'\ntext = 'secret'\n{hmac}", "k".repeat(100));
    check(&long, "7612b26e1ef2c48b5a6fe5fd5fcf799eedf6701709c174bb4659f0fb7bcadcfa");
}

#[test]
fn members_are_text_as_it_is_sent() {
    let check = |written: &str, expected: &str| {
        let body = format!(r#"{{"a":{{"b":{written}}},"x":1}}"#);
        check("last = '<{{ sent /a/b }}>'", VALUES, &body, Some(&format!("<{expected}>")));
    };
    check(r#""10.00""#, "10.00");
    check(r#""\u00e9\"""#, "é\"");
    check("10.00", "10.00");
    check("1e3", "1e3");
    check("true", "true");
    check("null", "");
    check("[1]", "");
    check("{}", "");
    check(r#""\ud800""#, "");
    self::check("last = '<{{ sent /b }}>'", VALUES, BODY, Some("<>"));
}

#[test]
fn a_value_that_is_not_there_leaves_the_line_out_and_what_is_made_of_it() {
    for lines in [
        "last = 'a{{ field.empty }}'",
        "a = '{{ field.empty }}'\nlast = '{{ sign.a }}'",
        "key = '{{ field.empty }}'\nlast = '{{ sent.host | hmac_sha256(sign.key) | hex }}'",
        "last = '{{ method.code }}'",
    ] {
        check(lines, VALUES, BODY, None);
    }
    let member = service("last = '{{ field.empty }}'", "body.set.\"/sum\" = [\"{{ sign.last }}\"]");
    assert_eq!(sent(&member, VALUES, BODY).unwrap().body, BODY);
    let bearer = service("last = '{{ field.empty }}'", "auth.bearer = \"{{ sign.last }}\"");
    assert_eq!(sent(&bearer, VALUES, BODY).unwrap_err(), RenderError::Absent("`auth`"));
}

#[test]
fn a_line_in_the_body_is_made_before_it_and_the_others_over_what_is_sent() {
    let lines = "time = '{{ now | compact }}'\ntext = '{{ sent /amount }}{{ sent /login }}{{ sign.time }}{{ field.key }}'\nsum = '{{ sign.text | sha256 | hex }}'\nseal = '{{ sent.body | sha256 | hex }}'";
    let more = "headers.Seal = '{{ sign.seal }}'\nbody.set.\"/login\" = '{{ field.login }}'\nbody.set.\"/time\" = '{{ sign.time }}'\nbody.set.\"/sum\" = '{{ sign.sum }}'";
    let service = service(lines, more);
    let request = sent(&service, VALUES, r#"{"amount":10.00,"sum":"mine"}"#).unwrap();
    // printf '%s' '10.00shop20261126100000key-text' | openssl dgst -sha256
    let expected = r#"{"amount":10.00,"sum":"2e7b6eb1bd6fc79562c12341f3b08e245296133197e87e6b101fb421768731e2","login":"shop","time":"20261126100000"}"#;
    assert_eq!(request.body, expected);
    // printf '%s' that body | openssl dgst -sha256
    assert_eq!(request.headers["seal"], "16e3c562831e7ffa94ef030caeee9fab65b907e06d2a9441571b930404fee894");
    // Of a member that is there twice one would be signed and the other read.
    for hostile in [r#"{"amount":1,"amount":2}"#, r#"{"sum":1,"sum":2}"#] {
        assert!(matches!(sent(&service, VALUES, hostile), Err(RenderError::Body(_))), "{hostile}");
    }
}

#[test]
fn a_form_is_signed_as_it_is_sent() {
    let lines = "last = '{{ sent /a/b }} {{ sent.body }}'";
    let service = service(lines, "headers.X = '{{ sign.last }}'\nbody.encoding = \"form-brackets\"");
    assert_eq!(sent(&service, VALUES, r#"{"a":{"b":1.0},"c":"x y"}"#).unwrap().headers["x"], "1.0 a[b]=1.0&c=x%20y");
    // By another spelling the service would read what is not signed.
    assert!(matches!(sent(&service, VALUES, r#"{"a[b]":2}"#), Err(RenderError::Body(_))));
}

#[test]
fn only_lines_that_are_used_are_made() {
    let lines = "key = '{{ field.key | from_base64 }}'\na = '{{ sent.host | hmac_sha256(sign.key) | hex }}'\nb = '{{ field.login }}'";
    let auth =
        "[call.session.auth]\nby = \"mode\"\nsandbox = { headers = { B = '{{ sign.b }}' } }\nelse = { headers = { A = '{{ sign.a }}' } }";
    let service = service(lines, auth);
    let values = |mode| [("login", "shop"), ("key", "no base64!"), ("mode", mode)];
    assert_eq!(sent(&service, &values("sandbox"), BODY).unwrap().headers["b"], "shop");
    let error = sent(&service, &values("live"), BODY).unwrap_err();
    assert_eq!(error, RenderError::Sign(SignError::Base64("key".into())));
    assert_eq!(error.to_string(), "the line `key` of `[sign]` reads a value as base64 that is none");
    assert_eq!(shown(&service, &values("sandbox"), BODY).unwrap(), [("b".to_owned(), SignShown::Text("shop".into()))]);
}

#[test]
fn what_is_shown_holds_no_secret() {
    let lines = "key = '{{ field.key }}'\nraw = '{{ field.key | from_base64 }}'\nlogin = '{{ field.login }}'\nempty = '{{ field.empty }}'\ntext = '''\n{{ sign.login }}: {{ sign.key }} {{ sign.raw | hex }}\n{{ field.key | base64 }}'''\nsum = '{{ sign.text | sha256 }}'\nlast = '{{ sign.sum | hmac_sha256(sign.raw) | hex }}'";
    let more = "headers.X = '{{ sign.last }}'\nheaders.Y = '{{ sign.empty }}'";
    let values = [("login", "shop"), ("key", "c2VjcmV0LXZhbHVl")];
    let lines = shown(&service(lines, more), &values, BODY).unwrap();
    // printf 'shop: c2VjcmV0LXZhbHVl 7365637265742d76616c7565\nYzJWamNtVjBMWFpoYkhWbA==' | openssl dgst -sha256
    let sum = "eced08a3db98ff84990ea4b040d2979fdb5c564bb1671fb9e75e53b62852d73d";
    // The same with: -binary | openssl dgst -sha256 -mac HMAC -macopt hexkey:7365637265742d76616c7565
    let last = "705a860986d3f419870e25fd1d08187cca8536ec58eda5b520c1657eea506efb";
    let expected = [
        ("key", SignShown::Masked("[key]".into())),
        ("raw", SignShown::Masked("from_base64([key])".into())),
        ("login", SignShown::Text("shop".into())),
        ("empty", SignShown::Absent),
        ("text", SignShown::Masked("shop: [key] hex(from_base64([key]))\nbase64([key])".into())),
        ("sum", SignShown::Bytes(sum.into())),
        ("last", SignShown::Text(last.into())),
    ];
    assert_eq!(lines, expected.map(|(name, shown)| (name.to_owned(), shown)));
    assert!(!format!("{lines:?}").contains("c2VjcmV0"));
}

#[test]
fn lines_without_end_are_not_made() {
    let lines: String = (1..12).map(|n| format!("l{n} = '{}'\n", format!("{{{{ sign.l{} }}}}", n - 1).repeat(10))).collect();
    let service = service(&format!("l0 = '{{{{ sent.body }}}}'\n{}", lines.replace("l11", "last")), "headers.X = '{{ sign.last }}'");
    assert_eq!(sent(&service, VALUES, BODY).unwrap_err(), RenderError::Sign(SignError::TooLong));
    let chain = format!("last = '{{{{ sent.body{} | hex }}}}'", " | sha256 | hex".repeat(1_000));
    assert!(sent(&self::service(&chain, "headers.X = '{{ sign.last }}'"), VALUES, BODY).is_ok());
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
    let again = format!("last = '{}'", "{{ sent.body | sha256 | hex }}".repeat(100));
    assert_eq!(
        sent(&self::service(&again, "headers.X = '{{ sign.last }}'"), VALUES, &body).unwrap_err(),
        RenderError::Sign(SignError::TooLong)
    );
}

#[test]
fn a_line_that_a_header_can_not_hold_is_not_sent() {
    let service = service("last = '''\na\nb'''", "headers.X = '{{ sign.last }}'");
    assert_eq!(sent(&service, VALUES, BODY).unwrap_err(), RenderError::Value(FillError::Control));
}

proptest! {
    /// Whatever a caller or a merchant enters, only values of headers and members change.
    #[test]
    fn no_value_changes_the_shape_of_a_signed_request(login in ".{1,40}", member in ".{0,40}", name in "[a-z\\[\\]&=/]{1,6}") {
        let lines = "text = '{{ sent.host }} {{ field.login }} {{ sent /a }} {{ sent.path }}'\nsum = '{{ sign.text | sha256 | hex }}'\nlogin = '{{ field.login }}'\nseal = '{{ sent.body | hmac_sha256(sign.login) | base64 }}'";
        let more = "headers = { Sum = '{{ sign.sum }}', Login = '{{ sign.login }}', Seal = 's={{ sign.seal }}', Id = '{{ attempt.hex32 }}' }\nbody.set.\"/sum\" = '{{ sign.sum }}'\nbody.set.\"/login\" = '{{ sign.login }}'\nbody.default.\"/id\" = '{{ attempt.id }}'";
        let service = service(lines, more);
        let body = serde_json::json!({ "a": member, (name.clone()): 1 }).to_string();
        if let Ok(request) = sent(&service, &[("login", &login), ("key", "k")], &body) {
            prop_assert_eq!(request.url.as_str(), "https://api.psp.example:8443/v1/sessions?a=b");
            let mut names: Vec<&str> = request.headers.keys().map(http::HeaderName::as_str).collect();
            names.sort_unstable();
            prop_assert_eq!(names, ["accept", "content-type", "id", "login", "seal", "sum", "user-agent"]);
            let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            prop_assert_eq!(sent["login"].as_str(), Some(login.as_str()));
            prop_assert_eq!(sent["sum"].as_str().unwrap().len(), 64);
            if name != "a" {
                prop_assert_eq!(sent["a"].as_str(), Some(member.as_str()));
            }
        }
    }
}
