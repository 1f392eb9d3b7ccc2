//! Shapes of answers, and bytes that do not fit them.

use http::{HeaderMap, HeaderName};
use proptest::prelude::*;

use super::*;
use crate::classify::classify;
use crate::fixtures::{call, in_answer, object, pointer, provider};
use crate::mask::Mask;
use crate::outbound::BodyFailure;
use domain::session::{Session, SessionCode};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MX0.c2ln-_";

fn header(name: &'static str) -> Place {
    Place::AnswerHeader(HeaderName::from_static(name))
}

fn text_as() -> Call {
    Call { answer: AnswerShape::TextAs { member: "capture\"context".into(), content: "application/jwt".into() }, ..call() }
}

fn build() -> Call {
    let members = vec![("id".into(), vec![header("location")]), ("state".into(), vec![in_answer("/status"), header("state")])];
    Call { answer: AnswerShape::Build(members), ..call() }
}

fn pick() -> Call {
    Call { answer: AnswerShape::Pick(pointer("/data/token")), ..call() }
}

fn answered(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
    Answer { status, headers, body: Ok(Bytes::copy_from_slice(body)) }
}

fn session(call: &Call, answer: &Answer) -> Session {
    classify(call, &object("{}"), answer, &Mask::new(["a-stored-secret"])).session
}

/// The body of a success, or the code of a failure.
fn read(call: &Call, answer: &Answer) -> Result<String, SessionCode> {
    let session = session(call, answer);
    match session.code {
        Some(code) => Err(code),
        None => Ok(session.response_body.unwrap().as_str().to_owned()),
    }
}

#[test]
fn a_part_is_picked_as_it_was_written() {
    let check = |body: &str, expected: Result<&str, SessionCode>| {
        assert_eq!(read(&pick(), &answered(200, &[], body.as_bytes())), expected.map(str::to_owned), "{body}");
    };
    check(r#"{"data": {"token" : { "a":1.0,"k":"a-stored-secret" } },"x":1}"#, Ok(r#"{ "a":1.0,"k":"***************" }"#));
    check(r#"{"data":{"token":{}}}"#, Ok("{}"));
    for odd in
        ["", "{}", r#"{"data":null}"#, r#"{"data":{"token":null}}"#, r#"{"data":{"token":["a"]}}"#, r#"{"data":{"token":"a"}}"#, "[]", "x"]
    {
        check(odd, Err(SessionCode::InvalidServiceResponse));
    }
}

#[test]
fn a_picked_answer_is_recorded_and_judged_as_a_whole() {
    let mut call = pick();
    call.record.service_id = vec![in_answer("/id")];
    call.record.support_id = vec![in_answer("/data/token/support")];
    call.withhold = vec![pointer("/data/token/internal")];
    call.success.absent = vec![pointer("/errors")];
    call.error_code = vec![in_answer("/errors/0")];
    let classified = |body: &str| classify(&call, &object("{}"), &answered(200, &[], body.as_bytes()), &Mask::new([]));
    let good = classified(r#"{"id":"s-1","data":{"token":{"internal":1,"support":"t-1","b":2}}}"#);
    assert_eq!(good.session.response_body.unwrap().as_str(), r#"{"support":"t-1","b":2}"#);
    assert_eq!((good.facts.service_session_id.as_deref(), good.facts.support_id.as_deref()), (Some("s-1"), Some("t-1")));
    // A failure passes as it came.
    let refused = r#"{"id":"s-1","errors":["E1"],"data":{"token":{"b":2}}}"#;
    let bad = classified(refused);
    assert_eq!((bad.session.code, bad.session.response_body.unwrap().as_str()), (Some(SessionCode::UnknownError), refused));
    assert_eq!(bad.facts.service_code.as_deref(), Some("E1"));
    // What does not fit was created all the same.
    let odd = classified(r#"{"id":"s-1","data":{}}"#);
    assert_eq!((odd.session.code, odd.session.status_code), (Some(SessionCode::InvalidServiceResponse), Some(200)));
    assert!(odd.session.response_body.is_none());
    assert_eq!(odd.facts.service_session_id.as_deref(), Some("s-1"));
}

#[test]
fn a_text_of_the_right_kind_becomes_a_member() {
    let check = |media: Option<&str>, body: &[u8], expected: Result<&str, SessionCode>| {
        let headers: Vec<_> = media.iter().map(|media| ("content-type", *media)).collect();
        assert_eq!(read(&text_as(), &answered(201, &headers, body)), expected.map(str::to_owned), "{media:?} {body:?}");
    };
    let jwt = format!("{{\"capture\\\"context\":\"{JWT}\"}}");
    for media in ["application/jwt", "Application/JWT", "application/jwt; charset=utf-8", " application/jwt ;q=1"] {
        check(Some(media), JWT.as_bytes(), Ok(&jwt));
    }
    check(Some("application/jwt"), "a \"quote\" é".as_bytes(), Ok(r#"{"capture\"context":"a \"quote\" é"}"#));
    check(Some("application/jwt"), b"key a-stored-secret.", Ok(r#"{"capture\"context":"key ***************."}"#));
    let unfit = Err(SessionCode::InvalidServiceResponse);
    for media in [None, Some("text/html"), Some("application/jwt2"), Some("application/json"), Some("")] {
        check(media, JWT.as_bytes(), unfit);
    }
    for odd in [&b""[..], b"a\n", b"a\tb", b"\0", b"\xff", "a\u{85}".as_bytes(), b"\x7f"] {
        check(Some("application/jwt"), odd, unfit);
    }
}

#[test]
fn a_text_is_recorded_withheld_and_judged_as_the_object_it_became() {
    let mut call = text_as();
    call.answer = AnswerShape::TextAs { member: "jwt".into(), content: "application/jwt".into() };
    call.record.reference = vec![in_answer("/jwt")];
    let headers = [("content-type", "application/jwt")];
    let facts = |call: &Call| classify(call, &object("{}"), &answered(201, &headers, b"abc"), &Mask::new([])).facts.reference;
    assert_eq!(facts(&call).as_deref(), Some("abc"));
    call.private = vec![pointer("/jwt")];
    assert_eq!(facts(&call), None);
    call.withhold = vec![pointer("/jwt")];
    assert_eq!(read(&call, &answered(201, &headers, b"abc")).as_deref(), Ok("{}"));
    call.success.equals = vec![(pointer("/jwt"), serde_json::json!("abd"))];
    assert_eq!(read(&call, &answered(201, &headers, b"abc")), Err(SessionCode::UnknownError));
}

#[test]
fn an_object_is_built_of_what_is_there() {
    let check = |headers: &[(&'static str, &str)], body: &str, expected: Result<&str, SessionCode>| {
        assert_eq!(read(&build(), &answered(201, headers, body.as_bytes())), expected.map(str::to_owned), "{headers:?} {body:?}");
    };
    let at = ("location", "https://service.test/v1/a\"b");
    check(&[at], "", Ok(r#"{"id":"https://service.test/v1/a\"b"}"#));
    check(&[("location", "x"), ("state", "new")], "", Ok(r#"{"id":"x","state":"new"}"#));
    check(&[("location", "x"), ("state", "new")], r#"{"status": {"a":1.0}}"#, Ok(r#"{"id":"x","state":{"a":1.0}}"#));
    check(&[("state", "a-stored-secret")], "", Ok(r#"{"state":"***************"}"#));
    check(&[("location", "x")], "[1]", Ok(r#"{"id":"x"}"#));
    let unfit = Err(SessionCode::InvalidServiceResponse);
    check(&[], "", unfit);
    check(&[("location", ""), ("other", "x")], r#"{"status":null}"#, unfit);
    for page in ["<html>", " ", "{", "{}{}"] {
        check(&[at], page, unfit);
    }
    let mut broken = answered(201, &[at], b"");
    for failure in [BodyFailure::TooLong, BodyFailure::Undecodable] {
        broken.body = Err(failure);
        assert_eq!(read(&build(), &broken), unfit.map(str::to_owned));
    }
}

#[test]
fn failures_pass_as_they_came() {
    let body = r#"{"status":"no","data":{"token":{"a":1}},"k":"a-stored-secret"}"#;
    for call in [pick(), text_as(), build()] {
        for status in [302, 400, 401, 429, 500] {
            let headers = [("location", "x"), ("content-type", "application/jwt")];
            let session = session(&call, &answered(status, &headers, body.as_bytes()));
            let expected = (status != 302).then(|| body.replace("a-stored-secret", "***************"));
            assert_eq!(session.response_body.map(|body| body.as_str().to_owned()), expected, "{status}");
            assert!(session.code.is_some());
            let text = self::session(&call, &answered(status, &headers, JWT.as_bytes()));
            assert!(text.code.is_some() && text.response_body.is_none());
        }
    }
}

#[test]
fn a_list_of_errors_is_read_and_not_shown() {
    let mut call = build();
    call.error_code = vec![in_answer("/0/errorCode"), in_answer("/errorCode")];
    call.record.support_id = vec![in_answer("/0/id")];
    call.withhold = vec![pointer("/0/secret"), pointer("/id")];
    let classified = |body: &str| classify(&call, &object("{}"), &answered(422, &[], body.as_bytes()), &Mask::new(["a-stored-secret"]));
    let list = classified(r#"[{"errorCode":"PA02","id":"e-1"}]"#);
    assert_eq!((list.session.code, list.session.response_body), (Some(SessionCode::InvalidServiceRequest), None));
    assert_eq!((list.facts.service_code.as_deref(), list.facts.support_id.as_deref()), (Some("PA02"), Some("e-1")));
    assert_eq!(classified(r#"[{"errorCode":5003}]"#).facts.service_code.as_deref(), Some("5003"));
    assert_eq!(classified(r#"{"errorCode":5003}"#).facts.service_code.as_deref(), Some("5003"));
    assert_eq!(classified(r#"[{"errorCode":"a-stored-secret"}]"#).facts.service_code.as_deref(), Some("***************"));
    assert_eq!(classified("[]").facts.service_code, None);
    assert_eq!(classified("<html>").facts.service_code, None);
}

#[test]
fn private_pointers_are_those_of_what_the_caller_gets() {
    let check = |shape: &AnswerShape, private: &[&str], succeeded: &[&str]| {
        let mut provider = provider(&[]);
        let private: Vec<Pointer> = private.iter().map(|text| pointer(text)).collect();
        provider.session = Some(Call { answer: shape.clone(), private: private.clone(), ..call() });
        let seen = private_pointers(&provider, SessionStatus::Succeeded);
        assert_eq!(seen.iter().map(ToString::to_string).collect::<Vec<_>>(), succeeded, "{shape:?}");
        assert_eq!(private_pointers(&provider, SessionStatus::Failed), private);
        // With a second step a success is its answer, and a failure that of either.
        provider.second = Some(Call { private: vec![pointer("/flow")], ..call() });
        assert_eq!(private_pointers(&provider, SessionStatus::Succeeded), [pointer("/flow")]);
        assert_eq!(private_pointers(&provider, SessionStatus::Failed), [private, vec![pointer("/flow")]].concat());
    };
    check(&AnswerShape::Whole, &["/a/b", "/c"], &["/a/b", "/c"]);
    check(&build().answer, &["/id"], &["/id"]);
    check(&pick().answer, &["/data/token/a", "/data/other", "/id"], &["/a"]);
    check(&pick().answer, &["/data/token"], &[""]);
    check(&pick().answer, &["/data"], &[""]);
    assert_eq!(private_pointers(&provider(&[]), SessionStatus::Succeeded), []);
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let value = prop_oneof![Just("application/jwt".to_owned()), Just("application/json".to_owned()), "[ -~]{0,12}"];
    let name = prop_oneof![Just("content-type"), Just("location"), Just("state")];
    proptest::collection::vec((name, value), 0..3)
        .prop_map(|headers| headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect())
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[\\[\\]{}\":,a1 \\\\u]{0,30}".prop_map(String::into_bytes),
        "[ -~]{0,20}".prop_map(String::into_bytes),
        crate::fixtures::any_object_text().prop_map(String::into_bytes),
        crate::fixtures::any_object_text().prop_map(|inner| format!("{{\"data\":{{\"token\":{inner}}},\"status\":{inner}}}").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn nothing_that_the_file_does_not_declare_succeeds(status in 0_u16..1000, headers in any_headers(), bytes in any_bytes()) {
        let answer = Answer { status, headers: headers.clone(), body: Ok(Bytes::from(bytes.clone())) };
        for call in [call(), pick(), text_as(), build()] {
            let session = session(&call, &answer);
            prop_assert_eq!(session.code.is_some(), session.status == SessionStatus::Failed);
            if session.status == SessionStatus::Failed {
                continue;
            }
            prop_assert!((200..300).contains(&status));
            // The bytes are judged by another reader than the one that was used.
            let json: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
            let is_json = json.is_some() || JsonText::parse(bytes.clone()).is_ok();
            let body = session.response_body.as_ref().map(|body| body.as_str().to_owned());
            match &call.answer {
                AnswerShape::Whole => prop_assert!(bytes.is_empty() || (is_json && body.is_some())),
                AnswerShape::Pick(_) => prop_assert!(is_json && std::str::from_utf8(&bytes).unwrap().contains(&body.unwrap())),
                AnswerShape::TextAs { .. } => {
                    let media = headers.get("content-type").unwrap().to_str().unwrap();
                    prop_assert!(media.starts_with("application/jwt"));
                    let made: serde_json::Value = serde_json::from_str(&body.unwrap()).unwrap();
                    prop_assert_eq!(made["capture\"context"].as_str().unwrap().as_bytes(), &bytes[..]);
                    prop_assert!(!bytes.is_empty() && bytes.iter().all(|b| *b >= 0x20));
                }
                AnswerShape::Build(_) => {
                    prop_assert!(bytes.is_empty() || is_json);
                    prop_assert_ne!(body.unwrap(), "{}");
                }
            }
        }
    }
}
