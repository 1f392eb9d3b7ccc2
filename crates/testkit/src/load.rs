//! Load: sessions and changes of configuration at a rate, by a client that writes down what it was promised.
#![expect(clippy::panic, reason = "test equipment fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::server::Plan;
use crate::token::{Key, now_seconds};

pub use self::ledger::{Comparison, Fault, Ledger};

mod ledger;

/// How long a test waits for something that load is going to bring about. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one request may take. Above every limit of the server, so that a request is ended by it or never.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(45);
/// How long a token is used, of the 30 s that it is good for: signing one costs more than the request that carries it.
const TOKEN_SECONDS: u64 = 15;
/// Between two changes of configuration, each of which is a commit of its own.
const CHANGE_INTERVAL: Duration = Duration::from_millis(15);
/// Of so many changes one makes a payment service, the others rename it.
const RENAMES_PER_SERVICE: usize = 6;
/// Broken requests that are described; the others are counted.
const DESCRIPTIONS_MAX: usize = 10;

/// What a load is made of.
pub struct Recipe {
    /// Where sessions are created, such as `/payment-services/ID/sessions`.
    pub path: String,
    /// The body of the session with this reference.
    pub body: fn(&str) -> Value,
    /// Sessions per second, if the server keeps up.
    pub per_second: u32,
    /// Most requests at once.
    pub at_once: usize,
    /// How long a connection is used.
    pub connections: Connections,
    /// The body of a payment service that is created and renamed all the time, if the configuration is to change as well.
    pub changes: Option<Value>,
}

/// How long a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Until the server closes it.
    Kept,
    /// For one request: closing an idle connection races with the next request on it, and this has no such race.
    OnePerRequest,
}

/// What came of the requests so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Sessions that were answered 2xx, and whose line in the ledger is on disk.
    pub acknowledged: usize,
    /// Changes of the configuration, likewise.
    pub changed: usize,
    /// Answers of all other kinds, by status.
    pub refused: BTreeMap<u16, usize>,
    /// Requests for which there was no connection.
    pub unconnected: usize,
    /// Requests on a connection that ended before the answer.
    pub broken: usize,
    /// What happened to the first of those.
    pub descriptions: Vec<String>,
}

/// A running load, ended with the value.
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    targets: Mutex<Vec<String>>,
    turn: AtomicUsize,
    key: Key,
    token: Mutex<(u64, String)>,
    client: reqwest::Client,
    recipe: Recipe,
    ledger: Ledger,
    counts: watch::Sender<Counts>,
    stop: watch::Sender<bool>,
}

/// How a request ended.
enum Ended {
    Answered { status: u16, request_id: String, body: String },
    Unconnected,
    Broken(String),
}

// === impl Load ===

impl Load {
    /// Begins, on one server or on several in turn. The key is the first one of the plan's installation.
    pub fn start(targets: Vec<String>, plan: &Plan, recipe: Recipe, ledger: Ledger) -> Self {
        let idle = match recipe.connections {
            Connections::Kept => recipe.at_once,
            Connections::OnePerRequest => 0,
        };
        let client =
            reqwest::Client::builder().no_proxy().pool_max_idle_per_host(idle).timeout(REQUEST_TIME_MAX).build().expect("a client");
        let shared = Arc::new(Shared {
            targets: Mutex::new(targets),
            turn: AtomicUsize::new(0),
            key: plan.first_key(),
            token: Mutex::default(),
            client,
            recipe,
            ledger,
            counts: watch::Sender::default(),
            stop: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&shared).create_sessions());
        if let Some(service) = shared.recipe.changes.clone() {
            tasks.spawn(Arc::clone(&shared).change_configuration(service));
        }
        Self { shared, tasks }
    }

    /// Where requests go from now on.
    pub fn aim(&self, targets: Vec<String>) {
        *lock(&self.shared.targets) = targets;
    }

    /// What came of the requests so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts.borrow().clone()
    }

    /// Waits until the counts are as wished.
    pub async fn until(&self, what: &str, wished: impl Fn(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        match timeout(PATIENCE, counts.wait_for(|counts| wished(counts))).await {
            Ok(found) => found.expect("the sender is in this value").clone(),
            Err(_) => panic!("waited too long under load: {what}: {:?}", self.counts()),
        }
    }

    /// Begins no further request, waits for those under way, and tells what came of all.
    pub async fn finish(mut self) -> Counts {
        self.shared.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a load does not panic");
        }
        self.counts()
    }
}

// === impl Shared ===

impl Shared {
    async fn create_sessions(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        let permits = Arc::new(Semaphore::new(self.recipe.at_once));
        let mut ticks = interval(Duration::from_secs(1) / self.recipe.per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut requests = JoinSet::new();
        while !*stop.borrow() {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.changed() => break,
            }
            let permit = Arc::clone(&permits).acquire_owned().await.expect("never closed");
            let shared = Arc::clone(&self);
            requests.spawn(async move {
                shared.create_session().await;
                drop(permit);
            });
            while requests.try_join_next().is_some() {}
        }
        while requests.join_next().await.is_some() {}
    }

    async fn create_session(&self) {
        let reference = self.ledger.next_reference();
        self.ledger.asks(&reference);
        let body = (self.recipe.body)(&reference);
        match self.send(Method::POST, &self.recipe.path, &body).await {
            Ended::Answered { status: 200..=299, request_id, .. } => {
                self.ledger.is_promised(&reference, &request_id).await;
                self.counts.send_modify(|counts| counts.acknowledged += 1);
            }
            other => self.count(other),
        }
    }

    /// One change at a time, so that which one was the last is known.
    async fn change_configuration(self: Arc<Self>, service: Value) {
        let mut stop = self.stop.subscribe();
        let mut ticks = interval(CHANGE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut current: Option<(String, String)> = None;
        for number in 0_usize.. {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.changed() => return,
            }
            current = match current {
                Some((id, name)) if !number.is_multiple_of(RENAMES_PER_SERVICE) => {
                    self.rename(&id, &format!("{name}/{number}")).await;
                    Some((id, name))
                }
                _ => self.create_service(service.clone()).await,
            };
        }
    }

    /// The id and the name of a new payment service.
    async fn create_service(&self, mut service: Value) -> Option<(String, String)> {
        let name = self.ledger.next_reference();
        if let Some(member) = service.get_mut("display_name") {
            *member = json!(name);
        }
        self.ledger.asks(&name);
        match self.send(Method::POST, "/payment-services", &service).await {
            Ended::Answered { status: 200..=299, body, .. } => {
                let made: Value = serde_json::from_str(&body).expect("an answer in JSON");
                let id = made.get("id").and_then(Value::as_str).expect("a payment service has an id").to_owned();
                self.ledger.is_named(&id, &name).await;
                self.counts.send_modify(|counts| counts.changed += 1);
                Some((id, name))
            }
            other => {
                self.count(other);
                None
            }
        }
    }

    async fn rename(&self, id: &str, name: &str) {
        self.ledger.asks(name);
        match self.send(Method::PUT, &format!("/payment-services/{id}"), &json!({ "display_name": name })).await {
            Ended::Answered { status: 200..=299, .. } => {
                self.ledger.is_named(id, name).await;
                self.counts.send_modify(|counts| counts.changed += 1);
            }
            other => self.count(other),
        }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Ended {
        let url = format!("{}{path}", self.target());
        let request = self.client.request(method, url).bearer_auth(self.token()).header("content-type", "application/json");
        let answer = async {
            let response = request.body(body.to_string()).send().await?;
            let status = response.status().as_u16();
            let request_id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
            Ok::<_, reqwest::Error>(Ended::Answered { status, request_id, body: response.text().await? })
        };
        match answer.await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => Ended::Unconnected,
            Err(error) => Ended::Broken(format!("{error:?}")),
        }
    }

    fn target(&self) -> String {
        let targets = lock(&self.targets);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % targets.len();
        targets.get(turn).expect("below the length").clone()
    }

    /// A token that will be good for the whole request.
    fn token(&self) -> String {
        let now = now_seconds();
        let mut kept = lock(&self.token);
        if now >= kept.0 + TOKEN_SECONDS {
            *kept = (now, self.key.token(&["*.read", "*.write"]));
        }
        kept.1.clone()
    }

    fn count(&self, ended: Ended) {
        self.counts.send_modify(|counts| match ended {
            Ended::Answered { status, .. } => *counts.refused.entry(status).or_default() += 1,
            Ended::Unconnected => counts.unconnected += 1,
            Ended::Broken(what) => {
                counts.broken += 1;
                if counts.descriptions.len() < DESCRIPTIONS_MAX {
                    counts.descriptions.push(what);
                }
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
