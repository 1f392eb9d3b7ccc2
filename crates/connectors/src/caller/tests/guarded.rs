//! Payment services in trouble, and those beside them.

use super::*;

/// The same provider and host, configured once more.
fn another(number: u128) -> Access {
    Access { service: Some(Uuid::from_u128(number)), ..access(unrepeatable(), STORED) }
}

/// A provider that takes no idempotency key.
fn unrepeatable() -> Provider {
    let mut provider = plain();
    provider.session.as_mut().unwrap().idempotency = None;
    provider
}

async fn sessions(caller: &Caller, access: &Access, count: usize) -> Vec<(Option<SessionCode>, Option<u16>, Delivered)> {
    let mut seen_all = Vec::new();
    for _ in 0..count {
        seen_all.push(seen(&session(caller, access).await));
    }
    seen_all
}

const REFUSED: (Option<SessionCode>, Option<u16>, Delivered) = (Some(SessionCode::ServiceUnavailable), None, Delivered::No);

#[tokio::test]
async fn r15_a_service_that_fails_is_not_called_any_more() {
    let (stand, caller) = stand().await;
    let (ill, well) = (another(1), another(2));
    stand.answer(|_| Reply::json(500, "{}"));
    let failed = (Some(SessionCode::ServiceError), Some(500), Delivered::Yes);
    assert_eq!(sessions(&caller, &ill, 20).await, [failed; 20]);
    let outcome = session(&caller, &ill).await;
    assert_eq!((seen(&outcome), outcome.service_duration_ms), (REFUSED, None));
    assert_eq!(outcome.facts.reference.as_deref(), Some("order-1"), "the record says what was asked for");
    assert_eq!(stand.requests().len(), 20);
    stand.answer(|_| Reply::json(200, "{}"));
    assert_eq!(sessions(&caller, &well, 3).await, [(None, Some(200), Delivered::Yes); 3], "on the same host");
    // Whoever mends something wants to know whether it is well.
    assert_eq!(caller.verify(&ill, &ATTEMPT).await, Verification::Accepted);
    assert_eq!(seen(&session(&caller, &ill).await), REFUSED);
    assert_eq!(stand.requests().len(), 24);
}

#[tokio::test]
async fn r16_refusals_of_any_kind_are_no_trouble() {
    let (stand, caller) = stand().await;
    for status in [401, 403, 404, 422, 429] {
        stand.answer(move |_| Reply::json(status, "{}"));
        let outcomes = sessions(&caller, &another(1), 30).await;
        assert!(outcomes.iter().all(|outcome| outcome.1 == Some(status)), "{status} {outcomes:?}");
    }
    let guarded = self::caller("http://127.0.0.1:1/", &[]);
    let outcomes = sessions(&guarded, &another(1), 30).await;
    assert_eq!(outcomes, [(Some(SessionCode::InvalidServiceConfiguration), None, Delivered::No); 30], "the guard of our own door");
}

#[tokio::test]
async fn values_that_are_tried_are_no_trouble_of_the_service() {
    let (stand, caller) = stand().await;
    stand.answer(|_| Reply::json(500, "{}"));
    for _ in 0..30 {
        assert_eq!(caller.verify(&another(1), &ATTEMPT).await, Verification::NoAnswer);
    }
    stand.answer(|_| Reply::json(201, "{}"));
    assert_eq!(seen(&session(&caller, &another(1)).await), (None, Some(201), Delivered::Yes));
}

#[tokio::test]
async fn token_calls_that_fail_are_heard_of_once_however_many_wait() {
    let (stand, caller) = stand().await;
    let access = access(with_token(), STORED);
    stand.answer(|_| Reply::After(Duration::from_millis(100), Box::new(Reply::json(500, "{}"))));
    let mut waiting = JoinSet::new();
    for _ in 0..40 {
        let (caller, access) = (caller.clone(), access.clone());
        waiting.spawn(async move { session(&caller, &access).await.session.code });
    }
    assert_eq!(waiting.join_all().await, vec![Some(SessionCode::ServiceError); 40]);
    let token_calls = stand.requests().len();
    assert!(token_calls < 20, "{token_calls} calls for 40 sessions");
    stand.answer(|_| Reply::json(500, "{}"));
    assert_eq!(sessions(&caller, &access, 20 - token_calls).await.len(), 20 - token_calls);
    assert_eq!(seen(&session(&caller, &access).await), REFUSED);
    assert_eq!(stand.requests().len(), 20);
}

/// A simulator fails because it was asked to.
#[tokio::test]
async fn what_is_played_has_no_breaker() {
    let stand = Stand::start(Options::plain()).await;
    let places = Places::new([], Some(Url::parse(&stand.url("/")).unwrap()));
    let caller = Caller::new(Outbound::new(options(&[])).unwrap(), places);
    stand.answer(|_| Reply::json(500, "{}"));
    let access = access(unrepeatable(), &[STORED, &[("mode", "simulator")]].concat());
    assert_eq!(sessions(&caller, &access, 30).await, [(Some(SessionCode::ServiceError), Some(500), Delivered::Yes); 30]);
}

/// Every session of these may be tried three times; together they may be tried ten times more than they are, and once more for every ten.
#[test]
fn r15_retries_are_a_tenth_of_the_calls() {
    let measured = Measured::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connections = metrics::with_local_recorder(&measured, || {
        runtime.block_on(async {
            let authority = Authority::new();
            let stand = Stand::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
            stand.greet(Greeting::Close);
            let options = OutboundOptions { extra_roots: Some(authority.pem().into_bytes()), ..options(&["127.0.0.0/8"]) };
            let caller = caller_with(options, &stand.url("/base"));
            let outcomes = sessions(&caller, &another(1), 20).await;
            assert_eq!(outcomes, [(Some(SessionCode::ServiceNetworkError), None, Delivered::No); 20]);
            assert_eq!(seen(&session(&caller, &another(1)).await), REFUSED);
            stand.connections()
        })
    });
    assert_eq!(connections, 20 + 10 + 2);
    assert_eq!(measured.value(&format!("tollhouse_retries_total {SERVICE}")), 12.0);
    let exhausted = measured.value(&format!("tollhouse_retry_budget_exhausted_total {SERVICE}"));
    assert!((10.0..=15.0).contains(&exhausted), "{exhausted}");
}
