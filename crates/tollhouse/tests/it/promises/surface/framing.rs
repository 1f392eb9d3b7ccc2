//! Where one request ends and the next begins: requests that are made to be read in two ways, each read in one.
//!
//! Each case is followed by a request that must not reach a handler, or must reach it exactly once. How many answers come, of which kind, and whether the connection goes on, tells which.

use testkit::promise::Promise;
use testkit::raw::{Answer, PREFACE, Raw, frame, frames, kind, literal};

use super::{exchange, honest};
use crate::support::{simulated_adyen, sqlite};

/// What came back, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    /// Refused before there was a handler.
    Refused,
    /// Answered by a handler that did not like the body, with our error object.
    Handled,
    /// The request behind it was answered, as a request of its own.
    Next,
}

use Got::{Handled, Next, Refused};

/// What is sent, and what must come back until the connection ends.
struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    expected: &'static [Got],
}

/// The request that is smuggled where framing fails. It ends the connection, so that every case ends.
const BEHIND: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A request to a handler that reads its body and refuses what is in it.
fn to_a_handler(token: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("POST /payment-services/verify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}\r\n{body}{BEHIND}")
        .into_bytes()
}

fn lengths(token: &str) -> Vec<Case> {
    let case = |what, headers: &str, body: &str, expected| Case { what, bytes: to_a_handler(token, headers, body), expected };
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    vec![
        case("one length", "content-length: 2\r\n", "{}", &[Handled, Next]),
        case("chunks", "transfer-encoding: chunked\r\n", chunks, &[Handled, Next]),
        // Both: read as chunks, and nothing behind them is read.
        case("length, then chunks", "content-length: 4\r\ntransfer-encoding: chunked\r\n", chunks, &[Handled]),
        case("chunks, then length", "transfer-encoding: chunked\r\ncontent-length: 4\r\n", chunks, &[Handled]),
        case("length zero, then chunks", "content-length: 0\r\ntransfer-encoding: chunked\r\n", chunks, &[Handled]),
        case("chunks hidden behind a bare line feed", "content-length: 13\r\nx-a: b\ntransfer-encoding: chunked\r\n", chunks, &[Handled]),
        case("the same length twice", "content-length: 2\r\ncontent-length: 2\r\n", "{}", &[Handled, Next]),
        case("two lengths", "content-length: 2\r\ncontent-length: 40\r\n", "{}", &[Refused]),
        case("two lengths in one", "content-length: 2, 2\r\n", "{}", &[Refused]),
        case("a length with a sign", "content-length: +2\r\n", "{}", &[Refused]),
        case("a length below zero", "content-length: -2\r\n", "{}", &[Refused]),
        case("a length in hex", "content-length: 0x2\r\n", "{}", &[Refused]),
        case("a length with a blank in it", "content-length: 2 2\r\n", "{}", &[Refused]),
        case("no length", "content-length:\r\n", "{}", &[Refused]),
        case("a length that no number holds", "content-length: 99999999999999999999\r\n", "{}", &[Refused]),
    ]
}

fn codings(token: &str) -> Vec<Case> {
    let case = |what, headers: &str, body: &str, expected| Case { what, bytes: to_a_handler(token, headers, body), expected };
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    let chunked = |what, body: &str, expected| case(what, "transfer-encoding: chunked\r\n", body, expected);
    vec![
        case("a coding that is none", "transfer-encoding: xchunked\r\n", chunks, &[Refused]),
        case("chunks that are not the last coding", "transfer-encoding: chunked, identity\r\n", chunks, &[Refused]),
        case("no chunks", "transfer-encoding: identity\r\ncontent-length: 2\r\n", "{}", &[Refused]),
        case("a coding in quotes", "transfer-encoding: \"chunked\"\r\n", chunks, &[Refused]),
        case("a vertical tab before the coding", "transfer-encoding: \u{b}chunked\r\n", chunks, &[Refused]),
        case("a coding twice, the last one another", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", chunks, &[Refused]),
        case("a coding in capitals", "Transfer-Encoding: CHUNKED\r\n", chunks, &[Handled, Next]),
        chunked("an extension of a chunk", "2;a=b\r\n{}\r\n0;c\r\n\r\n", &[Handled, Next]),
        chunked("a trailer", "2\r\n{}\r\n0\r\ncontent-length: 40\r\nx-a: b\r\n\r\n", &[Handled, Next]),
        chunked("an extension with a line feed in it", "2;a\nb\r\n{}\r\n0\r\n\r\n", &[Handled]),
        chunked("a size that ends in a line feed", "2\n{}\r\n0\r\n\r\n", &[Handled]),
        chunked("a size in hex of another kind", "0x2\r\n{}\r\n0\r\n\r\n", &[Handled]),
        chunked("a size below zero", "-2\r\n{}\r\n0\r\n\r\n", &[Handled]),
        chunked("a size that no number holds", "10000000000000002\r\n{}\r\n0\r\n\r\n", &[Handled]),
        chunked("a chunk that is longer than its size", "2\r\n{}xx\r\n0\r\n\r\n", &[Handled]),
        chunked("no size", "\r\n{}\r\n0\r\n\r\n", &[Handled]),
    ]
}

fn heads(token: &str) -> Vec<Case> {
    let case = |what, headers: &str, body: &str, expected| Case { what, bytes: to_a_handler(token, headers, body), expected };
    let bare = |what, text: &str, expected| Case { what, bytes: format!("{text}{BEHIND}").into_bytes(), expected };
    vec![
        case("a folded header", "x-a: b\r\n content-length: 2\r\n", "{}", &[Refused]),
        case("a header that begins with a blank", " content-length: 2\r\n", "{}", &[Refused]),
        case("a blank before the colon", "content-length : 2\r\n", "{}", &[Refused]),
        case("a tab before the colon", "transfer-encoding\t: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", &[Refused]),
        case("a header without a colon", "content-length 2\r\n", "{}", &[Refused]),
        case("a bare carriage return", "x-a: b\rcontent-length: 2\r\n", "{}", &[Refused]),
        case("a NUL in a value", "x-a: b\0c\r\n", "", &[Refused]),
        case("a name that is none", "x(a): b\r\n", "", &[Refused]),
        bare("an empty name", "GET /healthz HTTP/1.1\r\nhost: x\r\n: b\r\n\r\n", &[Refused]),
        bare("a version that is none", "GET /healthz HTTP/1.9\r\nhost: x\r\n\r\n", &[Refused]),
        bare("a version in small letters", "GET /healthz http/1.1\r\nhost: x\r\n\r\n", &[Refused]),
        bare("no version", "GET /healthz\r\n\r\n", &[Refused]),
        bare("a blank in the path", "GET /health z HTTP/1.1\r\nhost: x\r\n\r\n", &[Refused]),
        bare("a method that is none", "G\u{7f}T /healthz HTTP/1.1\r\nhost: x\r\n\r\n", &[Refused]),
        bare("chunks before their time", "POST /healthz HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &[Refused]),
        // A line feed alone may end a line, which changes nothing here.
        bare("bare line feeds", "GET /nothing HTTP/1.1\nhost: x\n\n", &[Handled, Next]),
        bare("empty lines in front", "\r\n\r\nGET /nothing HTTP/1.1\r\nhost: x\r\n\r\n", &[Handled, Next]),
    ]
}

/// Requests that are refused before their body is read, whose body looks like a request.
fn refused_early() -> Vec<Case> {
    let body = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let of = |what, line: &str, expected| Case {
        what,
        bytes: format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}{BEHIND}", body.len()).into_bytes(),
        expected,
    };
    vec![
        of("a body behind no token", "POST /payment-services", &[Handled, Next]),
        of("a body where there is nothing", "POST /nothing", &[Handled, Next]),
        of("a body of a wrong method", "DELETE /roles", &[Handled, Next]),
        of("a body of a GET", "GET /nothing", &[Handled, Next]),
    ]
}

fn got(answer: &Answer) -> Got {
    match answer.status {
        200 => Next,
        400..=499 if answer.body.is_empty() => Refused,
        400..=499 if answer.body.contains("\"type\":\"error\"") => Handled,
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn r52_a_request_that_can_be_read_in_two_ways_hides_no_other() {
    let promise = Promise::new("R52");
    let server = sqlite().start().await;
    let token = server.key.token(&["*.read", "*.write"]);
    let mut count = 0;
    for Case { what, bytes, expected } in [lengths(&token), codings(&token), heads(&token), refused_early()].into_iter().flatten() {
        let answers = exchange(&server, &bytes).await;
        let came: Vec<Got> = answers.iter().map(got).collect();
        assert_eq!(came, expected, "{what}: {answers:?}");
        count += 1;
        // Also where it comes in pieces, which is how a library meets the border of its buffer.
        let mut raw = Raw::plain(&server.base).await;
        for piece in bytes.chunks(7) {
            if raw.send(piece).await.is_err() {
                break;
            }
        }
        let came: Vec<Got> = raw.answers().await.iter().map(got).collect();
        // Who still writes when it is refused may find the connection reset before it has read why.
        assert!(came == expected || (came.is_empty() && expected == [Refused]), "{what}, in pieces: {came:?}");
        count += 1;
    }
    honest(&server, "after requests of two meanings").await;
    server.end().await;
    promise.kept(count, "requests of two meanings, each read in one");
}

#[tokio::test]
async fn r52_a_refused_body_is_not_read_as_requests() {
    let promise = Promise::new("R52");
    let server = sqlite().start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let token = server.key.token(&["*.write"]);
    let hidden = BEHIND.replace("connection: close", "connection: keep-alive").repeat(40_000);
    for path in ["/payment-services".to_owned(), format!("/payment-services/{id}/sessions")] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n", hidden.len());
        let answers = exchange(&server, format!("{head}{hidden}{BEHIND}")).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        // Read to its end or cut off: in no case is what is in it a request.
        assert!([&[413, 200][..], &[413]].contains(&statuses.as_slice()), "{} bytes: {statuses:?}", hidden.len());
    }
    assert!(server.log().matches("/healthz was answered").count() <= 2, "nothing of the bodies has reached a handler");
    server.end().await;
    promise.kept(2, "large bodies full of requests");
}

#[tokio::test]
async fn r52_over_http2_a_length_that_is_a_lie_ends_the_stream() {
    let promise = Promise::new("R52");
    let server = sqlite().start().await;
    let token = server.key.token(&["*.write"]);
    let headers = |more: Vec<u8>| {
        let bearer = literal("authorization", &format!("Bearer {token}"));
        let pseudo = [
            literal(":method", "POST"),
            literal(":scheme", "http"),
            literal(":path", "/payment-services/verify"),
            literal(":authority", "x"),
        ];
        [pseudo.concat(), bearer, more].concat()
    };
    let cases = [
        ("a body shorter than its length", literal("content-length", "10"), &b"{}"[..]),
        ("a body longer than its length", literal("content-length", "1"), b"{}"),
        ("a coding that HTTP/2 does not have", literal("transfer-encoding", "chunked"), b"{}"),
        ("a header of one connection", literal("connection", "close"), b"{}"),
        ("a name in capitals", literal("X-A", "b"), b"{}"),
        ("a line end in a value", literal("x-a", "b\r\nx-c: d"), b"{}"),
        ("a name of the protocol after others", literal(":path", "/healthz"), b"{}"),
    ];
    for (what, more, body) in &cases {
        let mut raw = Raw::plain(&server.base).await;
        let request = [frame(kind::HEADERS, 4, 1, &headers(more.clone())), frame(0, 1, 1, body)].concat();
        raw.send([PREFACE, &frame(kind::SETTINGS, 0, 0, b""), &request].concat()).await.unwrap();
        // A goodbye of our own makes the server end the connection once the stream is done with.
        raw.send(frame(kind::GOAWAY, 0, 0, &[0; 8])).await.ok();
        let seen = raw.rest().await;
        let seen = frames(&seen);
        let ended = seen.iter().any(|(which, stream, _)| (*which == kind::RST_STREAM && *stream == 1) || (*which == kind::GOAWAY));
        // A refusal is shorter than any answer of the handler: it has no body of ours.
        let answered =
            seen.iter().any(|(which, stream, payload)| *which == 0 && *stream == 1 && testkit::canary::contains(payload, b"missing"));
        assert!(ended && !answered, "{what}: {seen:?}");
    }
    honest(&server, "after lies over HTTP/2").await;
    server.end().await;
    promise.kept(cases.len(), "streams reset");
}
