//! Calls through a forward proxy: TLS inside of a tunnel, and what is said when there is none.

use connectors::outbound::{EgressRefusal, Proxy};
use testkit::provider::{Authority, Identity, Options, Provider, Validity};
use testkit::proxy::{Asked, Proxy as Stand, Tunnelling};

use super::*;

/// A client that knows no name and may reach nothing that is not public.
fn through(address: impl std::fmt::Display, authority: &Authority) -> Outbound {
    through_with(address, EgressPolicy { allow: Vec::new(), allow_http: false }, authority)
}

fn through_with(address: impl std::fmt::Display, egress: EgressPolicy, authority: &Authority) -> Outbound {
    let proxy = Some(Proxy::parse(&format!("http://{address}")).unwrap());
    let extra_roots = Some(authority.pem().into_bytes());
    Outbound::new(OutboundOptions { egress, proxy, extra_roots, resolution: names(&[]), ..options() }).unwrap()
}

async fn behind(speaking: fn(Identity) -> Options) -> (Authority, Provider, Stand) {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], Validity::Current);
    let provider = Provider::start(speaking(identity)).await;
    let stand = Stand::start(provider.address()).await;
    (authority, provider, stand)
}

fn asked(target: &str) -> Asked {
    Asked { target: target.to_owned(), authorization: None }
}

#[tokio::test]
async fn tls_runs_inside_of_a_tunnel_and_the_name_is_resolved_by_the_proxy() {
    let speaking: [fn(Identity) -> Options; 2] = [Options::tls, Options::http2];
    for (speaking, version) in speaking.into_iter().zip(["HTTP/1.1", "HTTP/2"]) {
        let (authority, provider, stand) = behind(speaking).await;
        let outbound = through(format!("user:open%20sesame@{}", stand.address()), &authority);
        for _ in 0..3 {
            answered(send(&outbound, &format!("https://{NAME}/v1?x=y")).await);
        }
        let received = provider.requests();
        assert_eq!((received.len(), received[0].version, received[0].target.as_str()), (3, version, "/v1?x=y"));
        assert!(received[0].header("proxy-authorization").is_none(), "what is for the proxy ends there");
        let authorization = Some("Basic dXNlcjpvcGVuIHNlc2FtZQ==".to_owned());
        assert_eq!(stand.journal(), [Asked { target: format!("{NAME}:443"), authorization }], "one tunnel for all three");
    }
}

#[tokio::test]
async fn the_certificate_is_that_of_the_service_and_not_of_whoever_stands_between() {
    let (_, provider, stand) = behind(Options::tls).await;
    let outbound = through(stand.address(), &Authority::new());
    failed(&send(&outbound, &format!("https://{NAME}/")).await, Delivered::No, CallFailure::Tls);
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_delivers_nothing() {
    let (authority, provider, stand) = behind(Options::tls).await;
    let outbound = through(stand.address(), &authority);
    let bytes = |text: &str| Tunnelling::Answer(text.as_bytes().to_vec());
    // What the proxy does, what is said, and how often it is asked.
    for (tunnelling, failure, attempts) in [
        (bytes("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), CallFailure::Proxy, 1),
        (bytes("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"), CallFailure::Proxy, 1),
        (bytes("220 mail.example.com ESMTP\r\n\r\n"), CallFailure::Proxy, 1),
        (bytes("HTTP/1.1 200"), CallFailure::Proxy, 3),
        (bytes("HTTP/1.1 502 Bad Gateway\r\n\r\n"), CallFailure::Connect, 3),
        (Tunnelling::Close, CallFailure::Proxy, 3),
    ] {
        let before = stand.journal().len();
        stand.tell(tunnelling);
        failed(&send(&outbound, &format!("https://{NAME}/")).await, Delivered::No, failure);
        assert_eq!(stand.journal().len() - before, attempts);
    }
    stand.tell(Tunnelling::Silence);
    let exchange = send_within(&outbound, &format!("https://{NAME}/"), SCANT).await;
    failed(&exchange, Delivered::No, CallFailure::Proxy);
    assert!(exchange.elapsed < SCANT + MARGIN, "{exchange:?}");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    failed(&send(&through(nobody, &authority), &format!("https://{NAME}/")).await, Delivered::No, CallFailure::Proxy);
    failed(&send(&through("nowhere.test:1", &authority), &format!("https://{NAME}/")).await, Delivered::No, CallFailure::Proxy);
    assert_eq!(provider.connections(), 0);
}

/// Row R30 behind a proxy: it is asked for nothing that would be refused without it.
#[tokio::test]
async fn r30_the_guard_looks_at_what_the_url_says_before_the_proxy_is_asked() {
    let (authority, _provider, stand) = behind(Options::tls).await;
    let outbound = through(stand.address(), &authority);
    for (url, refusal) in [
        ("https://127.0.0.1/", EgressRefusal::Address),
        ("https://2130706433/", EgressRefusal::Address),
        ("https://169.254.169.254/latest/meta-data/", EgressRefusal::Address),
        ("https://[::1]/", EgressRefusal::Address),
        ("https://[::ffff:10.0.0.1]/", EgressRefusal::Address),
        ("https://localhost/", EgressRefusal::Address),
        ("https://api.localhost./", EgressRefusal::Address),
        ("http://pay.example.test/", EgressRefusal::Scheme),
        ("https://user@pay.example.test/", EgressRefusal::UserInfo),
        ("https://pay.example.test:8443/", EgressRefusal::Port),
        ("https://8.8.8.8:8443/", EgressRefusal::Port),
    ] {
        failed(&send(&outbound, url).await, Delivered::No, CallFailure::Refused(refusal));
    }
    // An allowed network makes no other port of a name possible: nobody here knows where the name leads.
    let allowing = EgressPolicy { allow: vec!["10.0.0.0/8".parse().unwrap()], allow_http: true };
    let outbound = through_with(stand.address(), allowing, &authority);
    failed(&send(&outbound, "https://pay.example.test:8443/").await, Delivered::No, CallFailure::Refused(EgressRefusal::Port));
    assert_eq!(stand.journal(), []);
}

#[tokio::test]
async fn what_is_near_is_called_past_the_proxy_and_all_else_through_it() {
    let near = Provider::start(Options::plain()).await;
    let stand = Stand::start(near.address()).await;
    let outbound = through_with(stand.address(), options().egress, &Authority::new());
    for host in ["127.0.0.1", "localhost"] {
        answered(send(&outbound, &near.url_at(host, "/")).await);
    }
    let simulated = post(&near.url("/sim"));
    answered(outbound.send(&simulated, &terms(Route::Simulator, AMPLE, Resend::Never)).await);
    assert_eq!(stand.journal(), []);
    // Plain HTTP, public addresses, and another port where the operator has written it.
    answered(send(&outbound, "http://pay.example.test/").await);
    answered(send(&outbound, "http://8.8.8.8/").await);
    answered(outbound.send(&post("http://pay.example.test:8080/"), &terms(Route::Override, AMPLE, Resend::Never)).await);
    assert_eq!(stand.journal(), [asked("pay.example.test:80"), asked("8.8.8.8:80"), asked("pay.example.test:8080")]);
    assert_eq!(near.requests().len(), 6);
}
