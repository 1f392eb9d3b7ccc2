//! What a payment service is held to, and how it is measured.

use bytes::Bytes;
use domain::session::Delivered;

use super::*;
use crate::fixtures::measured::Measured as Recorded;
use crate::outbound::{Answer, BodyFailure, EgressRefusal};

fn service(number: u128) -> Guarded<'static> {
    Guarded::Service(Uuid::from_u128(number))
}

fn exchange(result: Result<u16, CallFailure>) -> Exchange {
    let answer = |status| Answer { status, headers: http::HeaderMap::new(), body: Ok(Bytes::new()) };
    Exchange { delivered: Delivered::Yes, result: result.map(answer), elapsed: Duration::ZERO }
}

/// Sessions of one call each; how many were let in.
fn sessions(guard: &Arc<Guard>, count: usize, result: Result<u16, CallFailure>) -> usize {
    let one = |_| guard.enter().inspect(|place| place.teller().tell(&exchange(result))).is_ok();
    (0..count).map(one).filter(|is_in| *is_in).count()
}

#[test]
fn only_what_a_service_does_wrong_counts_against_it() {
    let fails = [
        Ok(500),
        Ok(503),
        Ok(599),
        Err(CallFailure::Dns),
        Err(CallFailure::Connect),
        Err(CallFailure::Tls),
        Err(CallFailure::Timeout),
        Err(CallFailure::Reset),
        Err(CallFailure::Malformed),
    ];
    let answers = [200, 201, 204, 301, 302, 400, 401, 403, 404, 422, 429, 499].map(Ok);
    let ours = [Err(CallFailure::Refused(EgressRefusal::Address)), Err(CallFailure::Proxy)];
    let check = |results: &[Result<u16, CallFailure>], expected| {
        for result in results {
            assert_eq!(health(&exchange(*result)), expected, "{result:?}");
            let guards = Guards::default();
            let let_in = sessions(&guards.of(service(1)), 100, *result);
            assert_eq!(let_in, if expected == Some(Health::Fails) { 20 } else { 100 }, "{result:?}");
        }
    };
    check(&fails, Some(Health::Fails));
    check(&answers, Some(Health::Answers));
    check(&ours, None);
    let mut unreadable = exchange(Ok(200));
    unreadable.result.as_mut().unwrap().body = Err(BodyFailure::TooLong);
    assert_eq!(health(&unreadable), Some(Health::Answers), "its length may be the caller's doing");
}

#[test]
fn one_service_in_trouble_is_no_trouble_of_another() {
    let recorded = Recorded::default();
    metrics::with_local_recorder(&recorded, || {
        let guards = Guards::default();
        let (ill, well) = (guards.of(service(1)), guards.of(service(2)));
        assert_eq!(sessions(&ill, 30, Err(CallFailure::Timeout)), 20);
        assert_eq!(sessions(&well, 30, Ok(201)), 30);
        let [one, two] = [1, 2].map(|number| Uuid::from_u128(number).to_string());
        assert_eq!(recorded.of("tollhouse_breaker_state"), [(one.clone(), 2.0), (two.clone(), 0.0)].into());
        assert_eq!(recorded.value(&format!("tollhouse_breaker_rejections_total {one}")), 10.0);
        assert_eq!(recorded.value(&format!("tollhouse_breaker_rejections_total {two}")), 0.0);
        assert!(ill.enter_unjudged().is_ok(), "values may be tried while the service is not called");
    });
}

#[test]
fn so_many_are_on_their_way_and_no_more() {
    let recorded = Recorded::default();
    metrics::with_local_recorder(&recorded, || {
        let guards = Guards::default();
        let busy = guards.of(service(1));
        let in_flight = format!("tollhouse_service_calls_in_flight {}", Uuid::from_u128(1));
        let places: Vec<Place> = (0..IN_FLIGHT_MAX).map(|_| busy.enter().unwrap()).collect();
        assert_eq!(recorded.value(&in_flight), 1_024.0);
        assert_eq!(busy.enter().unwrap_err(), Unavailable::Full);
        assert_eq!(busy.enter_unjudged().unwrap_err(), Unavailable::Full);
        assert_eq!(recorded.value(&format!("tollhouse_in_flight_rejections_total {}", Uuid::from_u128(1))), 2.0);
        assert!(guards.of(service(2)).enter().is_ok());
        drop(places);
        assert_eq!(recorded.value(&in_flight), 0.0);
        assert!(busy.enter().is_ok());
    });
}

#[test]
fn a_crowd_takes_no_probe_from_a_breaker() {
    let guards = Guards::default();
    let guard = guards.of(service(1));
    let places: Vec<Place> = (0..IN_FLIGHT_MAX).map(|_| guard.enter().unwrap()).collect();
    places.iter().for_each(|place| place.teller().tell(&exchange(Err(CallFailure::Timeout))));
    assert_eq!(guard.enter().unwrap_err(), Unavailable::Full);
    drop(places);
    assert_eq!(guard.enter().unwrap_err(), Unavailable::Broken);
    assert_eq!(guard.in_flight.load(Ordering::Relaxed), 0, "who is not let in holds no place");
}

#[test]
fn labels_have_an_end_and_stay_with_who_has_one() {
    let guards = Guards::default();
    let label = |number| guards.of(service(number)).label().to_string();
    let most = u128::try_from(LABELS_MAX).unwrap();
    for number in 0..most {
        assert_eq!(label(number), Uuid::from_u128(number).to_string());
    }
    assert_eq!((label(most), label(most + 1)), (OTHER.to_owned(), OTHER.to_owned()));
    // Forgotten and called again.
    guards.lock().guards.clear();
    assert_eq!((label(0), label(most + 1)), (Uuid::from_u128(0).to_string(), OTHER.to_owned()));
}

#[test]
fn the_services_that_share_a_label_add_up() {
    let recorded = Recorded::default();
    metrics::with_local_recorder(&recorded, || {
        let guards = Guards::default();
        let most = u128::try_from(LABELS_MAX).unwrap();
        (0..most).for_each(|number| drop(guards.of(service(number))));
        let ill = [guards.of(service(most)), guards.of(service(most + 1))];
        ill.iter().for_each(|guard| assert_eq!(sessions(guard, 20, Ok(500)), 20));
        assert_eq!(recorded.value("tollhouse_breaker_state other"), 4.0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_service_that_nobody_calls_is_forgotten_with_its_trouble() {
    let recorded = Recorded::default();
    let _recorder = metrics::set_default_local_recorder(&recorded);
    let guards = Guards::default();
    sessions(&guards.of(service(1)), 20, Ok(500));
    let held = guards.of(service(2));
    let state = format!("tollhouse_breaker_state {}", Uuid::from_u128(1));
    tokio::time::advance(IDLE_MAX).await;
    guards.sweep();
    assert_eq!((guards.lock().guards.len(), recorded.value(&state)), (2, 2.0));
    tokio::time::advance(Duration::from_millis(1)).await;
    guards.sweep();
    assert_eq!((guards.lock().guards.len(), recorded.value(&state)), (1, 0.0));
    assert!(Arc::ptr_eq(&held, &guards.of(service(2))), "somebody is on the way to it");
}

#[tokio::test(start_paused = true)]
async fn one_probe_decides() {
    let guards = Guards::default();
    let guard = guards.of(service(1));
    sessions(&guard, 20, Ok(500));
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(sessions(&guard, 1, Ok(502)), 1);
    assert_eq!(sessions(&guard, 1, Ok(200)), 0);
    tokio::time::advance(Duration::from_secs(3)).await;
    let probe = guard.enter().unwrap();
    assert_eq!(guard.enter().unwrap_err(), Unavailable::Broken);
    probe.teller().tell(&exchange(Ok(422)));
    drop(probe);
    assert_eq!(sessions(&guard, 50, Ok(200)), 50);
}

#[test]
fn what_is_not_stored_yet_has_a_guard_per_account_and_definition() {
    let guards = Guards::default();
    let accounts = ["default", "other"].map(|id| MerchantAccountId::parse(id).unwrap());
    let of = |account: &MerchantAccountId, definition| guards.of(Guarded::Unstored(account, definition));
    let first = of(&accounts[0], "a-card");
    assert_eq!(first.label().as_ref(), UNSTORED);
    assert!(Arc::ptr_eq(&first, &of(&accounts[0], "a-card")));
    assert!(!Arc::ptr_eq(&first, &of(&accounts[0], "b-card")));
    assert!(!Arc::ptr_eq(&first, &of(&accounts[1], "a-card")));
}
