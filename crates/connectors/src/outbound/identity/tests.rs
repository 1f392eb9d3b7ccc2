//! What is remembered, and for how long.

use std::time::Duration;

use testkit::provider::{Authority, Validity};
use tokio::time;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_identity_is_forgotten_when_nobody_uses_it() {
    let (tls, identities) = (Tls::new(None).unwrap(), Identities::default());
    let client = Authority::new().issue_client("shop", Validity::Current);
    let pem = IdentityPem { certificate: Some(client.pem()), key: Some(client.key_pem()), roots: None };
    let first = identities.get(&pem, &tls).unwrap();
    time::advance(IDLE_MAX - Duration::from_secs(1)).await;
    assert!(Arc::ptr_eq(&first, &identities.get(&pem, &tls).unwrap()));
    time::advance(IDLE_MAX).await;
    identities.sweep();
    assert_eq!(identities.lock().len(), 1, "the second use counts");
    time::advance(Duration::from_secs(1)).await;
    identities.sweep();
    assert!(identities.lock().is_empty());
    assert!(!Arc::ptr_eq(&first, &identities.get(&pem, &tls).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_identities_the_oldest_goes() {
    let (tls, identities) = (Tls::new(None).unwrap(), Identities::default());
    let root = Authority::new().pem();
    let get = |n: usize| {
        let roots = format!("{n}\n{root}");
        identities.get(&IdentityPem { certificate: None, key: None, roots: Some(&roots) }, &tls).unwrap()
    };
    let (first, second) = (get(1), get(2));
    for n in 3..=IDENTITIES_MAX {
        get(n);
    }
    time::advance(Duration::from_secs(1)).await;
    assert!(Arc::ptr_eq(&first, &get(1)), "used last");
    // All others are equally old; one of them makes room.
    get(0);
    assert_eq!(identities.lock().len(), IDENTITIES_MAX);
    assert!(identities.lock().contains_key(&first.fingerprint));
    drop(second);
}

#[test]
fn a_fingerprint_is_of_each_part() {
    let of = |certificate, key, roots| Fingerprint::of(&IdentityPem { certificate, key, roots }).0;
    let all = [
        of(None, None, None),
        of(Some("ab"), Some("c"), None),
        of(Some("a"), Some("bc"), None),
        of(Some("a"), Some("b"), Some("c")),
        of(Some("abc"), None, None),
        of(None, Some("abc"), None),
        of(Some(""), Some("abc"), None),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(all.iter().skip(index + 1).all(|other| one != other), "{index}");
    }
}
