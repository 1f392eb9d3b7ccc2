//! Keys, verdicts and what an outcome makes of a key: every row of the rules.

use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const SAME: Fingerprint = Fingerprint([1; 32]);

fn used(state: KeyState) -> UsedKey {
    UsedKey {
        merchant_account_id: MerchantAccountId::default_account(),
        place: KeyPlace { operation: "o".to_owned(), path: "/p".to_owned(), key: IdempotencyKey::parse("k").unwrap() },
        fingerprint: SAME,
        attempt: SessionRecordId(Uuid::from_u128(1)),
        state,
        execution: Execution {
            id: SessionRecordId(Uuid::from_u128(1)),
            lease_until: NOW.plus_seconds(1),
            payment_service_id: PaymentServiceId(Uuid::from_u128(2)),
            definition_id: DefinitionId::parse("acme-card").unwrap(),
            definition_hash: "0123abcd".to_owned(),
            api_key_pair_id: ApiKeyPairId(Uuid::from_u128(3)),
            request_id: "r".to_owned(),
            started_at: NOW,
        },
        recognised_until: None,
        answer: None,
        created_at: NOW,
        expires_at: NOW.plus_seconds(KEPT_SECONDS),
    }
}

#[test]
fn r04_a_key_has_1_to_255_printable_characters() {
    let check = |text: &str, expected: Result<(), KeyError>| assert_eq!(IdempotencyKey::parse(text).map(|_| ()), expected, "{text:?}");
    check("", Err(KeyError::Empty));
    check(" ", Ok(()));
    check("order-1 ~", Ok(()));
    check(&"k".repeat(255), Ok(()));
    check(&"k".repeat(256), Err(KeyError::TooLong));
    for text in ["a\tb", "a\0", "\u{1}", "a\u{7f}", "ключ", "é"] {
        check(text, Err(KeyError::NotPrintable));
    }
}

#[test]
fn a_key_in_use_says_what_comes_of_a_request() {
    use Earlier::{MayHaveActed, Nothing};
    use KeyState::{Answered, Open, Started, Unknown};
    use Recognition::{Certain, None};
    let rows = [
        (Started, 0, Certain, Verdict::Running),
        (Started, 0, None, Verdict::Running),
        (Started, 1, Certain, Verdict::Repeat(MayHaveActed)),
        (Started, 1, None, Verdict::Conclude),
        (Answered, 0, Certain, Verdict::Replay),
        (Answered, 1, None, Verdict::Replay),
        (Unknown, 0, Certain, Verdict::Repeat(MayHaveActed)),
        (Unknown, 1, None, Verdict::Replay),
        (Open, 0, Certain, Verdict::Repeat(Nothing)),
        (Open, 1, None, Verdict::Repeat(Nothing)),
    ];
    for (state, later, recognition, expected) in rows {
        let key = used(state);
        let now = NOW.plus_seconds(later);
        assert_eq!(key.verdict(&SAME, now, recognition), expected, "{state} {later} {recognition:?}");
        assert_eq!(key.verdict(&Fingerprint([2; 32]), now, recognition), Verdict::Mismatch, "{state} {later} {recognition:?}");
    }
}

#[test]
fn r05_a_key_is_known_for_24_hours_and_for_as_long_as_it_runs() {
    for state in [KeyState::Answered, KeyState::Unknown, KeyState::Open, KeyState::Started] {
        let key = used(state);
        let at = |seconds| key.verdict(&SAME, NOW.plus_seconds(seconds), Recognition::None);
        assert_ne!(at(KEPT_SECONDS - 1), Verdict::Forget, "{state}");
        assert_eq!(at(KEPT_SECONDS), Verdict::Forget, "{state}");
        assert_eq!(key.verdict(&Fingerprint([2; 32]), NOW.plus_seconds(KEPT_SECONDS), Recognition::None), Verdict::Forget, "{state}");
    }
    let mut late = used(KeyState::Started);
    late.execution.lease_until = late.expires_at.plus_seconds(1);
    assert_eq!(late.verdict(&SAME, late.expires_at, Recognition::None), Verdict::Running);
}

#[test]
fn an_outcome_decides_what_becomes_of_a_key() {
    use Delivered::{No, Unknown, Yes};
    let failed = |code, status_code| Session { status_code, ..Session::failed(code) };
    let rows = [
        (failed(SessionCode::InvalidServiceRequest, Some(402)), Yes, KeyState::Answered),
        (failed(SessionCode::InvalidServiceRequest, Some(408)), Yes, KeyState::Open),
        (failed(SessionCode::InvalidServiceRequest, Some(425)), Yes, KeyState::Open),
        (failed(SessionCode::InvalidServiceCredentials, Some(401)), Yes, KeyState::Answered),
        (failed(SessionCode::InvalidServiceResponse, Some(302)), Yes, KeyState::Answered),
        (failed(SessionCode::InvalidServiceResponse, Some(200)), Unknown, KeyState::Unknown),
        (failed(SessionCode::UnknownError, Some(200)), Yes, KeyState::Answered),
        (failed(SessionCode::UnknownError, None), Unknown, KeyState::Unknown),
        (failed(SessionCode::ServiceRateLimit, Some(429)), Yes, KeyState::Open),
        (failed(SessionCode::ServiceError, Some(500)), Yes, KeyState::Open),
        (failed(SessionCode::ServiceNetworkError, None), No, KeyState::Open),
        (failed(SessionCode::ServiceNetworkError, None), Unknown, KeyState::Unknown),
        (failed(SessionCode::ServiceNetworkError, None), Yes, KeyState::Unknown),
        (failed(SessionCode::ServiceUnavailable, None), No, KeyState::Open),
        (failed(SessionCode::InvalidServiceConfiguration, None), No, KeyState::Open),
    ];
    for (session, delivered, expected) in rows {
        assert_eq!(KeyState::after(&session, delivered, Earlier::Nothing), expected, "{session:?} {delivered}");
        assert_eq!(KeyState::after(&session, delivered, Earlier::MayHaveActed), KeyState::Unknown, "{session:?} {delivered}");
    }
    let succeeded = Session { status: SessionStatus::Succeeded, code: None, status_code: Some(200), response_body: None };
    for earlier in [Earlier::Nothing, Earlier::MayHaveActed] {
        assert_eq!(KeyState::after(&succeeded, Yes, earlier), KeyState::Answered);
    }
    assert_eq!((No.after(Earlier::MayHaveActed), No.after(Earlier::Nothing), Yes.after(Earlier::MayHaveActed)), (Unknown, No, Yes));
}

#[test]
fn an_answer_comes_back_byte_for_byte() {
    for body in ["", "{}", "{\"a\":\n\n1}", "\n"] {
        let answer = StoredAnswer { status: 200, delivered: Delivered::Yes, body: Bytes::from_static(body.as_bytes()) };
        assert_eq!(StoredAnswer::from_bytes(&answer.to_bytes()), Some(answer));
    }
    for damaged in ["", "200 yes", "200\n", "x yes\n{}", "200 maybe\n{}", "70000 yes\n{}"] {
        assert_eq!(StoredAnswer::from_bytes(damaged.as_bytes()), None, "{damaged:?}");
    }
}
