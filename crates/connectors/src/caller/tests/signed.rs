//! Calls that a recipe signs and whose answers it checks, over a socket. What each recipe makes of its bytes is tested beside it.

use super::*;
use crate::model::Sign;

const KEY: &str = include_str!("../../scheme/test_keys/pkcs8.pem");
const PUBLIC: &str = include_str!("../../scheme/test_keys/public.pem");

/// `openssl dgst -sha256 -sign pkcs8.pem` over `M00000000-0000-0000-0000-000000000007n1.0referenceorder-1`.
const OVER_REQUEST: &str = "nZGvqabHrt+KqZkK3FRluVWNuY2ocz6SSugdIWUuBMw9cO/Eee1qsPoiTW7BUzYqOdTt9ZBdAVZnnAI3DQp3J/Q8EO+k/PPhJuBQ5WD1Fziu+ZcgJAgVJrj4XlXrqpLD/speMiOyXtUhB2gRT3RtGkWPMkswG3v8ZoN+V+V2by2YqLEDlfUvuQGvVJtTUjNqIYGKJEjWCHEbojckJYu25IR7UXHphcokJX4iYFkCKH4FRQ1fL+l5Ke7/c+7HRsF800BtzuZL+Cqfp2UIJMZDyj2vFJtU31ytSNZy5geMJWp9589xiytm080pGU+0hwoliNXD7uLKBR+NBcm/AxEQKA==";
/// The same over `M00000000-0000-0000-0000-000000000007url1`.
const OVER_ANSWER: &str = "k5ciCt5c88F1fsHbSUQ0BkGu/SWwANkdaj5yBdkEhlYR7/V5ag80MzkBmJkKKRiDKJ3Fdr+glCFyHbgo6MTLo8mlLjVXchQmqH6pBlnflmNr0bZLgR1ltvTH8cNRlOS/RqG1ZKJtau3Warw3f08zcFVlYbXyD0o5hgvP5inlGvVO76/Bs4QFZf9egppE6qSrQLT+UswRLz1DujO78cgecrBMYVlZBO1gRmVZSzHFKforeccWURxr1O3+ySMftu5EJYa1dABKPWEELh+LESaVLJGeoQTDSFVzQIOk3Pm21uzCQifD5LDdcUSach2+fE2dbZEUZofpkIQz+koRL5eriA==";

/// A JSON-RPC service that signs its results.
fn members() -> Provider {
    let mut provider = provider(&["secret_key", "answer_key"]);
    let mut session = call();
    session.body.wrap = Some((r#"{"method":"M","params":{"Data":{}}}"#.to_owned(), pointer("/params/Data")));
    let id = Template(vec![Part::Name(Name::Attempt(crate::model::AttemptForm::Id))]);
    session.body.set = vec![(pointer("/params/UUID"), JsonTemplate::Text(id))];
    session.record.reference = vec![in_request("/reference")];
    provider.session = Some(session);
    let parameters = [("key", named("secret_key")), ("answer_key", named("answer_key"))];
    let parameters = parameters.into_iter().map(|(name, template)| (name.to_owned(), template)).collect();
    provider.sign = Some(Sign::Scheme { name: "rsa-sorted-members".to_owned(), parameters });
    provider
}

fn result(uuid: &str, signature: &str) -> Reply {
    let result = format!(r#"{{"uuid":"{uuid}","method":"M","signature":"{signature}","data":{{"url":1}}}}"#);
    Reply::json(200, &format!(r#"{{"version":"1.1","result":{result}}}"#))
}

#[tokio::test]
async fn a_signed_request_goes_out_and_only_what_the_service_signed_comes_in() {
    let (stand, caller) = stand().await;
    let id = ATTEMPT.id.to_string();
    let signature = format!("alg=RS256;{OVER_ANSWER}");
    let check = async |values: &[(&str, &str)], reply: Reply, expected: (Option<SessionCode>, Option<u16>, Delivered)| {
        stand.reply(reply);
        let outcome = session(&caller, &access(members(), values)).await;
        assert_eq!(seen(&outcome), expected);
        assert_eq!(outcome.session.response_body.is_some(), expected.0.is_none());
        assert_eq!(outcome.facts.reference.as_deref(), Some("order-1"));
        assert!(outcome.service_duration_ms.is_some());
    };
    let stored = [("secret_key", KEY), ("answer_key", PUBLIC)];
    let (yes, no) = ((None, Some(200), Delivered::Yes), (Some(SessionCode::InvalidServiceResponse), Some(200), Delivered::Yes));
    check(&stored, result(&id, &signature), yes).await;
    check(&stored, result(&id, &signature.replace('A', "B")), no).await;
    check(&stored, result(&id, OVER_ANSWER), no).await;
    check(&stored, result("00000000-0000-0000-0000-000000000008", &signature), no).await;
    check(&stored[..1], result("00000000-0000-0000-0000-000000000008", ""), no).await;
    check(&stored[..1], result(&id, ""), yes).await;
    check(&stored, Reply::json(200, ""), no).await;
    let sent = stand.requests();
    assert_eq!(
        sent[0].text(),
        format!(
            r#"{{"method":"M","params":{{"Data": {{"reference":"order-1","n":1.0}},"UUID":"{id}","Signature":"alg=RS256;{OVER_REQUEST}"}}}}"#
        )
    );
}

#[tokio::test]
async fn what_can_not_be_signed_is_not_sent() {
    let (stand, caller) = stand().await;
    for values in [&[("secret_key", "no key")][..], &[], &[("secret_key", KEY), ("answer_key", "no key")]] {
        let outcome = session(&caller, &access(members(), values)).await;
        assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceConfiguration), None, Delivered::No));
    }
    let mut verified = members();
    verified.verify = Some(Verify::Call(Box::new(verified.session.clone().unwrap())));
    let verification = caller.verify(&access(verified, &[("secret_key", "no key")]), &ATTEMPT).await;
    assert_eq!(verification, Verification::Refused);
    assert!(stand.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_could_be_read_in_two_ways_is_the_callers_problem() {
    let caller = caller("http://127.0.0.1:1/", &[]);
    let access = access(members(), &[("secret_key", KEY)]);
    assert!(caller.check(&access, &object(r#"{"a":[{"b":1}],"c":1}"#)).is_ok());
    let problems = caller.check(&access, &object(r#"{"a":[{"b":1,"b":2}]}"#)).err().unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "the body of this payment service must have each member once, in Unicode text");
}

#[tokio::test]
async fn an_answer_that_is_not_believed_proves_no_credentials() {
    let (stand, caller) = stand().await;
    let mut verified = members();
    let mut call = verified.session.clone().unwrap();
    call.body.wrap = None;
    call.body.constant = Some(r#"{"method":"M","params":{"Data":{}}}"#.to_owned());
    verified.verify = Some(Verify::Call(Box::new(call)));
    let access = access(verified, &[("secret_key", KEY), ("answer_key", PUBLIC)]);
    stand.reply(result(&ATTEMPT.id.to_string(), &format!("alg=RS256;{OVER_ANSWER}")));
    assert_eq!(caller.verify(&access, &ATTEMPT).await, Verification::Accepted);
    stand.reply(result(&ATTEMPT.id.to_string(), ""));
    assert_eq!(caller.verify(&access, &ATTEMPT).await, Verification::NoAnswer);
}

#[tokio::test]
async fn a_simulator_signs_nothing_and_is_believed() {
    let stand = Stand::start(Options::plain()).await;
    let places = Places::new([], Some(Url::parse(&stand.url("/sim")).unwrap()));
    let caller = Caller::new(Outbound::new(options(&[])).unwrap(), places);
    stand.reply(result("made-up", "made-up"));
    let outcome = session(&caller, &access(members(), &[("secret_key", KEY), ("answer_key", PUBLIC), ("mode", "simulator")])).await;
    assert_eq!(seen(&outcome), (None, Some(200), Delivered::Yes));
}
