//! `definitions test`: a definition against its own simulator, over a real socket.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use connectors::caller::{Access, Attempt, Caller, Places, Verification};
use connectors::catalogue::{Catalogue, Connector};
use connectors::credentials::Credentials;
use connectors::model::{Call, TextForm};
use connectors::outbound::{Backoff, CALL_TIMEOUT, CONNECT_TIMEOUT, EgressPolicy, Outbound, OutboundOptions, Resolution};
use domain::session::{Session, SessionCode, SessionStatus};
use domain::{JsonObject, MerchantAccountId, Secret, SessionRecordId};
use engine::{Clock as _, Ids as _, RandomIds, SystemClock};
use tokio_util::sync::CancellationToken;

use super::rendered;
use crate::cli::exit::FAILED;
use crate::cli::{output, simulated};

/// What a trial works with.
struct Trial {
    caller: Caller,
    ids: RandomIds,
}

/// Plays every method of a sound file. What is seen goes to standard output, the verdict to standard error.
pub(super) async fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let files = [PathBuf::from(file)];
    let catalogue = match Catalogue::load(&files, true) {
        Ok((catalogue, mistakes)) if mistakes.is_empty() => Arc::new(ArcSwap::from_pointee(catalogue)),
        Ok((_, mistakes)) | Err(mistakes) => return super::report(&mistakes),
    };
    let stop = CancellationToken::new();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let simulators = simulators::start(Arc::clone(&catalogue), listen, stop.clone()).await.context("the simulator can not be started")?;
    let places = Places::new(BTreeMap::new(), Some(simulators.base.clone()));
    let trial = Trial { caller: Caller::new(outbound()?, places), ids: RandomIds::new() };
    let text = std::fs::read_to_string(file)?;
    let provider =
        connectors::format::parse(&text, &file.display().to_string()).map_err(|_| anyhow::anyhow!("the file has changed meanwhile"))?;
    let mut failures = Vec::new();
    for connector in catalogue.load().iter().filter(|connector| connector.provider.id == provider.id) {
        failures.extend(trial.play(connector).await?);
    }
    stop.cancel();
    simulators.ended().await;
    if failures.is_empty() {
        output::words(&format!("{}: passed", file.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    for failure in &failures {
        output::words(failure)?;
    }
    Ok(ExitCode::from(FAILED))
}

/// Nothing is let out: a trial reaches the simulator and nothing else.
fn outbound() -> anyhow::Result<Outbound> {
    let options = OutboundOptions {
        egress: EgressPolicy { allow: Vec::new(), allow_http: false },
        extra_roots: None,
        connect_timeout: CONNECT_TIMEOUT,
        call_timeout: CALL_TIMEOUT,
        resolution: Resolution::System,
        backoff: Backoff::Jitter,
    };
    Ok(Outbound::new(options)?)
}

// === impl Trial ===

impl Trial {
    /// What went otherwise than it should, for one method.
    async fn play(&self, connector: &Arc<Connector>) -> anyhow::Result<Vec<String>> {
        let id = &connector.definition.id;
        output::data(&format!("== {id}"))?;
        let values = match simulated::fields(connector) {
            Ok(values) => values,
            Err(problems) => return Ok(vec![format!("{id}: no values were found for its fields: {}", problems.join("; "))]),
        };
        let (Some(call), Some(example)) = (&connector.provider.session, example(connector)) else {
            output::data("creates no sessions")?;
            return Ok(Vec::new());
        };
        let mut failures = self.example(connector, call, &values, &example).await?;
        let refused: Vec<(String, String)> = values.iter().map(|(key, value)| (key.clone(), spoiled(connector, key, value))).collect();
        if refused != values {
            let session = self.session(connector, &refused, &example).await;
            if session.code != Some(SessionCode::InvalidServiceCredentials) {
                failures.push(format!("{id}: refused credentials end as {}, and should as INVALID_SERVICE_CREDENTIALS", ending(&session)));
            }
        }
        let declined = declined(&example)?;
        let session = self.session(connector, &values, &declined).await;
        if session.status != SessionStatus::Failed {
            failures.push(format!("{id}: a refusal by the payment service ends as {}", ending(&session)));
        }
        if connector.can_verify() {
            let verification = self.caller.verify(&self.access(connector, &values), &self.attempt()).await;
            if verification != Verification::Accepted {
                failures.push(format!("{id}: good credentials are not verified: {verification:?}"));
            }
        }
        Ok(failures)
    }

    /// The example of the file must succeed; request and answer are shown.
    async fn example(
        &self,
        connector: &Arc<Connector>,
        call: &Call,
        values: &[(String, String)],
        example: &JsonObject,
    ) -> anyhow::Result<Vec<String>> {
        let id = &connector.definition.id;
        let masked = rendered::masked(connector, values);
        let token = connector.provider.token.as_ref().map(|token| (&token.call, None));
        let steps = std::iter::once(call).chain(&connector.provider.second).map(|call| (call, Some(example)));
        for (call, body) in token.into_iter().chain(steps) {
            match rendered::text(connector, call, &masked, &self.attempt(), body) {
                Ok(text) => output::data(&format!("\n{text}\n"))?,
                Err(error) => return Ok(vec![format!("{id}: no request can be made: {error}")]),
            }
        }
        let session = self.session(connector, values, example).await;
        output::data(&format!("-> {}", ending(&session)))?;
        let failed = session.status != SessionStatus::Succeeded;
        Ok(failed.then(|| format!("{id}: the example ends as {}", ending(&session))).into_iter().collect())
    }

    async fn session(&self, connector: &Arc<Connector>, values: &[(String, String)], body: &JsonObject) -> Session {
        self.caller.session(&self.access(connector, values), &self.attempt(), body).await.session
    }

    fn access(&self, connector: &Arc<Connector>, values: &[(String, String)]) -> Access {
        let stored = values.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str())));
        Access {
            connector: Arc::clone(connector),
            credentials: Credentials::for_connector(connector, stored),
            // A new one each time: tokens are kept per service, and a trial with other credentials must not find them.
            service: self.ids.v4(),
            account: MerchantAccountId::default_account(),
        }
    }

    fn attempt(&self) -> Attempt {
        let now = SystemClock.now();
        Attempt { id: SessionRecordId(self.ids.v7(now)), now }
    }
}

fn example(connector: &Connector) -> Option<JsonObject> {
    let text = connector.provider.simulator.as_ref()?.example_of(&connector.method().key)?;
    JsonObject::parse(bytes::Bytes::copy_from_slice(text.trim().as_bytes())).ok()
}

/// The simulator refuses credentials that begin so. Only secrets are spoiled: other values pick hosts and paths. Keys in PEM are not sent to anybody, so nobody could refuse them.
fn spoiled(connector: &Connector, key: &str, value: &str) -> String {
    let is_secret = connector.provider.fields.iter().any(|field| field.secret && field.text != TextForm::Pem && field.key == key);
    if is_secret { format!("invalid{value}") } else { value.to_owned() }
}

/// The example with the word that makes every simulator decline.
fn declined(example: &JsonObject) -> anyhow::Result<JsonObject> {
    let text = example.as_str().trim_end().strip_suffix('}').context("the example is no object")?;
    let comma = if text.trim_end().ends_with('{') { "" } else { "," };
    let text = format!("{text}{comma}\"tollhouse_test\":\"simulate:decline\"}}");
    JsonObject::parse(bytes::Bytes::from(text)).map_err(|error| anyhow::anyhow!("the example: {error}"))
}

fn ending(session: &Session) -> String {
    let code = session.code.map(|code| format!(" {code}")).unwrap_or_default();
    let status = session.status_code.map(|status| format!(", HTTP {status}")).unwrap_or_default();
    format!("{}{code}{status}", session.status)
}
