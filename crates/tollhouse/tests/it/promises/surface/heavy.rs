//! Requests that are too much: refused with the right status, without being read on and without being kept.

use serde_json::json;
use testkit::promise::Promise;
use testkit::provider::{Options, Provider, Reply};
use testkit::raw::Raw;

use super::{exchange, forget_peak, honest, kib};
use crate::support::{adyen_request, service, simulated_adyen, sqlite};

const MIB: usize = 1 << 20;

/// What one request may add to the memory of the server.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

/// A request that is too much, and how it is answered.
struct Heavy {
    what: &'static str,
    request: Vec<u8>,
    status: u16,
    /// What the error object calls it; `None` where the library answers before there is a handler, and without a body.
    code: Option<&'static str>,
}

/// A `POST` with everything it needs to reach a handler.
fn post(path: &str, token: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn whole(path: &str, token: &str, body: &str) -> Vec<u8> {
    post(path, token, &format!("content-length: {}\r\n", body.len()), body.as_bytes())
}

fn chunked(path: &str, token: &str, body: &str) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in body.as_bytes().chunks(64 * 1024) {
        chunks.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
    }
    chunks.extend(b"0\r\n\r\n");
    post(path, token, "transfer-encoding: chunked\r\n", &chunks)
}

fn requests(session: &str, token: &str) -> Vec<Heavy> {
    let typed = "/payment-services";
    let padded = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    let members = |count: usize| format!("{{{}\"z\":0}}", (0..count).map(|number| format!("\"{number}\":0,")).collect::<String>());
    let million = format!("[{}0]", "0,".repeat(999_999));
    let digits = "9".repeat(100_000);
    let gzip = |length: usize| post(typed, token, &format!("content-encoding: gzip\r\ncontent-length: {length}\r\n"), b"\x1f\x8b\x08\x00");
    let many: String = (0..500).map(|number| format!("x-{number}: 1\r\n")).collect();
    let url = format!("GET /roles?{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "x".repeat(64 * 1024));
    let heavy = |what, request, status, code| Heavy { what, request, status, code };
    let mut heavies = vec![
        heavy("a gzip bomb", gzip(1 << 30), 415, Some("unsupported_media_type")),
        heavy("a small gzip body", gzip(4), 415, Some("unsupported_media_type")),
        heavy("500 headers", post(typed, token, &many, b""), 431, None),
        heavy("a URL of 64 KiB", url.into_bytes(), 431, None),
        heavy("a token of 64 KiB", post(typed, &"x".repeat(64 * 1024), "", b""), 431, None),
        heavy("digits in a typed body", whole(typed, token, &format!("{{\"position\":{digits}}}")), 400, Some("bad_request")),
        heavy("digits in an opaque body", whole(session, token, &format!("{{\"amount\":{digits}}}")), 200, None),
        heavy("members that just fit, in an opaque body", whole(session, token, &members(100_000)), 200, None),
    ];
    for (path, what) in [(typed, "typed"), (session, "opaque")] {
        let of = |status, code, requests: Vec<Vec<u8>>| requests.into_iter().map(move |request| heavy(what, request, status, Some(code)));
        let large = [padded(MIB + 1), padded(3 * MIB), million.clone(), members(1_000_000)];
        heavies.extend(of(
            413,
            "payload_too_large",
            large.iter().flat_map(|body| [whole(path, token, body), chunked(path, token, body)]).collect(),
        ));
        heavies.extend(of(
            400,
            "bad_request",
            vec![whole(path, token, &deep), whole(path, token, &padded(MIB)[1..]), whole(path, token, "[[[[")],
        ));
    }
    heavies.push(heavy("members that just fit, in a typed body", whole(typed, token, &members(100_000)), 400, Some("bad_request")));
    heavies
}

#[tokio::test]
async fn r52_what_is_too_much_is_refused_and_not_kept() {
    let promise = Promise::new("R52");
    let rounds = promise.count(1, 20);
    // Not a simulated one, whose memory would be counted with the server's.
    let provider = Provider::start(Options::plain()).await;
    provider.answer(|_| Reply::json(201, r#"{"id":"CS1"}"#));
    let server = sqlite().provider_at("adyen", &provider.url(""), None).start().await;
    let made = service("adyen-card", &[("api_key", "test-key"), ("merchant_account", "ShopECOM")]);
    let made = server.merchant().post("/payment-services", &made).await.expect(201);
    let session = format!("/payment-services/{}/sessions", made["id"].as_str().unwrap());
    // What an honest client may send is what the server is warm with.
    let mut largest = adyen_request();
    largest["pad"] = json!("x".repeat(MIB - 1_000));
    for _ in 0..8 {
        server.merchant().post(&session, &largest).await.expect(200);
    }
    let warm = kib(&server, "VmRSS");
    let (mut count, mut worst) = (0, (0, ""));
    for _ in 0..rounds {
        let token = server.key.token(&["*.write"]);
        for Heavy { what, request, status, code } in requests(&session, &token) {
            let before = kib(&server, "VmRSS");
            forget_peak(&server);
            let answers = exchange(&server, &request).await;
            let grown = kib(&server, "VmHWM").saturating_sub(before);
            let [answer] = answers.as_slice() else { panic!("{what}: one answer and the end, not {answers:?}") };
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            if let Some(code) = code {
                assert!(
                    answer.body.contains(&format!("\"code\":\"{code}\"")) && answer.head.contains("x-request-id"),
                    "{what}: {answer:?}"
                );
            }
            assert!(grown < GROWTH_KIB_MAX, "{what}: the server grew by {grown} KiB");
            worst = worst.max((grown, what));
            count += 1;
        }
    }
    let grown = kib(&server, "VmRSS").saturating_sub(warm);
    assert!(grown < GROWTH_KIB_MAX, "after everything the server has grown by {grown} KiB");
    honest(&server, "after heavy requests").await;
    server.end().await;
    promise.kept(count, &format!("requests; peak {} KiB ({}), afterwards {grown} KiB", worst.0, worst.1));
}

#[tokio::test]
async fn r52_a_body_without_end_is_not_read_to_it() {
    const PIECE: usize = 64 * 1024;
    /// What is read of a refused body, and what the buffers of the system take on the way.
    const TAKEN_BYTES_MAX: usize = 32 * MIB;
    let promise = Promise::new("R52");
    let server = sqlite().start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let token = server.key.token(&["*.write"]);
    honest(&server, "before").await;
    let before = kib(&server, "VmRSS");
    let mut count = 0;
    for headers in
        ["content-length: 1073741824\r\n", "transfer-encoding: chunked\r\n", "content-encoding: gzip\r\ncontent-length: 1073741824\r\n"]
    {
        for path in ["/payment-services".to_owned(), format!("/payment-services/{id}/sessions")] {
            let mut raw = Raw::plain(&server.base).await;
            raw.send(post(&path, &token, headers, b"")).await.unwrap();
            let is_chunked = headers.starts_with("transfer");
            let chunk = [format!("{PIECE:x}\r\n").into_bytes(), vec![b' '; PIECE], b"\r\n".to_vec()].concat();
            let piece = if is_chunked { chunk } else { vec![b' '; PIECE] };
            let mut taken = 0;
            while taken < TAKEN_BYTES_MAX && raw.send(&piece).await.is_ok() {
                taken += PIECE;
            }
            assert!(taken < TAKEN_BYTES_MAX, "{headers}: {taken} bytes were taken of a body that was refused");
            count += 1;
        }
    }
    let grown = kib(&server, "VmRSS").saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the server has grown by {grown} KiB");
    honest(&server, "after bodies without end").await;
    server.end().await;
    promise.kept(count, &format!("bodies of 1 GiB cut off, grown by {grown} KiB"));
}

#[tokio::test]
async fn r52_over_http2_the_limits_are_the_same() {
    let promise = Promise::new("R52");
    let server = sqlite().start().await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let token = server.key.token(&["*.read", "*.write"]);
    let asked = |path: &str| client.get(format!("{}{path}", server.base)).bearer_auth(&token);
    let many = (0..500).fold(asked("/roles"), |request, number| request.header(format!("x-{number}"), "1"));
    let answer = many.send().await.unwrap();
    assert_eq!(answer.status(), 431);
    assert!(answer.headers().contains_key("x-request-id"));
    let error: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("request_header_fields_too_large")));
    assert_eq!(asked("/roles").header("x-long", "x".repeat(64 * 1024)).send().await.unwrap().status(), 431);
    assert_eq!(asked(&format!("/roles?{}", "x".repeat(60 * 1024))).send().await.unwrap().status(), 431);
    let large =
        client.post(format!("{}/payment-services", server.base)).bearer_auth(&token).body("x".repeat(MIB + 1)).send().await.unwrap();
    assert_eq!(large.status(), 413);
    assert_eq!(asked("/roles").send().await.unwrap().status(), 200, "the connection is as good as before");
    honest(&server, "after refusals over HTTP/2").await;
    server.end().await;
    promise.kept(4, "refusals over HTTP/2");
}
