//! Sessions of two requests: every way that either of them can end.

use super::*;

/// Like `plain`, with a second step that takes the id of the first into its path, a header and its body.
fn two_steps(mut provider: Provider) -> Provider {
    let first = |at: &str| Part::Name(Name::First(pointer(at)));
    let session = provider.session.as_mut().unwrap();
    session.body.remove = vec![pointer("/flow")];
    session.withhold = vec![pointer("/internal")];
    session.record.support_id = vec![in_answer("/trace")];
    let mut second = call();
    let path = vec![Part::Text("/sessions/".into()), first("/id"), Part::Text("/flows".into())];
    second.request = Choice::One(RequestLine { method: http::Method::POST, path: Template(path) });
    second.headers = vec![(http::HeaderName::from_static("x-internal"), Template(vec![first("/internal/key")]))];
    second.body.remove = vec![pointer("/reference")];
    second.body.set = vec![(pointer("/flow/session"), JsonTemplate::Text(Template(vec![first("/id")])))];
    second.record.service_id = vec![in_answer("/flow/id")];
    second.record.reference = vec![in_request("/flow/reference")];
    second.error_code = vec![in_answer("/code")];
    provider.second = Some(second);
    provider
}

const FIRST: &str = r#"{"id":"s/1","internal":{"key":17.0},"trace":"t-1"}"#;
const SECOND: &str = r#"{"flow":{"id":"f-1"},"echo":"a-stored-secret"}"#;

async fn ask(caller: &Caller, provider: Provider, values: &[(&str, &str)]) -> SessionOutcome {
    let body = object(r#"{"reference":"order-1","flow":{"to":"https://shop.example"}}"#);
    caller.session(&access(provider, values), &ATTEMPT, &body, &Checked::default()).await
}

fn kept(outcome: &SessionOutcome) -> [Option<&str>; 4] {
    let facts = &outcome.facts;
    [&facts.reference, &facts.service_session_id, &facts.support_id, &facts.service_code].map(Option::as_deref)
}

#[tokio::test]
async fn the_second_request_is_made_of_the_first_answer_and_answered_to_the_caller() {
    let (stand, caller) = stand().await;
    stand.reply(Reply::json(201, FIRST));
    stand.reply(Reply::json(200, SECOND));
    let outcome = ask(&caller, two_steps(plain()), STORED).await;
    assert_eq!(seen(&outcome), (None, Some(200), Delivered::Yes));
    assert_eq!(outcome.session.response_body.as_ref().unwrap().as_str(), r#"{"flow":{"id":"f-1"},"echo":"***************"}"#);
    assert_eq!(kept(&outcome), [Some("order-1"), Some("f-1"), Some("t-1"), None]);
    assert!(outcome.service_duration_ms.is_some());
    let [first, second] = stand.requests().try_into().ok().unwrap();
    assert_eq!((first.target.as_str(), first.text()), ("/base/sessions", r#"{"reference":"order-1","account":"ShopECOM"}"#));
    assert_eq!((second.method.as_str(), second.target.as_str()), ("POST", "/base/sessions/s%2F1/flows"));
    assert_eq!(second.text(), r#"{"flow":{"to":"https://shop.example","session":"s/1"}}"#);
    assert_eq!((second.header("x-internal"), second.header("x-api-key")), (Some("17.0"), Some("a-stored-secret")));
    assert_eq!((first.header("idempotency-key").is_some(), second.header("idempotency-key")), (true, None));
}

#[tokio::test]
async fn what_the_second_step_finds_wins_in_the_record() {
    let (stand, caller) = stand().await;
    stand.reply(Reply::json(201, FIRST));
    stand.reply(Reply::json(200, "{}"));
    let body = object(r#"{"reference":"order-1","flow":{"reference":"flow-1"}}"#);
    let outcome = caller.session(&access(two_steps(plain()), STORED), &ATTEMPT, &body, &Checked::default()).await;
    assert_eq!(kept(&outcome), [Some("flow-1"), Some("s/1"), Some("t-1"), None]);
}

#[tokio::test]
async fn without_a_success_of_the_first_there_is_no_second() {
    let (stand, caller) = stand().await;
    for (reply, code, status) in [
        (Reply::json(422, r#"{"code":"130"}"#), SessionCode::InvalidServiceRequest, Some(422)),
        (Reply::json(302, FIRST), SessionCode::InvalidServiceResponse, Some(302)),
        (Reply::json(201, "<html>"), SessionCode::InvalidServiceResponse, Some(201)),
        (Reply::json(500, "[]"), SessionCode::ServiceError, Some(500)),
    ] {
        stand.reply(reply);
        assert_eq!(seen(&ask(&caller, two_steps(plain()), STORED).await), (Some(code), status, Delivered::Yes));
    }
    assert!(targets(&stand).iter().all(|target| target == "/base/sessions"));
}

#[tokio::test]
async fn a_refused_second_step_is_the_outcome() {
    let (stand, caller) = stand().await;
    for (status, code) in
        [(422, SessionCode::InvalidServiceRequest), (401, SessionCode::InvalidServiceCredentials), (429, SessionCode::ServiceRateLimit)]
    {
        stand.reply(Reply::json(201, FIRST));
        stand.reply(Reply::json(status, r#"{"code":"F9"}"#));
        let outcome = ask(&caller, two_steps(plain()), STORED).await;
        assert_eq!(seen(&outcome), (Some(code), Some(status), Delivered::Yes));
        assert_eq!(outcome.session.response_body.as_ref().unwrap().as_str(), r#"{"code":"F9"}"#);
        assert_eq!(kept(&outcome), [Some("order-1"), Some("s/1"), Some("t-1"), Some("F9")]);
    }
}

#[tokio::test]
async fn a_first_answer_without_what_the_second_takes_is_no_answer() {
    let (stand, caller) = stand().await;
    let with_id = |id: &str| format!(r#"{{"id":{id},"internal":{{"key":"k"}},"trace":"t-1"}}"#);
    let ids = ["null", "\"\"", "true", "{}", "[1]", "\"..\"", "\"\\ud800\""];
    let mut answers: Vec<String> = ids.iter().map(|id| with_id(id)).collect();
    answers.extend([r#"{"trace":"t-1"}"#.to_owned(), r#"{"id":"s","internal":{"key":"a\nb"}}"#.to_owned(), String::new()]);
    for answer in &answers {
        stand.reply(Reply::json(201, answer));
        let outcome = ask(&caller, two_steps(plain()), STORED).await;
        assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceResponse), Some(201), Delivered::Yes), "{answer}");
        assert!(outcome.session.response_body.is_none() && outcome.service_duration_ms.is_some());
        assert_eq!(outcome.facts.reference.as_deref(), Some("order-1"));
        assert_eq!(outcome.facts.support_id.is_some(), answer.contains("t-1"), "{answer}");
    }
    assert_eq!(stand.requests().len(), answers.len());
    // Numbers are taken as they are spelled.
    stand.reply(Reply::json(201, &with_id("1.50")));
    assert_eq!(ask(&caller, two_steps(plain()), STORED).await.session.code, None);
    let last = stand.requests().pop().unwrap();
    assert_eq!(
        (last.target.as_str(), last.text()),
        ("/base/sessions/1.50/flows", r#"{"flow":{"to":"https://shop.example","session":"1.50"}}"#)
    );
}

#[tokio::test]
async fn a_second_step_that_can_never_be_made_keeps_the_first_from_being_sent() {
    let (stand, caller) = stand().await;
    let mut provider = two_steps(plain());
    let path = Template(vec![Part::Text("/a/".into()), Part::Name(Name::Field("prefix".into()))]);
    provider.second.as_mut().unwrap().request = Choice::One(RequestLine { method: http::Method::POST, path });
    let outcome = ask(&caller, provider, STORED).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceConfiguration), None, Delivered::No));
    assert_eq!((outcome.service_duration_ms, kept(&outcome)[0]), (None, Some("order-1")));
    assert_eq!(stand.connections(), 0);
}

#[tokio::test]
async fn a_second_step_without_an_answer_was_never_nothing() {
    let (stand, caller) = stand().await;
    let network = Some(SessionCode::ServiceNetworkError);
    for reply in [Reply::CloseUnanswered, Reply::ResetUnanswered] {
        stand.reply(Reply::json(201, FIRST));
        stand.reply(reply);
        let outcome = ask(&caller, two_steps(plain()), STORED).await;
        assert_eq!(seen(&outcome), (network, None, Delivered::Unknown));
        assert_eq!(kept(&outcome), [Some("order-1"), Some("s/1"), Some("t-1"), None]);
    }
    assert_eq!(stand.requests().len(), 4, "nothing is sent twice without an idempotency key");
    let mut provider = two_steps(plain());
    provider.second.as_mut().unwrap().idempotency = provider.session.as_ref().unwrap().idempotency.clone();
    stand.reply(Reply::json(201, FIRST));
    stand.reply(Reply::CloseUnanswered);
    stand.reply(Reply::json(200, SECOND));
    assert_eq!(seen(&ask(&caller, provider, STORED).await), (None, Some(200), Delivered::Yes));
    let last: Vec<Received> = stand.requests().split_off(4);
    assert_eq!(
        last.iter().map(|request| request.target.as_str()).collect::<Vec<_>>(),
        ["/base/sessions", "/base/sessions/s%2F1/flows", "/base/sessions/s%2F1/flows"]
    );
    assert!(last.iter().all(|request| request.header("idempotency-key") == Some("00000000-0000-0000-0000-000000000007")));
}

#[tokio::test]
async fn a_service_that_is_gone_between_the_steps_was_reached_all_the_same() {
    let authority = Authority::new();
    let stand = std::sync::Arc::new(Stand::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await);
    let options = OutboundOptions { extra_roots: Some(authority.pem().into_bytes()), ..options(&["127.0.0.0/8"]) };
    let caller = caller_with(options, &stand.url("/base"));
    let door = std::sync::Arc::downgrade(&stand);
    stand.answer(move |_| {
        door.upgrade().unwrap().greet(Greeting::Close);
        Reply::json(201, FIRST).with_header("connection", "close")
    });
    let outcome = ask(&caller, two_steps(plain()), STORED).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::ServiceNetworkError), None, Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/sessions"]);
}

#[tokio::test]
async fn one_limit_holds_for_both_steps_and_their_time_is_added() {
    let (stand, caller) = stand().await;
    let pause = Duration::from_millis(150);
    let slow = [STORED, &[("timeout_ms", "600")]].concat();
    stand.reply(Reply::After(pause, Box::new(Reply::json(201, FIRST))));
    stand.reply(Reply::After(pause, Box::new(Reply::json(200, SECOND))));
    let outcome = ask(&caller, two_steps(plain()), &slow).await;
    assert_eq!(seen(&outcome), (None, Some(200), Delivered::Yes));
    assert!(outcome.service_duration_ms.unwrap() >= 300, "{:?}", outcome.service_duration_ms);
    stand.reply(Reply::After(pause, Box::new(Reply::json(201, FIRST))));
    stand.reply(Reply::Never);
    let started = Instant::now();
    let outcome = ask(&caller, two_steps(plain()), &slow).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::ServiceNetworkError), None, Delivered::Unknown));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(600) && took < Duration::from_secs(6), "{took:?}");
}

/// Answers tokens in their order; the first step takes any, the second one only `good`.
fn with_steps(stand: &Stand, good: &'static str) {
    let issued = std::sync::atomic::AtomicUsize::new(0);
    stand.answer(move |request: &Received| match request.target.as_str() {
        "/base/token" => {
            let number = issued.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            Reply::json(200, &format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#))
        }
        "/base/sessions" => Reply::json(201, FIRST),
        _ if request.header("authorization") == Some(good) => Reply::json(200, SECOND),
        _ => Reply::json(401, r#"{"code":"expired"}"#),
    });
}

#[tokio::test]
async fn a_token_that_ends_between_the_steps_is_replaced_for_the_second_alone() {
    let (session, flow) = ("/base/sessions", "/base/sessions/s%2F1/flows");
    let (stand, caller) = stand().await;
    with_steps(&stand, "Bearer t2");
    let mut provider = two_steps(with_token());
    provider.second.as_mut().unwrap().idempotency = provider.session.as_ref().unwrap().idempotency.clone();
    assert_eq!(seen(&ask(&caller, provider.clone(), STORED).await), (None, Some(200), Delivered::Yes));
    assert_eq!(targets(&stand), ["/base/token", session, flow, "/base/token", flow]);
    // The next session begins with the token that is good.
    assert_eq!(seen(&ask(&caller, provider, STORED).await), (None, Some(200), Delivered::Yes));
    assert_eq!(targets(&stand)[5..], [session, flow]);
}

#[tokio::test]
async fn without_an_idempotency_key_a_refused_token_ends_the_second_step() {
    let (stand, caller) = stand().await;
    with_steps(&stand, "Bearer t2");
    let outcome = ask(&caller, two_steps(with_token()), STORED).await;
    assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceCredentials), Some(401), Delivered::Yes));
    assert_eq!(kept(&outcome), [Some("order-1"), Some("s/1"), Some("t-1"), Some("expired")]);
    assert_eq!(targets(&stand), ["/base/token", "/base/sessions", "/base/sessions/s%2F1/flows"]);
    assert_eq!(seen(&ask(&caller, two_steps(with_token()), STORED).await), (None, Some(200), Delivered::Yes));
}

#[tokio::test]
async fn a_token_that_can_not_be_had_again_is_the_outcome_of_the_second_step() {
    let (stand, caller) = stand().await;
    let mut provider = two_steps(with_token());
    provider.second.as_mut().unwrap().idempotency = provider.session.as_ref().unwrap().idempotency.clone();
    for (reply, code, status, delivered) in [
        (Reply::json(503, "{}"), SessionCode::ServiceError, Some(503), Delivered::Yes),
        (Reply::CloseUnanswered, SessionCode::ServiceNetworkError, None, Delivered::Unknown),
    ] {
        let token = || Reply::json(200, r#"{"access_token":"t1","expires_in":3600}"#);
        for reply in [token(), Reply::json(201, FIRST), Reply::json(401, "{}"), reply] {
            stand.reply(reply);
        }
        assert_eq!(seen(&ask(&caller, provider.clone(), STORED).await), (Some(code), status, delivered));
    }
}

#[tokio::test]
async fn members_that_either_step_refuses_are_refused_before_anything_is_sent() {
    let (stand, caller) = stand().await;
    let mut provider = two_steps(plain());
    provider.session.as_mut().unwrap().body.refuse = vec![(pointer("/confirm"), "it moves money".into())];
    provider.second.as_mut().unwrap().body.refuse =
        vec![(pointer("/flow/card"), "card data".into()), (pointer("/confirm"), "it moves money".into())];
    let access = access(provider, STORED);
    let pointers = |text: &str| match caller.check(&access, &object(text)) {
        Ok(_) => vec![],
        Err(problems) => problems.into_iter().map(|problem| problem.pointer).collect(),
    };
    assert_eq!(pointers(r#"{"flow":{}}"#), Vec::<String>::new());
    assert_eq!(pointers(r#"{"confirm":1,"flow":{"card":1}}"#), ["/confirm", "/flow/card"]);
    assert_eq!(pointers(r#"{"flow":1}"#), ["/flow"]);
    assert_eq!(pointers(r#"{"a":1,"a":2}"#), ["/a"], "what both find is said once");
    assert_eq!(stand.connections(), 0);
}
