//! Where the time of a session goes: told by `tollhouse dev`, sent with traces, and nothing to anybody else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use testkit::provider::{Options, Provider, Reply};
use testkit::server::Server;

use super::{lines, whole_lines};
use crate::first_run::dev;
use crate::support::{adyen_request, eventually, simulated_adyen, sqlite};

const STEPS: [&str; 9] = ["accept", "token", "load", "open", "render", "connect", "wait", "classify", "record"];

/// The steps that a line tells, without their times, which have to be there.
fn told(message: &str) -> Vec<String> {
    let step = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        let [step, time, "ms"] = words[..] else { panic!("{message}") };
        assert!(time.parse::<f64>().is_ok_and(|time| time >= 0.0) && time.contains('.'), "{message}");
        step.to_owned()
    };
    message.split(", ").map(step).collect()
}

/// Sessions that end in a success, in a failure, with a key and before they are sent.
async fn sessions(server: &Server) -> Vec<testkit::caller::Reply> {
    let id = simulated_adyen(server, "adyen-card").await;
    let path = format!("/payment-services/{id}/sessions");
    let caller = server.merchant();
    let replies = vec![
        caller.post(&path, &adyen_request()).await,
        caller.post(&path, &json!({ "reference": "order-2" })).await,
        server.merchant().header("idempotency-key", "once").post(&path, &adyen_request()).await,
    ];
    replies.iter().for_each(|reply| drop(reply.expect(200)));
    replies
}

/// No line stands in a step: each is a part of its request.
fn assert_no_steps(log: &str) {
    for line in lines(&whole_lines(log)) {
        let span = line["span"]["name"].as_str().unwrap_or_default();
        assert!(!STEPS.contains(&span) && line["target"] != "tollhouse::step", "{line}");
    }
}

#[tokio::test]
async fn dev_tells_the_steps_of_each_session() {
    let folder = tempfile::tempdir().unwrap();
    let (_process, printed) = dev(folder.path(), &[]).await;
    let shown = printed.iter().find_map(|line| line.strip_prefix("Where its time went: ")).expect("the banner tells the first session's");
    let whole: Vec<&str> = STEPS.into_iter().chain(["everything"]).collect();
    assert_eq!(told(shown), whole);

    let log = || std::fs::read_to_string(folder.path().join("dev.log")).unwrap();
    let of_steps = || lines(&whole_lines(&log())).into_iter().filter(|line| line["target"] == "tollhouse::steps").collect::<Vec<Value>>();
    let first = of_steps();
    assert_eq!(first.len(), 1, "what is no session has no such line: {first:?}");
    assert_eq!((&first[0]["level"], &first[0]["message"]), (&json!("INFO"), &json!(shown)));
    assert!(first[0]["span"]["name"] == "request" && first[0]["span"]["request_id"].is_string(), "{first:?}");

    let start = printed.iter().position(|line| line.trim_start().starts_with("curl ")).unwrap();
    let curl = printed[start..].iter().take_while(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join("\n");
    let output = tokio::process::Command::new("sh").arg("-c").arg(&curl).current_dir(folder.path()).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let second = eventually("the line of the second session", async || of_steps().into_iter().nth(1)).await;
    let steps = told(second["message"].as_str().unwrap());
    // The connection of the first one may have been kept.
    let expected: Vec<&str> = whole.into_iter().filter(|step| *step != "connect" || steps.contains(&"connect".to_owned())).collect();
    assert_eq!(steps, expected);
    assert_no_steps(&log());
}

#[tokio::test]
async fn a_server_without_traces_tells_nothing_of_steps_at_any_level() {
    for level in ["", "trace,tollhouse::step=trace"] {
        let server = sqlite().with("TOLLHOUSE_LOG", level).start().await;
        sessions(&server).await;
        let (_, plan) = server.terminate().await;
        let log = std::fs::read_to_string(plan.file("log")).unwrap();
        assert_no_steps(&log);
        assert!(!log.contains("tollhouse::step"), "{level}");
    }
}

#[tokio::test]
async fn steps_are_traced_below_their_request_at_every_level_of_the_log() {
    for level in ["", "warn"] {
        let collector = Provider::start(Options::plain()).await;
        collector.answer(|_| Reply::empty(200));
        let endpoint = collector.url("/v1/traces");
        let server = sqlite().with("TOLLHOUSE_LOG", level).with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint).start().await;
        let replies = sessions(&server).await;
        let (status, plan) = server.terminate().await;
        assert!(status.success());
        let log = std::fs::read_to_string(plan.file("log")).unwrap();
        assert_no_steps(&log);
        assert!(!log.contains("tollhouse::step"), "{log}");

        let spans: Vec<Span> = collector.requests().iter().flat_map(|request| spans(&request.body)).collect();
        let of_reply = |reply: &testkit::caller::Reply| {
            let id = reply.header("x-request-id").unwrap();
            let is_it = |span: &&Span| span.name == "request" && span.attributes.get("request_id").is_some_and(|value| value == id);
            let request = spans.iter().find(is_it).expect("the span of a request");
            let below = spans.iter().filter(|span| span.parent == request.id && span.trace == request.trace);
            below.map(|span| span.name.as_str()).collect::<BTreeSet<_>>()
        };
        assert_eq!(of_reply(&replies[0]), BTreeSet::from(STEPS), "{level}");
        for reply in &replies[1..] {
            let steps = of_reply(reply);
            assert!(["accept", "token", "load", "open", "render", "record"].iter().all(|step| steps.contains(step)), "{level}: {steps:?}");
        }
        // What the library says of every span, and nothing of ours.
        let usual = ["busy_ns", "idle_ns", "level", "target"];
        for step in spans.iter().filter(|span| STEPS.contains(&span.name.as_str())) {
            let ours = |name: &&String| !usual.contains(&name.as_str()) && !name.starts_with("code.") && !name.starts_with("thread.");
            assert_eq!(step.attributes.keys().find(ours), None, "a step has no fields: {}", step.name);
            assert!(!step.parent.is_empty(), "a step alone would be a trace of its own");
        }
    }
}

// === what a collector is sent ===

/// As much of a span as is looked at here.
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    /// Those whose value is a text; the others without theirs.
    attributes: BTreeMap<String, String>,
}

/// The spans of one request (`ExportTraceServiceRequest`): its resources' scopes' spans.
fn spans(body: &[u8]) -> Vec<Span> {
    let scopes = fields(body, 1).into_iter().flat_map(|resource| fields(resource, 2));
    scopes.flat_map(|scope| fields(scope, 2)).map(span).collect()
}

fn span(message: &[u8]) -> Span {
    let bytes = |number| fields(message, number).first().map(|bytes| bytes.to_vec()).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let attribute = |pair: &[u8]| {
        let value = fields(pair, 2).into_iter().flat_map(|value| fields(value, 1)).next().map(text).unwrap_or_default();
        (text(fields(pair, 1)[0]), value)
    };
    let attributes = fields(message, 9).into_iter().map(attribute).collect();
    Span { trace: bytes(1), id: bytes(2), parent: bytes(4), name: text(&bytes(5)), attributes }
}

/// The values of one field of a protobuf message, where they have a length.
fn fields(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).unwrap(),
            5 => 4,
            other => panic!("no wire type: {other}"),
        };
        let (value, rest) = message.split_at(length);
        message = rest;
        if tag == number << 3 | 2 {
            found.push(value);
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let end = message.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let (bytes, rest) = message.split_at(end + 1);
    *message = rest;
    bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}
