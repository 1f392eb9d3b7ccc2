//! Payment services that fail, hang or answer nonsense, and what that costs everybody else.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testkit::promise::{Promise, is_full};
use testkit::provider::{Options, Provider, Received, Reply};
use testkit::server::Server;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::observability::{internal_address, page, sample};
use crate::support::{eventually, service, sqlite};

mod nonsense;
mod silence;

/// The users of the two services, by which the scripted payment service tells whose call it is.
const ILL: &str = "ill";
const WELL: &str = "well";

/// The time limit of calls to the service that is ill: longer than a test looks at calls that hang.
const HANGING_MS: &str = "20000";

/// How long anything may take that the row wants within ten seconds: ten times more, on a machine that is busy.
const AMPLE: Duration = Duration::from_secs(100);

/// A server, and a payment service that its two configured services share: one host, two sets of credentials.
struct Stage {
    server: Server,
    provider: Provider,
    internal: String,
    client: reqwest::Client,
    ill: String,
    well: String,
}

/// What a session came to, and after how long.
struct Ended {
    answer: Value,
    took: Duration,
}

impl Stage {
    /// Over plain HTTP: nothing here is about certificates, and a thousand handshakes would be.
    async fn new() -> Self {
        let provider = Provider::start(Options::plain()).await;
        provider.answer(|_| good());
        let server = sqlite().with("TOLLHOUSE_LOG", "info").provider_at("braintree", &provider.url(""), None).start().await;
        let internal = internal_address(&server);
        let mut ids = Vec::new();
        for (key, limit) in [(ILL, HANGING_MS), (WELL, "4500")] {
            let fields = [("public_key", key), ("private_key", "k"), ("mode", "sandbox"), ("timeout_ms", limit)];
            let created = server.merchant().post("/payment-services", &service("braintree-card", &fields)).await.expect(201);
            ids.push(created["id"].as_str().unwrap().to_owned());
        }
        let [ill, well] = <[String; 2]>::try_from(ids).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, provider, internal, client, ill, well }
    }

    /// Answers the calls of the one that is ill so, and all others well.
    fn ill_answers(&self, reply: Reply) {
        let reply = Arc::new(reply);
        self.provider.answer(move |request| if is_of_the_ill(request) { Reply::clone(&reply) } else { good() });
    }

    /// A session that can be waited for elsewhere.
    fn session(&self, id: &str) -> impl Future<Output = Ended> + Send + use<> {
        let request = self
            .client
            .post(format!("{}/payment-services/{id}/sessions", self.server.base))
            .bearer_auth(self.server.key.token(&["transactions.write"]))
            .header("content-type", "application/json")
            .body("{}");
        async move {
            let begun = Instant::now();
            let response = request.send().await.expect("the server answers");
            assert_eq!(response.status(), 200);
            Ended { answer: response.json().await.expect("JSON"), took: begun.elapsed() }
        }
    }

    /// Sessions of one service, one every so often and none waiting for another, until told to stop; how they ended.
    async fn load(&self, id: &str, is_over: impl AsyncFn() -> bool) -> Vec<Ended> {
        let begun = Instant::now();
        let mut sessions = JoinSet::new();
        // 200 a second, as in the row, or a tenth of it.
        let mut ticks = interval(Duration::from_millis(if is_full() { 5 } else { 50 }));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked = Instant::now();
        loop {
            ticks.tick().await;
            sessions.spawn(self.session(id));
            if looked.elapsed() > Duration::from_millis(200) {
                looked = Instant::now();
                if is_over().await {
                    return sessions.join_all().await;
                }
            }
            assert!(begun.elapsed() < AMPLE, "it takes too long");
        }
    }

    async fn measured(&self, name: &str, id: &str) -> f64 {
        // With a client that is there already: a new one costs more than a session.
        let request = self.client.get(format!("http://{}/metrics", self.internal));
        let metrics = request.send().await.expect("the internal listener answers").text().await.unwrap();
        sample(&metrics, name, &[("payment_service", id)]).unwrap_or_default()
    }

    async fn breaker(&self, id: &str) -> f64 {
        self.measured("tollhouse_breaker_state", id).await
    }

    fn calls_of_the_ill(&self) -> usize {
        self.provider.requests().iter().filter(|request| is_of_the_ill(request)).count()
    }
}

fn good() -> Reply {
    Reply::json(200, r#"{"data":{"createClientToken":{"clientToken":"t"}}}"#)
}

fn is_of_the_ill(request: &Received) -> bool {
    let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic ")).unwrap_or_default();
    STANDARD.decode(basic).unwrap_or_default().starts_with(ILL.as_bytes())
}

fn with_code(sessions: &[Ended], code: Option<&str>) -> usize {
    sessions.iter().filter(|session| session.answer["code"].as_str() == code).count()
}

/// As measurements have it.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// The 99th of a hundred, in milliseconds.
fn p99(sessions: &[Ended]) -> u128 {
    let mut times: Vec<u128> = sessions.iter().map(|session| session.took.as_millis()).collect();
    times.sort_unstable();
    times[(times.len() * 99 / 100).min(times.len() - 1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_service_that_fails_is_left_alone_and_taken_back_when_it_is_well() {
    let promise = Promise::new("R15");
    let stage = Stage::new().await;
    stage.ill_answers(Reply::json(503, "{}"));
    let begun = Instant::now();
    // At once, so that the slowest machine makes enough calls within the seconds that are looked at.
    let mut first = JoinSet::new();
    for _ in 0..30 {
        first.spawn(stage.session(&stage.ill));
    }
    let mut sessions = first.join_all().await;
    sessions.extend(stage.load(&stage.ill, async || stage.breaker(&stage.ill).await > 0.0).await);
    let opened = begun.elapsed();
    // It goes on failing, and a probe now and then finds out.
    let failing = Duration::from_secs(u64::try_from(promise.count(4, 60)).unwrap());
    sessions.extend(stage.load(&stage.ill, async || begun.elapsed() > failing).await);
    let (calls, refused) = (stage.calls_of_the_ill(), with_code(&sessions, Some("SERVICE_UNAVAILABLE")));
    assert_eq!(calls + refused, sessions.len(), "each session is a call or refused, and none is two");
    assert!(calls >= 20 && refused > 0, "{calls} calls, {refused} refused");
    let allowed = 30 + 200 + usize::try_from(begun.elapsed().as_secs() / 3).unwrap();
    assert!(calls < allowed, "{calls} calls to a service that fails");
    assert_eq!(stage.session(&stage.well).await.answer["status"], "succeeded", "the other one is called as usual");

    stage.ill_answers(good());
    let healed = Instant::now();
    let sessions_since = stage.load(&stage.ill, async || stage.breaker(&stage.ill).await == 0.0).await;
    let closed = healed.elapsed();
    assert!(with_code(&sessions_since, None) > 0);
    assert_eq!(stage.session(&stage.ill).await.answer["status"], "succeeded");
    assert!(!is_full() || (opened < Duration::from_secs(10) && closed < Duration::from_secs(10)), "{opened:?} {closed:?}");

    let log = stage.server.log();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text) && line.contains(&stage.ill)).collect::<Vec<_>>();
    let (opening, closing) = (lines("fails most calls"), lines("answers again"));
    assert!(opening.len() == 1 && opening[0].contains("WARN"), "{opening:?}");
    assert!(closing.len() == 1 && closing[0].contains("INFO"), "{closing:?}");
    let measured = stage.measured("tollhouse_breaker_rejections_total", &stage.ill).await;
    assert!(measured >= 1.0, "{measured}");
    promise.kept(sessions.len(), &format!("{calls} calls, {refused} refused, open after {opened:?}, closed {closed:?} after healing"));
    stage.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_credentials_that_one_merchant_mistypes_cost_nobody_else_anything() {
    let promise = Promise::new("R16");
    let stage = Stage::new().await;
    stage.ill_answers(Reply::json(401, r#"{"errors":[]}"#));
    let count = promise.count(50, 2_000);
    for _ in 0..count {
        let (refused, good) = tokio::join!(stage.session(&stage.ill), stage.session(&stage.well));
        assert_eq!((&refused.answer["code"], &refused.answer["status_code"]), (&json!("INVALID_SERVICE_CREDENTIALS"), &json!(401)));
        assert_eq!(good.answer["status"], "succeeded");
    }
    assert_eq!((stage.breaker(&stage.ill).await, stage.breaker(&stage.well).await), (0.0, 0.0));
    assert_eq!(stage.calls_of_the_ill(), count, "every one of them was asked for");
    let metrics = page(&stage.internal, "/metrics").await.text().await.unwrap();
    let refused = [("payment_service", stage.ill.as_str()), ("code", "INVALID_SERVICE_CREDENTIALS")];
    assert_eq!(sample(&metrics, "tollhouse_sessions_total", &refused), Some(number(count)), "for an alert");
    promise.kept(count, "success ratio of the other service 100 %, both breakers closed");
    stage.server.end().await;
}

/// In the full run with as many calls as one service may have in flight, and more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_service_that_hangs_holds_nobody_else_up() {
    let promise = Promise::new("R17");
    let stage = Stage::new().await;
    let rounds = promise.count(20, 1_000);
    let mut baseline = Vec::new();
    for _ in 0..rounds {
        baseline.push(stage.session(&stage.well).await);
    }
    stage.ill_answers(Reply::Never);
    let (hanging, beyond) = (promise.count(60, 1_024), promise.count(0, 76));
    let mut waiting = JoinSet::new();
    for _ in 0..hanging {
        waiting.spawn(stage.session(&stage.ill));
    }
    eventually("the calls to hang", async || {
        (stage.measured("tollhouse_service_calls_in_flight", &stage.ill).await >= number(hanging)).then_some(())
    })
    .await;
    for _ in 0..beyond {
        assert_eq!(stage.session(&stage.ill).await.answer["code"], "SERVICE_UNAVAILABLE");
    }
    let mut beside = Vec::new();
    for _ in 0..rounds {
        beside.push(stage.session(&stage.well).await);
    }
    assert_eq!((with_code(&baseline, None), with_code(&beside, None)), (rounds, rounds));
    assert_eq!(stage.measured("tollhouse_service_calls_in_flight", &stage.ill).await, number(hanging), "they hang to the end of it");
    assert_eq!(stage.calls_of_the_ill(), hanging, "what is beyond the limit is not sent");
    let (before, during) = (p99(&baseline), p99(&beside));
    assert!(!is_full() || during < 2 * before.max(5), "p99 of {before} ms has become {during} ms");
    promise.kept(rounds, &format!("{hanging} hang, {beyond} beyond are refused, p99 {before} ms before and {during} ms beside"));
    stage.server.end().await;
}
