//! Several instances on one database: what one has changed, all follow.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::promise::{Promise, is_full};
use testkit::provider::{Options, Provider, Reply};
use testkit::server::{Plan, Server};

use super::shutdown::service_at_provider;
use crate::api_key_pairs::with_role;
use crate::support::{BINARY, adyen_request, eventually};

/// How soon a change is honoured by the other instances.
const FOLLOWED_AFTER: Duration = Duration::from_secs(5);

/// The PostgreSQL server of the tests. Without one a check of a change goes on without it; the full run does not.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads where its second database is, and says when there is none"
)]
pub(super) fn postgres_url() -> Option<String> {
    let url = std::env::var("TOLLHOUSE_TEST_POSTGRES").ok().filter(|url| !url.is_empty());
    assert!(url.is_some() || !is_full(), "the full run needs PostgreSQL: set TOLLHOUSE_TEST_POSTGRES");
    if url.is_none() {
        eprintln!("TOLLHOUSE_TEST_POSTGRES is unset: this test needs PostgreSQL");
    }
    url
}

/// A plan on an empty PostgreSQL database, where there is a server for one.
pub(super) async fn postgres() -> Option<Plan> {
    Some(Plan::postgres(BINARY, &postgres_url()?).await)
}

/// How long it takes until something has happened.
async fn time_until(what: &str, look: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    eventually(what, async || look().await.then_some(())).await;
    began.elapsed()
}

#[tokio::test]
async fn r38_what_one_instance_has_changed_is_honoured_by_the_others() {
    let Some(plan) = postgres().await else { return };
    let promise = Promise::new("R38");
    let provider = Provider::start(Options::plain()).await;
    provider.answer(|_| Reply::json(201, r#"{"id":"CS-1","sessionData":"data"}"#));
    let one = plan.provider_at("adyen", &provider.url(""), None).start().await;
    let two = one.plan.sibling().serve().await;
    let rounds = promise.count(1, 10);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        for took in [revoked_key(&one, &two).await, changed_service(&one, &two, &provider, round).await] {
            promise.in_time("following a change of another instance", took, FOLLOWED_AFTER);
            slowest = slowest.max(took);
        }
    }
    two.end().await;
    one.end().await;
    promise.kept(rounds, &format!("key pair, credential and payment service were followed after {slowest:?} at most"));
}

/// A key pair is switched off on one instance while its token is remembered as good on the other.
async fn revoked_key(one: &Server, two: &Server) -> Duration {
    let (key, pair) = with_role(one, "full-access", &[]).await;
    let token = key.token(&["*.read"]);
    let bearer = two.anonymous().token(token);
    eventually("the other instance takes the token", async || (bearer.get("/payment-services").await.status != 401).then_some(())).await;
    one.merchant().put(&format!("/api-key-pairs/{pair}"), &json!({ "active": false })).await.expect(200);
    assert_eq!(one.anonymous().token(key.token(&["*.read"])).get("/payment-services").await.status, 401, "at once where it was done");
    time_until("the other instance refuses the token", async || bearer.get("/payment-services").await.status == 401).await
}

/// A credential, then the whole service.
async fn changed_service(one: &Server, two: &Server, provider: &Provider, round: usize) -> Duration {
    let id = service_at_provider(one).await;
    let (path, merchant) = (format!("/payment-services/{id}"), two.merchant());
    let session = async || merchant.post(&format!("{path}/sessions"), &adyen_request()).await.status;
    let made = time_until("the other instance has the service", async || session().await == 200).await;
    let key = format!("key-after-{round}");
    one.merchant().put(&path, &json!({ "fields": [{ "key": "api_key", "value": key }] })).await.expect(200);
    let changed = time_until("the other instance uses the new credential", async || {
        assert_eq!(session().await, 200, "never without one");
        provider.requests().last().is_some_and(|request| request.header("x-api-key") == Some(key.as_str()))
    })
    .await;
    one.merchant().put(&path, &json!({ "active": false })).await.expect(200);
    let off = time_until("the other instance refuses the service", async || session().await == 400).await;
    one.merchant().delete(&path).await.expect(204);
    let gone = time_until("the other instance has forgotten the service", async || session().await == 404).await;
    made.max(changed).max(off).max(gone)
}

#[tokio::test]
async fn r38_a_definition_changes_on_each_instance_with_its_own_signal() {
    let Some(plan) = postgres().await else { return };
    let promise = Promise::new("R38");
    let shell = crate::cli::Shell::new();
    shell.run(&["definitions", "new", "east-pay", "--out", "east.toml"]).await.expect(0);
    let first = std::fs::read_to_string(shell.path("east.toml")).unwrap();
    shell.write("defs/east-pay.toml", &first);
    let one = plan.with("TOLLHOUSE_DEFINITIONS__DIRS", shell.path("defs").display().to_string()).start().await;
    let two = one.plan.sibling().serve().await;
    let name = async |server: &Server| {
        let definition = server.merchant().get("/payment-service-definitions/east-pay-card").await.expect(200);
        definition["display_name"].as_str().unwrap().to_owned()
    };
    let named = async |server: &Server, wished: &str| (name(server).await == wished).then_some(());
    shell.write("defs/east-pay.toml", &first.replacen("card = { name = \"Card\"", "card = { name = \"Second\"", 1));
    one.signal("HUP").await;
    eventually("one instance has read the file again", async || named(&one, "Second").await).await;
    assert_eq!(name(&two).await, "Card", "the other one was not told");
    two.signal("HUP").await;
    eventually("the other instance has read it too", async || named(&two, "Second").await).await;
    two.end().await;
    one.end().await;
    promise.kept(1, "each instance follows its own SIGHUP");
}
