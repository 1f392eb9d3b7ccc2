//! New root keys and data keys under load, and root keys that can not be used.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use store::Database;
use testkit::caller::Caller;
use testkit::promise::{Promise, Random};
use testkit::provider::{Options, Provider, Reply};
use testkit::server::{Plan, Server};
use testkit::token::Key;

use crate::support::{adyen_request, plans, service, sqlite};

mod root_keys;
mod sealing;

/// Merchant accounts beside `default`: more than one transaction of a root key takes.
const ACCOUNTS: usize = 24;
/// Payment services of the account `default`: more values than one transaction of a data key takes.
const SERVICES: usize = 8;
/// Other accounts that have a payment service and are called; the rest only has a secret.
const CALLED: usize = 3;
/// How often a command is begun and ended before its end, at most, until it was hit in the middle often enough.
const ATTEMPTS_MAX: usize = 12;

/// A root key of this byte in a file of the plan's directory; its path.
pub(super) fn root_key_file(plan: &Plan, name: &str, byte: u8) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = plan.file(name);
    std::fs::write(&path, STANDARD.encode([byte; 32])).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// `secrets status` of a plan.
pub(super) async fn status(plan: &Plan) -> Value {
    let config = plan.file("tollhouse.toml").display().to_string();
    let output = plan.run(&["secrets", "status", "--config", &config]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many data keys a root key wraps, by its role.
fn wrapped_by(status: &Value, role: &str) -> u64 {
    let roots = status["root_keys"].as_array().unwrap();
    roots.iter().filter(|root| root["role"] == role).map(|root| root["data_keys"].as_u64().unwrap()).sum()
}

/// Callers for the accounts that are called, made once: each has connections of its own.
type Merchants<'s> = BTreeMap<String, Caller<'s>>;

fn merchants(server: &Server) -> Merchants<'_> {
    let shops = (0..CALLED).map(|number| format!("shop-{number}"));
    std::iter::once("default".to_owned()).chain(shops).map(|id| (id.clone(), server.merchant().for_account(&id))).collect()
}

/// The world of one test: services by account and path, and their credentials as the server has last acknowledged them.
#[derive(Default)]
struct World {
    services: Vec<(String, String)>,
    credentials: Mutex<BTreeMap<String, String>>,
}

impl World {
    async fn build(server: &Server) -> Self {
        let mut world = Self::default();
        let merchant = server.merchant();
        for number in 0..ACCOUNTS {
            let id = format!("shop-{number}");
            let account = json!({ "id": id, "display_name": id, "loon_secret_key": "loon-secret" });
            merchant.post("/merchant-accounts", &account).await.expect(201);
        }
        for (account, merchant) in merchants(server) {
            for number in 0..if account == "default" { SERVICES } else { 1 } {
                let key = format!("first-{number}-of-{account}");
                let fields = [("api_key", key.as_str()), ("merchant_account", "ShopECOM"), ("mode", "sandbox")];
                let created = merchant.post("/payment-services", &service("adyen-card", &fields)).await.expect(201);
                let path = format!("/payment-services/{}", created["id"].as_str().unwrap());
                world.credentials.get_mut().unwrap().insert(path.clone(), key);
                world.services.push((account.clone(), path));
            }
        }
        world
    }

    /// Calls every service once: the payment service must see what was acknowledged last.
    async fn check(&self, server: &Server, provider: &Provider) {
        let merchants = merchants(server);
        for (account, path) in &self.services {
            let session = merchants[account].post(&format!("{path}/sessions"), &adyen_request()).await.expect(200);
            assert_eq!(session["status"], "succeeded", "{path}");
            let seen = provider.requests().pop().unwrap().header("x-api-key").unwrap().to_owned();
            assert_eq!(Some(&seen), self.credentials.lock().unwrap().get(path), "{path}");
        }
    }
}

/// Requests until they are told to stop. Each one must succeed, or the test ends.
struct Load<'a> {
    merchants: Merchants<'a>,
    world: &'a World,
    over: AtomicBool,
    sessions: AtomicUsize,
    changes: AtomicUsize,
    reads: AtomicUsize,
}

impl<'a> Load<'a> {
    fn on(server: &'a Server, world: &'a World) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { merchants: merchants(server), world, over: AtomicBool::new(false), sessions: zero(), changes: zero(), reads: zero() }
    }

    /// Something at a rate, from service to service.
    async fn each(&self, period: Duration, count: &AtomicUsize, request: impl AsyncFn(usize, &Caller<'_>, &str)) {
        let mut ticks = tokio::time::interval(period);
        for (number, (account, path)) in self.world.services.iter().cycle().enumerate() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            ticks.tick().await;
            request(number, &self.merchants[account], path).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn sessions(&self) {
        self.each(Duration::from_millis(20), &self.sessions, async |_, merchant, path| {
            let session = merchant.post(&format!("{path}/sessions"), &adyen_request()).await.expect(200);
            assert_eq!(session["status"], "succeeded", "{path}: {session}");
        })
        .await;
    }

    async fn changes(&self) {
        self.each(Duration::from_millis(40), &self.changes, async |number, merchant, path| {
            let key = format!("changed-{number}");
            let body = json!({ "fields": [{ "key": "api_key", "value": key }] });
            merchant.put(path, &body).await.expect(200);
            self.world.credentials.lock().unwrap().insert(path.to_owned(), key);
        })
        .await;
    }

    async fn reads(&self) {
        self.each(Duration::from_millis(40), &self.reads, async |_, merchant, path| {
            let shown = merchant.get(path).await.expect(200);
            assert_eq!(shown["fields"].as_array().unwrap().len(), 2, "{path}: {shown}");
            let page = merchant.get("/payment-services?limit=100").await.expect(200);
            assert!(page["items"].as_array().unwrap().iter().all(|item| item["fields"].as_array().unwrap().len() == 2), "{page}");
        })
        .await;
    }

    /// All of them, for as long as something else takes.
    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let work = async {
            let outcome = work.await;
            self.over.store(true, Ordering::Relaxed);
            outcome
        };
        tokio::join!(self.sessions(), self.changes(), self.reads(), work).3
    }
}

/// Begins a command and kills it in the middle.
struct Killer<'a> {
    plan: &'a Plan,
    /// Beside the server, as another process would look.
    database: Database,
    random: Random,
}

/// What the database held when a command was killed: how many data keys each root key wraps, and how many accounts have two.
#[derive(Debug, PartialEq, Eq)]
struct Keys {
    by_root: BTreeMap<String, usize>,
    accounts_with_two: usize,
    /// Versions of all keys together.
    versions: i64,
}

impl Killer<'_> {
    async fn keys(&self) -> Keys {
        let mut tx = self.database.read().await.unwrap();
        let stored = store::data_keys::all(&mut tx).await.unwrap();
        let mut keys = Keys { by_root: BTreeMap::new(), accounts_with_two: 0, versions: 0 };
        let mut last = None;
        for key in &stored {
            *keys.by_root.entry(key.root_key_id.clone()).or_default() += 1;
            keys.accounts_with_two += usize::from(last == Some(&key.account));
            keys.versions += key.version;
            last = Some(&key.account);
        }
        keys
    }

    /// Begins the command, waits until it has changed something and then for a moment, and ends it as a power cut would. Whether it had not ended by itself.
    async fn strike(&mut self, arguments: &[&str], variables: &[(&str, &str)]) -> bool {
        let before = self.keys().await;
        let mut command = self.plan.begin(arguments, variables);
        let moment = Duration::from_micros(self.random.below(60_000));
        let ended = async {
            let mut glances = tokio::time::interval(Duration::from_millis(1));
            while self.keys().await == before {
                glances.tick().await;
                if let Some(status) = command.try_wait().unwrap() {
                    return Some(status);
                }
            }
            tokio::time::timeout(moment, command.wait()).await.ok().map(Result::unwrap)
        };
        let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the command does something");
        if let Some(status) = ended {
            assert!(status.success(), "{arguments:?}: {status}");
            return false;
        }
        command.kill().await.unwrap();
        true
    }

    /// Runs the command to its end.
    async fn finish(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.plan.begin(arguments, variables).wait_with_output());
        let output = ended.await.expect("the command ends in time").unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {words}");
        words
    }
}

#[tokio::test]
async fn r47_rotation_under_load_fails_no_request() {
    let promise = Promise::new("R47");
    let strikes = promise.count(2, 20);
    let (mut requests, mut hits, mut seconds) = (0, 0, 0.0);
    for plan in plans().await {
        let provider = Provider::start(Options::plain()).await;
        provider.answer(|_| Reply::json(201, r#"{"id":"CS1"}"#));
        let server = plan.provider_at("adyen", &provider.url(""), None).with("TOLLHOUSE_LOG", "info").start().await;
        let world = World::build(&server).await;
        let (stopped, plan) = server.terminate().await;
        assert!(stopped.success());
        let backup = std::fs::read(plan.file("tollhouse.db")).ok();
        let old = plan.file("root.key").display().to_string();
        let new = root_key_file(&plan, "root-2.key", 2);
        let plan = plan.with("TOLLHOUSE_VAULT__ROOT_KEY_FILE", &new).with("TOLLHOUSE_VAULT__RETIRED_ROOT_KEY_FILES", &old);
        let server = plan.serve().await;
        assert_eq!(wrapped_by(&status(&server.plan).await, "retired"), 1 + u64::try_from(ACCOUNTS).unwrap());

        let database = Database::open(server.plan.database_url()).await.unwrap();
        let mut killer = Killer { plan: &server.plan, database: database.clone(), random: promise.random() };
        let load = Load::on(&server, &world);
        let begun = Instant::now();
        hits += load.during(rotate(&mut killer, (&old, &new), strikes)).await;
        seconds += begun.elapsed().as_secs_f64();
        requests += [&load.sessions, &load.changes, &load.reads].iter().map(|count| count.load(Ordering::Relaxed)).sum::<usize>();
        assert!(load.sessions.load(Ordering::Relaxed) > 20 && load.changes.load(Ordering::Relaxed) > 10, "there was a load");
        database.close().await;

        let after = status(&server.plan).await;
        assert_eq!((wrapped_by(&after, "retired"), wrapped_by(&after, "unknown")), (0, 0), "{after}");
        let keys = after["data_keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1 + ACCOUNTS, "one version each: {after}");
        assert!(keys.iter().all(|key| key["version"].as_i64() > Some(1) && key["sealed_values"].as_i64() > Some(0)), "{after}");
        world.check(&server, &provider).await;
        let log = server.log();
        assert!(!log.contains(r#""level":"ERROR""#), "{log}");

        let (stopped, plan) = server.terminate().await;
        assert!(stopped.success());
        // Not only out of the configuration: gone.
        let old_key = std::fs::read(&old).unwrap();
        std::fs::remove_file(&old).unwrap();
        let server = plan.with("TOLLHOUSE_VAULT__RETIRED_ROOT_KEY_FILES", "").serve().await;
        world.check(&server, &provider).await;
        server.end().await;
        if let Some(backup) = backup {
            check_backup(&backup, &old_key).await;
        }
    }
    promise.kept(hits, &format!("{requests} requests in {seconds:.1} s, none failed"));
}

/// Both rotations, each killed until it was hit in the middle as often as asked for, then run to the end. How many hits there were.
async fn rotate(killer: &mut Killer<'_>, (old, new): (&str, &str), strikes: usize) -> usize {
    let config = killer.plan.file("tollhouse.toml").display().to_string();
    let (root, data) = (["secrets", "rotate-root", "--config", &config], ["secrets", "rotate-data", "--config", &config]);
    // The server has both root keys, so that they can change their roles until a strike has hit.
    let there = [("TOLLHOUSE_VAULT__ROOT_KEY_FILE", new), ("TOLLHOUSE_VAULT__RETIRED_ROOT_KEY_FILES", old)];
    let back = [("TOLLHOUSE_VAULT__ROOT_KEY_FILE", old), ("TOLLHOUSE_VAULT__RETIRED_ROOT_KEY_FILES", new)];
    let mut hits = 0;
    for attempt in 0..ATTEMPTS_MAX + strikes {
        let killed = killer.strike(&root, if attempt % 2 == 0 { &there } else { &back }).await;
        let in_the_middle = killer.keys().await.by_root.len() == 2;
        hits += usize::from(killed && in_the_middle);
        if hits >= strikes {
            break;
        }
    }
    assert!(hits > 0, "no strike has hit a new root key in the middle");
    let words = killer.finish(&root, &there).await;
    assert!(words.contains("under root key") && words.contains(old), "{words}");

    let mut data_hits = 0;
    for _ in 0..ATTEMPTS_MAX + strikes {
        let killed = killer.strike(&data, &there).await;
        let keys = killer.keys().await;
        let uneven = keys.versions % i64::try_from(1 + ACCOUNTS).unwrap() != 0;
        data_hits += usize::from(killed && (uneven || keys.accounts_with_two > 0));
        if data_hits >= strikes {
            break;
        }
    }
    assert!(data_hits > 0, "no strike has hit a new data key in the middle");
    let words = killer.finish(&data, &there).await;
    assert!(words.contains("Merchant account default: version"), "{words}");
    hits + data_hits
}

/// A copy of the database from before opens with the former root key alone.
async fn check_backup(backup: &[u8], old_key: &[u8]) {
    let plan = sqlite();
    std::fs::write(plan.file("tollhouse.db"), backup).unwrap();
    std::fs::write(plan.file("tollhouse.toml"), "").unwrap();
    let config = plan.file("tollhouse.toml").display().to_string();
    let new = root_key_file(&plan, "root.key", 2);
    let known = status(&plan).await;
    let missing = known["root_keys"].as_array().unwrap().iter().find(|root| root["role"] == "unknown").unwrap();
    let output = plan.run(&["serve", "--config", &config]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words}");
    for word in [missing["id"].as_str().unwrap(), new.as_str(), "vault.retired_root_key_files"] {
        assert!(words.contains(word), "{word}: {words}");
    }
    let old = root_key_file(&plan, "old.key", 0);
    std::fs::write(&old, old_key).unwrap();
    // The server is asked nothing, so whose key pair it has does not matter.
    plan.with("TOLLHOUSE_VAULT__RETIRED_ROOT_KEY_FILES", &old).serve_for(Key::generate()).await.end().await;
}
