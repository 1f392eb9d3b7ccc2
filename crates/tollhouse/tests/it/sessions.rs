//! `POST …/sessions`, against payment services on real sockets with real certificates.

use serde_json::{Value, json};
use testkit::caller::Reply as Answer;
use testkit::provider::{Authority, Options, Provider, Validity};
use testkit::server::{Plan, Server};

use crate::support::{adyen_request, plans, service};

mod card_numbers;
mod client_certificates;
mod fidelity;
mod outcomes;
mod token_exchange;
mod two_steps;
mod unwritable;

/// A server whose payment service of one provider is ours, over TLS, with a service of a definition configured.
pub(crate) struct Stage<'s> {
    pub(crate) server: &'s Server,
    pub(crate) provider: &'s Provider,
    /// Path of the configured service.
    pub(crate) path: String,
}

impl Stage<'_> {
    /// A session with exactly this body.
    pub(crate) async fn session(&self, body: &str) -> Answer {
        self.server.merchant().post_text(&format!("{}/sessions", self.path), body).await
    }

    /// A session with a body that Adyen takes.
    pub(crate) async fn usual_session(&self) -> Answer {
        self.session(&adyen_request().to_string()).await
    }

    /// The newest session record.
    pub(crate) async fn record(&self) -> Value {
        self.server.merchant().get("/payment-service-sessions?limit=1").await.expect(200)["items"][0].clone()
    }
}

/// Runs a test on each database with one configured service whose calls reach a scripted payment service.
pub(crate) async fn on_stage(definition: &str, fields: &[(&str, &str)], test: impl AsyncFn(Stage<'_>)) {
    on_stage_with(|plan| plan, definition, fields, test).await;
}

/// The same with a server that is started differently.
pub(crate) async fn on_stage_with(
    configure: impl Fn(Plan) -> Plan,
    definition: &str,
    fields: &[(&str, &str)],
    test: impl AsyncFn(Stage<'_>),
) {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let id = definition.split('-').next().unwrap();
    for plan in plans().await {
        let provider = Provider::start(Options::tls(authority.issue(&["127.0.0.1"], Validity::Current))).await;
        let server = configure(plan.provider_at(id, &provider.url(""), Some(&ca))).start().await;
        let fields = [fields, &[("mode", "sandbox")]].concat();
        let created = server.merchant().post("/payment-services", &service(definition, &fields)).await.expect(201);
        let path = format!("/payment-services/{}", created["id"].as_str().unwrap());
        test(Stage { server: &server, provider: &provider, path }).await;
        server.end().await;
    }
}

/// Credentials of an Adyen service.
pub(crate) const ADYEN: [(&str, &str); 2] = [("api_key", "canary-api-key-0123456789"), ("merchant_account", "ShopECOM")];

/// A time limit for tests that wait for its end: long enough for a handshake on a busy machine.
pub(crate) const LIMIT_MS: &str = "1500";

/// A session, as the API writes one.
pub(crate) fn session(status: &str, code: Option<&str>, status_code: Option<u16>, response_body: Value) -> Value {
    json!({ "type": "payment-service-session", "status": status, "code": code, "status_code": status_code, "response_body": response_body })
}
