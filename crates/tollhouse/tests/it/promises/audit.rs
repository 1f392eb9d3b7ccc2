//! What is written down of every change, and that nobody can rewrite it unseen.

use serde_json::{Value, json};
use testkit::caller::Reply;
use testkit::promise::Promise;
use testkit::server::{Plan, Server};
use testkit::token::{Key, now_seconds};

use crate::support::{adyen_request, assert_moment, assert_uuid, eventually, plans, service, simulated_adyen};

mod edits;

/// One command of the binary on the database of a server, running or not.
async fn run(plan: &Plan, arguments: &[&str]) -> std::process::Output {
    let config = plan.file("tollhouse.toml").display().to_string();
    plan.run(&[arguments, &["--config", &config]].concat()).await
}

/// Its exit code, and everything that it printed.
async fn command(plan: &Plan, arguments: &[&str]) -> (i32, String) {
    let output = run(plan, arguments).await;
    let (data, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), format!("{data}{words}"))
}

/// Entries as `audit list` shows them, newest first.
async fn entries(plan: &Plan, filter: &[&str]) -> Vec<Value> {
    let output = run(plan, &[&["audit", "list", "--limit", "1000"], filter].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    page["items"].as_array().unwrap().clone()
}

/// Entries of changes: what the API calls an action.
async fn changes(plan: &Plan) -> Vec<Value> {
    let mut entries = entries(plan, &[]).await;
    entries
        .retain(|entry| ["created", "updated", "deleted", "voided", "canceled", "captured"].contains(&entry["action"].as_str().unwrap()));
    entries
}

/// What an operation leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trail {
    /// One entry: action and type of the resource.
    Entry(&'static str, &'static str),
    /// The record of a session.
    Record,
    /// Nothing, since nothing is changed.
    Nothing,
}

/// A request that succeeds, made of what is there.
struct Case {
    method: &'static str,
    path: String,
    body: Option<Value>,
    trail: Trail,
}

/// The table: every operation that can change something, and a request of it that succeeds. An operation that is not here fails the test.
async fn case(server: &Server, operation: &str, number: usize) -> Case {
    let case = |method, path: String, body: Value, trail| Case { method, path, body: Some(body).filter(|body| !body.is_null()), trail };
    let fields = [("api_key", "test-key"), ("merchant_account", "ShopECOM"), ("mode", "simulator")];
    let adyen = service("adyen-card", &fields);
    let new_service = async || format!("/payment-services/{}", simulated_adyen(server, "adyen-card").await);
    let new_key_pair = async || {
        let made = server.merchant().post("/api-key-pairs", &key_pair(server).await).await.expect(201);
        format!("/api-key-pairs/{}", made["id"].as_str().unwrap())
    };
    match operation {
        "create_merchant_account" => {
            let body = json!({ "id": format!("shop-{number}"), "display_name": "Shop" });
            case("POST", "/merchant-accounts".to_owned(), body, Trail::Entry("created", "merchant-account"))
        }
        "update_merchant_account" => {
            let body = json!({ "display_name": format!("Name {number}") });
            case("PUT", "/merchant-accounts/default".to_owned(), body, Trail::Entry("updated", "merchant-account"))
        }
        "create_api_key_pair" => case("POST", "/api-key-pairs".to_owned(), key_pair(server).await, Trail::Entry("created", "api-key-pair")),
        "update_api_key_pair" => {
            case("PUT", new_key_pair().await, json!({ "display_name": "Renamed" }), Trail::Entry("updated", "api-key-pair"))
        }
        "delete_api_key_pair" => case("DELETE", new_key_pair().await, Value::Null, Trail::Entry("deleted", "api-key-pair")),
        "create_payment_service" => case("POST", "/payment-services".to_owned(), adyen, Trail::Entry("created", "payment-service")),
        "update_payment_service" => {
            case("PUT", new_service().await, json!({ "display_name": "Renamed" }), Trail::Entry("updated", "payment-service"))
        }
        "delete_payment_service" => case("DELETE", new_service().await, Value::Null, Trail::Entry("deleted", "payment-service")),
        "verify_payment_service_credentials" => {
            let body = json!({ "payment_service_definition_id": "adyen-card", "fields": adyen["fields"] });
            case("POST", "/payment-services/verify".to_owned(), body, Trail::Nothing)
        }
        "create_payment_service_session" => case("POST", format!("{}/sessions", new_service().await), adyen_request(), Trail::Record),
        "create_payment_service_definition_session" => {
            simulated_adyen(server, "adyen-card").await;
            case("POST", "/payment-service-definitions/adyen-card/sessions".to_owned(), adyen_request(), Trail::Record)
        }
        unknown => panic!("{unknown} can change something, and this table does not say how: add a request that succeeds and its entry"),
    }
}

async fn key_pair(server: &Server) -> Value {
    json!({ "display_name": "Pair", "role_ids": [crate::api_key_pairs::role(server, "full-access").await] })
}

/// Ids of the operations of our document that are no GET.
fn mutating_operations() -> Vec<String> {
    let document = api::openapi();
    let methods = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().iter());
    let mutating = methods.filter(|(method, _)| ["post", "put", "patch", "delete"].contains(&method.as_str()));
    mutating.map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

async fn send(server: &Server, case: &Case) -> Reply {
    server.merchant().send(case.method.parse().unwrap(), &case.path, case.body.as_ref().map(Value::to_string)).await
}

#[tokio::test]
async fn r49_every_change_leaves_one_entry_that_says_who_what_when_and_from_where() {
    let promise = Promise::new("R49");
    let mut checked = 0;
    for plan in plans().await {
        let server = plan.start().await;
        let operations = mutating_operations();
        assert!(operations.len() >= 11, "{operations:?}");
        let pairs = server.merchant().get("/api-key-pairs").await.expect(200);
        let own = pairs["items"].as_array().unwrap().iter().find(|pair| pair["thumbprint"] == server.key.thumbprint()).unwrap().clone();
        for (number, operation) in operations.iter().enumerate() {
            let case = case(&server, operation, number).await;
            let before = changes(&server.plan).await;
            let reply = send(&server, &case).await;
            assert!((200..300).contains(&reply.status), "{operation}: {} {}", reply.status, reply.text);
            let after = changes(&server.plan).await;
            let new = &after[..after.len() - before.len()];
            let Trail::Entry(action, resource_type) = case.trail else {
                assert!(new.is_empty(), "{operation}: {new:?}");
                continue;
            };
            let [entry] = new else { panic!("{operation}: {new:?}") };
            assert_eq!((&entry["action"], &entry["resource"]["type"]), (&json!(action), &json!(resource_type)), "{operation}");
            assert_eq!(entry["actor"], json!({ "id": own["id"], "name": own["display_name"] }), "{operation}");
            assert_eq!(
                (&entry["request_id"], &entry["origin"]),
                (&json!(reply.header("x-request-id")), &json!("127.0.0.1")),
                "{operation}"
            );
            assert_moment(&entry["created_at"]);
            assert_uuid(&entry["id"]);
            let id = if reply.text.is_empty() { json!(case.path.rsplit('/').next()) } else { reply.json()["id"].clone() };
            assert_eq!(entry["resource"]["id"], id, "{operation}");
            let account = entry["merchant_account_id"].as_str().unwrap_or("default");
            let shown = server.merchant().for_account(account).get("/audit-logs?limit=1").await.expect(200)["items"][0].clone();
            assert_eq!((&shown["id"], &shown["action"]), (&entry["id"], &entry["action"]), "{operation}: the API shows it too");
            checked += 1;
        }
        let (code, text) = command(&server.plan, &["audit", "verify"]).await;
        assert_eq!(code, 0, "{text}");
        server.end().await;
    }
    promise.kept(checked, "each change had one entry");
}

/// Makes the database refuse every new entry of the audit log.
async fn refuse_entries(plan: &Plan) {
    let sql = if plan.database_url().starts_with("sqlite") {
        "CREATE TRIGGER refuse_entry BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
    } else {
        "CREATE FUNCTION refuse_entry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused by a test'; END $$; \
         CREATE TRIGGER refuse_entry BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_entry()"
    };
    store::scratch::execute(plan.database_url(), sql).await.unwrap();
}

async fn accept_entries(plan: &Plan) {
    let sql = if plan.database_url().starts_with("sqlite") {
        "DROP TRIGGER refuse_entry"
    } else {
        "DROP TRIGGER refuse_entry ON audit_log; DROP FUNCTION refuse_entry()"
    };
    store::scratch::execute(plan.database_url(), sql).await.unwrap();
}

/// Everything that the operations can change, as the API shows it. When a key was last used changes with every request.
async fn state(server: &Server) -> Vec<Value> {
    let mut state = Vec::new();
    for list in ["/merchant-accounts?limit=100", "/api-key-pairs?limit=100", "/payment-services?limit=100"] {
        let mut page = server.merchant().get(list).await.expect(200);
        for item in page["items"].as_array_mut().unwrap() {
            item.as_object_mut().unwrap().remove("last_used_at");
        }
        state.push(page);
    }
    state
}

#[tokio::test]
async fn r49_a_change_whose_entry_can_not_be_written_does_not_happen() {
    let promise = Promise::new("R49");
    let mut checked = 0;
    for plan in plans().await {
        let server = plan.start().await;
        for (number, operation) in mutating_operations().iter().enumerate() {
            let case = case(&server, operation, number).await;
            let Trail::Entry(..) = case.trail else { continue };
            let (before, written) = (state(&server).await, changes(&server.plan).await);
            refuse_entries(&server.plan).await;
            let reply = send(&server, &case).await;
            assert!((500..600).contains(&reply.status), "{operation}: {} {}", reply.status, reply.text);
            assert!(!reply.text.contains("audit") && !reply.text.contains("refused by"), "{operation}: {}", reply.text);
            assert_eq!(state(&server).await, before, "{operation}: nothing has changed");
            accept_entries(&server.plan).await;
            assert_eq!(changes(&server.plan).await, written, "{operation}: nothing was written");
            let again = send(&server, &case).await;
            assert!((200..300).contains(&again.status), "{operation}: {} {}", again.status, again.text);
            assert_ne!(state(&server).await, before, "{operation}: and now it has");
            checked += 1;
        }
        let (code, text) = command(&server.plan, &["audit", "verify"]).await;
        assert_eq!(code, 0, "{text}");
        server.end().await;
    }
    promise.kept(checked, "each change was rolled back and answered with 5xx");
}

/// The sum of what entries have counted.
fn counted(entries: &[Value]) -> u64 {
    entries.iter().map(|entry| entry["details"]["count"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn r49_failed_logins_revoked_keys_readers_starts_and_stops_are_listed() {
    let promise = Promise::new("R49");
    for plan in plans().await {
        let server = plan.start().await;
        let stranger = Key::generate();
        let forged = {
            let now = now_seconds();
            let id = "3f0a8d70-2b6e-4c0e-9a9e-6a0b7a0d8b11";
            let claims = json!({ "iss": "forger", "scopes": ["*.read"], "iat": now, "nbf": now, "exp": now + 30, "jti": id });
            stranger.sign(&json!({ "alg": "ES512", "typ": "JWT", "kid": server.key.thumbprint() }), &claims)
        };
        let (revoked, pair) = crate::api_key_pairs::with_role(&server, "full-access", &[]).await;
        let refused = async |token: String| server.anonymous().token(token).get("/roles").await.expect(401);
        refused("no.token.atall".to_owned()).await;
        refused(stranger.token(&["*.read"])).await;
        refused(forged).await;
        server.merchant().put(&format!("/api-key-pairs/{pair}"), &json!({ "active": false })).await.expect(200);
        refused(revoked.token(&["*.read"])).await;
        let of = async |word: &str| entries(&server.plan, &["--action", word]).await;
        let inactive = eventually("the use of a key that is off", async || of("revoked_key_used").await.into_iter().next()).await;
        server.merchant().delete(&format!("/api-key-pairs/{pair}")).await.expect(204);
        refused(revoked.token(&["*.read"])).await;
        let deleted = eventually("the use of a key that is gone", async || {
            of("revoked_key_used").await.into_iter().find(|entry| entry["details"]["reason"] == "deleted_key")
        })
        .await;
        assert_eq!(inactive["details"]["reason"], "inactive_key");
        for entry in [&inactive, &deleted] {
            assert_eq!((&entry["resource"]["type"], &entry["resource"]["id"]), (&json!("api-key-pair"), &json!(pair)), "{entry}");
            assert_eq!((&entry["details"]["kid"], &entry["origin"]), (&json!(revoked.thumbprint()), &json!("127.0.0.1")), "{entry}");
            assert_moment(&entry["created_at"]);
        }
        let failed = eventually("failed logins", async || Some(of("authentication_failed").await).filter(|seen| seen.len() >= 3)).await;
        let seen = |reason: &str| {
            failed.iter().find(|entry| entry["details"]["reason"] == reason).unwrap_or_else(|| panic!("{reason}: {failed:?}"))
        };
        assert_eq!((seen("malformed")["details"].get("kid"), &seen("malformed")["origin"]), (None, &json!("127.0.0.1")));
        assert_eq!(seen("unknown_key")["details"]["kid"], stranger.thumbprint());
        assert_eq!(seen("signature")["details"]["kid"], server.key.thumbprint(), "whose key somebody claims to have");
        assert!(failed.iter().all(|entry| entry["actor"] == json!({ "id": null, "name": "" })), "a refused token proves nothing");

        let reply = server.merchant().get("/audit-logs?limit=100").await;
        let shown = reply.expect(200);
        let words: Vec<&str> = shown["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert!(words.iter().all(|word| ["created", "updated", "deleted"].contains(word)), "the API shows changes only: {words:?}");
        let read = eventually("the reader", async || of("audit_read").await.into_iter().next()).await;
        assert_eq!((&read["request_id"], &read["origin"]), (&json!(reply.header("x-request-id")), &json!("127.0.0.1")));
        assert!(
            read["actor"]["id"].is_string() && read["resource"]["type"] == "audit-log" && read["merchant_account_id"] == "default",
            "{read}"
        );

        let flood = promise.count(150, 3_000);
        for _ in 0..flood {
            let status = server.anonymous().token("no.token.atall").get("/roles").await.status;
            assert!(matches!(status, 401 | 429), "{status}");
        }
        let (status, plan) = server.terminate().await;
        assert!(status.success(), "{status}");
        check_flood_and_ends(plan, flood + 1).await;
    }
    promise.kept(1, "each kind of event was listed once, a flood in a handful of entries");
}

/// That a flood was counted and takes a handful of entries, that the server has ended in order, and that the next one, which is killed, has not.
async fn check_flood_and_ends(plan: Plan, flood: usize) {
    let mut malformed = entries(&plan, &["--action", "authentication_failed"]).await;
    malformed.retain(|entry| entry["details"]["reason"] == "malformed");
    assert_eq!(counted(&malformed), u64::try_from(flood).unwrap(), "{malformed:?}");
    assert!(malformed.len() <= 6, "{} entries for one address and reason", malformed.len());
    let (started, stopped) = (entries(&plan, &["--action", "server_started"]).await, entries(&plan, &["--action", "server_stopped"]).await);
    assert_eq!((started.len(), stopped.len()), (1, 1));
    assert_eq!(started[0]["resource"], stopped[0]["resource"]);
    let plan = plan.serve().await.kill().await;
    let (started, stopped) = (entries(&plan, &["--action", "server_started"]).await, entries(&plan, &["--action", "server_stopped"]).await);
    assert_eq!((started.len(), stopped.len()), (2, 1), "a kill has no stop");
    assert_ne!(started[0]["resource"]["id"], started[1]["resource"]["id"]);
    let (code, text) = command(&plan, &["audit", "verify"]).await;
    assert_eq!(code, 0, "{text}");
}
