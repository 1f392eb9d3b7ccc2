//! Definition files of one's own, and what happens when they change while a server runs.

use serde_json::json;

use super::Shell;
use crate::cli::ids;
use crate::first_run::dev;
use crate::support::{eventually, service, sqlite};

/// A definition file with a recognisable name of its method.
async fn skeleton(shell: &Shell, id: &str) -> String {
    let out = format!("{id}.skeleton");
    shell.run(&["definitions", "new", id, "--out", &out]).await.expect(0);
    std::fs::read_to_string(shell.path(&out)).unwrap()
}

/// The same file under another name of its method.
fn renamed(text: &str, name: &str) -> String {
    text.replacen("card = { name = \"Card\"", &format!("card = {{ name = \"{name}\""), 1)
}

#[tokio::test]
async fn dev_serves_a_provider_of_one_s_own_and_follows_its_file() {
    let shell = Shell::new();
    let east = skeleton(&shell, "east-pay").await;
    shell.write("defs/east-pay.toml", &east);
    let (_process, _) = dev(&shell.path(""), &["--definitions", "defs"]).await;
    let base = std::fs::read_to_string(shell.path("ready")).unwrap();
    let ask = async |arguments: &[&str]| shell.run(&[arguments, &["--url", base.trim()]].concat()).await;
    let name = async |id: &str| {
        let ran = ask(&["payment-service-definitions", "get", id]).await;
        (ran.code == 0).then(|| ran.json()["display_name"].as_str().unwrap().to_owned())
    };
    assert_eq!(name("east-pay-card").await.as_deref(), Some("Card"));
    let body = r#"{"amount":1000,"currency":"EUR","reference":"order-1"}"#;
    let session = ask(&["payment-service-definitions", "session", "east-pay-card", "--data", body]).await.data();
    assert_eq!(session["status"], "succeeded", "dev configures a simulated service of it");

    shell.write("defs/east-pay.toml", &renamed(&east, "Cards of the east"));
    eventually("the change is served", async || name("east-pay-card").await.filter(|name| name == "Cards of the east")).await;

    // The broken file comes first, so whoever sees the second one has read it.
    shell.write("defs/east-pay.toml", &renamed(&east, "Broken").replacen("success =", "sucess =", 1));
    shell.write("defs/west-pay.toml", &skeleton(&shell, "west-pay").await);
    eventually("the new file is served", async || name("west-pay-card").await).await;
    assert_eq!(name("east-pay-card").await.as_deref(), Some("Cards of the east"), "the version before stays in force");
    let session = ask(&["payment-service-definitions", "session", "east-pay-card", "--data", body]).await.data();
    assert_eq!(session["status"], "succeeded");

    shell.write("defs/east-pay.toml", &renamed(&east, "Mended"));
    eventually("the mended file is served", async || name("east-pay-card").await.filter(|name| name == "Mended")).await;
}

#[tokio::test]
async fn files_that_are_made_while_dev_runs_work_without_a_restart() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("defs")).unwrap();
    let (_process, _) = dev(&shell.path(""), &["--definitions", "defs"]).await;
    let base = std::fs::read_to_string(shell.path("ready")).unwrap();
    let ask = async |arguments: &[&str]| shell.run(&[arguments, &["--url", base.trim()]].concat()).await;
    let served = async |id: &str| (ask(&["payment-service-definitions", "get", id]).await.code == 0).then_some(());
    let logged = async |line: &str| {
        eventually(line, async || std::fs::read_to_string(shell.path("dev.log")).unwrap().contains(line).then_some(())).await;
    };
    let works = async |id: &str, fields: &[(&str, &str)], body: &str| {
        eventually("the new file is served", async || served(id).await).await;
        let fields = [fields, &[("mode", "simulator")]].concat();
        let made = ask(&["payment-services", "create", "--data", &service(id, &fields).to_string()]).await.data();
        let session = ask(&["payment-services", "session", made["id"].as_str().unwrap(), "--data", body]).await.data();
        assert_eq!(session["status"], "succeeded", "{session}");
        session
    };

    // From the skeleton, with edits: another path, a required member, a field of its own.
    let east = skeleton(&shell, "east-pay").await;
    let edited = east
        .replacen("POST /sessions", "POST /checkouts", 1)
        .replacen(r#"requires = ["/amount", "/currency"]"#, r#"requires = ["/amount", "/currency", "/order"]"#, 1)
        .replacen(r#""reference":"order-1""#, r#""reference":"order-1","order":7"#, 1);
    assert!(edited.contains("/checkouts") && edited.contains("/order") && edited.contains("\"order\":7"), "{edited}");
    shell.write("defs/east-pay.toml", &edited);
    let fields = [("merchant_id", "M"), ("api_key", "test-key")];
    works("east-pay-card", &fields, r#"{"amount":1000,"currency":"EUR","reference":"order-1","order":7}"#).await;
    logged("east-pay: added, 1 method").await;

    // From a documentation.
    shell.write(
        "answer.json",
        r#"{"id":"ses_Zk3mYq8Lw2Xv5Nb7","status":"open","checkout_url":"https://pay.acme.example/1","reference":"r-1"}"#,
    );
    let pasted = "curl https://sandbox.acme.example/v1/sessions \\\n  -u 'key-Zk3mYq8Lw2Xv5Nb7:' \\\n  -d amount=1000 -d currency=EUR -d reference=r-1\n";
    shell.feed(&["definitions", "from-curl", "--answer", "answer.json", "--out", "defs/acme.toml"], pasted).await.expect(0);
    let body = r#"{"amount":2500,"currency":"USD","reference":"order-2"}"#;
    let session = works("acme-card", &[("api_key", "test-key")], body).await;
    assert_eq!(session["response_body"]["reference"], "order-2", "what is sent comes back: {session}");
    assert!(session["response_body"]["id"].as_str().unwrap().starts_with("ses_"), "{session}");

    // What a change does is said, as are mistakes, with their place.
    let later = edited.replacen("https://sandbox.example.com/v1", "https://sandbox.example.net/v1", 1).replacen(
        "[methods]\n",
        "[methods]\nideal = { name = \"iDEAL\" }\nklarna = { name = \"Klarna\" }\n",
        1,
    );
    shell.write("defs/east-pay.toml", &later);
    logged("east-pay: reloaded, hosts changed, 2 methods added; stored credentials must be entered again").await;
    let broken = later.replacen("success =", "sucess =", 1);
    let line = broken.lines().position(|line| line.starts_with("sucess")).unwrap() + 1;
    shell.write("defs/east-pay.toml", &broken);
    logged(&format!("defs/east-pay.toml:{line}:1: ")).await;
    logged("defs/east-pay.toml: the version before stays in force").await;
    assert!(served("east-pay-klarna").await.is_some());
    std::fs::remove_file(shell.path("defs/acme.toml")).unwrap();
    logged("acme: removed").await;
}

#[tokio::test]
async fn serve_reads_again_on_a_hangup_and_keeps_what_was_good() {
    let shell = Shell::new();
    let east = skeleton(&shell, "east-pay").await;
    shell.write("defs/east-pay.toml", &east);
    let server = sqlite().with("TOLLHOUSE_DEFINITIONS__DIRS", shell.path("defs").display().to_string()).start().await;
    let merchant = server.merchant();
    let fields = [("merchant_id", "M"), ("api_key", "test-key"), ("mode", "simulator")];
    let made = merchant.post("/payment-services", &service("east-pay-card", &fields)).await.expect(201);
    let sessions = format!("/payment-services/{}/sessions", made["id"].as_str().unwrap());
    let body = json!({ "amount": 1000, "currency": "EUR", "invoice": 7 });
    merchant.post(&sessions, &body).await.expect(200);
    let name = async |id: &str| {
        let reply = server.merchant().get(&format!("/payment-service-definitions/{id}")).await;
        (reply.status == 200).then(|| reply.json()["display_name"].as_str().unwrap().to_owned())
    };

    shell.write("defs/west-pay.toml", &skeleton(&shell, "west-pay").await);
    shell.write("defs/east-pay.toml", &renamed(&east, "Second").replacen(r#""/currency"]"#, r#""/currency", "/reference"]"#, 1));
    assert_eq!((name("east-pay-card").await.as_deref(), name("west-pay-card").await), (Some("Card"), None), "not before the signal");
    server.signal("HUP").await;
    eventually("the new file is served", async || name("west-pay-card").await).await;
    assert_eq!(name("east-pay-card").await.as_deref(), Some("Second"));
    let session = merchant.post(&sessions, &body).await.expect(200);
    assert_eq!(session["code"], "INVALID_SERVICE_REQUEST", "services that exist follow their file");

    let broken = renamed(&east, "Third").replacen("success =", "sucess =", 1);
    let line = broken.lines().position(|line| line.starts_with("sucess")).unwrap() + 1;
    shell.write("defs/east-pay.toml", &broken);
    std::fs::remove_file(shell.path("defs/west-pay.toml")).unwrap();
    server.signal("HUP").await;
    eventually("the removed file is gone", async || name("west-pay-card").await.is_none().then_some(())).await;
    assert_eq!(name("east-pay-card").await.as_deref(), Some("Second"), "the version before stays in force");
    assert!(server.log().contains(&format!("east-pay.toml:{line}:1: ")), "the log says what is wrong");
    assert_eq!(merchant.post(&sessions, &body).await.expect(200)["code"], "INVALID_SERVICE_REQUEST");

    shell.write("defs/east-pay.toml", &east);
    server.signal("HUP").await;
    eventually("the mended file is served", async || name("east-pay-card").await.filter(|name| name == "Card")).await;
    assert_eq!(merchant.post(&sessions, &body).await.expect(200)["status"], "succeeded");
    assert!(ids(&merchant.get("/payment-services").await.expect(200)).len() == 1);
    server.end().await;
}

#[tokio::test]
async fn a_file_that_replaces_a_shipped_one_wins() {
    let shell = Shell::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions/adyen.toml");
    let own = std::fs::read_to_string(shipped).unwrap().replacen("name = \"iDEAL\"", "name = \"iDEAL of ours\"", 1);
    shell.write("defs/adyen.toml", &own);
    let server = sqlite().with("TOLLHOUSE_DEFINITIONS__DIRS", shell.path("defs").display().to_string()).start().await;
    let ideal = server.merchant().get("/payment-service-definitions/adyen-ideal").await.expect(200);
    assert_eq!(ideal["display_name"], "iDEAL of ours");
    server.end().await;
}

#[tokio::test]
async fn a_file_that_can_not_be_read_stops_the_start() {
    let shell = Shell::new();
    shell.write("defs/east-pay.toml", "format = 1\nid = \"east-pay\"\nnam = \"East pay\"\n");
    let words = shell.run(&["dev", "--listen", "127.0.0.1:0", "--definitions", "defs"]).await.expect(2).words;
    assert!(words.contains("defs/east-pay.toml:3:1: ") && words.contains("did you mean `name`?"), "{words}");
    shell.run(&["dev", "--listen", "127.0.0.1:0", "--definitions", "nowhere"]).await.expect(2);
}
