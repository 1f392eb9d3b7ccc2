//! Where no call goes.

use connectors::outbound::{EgressRefusal, Route};
use testkit::provider::{Options, Provider};

use super::*;

fn strict(resolution: Resolution) -> Outbound {
    Outbound::new(OutboundOptions { egress: EgressPolicy { allow: Vec::new(), allow_http: false }, resolution, ..options() }).unwrap()
}

/// Row R30 at the moment of calling: the provider is there and would answer.
#[tokio::test]
async fn r30_a_refused_address_is_not_connected_to() {
    let provider = Provider::start(Options::plain()).await;
    let port = provider.address().port();
    let outbound = strict(names(&[]));
    for (url, refusal) in [
        (format!("https://127.0.0.1:{port}/"), EgressRefusal::Address),
        (format!("https://2130706433:{port}/"), EgressRefusal::Address),
        (format!("https://0x7f.1:{port}/"), EgressRefusal::Address),
        (format!("https://[::ffff:127.0.0.1]:{port}/"), EgressRefusal::Address),
        (format!("https://0.0.0.0:{port}/"), EgressRefusal::Address),
        (format!("https://localhost.:{port}/"), EgressRefusal::Address),
        (format!("http://127.0.0.1:{port}/"), EgressRefusal::Scheme),
        (format!("https://x@pay.example.test:{port}/"), EgressRefusal::UserInfo),
        (format!("https://pay.example.test:{port}/"), EgressRefusal::Port),
    ] {
        for route in [Route::Guarded, Route::Override] {
            let exchange = outbound.send(&post(&url), &terms(route, AMPLE, Resend::Declared)).await;
            if route == Route::Override && refusal == EgressRefusal::Port {
                failed(&exchange, Delivered::No, CallFailure::Dns);
            } else {
                failed(&exchange, Delivered::No, CallFailure::Refused(refusal));
            }
        }
    }
    assert_eq!(provider.connections(), 0);
}

/// Row R31: whoever owns the name could otherwise choose which of its addresses is called.
#[tokio::test]
async fn r31_a_name_with_a_private_address_is_refused() {
    let provider = Provider::start(Options::plain()).await;
    let outbound = strict(names(&[
        ("private.test", &["10.0.0.1"]),
        ("loopback.test", &["127.0.0.1"]),
        ("mixed.test", &["8.8.8.8", "127.0.0.1"]),
        ("mixed-six.test", &["8.8.8.8", "2606:4700::1111", "::1"]),
        ("mapped.test", &["::ffff:127.0.0.1"]),
        ("metadata.test", &["169.254.169.254"]),
    ]));
    for name in ["private.test", "loopback.test", "mixed.test", "mixed-six.test", "mapped.test", "metadata.test", "MIXED.test."] {
        for url in [format!("https://{name}/"), format!("https://{name}:{}/", provider.address().port())] {
            let exchange = outbound.send(&post(&url), &terms(Route::Override, AMPLE, Resend::Never)).await;
            failed(&exchange, Delivered::No, CallFailure::Refused(EgressRefusal::Address));
        }
    }
    assert_eq!(provider.connections(), 0);
}

/// Part of the addresses allowed is not enough.
#[tokio::test]
async fn r31_every_address_of_a_name_must_be_allowed() {
    let provider = Provider::start(Options::plain()).await;
    let table = names(&[("mixed.test", &["127.0.0.1", "10.0.0.1"]), ("good.test", &["127.0.0.1"])]);
    let outbound = Outbound::new(OutboundOptions { resolution: table, ..options() }).unwrap();
    let exchange = send(&outbound, &provider.url_at("mixed.test", "/")).await;
    failed(&exchange, Delivered::No, CallFailure::Refused(EgressRefusal::Address));
    assert_eq!(provider.connections(), 0);
    answered(send(&outbound, &provider.url_at("good.test", "/")).await);
}

#[tokio::test]
async fn localhost_is_known_without_asking() {
    let provider = Provider::start(Options::plain()).await;
    let outbound = outbound();
    for name in ["localhost", "LocalHost.", "api.localhost"] {
        answered(send(&outbound, &provider.url_at(name, "/")).await);
    }
    assert_eq!(provider.wait_for_requests(3).await.len(), 3);
}

#[tokio::test]
async fn a_silent_address_does_not_hold_the_next_one_up_for_long() {
    let provider = Provider::start(Options::plain()).await;
    // Nobody listens on the other addresses of the loopback network, so they refuse at once.
    let table = names(&[("many.test", &["127.0.0.2", "127.0.0.3", "127.0.0.1"])]);
    let outbound = Outbound::new(OutboundOptions { resolution: table, ..options() }).unwrap();
    answered(send(&outbound, &provider.url_at("many.test", "/")).await);
    assert_eq!(provider.connections(), 1);
}

/// Whatever name servers this machine has, or none: the name can not exist, nothing is sent, and nobody waits for longer than they said.
#[tokio::test]
async fn the_names_of_the_machine_are_asked_for_in_bounded_time() {
    let outbound = strict(Resolution::System);
    let exchange = send_within(&outbound, "https://nowhere.invalid/", SCANT).await;
    assert_eq!(exchange.delivered, Delivered::No, "{exchange:?}");
    assert!(matches!(exchange.result, Err(CallFailure::Dns | CallFailure::Timeout)), "{exchange:?}");
    assert!(exchange.elapsed < SCANT + MARGIN, "{exchange:?}");
}
