//! Starting, stopping, and what survives.

use serde_json::json;
use testkit::server::Plan;

use crate::support::{BINARY, adyen_request, plans, simulated_adyen};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    for plan in plans().await {
        let server = plan.start().await;
        let id = simulated_adyen(&server, "adyen-card").await;
        let mut acknowledged = Vec::new();
        for number in 0..20 {
            let mut request = adyen_request();
            request["reference"] = json!(format!("order-{number}"));
            server.merchant().post(&format!("/payment-services/{id}/sessions"), &request).await.expect(200);
            acknowledged.push(format!("order-{number}"));
        }
        let server = server.kill().await.serve().await;
        let page = server.merchant().get("/payment-service-sessions?limit=100").await.expect(200);
        let mut kept: Vec<String> =
            page["items"].as_array().unwrap().iter().map(|record| record["reference"].as_str().unwrap().to_owned()).collect();
        kept.reverse();
        assert_eq!(kept, acknowledged);
        let session = server.merchant().post(&format!("/payment-services/{id}/sessions"), &adyen_request()).await.expect(200);
        assert_eq!(session["status"], "succeeded", "the credentials still open");
        server.end().await;
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_ends_well() {
    for plan in plans().await {
        let server = plan.start().await;
        simulated_adyen(&server, "adyen-card").await;
        let (status, plan) = server.terminate().await;
        assert!(status.success(), "{status}");
        plan.serve().await.end().await;
    }
}

#[tokio::test]
async fn init_happens_once() {
    for plan in plans().await {
        let server = plan.start().await;
        let again = server
            .plan
            .run(&[
                "init",
                "--config",
                &server.plan.file("tollhouse.toml").display().to_string(),
                "--key-out",
                &server.plan.file("second.pem").display().to_string(),
            ])
            .await;
        assert!(!again.status.success() && !server.plan.file("second.pem").exists());
        assert!(!again.stderr.is_empty(), "it says why");
        server.end().await;
    }
}

#[tokio::test]
async fn init_takes_a_key_of_ones_own() {
    let plan = Plan::sqlite(BINARY);
    let key = testkit::token::Key::generate();
    let (public, config) = (plan.file("public.pem"), plan.file("tollhouse.toml"));
    std::fs::write(&public, key.public_pem()).unwrap();
    std::fs::write(&config, "").unwrap();
    let made = plan.run(&["init", "--config", &config.display().to_string(), "--public-key", &public.display().to_string()]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(!plan.file("private_key.pem").exists(), "no key was generated");
    let server = plan.serve_for(key).await;
    assert_eq!(server.merchant().get("/roles").await.expect(200)["items"].as_array().unwrap().len(), 4);
    server.end().await;
}

#[tokio::test]
async fn a_wrong_root_key_stops_the_start_and_names_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Plan::sqlite(BINARY).start().await;
    simulated_adyen(&server, "adyen-card").await;
    let plan = server.kill().await;
    let (root, config) = (plan.file("root.key"), plan.file("tollhouse.toml").display().to_string());
    let good = std::fs::read(&root).unwrap();
    let serve = async || plan.run(&["serve", "--config", &config]).await;
    let other = Plan::sqlite(BINARY).start().await;
    let foreign = std::fs::read(other.plan.file("root.key")).unwrap();
    for (what, bytes) in [("short", good[..10].to_vec()), ("empty", Vec::new()), ("another one", foreign)] {
        std::fs::write(&root, bytes).unwrap();
        let output = serve().await;
        assert!(!output.status.success(), "{what}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("root.key"), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::write(&root, &good).unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = serve().await;
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("root.key"), "readable by everybody");
    std::fs::remove_file(&root).unwrap();
    assert!(!serve().await.status.success(), "missing");
    std::fs::write(&root, &good).unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o600)).unwrap();
    plan.serve().await.end().await;
}

#[tokio::test]
async fn a_configuration_with_an_unknown_key_stops_the_start() {
    let plan = Plan::sqlite(BINARY);
    let config = plan.file("tollhouse.toml");
    std::fs::write(&config, "[server]\nlisten = \"127.0.0.1:0\"\nenviroment = \"live\"\n").unwrap();
    let output = plan.run(&["serve", "--config", &config.display().to_string()]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("enviroment") && words.contains("environment") && words.contains('3'), "{words}");
    let plan = Plan::sqlite(BINARY).with("TOLLHOUSE_SERVER__LISTN", "127.0.0.1:0");
    std::fs::write(plan.file("tollhouse.toml"), "").unwrap();
    let output = plan.run(&["config", "check", "--config", &plan.file("tollhouse.toml").display().to_string()]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("TOLLHOUSE_SERVER__LISTN") && words.contains("TOLLHOUSE_SERVER__LISTEN"), "{words}");
}
