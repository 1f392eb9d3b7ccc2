//! What arrives there, and what comes back.

use std::time::Duration;

use connectors::outbound::{ANSWER_BYTES_MAX, BodyFailure, Delivered, Route};
use http::HeaderValue;
use testkit::provider::{Authority, Identity, Options, Provider, Reply, Then, Validity};

use super::*;

fn identity(authority: &Authority) -> Identity {
    authority.issue(&[NAME, "127.0.0.1"], Validity::Current)
}

#[tokio::test]
async fn http1_carries_the_request_as_it_is() {
    let provider = Provider::start(Options::plain()).await;
    provider.reply(Reply::json(201, "{ \"id\" : 1.0 }").with_header("x-request-id", "r1"));
    let answer = answered(send(&outbound(), &provider.url("/v1/sessions?a=%20b&c=d#fragment")).await);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers.get("x-request-id"), Some(&HeaderValue::from_static("r1")));
    assert_eq!(answer.body.unwrap(), "{ \"id\" : 1.0 }");
    let requests = provider.wait_for_requests(1).await;
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((request.method.as_str(), request.target.as_str(), request.version), ("POST", "/v1/sessions?a=%20b&c=d", "HTTP/1.1"));
    assert_eq!(request.text(), "{\"amount\":  10.00}");
    assert_eq!(request.header("host"), Some(provider.address().to_string().as_str()));
    assert_eq!(request.header("content-length"), Some("18"));
    assert_eq!(request.header("authorization"), Some("Bearer canary"));
    assert!(request.header("accept-encoding").is_none(), "{request:?}");
    assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("tollhouse/")), "{request:?}");
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered() {
    let authority = Authority::new();
    let provider = Provider::start(Options::http2(identity(&authority))).await;
    let outbound = trusting(&authority);
    let answer = answered(send(&outbound, &provider.url_at(NAME, "/v1?x=y")).await);
    assert_eq!((answer.status, answer.body.unwrap().as_ref()), (200, b"{}".as_slice()));
    let request = provider.wait_for_requests(1).await.remove(0);
    assert_eq!((request.version, request.target.as_str(), request.text()), ("HTTP/2", "/v1?x=y", "{\"amount\":  10.00}"));
    assert_eq!(request.header(":authority"), Some(format!("{NAME}:{}", provider.address().port()).as_str()));
    assert!(request.header("host").is_none(), "{request:?}");
}

#[tokio::test]
async fn headers_of_the_connection_are_ours() {
    let provider = Provider::start(Options::plain()).await;
    let mut request = post(&provider.url("/"));
    for (name, value) in [
        ("host", "evil.example"),
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("accept-encoding", "gzip"),
        ("expect", "100-continue"),
    ] {
        request.headers.insert(name, HeaderValue::from_static(value));
    }
    request.headers.insert("user-agent", HeaderValue::from_static("mine/1"));
    answered(outbound().send(&request, &terms(Route::Guarded, AMPLE, Resend::Never)).await);
    let received = provider.wait_for_requests(1).await.remove(0);
    assert_eq!(received.header("host"), Some(provider.address().to_string().as_str()));
    assert_eq!(received.header("content-length"), Some("18"));
    assert_eq!(received.header("user-agent"), Some("mine/1"));
    for name in ["transfer-encoding", "connection", "accept-encoding", "expect"] {
        assert!(received.header(name).is_none(), "{received:?}");
    }
}

#[tokio::test]
async fn a_get_has_no_body_and_no_length() {
    let provider = Provider::start(Options::plain()).await;
    let request = OutgoingRequest { method: Method::GET, body: Bytes::new(), ..post(&provider.url("/")) };
    answered(outbound().send(&request, &terms(Route::Guarded, AMPLE, Resend::Never)).await);
    let received = provider.wait_for_requests(1).await.remove(0);
    assert_eq!((received.method.as_str(), received.header("content-length"), received.body.len()), ("GET", None, 0));
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let provider = Provider::start(Options::plain()).await;
    for status in [200, 201, 204] {
        provider.reply(Reply::empty(status));
        let answer = answered(send(&outbound(), &provider.url("/")).await);
        assert_eq!((answer.status, answer.body.unwrap().len()), (status, 0));
    }
}

/// Row R32.
#[tokio::test]
async fn r32_redirects_are_not_followed() {
    let provider = Provider::start(Options::plain()).await;
    let elsewhere = Provider::start(Options::plain()).await;
    for status in [301, 302, 303, 307, 308] {
        provider.reply(Reply::redirect(status, &elsewhere.url("/stolen")));
        assert_eq!(answered(send(&outbound(), &provider.url("/")).await).status, status);
    }
    assert_eq!(elsewhere.connections(), 0);
}

async fn body_of(reply: Reply) -> (Delivered, u16, Result<Bytes, BodyFailure>) {
    let provider = Provider::start(Options::plain()).await;
    provider.reply(reply);
    let exchange = send(&outbound(), &provider.url("/")).await;
    let answer = exchange.result.unwrap_or_else(|failure| panic!("{failure:?}"));
    (exchange.delivered, answer.status, answer.body)
}

/// Row R14: the limit to the byte, announced and not.
#[tokio::test]
async fn r14_bodies_end_at_the_limit() {
    let (delivered, status, body) = body_of(Reply::Huge(ANSWER_BYTES_MAX)).await;
    assert_eq!((delivered, status, body.unwrap().len()), (Delivered::Yes, 200, ANSWER_BYTES_MAX));
    for length in [ANSWER_BYTES_MAX + 1, 100 * 1024 * 1024] {
        let (delivered, status, body) = body_of(Reply::Huge(length)).await;
        assert_eq!((delivered, status, body), (Delivered::Unknown, 200, Err(BodyFailure::TooLong)), "{length}");
    }
    // Without a length the end of the connection is the end of the body.
    let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    bytes.resize(ANSWER_BYTES_MAX + 2_000, b' ');
    let (delivered, status, body) = body_of(Reply::Raw(bytes, Then::Close)).await;
    assert_eq!((delivered, status, body), (Delivered::Unknown, 200, Err(BodyFailure::TooLong)));
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n".to_vec();
    chunked.resize(chunked.len() + 0x20_0000, b' ');
    let (_, status, body) = body_of(Reply::Raw(chunked, Then::Hang)).await;
    assert_eq!((status, body), (200, Err(BodyFailure::TooLong)));
}

#[tokio::test]
async fn a_chunked_answer_is_put_together() {
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n4\r\n\"a\":\r\n2\r\n1}\r\n0\r\n\r\n".to_vec();
    let (delivered, _, body) = body_of(Reply::Raw(bytes, Then::Serve)).await;
    assert_eq!((delivered, body.unwrap().as_ref()), (Delivered::Yes, b"{\"a\":1}".as_slice()));
}

/// Row R14: a coding was not asked for, so it is not undone; what would become of 1 GiB of zeros does not matter.
#[tokio::test]
async fn r14_coded_answers_are_not_decoded() {
    for coding in ["gzip", "br", "deflate", "GZIP", "identity, gzip"] {
        let reply = Reply::json(200, "\u{1f}not really compressed").with_header("content-encoding", coding);
        let (delivered, status, body) = body_of(reply).await;
        assert_eq!((delivered, status, body), (Delivered::Yes, 200, Err(BodyFailure::Undecodable)), "{coding}");
    }
    let (_, _, body) = body_of(Reply::json(200, "{}").with_header("content-encoding", "identity")).await;
    assert_eq!(body.unwrap(), "{}");
    let (_, _, body) = body_of(Reply::empty(200).with_header("content-encoding", "gzip")).await;
    assert_eq!(body.unwrap(), "");
}

#[tokio::test]
async fn http2_bodies_end_at_the_limit_and_the_connection_goes_on() {
    let authority = Authority::new();
    let provider = Provider::start(Options::http2(identity(&authority))).await;
    let outbound = trusting(&authority);
    for (length, body) in [(3 * ANSWER_BYTES_MAX, None), (ANSWER_BYTES_MAX, Some(ANSWER_BYTES_MAX)), (10, Some(10))] {
        provider.reply(Reply::Huge(length));
        let exchange = send(&outbound, &provider.url("/")).await;
        assert_eq!(exchange.result.unwrap().body.ok().map(|body| body.len()), body, "{length}");
    }
    assert_eq!(provider.connections(), 1);
}

#[tokio::test]
async fn a_slow_answer_inside_the_limit_is_an_answer() {
    let provider = Provider::start(Options::plain()).await;
    provider.reply(Reply::After(Duration::from_millis(50), Box::new(Reply::Drip(b"{\"a\":1}".to_vec(), Duration::from_millis(5)))));
    assert_eq!(answered(send(&outbound(), &provider.url("/")).await).body.unwrap(), "{\"a\":1}");
}

#[tokio::test]
async fn an_interim_answer_is_not_the_answer() {
    let bytes = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let (_, status, body) = body_of(Reply::Raw(bytes, Then::Serve)).await;
    assert_eq!((status, body.unwrap().as_ref()), (200, b"{}".as_slice()));
}

#[tokio::test]
async fn a_simulator_is_reached_although_nothing_is_allowed() {
    let provider = Provider::start(Options::plain()).await;
    let strict = OutboundOptions { egress: EgressPolicy { allow: Vec::new(), allow_http: false }, ..options() };
    let outbound = Outbound::new(strict).unwrap();
    let request = post(&provider.url("/sim/x"));
    answered(outbound.send(&request, &terms(Route::Simulator, AMPLE, Resend::Never)).await);
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn nothing_of_a_request_or_an_answer_is_printed() {
    let mut request = post("https://psp.example/v1/canary?key=canary");
    request.headers.insert("x-api-key", "canary".parse().unwrap());
    request.body = Bytes::from_static(b"canary");
    let answer = |body| Answer { status: 200, headers: request.headers.clone(), body };
    let exchange = Exchange { delivered: Delivered::Yes, result: Ok(answer(Ok(request.body.clone()))), elapsed: Duration::ZERO };
    let printed = format!("{request:?} {exchange:?} {:?}", answer(Err(BodyFailure::TooLong)));
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("x-api-key") && printed.contains("body_bytes: 6") && printed.contains("TooLong"), "{printed}");
}
