//! Buckets that fill and empty by a clock that is set.

use std::net::Ipv4Addr;

use super::*;
use crate::testing::{ManualClock, account_id, id};

const ONE_PER_SECOND: Option<NonZeroU32> = NonZeroU32::new(1);
const THREE_PER_SECOND: Option<NonZeroU32> = NonZeroU32::new(3);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn limits(rates: Rates) -> (Limits, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let shared: Arc<dyn Clock> = clock.clone();
    (Limits::new(rates, &shared), clock)
}

fn key(number: u64) -> ApiKeyPairId {
    ApiKeyPairId(id(number))
}

const TOO_MANY: Result<(), Limited> = Err(Limited { retry_after_seconds: 1 });

#[test]
fn r54_a_second_s_worth_passes_at_once_and_the_next_one_does_not() {
    let (limits, clock) = limits(Rates { key_pair: THREE_PER_SECOND, ..Rates::UNLIMITED });
    for _ in 0..3 {
        assert_eq!(limits.key_pair(key(1)), Ok(()));
    }
    assert_eq!(limits.key_pair(key(1)), TOO_MANY);
    assert_eq!(limits.key_pair(key(2)), Ok(()), "another key pair has its own");
    clock.advance_millis(334);
    assert_eq!(limits.key_pair(key(1)), Ok(()), "a third of a second brings one back");
    assert_eq!(limits.key_pair(key(1)), TOO_MANY);
    clock.advance_seconds(60);
    assert_eq!((0..10).filter(|_| limits.key_pair(key(1)).is_ok()).count(), 3, "nothing is saved up");
}

#[test]
fn r54_accounts_and_key_pairs_are_counted_apart_and_off_means_off() {
    let (limits, _) = limits(Rates { merchant_account: ONE_PER_SECOND, ..Rates::UNLIMITED });
    assert_eq!(limits.merchant_account(&account_id("a")), Ok(()));
    assert_eq!(limits.merchant_account(&account_id("a")), TOO_MANY);
    assert_eq!(limits.merchant_account(&account_id("b")), Ok(()));
    for _ in 0..1_000 {
        assert_eq!(limits.key_pair(key(1)), Ok(()));
        assert_eq!(limits.source(HERE).failed(), Ok(()));
        limits.source(HERE).forged(key(1));
        assert_eq!(limits.source(HERE).may_claim(key(1)), Ok(()));
    }
}

#[test]
fn r54_an_address_is_counted_by_what_it_gets_wrong() {
    let (limits, clock) = limits(Rates { failed_authentications: THREE_PER_SECOND, ..Rates::UNLIMITED });
    for _ in 0..3 {
        assert_eq!(limits.source(HERE).failed(), Ok(()));
    }
    assert_eq!(limits.source(HERE).failed(), TOO_MANY);
    assert_eq!(limits.source(THERE).failed(), Ok(()));
    for _ in 0..100 {
        assert_eq!(limits.source(HERE).may_claim(key(1)), Ok(()), "made-up keys take nothing from real ones, and looking takes nothing");
    }
    for _ in 0..3 {
        limits.source(HERE).forged(key(1));
    }
    assert_eq!(limits.source(HERE).may_claim(key(1)), TOO_MANY);
    assert_eq!(limits.source(HERE).may_claim(key(2)), Ok(()), "a neighbour with another key is not held to account");
    assert_eq!(limits.source(THERE).may_claim(key(1)), Ok(()), "and neither is the key elsewhere");
    clock.advance_millis(334);
    assert_eq!(limits.source(HERE).may_claim(key(1)), Ok(()));
}

#[test]
fn an_ipv6_network_counts_as_one_address_and_a_mapped_address_as_what_it_is() {
    let network = |text: &str| Network::of(text.parse().unwrap());
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
}

#[test]
fn those_who_have_their_allowance_again_are_forgotten() {
    let (limits, clock) = limits(Rates { failed_authentications: THREE_PER_SECOND, ..Rates::UNLIMITED });
    let failures = limits.failures.as_ref().unwrap();
    let kept = || (failures.tokens.limiter.len(), failures.signatures.limiter.len());
    for number in 0..10_000_u32 {
        let address = IpAddr::V4(Ipv4Addr::from_bits(number));
        assert_eq!(limits.source(address).may_claim(key(1)), Ok(()));
        assert_eq!(limits.source(address).failed(), Ok(()));
    }
    assert_eq!(kept(), (10_000, 0), "looking leaves nothing behind");
    limits.forget();
    assert_eq!(kept(), (10_000, 0));
    clock.advance_seconds(1);
    assert_eq!(limits.source(HERE).failed(), Ok(()));
    limits.forget();
    assert_eq!(kept(), (1, 0));
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    // The limiter reads what has passed, and not what time it is.
    let clock: Arc<dyn Clock> = Arc::new(crate::SystemClock);
    let before = clock.elapsed();
    assert!(clock.elapsed() >= before);
    let limits = Limits::new(Rates { key_pair: ONE_PER_SECOND, ..Rates::UNLIMITED }, &clock);
    assert_eq!(limits.key_pair(key(1)), Ok(()));
}
