//! Definition files that are made to hurt, given to a running server.

use serde_json::json;
use testkit::bombs::{GOOD, Sound, bombs};
use testkit::promise::Promise;

use super::{honest, kib};
use crate::cli::Shell;
use crate::support::{eventually, service, sqlite};

/// The longest value that a field takes.
const VALUE_CHARACTERS_MAX: usize = 10_000;
/// What all files together may leave behind in memory; each alone is measured where files are read.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

#[tokio::test]
async fn r55_a_server_that_is_given_bombs_goes_on() {
    let promise = Promise::new("R55");
    let shell = Shell::new();
    shell.write("defs/psp.toml", GOOD);
    let server = sqlite().with("TOLLHOUSE_DEFINITIONS__DIRS", shell.path("defs").display().to_string()).start().await;
    let fields = [("key", "test-key"), ("mode", "simulator")];
    let made = server.merchant().post("/payment-services", &service("psp-card", &fields)).await.expect(201);
    let sessions = format!("/payment-services/{}/sessions", made["id"].as_str().unwrap());
    let body = json!({ "amount": 1, "list": [1], "big": "x".repeat(VALUE_CHARACTERS_MAX) });
    server.merchant().post(&sessions, &body).await.expect(200);
    let before = kib(&server, "VmRSS");

    let all = bombs();
    let id = |index: usize| format!("bomb-{index}");
    for (index, (_, _, text)) in all.iter().enumerate() {
        shell.write(&format!("defs/{}.toml", id(index)), &text.replacen("id = \"psp\"", &format!("id = \"{}\"", id(index)), 1));
    }
    server.signal("HUP").await;
    let sound: Vec<usize> = (0..all.len()).filter(|index| all[*index].1 == Sound::Yes).collect();
    let last = format!("/payment-service-definitions/{}-", id(*sound.last().unwrap()));
    eventually("the last sound one is served", async || (server.merchant().get(&format!("{last}card")).await.status == 200).then_some(()))
        .await;
    assert_eq!(server.merchant().post(&sessions, &body).await.expect(200)["status"], "succeeded", "the good one is as it was");

    // A session with each that can be read, with the longest values that it takes.
    let (mut ended, mut refused) = (Vec::new(), Vec::new());
    for index in &sound {
        let (name, _, _) = &all[*index];
        let mut long = service(&format!("{}-card", id(*index)), &fields);
        if server.merchant().get(&format!("/payment-service-definitions/{}-card", id(*index))).await.status == 404 {
            // It has other methods.
            long["payment_service_definition_id"] = json!(format!("{}-m0", id(*index)));
        }
        long["fields"].as_array_mut().unwrap().push(json!({ "key": "text", "value": "x".repeat(VALUE_CHARACTERS_MAX) }));
        let created = server.merchant().post("/payment-services", &long).await;
        assert!([201, 400].contains(&created.status), "{name}: {}", created.text);
        if created.status == 201 {
            let path = format!("/payment-services/{}/sessions", created.json()["id"].as_str().unwrap());
            let session = server.merchant().post(&path, &body).await.expect(200);
            ended.push(format!("{name}: {}", session["code"].as_str().unwrap_or("succeeded")));
        } else {
            refused.push(format!("{name}: {}", created.text));
        }
    }
    assert!(ended.len() * 2 > sound.len(), "most of the sound ones were called, not only {ended:?}: {refused:?}");
    honest(&server, "after bombs").await;
    let grown = kib(&server, "VmRSS").saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the server has grown by {grown} KiB: {ended:?}");
    assert!(!server.log().contains("panicked"), "nothing has panicked");

    for index in 0..all.len() {
        std::fs::remove_file(shell.path(&format!("defs/{}.toml", id(index)))).unwrap();
    }
    server.signal("HUP").await;
    eventually("the bombs are gone", async || (server.merchant().get(&format!("{last}card")).await.status == 404).then_some(())).await;
    let (status, _plan) = server.terminate().await;
    assert!(status.success());
    promise.kept(all.len(), &format!("files, {} of them called, the server has grown by {grown} KiB", ended.len()));
}
