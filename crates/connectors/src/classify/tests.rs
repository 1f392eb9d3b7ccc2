//! The table of outcomes, and bytes that are no answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::fixtures::{call, in_answer, in_request, object, pointer};
use crate::model::{Place, Refusal};
use crate::outbound::BodyFailure;

const OBJECT: &str = " {\"id\":1.0,\n\"x\":\"\\u0041\"}";

fn answered(status: u16, body: &str) -> Answer {
    Answer { status, headers: HeaderMap::new(), body: Ok(Bytes::copy_from_slice(body.as_bytes())) }
}

fn session(call: &Call, answer: &Answer) -> Session {
    classify(call, &object("{}"), answer, &Mask::new(["a-stored-secret"])).session
}

/// Code (`None`: succeeded) and body of a session.
fn read(session: Session) -> (Option<SessionCode>, Option<String>) {
    assert_eq!(session.code.is_none(), session.status == SessionStatus::Succeeded);
    (session.code, session.response_body.map(|body| body.as_str().to_owned()))
}

#[test]
fn the_table_of_statuses_and_bodies() {
    use SessionCode::{
        InvalidServiceCredentials, InvalidServiceRequest, InvalidServiceResponse, ServiceError, ServiceRateLimit, UnknownError,
    };
    let check = |statuses: &[u16], body: &str, code: Option<SessionCode>, expected: Option<&str>| {
        for status in statuses {
            let session = session(&call(), &answered(*status, body));
            assert_eq!(session.status_code, Some(*status));
            assert_eq!(read(session), (code, expected.map(str::to_owned)), "{status} {body:?}");
        }
    };
    let yes = [200, 201, 202, 204, 299];
    check(&yes, OBJECT, None, Some(OBJECT));
    check(&yes, "", None, None);
    for odd in [" ", "\n", "<html>", "[]", "[{}]", "\"x\"", "1", "null", "true", "{", "{}{}", "\u{feff}{}", "{\"a\":1,}"] {
        check(&yes, odd, Some(InvalidServiceResponse), None);
        check(&[400, 404], odd, Some(InvalidServiceRequest), None);
    }
    check(&[200], &format!("{}{}", "{\"a\":".repeat(65), "1".to_owned() + &"}".repeat(65)), Some(InvalidServiceResponse), None);
    check(&[300, 301, 302, 304, 307, 308, 399], OBJECT, Some(InvalidServiceResponse), None);
    check(&[101, 0], OBJECT, Some(InvalidServiceResponse), None);
    for (statuses, code) in [
        (&[401, 403][..], InvalidServiceCredentials),
        (&[429], ServiceRateLimit),
        (&[400, 402, 404, 409, 422, 451, 499], InvalidServiceRequest),
        (&[500, 501, 502, 503, 504, 599], ServiceError),
        (&[600, 999], UnknownError),
    ] {
        check(statuses, OBJECT, Some(code), Some(OBJECT));
        check(statuses, "", Some(code), None);
        check(statuses, "[1]", Some(code), None);
    }
}

#[test]
fn a_body_that_can_not_be_had_is_no_success() {
    for failure in [BodyFailure::TooLong, BodyFailure::Undecodable] {
        let answer = |status| Answer { body: Err(failure), ..answered(status, "") };
        assert_eq!(read(session(&call(), &answer(200))), (Some(SessionCode::InvalidServiceResponse), None));
        assert_eq!(read(session(&call(), &answer(500))), (Some(SessionCode::ServiceError), None));
    }
}

#[test]
fn the_media_type_is_not_asked() {
    for media in ["application/hal+json", "text/html", "nonsense"] {
        let mut answer = answered(200, OBJECT);
        answer.headers.insert("content-type", media.parse().unwrap());
        assert_eq!(read(session(&call(), &answer)).0, None);
    }
}

fn graph_call() -> Call {
    let mut call = call();
    call.success.absent = vec![pointer("/errors")];
    call.success.equals = vec![(pointer("/ok"), serde_json::json!(true))];
    let codes = [("AUTHENTICATION", SessionCode::InvalidServiceCredentials), ("RESOURCE_LIMIT", SessionCode::ServiceRateLimit)];
    let codes = codes.into_iter().map(|(word, code)| (word.to_owned(), code)).collect::<BTreeMap<_, _>>();
    call.success.refusal = Some(Refusal { at: vec![in_answer("/errors/0/class"), in_answer("/errors/0/code")], codes });
    call.error_code = vec![in_answer("/errors/0/code"), in_answer("/errors/0/class")];
    call
}

#[test]
fn a_success_that_the_body_denies_is_a_failure_with_the_bodys_code() {
    let check = |body: &str, code: Option<SessionCode>| {
        assert_eq!(read(session(&graph_call(), &answered(200, body))), (code, Some(body.to_owned())), "{body}");
    };
    check(r#"{"ok":true}"#, None);
    check(r#"{"ok":true,"errors":[ ]}"#, None);
    check(r#"{"ok":true,"errors":null}"#, None);
    check(r#"{"ok":false}"#, Some(SessionCode::UnknownError));
    check(r#"{"data":1}"#, Some(SessionCode::UnknownError));
    check(r#"{"ok":true,"errors":[{"class":"AUTHENTICATION"}]}"#, Some(SessionCode::InvalidServiceCredentials));
    check(r#"{"ok":true,"errors":[{"code":"RESOURCE_LIMIT"}]}"#, Some(SessionCode::ServiceRateLimit));
    check(r#"{"ok":true,"errors":[{"class":"OTHER"}]}"#, Some(SessionCode::UnknownError));
    check(r#"{"ok":true,"errors":"text"}"#, Some(SessionCode::UnknownError));
    let refused = classify(&graph_call(), &object("{}"), &answered(200, r#"{"errors":[{"class":"AUTHENTICATION"}]}"#), &Mask::new([]));
    assert_eq!(refused.session.code, Some(SessionCode::InvalidServiceCredentials));
    assert_eq!(refused.facts.service_code.as_deref(), Some("AUTHENTICATION"));
    // Nothing is not what a yes is declared to hold; where only something must be absent, it is.
    assert_eq!(read(session(&graph_call(), &answered(200, ""))), (Some(SessionCode::InvalidServiceResponse), None));
    let mut absent_only = graph_call();
    absent_only.success.equals.clear();
    assert_eq!(read(session(&absent_only, &answered(200, ""))), (None, None));
}

#[test]
fn a_service_that_says_400_to_everything_is_read_by_its_word() {
    let mut call = graph_call();
    (call.success.absent, call.success.equals) = (Vec::new(), Vec::new());
    let check = |status, body: &str, code| assert_eq!(read(session(&call, &answered(status, body))).0, Some(code), "{status} {body}");
    let refused = r#"{"errors":[{"class":"AUTHENTICATION"}]}"#;
    check(400, refused, SessionCode::InvalidServiceCredentials);
    check(422, r#"{"errors":[{"code":"RESOURCE_LIMIT"}]}"#, SessionCode::ServiceRateLimit);
    check(400, r#"{"errors":[{"class":"OTHER"}]}"#, SessionCode::InvalidServiceRequest);
    check(400, "<html>", SessionCode::InvalidServiceRequest);
    check(429, refused, SessionCode::ServiceRateLimit);
    check(500, refused, SessionCode::ServiceError);
}

#[test]
fn withheld_members_are_cut_and_stored_secrets_covered_whatever_the_status() {
    let mut call = call();
    call.withhold = vec![pointer("/indicator"), pointer("/a/b")];
    call.record.service_id = vec![in_answer("/indicator"), in_answer("/id")];
    for status in [200, 400, 500] {
        let body = r#"{"id":"1", "indicator":"x", "a":{"b":1,"b":2,"c":1.0},"indicator":"y","key":"Bearer a-stored-secret"}"#;
        let classified = classify(&call, &object("{}"), &answered(status, body), &Mask::new(["a-stored-secret"]));
        let left = r#"{"id":"1", "a":{"c":1.0},"key":"Bearer ***************"}"#;
        assert_eq!(classified.session.response_body.unwrap().as_str(), left);
        assert_eq!(classified.facts.service_session_id.as_deref(), Some("1"));
    }
    // What can not be looked through does not come through.
    assert_eq!(read(session(&call, &answered(200, r#"{"\ud800":1,"indicator":1}"#))), (Some(SessionCode::InvalidServiceResponse), None));
}

#[test]
fn facts_come_from_both_bodies_and_the_code_only_of_a_failure() {
    let mut call = call();
    call.record.reference = vec![in_request("/ref")];
    call.record.support_id = vec![Place::AnswerHeader(http::HeaderName::from_static("x-support"))];
    call.error_code = vec![in_answer("/code")];
    let facts = |status| {
        let mut answer = answered(status, r#"{"code":"00"}"#);
        answer.headers.insert("x-support", "s-1".parse().unwrap());
        classify(&call, &object(r#"{"ref":"order-1"}"#), &answer, &Mask::new([])).facts
    };
    assert_eq!(facts(200).service_code, None);
    assert_eq!(facts(422).service_code.as_deref(), Some("00"));
    for status in [200, 302, 422] {
        assert_eq!((facts(status).reference.as_deref(), facts(status).support_id.as_deref()), (Some("order-1"), Some("s-1")));
    }
}

#[test]
fn what_an_answer_proves_about_credentials() {
    let check = |call: &Call, status: u16, body: &str, expected: Verification| {
        assert_eq!(verified(call, &answered(status, body)), expected, "{status} {body:?}");
    };
    let mut by_status = call();
    by_status.success.statuses = vec![404];
    check(&by_status, 404, "anything", Verification::Accepted);
    for status in [401, 403] {
        check(&by_status, status, "", Verification::Refused);
    }
    for status in [200, 302, 400, 422, 429, 500, 503] {
        check(&by_status, status, "", Verification::NoAnswer);
    }
    let mut restricted = call();
    restricted.success.statuses = vec![200, 403];
    check(&restricted, 403, "", Verification::Accepted);
    let by_body = graph_call();
    check(&by_body, 200, r#"{"ok":true}"#, Verification::Accepted);
    check(&by_body, 200, r#"{"errors":[{"class":"AUTHENTICATION"}]}"#, Verification::Refused);
    check(&by_body, 200, r#"{"errors":[{"class":"INTERNAL"}]}"#, Verification::NoAnswer);
    check(&by_body, 200, "<html>", Verification::NoAnswer);
    check(&by_body, 200, "", Verification::NoAnswer);
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_only_objects_or_nothing_succeed(
        status in 0_u16..1000,
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..60), "[\\[\\]{}\":,a1 \\\\u]{0,30}".prop_map(String::into_bytes)],
    ) {
        let mut call = graph_call();
        call.withhold = vec![pointer("/a/0/a")];
        let answer = Answer { status, headers: HeaderMap::new(), body: Ok(Bytes::from(bytes.clone())) };
        for call in [&call, &self::call()] {
            let session = session(call, &answer);
            let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
            if session.status == SessionStatus::Succeeded {
                prop_assert!((200..300).contains(&status) && (bytes.is_empty() || is_object || JsonObject::parse(bytes.clone()).is_ok()));
            }
            prop_assert_eq!(session.code.is_some(), session.status == SessionStatus::Failed);
            prop_assert!(session.response_body.is_none() || JsonObject::parse(bytes.clone()).is_ok());
        }
    }
}
