//! Values that must not come out: planted everywhere, looked for everywhere, in every form that a program gives to bytes.

use serde_json::{Value, json};
use testkit::canary::{Canaries, contains};
use testkit::promise::Promise;
use testkit::provider::{Authority, Options, Provider, Received, Reply, Validity};
use testkit::server::{Plan, Server};

use super::internal_address;
use super::rows::stored;
use crate::cli::Shell;
use crate::support::{plans, service};

/// What is planted. No two share a part that is long enough to be looked for.
const API_KEY: &str = "AQEyhmfxK-canary-api-key-\"quoted\"/+";
const CLIENT_SECRET: &str = "canary-client-secret-0a1b2c3d4e";
const CLI_KEY: &str = "canary-key-from-a-shell-1f2e3d4c";
const TRIAL_KEY: &str = "canary-key-of-a-trial-7a8b9c0d";
const LOON_SECRET: &str = "canary-loon-secret-5e4d3c2b1a";
const DATABASE_PASSWORD: &str = "canary-database-password-42424242";
const ACCESS_TOKEN: &str = "canary-access-token-5f6a7b8c9d";
const CARD: &str = "4111111111111111";
/// Three digits are everywhere; so many under the name of a card's code are not.
const LONG_CVV: &str = "913791379137";
/// A real code, with the member it stands in.
const CVV: &str = "\"securityCode\":\"9137\"";
const SHOPPER: &str = "canary.shopper@example.com";
const ANSWERED: &str = "canary-session-data-Zm9vYmFy";
const REFUSED_KEY: &str = "invalid-canary-key-99887766";

/// What nobody gets to see, not even who sent it.
const CREDENTIALS: [&str; 7] = [API_KEY, CLIENT_SECRET, CLI_KEY, TRIAL_KEY, LOON_SECRET, DATABASE_PASSWORD, ACCESS_TOKEN];
/// What comes back to the caller at most.
const PASSING: [&str; 6] = [CARD, LONG_CVV, CVV, SHOPPER, ANSWERED, REFUSED_KEY];

/// Plays both services: tokens for one, an answer with private members for the other, and now and then nonsense.
fn play(request: &Received) -> Reply {
    match request.target.as_str() {
        "/v1/oauth2/token" => Reply::json(200, &json!({ "access_token": ACCESS_TOKEN, "expires_in": 3000 }).to_string()),
        "/paymentMethods" => Reply::json(401, &json!({ "message": ANSWERED }).to_string()),
        _ if request.text().contains("refuse-me") => Reply::json(422, &json!({ "message": format!("no: {ANSWERED}") }).to_string()),
        _ if request.text().contains("nonsense-please") => Reply::json(201, ANSWERED),
        _ if request.text().contains("hang-up") => Reply::CloseUnanswered,
        _ => Reply::json(201, &json!({ "id": "CS1", "sessionData": ANSWERED, "echo": request.text() }).to_string())
            .with_header("x-private", ANSWERED),
    }
}

/// What planting leaves in the hands of the caller.
struct Planted {
    tokens: Vec<String>,
    /// Bodies of everything that was refused.
    refusals: String,
    /// Bodies of everything that was done.
    answers: String,
}

/// Plants everything: good and bad services, sessions that end in every way, tokens good and bad.
async fn plant(server: &Server) -> Planted {
    let adyen = service("adyen-card", &[("api_key", API_KEY), ("merchant_account", "Shop")]);
    let paypal = service("paypal-paypal", &[("client_id", "client"), ("client_secret", CLIENT_SECRET)]);
    let unknown = service("adyen-card", &[("api_key", API_KEY), ("no_such_field", CLIENT_SECRET), ("mode", REFUSED_KEY)]);
    let token = server.key.token(&["*.read", "*.write"]);
    let caller = server.anonymous().token(&token);
    let mut done = vec![caller.put("/merchant-accounts/default", &json!({ "loon_secret_key": LOON_SECRET })).await];
    let mut refused = vec![
        caller.post("/payment-services", &unknown).await,
        caller.post_text("/payment-services", format!("{{\"display_name\":\"{CLIENT_SECRET}\", broken")).await,
        caller.get(&format!("/payment-services?cursor={CLIENT_SECRET}&limit={CARD}")).await,
        caller.put("/merchant-accounts/default", &json!({ "loon_secret_key": LOON_SECRET, "display_name": 7 })).await,
    ];
    for created in [&adyen, &paypal] {
        done.push(caller.post("/payment-services", created).await);
        let path = format!("/payment-services/{}", done.last().unwrap().expect(201)["id"].as_str().unwrap());
        done.push(caller.put(&path, &json!({ "fields": created["fields"] })).await);
        for reference in ["order-1", "refuse-me", "nonsense-please", "hang-up"] {
            let card = json!({ "number": CARD, "cvv": LONG_CVV, "securityCode": "9137" });
            let body = json!({ "reference": reference, "card": card, "shopperEmail": SHOPPER, "intent": "CAPTURE" });
            done.push(caller.post(&format!("{path}/sessions"), &body).await);
        }
        refused.push(caller.post_text(&format!("{path}/sessions"), format!("{{\"a\":\"{SHOPPER}\"")).await);
    }
    let card = json!({ "payment_source": { "card": { "number": CARD, "security_code": LONG_CVV } } });
    refused.push(caller.post("/payment-service-definitions/paypal-paypal/sessions", &card).await);
    let fields = json!([{ "key": "api_key", "value": REFUSED_KEY }, { "key": "merchant_account", "value": "Shop" }]);
    let verify = json!({ "payment_service_definition_id": "adyen-card", "fields": fields });
    refused.push(caller.post("/payment-services/verify", &verify).await);
    let last = if token.ends_with('x') { 'y' } else { 'x' };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    for wrong in [forged.as_str(), "canary.no.token"] {
        refused.push(server.anonymous().token(wrong).get("/roles").await);
    }
    for path in
        ["/payment-services", "/payment-service-sessions?limit=100", "/audit-logs?limit=100", "/api-key-pairs", "/merchant-accounts"]
    {
        done.push(caller.get(path).await);
    }
    assert!(refused.iter().all(|reply| reply.status >= 400), "{refused:?}");
    assert!(done.iter().all(|reply| reply.status < 300), "{done:?}");
    let texts = |replies: Vec<testkit::caller::Reply>| replies.into_iter().map(|reply| reply.text).collect();
    Planted { tokens: vec![token, forged], refusals: texts(refused), answers: texts(done) }
}

/// What every command says that touches credentials, on both streams.
async fn commands(server: &Server, provider: &Provider) -> String {
    let shell = Shell::of(server);
    let body = service("adyen-card", &[("api_key", CLI_KEY), ("merchant_account", "Shop")]).to_string();
    let created = shell.feed(&["payment-services", "create", "--data", "-"], &body).await.expect(0);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let verify = json!({ "payment_service_definition_id": "adyen-card", "fields": [{ "key": "api_key", "value": CLI_KEY }, { "key": "merchant_account", "value": "Shop" }] });
    shell.write("verify.json", &verify.to_string());
    shell.write("wrong.json", &body.replace("api_key", "no_such_field"));
    shell.write("broken.json", &format!("{{\"api_key\":\"{CLI_KEY}\""));
    let session = json!({ "reference": "refuse-me", "card": { "number": CARD } }).to_string();
    let mut said = vec![created];
    for arguments in [
        &["payment-services", "list"][..],
        &["payment-services", "get", &id],
        &["payment-services", "verify", "--data", "@verify.json"],
        &["payment-services", "create", "--data", "@wrong.json"],
        &["payment-services", "create", "--data", "@broken.json"],
        &["payment-services", "session", &id, "--data", &session],
        &["sessions", "list"],
        &["merchant-accounts", "list"],
        &["payment-services", "delete", &id],
    ] {
        said.push(shell.run(arguments).await);
    }
    // A file of one's own, tried at a server.
    shell.write("shop.toml", &testkit::bombs::GOOD.replace("psp", "shop"));
    said.push(shell.run(&["definitions", "test", "shop.toml"]).await);
    let against = ["definitions", "test", "shop.toml", "--against", &provider.url(""), "--set"];
    said.push(shell.run(&[&against[..], &[&format!("key={TRIAL_KEY}")]].concat()).await);
    let mut words: String = said.into_iter().map(|ran| ran.out + &ran.words).collect();
    assert!(words.contains(&id) && words.contains("HTTP 400"), "commands have run: {words}");
    // What the configuration holds, and what a start says that can not reach its database.
    let config = server.plan.file("tollhouse.toml").display().to_string();
    let shown = server.plan.run(&["config", "show", "--config", &config]).await;
    let astray = Plan::sqlite(crate::support::BINARY)
        .with("TOLLHOUSE_DATABASE__URL", format!("postgres://somebody:{DATABASE_PASSWORD}@127.0.0.1:1/nowhere"));
    for output in [shown, astray.run(&["config", "show"]).await, astray.run(&["migrate"]).await, astray.run(&["serve"]).await] {
        assert!(!(output.stdout.is_empty() && output.stderr.is_empty()), "{output:?}");
        words.push_str(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    words
}

/// Everything that is in nobody's hands: what an operator keeps, collects and backs up.
async fn left_behind(server: Server, everything: &Canaries) -> usize {
    let metrics = reqwest::get(format!("http://{}/metrics", internal_address(&server))).await.unwrap().text().await.unwrap();
    everything.assert_absent("the page of measurements", metrics.as_bytes());
    // While it runs, the newest rows are in the log of the database alone.
    let mut places = 1 + files(&server.plan, everything);
    for (table, rows) in stored(&server.plan).await {
        let text: String = rows.iter().flat_map(|row| row.values()).fold(String::new(), |text, value| text + value + "\n");
        everything.assert_absent(&format!("the table {table}"), text.as_bytes());
        places += 1;
    }
    let (status, plan) = server.terminate().await;
    assert!(status.success());
    let log = std::fs::read_to_string(plan.file("log")).unwrap();
    assert!(super::lines(&log).iter().any(|line: &Value| line["level"] == "DEBUG" || line["level"] == "TRACE"), "the level is a fine one");
    places + files(&plan, everything)
}

/// Every file that the server has written: database, its log and its shared memory, and the log with whatever a panic would have said.
fn files(plan: &Plan, everything: &Canaries) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(plan.file("")).unwrap() {
        let path = entry.unwrap().path();
        // The first key and the authority are the test's own.
        if path.is_file() && path.extension().is_none_or(|extension| extension != "pem") {
            everything.assert_absent(&path.display().to_string(), &std::fs::read(&path).unwrap());
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn r45_secrets_come_out_nowhere_at_the_finest_level() {
    let promise = Promise::new("R45");
    let mut places = 0;
    for plan in plans().await {
        let authority = Authority::new();
        let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
        provider.answer(play);
        let plain = Provider::start(Options::plain()).await;
        plain.answer(|_| Reply::json(201, r#"{"id":"shop-1"}"#));
        let collector = Provider::start(Options::plain()).await;
        collector.answer(|_| Reply::empty(200));
        let ca = plan.file("ca.pem");
        std::fs::write(&ca, authority.pem()).unwrap();
        let plan = plan.provider_at("adyen", &provider.url(""), Some(&ca)).provider_at("paypal", &provider.url(""), Some(&ca));
        // Card numbers are let through, since they are looked for as well.
        let plan = plan.with("TOLLHOUSE_SESSIONS__REFUSE_CARD_NUMBERS", "false");
        let server =
            plan.with("TOLLHOUSE_LOG", "trace").with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url("/v1/traces")).start().await;
        let Planted { tokens, refusals, answers } = plant(&server).await;
        let sent: String = provider.requests().iter().map(Received::text).collect();
        assert!(sent.contains(CARD) && sent.contains(CVV) && sent.contains(LONG_CVV), "the canaries were sent where they belong");
        let said = commands(&server, &plain).await;
        assert!(plain.requests().iter().any(|request| request.header("authorization").is_some_and(|value| value.contains(TRIAL_KEY))));

        let mut credentials = Canaries::of(CREDENTIALS);
        credentials.plant(&tokens);
        // The signature alone would do for whoever finds it beside the claims.
        credentials.plant(tokens.iter().map(|token| token.rsplit('.').next().unwrap()));
        let pem = std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap();
        // The last line is too short to be looked for.
        credentials.plant(pem.lines().filter(|line| line.len() == 64));
        let mut everything = credentials.clone();
        everything.plant(PASSING);

        credentials.assert_absent("an answer", answers.as_bytes());
        everything.assert_absent("a refusal", refusals.as_bytes());
        credentials.assert_absent("a command", said.as_bytes());
        places += 3 + left_behind(server, &everything).await;
        let spans: Vec<u8> = collector.requests().iter().flat_map(|request| request.body.clone()).collect();
        assert!(contains(&spans, b"outbound_call"), "spans have arrived");
        everything.assert_absent("the spans", &spans);
        places += 1;
    }
    promise.kept(places, "places looked at: answers, refusals, commands, measurements, tables, files, spans");
}
