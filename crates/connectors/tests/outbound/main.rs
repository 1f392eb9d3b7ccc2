//! The one way out, against a real payment service on real sockets that misbehaves.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use connectors::outbound::{
    Answer, Backoff, CallFailure, Delivered, EgressPolicy, Exchange, Outbound, OutboundOptions, OutgoingRequest, Resend, Resolution, Route,
    Terms,
};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::Instant;
use url::Url;

mod answers;
mod broken;
mod egress;
mod identity;
mod proxy;
mod resend;
mod reuse;
mod tls;

/// The time limit of calls that are expected to end before it.
const AMPLE: Duration = Duration::from_secs(20);

/// The time limit of calls that are expected to run into it, and by how much they may miss it on a busy machine.
const SCANT: Duration = Duration::from_millis(400);
const MARGIN: Duration = Duration::from_millis(2_500);

const NAME: &str = "pay.example.test";

/// May call 127.0.0.1 on any port and with plain HTTP; knows [`NAME`].
fn options() -> OutboundOptions {
    OutboundOptions {
        egress: EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true },
        proxy: None,
        extra_roots: None,
        connect_timeout: Duration::from_secs(5),
        call_timeout: AMPLE,
        resolution: names(&[(NAME, &["127.0.0.1"])]),
        backoff: Backoff::Fixed(Duration::from_millis(1)),
    }
}

fn names(table: &[(&str, &[&str])]) -> Resolution {
    let parse = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>();
    Resolution::Fixed(table.iter().map(|(name, addresses)| ((*name).to_owned(), parse(addresses))).collect::<BTreeMap<_, _>>())
}

fn outbound() -> Outbound {
    Outbound::new(options()).unwrap()
}

fn trusting(authority: &testkit::provider::Authority) -> Outbound {
    Outbound::new(OutboundOptions { extra_roots: Some(authority.pem().into_bytes()), ..options() }).unwrap()
}

fn post(url: &str) -> OutgoingRequest {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("authorization", HeaderValue::from_static("Bearer canary"));
    let body = Bytes::from_static(b"{\"amount\":  10.00}");
    OutgoingRequest { method: Method::POST, url: Url::parse(url).unwrap(), headers, body, identity: None }
}

/// With a budget that no other call has touched.
fn terms(route: Route, limit: Duration, resend: Resend) -> Terms<'static> {
    Terms { route, deadline: Instant::now() + limit, resend, budget: Box::leak(Box::default()) }
}

async fn send(outbound: &Outbound, url: &str) -> Exchange {
    send_within(outbound, url, AMPLE).await
}

async fn send_within(outbound: &Outbound, url: &str, limit: Duration) -> Exchange {
    outbound.send(&post(url), &terms(Route::Guarded, limit, Resend::Never)).await
}

async fn send_declared(outbound: &Outbound, url: &str, limit: Duration) -> Exchange {
    outbound.send(&post(url), &terms(Route::Guarded, limit, Resend::Declared)).await
}

#[track_caller]
fn answered(exchange: Exchange) -> Answer {
    assert_eq!(exchange.delivered, Delivered::Yes, "{exchange:?}");
    exchange.result.unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[track_caller]
fn failed(exchange: &Exchange, delivered: Delivered, failure: CallFailure) {
    assert_eq!((exchange.delivered, exchange.result.as_ref().err()), (delivered, Some(&failure)), "{exchange:?}");
}
