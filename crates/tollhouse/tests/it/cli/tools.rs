//! Commands that ask nobody: `token` and `config`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::token::now_seconds;

use super::Shell;
use crate::support::{assert_uuid, sqlite};

/// One half of a token.
fn part(token: &str, index: usize) -> Value {
    let text = token.trim_end().split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_holds_what_was_asked_for_and_opens_the_server() {
    let server = sqlite().start().await;
    let shell = Shell::of(&server);
    let made = shell.run(&["token"]).await.expect(0);
    assert_eq!((made.words.as_str(), made.out.lines().count()), ("", 1));
    let token = made.out.trim_end();
    assert_eq!(part(token, 0), json!({ "alg": "ES512", "typ": "JWT", "kid": server.key.thumbprint() }));
    let claims = part(token, 1);
    assert_eq!(claims["scopes"], json!(["*.read", "*.write"]));
    assert_uuid(&claims["jti"]);
    let seconds = |name: &str| claims[name].as_u64().unwrap();
    assert!(seconds("iat").abs_diff(now_seconds()) <= 60 && seconds("nbf") == seconds("iat"), "{claims}");
    assert_eq!(seconds("exp") - seconds("iat"), 3600);
    assert_ne!(shell.run(&["token"]).await.out, made.out, "each has an id of its own");

    let anybody = server.anonymous().token(token);
    anybody.get("/payment-services").await.expect(200);
    anybody.post("/merchant-accounts", &json!({ "id": "shop", "display_name": "Shop" })).await.expect(201);

    let narrow = shell.run(&["token", "--scopes", "payment-services.read,roles.read", "--expires", "15m"]).await.expect(0).out;
    let claims = part(&narrow, 1);
    assert_eq!(claims["scopes"], json!(["payment-services.read", "roles.read"]));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    let anybody = server.anonymous().token(narrow.trim_end());
    anybody.get("/payment-services").await.expect(200);
    anybody.get("/merchant-accounts").await.problems(403, "forbidden");
    server.end().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_named() {
    let shell = Shell::new();
    let words = shell.run(&["token"]).await.refused(2);
    assert!(words.contains("tollhouse-data/private_key.pem") && words.contains("--key-file"), "{words}");
    shell.write("other.pem", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5LWtleQ==\n-----END PRIVATE KEY-----\n");
    let words = shell.run(&["token", "--key-file", "other.pem"]).await.refused(2);
    assert!(words.contains("other.pem") && !words.contains("Y2FuYXJ5"), "{words}");
    let shell = Shell::new().with("TOLLHOUSE_KEY_FILE", "elsewhere.pem");
    assert!(shell.run(&["token"]).await.refused(2).contains("elsewhere.pem"));
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_sources_and_without_its_secrets() {
    let shell = Shell::new()
        .with("TOLLHOUSE_DATABASE__URL", "postgres://toll:canary-password@db.internal/toll")
        .with("TOLLHOUSE_OUTBOUND__TIMEOUT_MS", "5000")
        .with("TOLLHOUSE_PROVIDERS__ADYEN__BASE_URL", "https://127.0.0.1:9000/v71");
    shell.write("tollhouse.toml", "[server]\nlisten = \"127.0.0.1:9999\"\n\n[vault]\nroot_key_file = \"root.key\"\n");
    let shown = shell.run(&["config", "show", "--config", "tollhouse.toml", "--sources"]).await.expect(0);
    assert_eq!(shown.words, "");
    for line in [
        "listen = \"127.0.0.1:9999\"  # tollhouse.toml:2",
        "root_key_file = \"root.key\"  # tollhouse.toml:5",
        "url = \"postgres://toll:[secret]@db.internal/toll\"  # TOLLHOUSE_DATABASE__URL",
        "timeout_ms = 5000  # TOLLHOUSE_OUTBOUND__TIMEOUT_MS",
        "connect_timeout_ms = 2000  # default",
        "base_url = \"https://127.0.0.1:9000/v71\"  # TOLLHOUSE_PROVIDERS__ADYEN__BASE_URL",
    ] {
        assert!(shown.out.contains(line), "{line}: {}", shown.out);
    }
    let plain = shell.run(&["config", "show", "--config", "tollhouse.toml"]).await.expect(0);
    assert!(!plain.out.contains("TOLLHOUSE_DATABASE__URL\n") && !(plain.out + &shown.out).contains("canary"), "no sources, no secret");
    let table: toml::Table = shown.out.parse().expect("what is shown is TOML");
    assert_eq!(table["server"]["environment"].as_str(), Some("sandbox"));
}

#[tokio::test]
async fn a_sound_configuration_is_called_so_and_nothing_is_made() {
    let shell = Shell::new().with("TOLLHOUSE_DATABASE__URL", "sqlite://toll.db").with("TOLLHOUSE_VAULT__ROOT_KEY_FILE", "root.key");
    let words = shell.run(&["config", "check"]).await.expect(0);
    assert!(words.out.is_empty() && words.words.contains("sound"), "{} {}", words.out, words.words);
    assert_eq!(std::fs::read_dir(shell.path("")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wrong_configuration_is_told_whole_with_places() {
    let shell = Shell::new().with("TOLLHOUSE_DATABASE__URL", "mysql://root:canary-password@h").with("TOLLHOUSE_EGRESS__ALOW", "10.0.0.0/8");
    shell.write("tollhouse.toml", "[server]\nlisten = 8080\nenvironment = \"production\"\n[outbound]\ntimeout_ms = 0\n");
    let words = shell.run(&["config", "check", "--config", "tollhouse.toml"]).await.refused(2);
    for expected in [
        "tollhouse.toml:2: `server.listen`",
        "tollhouse.toml:3: `server.environment`",
        "tollhouse.toml:5: `outbound.timeout_ms`",
        "did you mean `TOLLHOUSE_EGRESS__ALLOW`?",
        "TOLLHOUSE_DATABASE__URL: `database.url`",
        "`vault.root_key_file` is not set",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(!words.contains("canary"), "{words}");
    let words = shell.run(&["config", "check", "--config", "missing.toml"]).await.refused(2);
    assert!(words.contains("missing.toml"), "{words}");

    let sound = || Shell::new().with("TOLLHOUSE_DATABASE__URL", "sqlite://toll.db").with("TOLLHOUSE_VAULT__ROOT_KEY_FILE", "root.key");
    for (name, value, expected) in [
        ("TOLLHOUSE_DEFINITIONS__DIRS", "defs", "defs/broken.toml:1:"),
        ("TOLLHOUSE_PROVIDERS__ADIEN__BASE_URL", "https://127.0.0.1", "did you mean `adyen`?"),
        ("TOLLHOUSE_OUTBOUND__CA_FILE", "defs/broken.toml", "outbound.ca_file"),
    ] {
        let shell = sound().with(name, value);
        shell.write("defs/broken.toml", "format = 7\n");
        let words = shell.run(&["config", "check"]).await.refused(2);
        assert!(words.contains(expected), "{expected}: {words}");
    }
    let shell = sound().with("TOLLHOUSE_SERVER__TLS_CERT_FILE", "cert.pem").with("TOLLHOUSE_SERVER__TLS_KEY_FILE", "key.pem");
    assert!(shell.run(&["config", "check"]).await.refused(2).contains("cert.pem"));
}

#[tokio::test]
async fn a_database_that_can_not_be_reached_has_a_code_of_its_own() {
    let shell = Shell::new()
        .with("TOLLHOUSE_DATABASE__URL", "postgres://toll:canary-password@127.0.0.1:1/toll")
        .with("TOLLHOUSE_VAULT__ROOT_KEY_FILE", "root.key")
        .with("TOLLHOUSE_INTERNAL__LISTEN", "off")
        .with("TOLLHOUSE_SERVER__LISTEN", "127.0.0.1:0");
    let words = shell.run(&["migrate"]).await.refused(3);
    assert!(!words.contains("canary"), "{words}");
    let words = shell.run(&["init", "--key-out", "first.pem"]).await.refused(3);
    assert!(!words.contains("canary") && !shell.path("first.pem").exists(), "{words}");
}
