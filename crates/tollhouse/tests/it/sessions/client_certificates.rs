//! A payment service that knows its callers by a certificate: a file that says so, values that the API takes, and what reaches the service.

use serde_json::{Value, json};
use testkit::caller::Reply as Answer;
use testkit::provider::{Authority, Identity, Options, Provider, Received, Reply, Validity};
use testkit::server::Server;

use super::session;
use crate::support::{plans, service};

const FILE: &str = r#"format = 1
id = "keyed"
name = "Keyed"
checked = "memory 2026-11"
[methods]
card = { name = "Cards" }
[fields]
certificate = { label = "Certificate", optional = true, format = "pem" }
key = { label = "Private key", secret = true, optional = true, format = "pem" }
roots = { label = "Root certificate", optional = true, format = "pem" }
[hosts]
sandbox = "https://api.test.keyed.example"
live = "https://api.keyed.example"
[tls]
certificate = "{{ field.certificate }}"
key = "{{ field.key }}"
roots = "{{ field.roots }}"
[call.session]
request = "POST /sessions"
success = [201]
[simulator]
example = '{}'
answer = '{"id":"{{ sim.uuid }}"}'
"#;

/// A service refuses a certificate with TLS 1.2 before a request can be sent. With TLS 1.3 the refusal and the request cross on their way, and only where the refusal was faster nothing was sent.
const OVER_TLS13: [&str; 2] = ["unknown", "no"];

/// Who is who: the authority of the service's own certificate, and the one of its clients'.
struct Cast {
    server: Authority,
    clients: Authority,
}

impl Cast {
    fn client(&self, name: &str) -> Identity {
        self.clients.issue_client(name, Validity::Current)
    }
}

/// Runs a test on each database with a server that knows the file, and a payment service that is made of these options.
async fn on_stage(options: impl Fn(Options, &Authority) -> Options, test: impl AsyncFn(&Server, &Provider, &Cast)) {
    let folder = tempfile::tempdir().unwrap();
    let definitions = folder.path().join("definitions");
    std::fs::create_dir(&definitions).unwrap();
    std::fs::write(definitions.join("keyed.toml"), FILE).unwrap();
    for plan in plans().await {
        let cast = Cast { server: Authority::new(), clients: Authority::new() };
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, cast.server.pem()).unwrap();
        let own = Options::tls(cast.server.issue(&["127.0.0.1"], Validity::Current));
        let provider = Provider::start(options(own, &cast.clients)).await;
        provider.answer(|_| Reply::json(201, r#"{"id":"1"}"#));
        let plan = plan.with("TOLLHOUSE_DEFINITIONS__DIRS", definitions.display().to_string());
        let server = plan.provider_at("keyed", &provider.url(""), Some(&ca)).start().await;
        test(&server, &provider, &cast).await;
        server.end().await;
    }
}

fn fields(client: &Identity) -> [(&'static str, &str); 2] {
    [("certificate", client.pem()), ("key", client.key_pem())]
}

/// A configured service; its path.
async fn configured(server: &Server, fields: &[(&str, &str)]) -> String {
    let created = server.merchant().post("/payment-services", &service("keyed-card", fields)).await.expect(201);
    format!("/payment-services/{}", created["id"].as_str().unwrap())
}

async fn session_at(server: &Server, path: &str) -> Answer {
    server.merchant().post(&format!("{path}/sessions"), &json!({})).await
}

async fn succeeds(server: &Server, path: &str) {
    assert_eq!(session_at(server, path).await.expect(200), session("succeeded", None, Some(201), json!({ "id": "1" })));
}

async fn fails(server: &Server, path: &str, delivered: &[&str]) {
    let answer = session_at(server, path).await;
    assert_eq!(answer.expect(200), session("failed", Some("SERVICE_NETWORK_ERROR"), None, Value::Null));
    assert!(answer.header("tollhouse-delivered").is_some_and(|said| delivered.contains(&said)), "{answer:?}");
}

#[tokio::test]
async fn each_service_is_known_by_its_own_certificate() {
    on_stage(Options::for_clients_of, async |server, provider, cast| {
        let clients = [cast.client("one"), cast.client("two")];
        let paths = [configured(server, &fields(&clients[0])).await, configured(server, &fields(&clients[1])).await];
        for _ in 0..3 {
            for path in &paths {
                succeeds(server, path).await;
            }
        }
        let requests = provider.requests();
        let by = |client: &Identity| -> Vec<&Received> { requests.iter().filter(|request| request.is_from(client)).collect() };
        let (one, two) = (by(&clients[0]), by(&clients[1]));
        assert_eq!((one.len(), two.len(), provider.connections()), (3, 3, 2));
        assert!(one.iter().all(|one| two.iter().all(|two| one.connection != two.connection)), "no connection is shared");

        let shown = server.merchant().get(&paths[0]).await.expect(200)["fields"].clone();
        assert_eq!(shown[0], json!({ "key": "certificate", "value": clients[0].pem() }));
        let secret = clients[0].key_pem().lines().nth(1).unwrap();
        assert!(!shown.to_string().contains("PRIVATE KEY") && !server.log().contains(secret), "the key is shown to nobody");
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_not_shown_again() {
    on_stage(Options::for_clients_of, async |server, provider, cast| {
        let (old, new) = (cast.client("old"), cast.client("new"));
        let path = configured(server, &fields(&old)).await;
        succeeds(server, &path).await;
        let put = async |fields: &[(&str, &str)]| {
            let fields: Vec<Value> = fields.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            server.merchant().put(&path, &json!({ "fields": fields })).await
        };
        // Half of it would not work, so it is refused and the old one stays.
        assert_eq!(put(&[("certificate", new.pem())]).await.problems(400, "bad_request"), ["/fields/0 value_error"]);
        assert_eq!(put(&[("key", "")]).await.problems(400, "bad_request"), ["/fields/0 missing"]);
        succeeds(server, &path).await;
        put(&fields(&new)).await.expect(200);
        succeeds(server, &path).await;
        let requests = provider.requests();
        assert!(requests[0].is_from(&old) && requests[1].is_from(&old) && requests[2].is_from(&new));
        put(&[("certificate", ""), ("key", "")]).await.expect(200);
        fails(server, &path, &OVER_TLS13).await;
        assert_eq!(provider.requests().len(), 3);
    })
    .await;
}

async fn check_refused(options: impl Fn(Options, &Authority) -> Options, delivered: &[&str]) {
    on_stage(options, async |server, provider, cast| {
        let stranger = Authority::new().issue_client("stranger", Validity::Current);
        let expired = cast.clients.issue_client("expired", Validity::Expired);
        for values in [&fields(&stranger)[..], &fields(&expired), &[]] {
            let path = configured(server, values).await;
            fails(server, &path, delivered).await;
        }
        assert_eq!(provider.requests().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_the_service_does_not_take_ends_the_call() {
    check_refused(Options::for_clients_of, &OVER_TLS13).await;
    check_refused(Options::for_clients_of_over_tls12, &["no"]).await;
}

#[tokio::test]
async fn private_roots_replace_those_of_the_system() {
    on_stage(Options::for_clients_of, async |server, provider, cast| {
        let client = cast.client("shop");
        let (own, other) = (cast.server.pem(), Authority::new().pem());
        let path = configured(server, &[&fields(&client)[..], &[("roots", &own)]].concat()).await;
        succeeds(server, &path).await;
        // The operator trusts this certificate, but this service is told to trust another authority only.
        let path = configured(server, &[&fields(&client)[..], &[("roots", &other)]].concat()).await;
        fails(server, &path, &["no"]).await;
        assert_eq!(provider.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn values_that_can_not_work_are_refused_when_they_are_entered() {
    on_stage(Options::for_clients_of, async |server, _, cast| {
        let (one, other) = (cast.client("one"), cast.client("other"));
        let both = format!("{}{}", one.pem(), one.key_pem());
        let cut = one.key_pem().lines().take(2).collect::<Vec<_>>().join("\n");
        let check = async |values: &[(&str, &str)], expected: &[&str]| {
            let answer = server.merchant().post("/payment-services", &service("keyed-card", values)).await;
            assert_eq!(answer.problems(400, "bad_request"), expected);
            assert!(!answer.text.contains(one.key_pem().lines().nth(1).unwrap()), "a secret is not repeated");
        };
        check(&[("certificate", one.pem()), ("key", other.key_pem())], &["/fields/0 value_error"]).await;
        check(&[("certificate", one.pem())], &["/fields missing"]).await;
        check(&[("key", one.key_pem())], &["/fields missing"]).await;
        check(&[("certificate", "none"), ("key", &cut)], &["/fields/0 value_error", "/fields/1 value_error"]).await;
        check(&[("certificate", &both), ("key", one.key_pem())], &["/fields/0 value_error"]).await;
        check(&[("roots", one.key_pem())], &["/fields/0 value_error"]).await;
        let mismatch = service("keyed-card", &[("certificate", one.pem()), ("key", other.key_pem())]);
        let text = server.merchant().post("/payment-services", &mismatch).await.text;
        assert!(text.contains("`certificate` and `key` do not belong together"), "{text}");
        let simulated = configured(server, &[("mode", "simulator")]).await;
        assert_eq!(session_at(server, &simulated).await.expect(200)["status"], "succeeded", "the simulator knows nobody");
    })
    .await;
}
