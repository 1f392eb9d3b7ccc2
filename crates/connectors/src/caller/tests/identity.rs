//! Client certificates on the way from the stored values to the wire.

use testkit::provider::Identity;

use super::*;
use crate::model::Tls;

/// The plain provider, for callers with a certificate.
fn keyed() -> Provider {
    let mut keyed = plain();
    let more = provider(&["certificate", "secret_key", "roots"]).fields.into_iter().take(3);
    keyed.fields.splice(0..0, more);
    keyed.tls = Some(Tls { certificate: named("certificate"), key: named("secret_key"), roots: Some(named("roots")) });
    keyed
}

fn access_with(provider: Provider, identity: &[(&str, &str)]) -> Access {
    access(provider, &[STORED, identity].concat())
}

#[tokio::test]
async fn every_call_shows_the_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let client = clients.issue_client("shop", Validity::Current);
    let own = authority.issue(&["127.0.0.1"], Validity::Current);
    let stand = Stand::start(Options::tls(own).for_clients_of(&clients)).await;
    let caller = caller(&stand.url("/base"), &["127.0.0.0/8"]);
    let mut provider = with_token();
    provider.fields = keyed().fields;
    provider.tls = keyed().tls;
    let roots = authority.pem();
    let access = access_with(provider, &[("certificate", client.pem()), ("secret_key", client.key_pem()), ("roots", &roots)]);
    stand.answer(|_| Reply::json(200, r#"{"access_token":"t","id":"s-1"}"#));
    assert_eq!(seen(&session(&caller, &access).await), (None, Some(200), Delivered::Yes));
    assert_eq!(caller.verify(&access, &ATTEMPT).await, Verification::Accepted);
    let requests = stand.requests();
    assert_eq!(
        requests.iter().map(|request| request.target.as_str()).collect::<Vec<_>>(),
        ["/base/token", "/base/sessions", "/base/token"]
    );
    assert!(requests.iter().all(|request| request.is_from(&client)));
}

/// What is checked when it is stored may have been stored before a file asked for it.
#[tokio::test]
async fn values_that_are_no_certificate_send_nothing() {
    let (stand, caller) = stand().await;
    let client = Identity::self_signed(&["shop.example"]);
    let (pem, key) = (client.pem(), client.key_pem());
    for values in [
        &[("certificate", "no certificate"), ("secret_key", key)][..],
        &[("certificate", pem), ("secret_key", "no key")],
        &[("certificate", pem), ("secret_key", Identity::self_signed(&["shop.example"]).key_pem())],
        &[("certificate", pem)],
        &[("secret_key", key)],
        &[("certificate", pem), ("secret_key", key), ("roots", "no roots")],
    ] {
        let access = access_with(keyed(), values);
        let outcome = session(&caller, &access).await;
        assert_eq!(seen(&outcome), (Some(SessionCode::InvalidServiceConfiguration), None, Delivered::No));
        assert_eq!(caller.verify(&access, &ATTEMPT).await, Verification::Refused);
    }
    assert_eq!(stand.connections(), 0);
}

#[tokio::test]
async fn without_values_and_over_plain_http_nothing_is_shown() {
    let (stand, caller) = stand().await;
    let client = Identity::self_signed(&["shop.example"]);
    for values in [&[][..], &[("certificate", client.pem()), ("secret_key", client.key_pem())]] {
        assert_eq!(seen(&session(&caller, &access_with(keyed(), values)).await), (None, Some(200), Delivered::Yes));
    }
    assert!(stand.requests().iter().all(|request| request.client.is_none()));
}
