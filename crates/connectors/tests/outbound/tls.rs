//! Whom we believe to be the payment service.

use connectors::outbound::{OutboundError, Route};
use testkit::provider::{Authority, Greeting, Identity, Options, Provider, Then, Validity};

use super::*;

async fn check_refused(options: Options, authority: &Authority, greeting: Greeting) {
    let what = format!("{greeting:?}");
    let provider = Provider::start(options).await;
    provider.greet(greeting);
    let exchange = send(&trusting(authority), &provider.url_at(NAME, "/")).await;
    assert_eq!((exchange.delivered, exchange.result.err()), (Delivered::No, Some(CallFailure::Tls)), "{what}");
    assert!(provider.requests().is_empty(), "{what}");
    // A judgement does not change, so it is asked for once.
    assert_eq!(provider.connections(), 1, "{what}");
}

/// Row R33.
#[tokio::test]
async fn r33_certificates_that_prove_nothing_are_refused() {
    let authority = Authority::new();
    let bad = [
        Identity::self_signed(&[NAME]),
        authority.issue(&[NAME], Validity::Expired),
        authority.issue(&["other.example.test"], Validity::Current),
        authority.issue(&["127.0.0.1"], Validity::Current),
        Authority::new().issue(&[NAME], Validity::Current),
    ];
    for identity in bad {
        check_refused(Options::tls(identity), &authority, Greeting::Serve).await;
    }
}

/// Row R33: a server that knows nothing newer than TLS 1.1, and ones that speak something else.
#[tokio::test]
async fn r33_old_and_other_protocols_are_refused() {
    let authority = Authority::new();
    // A ServerHello of TLS 1.1 with an empty session id and TLS_RSA_WITH_AES_128_CBC_SHA.
    let mut tls_1_1 = vec![0x16, 0x03, 0x02, 0x00, 42, 0x02, 0x00, 0x00, 38, 0x03, 0x02];
    tls_1_1.extend_from_slice(&[7; 32]);
    tls_1_1.extend_from_slice(&[0x00, 0x00, 0x2f, 0x00]);
    for bytes in [
        tls_1_1,
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"\xde\xad\xbe\xef garbage".to_vec(),
        // Alert: fatal, protocol version.
        vec![0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46],
    ] {
        let identity = authority.issue(&[NAME], Validity::Current);
        check_refused(Options::tls(identity), &authority, Greeting::Bytes(bytes, Then::Close)).await;
    }
}

#[tokio::test]
async fn https_is_not_spoken_to_a_server_of_plain_http() {
    let provider = Provider::start(Options::plain()).await;
    let url = format!("https://{NAME}:{}/", provider.address().port());
    let exchange = send_within(&outbound(), &url, SCANT).await;
    assert_eq!(exchange.delivered, Delivered::No, "{exchange:?}");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn without_the_bundle_the_authority_is_a_stranger() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&[NAME], Validity::Current))).await;
    failed(&send(&outbound(), &provider.url_at(NAME, "/")).await, Delivered::No, CallFailure::Tls);
    answered(send(&trusting(&authority), &provider.url_at(NAME, "/")).await);
    answered(send(&trusting(&authority), &provider.url_at("Pay.Example.Test.", "/")).await);
}

#[tokio::test]
async fn a_certificate_for_an_address_is_checked_against_it() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    answered(send(&trusting(&authority), &provider.url("/")).await);
}

/// A certificate of the wrong name is refused under an override too: there is no way around it.
#[tokio::test]
async fn an_override_changes_nothing_about_certificates() {
    let provider = Provider::start(Options::tls(Identity::self_signed(&[NAME]))).await;
    let request = post(&provider.url_at(NAME, "/"));
    let exchange = outbound().send(&request, &terms(Route::Override, AMPLE, Resend::Declared)).await;
    failed(&exchange, Delivered::No, CallFailure::Tls);
}

#[test]
fn a_bundle_that_is_none_stops_the_start() {
    for bundle in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let made = Outbound::new(OutboundOptions { extra_roots: Some(bundle.into()), ..options() });
        assert!(matches!(made, Err(OutboundError::ExtraRoots(_))), "{bundle}");
    }
}
