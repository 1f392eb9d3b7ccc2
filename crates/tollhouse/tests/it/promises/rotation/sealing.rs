//! There is no mode without encryption.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;
use testkit::promise::Promise;
use testkit::server::Plan;

use crate::support::{service, sqlite};

/// Values that are looked for in the database.
const CREDENTIALS: [&str; 3] = ["plain-api-key-0123456789", "plain-merchant-0123456789", "plain-loon-secret-0123456789"];

/// The configuration in force, as `config show` prints it.
async fn shown(plan: &Plan) -> toml::Table {
    let output = plan.run(&["config", "show", "--config", &plan.file("tollhouse.toml").display().to_string()]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

#[tokio::test]
async fn r48_no_setting_turns_sealing_off() {
    let promise = Promise::new("R48");
    let plan = sqlite();
    std::fs::write(plan.file("tollhouse.toml"), "").unwrap();
    let switches: Vec<(String, bool)> = shown(&plan)
        .await
        .iter()
        .flat_map(|(section, keys)| {
            let keys = keys.as_table().unwrap().iter();
            keys.filter_map(|(name, value)| Some((format!("TOLLHOUSE_{section}__{name}").to_uppercase(), value.as_bool()?)))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(switches.len() >= 4, "{switches:?}");

    // Every switch there is, as it stands and the other way round.
    for turned in [false, true] {
        // A database that must be migrated by hand can not be started by `serve` alone, but `init` migrates it.
        let turn = |plan: Plan, (name, value): &(String, bool)| plan.with(name, (value ^ turned).to_string());
        // A simulated service needs simulators.
        let plan = switches.iter().fold(sqlite(), turn).with("TOLLHOUSE_SIMULATORS__ENABLED", "true");
        let server = plan.start().await;
        let [api_key, merchant, loon] = CREDENTIALS;
        let fields = [("api_key", api_key), ("merchant_account", merchant), ("mode", "simulator")];
        server.merchant().post("/payment-services", &service("adyen-card", &fields)).await.expect(201);
        let account = json!({ "id": "shop", "display_name": "Shop", "loon_secret_key": loon });
        server.merchant().post("/merchant-accounts", &account).await.expect(201);
        let (stopped, plan) = server.terminate().await;
        assert!(stopped.success());
        let bytes = ["tollhouse.db", "tollhouse.db-wal"].map(|name| std::fs::read(plan.file(name)).unwrap_or_default()).concat();
        let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        assert!(holds(b"adyen-card"), "the database is the one that was written");
        for credential in CREDENTIALS {
            let hexadecimal: String = credential.bytes().map(|byte| format!("{byte:02x}")).collect();
            let encoded = STANDARD_NO_PAD.encode(credential);
            for form in [credential, &hexadecimal, &encoded] {
                assert!(!holds(form.as_bytes()), "the database holds {form}");
            }
        }
    }

    // And no switch that one might hope for is silently taken.
    let plan = sqlite();
    for line in ["encryption = false", "enabled = false", "plaintext = true"] {
        std::fs::write(plan.file("tollhouse.toml"), format!("[vault]\n{line}\n")).unwrap();
        let output = plan.run(&["serve", "--config", &plan.file("tollhouse.toml").display().to_string()]).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{line}: {words}");
    }
    let output = plan.run(&["serve", "--no-encryption"]).await;
    assert_eq!(output.status.code(), Some(2));
    promise.kept(2 * switches.len(), "switches turned, no credential readable");
}
