//! Who we are towards a payment service that knows its callers by a certificate.

use std::sync::Arc;

use connectors::outbound::{Identity as Shown, IdentityError, IdentityPem};
use connectors::pem::PemError;
use testkit::provider::{Authority, Greeting, Identity, Options, Provider, Reply, Then, Validity};

use super::*;

/// The authority of the provider's certificate, that of its clients', and the provider's certificate.
struct Cast {
    server: Authority,
    clients: Authority,
}

impl Cast {
    fn new() -> Self {
        Self { server: Authority::new(), clients: Authority::new() }
    }

    /// Every way to ask for a certificate, and whether it is refused before the client can send anything.
    fn providers(&self) -> [(Options, bool); 4] {
        let identity = || self.server.issue(&[NAME], Validity::Current);
        [
            (Options::tls(identity()).for_clients_of(&self.clients), false),
            (Options::http2(identity()).for_clients_of(&self.clients), false),
            (Options::tls(identity()).for_clients_of_over_tls12(&self.clients), true),
            (Options::http2(identity()).for_clients_of_over_tls12(&self.clients), true),
        ]
    }

    async fn http1(&self) -> Provider {
        let [(options, _), ..] = self.providers();
        Provider::start(options).await
    }
}

fn shown(outbound: &Outbound, identity: &Identity, roots: Option<&str>) -> Arc<Shown> {
    outbound.identity(&IdentityPem { certificate: Some(identity.pem()), key: Some(identity.key_pem()), roots }).unwrap()
}

async fn send_as(outbound: &Outbound, url: &str, identity: Option<&Arc<Shown>>, resend: Resend) -> Exchange {
    let request = OutgoingRequest { identity: identity.cloned(), ..post(url) };
    outbound.send(&request, &terms(Route::Guarded, AMPLE, resend)).await
}

#[tokio::test]
async fn the_right_certificate_is_shown() {
    let cast = Cast::new();
    for (options, _) in cast.providers() {
        let provider = Provider::start(options).await;
        let outbound = trusting(&cast.server);
        let client = cast.clients.issue_client("shop", Validity::Current);
        let identity = shown(&outbound, &client, None);
        for _ in 0..3 {
            answered(send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await);
        }
        assert!(provider.requests().iter().all(|request| request.is_from(&client)));
        assert_eq!((provider.requests().len(), provider.connections()), (3, 1), "its connection is kept");
    }
}

/// With TLS 1.2 the client learns of it before it could send. With TLS 1.3 the refusal and the request cross on their way: unless the refusal was faster, it can not be proved that nothing was read.
#[tokio::test]
async fn other_certificates_are_refused_by_the_service() {
    let cast = Cast::new();
    let wrong = [
        None,
        Some(Authority::new().issue_client("shop", Validity::Current)),
        Some(cast.clients.issue_client("shop", Validity::Expired)),
        Some(Identity::self_signed(&["shop.example"])),
    ];
    for client in &wrong {
        for (options, before) in cast.providers() {
            let provider = Provider::start(options).await;
            let outbound = trusting(&cast.server);
            let identity = client.as_ref().map(|client| shown(&outbound, client, None));
            // A judgement does not change: not even a declared request is sent again.
            let exchange = send_as(&outbound, &provider.url_at(NAME, "/"), identity.as_ref(), Resend::Declared).await;
            assert_eq!(exchange.result.as_ref().err(), Some(&CallFailure::Tls), "{exchange:?}");
            assert!(exchange.delivered == Delivered::No || (exchange.delivered == Delivered::Unknown && !before), "{exchange:?}");
            assert_eq!((provider.requests().len(), provider.connections()), (0, 1));
        }
    }
}

#[tokio::test]
async fn a_service_that_asks_for_no_certificate_sees_none() {
    let cast = Cast::new();
    let provider = Provider::start(Options::tls(cast.server.issue(&[NAME], Validity::Current))).await;
    let outbound = trusting(&cast.server);
    let identity = shown(&outbound, &cast.clients.issue_client("shop", Validity::Current), None);
    answered(send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await);
    assert_eq!(provider.requests()[0].client, None);
}

#[tokio::test]
async fn connections_are_never_shared_between_certificates() {
    let cast = Cast::new();
    for (options, _) in cast.providers() {
        let provider = Provider::start(options).await;
        let outbound = trusting(&cast.server);
        let clients = [1, 2, 3].map(|n| cast.clients.issue_client(&format!("shop {n}"), Validity::Current));
        let identities = clients.each_ref().map(|client| shown(&outbound, client, None));
        // The second round finds kept connections, the third one none, so that it would resume TLS sessions.
        for round in 0..3 {
            if round == 2 {
                provider.hang_up();
                provider.wait_for_open(0).await;
            }
            for identity in &identities {
                answered(send_as(&outbound, &provider.url_at(NAME, "/"), Some(identity), Resend::Never).await);
            }
        }
        let requests = provider.requests();
        assert_eq!((requests.len(), provider.connections()), (9, 6));
        for (index, request) in requests.iter().enumerate() {
            let others = requests.iter().filter(|other| other.connection == request.connection);
            assert!(request.is_from(&clients[index % 3]) && others.count() <= 2, "{index}");
            assert!(requests.iter().all(|other| other.connection != request.connection || other.client == request.client));
        }
        // Nor with calls that show nothing: the kept connections are not theirs.
        let exchange = send_as(&outbound, &provider.url_at(NAME, "/"), None, Resend::Never).await;
        assert_eq!(exchange.result.err(), Some(CallFailure::Tls));
    }
}

#[tokio::test]
async fn equal_texts_are_one_identity() {
    let cast = Cast::new();
    let provider = cast.http1().await;
    let outbound = trusting(&cast.server);
    let client = cast.clients.issue_client("shop", Validity::Current);
    for _ in 0..2 {
        answered(send_as(&outbound, &provider.url_at(NAME, "/"), Some(&shown(&outbound, &client, None)), Resend::Never).await);
    }
    assert_eq!(provider.connections(), 1);
    assert!(Arc::ptr_eq(&shown(&outbound, &client, None), &shown(&outbound, &client, None)));
    let roots = cast.server.pem();
    assert!(!Arc::ptr_eq(&shown(&outbound, &client, None), &shown(&outbound, &client, Some(&roots))), "other roots, other connections");
}

#[tokio::test]
async fn private_roots_are_the_only_ones_that_are_trusted() {
    let cast = Cast::new();
    let client = cast.clients.issue_client("shop", Validity::Current);
    let stranger = Authority::new();
    let (own, other) = (cast.server.pem(), stranger.pem());
    let both = format!("{other}{own}");
    // What the operator trusts counts where there are no roots, and only there.
    for (outbound, roots, trusted) in [
        (outbound(), Some(&own), true),
        (outbound(), Some(&both), true),
        (outbound(), Some(&other), false),
        (outbound(), None, false),
        (trusting(&cast.server), Some(&other), false),
        (trusting(&stranger), Some(&own), true),
        (trusting(&cast.server), None, true),
    ] {
        let provider = cast.http1().await;
        let identity = shown(&outbound, &client, roots.map(String::as_str));
        let exchange = send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await;
        if trusted {
            answered(exchange);
        } else {
            failed(&exchange, Delivered::No, CallFailure::Tls);
        }
        assert_eq!(provider.requests().len(), usize::from(trusted), "{roots:?}");
    }
    // A name that the certificate is not for is refused whoever has signed it.
    let provider = Provider::start(Options::tls(cast.server.issue(&["other.example.test"], Validity::Current))).await;
    let outbound = outbound();
    let identity = shown(&outbound, &client, Some(&own));
    let exchange = send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await;
    failed(&exchange, Delivered::No, CallFailure::Tls);
}

#[tokio::test]
async fn roots_alone_show_no_certificate() {
    let cast = Cast::new();
    let provider = Provider::start(Options::http2(cast.server.issue(&[NAME], Validity::Current))).await;
    let outbound = outbound();
    let identity = outbound.identity(&IdentityPem { certificate: None, key: None, roots: Some(&cast.server.pem()) }).unwrap();
    answered(send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await);
}

#[tokio::test]
async fn over_plain_http_there_is_nobody_to_show_it_to() {
    let provider = Provider::start(Options::plain()).await;
    let outbound = outbound();
    let [one, other] = [1, 2].map(|n| shown(&outbound, &Authority::new().issue_client(&format!("shop {n}"), Validity::Current), None));
    for identity in [Some(&one), Some(&other), None] {
        answered(send_as(&outbound, &provider.url("/"), identity, Resend::Never).await);
    }
    assert_eq!((provider.requests().len(), provider.connections()), (3, 1), "without TLS all callers are the same");
}

/// An alert of another kind is a connection that broke, as ever.
#[tokio::test]
async fn only_alerts_about_certificates_are_refusals() {
    let cast = Cast::new();
    let provider = cast.http1().await;
    let outbound = trusting(&cast.server);
    let identity = shown(&outbound, &cast.clients.issue_client("shop", Validity::Current), None);
    provider.reply(Reply::CloseUnanswered);
    let exchange = send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await;
    failed(&exchange, Delivered::Unknown, CallFailure::Reset);
    provider.greet(Greeting::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Then::Close));
    let exchange = send_as(&outbound, &provider.url_at(NAME, "/"), Some(&identity), Resend::Never).await;
    failed(&exchange, Delivered::No, CallFailure::Tls);
}

#[test]
fn what_can_not_be_used_is_no_identity() {
    let outbound = outbound();
    let authority = Authority::new();
    let [one, other] = [1, 2].map(|n| authority.issue_client(&format!("shop {n}"), Validity::Current));
    let check = |certificate: Option<&str>, key: Option<&str>, roots: Option<&str>, expected: IdentityError| {
        let error = outbound.identity(&IdentityPem { certificate, key, roots }).unwrap_err();
        assert_eq!(error, expected);
        assert!(!error.to_string().contains(one.key_pem().lines().nth(1).unwrap()));
    };
    check(Some(one.pem()), None, None, IdentityError::Half);
    check(None, Some(one.key_pem()), None, IdentityError::Half);
    check(Some(one.pem()), Some(other.key_pem()), None, IdentityError::Key(PemError::Mismatch));
    check(Some("x"), Some(one.key_pem()), None, IdentityError::Certificate(PemError::NoCertificate));
    check(Some(one.pem()), Some(one.pem()), None, IdentityError::Key(PemError::NoKey));
    check(Some(one.pem()), Some(one.key_pem()), Some(one.key_pem()), IdentityError::Roots(PemError::NoCertificate));
    let identity = shown(&outbound, &one, None);
    assert_eq!(format!("{identity:?}"), "Identity { .. }");
}
