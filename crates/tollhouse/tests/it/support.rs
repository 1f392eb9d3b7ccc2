//! What the tests share: servers on each database, and payment services to call.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::conformance::Conformance;
use testkit::server::{Plan, Server};

static DOCUMENT: LazyLock<Conformance> = LazyLock::new(|| Conformance::new(api::openapi()));

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tollhouse");

/// Runs a test on an empty SQLite database, and on an empty PostgreSQL database where `TOLLHOUSE_TEST_POSTGRES` names a server.
pub(crate) async fn on_each_engine(test: impl AsyncFnMut(&Server)) {
    on_each_engine_with(|plan| plan, test).await;
}

/// The same with a server that is started differently.
pub(crate) async fn on_each_engine_with(configure: impl Fn(Plan) -> Plan, mut test: impl AsyncFnMut(&Server)) {
    for plan in plans().await {
        let server = configure(plan).start().await;
        test(&server).await;
        server.end().await;
    }
}

/// One plan per database, with every answer held against our OpenAPI document.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads where its second database is, and says when there is none"
)]
pub(crate) async fn plans() -> Vec<Plan> {
    let mut plans = vec![sqlite()];
    match std::env::var("TOLLHOUSE_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => plans.push(Plan::postgres(BINARY, &url).await.checked_by(&DOCUMENT)),
        _ => eprintln!("TOLLHOUSE_TEST_POSTGRES is unset: this test runs on SQLite only"),
    }
    plans
}

/// A plan for tests in which the database plays no part.
pub(crate) fn sqlite() -> Plan {
    Plan::sqlite(BINARY).checked_by(&DOCUMENT)
}

/// Looks again and again until something is there. Only a failing test waits to the end.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

/// Runs all at once; what comes of them is in their order.
pub(crate) async fn at_once<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if pending.iter().all(|(_, output)| output.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}

/// A body for `POST /payment-services`: currencies and countries that everybody takes.
pub(crate) fn service(definition: &str, fields: &[(&str, &str)]) -> Value {
    let fields: Vec<Value> = fields.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "display_name": definition,
        "payment_service_definition_id": definition,
        "fields": fields,
        "accepted_currencies": ["EUR"],
        "accepted_countries": ["NL"],
    })
}

/// A simulated Adyen service; its id.
pub(crate) async fn simulated_adyen(server: &Server, definition: &str) -> String {
    let fields = [("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")];
    let created = server.merchant().post("/payment-services", &service(definition, &fields)).await.expect(201);
    created["id"].as_str().unwrap().to_owned()
}

/// A request that Adyen takes.
pub(crate) fn adyen_request() -> Value {
    json!({ "amount": { "currency": "EUR", "value": 1000 }, "reference": "order-1", "returnUrl": "https://shop.example/return" })
}

/// Asserts that a text is an RFC 3339 moment as the API writes it, and hides nothing else.
#[track_caller]
pub(crate) fn assert_moment(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is not a moment"));
    assert!(text.len() == 32 && text.ends_with("+00:00") && text.as_bytes()[19] == b'.', "{text} is not a moment as the API writes it");
}

/// Asserts that a value is a lower-case UUID.
#[track_caller]
pub(crate) fn assert_uuid(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is not a UUID"));
    assert!(text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() && text.to_lowercase() == text, "{text} is not a UUID");
}
