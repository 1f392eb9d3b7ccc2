//! What the guard refuses before anybody is asked or called.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use domain::session::Delivered;
use http::{HeaderMap, Method};
use tokio::time::Instant;

use super::super::{
    Backoff, CALL_TIMEOUT, CONNECT_TIMEOUT, CallFailure, Outbound, OutboundOptions, OutgoingRequest, Proxy, Resend, Resolution, Terms,
};
use super::EgressRefusal::{Address, Port, Scheme, UserInfo};
use super::*;
use crate::fixtures::measured::Measured;
use crate::guard::Budget;

const NOTHING: EgressPolicy = EgressPolicy { allow: Vec::new(), allow_http: false };

fn check(policy: &EgressPolicy, route: Route, url: &str) -> Result<(), EgressRefusal> {
    policy.check_url(&Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")), &route)
}

fn allowing(nets: &[&str]) -> EgressPolicy {
    EgressPolicy { allow: nets.iter().map(|net| net.parse().unwrap()).collect(), allow_http: false }
}

const HOSTILE: [(&str, EgressRefusal); 79] = [
    // Loopback, in every spelling.
    ("https://127.0.0.1/", Address),
    ("https://127.255.255.254/", Address),
    ("https://127.1/", Address),
    ("https://2130706433/", Address),
    ("https://0x7f000001/", Address),
    ("https://0x7f.0.0.1/", Address),
    ("https://017700000001/", Address),
    ("https://0177.0.0.1/", Address),
    ("https://127.0.0.1./", Address),
    ("https://%31%32%37.0.0.1/", Address),
    ("https://１２７.0.0.1/", Address),
    ("https://127。0。0。1/", Address),
    ("https://localhost/", Address),
    ("https://LOCALHOST/", Address),
    ("https://localhost./", Address),
    ("https://api.localhost/", Address),
    ("https://a.b.localhost./", Address),
    ("https://[::1]/", Address),
    ("https://[0:0:0:0:0:0:0:1]/", Address),
    // The machine itself.
    ("https://0.0.0.0/", Address),
    ("https://0/", Address),
    ("https://0.1.2.3/", Address),
    ("https://[::]/", Address),
    // Private.
    ("https://10.0.0.1/", Address),
    ("https://10.255.255.255/", Address),
    ("https://172.16.0.1/", Address),
    ("https://172.31.255.255/", Address),
    ("https://192.168.1.1/", Address),
    ("https://0xc0a80101/", Address),
    ("https://[fc00::1]/", Address),
    ("https://[fd12:3456:789a::1]/", Address),
    // Link-local, where metadata is.
    ("https://169.254.169.254/latest/meta-data/", Address),
    ("https://0xa9fea9fe/", Address),
    ("https://2852039166/", Address),
    ("https://0251.0376.0251.0376/", Address),
    ("https://[fe80::1]/", Address),
    ("https://[febf::1]/", Address),
    ("https://[fec0::1]/", Address),
    // Shared, assigned, for benchmarks and documents, reserved.
    ("https://100.64.0.1/", Address),
    ("https://100.127.255.255/", Address),
    ("https://192.0.0.192/", Address),
    ("https://192.0.2.1/", Address),
    ("https://192.88.99.1/", Address),
    ("https://198.18.0.1/", Address),
    ("https://198.19.255.255/", Address),
    ("https://198.51.100.1/", Address),
    ("https://203.0.113.1/", Address),
    ("https://224.0.0.1/", Address),
    ("https://239.255.255.255/", Address),
    ("https://240.0.0.1/", Address),
    ("https://255.255.255.255/", Address),
    ("https://[ff02::1]/", Address),
    ("https://[2001:db8::1]/", Address),
    ("https://[3fff::1]/", Address),
    ("https://[100::1]/", Address),
    // IPv4 inside IPv6.
    ("https://[::ffff:127.0.0.1]/", Address),
    ("https://[::ffff:8.8.8.8]/", Address),
    ("https://[::127.0.0.1]/", Address),
    ("https://[64:ff9b::7f00:1]/", Address),
    ("https://[64:ff9b:1::1]/", Address),
    ("https://[2002:7f00:1::]/", Address),
    ("https://[2001:0:7f00:1::]/", Address),
    // Not what a payment service is called by.
    ("http://api.example.com/", Scheme),
    ("http://127.0.0.1/", Scheme),
    ("ftp://api.example.com/", Scheme),
    ("file:///etc/passwd", Scheme),
    ("gopher://127.0.0.1:25/x", Scheme),
    ("ws://api.example.com/", Scheme),
    ("data:text/plain,x", Scheme),
    ("javascript:alert(1)", Scheme),
    ("https://user@api.example.com/", UserInfo),
    ("https://user:password@api.example.com/", UserInfo),
    ("https://:password@api.example.com/", UserInfo),
    ("https://api.example.com@127.0.0.1/", UserInfo),
    ("https://api.example.com:8443/", Port),
    ("https://api.example.com:22/", Port),
    ("https://api.example.com:80/", Port),
    ("https://api.example.com:0/", Port),
    ("https://8.8.8.8:8443/", Port),
];

/// Row R30.
#[test]
fn r30_hostile_urls_are_refused() {
    for (url, refusal) in HOSTILE {
        assert_eq!(check(&NOTHING, Route::Guarded, url), Err(refusal), "{url}");
    }
}

/// Row R30 once more: what was refused when somebody looked at it is refused when it is called, and nothing is connected to. A proxy changes nothing.
#[tokio::test]
async fn r30_hostile_urls_are_refused_again_when_they_are_called() {
    let measured = Measured::default();
    let _recorder = metrics::set_default_local_recorder(&measured);
    for proxy in [None, Some(Proxy::parse("http://127.0.0.1:1").unwrap())] {
        let options = OutboundOptions {
            egress: NOTHING,
            proxy,
            extra_roots: None,
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            resolution: Resolution::Fixed(BTreeMap::new()),
            backoff: Backoff::Fixed(Duration::ZERO),
        };
        let outbound = Outbound::new(options).unwrap();
        for (url, refusal) in HOSTILE {
            let (headers, body) = (HeaderMap::new(), Bytes::new());
            let request = OutgoingRequest { method: Method::POST, url: Url::parse(url).unwrap(), headers, body, identity: None };
            let budget = Budget::default();
            let deadline = Instant::now() + CALL_TIMEOUT;
            let terms = Terms { route: Route::Guarded, deadline, resend: Resend::Declared, budget: &budget };
            let exchange = outbound.send(&request, &terms).await;
            assert_eq!((exchange.delivered, exchange.result.err()), (Delivered::No, Some(CallFailure::Refused(refusal))), "{url}");
        }
    }
    assert!(measured.of("tollhouse_outbound_connections_total").is_empty(), "{measured:?}");
}

#[test]
fn public_addresses_and_names_pass() {
    for url in [
        "https://api.example.com/",
        "https://api.example.com:443/v1?x=y#z",
        "https://API.Example.com./",
        "https://bücher.example/",
        "https://8.8.8.8/",
        "https://100.63.255.255/",
        "https://100.128.0.0/",
        "https://172.15.255.255/",
        "https://172.32.0.0/",
        "https://198.17.255.255/",
        "https://223.255.255.255/",
        "https://[2606:4700::1111]/",
        "https://[2001:4860:4860::8888]/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
    ] {
        assert_eq!(check(&NOTHING, Route::Guarded, url), Ok(()), "{url}");
    }
}

#[test]
fn an_allowed_address_may_be_called_on_any_port_and_no_other() {
    let policy = allowing(&["127.0.0.0/8", "10.1.0.0/16"]);
    for url in ["https://127.0.0.1:9000/", "https://10.1.2.3:9000/", "https://localhost:9000/", "https://api.localhost/"] {
        assert_eq!(check(&policy, Route::Guarded, url), Ok(()), "{url}");
    }
    assert_eq!(check(&policy, Route::Guarded, "https://10.2.0.1/"), Err(EgressRefusal::Address));
    assert_eq!(check(&policy, Route::Guarded, "https://[::1]:9000/"), Err(EgressRefusal::Address));
    assert_eq!(check(&policy, Route::Guarded, "https://[::ffff:127.0.0.1]/"), Err(EgressRefusal::Address));
    assert_eq!(check(&policy, Route::Guarded, "https://8.8.8.8:9000/"), Err(EgressRefusal::Port));
    assert_eq!(check(&policy, Route::Guarded, "http://127.0.0.1/"), Err(EgressRefusal::Scheme));
}

#[test]
fn an_override_is_exempt_from_the_port_rule_only() {
    assert_eq!(check(&NOTHING, Route::Override, "https://api.example.com:8443/"), Ok(()));
    assert_eq!(check(&NOTHING, Route::Override, "https://8.8.8.8:8443/"), Ok(()));
    assert_eq!(check(&NOTHING, Route::Override, "https://127.0.0.1:8443/"), Err(EgressRefusal::Address));
    assert_eq!(check(&NOTHING, Route::Override, "https://localhost:8443/"), Err(EgressRefusal::Address));
    assert_eq!(check(&NOTHING, Route::Override, "http://api.example.com/"), Err(EgressRefusal::Scheme));
    assert_eq!(check(&NOTHING, Route::Override, "https://user@api.example.com/"), Err(EgressRefusal::UserInfo));
}

#[test]
fn plain_http_is_a_switch_of_its_own() {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true };
    assert_eq!(check(&policy, Route::Guarded, "http://127.0.0.1:9000/"), Ok(()));
    assert_eq!(check(&policy, Route::Guarded, "http://10.0.0.1/"), Err(EgressRefusal::Address));
    assert_eq!(check(&policy, Route::Guarded, "http://8.8.8.8:443/"), Err(EgressRefusal::Port));
}

#[test]
fn the_simulator_is_exempt() {
    assert_eq!(check(&NOTHING, Route::Simulator, "http://127.0.0.1:4000/sim/x"), Ok(()));
}

#[test]
fn one_bad_address_refuses_a_name() {
    let policy = allowing(&["10.1.0.0/16"]);
    let target = policy.target(&Url::parse("https://api.example.com/").unwrap(), &Route::Guarded).unwrap();
    let check = |addresses: &[&str]| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        policy.admit_all(&target, &addresses)
    };
    assert_eq!(check(&["8.8.8.8", "2606:4700::1111"]), Ok(()));
    assert_eq!(check(&["8.8.8.8", "10.1.0.1"]), Ok(()));
    assert_eq!(check(&["8.8.8.8", "10.0.0.1"]), Err(EgressRefusal::Address));
    assert_eq!(check(&["::1", "8.8.8.8"]), Err(EgressRefusal::Address));
}

#[test]
fn a_name_on_another_port_needs_allowed_addresses() {
    let policy = allowing(&["10.1.0.0/16"]);
    let target = policy.target(&Url::parse("https://api.example.com:8443/").unwrap(), &Route::Guarded).unwrap();
    assert_eq!(policy.admit_all(&target, &["10.1.0.1".parse().unwrap()]), Ok(()));
    assert_eq!(policy.admit_all(&target, &["10.1.0.1".parse().unwrap(), "8.8.8.8".parse().unwrap()]), Err(EgressRefusal::Port));
}
