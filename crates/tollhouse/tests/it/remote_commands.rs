//! The commands that ask a server: data on standard output, words on standard error, and the exit code.

use serde_json::{Value, json};
use testkit::server::Server;

use crate::support::{adyen_request, on_each_engine, simulated_adyen};

/// How a command ended.
struct Ended {
    code: i32,
    data: String,
    words: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}{}", self.data, self.words))
    }
}

async fn run(server: &Server, arguments: &[&str]) -> Ended {
    let key_file = server.plan.file("private_key.pem").display().to_string();
    let mut all = arguments.to_vec();
    all.extend(["--url", &server.base, "--key-file", &key_file]);
    let output = server.plan.run(&all).await;
    Ended {
        code: output.status.code().unwrap(),
        data: String::from_utf8(output.stdout).unwrap(),
        words: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn sessions_by_service_and_by_definition() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-ideal").await;
        let body = adyen_request();
        for arguments in [["payment-services", "session", &id], ["payment-service-definitions", "session", "adyen-ideal"]] {
            let text = body.to_string();
            let ended = run(server, &[arguments.as_slice(), &["--data", &text]].concat()).await;
            assert_eq!((ended.code, ended.words.as_str()), (0, ""));
            let session = ended.json();
            assert_eq!((&session["status"], &session["response_body"]["reference"]), (&json!("succeeded"), &json!("order-1")));
            assert!(session["response_body"]["sessionData"].as_str().unwrap().len() > 20, "a pipe gets the answer as it came");
        }
        let mut declined = body.clone();
        declined["reference"] = json!("simulate:decline");
        std::fs::write(server.plan.file("body.json"), declined.to_string()).unwrap();
        let ended = run(server, &["payment-services", "session", &id, "--data", "@body.json"]).await;
        assert_eq!((ended.code, &ended.json()["status"]), (1, &json!("failed")));

        let listed = run(server, &["sessions", "list", "--status", "failed"]).await.json();
        let record = listed["items"][0]["id"].as_str().unwrap();
        let read = run(server, &["sessions", "get", record]).await.json();
        assert_eq!((&read["id"], &read["reference"]), (&json!(record), &json!("simulate:decline")));
    })
    .await;
}

#[tokio::test]
async fn payment_services_from_creation_to_deletion() {
    on_each_engine(async |server| {
        let account = run(server, &["merchant-accounts", "create", "--data", r#"{"id":"acme","display_name":"Acme"}"#]).await;
        assert_eq!((account.code, &account.json()["id"]), (0, &json!("acme")));
        let again = run(server, &["merchant-accounts", "create", "--data", r#"{"id":"acme","display_name":"Acme"}"#]).await;
        assert_eq!((again.code, again.data.as_str()), (1, ""));
        assert!(again.words.contains("409") && again.words.contains("the existing record is acme"), "{}", again.words);
        assert_eq!(run(server, &["merchant-accounts", "list", "--search", "acm"]).await.json()["items"][0]["id"], "acme");

        let fields = json!([{ "key": "api_key", "value": "canary-key" }, { "key": "merchant_account", "value": "Shop" }, { "key": "mode", "value": "simulator" }]);
        let body = json!({
            "display_name": "Adyen", "payment_service_definition_id": "adyen-ideal", "accepted_currencies": ["EUR"],
            "accepted_countries": ["NL"], "fields": fields
        });
        let created = run(server, &["payment-services", "create", "--merchant-account", "acme", "--data", &body.to_string()]).await;
        assert_eq!(created.code, 0, "{}", created.words);
        assert!(!created.data.contains("canary-key"));
        let id = created.json()["id"].as_str().unwrap().to_owned();
        let other_account = run(server, &["payment-services", "get", &id]).await;
        assert_eq!((other_account.code, other_account.data.as_str()), (1, ""));
        assert_eq!(run(server, &["payment-services", "get", &id, "--merchant-account", "acme"]).await.json(), created.json());
        let listed = run(server, &["payment-services", "--merchant-account", "acme", "list", "--method", "ideal", "--limit", "1"]).await;
        assert_eq!(listed.json()["items"][0]["id"], json!(id));

        let session = ["payment-service-definitions", "session", "adyen-ideal", "--data"];
        let request = adyen_request().to_string();
        let ended = run(server, &[session.as_slice(), &[&request, "--merchant-account", "acme"]].concat()).await;
        assert_eq!(ended.json()["response_body"]["merchantAccount"], "Shop", "an account that is named is the one");

        let verify = |key: &str| json!({ "payment_service_definition_id": "adyen-ideal", "payment_service_id": id, "fields": [{ "key": "api_key", "value": key }] });
        let good = run(server, &["payment-services", "verify", "--merchant-account", "acme", "--data", &verify("good").to_string()]).await;
        assert_eq!((good.code, good.data.trim()), (0, "{}"));
        let bad = run(server, &["payment-services", "verify", "--merchant-account", "acme", "--data", &verify("invalid").to_string()]).await;
        assert_eq!(bad.code, 1);
        assert!(bad.words.contains("body /fields/0: "), "{}", bad.words);

        assert_eq!(run(server, &["payment-services", "delete", &id, "--merchant-account", "acme"]).await.code, 0);
        assert_eq!(run(server, &["payment-services", "delete", &id, "--merchant-account", "acme"]).await.code, 1);
        assert_eq!(run(server, &["payment-service-definitions", "get", "adyen-ideal"]).await.json()["id"], "adyen-ideal");
        assert_eq!(run(server, &["payment-service-definitions", "list", "--limit", "2"]).await.json()["limit"], 2);
    })
    .await;
}

#[tokio::test]
async fn wrong_command_lines_send_nothing() {
    on_each_engine(async |server| {
        let id = simulated_adyen(server, "adyen-ideal").await;
        for (arguments, expected) in [
            (["payment-services", "session", &id, "--data", "[1]"].as_slice(), "does not hold a JSON object"),
            (&["payment-services", "session", &id, "--data", "{"], "does not hold JSON"),
            (&["payment-services", "session", &id, "--data", "@no-such-file"], "no-such-file can not be read"),
            (&["payment-services", "session", "7", "--data", "{}"], "invalid value '7'"),
            (&["payment-services", "list", "--merchant-account", "a b"], "`a b` can not be a merchant account id"),
            (&["payment-service-definitions", "get", ".."], "`..` can not be an id"),
        ] {
            let ended = run(server, arguments).await;
            assert_eq!((ended.code, ended.data.as_str()), (2, ""), "{arguments:?}: {}", ended.words);
            assert!(ended.words.contains(expected), "{arguments:?}: {}", ended.words);
        }
        let no_key = server.plan.run(&["payment-services", "list", "--url", &server.base, "--key-file", "no-such-key"]).await;
        assert_eq!(no_key.status.code(), Some(2));
        let records = server.merchant().get("/payment-service-sessions").await.expect(200);
        assert_eq!(records["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_with_a_reason() {
    on_each_engine(async |server| {
        let key_file = server.plan.file("private_key.pem").display().to_string();
        let ended = server
            .plan
            .run(&[
                "payment-services",
                "delete",
                "01998d5e-7a30-7000-8000-000000000001",
                "--url",
                "http://127.0.0.1:1",
                "--key-file",
                &key_file,
            ])
            .await;
        assert_eq!(ended.status.code(), Some(1));
        let words = String::from_utf8(ended.stderr).unwrap();
        assert!(words.contains("http://127.0.0.1:1/payment-services/") && words.contains("refused"), "{words}");
    })
    .await;
}
