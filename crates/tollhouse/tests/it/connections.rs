//! What a connection can be: protocols, TLS, limits, and the end of the server.

use std::time::{Duration, Instant};

use reqwest::Version;
use testkit::server::{Plan, Server};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::observability::internal_address;
use crate::support::{adyen_request, eventually, simulated_adyen, sqlite};

/// A client for many requests on one connection.
fn client(configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
    configure(reqwest::Client::builder().no_proxy()).build().unwrap()
}

/// A server with a certificate of its own, which is in `cert.pem` of its plan, and that certificate.
pub(crate) async fn over_tls() -> (Server, reqwest::Certificate) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let plan = sqlite();
    let (cert, key) = (plan.file("cert.pem"), plan.file("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let text = |path: std::path::PathBuf| path.display().to_string();
    let plan = plan.with("TOLLHOUSE_SERVER__TLS_CERT_FILE", text(cert)).with("TOLLHOUSE_SERVER__TLS_KEY_FILE", text(key));
    (plan.start().await, reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap())
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.base.split_once("://").unwrap().1).await.unwrap()
}

/// Reads to the end of the stream; a reset is an end too.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        read.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// Reads until a text has come.
async fn until(stream: &mut TcpStream, text: &str) {
    let mut read = Vec::new();
    let came = tokio::time::timeout(Duration::from_secs(30), async {
        while !String::from_utf8_lossy(&read).contains(text) {
            let mut byte = [0];
            assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "the connection was closed before `{text}`");
            read.push(byte[0]);
        }
    });
    came.await.unwrap_or_else(|_| panic!("no `{text}` came"));
}

/// Many requests at once over one client, all answered in the protocol that is expected.
async fn speaks(server: &Server, client: &reqwest::Client, version: Version) {
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let request = client.get(format!("{}/roles", server.base)).bearer_auth(server.key.token(&["roles.read"]));
        requests.spawn(async move { request.send().await.unwrap() });
    }
    for response in requests.join_all().await {
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert!(response.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn both_protocols_without_tls() {
    let server = sqlite().start().await;
    speaks(&server, &client(reqwest::ClientBuilder::http1_only), Version::HTTP_11).await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    speaks(&server, &http2, Version::HTTP_2).await;
    // A body in both directions, too.
    let id = simulated_adyen(&server, "adyen-card").await;
    let request = http2.post(format!("{}/payment-services/{id}/sessions", server.base)).bearer_auth(server.key.token(&["*.write"]));
    let session: serde_json::Value = request.json(&adyen_request()).send().await.unwrap().json().await.unwrap();
    assert_eq!(session["status"], "succeeded");
    server.end().await;
}

#[tokio::test]
async fn both_protocols_with_tls_by_alpn() {
    let (server, certificate) = over_tls().await;
    assert!(server.base.starts_with("https://"), "{}", server.base);
    let trusting = |builder: reqwest::ClientBuilder| builder.tls_certs_only([certificate.clone()]);
    speaks(&server, &client(trusting), Version::HTTP_2).await;
    speaks(&server, &client(|builder| trusting(builder).http1_only()), Version::HTTP_11).await;
    let stranger = client(|builder| builder).get(format!("{}/healthz", server.base)).send().await;
    assert!(stranger.is_err(), "the certificate is the server's own");
    // Plain HTTP on the same port gets no answer of HTTP.
    let mut plain = connect(&server).await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(!rest(&mut plain).await.contains("HTTP/1.1 200"));
    server.end().await;
}

/// A server with a request in it whose body is not complete, so that a drain has something to wait for.
struct Held {
    server: Server,
    stream: TcpStream,
    rest_of_body: String,
}

async fn held(plan: Plan) -> Held {
    let server = plan.start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let body = adyen_request().to_string();
    let mut stream = connect(&server).await;
    let token = server.key.token(&["*.write"]);
    let head = format!(
        "POST /payment-services/{id}/sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body when the handler reads it: the request is in.
    until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    let (first, second) = body.split_at(10);
    stream.write_all(first.as_bytes()).await.unwrap();
    let rest_of_body = second.to_owned();
    Held { server, stream, rest_of_body }
}

/// Status of `/readyz` on the internal listener, which outlives the public one.
async fn readiness(internal: &str) -> Option<u16> {
    let response = client(|builder| builder).get(format!("http://{internal}/readyz")).send().await.ok()?;
    Some(response.status().as_u16())
}

#[tokio::test]
async fn while_it_drains_a_server_is_not_ready_and_finishes_what_it_has() {
    let Held { server, mut stream, rest_of_body } = held(sqlite()).await;
    let internal = internal_address(&server);
    assert_eq!(readiness(&internal).await, Some(200));
    server.signal("TERM").await;
    eventually("readiness is gone", async || (readiness(&internal).await == Some(503)).then_some(())).await;
    let health = client(|builder| builder).get(format!("http://{internal}/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200, "it is alive all the same");
    eventually("no new connections", async || TcpStream::connect(server.base.split_once("://").unwrap().1).await.is_err().then_some(()))
        .await;

    stream.write_all(rest_of_body.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"succeeded\""), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    let (status, plan) = server.ended().await;
    assert_eq!(status.code(), Some(0));
    let server = plan.serve().await;
    let records = server.merchant().get("/payment-service-sessions").await.expect(200);
    assert_eq!(records["items"][0]["status"], "succeeded", "and what it finished is kept");
    server.end().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let Held { server, stream: _stream, .. } = held(sqlite()).await;
    let internal = internal_address(&server);
    server.signal("TERM").await;
    eventually("readiness is gone", async || (readiness(&internal).await == Some(503)).then_some(())).await;
    let began = Instant::now();
    let (status, plan) = server.terminate().await;
    assert_eq!(status.code(), Some(1), "somebody should know that it was not clean");
    assert!(began.elapsed() < Duration::from_secs(10), "the drain would have taken 30 s: {:?}", began.elapsed());
    plan.serve().await.end().await;
}
