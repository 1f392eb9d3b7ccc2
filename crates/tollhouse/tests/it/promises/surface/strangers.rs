//! What is answered to whoever asks for what is not there, on each listener, and what no answer says.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::caller::Reply;
use testkit::promise::Promise;
use testkit::server::Server;

use super::exchange;
use crate::observability::internal_address;
use crate::support::{on_each_engine, sqlite};

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

/// What an error would say that says too much: of our code, of the database, of files.
const TELLTALES: [&str; 12] =
    ["panicked", ".rs:", "src/", "backtrace", "SELECT", "INSERT", "sqlite", "postgres", "constraint", "/tmp", "/home", "tollhouse.db"];

/// Every path of our document with something in the place of its parameter, and its methods.
fn paths() -> BTreeMap<String, Vec<String>> {
    let document = api::openapi();
    let filled = |path: &str| match path.split_once('{') {
        Some((before, rest)) => format!("{before}01900000-0000-7000-8000-00000000dead{}", rest.split_once('}').unwrap().1),
        None => path.to_owned(),
    };
    let methods = |methods: &Value| methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
    document["paths"].as_object().unwrap().iter().map(|(path, described)| (filled(path), methods(described))).collect()
}

#[track_caller]
fn assert_discreet(reply: &Reply) {
    let body = reply.json();
    assert_eq!((&body["type"], &body["status"]), (&json!("error"), &json!(reply.status)), "{}", reply.asked);
    assert!(reply.header("x-request-id").is_some_and(|id| uuid::Uuid::try_parse(id).is_ok()), "{}", reply.asked);
    for telltale in TELLTALES {
        assert!(!reply.text.contains(telltale), "{} says {telltale}: {}", reply.asked, reply.text);
    }
    assert_no_cors(reply);
}

#[track_caller]
fn assert_no_cors(reply: &Reply) {
    let opened = reply.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    assert!(opened.is_none(), "{} opens {opened:?}", reply.asked);
}

#[tokio::test]
async fn r60_what_is_not_there_is_refused_in_our_shape_and_says_nothing_else() {
    let promise = Promise::new("R60");
    let mut count = 0;
    on_each_engine(async |server| {
        let (merchant, anonymous) = (server.merchant(), server.anonymous());
        for (path, methods) in paths() {
            for method in METHODS {
                let is_there =
                    methods.iter().any(|there| there == method) || (method == "HEAD" && methods.iter().any(|there| there == "GET"));
                // The answer to HEAD has no body, and the client wants one.
                if is_there || method == "HEAD" {
                    continue;
                }
                for caller in [&merchant, &anonymous] {
                    let reply = caller.send(method.parse().unwrap(), &path, None).await;
                    reply.problems(405, "method_not_allowed");
                    let allow = reply.header("allow").unwrap();
                    assert!(methods.iter().all(|there| allow.contains(there.as_str())), "{method} {path}: {allow}");
                    assert_discreet(&reply);
                    count += 1;
                }
            }
        }
        for path in [
            "/",
            "/nothing",
            "/metrics",
            "/console",
            "/admin",
            "/openapi.json",
            "/.git/config",
            "/debug/pprof",
            "/payment-services/",
            "//roles",
            "/roles/../metrics",
            "/%2e%2e/metrics",
            "/%00",
            "/roles%2F",
            "/ROLES",
        ] {
            for method in METHODS.into_iter().filter(|method| *method != "HEAD") {
                let reply = merchant.send(method.parse().unwrap(), path, None).await;
                reply.problems(404, "not_found");
                assert_discreet(&reply);
                count += 1;
            }
        }
        count += bodies_that_nobody_reads(server).await;
    })
    .await;
    promise.kept(count, "refusals");
}

/// Codings that we do not know are refused; the type of a body is not asked for, since clients get it wrong and mean JSON.
async fn bodies_that_nobody_reads(server: &Server) -> usize {
    for coding in ["gzip", "br", "zstd", "deflate", "identity, gzip", "x"] {
        let reply = server.merchant().header("content-encoding", coding).post_text("/payment-services", "{}").await;
        reply.problems(415, "unsupported_media_type");
        assert_discreet(&reply);
    }
    for kind in ["text/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "nonsense", ""] {
        let reply = server.merchant().header("content-type", kind).post_text("/payment-services", "<a>1</a>").await;
        assert_eq!(reply.problems(400, "bad_request"), [" value_error"], "{kind}");
        assert_discreet(&reply);
    }
    11
}

#[tokio::test]
async fn r60_no_page_of_another_origin_is_let_in() {
    let promise = Promise::new("R60");
    let mut count = 0;
    on_each_engine(async |server| {
        for (path, methods) in paths() {
            for method in &methods {
                let stranger =
                    || server.merchant().header("origin", "https://evil.example").header("access-control-request-method", method);
                let preflight =
                    stranger().header("access-control-request-headers", "authorization").send(Method::OPTIONS, &path, None).await;
                preflight.problems(405, "method_not_allowed");
                assert_discreet(&preflight);
                // Nobody is let in by asking without asking first.
                let asked = stranger().send(method.parse().unwrap(), &path, Some("{".to_owned())).await;
                assert_no_cors(&asked);
                count += 2;
            }
        }
        assert_no_cors(&server.anonymous().header("origin", "null").get("/nothing").await);
    })
    .await;
    promise.kept(count, "requests of another origin");
}

#[tokio::test]
async fn r60_each_listener_answers_what_is_its_own() {
    let promise = Promise::new("R60");
    let server = sqlite().start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let internal = format!("http://{}", internal_address(&server));
    let token = server.key.token(&["*.read", "*.write"]);
    let mut count = 0;
    for (path, methods) in paths() {
        for method in methods {
            let asked = client.request(method.parse().unwrap(), format!("{internal}{path}")).bearer_auth(&token).body("{}");
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.status(), 404, "{method} {path} on the internal listener");
            assert!(answer.headers().contains_key("x-request-id"));
            count += 1;
        }
    }
    for method in ["GET", "POST", "TRACE", "OPTIONS"] {
        let of =
            async |base: &str| client.request(method.parse().unwrap(), format!("{base}/metrics")).send().await.unwrap().status().as_u16();
        assert_eq!(of(&internal).await, if method == "GET" { 200 } else { 404 }, "{method}");
        assert_eq!(of(&server.base).await, 404, "{method}");
        count += 2;
    }
    server.end().await;
    promise.kept(count, "requests on two listeners");
}

/// Forms of a request line that only a client of bytes can send.
#[tokio::test]
async fn r60_odd_targets_reach_nothing() {
    let promise = Promise::new("R60");
    let server = sqlite().start().await;
    let odd = [
        ("TRACE / HTTP/1.1", 404),
        ("TRACE /roles HTTP/1.1", 405),
        ("OPTIONS * HTTP/1.1", 404),
        ("CONNECT evil.example:443 HTTP/1.1", 404),
        ("GET http://evil.example/metrics HTTP/1.1", 404),
        ("GET http://evil.example/payment-services HTTP/1.1", 401),
        ("GET /roles#fragment HTTP/1.1", 401),
        ("get /roles HTTP/1.1", 405),
    ];
    for (line, status) in odd {
        let answers = exchange(&server, format!("{line}\r\nhost: x\r\nx-echo: canary-of-a-header\r\nconnection: close\r\n\r\n")).await;
        let [answer] = answers.as_slice() else { panic!("{line}: {answers:?}") };
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert!(!answer.head.contains("canary") && !answer.body.contains("canary"), "{line}: nothing is echoed: {answer:?}");
    }
    server.end().await;
    promise.kept(odd.len(), "odd targets");
}
