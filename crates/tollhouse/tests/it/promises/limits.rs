//! Rates: past its own a key pair, an account or an address waits, and nobody else does.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use testkit::promise::Promise;
use testkit::server::{Plan, Server};
use tokio::task::JoinSet;

use crate::api_key_pairs::{bound_to, with_role};
use crate::observability::{internal_address, page, sample};
use crate::support::{eventually, service, sqlite};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// What is allowed per second in these tests.
const RATE: usize = 5;

fn limited(limit: &str) -> Plan {
    sqlite().with(&format!("TOLLHOUSE_LIMITS__{limit}_PER_SECOND"), RATE.to_string())
}

/// Asks from an address, with headers.
async fn ask(client: &reqwest::Client, url: String, token: &str, headers: &[(&'static str, String)]) -> reqwest::Response {
    let request = headers.iter().fold(client.get(url).bearer_auth(token), |request, (name, value)| request.header(*name, value));
    request.send().await.unwrap()
}

fn from(address: IpAddr) -> reqwest::Client {
    reqwest::Client::builder().no_proxy().local_address(address).build().unwrap()
}

/// A request that is asked again and again.
struct Asked {
    client: reqwest::Client,
    url: String,
    token: String,
    headers: Vec<(&'static str, String)>,
    /// The status of an answer within the limit.
    within: u16,
}

impl Asked {
    fn new(server: &Server, path: &str, token: String) -> Self {
        Self { client: from(HERE), url: format!("{}{path}", server.base), token, headers: Vec::new(), within: 200 }
    }

    async fn once(&self) -> u16 {
        ask(&self.client, self.url.clone(), &self.token, &self.headers).await.status().as_u16()
    }

    /// Asks many times at once: no more pass than a second's worth and what comes back meanwhile, and every other one is told so. How many were.
    async fn too_often(&self, count: usize) -> usize {
        let began = Instant::now();
        let mut asked = JoinSet::new();
        for _ in 0..count {
            let (client, url, token, headers) = (self.client.clone(), self.url.clone(), self.token.clone(), self.headers.clone());
            asked.spawn(async move {
                let response = ask(&client, url, &token, &headers).await;
                let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
                assert!(response.headers().contains_key("x-request-id"));
                (response.status().as_u16(), retry_after, response.text().await.unwrap())
            });
        }
        let answers = asked.join_all().await;
        let allowed = RATE * (1 + usize::try_from(began.elapsed().as_secs()).unwrap() + 1);
        let (passed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _, _)| *status == self.within);
        assert!(passed.len() <= allowed, "{} passed, {allowed} are allowed", passed.len());
        assert!(!refused.is_empty());
        let expected =
            json!({ "type": "error", "code": "too_many_requests", "status": 429, "message": "Too many requests", "details": [] });
        for (status, retry_after, text) in &refused {
            assert_eq!((*status, retry_after.as_deref()), (429, Some("1")), "{text}");
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected);
        }
        refused.len()
    }

    async fn passes_again(&self) {
        eventually("the allowance is back", async || (self.once().await == self.within).then_some(())).await;
    }
}

async fn refused(server: &Server, limit: &str) -> f64 {
    let metrics = page(&internal_address(server), "/metrics").await.text().await.unwrap();
    sample(&metrics, "tollhouse_rate_limited_total", &[("limit", limit)]).unwrap_or_default()
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[tokio::test]
async fn r54_a_key_pair_waits_and_no_other_does() {
    let promise = Promise::new("R54");
    let server = sqlite().start().await;
    let (other, _) = with_role(&server, "full-access", &[]).await;
    let server = server.kill().await.with("TOLLHOUSE_LIMITS__KEY_PAIR_PER_SECOND", RATE.to_string()).serve().await;
    let busy = Asked::new(&server, "/roles", server.key.token(&["*.read"]));
    let count = promise.count(60, 2_000);
    let told = busy.too_often(count).await;
    // Wherever it asks, whatever it may do there, and with whatever token.
    let elsewhere = Asked { client: from(THERE), ..Asked::new(&server, "/payment-services", server.key.token(&["*.read"])) };
    let told = told + elsewhere.too_often(count).await;
    let without_scope = Asked { within: 403, ..Asked::new(&server, "/roles", server.key.token(&[])) };
    let told = told + without_scope.too_often(count).await;
    let others = Asked::new(&server, "/roles", other.token(&["*.read"]));
    assert_eq!(others.once().await, 200, "another key pair has its own allowance");
    for path in ["/healthz", "/readyz"] {
        for _ in 0..2 * RATE {
            let response = busy.client.get(format!("{}{path}", server.base)).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path} is not counted");
        }
    }
    assert_eq!(refused(&server, "key_pair").await, number(told));
    busy.passes_again().await;
    server.end().await;
    promise.kept(3 * count, &format!("{told} requests of one key pair told to come again, none of another"));
}

#[tokio::test]
async fn r54_a_merchant_account_waits_and_no_other_does() {
    let promise = Promise::new("R54");
    let server = limited("MERCHANT_ACCOUNT").start().await;
    for id in ["busy", "idle"] {
        server.merchant().post("/merchant-accounts", &json!({ "id": id, "display_name": id })).await.expect(201);
    }
    let token = server.key.token(&["*.read", "*.write"]);
    let in_account = |id: &str, path: &str| {
        let headers = vec![("x-gr4vy-merchant-account-id", id.to_owned())];
        Asked { headers, ..Asked::new(&server, path, token.clone()) }
    };
    let count = promise.count(60, 2_000);
    let told = in_account("busy", "/payment-services").too_often(count).await;
    // Nothing is looked up for what is refused: an id that nobody has is not told.
    let nobody = Asked { within: 404, ..in_account("busy", "/payment-services/3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11") };
    let told = told + nobody.too_often(count).await;
    assert_eq!(in_account("idle", "/payment-services").once().await, 200, "another account has its own allowance");
    assert_eq!(Asked::new(&server, "/roles", token.clone()).once().await, 200, "what is in no account is counted for none");
    // Who may not act in an account takes nothing from it.
    let stranger = bound_to(&server, &["idle"]).await.token(&["*.read"]);
    let intruder = Asked { token: stranger, ..in_account("default", "/payment-services") };
    for _ in 0..4 * RATE {
        assert_eq!(intruder.once().await, 403);
    }
    assert_eq!(in_account("default", "/payment-services").once().await, 200);
    assert_eq!(refused(&server, "merchant_account").await, number(told));
    in_account("busy", "/payment-services").passes_again().await;
    server.end().await;
    promise.kept(2 * count, &format!("{told} requests in one account told to come again, none in another"));
}

#[tokio::test]
async fn r54_an_address_that_sends_wrong_tokens_waits_and_no_other_does() {
    let promise = Promise::new("R54");
    let server = limited("FAILED_AUTHENTICATIONS").start().await;
    let wrong = |address| Asked { client: from(address), within: 401, ..Asked::new(&server, "/roles", "no.token.at-all".to_owned()) };
    let count = promise.count(60, 2_000);
    let told = wrong(THERE).too_often(count).await;
    assert_eq!(wrong(ELSEWHERE).once().await, 401, "another address has its own allowance");
    let good = Asked { client: from(THERE), ..Asked::new(&server, "/roles", server.key.token(&["*.read"])) };
    assert_eq!(good.once().await, 200, "a good token passes");
    // Nobody is believed who is no trusted proxy.
    let forging = Asked { headers: vec![("x-forwarded-for", "203.0.113.7".to_owned())], ..wrong(THERE) };
    let told = told + forging.too_often(count).await;
    assert_eq!(refused(&server, "failed_authentications").await, number(told));
    wrong(THERE).passes_again().await;
    server.end().await;
    promise.kept(2 * count, &format!("{told} wrong tokens of one address told to come again, none of another"));
}

#[tokio::test]
async fn r54_behind_a_trusted_proxy_each_client_counts_for_itself() {
    let promise = Promise::new("R54");
    let server = limited("FAILED_AUTHENTICATIONS").with("TOLLHOUSE_SERVER__TRUSTED_PROXIES", "127.0.0.2/32").start().await;
    let through_proxy = |written: &str| {
        let headers = vec![("x-forwarded-for", written.to_owned())];
        Asked { client: from(THERE), headers, within: 401, ..Asked::new(&server, "/roles", "no.token.at-all".to_owned()) }
    };
    let count = promise.count(60, 2_000);
    // The client's own header stands in front of what the proxy writes.
    let told = through_proxy("127.0.0.1, 203.0.113.7").too_often(count).await;
    let told = told + through_proxy("198.51.100.1, 203.0.113.7").too_often(count).await;
    assert_eq!(through_proxy("203.0.113.8").once().await, 401);
    let untrusted = Asked { client: from(ELSEWHERE), ..through_proxy("203.0.113.7") };
    assert_eq!(untrusted.once().await, 401, "counted as the address that it has");
    assert_eq!(refused(&server, "failed_authentications").await, number(told));

    // The same address is the origin in the audit log.
    let body = service("adyen-card", &[("api_key", "k"), ("merchant_account", "M"), ("mode", "simulator")]);
    for (client, expected) in [(from(THERE), "203.0.113.9"), (from(ELSEWHERE), "127.0.0.3")] {
        let request = client.post(format!("{}/payment-services", server.base)).bearer_auth(server.key.token(&["*.write"]));
        let created = request.header("x-forwarded-for", "10.0.0.1, 203.0.113.9").body(body.to_string()).send().await.unwrap();
        assert_eq!(created.status(), 201);
        let created: Value = created.json().await.unwrap();
        let mut database = SqliteConnection::connect(&format!("sqlite://{}", server.plan.file("tollhouse.db").display())).await.unwrap();
        let origin: String = sqlx::query_scalar("SELECT origin FROM audit_log WHERE resource_id = $1")
            .bind(created["id"].as_str().unwrap())
            .fetch_one(&mut database)
            .await
            .unwrap();
        assert_eq!(origin, expected);
    }
    server.end().await;
    promise.kept(2 * count, &format!("{told} wrong tokens of one client told to come again, none of another behind the same proxy"));
}
