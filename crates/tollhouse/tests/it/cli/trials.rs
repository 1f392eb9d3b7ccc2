//! `tollhouse definitions test`: every outcome offline, a server that somebody names, and a sandbox.

use testkit::provider::{Authority, Options, Provider, Reply, Validity};

use super::Shell;

/// A payment service that fetches a token, answers a private member and can be verified.
const ACME: &str = r#"
format = 1
id = "acme"
name = "Acme"
checked = "docs 2026-11"
[methods]
card = { name = "Card" }
ideal = { name = "iDEAL" }
[fields]
client_id = { label = "Client ID" }
client_secret = { label = "Client secret", secret = true }
shop = { label = "Shop", default = "main" }
[hosts]
sandbox = "https://sandbox.acme.example/v1"
live = "https://api.acme.example/v1"
[auth]
bearer = "{{ token }}"
[call.token]
request = "POST /token"
auth.basic = { user = "{{ field.client_id }}", password = "{{ field.client_secret }}" }
body = { encoding = "form", set = { "/grant_type" = "client_credentials" } }
token = "answer /access_token"
[call.session]
request = "POST /sessions"
success = [201]
private = ["/client_token"]
body.set."/shop" = "{{ field.shop }}"
body.refuse."/card" = "card data must not pass through a session"
[call.verify]
same_as = "token"
[simulator]
first_run = "ideal"
requires = ["/amount"]
example = '{"amount":1000}'
answer = '{"id":"{{ sim.uuid }}","client_token":"{{ sim.text20 }}"}'
refuse.422 = '{"error":"{{ sim.missing }}"}'
refuse.401 = '{"error":"unauthorized"}'
"#;

const SECRET: &str = "canary-secret-of-acme";
const TOKEN: &str = "canary-token-of-acme";

/// Answers the token call and sessions, and echoes what nobody should see.
async fn acme(options: Options) -> Provider {
    let provider = Provider::start(options).await;
    provider.answer(|received| match received.target.as_str() {
        "/v1/token" if received.header("authorization").is_some_and(|value| value.starts_with("Basic ")) => {
            Reply::json(200, &format!(r#"{{"access_token":"{TOKEN}"}}"#))
        }
        "/v1/sessions" if received.text().contains("\"amount\":7") => Reply::json(422, r#"{"error":"amount"}"#),
        "/v1/sessions" => {
            Reply::json(201, &format!(r#"{{"id":"s-1","client_token":"canary-private","echo":"{SECRET} {TOKEN}","shop":"main"}}"#))
        }
        _ => Reply::json(404, "{}"),
    });
    provider
}

#[tokio::test]
async fn every_outcome_of_the_simulator_is_played_for_every_method() {
    let shell = Shell::new();
    shell.write("acme.toml", ACME);
    let ran = shell.run(&["definitions", "test", "acme.toml"]).await.expect(0);
    let outcomes = [
        "simulate:decline -> failed INVALID_SERVICE_REQUEST, HTTP 422",
        "simulate:401 -> failed INVALID_SERVICE_CREDENTIALS, HTTP 401",
        "simulate:429 -> failed SERVICE_RATE_LIMIT, HTTP 429",
        "simulate:500 -> failed SERVICE_ERROR, HTTP 500",
        "simulate:malformed -> failed INVALID_SERVICE_RESPONSE, HTTP 201",
        "simulate:drop -> failed SERVICE_NETWORK_ERROR",
        "verification -> accepted",
    ];
    for line in outcomes {
        assert_eq!(ran.out.lines().filter(|shown| *shown == line).count(), 2, "{line}: {}", ran.out);
    }
    assert_eq!(ran.out.lines().filter(|line| *line == "simulate:slow -> failed SERVICE_NETWORK_ERROR").count(), 1, "{}", ran.out);
    let only = shell.run(&["definitions", "test", "acme.toml", "--method", "ideal"]).await.expect(0);
    assert!(only.out.contains("== acme-ideal") && !only.out.contains("== acme-card"), "{}", only.out);
    assert!(shell.run(&["definitions", "test", "acme.toml", "--method", "idael"]).await.refused(2).contains("its methods are card, ideal"));
    assert!(shell.run(&["definitions", "test", "acme.toml", "--set", "shop=x"]).await.refused(2).contains("--against"));

    // A file whose success can not be told from its failures.
    let blind =
        ACME.replacen("success = [201]", "success = { status = [201], absent = [\"/error\"] }", 1).replacen("refuse.422", "refuse.201", 1);
    shell.write("acme.toml", &blind);
    shell.run(&["definitions", "test", "acme.toml"]).await.expect(0);
}

#[tokio::test]
async fn each_line_of_a_signature_is_shown() {
    let shell = Shell::new();
    let signing = r#"
[sign]
date = "{{ now | iso8601 }}"
key = "{{ field.signing_key | from_base64 }}"
text = """
date: {{ sign.date }}
digest: {{ sent.body | sha256 | hex }}"""
signature = "{{ sign.text | hmac_sha256(sign.key) | base64 }}"
[auth.headers]
X-Shop = "{{ field.shop }}"
X-Date = "{{ sign.date }}"
X-Signature = "v1={{ sign.signature }}"
"#;
    let token = ACME.find("[auth]").unwrap()..ACME.find("[call.session]").unwrap();
    let verify = "[call.verify]\nsame_as = \"token\"\n";
    let file = ACME.replacen(&ACME[token], signing, 1).replacen(verify, "", 1).replacen(
        "client_secret = { label = \"Client secret\", secret = true }",
        "signing_key = { label = \"Signing key\", secret = true, format = \"base64\" }",
        1,
    );
    shell.write("acme.toml", &file);
    let ran = shell.run(&["definitions", "test", "acme.toml", "--method", "card"]).await.expect(0);
    let line = |name: &str| {
        let line = ran.out.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {}", ran.out)).trim().to_owned()
    };
    // Of the body that is shown, computed with sha256sum.
    let digest = "\n    digest: 85a591661e097b3c4a2c293183e38eb2ff82d856ffb0ee578e76d1aba1266ef2\n";
    assert!(ran.out.contains(digest) && ran.out.contains("\n{\"amount\":1000,\"shop\":\"main\"}\n"), "{}", ran.out);
    assert_eq!(line("x-date:"), line("sign.date:"));
    assert_eq!(line("x-signature:"), format!("v1={}", line("sign.signature:")), "the signature that is sent");
    assert!(line("sign.key:").contains("[signing_key]"), "{}", ran.out);
    assert!(!ran.out.contains("c2ltdWxhdGVk") && !ran.out.contains("73696d756c61746564"), "the key in no coding: {}", ran.out);
}

#[tokio::test]
async fn the_example_is_sent_to_a_server_that_somebody_names() {
    let provider = acme(Options::plain()).await;
    let shell = Shell::new();
    shell.write("acme.toml", ACME);
    let base = provider.url("/v1");
    let ran = shell.run(&["definitions", "test", "acme.toml", "--against", &base, "--set", "shop=second"]).await.expect(0);
    for text in [
        "== acme-ideal, http://127.0.0.1:",
        "POST /v1/token",
        ":[client_secret])",
        "Bearer [token]",
        "\"shop\":\"second\"",
        "-> succeeded, HTTP 201",
    ] {
        assert!(ran.out.contains(text), "{text}: {}", ran.out);
    }
    assert!(ran.out.contains("\"client_token\": \"[private]\"") && !ran.out.contains("canary-private"), "{}", ran.out);
    assert!(!shell.path("").read_dir().unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().contains("transcript")));
    let sent = provider.requests();
    assert_eq!(sent.last().unwrap().text(), r#"{"amount":1000,"shop":"second"}"#);

    // Another body, refusals, what is wrong with the command line.
    let ran = shell.run(&["definitions", "test", "acme.toml", "--against", &base, "--data", r#"{"amount":7}"#]).await.expect(1);
    assert!(ran.out.contains("-> failed INVALID_SERVICE_REQUEST, HTTP 422") && ran.out.contains("\"error\": \"amount\""), "{}", ran.out);
    let refused = shell.run(&["definitions", "test", "acme.toml", "--against", &base, "--data", r#"{"card":1}"#]).await.expect(1);
    assert!(refused.words.contains("card data must not pass"), "{}", refused.words);
    for (arguments, expected) in [
        (&["--against", "http://sandbox.acme.example"][..], "plain HTTP on this machine"),
        (&["--against", "ftp://127.0.0.1"], "neither HTTPS"),
        (&["--against", "nowhere"], "--against"),
        (&["--against", &base, "--set", "shpo=x"], "did you mean `shop`?"),
        (&["--against", &base, "--data", "[1]"], "--data is"),
        (&["--against", &base, "--live"], "--live"),
    ] {
        let words = shell.run(&[&["definitions", "test", "acme.toml"], arguments].concat()).await.refused(2);
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[tokio::test]
async fn a_live_trial_leaves_a_transcript_without_secrets() {
    let authority = Authority::new();
    let provider = acme(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    let shell = Shell::new();
    shell.write("acme.toml", ACME);
    shell.write("ca.pem", &authority.pem());
    shell.write("secret", &format!("{SECRET}\n"));
    let shell = shell
        .with("TOLLHOUSE_PROVIDERS__ACME__BASE_URL", &provider.url("/v1"))
        .with("TOLLHOUSE_EGRESS__ALLOW", "127.0.0.0/8")
        .with("TOLLHOUSE_OUTBOUND__CA_FILE", "ca.pem");
    // The address of the variable belongs to the file that is tested, and to no other.
    let live = ["definitions", "test", "acme.toml", "--live", "--set", "client_id=canary-client"];
    let words = shell.run(&live).await.refused(2);
    assert!(words.contains("`client_secret` is required") && words.contains("TOLLHOUSE_TEST_"), "{words}");

    let ran = shell.run(&[&live[..], &["--set", "client_secret=@secret"]].concat()).await.expect(0);
    assert!(ran.words.contains("that proves nothing about its sandbox"), "the address was replaced: {}", ran.words);
    let transcripts = || -> Vec<std::path::PathBuf> {
        let files = shell.path("").read_dir().unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.to_string_lossy().ends_with(".transcript.txt")).collect()
    };
    let [file] = &transcripts()[..] else { panic!("one transcript: {:?}", transcripts()) };
    assert!(file.file_name().unwrap().to_string_lossy().starts_with("acme-ideal-20"), "{file:?}");
    let text = std::fs::read_to_string(file).unwrap();
    for part in [
        "POST /v1/token",
        "POST /v1/sessions",
        "authorization: Bearer [token]",
        "-> succeeded, HTTP 201",
        "\"id\": \"s-1\"",
        "verification -> accepted",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("canary-client"), "what is no secret is shown: {text}");
    for canary in [SECRET, TOKEN, "canary-private"] {
        assert!(!text.contains(canary) && !ran.out.contains(canary), "{canary}: {text}");
    }
    let basic = provider.requests()[0].header("authorization").unwrap().to_owned();
    assert!(!text.contains(basic.trim_start_matches("Basic ")), "nor in another coding: {text}");

    // The secret from a variable; a second one of the day replaces the first; a failure is kept too.
    let shell = shell.with("TOLLHOUSE_TEST_CLIENT_SECRET", SECRET);
    let ran = shell.run(&[&live[..], &["--data", r#"{"amount":7}"#]].concat()).await.expect(1);
    assert!(ran.words.contains("ends as failed INVALID_SERVICE_REQUEST") && !ran.words.contains("checked"), "{}", ran.words);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("-> failed INVALID_SERVICE_REQUEST, HTTP 422") && !text.contains(SECRET), "{text}");
}
