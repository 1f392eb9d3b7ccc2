//! Whole calls against a payment service that misbehaves.

use std::collections::BTreeMap;

use testkit::provider::{Authority, Greeting, Options, Provider as Stand, Received, Reply, Validity};
use tokio::task::JoinSet;
use url::Url;

use super::token_call::read;
use super::*;
use crate::fixtures::measured::Measured;
use crate::fixtures::{call, connector, credentials, filled, in_answer, in_request, literal, named, object, pointer, provider};
use crate::model::{
    AttemptForm, Auth, Body, Choice, Encoding, Idempotency, IdempotencyPlace, JsonTemplate, Name, Part, Provider, RequestLine, Selector,
    Sign, SignFunction, SignLine, SignPart, SignValue, Template,
};
use crate::outbound::{Answer, Backoff, EgressPolicy, OutboundOptions, Resolution};

mod guarded;
mod identity;
mod second;
mod signed;

const ATTEMPT: Attempt = Attempt { id: SessionRecordId(Uuid::from_u128(7)), now: Timestamp::from_micros(1_700_000_000_000_000) };
const SERVICE: Uuid = Uuid::from_u128(1);
const STORED: &[(&str, &str)] = &[("id", "client"), ("secret", "a-stored-secret"), ("account", "ShopECOM")];

/// A provider like most: JSON, one header, one injection, an idempotency key.
fn plain() -> Provider {
    let mut plain = provider(&["id", "secret", "account", "prefix"]);
    plain.auth = Choice::One(Auth { headers: vec![(http::HeaderName::from_static("x-api-key"), named("secret"))], ..Auth::default() });
    let mut session = call();
    session.body.set = vec![(pointer("/account"), JsonTemplate::Text(named("account")))];
    session.record.reference = vec![in_request("/reference")];
    session.record.service_id = vec![in_answer("/id")];
    session.error_code = vec![in_answer("/code")];
    session.idempotency = Some(Idempotency { at: IdempotencyPlace::Header(http::HeaderName::from_static("idempotency-key")), hours: 24 });
    plain.session = Some(session);
    let mut verify = call();
    verify.request = Choice::One(RequestLine { method: http::Method::GET, path: literal("/verify") });
    plain.verify = Some(Verify::Call(Box::new(verify)));
    plain
}

/// The same behind a token.
fn with_token() -> Provider {
    let mut provider = plain();
    provider.auth = Choice::One(Auth { bearer: Some(Template(vec![Part::Name(Name::Token)])), ..Auth::default() });
    let mut call = call();
    call.request = Choice::One(RequestLine { method: http::Method::POST, path: literal("/token") });
    call.auth = Some(Choice::One(Auth { basic: Some((named("id"), named("secret"))), ..Auth::default() }));
    let grant = (pointer("/grant_type"), JsonTemplate::Text(literal("client_credentials")));
    call.body = Body { encoding: Encoding::Form, set: vec![grant], ..Body::default() };
    provider.token = Some(TokenCall { call, token: vec![in_answer("/access_token")], expires: vec![in_answer("/expires_in")] });
    provider.verify = Some(Verify::Token);
    provider
}

fn access(provider: Provider, values: &[(&str, &str)]) -> Access {
    let credentials = credentials(&provider, values);
    let account = MerchantAccountId::default_account();
    Access { connector: connector(provider), credentials, service: Some(SERVICE), account }
}

fn options(allow: &[&str]) -> OutboundOptions {
    OutboundOptions {
        egress: EgressPolicy { allow: allow.iter().map(|net| net.parse().unwrap()).collect(), allow_http: true },
        proxy: None,
        extra_roots: None,
        connect_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(20),
        resolution: Resolution::Fixed(BTreeMap::new()),
        backoff: Backoff::Fixed(Duration::from_millis(1)),
    }
}

fn caller(base: &str, allow: &[&str]) -> Caller {
    caller_with(options(allow), base)
}

fn caller_with(options: OutboundOptions, base: &str) -> Caller {
    Caller::new(Outbound::new(options).unwrap(), Places::new([("service".to_owned(), Url::parse(base).unwrap())], None))
}

async fn stand() -> (Stand, Caller) {
    let stand = Stand::start(Options::plain()).await;
    let caller = caller(&stand.url("/base"), &["127.0.0.0/8"]);
    (stand, caller)
}

async fn session(caller: &Caller, access: &Access) -> SessionOutcome {
    caller.session(access, &ATTEMPT, &object(r#" {"reference":"order-1","n":1.0}"#), &Checked::default()).await
}

fn seen(outcome: &SessionOutcome) -> (Option<SessionCode>, Option<u16>, Delivered) {
    (outcome.session.code, outcome.session.status_code, outcome.delivered)
}

#[tokio::test]
async fn a_session_is_what_the_service_made_of_the_callers_bytes() {
    let (stand, caller) = stand().await;
    stand.reply(Reply::json(201, r#"{"id" : "s-1"}"#));
    let outcome = session(&caller, &access(plain(), STORED)).await;
    assert_eq!(seen(&outcome), (None, Some(201), Delivered::Yes));
    assert_eq!(outcome.session.response_body.unwrap().as_str(), r#"{"id" : "s-1"}"#);
    assert_eq!((outcome.facts.reference.as_deref(), outcome.facts.service_session_id.as_deref()), (Some("order-1"), Some("s-1")));
    assert!(outcome.service_duration_ms.is_some());
    let requests = stand.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].target.as_str()), ("POST", "/base/sessions"));
    assert_eq!(requests[0].text(), r#" {"reference":"order-1","n":1.0,"account":"ShopECOM"}"#);
    assert_eq!(requests[0].header("x-api-key"), Some("a-stored-secret"));
    assert_eq!(requests[0].header("idempotency-key"), Some("00000000-0000-0000-0000-000000000007"));
}

#[tokio::test]
async fn failures_of_the_service_are_answers() {
    let (stand, caller) = stand().await;
    let access = access(plain(), STORED);
    stand.reply(Reply::json(422, r#"{"code":"130","echo":"a-stored-secret"}"#));
    let outcome = session(&caller, &access).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceRequest), Some(422), Delivered::Yes));
    assert_eq!(outcome.session.response_body.unwrap().as_str(), r#"{"code":"130","echo":"***************"}"#);
    assert_eq!(outcome.facts.service_code.as_deref(), Some("130"));
    stand.reply(Reply::redirect(302, "https://elsewhere.test/"));
    assert_eq!(seen(&session(&caller, &access).await), (Some(SessionCode::InvalidServiceResponse), Some(302), Delivered::Yes));
    stand.reply(Reply::json(401, "{}"));
    assert_eq!(seen(&session(&caller, &access).await), (Some(SessionCode::InvalidServiceCredentials), Some(401), Delivered::Yes));
    assert_eq!(stand.requests().len(), 3);
}

#[tokio::test]
async fn the_services_own_time_limit_ends_a_call() {
    let (stand, caller) = stand().await;
    stand.reply(Reply::Never);
    let slow = [STORED, &[("timeout_ms", "400")]].concat();
    let outcome = session(&caller, &access(plain(), &slow)).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::ServiceNetworkError), None, Delivered::Unknown));
    assert_eq!(outcome.facts.reference.as_deref(), Some("order-1"));
    assert!(outcome.service_duration_ms.unwrap() >= 400);
}

#[tokio::test]
async fn what_can_not_or_must_not_be_sent_is_a_configuration_problem() {
    let guarded = caller("http://127.0.0.1:1/", &[]);
    let outcome = session(&guarded, &access(plain(), STORED)).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceConfiguration), None, Delivered::No));
    assert_eq!(outcome.service_duration_ms, None);

    let (stand, caller) = stand().await;
    for values in [&[("secret", "two\nlines")][..], &[("mode", "live")], &[("mode", "simulator")]] {
        for provider in [plain(), with_token()] {
            let outcome = session(&caller, &access(provider, values)).await;
            let is_token_call_with_a_line_break = outcome.session.code == Some(SessionCode::InvalidServiceConfiguration);
            assert!(is_token_call_with_a_line_break, "{values:?} {:?}", outcome.session);
            assert_eq!((outcome.delivered, outcome.service_duration_ms), (Delivered::No, None));
        }
    }
    assert_eq!(stand.connections(), 0);
}

#[tokio::test]
async fn a_body_is_checked_before_anything_is_sent() {
    let (_stand, caller) = stand().await;
    let mut provider = with_token();
    provider.session.as_mut().unwrap().body.refuse = vec![(pointer("/confirm"), "it moves money".into())];
    let access = access(provider, STORED);
    let pointers = |text: &str| match caller.check(&access, &object(text)) {
        Ok(_) => vec![],
        Err(problems) => problems.into_iter().map(|problem| problem.pointer).collect(),
    };
    assert_eq!(pointers(r#"{"account":"other","x":{"a":1,"a":2}}"#), Vec::<String>::new());
    assert_eq!(pointers(r#"{"confirm":true,"a":1,"a":2}"#), ["/confirm", "/a"]);
}

#[tokio::test]
async fn what_was_checked_is_sent_as_it_was_written() {
    let (stand, caller) = stand().await;
    stand.answer(|_: &Received| Reply::json(201, r#"{"id":"s"}"#));
    let body = object(r#" {"reference":"order-1","n":1.0}"#);
    let plain_access = access(plain(), STORED);
    let checked = caller.check(&plain_access, &body).unwrap();
    assert!(checked.written.is_some());
    caller.session(&plain_access, &ATTEMPT, &body, &checked).await;
    caller.session(&plain_access, &ATTEMPT, &body, &Checked::default()).await;
    let requests = stand.requests();
    let sent: Vec<_> = requests.iter().map(|request| (request.text(), request.header("content-type"))).collect();
    assert!(sent.len() == 2 && sent[0] == sent[1] && sent[0].0.contains("order-1"), "{sent:?}");

    // What is still to come is not in it.
    let set = |name: Name| {
        let mut provider = plain();
        provider.session.as_mut().unwrap().body.set.push((pointer("/late"), JsonTemplate::Text(Template(vec![Part::Name(name)]))));
        provider
    };
    let mut with_key = plain();
    let at = IdempotencyPlace::Body(pointer("/key"));
    with_key.session.as_mut().unwrap().idempotency = Some(Idempotency { at, hours: 1 });
    for provider in [set(Name::Attempt(AttemptForm::Id)), set(Name::Token), with_key, signed()] {
        assert!(caller.check(&access(provider, STORED), &body).unwrap().written.is_none());
    }
    assert!(caller.check(&access(set(Name::Field("account".into())), STORED), &body).unwrap().written.is_some());
}

// === tokens ===

/// Answers `t1`, `t2`, … to token calls, and to sessions 200 if they carry the token that counts.
fn with_tokens(stand: &Stand, good: &'static str) {
    let issued = std::sync::atomic::AtomicUsize::new(0);
    stand.answer(move |request: &Received| match request.target.as_str() {
        "/base/token" => {
            let number = issued.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            Reply::json(200, &format!(r#"{{"access_token":"t{number}","expires_in":"3600"}}"#))
        }
        _ if request.header("authorization") == Some(good) => Reply::json(201, r#"{"id":"s"}"#),
        _ => Reply::json(401, r#"{"code":"expired"}"#),
    });
}

fn targets(stand: &Stand) -> Vec<String> {
    stand.requests().into_iter().map(|request| request.target).collect()
}

#[tokio::test]
async fn a_hundred_sessions_share_one_token_call() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "Bearer t1");
    let access = access(with_token(), STORED);
    let mut sessions = JoinSet::new();
    for _ in 0..100 {
        let (caller, access) = (caller.clone(), access.clone());
        sessions.spawn(async move { session(&caller, &access).await.session.status_code });
    }
    assert_eq!(sessions.join_all().await, vec![Some(201); 100]);
    let tokens: Vec<Received> = stand.requests().into_iter().filter(|request| request.target == "/base/token").collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        (tokens[0].text(), tokens[0].header("authorization")),
        ("grant_type=client_credentials", Some("Basic Y2xpZW50OmEtc3RvcmVkLXNlY3JldA=="))
    );
    // Another value of a field is another token.
    let other = self::access(with_token(), &[("id", "client"), ("secret", "another-secret")]);
    assert_eq!(session(&caller, &other).await.session.status_code, Some(401));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "Bearer t2");
    let access = access(with_token(), STORED);
    assert_eq!(seen(&session(&caller, &access).await), (None, Some(201), Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/token", "/base/sessions", "/base/token", "/base/sessions"]);
    assert_eq!(seen(&session(&caller, &access).await), (None, Some(201), Delivered::Yes));
    assert_eq!(targets(&stand).len(), 5);
}

#[tokio::test]
async fn a_second_refusal_is_the_answer() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "Bearer none");
    let outcome = session(&caller, &access(with_token(), STORED)).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceCredentials), Some(401), Delivered::Yes));
    assert_eq!(outcome.session.response_body.unwrap().as_str(), r#"{"code":"expired"}"#);
    assert_eq!(targets(&stand).len(), 4);
}

#[tokio::test]
async fn a_refused_token_repeats_no_session_that_the_service_would_not_recognise() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "Bearer t2");
    let mut provider = with_token();
    provider.session.as_mut().unwrap().idempotency = None;
    let access = access(provider, STORED);
    assert_eq!(seen(&session(&caller, &access).await), (Some(SessionCode::InvalidServiceCredentials), Some(401), Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/token", "/base/sessions"]);
    // The refused token is forgotten all the same.
    assert_eq!(seen(&session(&caller, &access).await), (None, Some(201), Delivered::Yes));
}

/// The session was answered once, so nobody may say that nothing was sent.
#[tokio::test]
async fn a_service_that_is_gone_after_a_refusal_was_reached_all_the_same() {
    let authority = Authority::new();
    let stand = std::sync::Arc::new(Stand::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await);
    let options = OutboundOptions { extra_roots: Some(authority.pem().into_bytes()), ..options(&["127.0.0.0/8"]) };
    let caller = caller_with(options, &stand.url("/base"));
    let door = std::sync::Arc::downgrade(&stand);
    stand.answer(move |request: &Received| match request.target.as_str() {
        "/base/token" => Reply::json(200, r#"{"access_token":"t1"}"#),
        _ => {
            door.upgrade().unwrap().greet(Greeting::Close);
            Reply::json(401, "{}").with_header("connection", "close")
        }
    });
    let outcome = session(&caller, &access(with_token(), STORED)).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::ServiceNetworkError), None, Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/token", "/base/sessions"]);
}

/// The member `sum` and the header `x-sum` are made of the member `amount`, the moment and the token.
fn signed() -> Provider {
    let line = |name: &str, parts| SignLine { name: name.into(), parts, needs_sent: false };
    let value = |value, functions| SignPart::Value(value, functions);
    let text = [
        value(SignValue::SentMember(pointer("/amount")), vec![]),
        value(SignValue::Now, vec![SignFunction::Compact]),
        value(SignValue::Name(Name::Token), vec![]),
    ];
    let mut provider = with_token();
    provider.sign = Some(Sign::Lines(vec![line("sum", text.into())]));
    let sum = || Template(vec![Part::Name(Name::Sign("sum".into()))]);
    provider.auth = Choice::One(Auth { headers: vec![(http::HeaderName::from_static("x-sum"), sum())], ..Auth::default() });
    let session = provider.session.as_mut().unwrap();
    session.idempotency = None;
    session.body.encoding = Encoding::FormBrackets;
    session.body.set.push((pointer("/sum"), JsonTemplate::Text(sum())));
    provider
}

#[tokio::test]
async fn a_signed_session_fetches_the_token_that_its_lines_name_and_is_sent_once() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "none");
    let access = access(signed(), STORED);
    let body = object(r#"{"amount":1.0}"#);
    let outcome = caller.session(&access, &ATTEMPT, &body, &Checked::default()).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceCredentials), Some(401), Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/token", "/base/sessions"]);
    let request = stand.requests().pop().unwrap();
    let sum = request.header("x-sum").unwrap();
    assert!(sum.starts_with("1.020231114") && sum.ends_with("t1"), "{sum}");
    assert_eq!(request.text(), format!("amount=1.0&account=ShopECOM&sum={sum}"));

    let Some(Verify::Call(verify)) = &plain().verify.take() else { panic!("no call") };
    let provider = |signed: Provider| Provider { verify: Some(Verify::Call(verify.clone())), ..signed };
    let request = |provider: &Provider| {
        let token = Secret::from("t");
        let credentials = credentials(provider, STORED);
        let filled = Filled { token: Some(&token), ..filled(&ATTEMPT, &credentials) };
        let base = Base { url: "https://service.test".into(), route: Route::Guarded };
        resend(provider, verify, &render(&connector(provider.clone()), verify, &filled, &base).unwrap(), false)
    };
    assert_eq!((request(&provider(signed())), request(&provider(plain()))), (Resend::Never, Resend::Declared));
}

#[tokio::test]
async fn what_a_signature_reads_is_there_once_and_under_one_name() {
    let (_stand, caller) = stand().await;
    let access = access(signed(), STORED);
    let problems = |text: &str| match caller.check(&access, &object(text)) {
        Ok(_) => vec![],
        Err(problems) => problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect(),
    };
    assert_eq!(problems(r#"{"amount":1,"sum":"mine"}"#), []);
    let twice = "is there more than once, and payment services differ on which one counts";
    assert_eq!(problems(r#"{"amount":1,"amount":2}"#), [("/amount".into(), twice.to_owned())]);
    let other = "as a form name it would mean `/amount`, which the signature reads";
    assert_eq!(problems(r#"{"amount[]":1}"#), [("/amount[]".into(), other.to_owned())]);
}

#[tokio::test]
async fn a_token_is_fetched_only_where_the_picked_line_names_it() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "Bearer t1");
    let mut provider = with_token();
    let bearer = |template| Auth { bearer: Some(template), ..Auth::default() };
    let cases = [("oauth", bearer(Template(vec![Part::Name(Name::Token)]))), ("key", bearer(named("secret")))];
    let cases = cases.into_iter().map(|(key, auth)| (key.to_owned(), auth)).collect();
    provider.auth = Choice::By { selector: Selector::Field("prefix".into()), cases, otherwise: None };
    let with = |picked| access(provider.clone(), &[STORED, &[("prefix", picked)]].concat());
    assert_eq!(seen(&session(&caller, &with("key")).await), (Some(SessionCode::InvalidServiceCredentials), Some(401), Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/sessions"]);
    assert_eq!(stand.requests()[0].header("authorization"), Some("Bearer a-stored-secret"));
    assert_eq!(seen(&session(&caller, &with("oauth")).await), (None, Some(201), Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/sessions", "/base/token", "/base/sessions"]);
    // Nothing is sent where no line is picked.
    assert_eq!(seen(&session(&caller, &with("other")).await), (Some(SessionCode::InvalidServiceConfiguration), None, Delivered::No));
    assert_eq!(targets(&stand).len(), 3);
}

#[tokio::test]
async fn a_token_call_that_fails_is_the_sessions_answer_without_a_body() {
    let (stand, caller) = stand().await;
    let access = access(with_token(), STORED);
    let object = r#"{"error":"invalid_client"}"#;
    for (reply, code, status) in [
        (Reply::json(400, object), SessionCode::InvalidServiceCredentials, Some(400)),
        (Reply::json(401, object), SessionCode::InvalidServiceCredentials, Some(401)),
        (Reply::empty(403), SessionCode::InvalidServiceCredentials, Some(403)),
        (Reply::json(429, object), SessionCode::ServiceRateLimit, Some(429)),
        (Reply::json(404, object), SessionCode::InvalidServiceRequest, Some(404)),
        (Reply::json(503, object), SessionCode::ServiceError, Some(503)),
        (Reply::json(302, object), SessionCode::InvalidServiceResponse, Some(302)),
        (Reply::json(200, object), SessionCode::InvalidServiceResponse, Some(200)),
        (Reply::json(200, "<html>"), SessionCode::InvalidServiceResponse, Some(200)),
        (Reply::empty(200), SessionCode::InvalidServiceResponse, Some(200)),
        (Reply::CloseUnanswered, SessionCode::ServiceNetworkError, None),
    ] {
        let delivered = if status.is_some() { Delivered::Yes } else { Delivered::Unknown };
        stand.reply(reply);
        let outcome = session(&caller, &access).await;
        assert_eq!(seen(&outcome), (Some(code), status, delivered));
        assert!(outcome.session.response_body.is_none() && outcome.service_duration_ms.is_some());
        assert_eq!(outcome.facts.reference.as_deref(), Some("order-1"));
    }
    assert!(targets(&stand).iter().all(|target| target == "/base/token"));
}

#[tokio::test]
async fn one_limit_holds_for_token_and_session_together() {
    let (stand, caller) = stand().await;
    stand.reply(Reply::After(Duration::from_millis(100), Box::new(Reply::json(200, r#"{"access_token":"t1","expires_in":3600}"#))));
    stand.reply(Reply::Never);
    let slow = [STORED, &[("timeout_ms", "600")]].concat();
    let started = Instant::now();
    let outcome = session(&caller, &access(with_token(), &slow)).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::ServiceNetworkError), None, Delivered::Unknown));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(600) && took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn lifetimes_are_read_in_every_spelling() {
    let token_call = with_token().token.unwrap();
    let lifetime = |expires: &str| {
        let body = format!(r#"{{"access_token":"t","expires_in":{expires}}}"#);
        let answer = Answer { status: 200, headers: http::HeaderMap::new(), body: Ok(body.into()) };
        read(&token_call, &answer, ATTEMPT.now).unwrap().lifetime.map(|lifetime| lifetime.as_secs())
    };
    assert_eq!(lifetime("32000"), Some(32_000));
    assert_eq!(lifetime("\"3600\""), Some(3_600));
    assert_eq!(lifetime("3600.0"), Some(3_600));
    assert_eq!(lifetime("1700000600"), Some(600));
    assert_eq!(lifetime("\"2023-11-14T22:23:20Z\""), Some(600));
    assert_eq!(lifetime("\"2023-11-14T22:23:20+0000\""), Some(600));
    assert_eq!(lifetime("\"2023-11-14T23:23:20+01:00\""), Some(600));
    assert_eq!(lifetime("\"2020-01-01T00:00:00Z\""), Some(0));
    assert_eq!(lifetime("\"soon\""), None);
    assert_eq!(lifetime("null"), None);
    assert_eq!(lifetime("-1"), None);
}

// === verify ===

#[tokio::test]
async fn credentials_are_proved_by_the_verify_call() {
    let (stand, caller) = stand().await;
    let access = access(plain(), STORED);
    for (reply, expected) in [
        (Reply::empty(200), Verification::Accepted),
        (Reply::empty(401), Verification::Refused),
        (Reply::empty(403), Verification::Refused),
        (Reply::empty(404), Verification::NoAnswer),
        (Reply::empty(500), Verification::NoAnswer),
        (Reply::ResetUnread, Verification::NoAnswer),
    ] {
        if matches!(reply, Reply::ResetUnread) {
            // A call that only reads is tried again.
            stand.answer(|_| Reply::CloseUnanswered);
        } else {
            stand.reply(reply);
        }
        assert_eq!(caller.verify(&access, &ATTEMPT).await, expected);
    }
    let first = &stand.requests()[0];
    assert_eq!((first.method.as_str(), first.target.as_str(), first.body.len()), ("GET", "/base/verify", 0));
}

#[tokio::test]
async fn credentials_are_proved_by_a_token_call_of_their_own() {
    let (stand, caller) = stand().await;
    with_tokens(&stand, "Bearer t1");
    let access = access(with_token(), STORED);
    assert_eq!(session(&caller, &access).await.session.code, None);
    assert_eq!(caller.verify(&access, &ATTEMPT).await, Verification::Accepted);
    assert_eq!(targets(&stand).iter().filter(|target| *target == "/base/token").count(), 2);
    for (status, expected) in [
        (400, Verification::Refused),
        (401, Verification::Refused),
        (403, Verification::Refused),
        (429, Verification::NoAnswer),
        (500, Verification::NoAnswer),
    ] {
        stand.reply(Reply::json(status, "{}"));
        assert_eq!(caller.verify(&access, &ATTEMPT).await, expected, "{status}");
    }
    let mut unverifiable = plain();
    unverifiable.verify = None;
    assert_eq!(caller.verify(&self::access(unverifiable, STORED), &ATTEMPT).await, Verification::NotSupported);
    assert_eq!(caller.verify(&self::access(plain(), &[("secret", "two\nlines")]), &ATTEMPT).await, Verification::Refused);
}

#[test]
fn every_call_is_counted_with_its_provider_and_result() {
    let measured = Measured::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&measured, || {
        runtime.block_on(async {
            let (stand, caller) = stand().await;
            with_tokens(&stand, "Bearer t1");
            assert_eq!(session(&caller, &access(with_token(), STORED)).await.session.status_code, Some(201));
            stand.reply(Reply::Never);
            let slow = [STORED, &[("timeout_ms", "50")]].concat();
            assert!(session(&caller, &access(plain(), &slow)).await.session.code.is_some());
        });
    });
    let calls = measured.of("tollhouse_outbound_calls_total");
    assert_eq!(calls, BTreeMap::from([(format!("service {SERVICE} 2xx"), 2.0), (format!("service {SERVICE} timeout"), 1.0)]));
}

#[tokio::test]
async fn a_session_without_an_idempotency_key_is_never_sent_twice() {
    let (stand, caller) = stand().await;
    let mut provider = plain();
    provider.session.as_mut().unwrap().idempotency = None;
    stand.answer(|_| Reply::CloseUnanswered);
    let outcome = session(&caller, &access(provider, STORED)).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::ServiceNetworkError), None, Delivered::Unknown));
    assert_eq!(stand.requests().len(), 1);
}

#[tokio::test]
async fn past_the_most_calls_in_flight_nothing_is_sent() {
    let (stand, caller) = stand().await;
    let access = access(plain(), STORED);
    caller.guard(&access).crowd();
    let outcome = caller.session(&access, &ATTEMPT, &object("{}"), &Checked::default()).await;
    assert_eq!((outcome.session.status, outcome.session.code), (SessionStatus::Failed, Some(SessionCode::ServiceUnavailable)));
    assert_eq!((outcome.session.status_code, outcome.delivered), (None, Delivered::No));
    assert!(outcome.session.response_body.is_none() && outcome.service_duration_ms.is_none());
    assert_eq!(stand.connections(), 0);
}
