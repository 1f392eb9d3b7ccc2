//! Stopping: nobody notices who did not have to.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::balancer::Balancer;
use testkit::load::{Connections, Counts, Ledger, Load, Recipe};
use testkit::promise::{Promise, is_full};
use testkit::provider::{Options, Provider, Reply};
use testkit::server::{Plan, Server};
use tokio::task::JoinSet;

use super::crash::request;
use super::instances::postgres;
use crate::observability::internal_address;
use crate::support::{BINARY, adyen_request, eventually, service};

/// The longest that a shutdown takes.
const SHUTDOWN_MAX: Duration = Duration::from_secs(30);
/// How long the payment service takes, so that requests are under way when the signal comes.
const SERVICE_TIME: Duration = Duration::from_millis(150);

/// A payment service that takes its time.
async fn provider() -> Provider {
    let provider = Provider::start(Options::plain()).await;
    provider.answer(|_| Reply::After(SERVICE_TIME, Box::new(Reply::json(201, r#"{"id":"CS-1","sessionData":"data"}"#))));
    provider
}

/// A configured service at a provider; its id.
pub(super) async fn service_at_provider(server: &Server) -> String {
    let fields = [("api_key", "key-before"), ("merchant_account", "ShopECOM"), ("mode", "sandbox")];
    let made = server.merchant().post("/payment-services", &service("adyen-card", &fields)).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Sessions at a rate, each on a connection of its own.
fn recipe(id: &str, per_second: u32) -> Recipe {
    let path = format!("/payment-services/{id}/sessions");
    Recipe { path, body: request, per_second, at_once: 128, connections: Connections::OnePerRequest, changes: None }
}

fn rate() -> u32 {
    if is_full() { 200 } else { 100 }
}

/// Nobody who was connected went away without an answer, and every answer was a good one.
#[track_caller]
fn expect_no_error(counts: &Counts) {
    assert!(counts.broken == 0 && counts.refused.is_empty(), "{counts:?}");
}

/// Status of `/readyz` on the internal listener, which outlives the public one.
async fn readiness(internal: &str) -> Option<u16> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Some(client.get(format!("http://{internal}/readyz")).send().await.ok()?.status().as_u16())
}

#[tokio::test]
async fn r24_a_server_that_is_told_to_stop_under_load_answers_all_whom_it_accepted() {
    let promise = Promise::new("R24");
    let rounds = promise.count(1, 20);
    let provider = provider().await;
    let mut server = Plan::sqlite(BINARY).with("TOLLHOUSE_LOG", "info").provider_at("adyen", &provider.url(""), None).start().await;
    let id = service_at_provider(&server).await;
    let ledger = Ledger::new(&server.plan.file("ledger"), "load");
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    for _ in 0..rounds {
        let internal = internal_address(&server);
        let load = Load::start(vec![server.base.clone()], &server.plan, recipe(&id, rate()), ledger.clone());
        load.until("a steady load", |counts| counts.acknowledged >= 50).await;
        let told = Instant::now();
        server.signal("TERM").await;
        // It drains for as long as the payment service takes, and says so at once.
        eventually("readiness is gone", async || (readiness(&internal).await != Some(200)).then_some(())).await;
        let (status, plan) = server.ended().await;
        slowest = slowest.max(told.elapsed());
        assert_eq!(status.code(), Some(0));
        load.until("the load meets a closed door", |counts| counts.unconnected > 0).await;
        let counts = load.finish().await;
        expect_no_error(&counts);
        answered += counts.acknowledged;
        server = plan.serve().await;
        ledger.compare(&server).await.expect_none();
    }
    server.end().await;
    assert!(slowest <= SHUTDOWN_MAX, "{slowest:?}");
    promise.kept(rounds, &format!("{answered} sessions at {}/s, none without its answer, ended after {slowest:?} at most", rate()));
}

#[tokio::test]
async fn r24_two_instances_behind_a_balancer_are_replaced_without_an_error() {
    let Some(plan) = postgres().await else { return };
    let promise = Promise::new("R24");
    let rounds = promise.count(1, 10);
    let provider = provider().await;
    let mut one = plan.with("TOLLHOUSE_LOG", "info").provider_at("adyen", &provider.url(""), None).start().await;
    let mut two = one.plan.sibling().serve().await;
    let id = service_at_provider(&one).await;
    eventually("the other instance knows the service", async || {
        let reply = two.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await;
        (reply.status == 200).then_some(())
    })
    .await;
    let balancer = Balancer::start(&[&one.base, &two.base]).await;
    let ledger = Ledger::new(&one.plan.file("ledger"), "load");
    let load = Load::start(vec![balancer.base.clone()], &one.plan, recipe(&id, rate()), ledger.clone());
    let more = async |count: usize| {
        let wished = load.counts().acknowledged + count;
        load.until("a steady load", |counts| counts.acknowledged >= wished).await
    };
    for _ in 0..rounds {
        more(30).await;
        let (status, plan) = one.terminate().await;
        assert_eq!(status.code(), Some(0));
        one = plan.serve().await;
        balancer.aim(&[&one.base, &two.base]);
        more(30).await;
        let (status, plan) = two.terminate().await;
        assert_eq!(status.code(), Some(0));
        two = plan.serve().await;
        balancer.aim(&[&one.base, &two.base]);
    }
    more(30).await;
    let counts = load.finish().await;
    expect_no_error(&counts);
    assert_eq!(counts.unconnected, 0, "somebody was always there");
    ledger.compare(&one).await.expect_none();
    two.end().await;
    one.end().await;
    promise
        .kept(rounds, &format!("PostgreSQL: {} sessions at {}/s through both instances' restarts, no error", counts.acknowledged, rate()));
}

/// A server with a session in it whose payment service does not answer, and the client that waits for the session.
async fn hanging(timeout_ms: u64) -> (Provider, Server, JoinSet<Option<Value>>) {
    let provider = Provider::start(Options::plain()).await;
    provider.answer(|_| Reply::Never);
    let plan = Plan::sqlite(BINARY).with("TOLLHOUSE_OUTBOUND__TIMEOUT_MS", timeout_ms.to_string());
    let server = plan.provider_at("adyen", &provider.url(""), None).start().await;
    let id = service_at_provider(&server).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let session = client
        .post(format!("{}/payment-services/{id}/sessions", server.base))
        .bearer_auth(server.key.token(&["*.write"]))
        .header("content-type", "application/json")
        .body(adyen_request().to_string());
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { session.send().await.ok()?.json().await.ok() });
    provider.wait_for_requests(1).await;
    (provider, server, waiting)
}

#[tokio::test]
async fn r25_a_payment_service_that_hangs_does_not_keep_a_server_from_ending() {
    let promise = Promise::new("R25");
    // Within the drain limit the call ends by its own, and the session is told and recorded.
    let (_provider, server, waiting) = hanging(2000).await;
    let (status, plan) = server.terminate().await;
    assert_eq!(status.code(), Some(0));
    let session = waiting.join_all().await.remove(0).expect("an answer");
    assert_eq!(session["status"], "failed", "{session}");
    let server = plan.serve().await;
    let records = server.merchant().get("/payment-service-sessions").await.expect(200);
    assert_eq!((&records["items"][0]["status"], &records["items"][0]["outcome_known"]), (&"failed".into(), &false.into()), "{records}");
    server.end().await;

    // A second signal waits for nobody.
    let (_provider, server, waiting) = hanging(30_000).await;
    let internal = internal_address(&server);
    server.signal("TERM").await;
    eventually("readiness is gone", async || (readiness(&internal).await == Some(503)).then_some(())).await;
    let second = Instant::now();
    let (status, plan) = server.terminate().await;
    assert_eq!(status.code(), Some(1), "somebody should know that it was not clean");
    let at_once = second.elapsed();
    promise.in_time("ending at the second signal", at_once, Duration::from_secs(1));
    assert_eq!(waiting.join_all().await, [None], "nothing is acknowledged");
    plan.serve().await.end().await;

    // A call may take longer than a shutdown. Waiting for that takes half a minute, so it is for the full run.
    let mut measured = format!("at the second signal after {at_once:?}");
    if is_full() {
        let (_provider, server, waiting) = hanging(30_000).await;
        let told = Instant::now();
        let (status, plan) = server.terminate_within(SHUTDOWN_MAX + Duration::from_secs(10)).await;
        let took = told.elapsed();
        assert!(status.code() == Some(1) && took <= SHUTDOWN_MAX + Duration::from_secs(1), "{status} after {took:?}");
        assert_eq!(waiting.join_all().await, [None], "nothing is acknowledged");
        plan.serve().await.end().await;
        measured = format!("{measured}, at the limit after {took:?}");
    }
    let count = promise.count(2, 3);
    promise.kept(count, &measured);
}
