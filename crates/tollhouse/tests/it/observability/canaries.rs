//! Values that must not come out: planted everywhere, looked for everywhere, in every form that a program gives to bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use testkit::provider::{Authority, Options, Provider, Received, Reply, Validity};
use testkit::server::Server;

use super::internal_address;
use crate::support::{service, sqlite};

/// What is planted. No two share a part that is long enough to be looked for.
const API_KEY: &str = "AQEyhmfxK-canary-api-key-\"quoted\"/+";
const CLIENT_SECRET: &str = "canary-client-secret-0a1b2c3d4e";
const ACCESS_TOKEN: &str = "canary-access-token-5f6a7b8c9d";
const CARD: &str = "4111111111111111";
const SHOPPER: &str = "canary.shopper@example.com";
const ANSWERED: &str = "canary-session-data-Zm9vYmFy";
const REFUSED_KEY: &str = "invalid-canary-key-99887766";

/// Whether bytes hold others.
pub(super) fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The ways in which a text may be written down: as it is, hex, percent-encoded, escaped for JSON once and twice, base64 wherever it begins.
fn forms(text: &str) -> Vec<String> {
    let hex = |upper: bool| text.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect::<String>();
    let inner = |text: &str| json!(text).to_string().trim_matches('"').to_owned();
    let json = json!(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut forms = vec![text.to_owned(), hex(false), hex(true), inner(&json), json];
    forms.push(url::form_urlencoded::byte_serialize(text.as_bytes()).collect());
    for before in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&vec![b'x'; before][..], text.as_bytes()].concat());
        // The first and the last characters depend on the neighbours.
        let whole = &encoded[if before == 0 { 0 } else { before + 1 }..encoded.len() - 2];
        forms.push(whole.to_owned());
        forms.push(whole.replace('+', "-").replace('/', "_"));
    }
    forms
}

#[track_caller]
fn assert_clean(place: &str, bytes: &[u8], secrets: &[&str]) {
    for secret in secrets {
        for form in forms(secret) {
            assert!(!contains(bytes, form.as_bytes()), "{place} holds {secret} as {form}");
        }
    }
}

#[test]
fn what_is_looked_for_is_found_in_every_form() {
    let text = CLIENT_SECRET;
    let basic = |user: &str| STANDARD_NO_PAD.encode(format!("{user}:{text}"));
    for hidden in [format!("a{text}b"), basic("a"), basic("ab"), basic("abc"), json!(json!(API_KEY).to_string()).to_string()] {
        let secret = if hidden.contains("canary-api-key") { API_KEY } else { text };
        assert!(forms(secret).iter().any(|form| hidden.contains(form)), "{hidden}");
    }
}

/// Plays both services: tokens for one, an answer with private members for the other, and now and then nonsense.
fn play(request: &Received) -> Reply {
    match request.target.as_str() {
        "/v1/oauth2/token" => Reply::json(200, &json!({ "access_token": ACCESS_TOKEN, "expires_in": 3000 }).to_string()),
        "/paymentMethods" => Reply::json(401, &json!({ "message": ANSWERED }).to_string()),
        _ if request.text().contains("refuse-me") => Reply::json(422, &json!({ "message": format!("no: {ANSWERED}") }).to_string()),
        _ if request.text().contains("nonsense-please") => Reply::json(201, ANSWERED),
        _ if request.text().contains("hang-up") => Reply::CloseUnanswered,
        _ => Reply::json(201, &json!({ "id": "CS1", "sessionData": ANSWERED }).to_string()).with_header("x-private", ANSWERED),
    }
}

/// What planting leaves in the hands of the caller.
struct Planted {
    tokens: Vec<String>,
    /// Bodies of everything that was refused.
    refusals: String,
}

/// Plants everything: good and bad services, sessions that end in every way, tokens good and bad.
async fn plant(server: &Server) -> Planted {
    let adyen = service("adyen-card", &[("api_key", API_KEY), ("merchant_account", "Shop")]);
    let paypal = service("paypal-paypal", &[("client_id", "client"), ("client_secret", CLIENT_SECRET)]);
    let unknown = service("adyen-card", &[("api_key", API_KEY), ("no_such_field", CLIENT_SECRET), ("mode", REFUSED_KEY)]);
    let token = server.key.token(&["*.read", "*.write"]);
    let caller = server.anonymous().token(&token);
    let mut refused = vec![
        caller.post("/payment-services", &unknown).await,
        caller.post_text("/payment-services", format!("{{\"display_name\":\"{CLIENT_SECRET}\", broken")).await,
        caller.get(&format!("/payment-services?cursor={CLIENT_SECRET}&limit={CARD}")).await,
    ];
    for created in [&adyen, &paypal] {
        let path = format!("/payment-services/{}", caller.post("/payment-services", created).await.expect(201)["id"].as_str().unwrap());
        caller.put(&path, &json!({ "fields": created["fields"] })).await.expect(200);
        for reference in ["order-1", "refuse-me", "nonsense-please", "hang-up"] {
            let body = json!({ "reference": reference, "card": { "number": CARD }, "shopperEmail": SHOPPER, "intent": "CAPTURE" });
            caller.post(&format!("{path}/sessions"), &body).await.expect(200);
        }
        refused.push(caller.post_text(&format!("{path}/sessions"), format!("{{\"a\":\"{SHOPPER}\"")).await);
    }
    let card = json!({ "payment_source": { "card": { "number": CARD } } });
    refused.push(caller.post("/payment-service-definitions/paypal-paypal/sessions", &card).await);
    let fields = json!([{ "key": "api_key", "value": REFUSED_KEY }, { "key": "merchant_account", "value": "Shop" }]);
    let verify = json!({ "payment_service_definition_id": "adyen-card", "fields": fields });
    refused.push(caller.post("/payment-services/verify", &verify).await);
    let last = if token.ends_with('x') { 'y' } else { 'x' };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    for wrong in [forged.as_str(), "canary.no.token"] {
        refused.push(server.anonymous().token(wrong).get("/roles").await);
    }
    assert!(refused.iter().all(|reply| reply.status >= 400), "{refused:?}");
    Planted { tokens: vec![token, forged], refusals: refused.into_iter().map(|reply| reply.text).collect() }
}

#[tokio::test]
async fn r45_secrets_come_out_nowhere_at_the_finest_level() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
    provider.answer(play);
    let collector = Provider::start(Options::plain()).await;
    collector.answer(|_| Reply::empty(200));
    let plan = sqlite();
    let ca = plan.file("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let plan = plan.provider_at("adyen", &provider.url(""), Some(&ca)).provider_at("paypal", &provider.url(""), Some(&ca));
    // Card numbers are let through, since they are looked for as well.
    let plan = plan.with("TOLLHOUSE_SESSIONS__REFUSE_CARD_NUMBERS", "false");
    let server = plan.with("TOLLHOUSE_LOG", "trace").with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url("/v1/traces")).start().await;
    let Planted { tokens, refusals } = plant(&server).await;
    assert!(provider.requests().iter().any(|request| request.text().contains(CARD)), "the canaries were sent where they belong");

    let mut secrets = vec![API_KEY, CLIENT_SECRET, ACCESS_TOKEN, CARD, SHOPPER, ANSWERED, REFUSED_KEY];
    secrets.extend(tokens.iter().map(String::as_str));
    // The signature alone would do for whoever finds it beside the claims.
    secrets.extend(tokens.iter().map(|token| token.rsplit('.').next().unwrap()));
    let pem = std::fs::read_to_string(server.plan.file("private_key.pem")).unwrap();
    secrets.extend(pem.lines().filter(|line| !line.starts_with("---")));

    assert_clean("a refusal", refusals.as_bytes(), &secrets);
    let metrics = reqwest::get(format!("http://{}/metrics", internal_address(&server))).await.unwrap().text().await.unwrap();
    assert_clean("the page of measurements", metrics.as_bytes(), &secrets);
    for path in ["/payment-services", "/payment-service-sessions?limit=100", "/audit-logs?limit=100", "/api-key-pairs"] {
        let reply = server.merchant().get(path).await;
        reply.expect(200);
        assert_clean(path, reply.text.as_bytes(), &secrets);
    }
    let (status, plan) = server.terminate().await;
    assert!(status.success());
    let log = std::fs::read_to_string(plan.file("log")).unwrap();
    assert!(super::lines(&log).iter().any(|line: &Value| line["level"] == "DEBUG" || line["level"] == "TRACE"), "the level is a fine one");
    assert_clean("the log", log.as_bytes(), &secrets);
    let spans: Vec<u8> = collector.requests().iter().flat_map(|request| request.body.clone()).collect();
    assert!(contains(&spans, b"outbound_call"), "spans have arrived");
    assert_clean("the spans", &spans, &secrets);
    for name in ["tollhouse.db", "tollhouse.db-wal"] {
        let bytes = std::fs::read(plan.file(name)).unwrap_or_default();
        assert_clean(name, &bytes, &secrets);
    }
}
