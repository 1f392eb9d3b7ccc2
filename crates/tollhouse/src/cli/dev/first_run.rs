//! The first run: a simulated payment service per provider, and one session through the real HTTP path.

use std::path::Path;

use anyhow::Context as _;
use connectors::catalogue::{Catalogue, Connector};
use tollhouse_client::{Client, Field, PageRequest, PaymentService, PaymentServiceCreate, PaymentServiceFilter, PaymentServiceSession};
use tracing::warn;

use crate::cli::simulated;
use crate::compose::Running;
use crate::telemetry::steps::LastSession;

/// What is shown of the session that was created, or why there is none.
pub(super) enum Shown {
    /// One was created.
    Session {
        /// The definition of its payment service.
        definition: String,
        /// The body that was posted.
        body: String,
        /// What the server answered.
        session: Box<PaymentServiceSession>,
        /// Where its time went.
        steps: Option<String>,
    },
    /// None could be. The server works all the same.
    None(String),
}

/// Configures payment services where there are none yet, and creates a session with one of them.
pub(super) async fn show(running: &Running, key_file: &Path, last_session: &LastSession) -> Shown {
    let catalogue = running.catalogue.load_full();
    match create(&running.base, &catalogue, key_file, last_session).await {
        Ok(shown) => shown,
        Err(error) => Shown::None(format!("{error:#}")),
    }
}

async fn create(base: &str, catalogue: &Catalogue, key_file: &Path, last_session: &LastSession) -> anyhow::Result<Shown> {
    let pem = std::fs::read_to_string(key_file).with_context(|| format!("the key file {}", key_file.display()))?;
    let client = Client::builder().server_url(base).private_key(pem).build()?;
    let mut services = list(&client, None).await?;
    // Whoever has deleted them all does not want them back.
    if services.is_empty() && list(&client, Some(true)).await?.is_empty() {
        services = seed(&client, catalogue).await?;
    }
    let is_simulated = |service: &&PaymentService| {
        service.active && service.fields.iter().any(|field| field.key == "mode" && field.value.expose() == "simulator")
    };
    // Lists are newest first, and the oldest one is the same at each start.
    for service in services.iter().rev().filter(is_simulated) {
        let Some(connector) = catalogue.get(&service.payment_service_definition_id).filter(|connector| connector.creates_sessions()) else {
            continue;
        };
        let Some(body) = example(connector) else { continue };
        let raw: Box<serde_json::value::RawValue> = serde_json::from_str(&body).context("the example of the definition")?;
        let session = client.payment_services().create_session(service.id, &raw).await?;
        let definition = service.payment_service_definition_id.clone();
        return Ok(Shown::Session { definition, body, session: Box::new(session), steps: last_session.take() });
    }
    Ok(Shown::None("there is no simulated payment service".to_owned()))
}

/// The body that works for a definition's simulator, on one line.
fn example(connector: &Connector) -> Option<String> {
    let text = connector.provider.simulator.as_ref()?.example_of(&connector.method().key)?;
    Some(text.lines().map(str::trim).collect())
}

async fn list(client: &Client, deleted: Option<bool>) -> anyhow::Result<Vec<PaymentService>> {
    let page = PageRequest { cursor: None, limit: Some(100) };
    let filter = PaymentServiceFilter { method: None, deleted };
    Ok(client.payment_services().list(&page, &filter).await?.items)
}

/// One payment service per provider whose definition says with which method; newest first, as a list has them.
async fn seed(client: &Client, catalogue: &Catalogue) -> anyhow::Result<Vec<PaymentService>> {
    let mut made = Vec::new();
    for connector in catalogue.iter().filter(|connector| is_first_run(connector)) {
        let fields = match simulated::fields(connector) {
            Ok(fields) => fields,
            Err(problems) => {
                warn!(definition = %connector.definition.id, "No values were found for its fields: {}", problems.join("; "));
                continue;
            }
        };
        let service = PaymentServiceCreate {
            display_name: format!("{} (simulated)", connector.definition.display_name),
            payment_service_definition_id: connector.definition.id.to_string(),
            fields: fields.into_iter().map(|(key, value)| Field::new(key, value)).collect(),
            accepted_currencies: connector.definition.supported_currencies.iter().map(ToString::to_string).collect(),
            accepted_countries: connector.definition.supported_countries.iter().map(ToString::to_string).collect(),
            ..PaymentServiceCreate::default()
        };
        made.insert(0, client.payment_services().create(&service).await?);
    }
    Ok(made)
}

fn is_first_run(connector: &Connector) -> bool {
    let chosen = connector.provider.simulator.as_ref().and_then(|simulator| simulator.first_run.as_deref());
    chosen == Some(connector.method().key.as_str()) && connector.creates_sessions()
}
