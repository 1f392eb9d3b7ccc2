//! Everything that can go wrong on the way, and what is said of the delivery then.

use testkit::provider::{Authority, Greeting, Options, Provider, Reply, Then, Validity};
use tokio::net::TcpListener;

use super::*;

/// One request to a provider that does this with it; then what the journal holds.
async fn check(reply: Reply, failure: CallFailure, journal: usize) {
    let what = format!("{reply:?}");
    let provider = Provider::start(Options::plain()).await;
    provider.reply(reply);
    let exchange = send(&outbound(), &provider.url("/")).await;
    assert_eq!((exchange.delivered, exchange.result.err()), (Delivered::Unknown, Some(failure)), "{what}");
    // Whoever would send it again would have done so by now: the call is over.
    assert_eq!((provider.requests().len(), provider.connections()), (journal, 1), "{what}");
}

/// Row R11.
#[tokio::test]
async fn r11_a_request_that_was_read_is_not_sent_again() {
    check(Reply::CloseUnanswered, CallFailure::Reset, 1).await;
    check(Reply::ResetUnanswered, CallFailure::Reset, 1).await;
}

#[tokio::test]
async fn a_request_that_was_read_in_part_is_not_sent_again() {
    check(Reply::CloseAfter(1), CallFailure::Reset, 0).await;
    check(Reply::CloseAfter(100), CallFailure::Reset, 0).await;
    check(Reply::ResetUnread, CallFailure::Reset, 0).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    for bytes in [
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"a\":1}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{\"a\":1}\r\n0\r\n\r\n",
    ] {
        check(Reply::Raw(bytes.into(), Then::Close), CallFailure::Reset, 1).await;
    }
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    head.extend_from_slice("x-filler: 0123456789abcdef\r\n".repeat(10 * 1024 * 1024 / 28).as_bytes());
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101)).into_bytes();
    for bytes in [
        b"220 mail.example.com ESMTP\r\n".to_vec(),
        b"\x00\x01\x02\x03garbage\xff\xfe\r\n\r\n".to_vec(),
        b"HTTP/1.1 abc OK\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
        head,
        many,
    ] {
        check(Reply::Raw(bytes, Then::Hang), CallFailure::Malformed, 1).await;
    }
}

/// Row R13.
#[tokio::test]
async fn r13_silence_ends_at_the_limit() {
    let stalled = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"a\"".to_vec();
    for reply in [Reply::Never, Reply::Drip(vec![b' '; 1000], Duration::from_millis(100)), Reply::Raw(stalled, Then::Hang)] {
        let what = format!("{reply:?}");
        let provider = Provider::start(Options::plain()).await;
        provider.reply(reply);
        let outbound = outbound();
        let exchange = send_within(&outbound, &provider.url("/"), SCANT).await;
        failed(&exchange, Delivered::Unknown, CallFailure::Timeout);
        assert!(exchange.elapsed >= SCANT && exchange.elapsed < SCANT + MARGIN, "{what}: {exchange:?}");
        // The connection is closed, not kept.
        provider.wait_for_open(0).await;
        assert_eq!(provider.requests().len(), 1, "{what}");
        answered(send(&outbound, &provider.url("/")).await);
        assert_eq!(provider.connections(), 2, "the next call has a connection of its own: {what}");
    }
}

#[tokio::test]
async fn r13_silence_ends_at_the_limit_over_http2() {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Current);
    let provider = Provider::start(Options::http2(identity)).await;
    let outbound = trusting(&authority);
    for reply in [Reply::Never, Reply::Drip(vec![b' '; 1000], Duration::from_millis(100))] {
        provider.reply(reply);
        let exchange = send_within(&outbound, &provider.url("/"), SCANT).await;
        failed(&exchange, Delivered::Unknown, CallFailure::Timeout);
        assert!(exchange.elapsed >= SCANT && exchange.elapsed < SCANT + MARGIN, "{exchange:?}");
        provider.wait_for_open(0).await;
    }
}

#[tokio::test]
async fn http2_breaks_are_unknown_too() {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Current);
    let provider = Provider::start(Options::http2(identity)).await;
    let outbound = trusting(&authority);
    for (journal, reply) in [(1, Reply::CloseUnanswered), (2, Reply::ResetUnanswered)] {
        provider.reply(reply);
        failed(&send(&outbound, &provider.url("/")).await, Delivered::Unknown, CallFailure::Reset);
        assert_eq!(provider.requests().len(), journal);
    }
}

/// Row R10: nothing is sent, so it is tried three times.
#[tokio::test]
async fn r10_a_refused_connection_delivers_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    failed(&send(&outbound(), &format!("http://{address}/")).await, Delivered::No, CallFailure::Connect);
}

#[tokio::test]
async fn r10_a_broken_tls_handshake_is_tried_three_times() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    provider.greet(Greeting::Close);
    failed(&send(&trusting(&authority), &provider.url("/")).await, Delivered::No, CallFailure::Tls);
    provider.wait_for_connections(3).await;
    assert_eq!((provider.connections(), provider.requests().len()), (3, 0));
}

#[tokio::test]
async fn r10_a_name_that_does_not_exist_delivers_nothing() {
    failed(&send(&outbound(), "https://nowhere.example.test/").await, Delivered::No, CallFailure::Dns);
}

/// Row R10: the waits between attempts, as the service saw them.
#[tokio::test]
async fn r10_attempts_are_apart_by_full_jitter() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    provider.greet(Greeting::Close);
    let extra_roots = Some(authority.pem().into_bytes());
    let outbound = Outbound::new(OutboundOptions { extra_roots, backoff: Backoff::Jitter, ..options() }).unwrap();
    let mut gaps = Vec::new();
    for calls in 1..=4 {
        failed(&send(&outbound, &provider.url("/")).await, Delivered::No, CallFailure::Tls);
        let moments = provider.connected_at();
        assert_eq!(moments.len(), 3 * calls);
        gaps.extend(moments.rchunks(3).next().unwrap().windows(2).map(|pair| pair[1] - pair[0]));
    }
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(50) && *gap < Duration::from_millis(5_000)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| gap.as_millis() != gaps[0].as_millis()), "{gaps:?}");
}

#[tokio::test]
async fn a_silent_handshake_ends_at_the_limit_for_connecting() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    provider.greet(Greeting::Silence);
    let quick = OutboundOptions { connect_timeout: Duration::from_millis(100), ..options() };
    failed(&send(&Outbound::new(quick).unwrap(), &provider.url("/")).await, Delivered::No, CallFailure::Tls);
    assert_eq!(provider.connections(), 3);
    let exchange = send_within(&outbound(), &provider.url("/"), SCANT).await;
    failed(&exchange, Delivered::No, CallFailure::Timeout);
    assert!(exchange.elapsed < SCANT + MARGIN, "{exchange:?}");
}

#[tokio::test]
async fn waiting_between_attempts_stays_inside_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let patient = OutboundOptions { backoff: Backoff::Fixed(Duration::from_secs(60)), ..options() };
    let exchange = send(&Outbound::new(patient).unwrap(), &format!("http://{address}/")).await;
    failed(&exchange, Delivered::No, CallFailure::Connect);
    assert!(exchange.elapsed < AMPLE, "{exchange:?}");
}
