//! What an operator sees: the internal listener, the log, traces. And what nobody must see there.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::provider::{Options, Provider, Reply};
use testkit::server::{Plan, Server};

use crate::support::{adyen_request, eventually, service, simulated_adyen, sqlite};

mod canaries;
pub(crate) mod rows;
mod steps;

/// Lines of the log, each of which has to be JSON.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Where the internal listener is. Its port is free to choose, and the log tells it.
pub(crate) fn internal_address(server: &Server) -> String {
    let log = lines(&server.log());
    let line = log.iter().find(|line| line["message"] == "The internal listener is up.").expect("the log tells the address");
    line["address"].as_str().unwrap().to_owned()
}

pub(crate) async fn page(internal: &str, path: &str) -> reqwest::Response {
    reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{internal}{path}")).send().await.unwrap()
}

/// The value of a sample: its name, and labels that it has among others.
pub(crate) fn sample(metrics: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |line: &str| labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")));
    let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && has(line);
    metrics.lines().find(is_it)?.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn the_internal_listener_tells_health_and_counts_sessions() {
    let server = sqlite().start().await;
    let internal = internal_address(&server);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(page(&internal, path).await.status(), 200, "{path}");
    }
    assert_eq!(page(&internal, "/payment-services").await.status(), 404, "the API is not there");
    let id = simulated_adyen(&server, "adyen-card").await;
    let path = format!("/payment-services/{id}/sessions");
    for _ in 0..2 {
        server.merchant().post(&path, &adyen_request()).await.expect(200);
    }
    server.merchant().post(&path, &json!({ "reference": "canary-reference" })).await.expect(200);
    server.merchant().get(&format!("/payment-services/{id}?canary=query")).await.expect(200);
    server.anonymous().token("no.token.atall").get("/roles").await.expect(401);

    let response = page(&internal, "/metrics").await;
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let metrics = response.text().await.unwrap();
    let of = |status, code| [("definition", "adyen-card"), ("payment_service", id.as_str()), ("status", status), ("code", code)];
    assert_eq!(sample(&metrics, "tollhouse_sessions_total", &of("succeeded", "none")), Some(2.0), "{metrics}");
    assert_eq!(sample(&metrics, "tollhouse_sessions_total", &of("failed", "INVALID_SERVICE_REQUEST")), Some(1.0), "{metrics}");
    let call = [("provider", "adyen"), ("payment_service", id.as_str()), ("result", "2xx")];
    assert_eq!(sample(&metrics, "tollhouse_outbound_calls_total", &call), Some(2.0), "{metrics}");
    for (name, value) in [
        ("tollhouse_breaker_state", 0.0),
        ("tollhouse_breaker_rejections_total", 0.0),
        ("tollhouse_in_flight_rejections_total", 0.0),
        ("tollhouse_service_calls_in_flight", 0.0),
        ("tollhouse_retries_total", 0.0),
        ("tollhouse_retry_budget_exhausted_total", 0.0),
    ] {
        assert_eq!(sample(&metrics, name, &[("payment_service", &id)]), Some(value), "{name} {metrics}");
    }
    let stranger = metrics.lines().find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("tollhouse_"));
    assert_eq!(stranger, None, "every name begins alike, so that a query finds all of them");
    assert_eq!(sample(&metrics, "tollhouse_session_duration_seconds_count", &[("definition", "adyen-card")]), Some(3.0), "{metrics}");
    let route = [("method", "POST"), ("route", "/payment-services/{payment_service_id}/sessions"), ("status", "200")];
    assert_eq!(sample(&metrics, "tollhouse_http_request_duration_seconds_count", &route), Some(3.0), "{metrics}");
    assert_eq!(sample(&metrics, "tollhouse_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0), "{metrics}");
    assert!(sample(&metrics, "tollhouse_connections", &[]).is_some_and(|open| open >= 1.0), "{metrics}");
    for hidden in ["canary", "default", "ShopECOM"] {
        assert!(!metrics.contains(hidden), "no label holds {hidden}: {metrics}");
    }
    server.end().await;
}

#[tokio::test]
async fn the_internal_listener_can_be_switched_off_and_a_taken_port_stops_the_start() {
    let server = sqlite().with("TOLLHOUSE_INTERNAL__LISTEN", "off").start().await;
    assert!(!server.log().contains("The internal listener is up."));
    server.merchant().get("/roles").await.expect(200);
    server.end().await;

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let plan = sqlite().start().await.kill().await.with("TOLLHOUSE_INTERNAL__LISTEN", &address);
    let output = plan.run(&["serve", "--config", &plan.file("tollhouse.toml").display().to_string()]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && words.contains(&address) && words.contains("internal.listen"), "{words}");
}

#[tokio::test]
async fn each_request_has_a_line_with_its_id() {
    let server = sqlite().with("TOLLHOUSE_LOG", "").start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let mut replies = vec![
        (
            server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await,
            "/payment-services/{payment_service_id}/sessions",
        ),
        (server.merchant().get(&format!("/payment-services/{id}")).await, "/payment-services/{payment_service_id}"),
        (server.anonymous().get("/roles").await, "/roles"),
        (server.merchant().get("/transactions").await, "unknown"),
    ];
    let chosen = server.merchant().header("x-request-id", "chosen-by-the-client").get("/roles").await;
    assert_ne!(chosen.header("x-request-id"), Some("chosen-by-the-client"));
    replies.push((chosen, "/roles"));
    for (reply, route) in replies {
        let request_id = reply.header("x-request-id").unwrap();
        let of_it = async || {
            lines(&whole_lines(&server.log()))
                .into_iter()
                .find(|line| line["span"]["request_id"] == request_id && line["duration_ms"].is_u64())
        };
        let line = eventually("the line of a request", of_it).await;
        assert_eq!((&line["level"], &line["span"]["http.route"]), (&json!("INFO"), &json!(route)), "{line}");
        assert_eq!(line["http.response.status_code"], json!(reply.status), "{line}");
        assert!(line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    }
    let (_, plan) = server.terminate().await;
    let log = std::fs::read_to_string(plan.file("log")).unwrap();
    assert!(lines(&log).iter().all(|line| line["level"] == "INFO"), "the default is `info`, and nothing went wrong: {log}");
    assert!(!log.contains(&id) && !log.contains("chosen-by-the-client"), "paths and headers are not logged: {log}");
}

/// Without the line that is being written.
fn whole_lines(log: &str) -> String {
    log[..log.rfind('\n').map_or(0, |end| end + 1)].to_owned()
}

#[tokio::test]
async fn a_filter_that_is_none_stops_the_start() {
    let output = Plan::sqlite(crate::support::BINARY).with("TOLLHOUSE_LOG", "tollhouse=loud").run(&["serve"]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && words.contains("TOLLHOUSE_LOG"), "{words}");
}

#[tokio::test]
async fn traces_reach_a_collector_when_one_is_named() {
    let collector = Provider::start(Options::plain()).await;
    collector.answer(|_| Reply::empty(200));
    let endpoint = collector.url("/v1/traces");
    let server = sqlite().with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint).with("OTEL_SERVICE_NAME", "toll-of-a-test").start().await;
    let id = simulated_adyen(&server, "adyen-card").await;
    let session = server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await;
    session.expect(200);
    collector.wait_for_requests(1).await;
    // What is left is sent at the end.
    let (status, _plan) = server.terminate().await;
    assert!(status.success());
    let received = collector.requests();
    for request in &received {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    }
    let sent: Vec<u8> = received.iter().flat_map(|request| request.body.clone()).collect();
    let request_id = session.header("x-request-id").unwrap();
    for text in ["toll-of-a-test", "request", "outbound_call", "/payment-services/{payment_service_id}/sessions", request_id] {
        assert!(testkit::canary::contains(&sent, text.as_bytes()), "no `{text}` among {} bytes of spans", sent.len());
    }
}

#[tokio::test]
async fn a_collector_that_is_gone_holds_nobody_up() {
    let server = sqlite().with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/v1/traces").start().await;
    let made = server
        .merchant()
        .post("/payment-services", &service("adyen-card", &[("api_key", "k"), ("merchant_account", "M"), ("mode", "simulator")]))
        .await;
    made.expect(201);
    let ended = tokio::time::timeout(Duration::from_secs(20), server.terminate()).await.expect("it ends in time");
    assert!(ended.0.success());
}
