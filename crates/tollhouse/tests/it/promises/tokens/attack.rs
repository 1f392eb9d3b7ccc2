//! Floods of wrong tokens from one address, and honest clients at the same time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use testkit::promise::{Promise, is_full};
use testkit::server::Server;
use testkit::token::{Key, now_seconds};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::signatures_checked;
use crate::api_key_pairs::with_role;
use crate::support::sqlite;

const HONEST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Connections of the attacker.
const ATTACKERS: usize = 16;
/// How often an honest client asks.
const HONEST_EVERY: Duration = Duration::from_millis(20);
/// What the full run attacks with.
const ATTACKS_PER_SECOND: usize = 5_000;

/// A client whose connections come from an address.
fn from(address: IpAddr) -> reqwest::Client {
    reqwest::Client::builder().no_proxy().local_address(address).build().unwrap()
}

async fn status(client: &reqwest::Client, server: &str, token: &str) -> u16 {
    let response = client.get(format!("{server}/roles")).bearer_auth(token).send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers().contains_key("retry-after"), status == 429);
    response.bytes().await.unwrap();
    status
}

/// A token that reads well up to its signature, which is none. It costs its maker nothing.
fn worthless(kid: &str, number: usize) -> String {
    let now = now_seconds();
    let claims = json!({ "iss": "t", "nbf": now, "exp": now + 600, "jti": number.to_string(), "scopes": ["*.read"] });
    let header = json!({ "alg": "ES512", "typ": "JWT", "kid": kid });
    let encoded = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", encoded(header), encoded(claims), URL_SAFE_NO_PAD.encode([1; 132]))
}

/// What an attack was answered.
struct Answered {
    requests: usize,
    unauthorized: usize,
    limited: usize,
    took: Duration,
}

/// Sends one wrong token after the other over many connections, as fast as they are answered but not faster than the rate.
async fn attack(server: &Server, kid: &str, requests: usize) -> Answered {
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut attackers = JoinSet::new();
    for _ in 0..ATTACKERS {
        let (client, base, kid, next) = (from(ATTACKER), server.base.clone(), kid.to_owned(), Arc::clone(&next));
        attackers.spawn(async move {
            let (mut unauthorized, mut limited) = (0, 0);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return (unauthorized, limited);
                }
                let due = began + Duration::from_secs(1) * u32::try_from(number).unwrap() / u32::try_from(ATTACKS_PER_SECOND).unwrap();
                tokio::time::sleep_until(due.into()).await;
                match status(&client, &base, &worthless(&kid, number)).await {
                    401 => unauthorized += 1,
                    429 => limited += 1,
                    other => panic!("an attacker was answered {other}"),
                }
            }
        });
    }
    let (unauthorized, limited) =
        attackers.join_all().await.into_iter().fold((0, 0), |(some, others), (more, most)| (some + more, others + most));
    Answered { requests, unauthorized, limited, took: began.elapsed() }
}

/// What an honest client saw: how long each answer took.
struct Honest {
    took: Vec<Duration>,
}

/// Asks with a new token each time, as the SDKs do, until the work is done, and once at least. Every answer must be 200.
async fn honest(server: &Server, key: &Key, client: &reqwest::Client, work: impl Future<Output = Answered>) -> (Honest, Answered) {
    let mut seen = Honest { took: Vec::new() };
    let mut ticks = interval(HONEST_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = std::pin::pin!(work);
    let mut done = None;
    loop {
        if let Some(answered) = done.take_if(|_| !seen.took.is_empty()) {
            return (seen, answered);
        }
        tokio::select! {
            _ = ticks.tick() => {
                let token = key.token_with(json!({ "scopes": ["*.read"], "jti": seen.took.len().to_string() }));
                let began = Instant::now();
                assert_eq!(status(client, &server.base, &token).await, 200, "the honest client is not touched");
                seen.took.push(began.elapsed());
            }
            answered = &mut work, if done.is_none() => done = Some(answered),
        }
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[(took.len() - 1) * 99 / 100]
}

/// Nobody attacks for a while.
async fn peace(lasting: Duration) -> Answered {
    tokio::time::sleep(lasting).await;
    Answered { requests: 0, unauthorized: 0, limited: 0, took: lasting }
}

/// At most the allowance, and what was under way when it ended: a signature is counted once it has been checked.
fn within_allowance(checked: f64, allowance: usize, took: Duration) -> bool {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    checked <= number(allowance) * (1.0 + took.as_secs_f64()) + number(at_once)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r39_wrong_tokens_cost_next_to_nothing_and_hurt_nobody() {
    let promise = Promise::new("R39");
    let seconds = promise.count(0, 5);
    let requests = promise.count(300, ATTACKS_PER_SECOND * 5);
    // The default, and few enough for a machine that is busy to pass them.
    let allowance = promise.count(5, 50);
    let plan = sqlite().with("TOLLHOUSE_LOG", "info");
    let server = plan.with("TOLLHOUSE_LIMITS__FAILED_AUTHENTICATIONS_PER_SECOND", allowance.to_string()).start().await;
    let (neighbour_key, _) = with_role(&server, "full-access", &[]).await;
    let remembered = server.key.token_with(json!({ "scopes": ["*.read"], "exp": now_seconds() + 600 }));
    let (honest_client, neighbour) = (from(HONEST), from(ATTACKER));
    assert_eq!(status(&neighbour, &server.base, &remembered).await, 200);
    let (mut baseline, _) =
        honest(&server, &server.key, &honest_client, peace(Duration::from_secs(u64::try_from(seconds).unwrap()).max(HONEST_EVERY * 3)))
            .await;

    // Key ids that nobody has: no signature is looked at, however many come.
    let good = signatures_checked(&server, "good").await;
    let stranger = Key::generate().thumbprint();
    let (mut during_unknown, unknown) = honest(&server, &server.key, &honest_client, attack(&server, &stranger, requests)).await;
    assert_eq!(signatures_checked(&server, "bad").await, 0.0);
    let fresh = number(during_unknown.took.len());
    assert_eq!(signatures_checked(&server, "good").await - good, fresh, "one for each token of the honest client");
    assert!(unknown.limited > 0 && unknown.unauthorized + unknown.limited == unknown.requests);

    // The id of a real key, the honest client's own: signatures are looked at until the address has had its allowance.
    let known = server.key.thumbprint();
    let (mut during_known, bad) = honest(&server, &server.key, &honest_client, attack(&server, &known, requests)).await;
    let checked = signatures_checked(&server, "bad").await;
    assert!(checked >= 1.0 && within_allowance(checked, allowance, bad.took), "{checked} signatures in {:?}", bad.took);
    assert!(bad.limited > 0 && bad.unauthorized + bad.limited == bad.requests);

    // Behind the attacker's own address: new tokens of other keys pass, and so do tokens that were verified before.
    let (_, bad_again) = honest(&server, &neighbour_key, &neighbour, attack(&server, &known, requests)).await;
    assert!(bad_again.limited > 0);
    assert_eq!(status(&neighbour, &server.base, &remembered).await, 200);

    let (calm, unknown_p99, known_p99) = (p99(&mut baseline.took), p99(&mut during_unknown.took), p99(&mut during_known.took));
    let per_second = |answered: &Answered| number(answered.requests) / answered.took.as_secs_f64();
    let measured = format!(
        "{:.0} and {:.0} attacks/s, {checked} of {} bad signatures checked, honest p99 {calm:?} before, {unknown_p99:?} and {known_p99:?} during",
        per_second(&unknown),
        per_second(&bad),
        bad.requests
    );
    if is_full() {
        assert!(unknown_p99 < calm * 2 && known_p99 < calm * 2, "{measured}");
    }
    server.end().await;
    promise.kept(3 * requests, &measured);
}
